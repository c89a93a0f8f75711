"""The pages on which a person sees the invoices in the books and enters, amends, pays, voids and releases them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.accounting import invoicing
from sandbox.accounting.answers import Problem, Refused
from sandbox.accounting.books import Books, Search, business_of, column
from sandbox.accounting.by_hand import enter, tax_due, typed_decimal
from sandbox.accounting.catalogue import BUSINESSES, TAX_RATES, Business, find_business
from sandbox.accounting.kinds import CONTACT, CREDIT_NOTE, INVOICE
from sandbox.accounting.reading import Json
from sandbox.accounting.report import invoice_report
from sandbox.accounting.shapes import invoice_fields
from sandbox.context import sandbox

pages = Blueprint("accounting_pages", __name__, url_prefix="/accounting/books")

Page = str | tuple[str, int] | AnyResponse
LINE_FIELDS = ("description", "ledger_account_id", "quantity", "unit_price", "tax_rate_id")
ENTRY_FIELDS = ("contact_id", "contact_name", "date", "number", "reference", "status_id")
NEW_LINES = 3
SHOWN = 200


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
    return _list(INVOICE)


@pages.get("/credit_notes")
def credit_notes() -> str:
    return _list(CREDIT_NOTE)


def _list(kind: str) -> str:
    business = asked_business()
    books = Books(sandbox().store, business.id)
    search = Search(order="seq DESC")
    search.add(f"{column('deleted_at')} IS NULL")
    rows = [invoice_report(each, business.id) for each in books.find(kind, search, SHOWN)]
    found = books.count(kind, search)
    return render("invoices", business, kind=kind, invoices=rows, found=found, conditions=books.conditions())


@pages.get("/invoices/new")
def new_invoice() -> str:
    return _entry_page({}, [])


@pages.post("/invoices/new")
def enter_invoice() -> Page:
    """What is left empty, customer, number and whole lines included, is as `enter` has it."""
    books = Books(sandbox().store, asked_business().id)
    typed = [{name: request.form.get(f"{name}-{n}", "").strip() for name in LINE_FIELDS} for n in range(NEW_LINES)]
    lines = [_without_commas(line) for line in typed if line["description"] or line["unit_price"]]
    entry = {**{name: request.form.get(name, "").strip() for name in ENTRY_FIELDS}, "lines": lines or typed[:1]}
    try:
        with sandbox().store.transaction():
            made = enter(books, entry, sandbox().now())
    except Refused as refusal:
        return _entry_page(request.form, refusal.problems), refusal.status
    return redirect(url_for(".invoice", id=made["id"]), 303)


def _entry_page(typed: Mapping[str, str], problems: Sequence[Problem]) -> str:
    business = asked_business()
    books = Books(sandbox().store, business.id)
    search = Search(order=f"{column('name')} COLLATE NOCASE")
    search.add(f"{column('deleted_at')} IS NULL AND {column('contact_types[0].id')} = 'CUSTOMER'")
    return render(
        "new_invoice",
        business,
        customers=books.find(CONTACT, search),
        today=sandbox().now().date().isoformat(),
        count=NEW_LINES,
        typed=typed,
        problems=problems,
        **_choices(books),
    )


def _choices(books: Books, used: Collection[str] = ()) -> Json:
    """What a line offers; an account it stands on is offered even when it has been archived since."""
    accounts = [each for each in books.chart() if "sales" in each.scopes or each.id in used]
    return {"accounts": accounts, "tax_rates": TAX_RATES}


@pages.get("/invoices/<id>")
def invoice(id: str) -> str:
    return _invoice_page(id, {}, [])


@pages.post("/invoices/<id>/amend")
def amend(id: str) -> Page:
    return _change(id, lambda books: invoicing.amend(books, id, _amended_fields(books, id), sandbox().now()))


@pages.post("/invoices/<id>/pay")
def pay(id: str) -> Page:
    amount = typed_decimal(request.form.get("amount", ""))
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
    books = Books(sandbox().store, business.id)
    found = books.get(INVOICE, id) or books.get(CREDIT_NOTE, id)
    if found is None:
        abort(404, "There is no such invoice in these books.")
    return render(
        "invoice",
        business,
        invoice=invoice_report(found, business.id),
        typed=typed,
        problems=problems,
        **_choices(books, [line["ledger_account"]["id"] for line in found["invoice_lines"]]),
    )


@pages.app_template_filter("plain")
def plain(problem: Problem) -> str:
    field = problem.source.rpartition(".")[2].removesuffix("_id").replace("_", " ").capitalize()
    return f"{field}: {problem.message}" if field else problem.message


def _amended_fields(books: Books, id: str) -> Json:
    """The stored invoice with what the form changes, the tax worked out anew. Raises Refused."""
    fields = invoice_fields(invoicing.existing(books, id))
    fields["reference"] = request.form.get("reference", fields["reference"])
    for index, line in enumerate(fields["invoice_lines"]):
        line.update({name: request.form.get(f"{name}-{index}", line[name]) for name in LINE_FIELDS})
        line.update(_without_commas(line))
        line["tax_amount"] = str(tax_due(line))
    return fields


def _without_commas(line: Mapping[str, str]) -> dict[str, str]:
    return {**line, **{name: line[name].replace(",", "") for name in ("quantity", "unit_price")}}


def asked_business() -> Business:
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


def render(name: str, business: Business, **more: Any) -> str:
    return render_template(f"accounting/{name}.html", business=business, businesses=BUSINESSES, **more)
