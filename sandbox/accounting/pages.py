"""The pages on which a person sees the books and amends, pays, voids and releases what is in them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.accounting import invoicing
from sandbox.accounting.answers import Problem, Refused
from sandbox.accounting.books import CONTACT, INVOICE, Books, Search, business_of, column
from sandbox.accounting.catalogue import BUSINESSES, TAX_RATES, Business, chart_of, find_business, find_tax_rate
from sandbox.accounting.invoice_reading import pennies
from sandbox.accounting.reading import Json
from sandbox.accounting.report import invoice_report
from sandbox.accounting.shapes import invoice_fields
from sandbox.context import sandbox

pages = Blueprint("accounting_pages", __name__, url_prefix="/accounting/books")

Page = str | tuple[str, int] | AnyResponse
LINE_FIELDS = ("description", "ledger_account_id", "quantity", "unit_price", "tax_rate_id")


@pages.app_template_filter("money")
def money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"


@pages.app_template_filter("plain_number")
def plain_number(amount: str) -> str:
    return amount.removesuffix(".0")


@pages.app_template_filter("plain_date")
def plain_date(text: str) -> str:
    day = date.fromisoformat(text[:10])
    return f"{day.day} {day:%b %Y}"


@pages.get("")
def invoices() -> str:
    business = _business()
    search = Search(order="seq DESC")
    search.add(f"{column('deleted_at')} IS NULL")
    found = Books(sandbox().store, business.id).find(INVOICE, search)
    rows = [invoice_report(each, business.id) for each in found]
    return _render("invoices", business, invoices=rows)


@pages.get("/contacts")
def contacts() -> str:
    business = _business()
    search = Search(order=f"{column('name')} COLLATE NOCASE")
    search.add(f"{column('deleted_at')} IS NULL")
    return _render("contacts", business, contacts=Books(sandbox().store, business.id).find(CONTACT, search))


@pages.get("/chart")
def chart() -> str:
    business = _business()
    return _render("chart", business, accounts=chart_of(business.id))


@pages.get("/invoices/<id>")
def invoice(id: str) -> str:
    return _invoice_page(id, {}, [])


@pages.post("/invoices/<id>/amend")
def amend(id: str) -> Page:
    return _change(id, lambda books: invoicing.amend(books, id, _amended_fields(books, id), sandbox().now()))


@pages.post("/invoices/<id>/pay")
def pay(id: str) -> Page:
    amount = _typed_decimal(request.form.get("amount", ""))
    return _change(id, lambda books: invoicing.pay(books, id, amount, sandbox().now().date(), sandbox().now()))


@pages.post("/invoices/<id>/unpay")
def unpay(id: str) -> Page:
    payment = request.form.get("payment", "")
    return _change(id, lambda books: invoicing.unpay(books, id, payment, sandbox().now()))


@pages.post("/invoices/<id>/void")
def void(id: str) -> Page:
    reason = request.form.get("void_reason", "")
    return _change(id, lambda books: invoicing.void(books, id, reason, sandbox().now()))


@pages.post("/invoices/<id>/release")
def release(id: str) -> Page:
    return _change(id, lambda books: invoicing.release(books, id, sandbox().now()))


def _change(id: str, work: Callable[[Books], Json]) -> Page:
    """Does the work and shows the invoice; when it is refused, shows why beside what was typed."""
    business = _business_holding(id)
    try:
        with sandbox().store.transaction():
            changed = work(Books(sandbox().store, business.id))
    except Refused as refusal:
        return _invoice_page(id, request.form, refusal.problems), refusal.status
    if changed["deleted_at"]:
        return redirect(url_for(".invoices", business=business.id), 303)
    return redirect(url_for(".invoice", id=id), 303)


def _invoice_page(id: str, typed: Mapping[str, str], problems: Sequence[Problem]) -> str:
    business = _business_holding(id)
    found = Books(sandbox().store, business.id).get(INVOICE, id)
    if found is None:
        abort(404, "There is no such invoice in these books.")
    return _render(
        "invoice",
        business,
        invoice=invoice_report(found, business.id),
        typed=typed,
        problems=[_plain(problem) for problem in problems],
        accounts=[each for each in chart_of(business.id) if "sales" in each.scopes],
        tax_rates=TAX_RATES,
    )


def _plain(problem: Problem) -> str:
    field = problem.source.rpartition(".")[2].removesuffix("_id").replace("_", " ").capitalize()
    return f"{field}: {problem.message}" if field else problem.message


def _amended_fields(books: Books, id: str) -> Json:
    """The stored invoice with what the form changes, the tax worked out anew. Raises Refused."""
    fields = invoice_fields(invoicing.existing(books, id))
    fields["reference"] = request.form.get("reference", fields["reference"])
    for index, line in enumerate(fields["invoice_lines"]):
        line.update({name: request.form.get(f"{name}-{index}", line[name]) for name in LINE_FIELDS})
        line.update({name: line[name].replace(",", "") for name in ("quantity", "unit_price")})
        line["tax_amount"] = str(_tax_due(line))
    return fields


def _tax_due(line: Mapping[str, Any]) -> Decimal:
    quantity, price = _typed_decimal(line["quantity"]), _typed_decimal(line["unit_price"])
    tax_rate = find_tax_rate(line["tax_rate_id"])
    if quantity is None or price is None or tax_rate is None:
        return Decimal(0)
    charged = quantity * price - Decimal(line["discount_amount"])
    whole = 100 + tax_rate.percentage if line["unit_price_includes_tax"] else Decimal(100)
    return pennies(charged * tax_rate.percentage / whole)


def _typed_decimal(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _business() -> Business:
    asked = request.args.get("business")
    business = find_business(asked) if asked else BUSINESSES[0]
    if business is None:
        abort(404, "There is no such organisation in this sandbox.")
    return business


def _business_holding(document_id: str) -> Business:
    business = find_business(business_of(sandbox().store, document_id))
    if business is None:
        abort(404, "There is no such invoice in these books.")
    return business


def _render(name: str, business: Business, **more: Any) -> str:
    return render_template(f"accounting/{name}.html", business=business, businesses=BUSINESSES, **more)
