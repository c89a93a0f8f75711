"""The pages on which a person sees a company's invoices and enters, amends, submits, pays and reverses them."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import sandbox
from sandbox.intacct import by_hand
from sandbox.intacct.answers import Json, Refused
from sandbox.intacct.books import Books, Search
from sandbox.intacct.catalogue import COMPANIES, Company, find_company
from sandbox.intacct.kinds import INVOICE
from sandbox.intacct.showing import changes_of, customers_offered, offers, shown_line, typed_lines

pages = Blueprint("intacct_pages", __name__, url_prefix="/intacct")

Page = str | tuple[str, int] | AnyResponse
SHOWN = 200
NEW_LINES = 3
NEW_LINE = {"account": "4000", "label": "Services", "tax_detail": by_hand.STANDARD_RATE}
ENTRY_WORDS = ("customer", "date", "due", "number", "reference", "description", "draft", "document")
GENERIC_CODE = "unableToCreateRecordError"
TOP_LEVEL = "top"


@pages.app_template_filter("shown_number")
def shown_number(invoice: Json) -> str:
    return invoice.get("invoiceNumber") or f"Draft {invoice['key']}"


@pages.app_template_filter("shown_state")
def shown_state(state: str) -> str:
    return {"partiallyPaid": "Partially paid", "noValue": "No value"}.get(state, state.capitalize())


@pages.get("/")
def invoices() -> str:
    """Those of the whole company, or of the entity that is asked for."""
    company, search = asked_company(), Search(order="key DESC")
    entity = request.args.get("entity", "")
    if entity:
        search.add("entity = ?", "" if entity == TOP_LEVEL else entity)
    return render(
        "invoices",
        company,
        invoices=books_here().find(INVOICE, search, SHOWN),
        found=books_here().count(INVOICE, search),
        entity=entity,
        entities=[("", "All entities"), (TOP_LEVEL, "Top level"), *company.entities.items()],
    )


@pages.get("/invoices/new")
def new_invoice() -> str:
    return _entry_page({}, [])


@pages.post("/invoices/new")
def enter_invoice() -> Page:
    """A line without an amount is left out; an empty number is left to the sequence."""
    form, books = request.form, books_here().at(_asked_entity())
    lines = [line for line in typed_lines(form, NEW_LINES) if line.get("amount")]
    entry = {word: form.get(word, "").strip() for word in ENTRY_WORDS}
    if not lines:
        return _entry_page(form, ["Enter an amount on at least one line."]), 422
    try:
        with sandbox().store.transaction():
            made = by_hand.enter(books, {**_without_empty(entry), "lines": lines}, sandbox().now())
    except Refused as refusal:
        return _entry_page(form, plain_texts(refusal)), refusal.status
    return redirect(url_for(".invoice", key=made["key"]), 303)


def _asked_entity() -> str:
    entity = request.form.get("entity", "")
    if entity and entity not in asked_company().entities:
        abort(404, "There is no such entity in this company.")
    return entity


def _entry_page(typed: Mapping[str, str], problems: Sequence[str]) -> str:
    books, today = books_here(), sandbox().now().date()
    return render(
        "new_invoice",
        books.company,
        typed=typed,
        problems=problems,
        count=NEW_LINES,
        today=today.isoformat(),
        due=(today + by_hand.CREDIT_DAYS).isoformat(),
        entities=[("", "Top level"), *books.company.entities.items()],
        customers=customers_offered(books),
        line=NEW_LINE,
        offers=offers(books),
    )


@pages.get("/invoices/<key>")
def invoice(key: str) -> str:
    return _invoice_page(key, {}, [])


@pages.post("/invoices/<key>/amend")
def amend(key: str) -> Page:
    return _change(key, "edit", changes_of(_held(key)[1], request.form))


@pages.post("/invoices/<key>/<any(submit, pay, unpay, reverse, delete):deed>")
def change(key: str, deed: str) -> Page:
    return _change(key, deed, request.form)


def _change(key: str, deed: str, given: Mapping[str, Any]) -> Page:
    """Does the deed and shows the invoice; when it is refused, shows why beside what was typed."""
    books, found = _held(key)
    try:
        with sandbox().store.transaction():
            done = by_hand.DEEDS[deed](books.at(found["entity"]["id"]), key, given, sandbox().now())
    except Refused as refusal:
        return _invoice_page(key, request.form, plain_texts(refusal)), refusal.status
    if deed == "delete":
        return redirect(url_for(".invoices", company=books.company_id), 303)
    return redirect(url_for(".invoice", key=done["key"]), 303)


def _invoice_page(key: str, typed: Mapping[str, str], problems: Sequence[str]) -> str:
    books, found = _held(key)
    lines = [shown_line(line) for line in found["lines"]]
    return render(
        "invoice",
        books.company,
        invoice=found,
        lines=lines,
        payments=found["_payments"],
        reversed=found.get("_reversed"),
        typed=typed,
        problems=problems,
        today=sandbox().now().date().isoformat(),
        offers=offers(books, [line["account"] for line in lines]),
    )


def _held(key: str) -> tuple[Books, Json]:
    """The invoice, and the books of the one company that has it."""
    shelves = [Books(sandbox().store, company.id) for company in COMPANIES]
    held = next(((books, found) for books in shelves if (found := books.get(INVOICE, key))), None)
    if held is None:
        abort(404, "There is no such invoice in these books.")
    return held


def plain_texts(refusal: Refused) -> list[str]:
    """What a person has to know: the details without the generic first one."""
    told = [each.message for each in refusal.problems if each.code != GENERIC_CODE]
    return told or [refusal.message]


def _without_empty(entry: Mapping[str, str]) -> dict[str, str]:
    return {word: value for word, value in entry.items() if value}


def asked_company() -> Company:
    company = find_company(request.args.get("company", COMPANIES[0].id))
    if company is None:
        abort(404, "There is no such company in this sandbox.")
    return company


def books_here() -> Books:
    return Books(sandbox().store, asked_company().id)


def render(name: str, company: Company, **more: Any) -> str:
    return render_template(f"intacct/{name}.html", company=company, companies=COMPANIES, **more)
