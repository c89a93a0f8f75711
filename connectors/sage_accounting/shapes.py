"""Sage Accounting's JSON: the bodies we send, and the records its objects become; pure."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.interface import (
    BookedInvoice,
    BookedLine,
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
)
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


def invoice_body(invoice: NewInvoice, key: str) -> dict[str, Any]:
    """The body of `POST /sales_invoices` (Swagger postSalesInvoices; `idempotency_id` from guide "Idempotency")."""
    numbered = {"invoice_number_prefix": invoice.prefix, "invoice_number": invoice.number} if invoice.number else {}
    return {
        "idempotency_id": key,
        **({"status_id": "DRAFT"} if invoice.is_draft else {}),
        "contact_id": invoice.client_id,
        "date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        **numbered,
        "reference": invoice.reference,
        "notes": invoice.notes,
        "currency_id": invoice.currency,
        "net_amount": str(invoice.net),
        "tax_amount": str(invoice.tax),
        "total_amount": str(invoice.total),
        "invoice_lines": [_line_body(line) for line in invoice.lines],
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


def remote_invoice(row: Mapping[str, Any]) -> RemoteInvoice:
    """A sales invoice of theirs -> ours. Raises OutcomeUnknown where its id is missing: then only a look tells."""
    try:
        status = STATUSES.get(_id(row.get("status")), RemoteStatus.OPEN)
        return RemoteInvoice(
            id=row["id"],
            number="" if status is RemoteStatus.DRAFT else row.get("invoice_number") or "",
            reference=row.get("reference") or "",
            client_id=_id(row.get("contact")),
            client_name=row.get("contact_name") or "",
            lines=len(row["invoice_lines"]) if row.get("invoice_lines") else None,
            issue_date=date.fromisoformat(row["date"]),
            total=Decimal(str(row["total_amount"])),
            url=_page(row),
            status=status,
            outstanding=_outstanding(row, status),
        )
    except (KeyError, ValueError, ArithmeticError, TypeError, AttributeError):
        raise OutcomeUnknown("Sage's answer does not show the invoice.", status=200) from None


def _outstanding(row: Mapping[str, Any], status: RemoteStatus) -> Decimal | None:
    """Nothing is said of a draft: Sage tells 0 of it, as it is not in the ledger yet (guide "Invoicing")."""
    amount = row.get("outstanding_amount")
    return None if amount is None or status is RemoteStatus.DRAFT else Decimal(str(amount))


def booked_invoice(row: Mapping[str, Any]) -> BookedInvoice:
    """A sales invoice with its lines -> ours. Raises OutcomeUnknown or ValueError where it can't be read."""
    invoice = remote_invoice(row)
    try:
        tax = Decimal(str(row["tax_amount"]))
        return BookedInvoice(
            invoice=invoice,
            due_date=date.fromisoformat(row.get("due_date") or row["date"]),
            currency=_id(row.get("currency")),
            net=invoice.total - tax,
            tax=tax,
            lines=tuple(map(_booked_line, row.get("invoice_lines") or ())),
            changed_at=time_of(moment_of(row["updated_at"])),
        )
    except (KeyError, ArithmeticError, TypeError, AttributeError):
        raise ValueError("The invoice can't be read.") from None


def _booked_line(row: Mapping[str, Any]) -> BookedLine:
    account = row.get("ledger_account") or {}
    shown = str(account.get("displayed_as") or "")
    code = CODE.search(shown)
    return BookedLine(
        description=row.get("description") or "",
        account=code[1] if code else shown,
        account_id=_id(account),
        quantity=_amount(row, "quantity", "1"),
        unit_price=_amount(row, "unit_price"),
        net=_amount(row, "net_amount"),
        tax=_amount(row, "tax_amount"),
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
