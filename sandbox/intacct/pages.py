"""The pages on which a person sees a company's invoices and enters, amends, submits, pays and reverses them."""

from typing import Any

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import sandbox
from sandbox.intacct.books import Books, Search
from sandbox.intacct.catalogue import COMPANIES, Company, Json, find_company
from sandbox.intacct.kinds import INVOICE

pages = Blueprint("intacct_pages", __name__, url_prefix="/intacct")

Page = str | tuple[str, int] | AnyResponse
SHOWN = 200
TOP_LEVEL = "top"


@pages.app_template_filter("shown_number")
def shown_number(invoice: Json) -> str:
    return invoice.get("invoiceNumber") or f"without a number, record {invoice['key']}"


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
        invoices=books_here().find(INVOICE, search, SHOWN),
        found=books_here().count(INVOICE, search),
        entity=entity,
        entities=[("", "All entities"), (TOP_LEVEL, "Top level"), *company.entities.items()],
    )


@pages.get("/invoices/new")
def new_invoice() -> str:
    return "later"


@pages.get("/invoices/<key>")
def invoice(key: str) -> str:
    return key


def asked_company() -> Company:
    company = find_company(request.args.get("company", COMPANIES[0].id))
    if company is None:
        abort(404, "There is no such company in this sandbox.")
    return company


def books_here() -> Books:
    return Books(sandbox().store, asked_company().id)


def render(name: str, **more: Any) -> str:
    return render_template(f"intacct/{name}.html", company=asked_company(), companies=COMPANIES, **more)
