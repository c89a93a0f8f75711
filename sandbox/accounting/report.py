"""Everything in the books as one JSON answer, and the ways in which tests and demos change them."""

from typing import Any

from flask import abort, request

from sandbox.accounting.answers import not_found
from sandbox.accounting.books import Books
from sandbox.accounting.catalogue import BUSINESSES, Business, find_account
from sandbox.accounting.contacts import restated
from sandbox.accounting.invoicing import kind_of
from sandbox.accounting.kinds import CONTACT, CREDIT_NOTE, INVOICE, ITEMS
from sandbox.accounting.listing import shown
from sandbox.accounting.reading import Json
from sandbox.accounting.shapes import item_ids
from sandbox.clock import stamp
from sandbox.context import sandbox

STATUS_WORDS = {
    "UNPAID": "Created",
    "DRAFT": "Draft",
    "PRO_FORMA": "Pro forma",
    "PART_PAID": "Part paid",
    "PAID": "Paid",
    "VOID": "Void",
}
HEADER = (
    "id",
    "reference",
    "date",
    "due_date",
    "contact_name",
    "contact_reference",
    "net_amount",
    "tax_amount",
    "total_amount",
    "total_paid",
    "outstanding_amount",
    "notes",
    "terms_and_conditions",
    "sent",
    "void_reason",
    "created_at",
    "updated_at",
    "deleted_at",
    "main_address",
)
LINE = (
    "id",
    "description",
    "quantity",
    "unit_price",
    "unit_price_includes_tax",
    "discount_amount",
    "net_amount",
    "tax_amount",
    "total_amount",
)
ITEM = ("id", "item_code", "description", "active", "created_at")


def books_report() -> Json:
    return {"businesses": [_business_report(each) for each in BUSINESSES]}


def change_books() -> Json:
    """Conditions by their names, and `contacts`: {id: "deleted", "CUSTOMER" or "VENDOR"}. Raises Refused."""
    business, changes = ordered(request.get_json(force=True))
    books = Books(sandbox().store, business.id)
    with sandbox().store.transaction():
        for id, state in changes.pop("contacts", {}).items():
            restate_contact(books, id, state)
        books.set_conditions(changes)
    return _business_report(business)


def restate_contact(books: Books, id: str, state: object) -> None:
    """Raises Refused."""
    contact = books.get(CONTACT, id)
    if contact is None:
        raise not_found()
    books.replace(restated(contact, state, stamp(sandbox().now())))


def ordered(body: object) -> tuple[Business, Json]:
    """The organisation, by id or by name, else the first one; and the rest of the body."""
    if not isinstance(body, dict):
        abort(400, "The body is not a JSON object.")
    wanted = body.pop("business", BUSINESSES[0].id)
    business = next((each for each in BUSINESSES if wanted in (each.id, each.name)), None)
    if business is None:
        abort(400, "There is no such organisation in this sandbox.")
    return business, body


def _business_report(business: Business) -> Json:
    books = Books(sandbox().store, business.id)
    return {
        "id": business.id,
        "name": business.name,
        "next_invoice_number": books.next_number(),
        "invoices": [invoice_report(each, business.id) for each in books.all(INVOICE)],
        "credit_notes": [invoice_report(each, business.id) for each in books.all(CREDIT_NOTE)],
        "contacts": [shown(each, "all") for each in books.all(CONTACT)],
        **{f"{kind}s": items_report(books, kind) for kind in ITEMS},
        "conditions": books.conditions().document(),
    }


def items_report(books: Books, kind: str) -> list[Json]:
    return [_item_report(each, books.business_id) for each in books.all(kind)]


def _item_report(item: Json, business_id: str) -> Json:
    rate = item["sales_tax_rate"]
    return {
        **{name: item[name] for name in ITEM},
        "sales_nominal_code": _code(item["sales_ledger_account"], business_id),
        "purchase_nominal_code": _code(item["purchase_ledger_account"], business_id),
        "sales_tax_rate_id": rate and rate["id"],
        "idempotency_id": item["_idempotency_id"],
    }


def _code(account: Json | None, business_id: str) -> int | None:
    found = find_account(business_id, account and account["id"])
    return found.nominal_code if found else None


def invoice_report(invoice: Json, business_id: str) -> Json:
    """One invoice, flat, deleted drafts included."""
    status = invoice["status"]["id"]
    return {
        **{name: invoice[name] for name in HEADER},
        "number": invoice["invoice_number"],
        "prefix": invoice["invoice_number_prefix"],
        "kind": kind_of(invoice),
        "original_invoice_date": invoice.get("original_invoice_date"),
        "status": status,
        "status_shown": STATUS_WORDS[status],
        "contact_id": invoice["contact"]["id"],
        "idempotency_id": invoice["_idempotency_id"],
        "lines": [_line_report(line, business_id) for line in invoice["invoice_lines"]],
        "payments": invoice["payments_allocations"],
    }


def _line_report(line: dict[str, Any], business_id: str) -> Json:
    account = find_account(business_id, line["ledger_account"]["id"])
    return {
        **{name: line[name] for name in LINE},
        "ledger_account_id": line["ledger_account"]["id"],
        "nominal_code": account.nominal_code if account else None,
        "ledger_account_name": account.name if account else None,
        **item_ids(line),
        "tax_rate_id": line["tax_rate"]["id"],
        "tax_rate": line["tax_rate"]["displayed_as"],
    }
