"""Everything in the books as one JSON answer, for tests that ask what the books hold."""

from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.accounting.books import CONTACT, INVOICE, Books
from sandbox.accounting.catalogue import BUSINESSES, Business, find_account
from sandbox.accounting.listing import shown
from sandbox.accounting.reading import Json
from sandbox.context import sandbox
from sandbox.controls import only_from_this_machine

report = Blueprint("accounting_report", __name__)
report.before_request(only_from_this_machine)

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


@report.get("/_books")
def show_books() -> Response:
    return jsonify({"businesses": [_business_report(each) for each in BUSINESSES]})


def _business_report(business: Business) -> Json:
    books = Books(sandbox().store, business.id)
    return {
        "id": business.id,
        "name": business.name,
        "next_invoice_number": books.next_number(),
        "invoices": [invoice_report(each, business.id) for each in books.all(INVOICE)],
        "contacts": [shown(each, "all") for each in books.all(CONTACT)],
    }


def invoice_report(invoice: Json, business_id: str) -> Json:
    """One invoice, flat, deleted drafts included."""
    status = invoice["status"]["id"]
    return {
        **{name: invoice[name] for name in HEADER},
        "number": invoice["invoice_number"],
        "prefix": invoice["invoice_number_prefix"],
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
        "tax_rate_id": line["tax_rate"]["id"],
        "tax_rate": line["tax_rate"]["displayed_as"],
    }
