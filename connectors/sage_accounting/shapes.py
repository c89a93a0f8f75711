"""Sage Accounting's JSON: the bodies we send, and the records its objects become; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.http import Answer
from connectors.interface import (
    BookedInvoice,
    BookedLine,
    DocumentKind,
    Entry,
    NewClient,
    NewInvoice,
    NewItem,
    NewLine,
    OutcomeUnknown,
    RemoteClient,
    RemoteInvoice,
    RemoteItem,
    RemoteStatus,
    TryLater,
)
from connectors.options import Kind
from connectors.watermark import moment_of, time_of

REFERENCE_LIMIT = 10  # Contact.reference
NAME_LIMIT = 100  # Contact.name
PERSON_LIMIT = 50  # ContactPerson.name
LINK_LIMIT = 500  # longer than any page of Sage's; what is longer is left out
CODE = re.compile(r"\((\d+)\)\s*$")  # a ledger account is displayed as "Sales - Products (4000)" (guide "Invoicing")
STATUSES = {
    "DRAFT": RemoteStatus.DRAFT,
    "PRO_FORMA": RemoteStatus.DRAFT,
    "PART_PAID": RemoteStatus.PART_PAID,
    "PAID": RemoteStatus.PAID,
    "VOID": RemoteStatus.VOID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What Sage calls a kind of document: its path, the name of its object in a body, and the fields named after it."""

    path: str
    entity: str
    number: str
    lines: str


SHAPES = {
    DocumentKind.INVOICE: Shape(
        path="/sales_invoices", entity="sales_invoice", number="invoice_number", lines="invoice_lines"
    ),
    DocumentKind.CREDIT_NOTE: Shape(
        path="/sales_credit_notes", entity="sales_credit_note", number="credit_note_number", lines="credit_note_lines"
    ),
}
LISTS: Mapping[Kind, tuple[str, dict[str, str]]] = {
    Kind.SALES_ACCOUNTS: ("/ledger_accounts", {"visible_in": "sales", "attributes": "nominal_code,name"}),
    Kind.PURCHASE_ACCOUNTS: (
        "/ledger_accounts",
        {"visible_in": "expenses", "attributes": "nominal_code,name"},
    ),
    Kind.TAX_RATES: ("/tax_rates", {"usage": "sales", "attributes": "name,percentage"}),
}
CUSTOMERS = {"contact_type_id": "CUSTOMER", "attributes": "name,reference,email"}
INVOICE = SHAPES[DocumentKind.INVOICE]
ITEM_PATHS = {"PRODUCT": "product", "SERVICE": "service"}


def contact_body(client: NewClient, key: str) -> dict[str, Any]:
    """The body of `POST /contacts` (Swagger postContacts); a reference over 10 characters is left out."""
    body: dict[str, Any] = {
        "idempotency_id": key,
        "name": client.name[:NAME_LIMIT],
        "contact_type_ids": ["CUSTOMER"],
        "main_address": {
            "address_line_1": client.address_line_1,
            "address_line_2": client.address_line_2,
            "city": client.city,
            "postal_code": client.postal_code,
            "country_id": client.country,
        },
    }
    if client.reference and len(client.reference) <= REFERENCE_LIMIT:
        body["reference"] = client.reference
    if client.email:
        body["main_contact_person"] = {"name": client.name[:PERSON_LIMIT], "email": client.email}
    return body


def invoice_body(invoice: NewInvoice, key: str, shape: Shape = INVOICE) -> dict[str, Any]:
    """The body of `POST /sales_invoices` or `/sales_credit_notes` (Swagger postSalesInvoices, postSalesCreditNotes;
    `idempotency_id` from guide "Idempotency"). A credit note is never due, and names the date of what it credits."""
    numbered = {f"{shape.number}_prefix": invoice.prefix, shape.number: invoice.number} if invoice.number else {}
    due = {"due_date": invoice.due_date.isoformat()}
    original = {"original_invoice_date": invoice.original_date.isoformat()} if invoice.original_date else {}
    return {
        "idempotency_id": key,
        **({"status_id": "DRAFT"} if invoice.is_draft else {}),
        "contact_id": invoice.client_id,
        "date": invoice.issue_date.isoformat(),
        **(due if shape is INVOICE else original),
        **numbered,
        "reference": invoice.reference,
        "notes": invoice.notes,
        "currency_id": invoice.currency,
        "net_amount": str(invoice.net),
        "tax_amount": str(invoice.tax),
        "total_amount": str(invoice.total),
        shape.lines: [_line_body(line) for line in invoice.lines],
    }


def _line_body(line: NewLine) -> dict[str, Any]:
    """Sage does not work out line tax: it is sent, two places, with the sums it belongs to (guide "Invoicing")."""
    item = {f"{ITEM_PATHS[line.item_sort]}_id": line.item_id} if line.item_id else {}
    return {
        **item,
        "description": line.description,
        "ledger_account_id": line.account_id,
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price),
        "discount_amount": str(line.discount),
        "net_amount": str(line.net),
        "tax_rate_id": line.tax_rate_id,
        "tax_amount": str(line.tax),
        "total_amount": str(line.total),
    }


def remote_invoice(row: Mapping[str, Any], shape: Shape = INVOICE) -> RemoteInvoice:
    """One of theirs -> ours. Raises OutcomeUnknown where its id is missing: then only a look tells.

    No page says whether a credit note is told with a minus; ours never is.
    """
    try:
        status = STATUSES.get(_id(row.get("status")), RemoteStatus.OPEN)
        return RemoteInvoice(
            id=row["id"],
            number="" if status is RemoteStatus.DRAFT else row.get(shape.number) or "",
            reference=row.get("reference") or "",
            client_id=_id(row.get("contact")),
            client_name=row.get("contact_name") or "",
            lines=len(row[shape.lines]) if row.get(shape.lines) else None,
            issue_date=date.fromisoformat(row["date"]),
            total=_plus(Decimal(str(row["total_amount"])), shape),
            url=_page(row),
            status=status,
            outstanding=_outstanding(row, status, shape),
        )
    except (KeyError, ValueError, ArithmeticError, TypeError, AttributeError):
        raise OutcomeUnknown("Sage's answer does not show the invoice.", status=200) from None


def _plus(amount: Decimal, shape: Shape) -> Decimal:
    return amount if shape is INVOICE else abs(amount)


def _outstanding(row: Mapping[str, Any], status: RemoteStatus, shape: Shape) -> Decimal | None:
    """Nothing is said of a draft: Sage tells 0 of it, as it is not in the ledger yet (guide "Invoicing")."""
    amount = row.get("outstanding_amount")
    return None if amount is None or status is RemoteStatus.DRAFT else _plus(Decimal(str(amount)), shape)


def booked_invoice(row: Mapping[str, Any], shape: Shape = INVOICE) -> BookedInvoice:
    """One of theirs with its lines -> ours. Raises OutcomeUnknown or ValueError where it can't be read."""
    invoice = remote_invoice(row, shape)
    try:
        tax = _plus(Decimal(str(row["tax_amount"])), shape)
        return BookedInvoice(
            invoice=invoice,
            due_date=date.fromisoformat(row.get("due_date") or row["date"]),
            currency=_id(row.get("currency")),
            net=invoice.total - tax,
            tax=tax,
            lines=tuple(_booked_line(line, shape) for line in row.get(shape.lines) or ()),
            changed_at=time_of(moment_of(row["updated_at"])),
        )
    except (KeyError, ArithmeticError, TypeError, AttributeError):
        raise ValueError("The invoice can't be read.") from None


def _booked_line(row: Mapping[str, Any], shape: Shape) -> BookedLine:
    account = row.get("ledger_account") or {}
    shown = str(account.get("displayed_as") or "")
    code = CODE.search(shown)
    return BookedLine(
        description=row.get("description") or "",
        account=code[1] if code else shown,
        account_id=_id(account),
        quantity=_amount(row, "quantity", "1"),
        unit_price=_amount(row, "unit_price"),
        net=_plus(_amount(row, "net_amount"), shape),
        tax=_plus(_amount(row, "tax_amount"), shape),
        discount=_amount(row, "discount_amount"),
    )


def _amount(row: Mapping[str, Any], name: str, default: str = "0") -> Decimal:
    found = row.get(name)
    return Decimal(default if found is None else str(found))


def _page(row: Mapping[str, Any]) -> str:
    """The invoice's page in Sage; anything that is not a web address is no link of ours."""
    hrefs = [str(link.get("href", "")) for link in row.get("links") or []]
    usable = (href for href in hrefs if href.startswith(("https://", "http://")) and len(href) <= LINK_LIMIT)
    return next(usable, "")


def item_body(item: NewItem, key: str) -> dict[str, Any]:
    """The body of `POST /products` and `/services` (Swagger postProducts, postServices): both accounts are required."""
    return {
        "idempotency_id": key,
        "item_code": item.code,
        "description": item.description,
        "sales_ledger_account_id": item.sales_account_id,
        "purchase_ledger_account_id": item.purchase_account_id,
        "sales_tax_rate_id": item.tax_rate_id,
    }


def remote_item(row: Mapping[str, Any]) -> RemoteItem:
    return RemoteItem(id=row["id"], name=row.get("description") or "", code=row.get("item_code") or "")


def _id(row: Mapping[str, Any] | None) -> str:
    return str((row or {}).get("id") or "")


def remote_entry(row: Mapping[str, Any]) -> Entry:
    percentage = row.get("percentage")
    return Entry(
        id=row["id"],
        name=row.get("name") or row.get("displayed_as") or "",
        code=str(row.get("nominal_code") or ""),
        percentage=None if percentage is None else Decimal(str(percentage)),
    )


def remote_client(row: Mapping[str, Any]) -> RemoteClient:
    return RemoteClient(
        id=row["id"],
        name=name_of(row),
        reference=row.get("reference") or "",
        email=row.get("email") or "",
    )


def name_of(row: Mapping[str, Any]) -> str:
    return row.get("name") or row.get("displayed_as") or ""


def shown_as(row: dict[str, Any]) -> str:
    return str(row.get("displayed_as") or "").strip().casefold()


def first_open_day(answer: Answer) -> date | None:
    """A day that is not set is null or "". Raises TryLater."""
    said = answer.body if isinstance(answer.body, dict) else {}
    days = (said.get(name) for name in ("accounts_start_date", "year_end_lockdown_date"))
    try:
        return max((date.fromisoformat(day) for day in days if day), default=None)
    except (TypeError, ValueError):
        raise TryLater("Sage's financial settings can't be read.", status=answer.status) from None


def same_text(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def items_of(answer: Answer) -> list[dict[str, Any]]:
    items = answer.body.get("$items") if isinstance(answer.body, dict) else None
    if not isinstance(items, list) or not all(isinstance(row, dict) and row.get("id") for row in items):
        raise TryLater("Sage's answer is not a list.", status=answer.status)
    return items


def object_of(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer.body, dict) or not answer.body.get("id"):
        raise OutcomeUnknown("Sage's answer does not say what it wrote.", status=answer.status)
    return answer.body
