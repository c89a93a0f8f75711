"""What is frozen at approval, and what of it goes to the platform; pure, to and from JSON."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.interface import NewClient, NewInvoice, NewLine
from invoices.models import Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """What the connected books call things: the client, the one nominal code, and each of our tax rates."""

    client_id: str
    sales_account_id: str
    tax_rate_ids: Mapping[str, str]


def freeze(invoice: Invoice) -> dict[str, Any]:
    """The invoice as approved, in our own terms; from now on this is what is sent."""
    client = invoice.client
    return {
        "client": {
            "uuid": str(client.uuid),
            "name": client.name,
            "reference": client.reference,
            "email": client.email,
            "address_line_1": client.address_line_1,
            "address_line_2": client.address_line_2,
            "city": client.city,
            "postal_code": client.postal_code,
            "country": client.country,
        },
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "notes": _notes(invoice),
        "currency": invoice.currency,
        **_amounts(invoice, "net", "tax", "total"),
        "lines": [
            {
                "description": line.description,
                "tax_code": line.tax_rate_id,
                **_amounts(line, "quantity", "unit_price", "discount", "net", "tax", "total"),
            }
            for line in invoice.lines.all()
        ],
    }


def _notes(invoice: Invoice) -> str:
    """The platform's reference is our number, so the client's own reference goes first into the notes."""
    first = f"Client's reference: {invoice.reference}" if invoice.reference else ""
    place = f"Property: {invoice.site.name}" if invoice.site else ""
    return "\n".join(text for text in (first, place, invoice.notes) if text)


def _amounts(row: object, *names: str) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in names}


def frozen_client(frozen: Mapping[str, Any]) -> tuple[uuid.UUID, NewClient]:
    """The client's own id, and the client as the platform would be told of it."""
    fields = dict(frozen["client"])
    return uuid.UUID(fields.pop("uuid")), NewClient(**fields)


def compose(frozen: Mapping[str, Any], *, number: str, prefix: str, codes: Codes) -> NewInvoice:
    """The frozen invoice with the platform's ids put in; `prefix` is the part of our number it takes apart."""
    return NewInvoice(
        prefix=prefix,
        number=number.removeprefix(prefix),
        client_id=codes.client_id,
        issue_date=date.fromisoformat(frozen["issue_date"]),
        due_date=date.fromisoformat(frozen["due_date"]),
        notes=frozen["notes"],
        currency=frozen["currency"],
        net=Decimal(frozen["net"]),
        tax=Decimal(frozen["tax"]),
        total=Decimal(frozen["total"]),
        lines=tuple(_line(line, codes) for line in frozen["lines"]),
    )


def _line(line: Mapping[str, str], codes: Codes) -> NewLine:
    return NewLine(
        description=line["description"],
        quantity=Decimal(line["quantity"]),
        unit_price=Decimal(line["unit_price"]),
        discount=Decimal(line["discount"]),
        net=Decimal(line["net"]),
        tax=Decimal(line["tax"]),
        total=Decimal(line["total"]),
        account_id=codes.sales_account_id,
        tax_rate_id=codes.tax_rate_ids[line["tax_code"]],
    )


def to_json(invoice: NewInvoice) -> dict[str, Any]:
    """What an attempt keeps, so that the same key is only ever sent with the same document."""
    plain = {name: _plain(getattr(invoice, name)) for name in NewInvoice.__slots__ if name != "lines"}
    lines = [{name: _plain(getattr(line, name)) for name in NewLine.__slots__} for line in invoice.lines]
    return {**plain, "lines": lines}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def from_json(document: Mapping[str, Any]) -> NewInvoice:
    """The same document again, as it was first sent."""
    amounts = ("net", "tax", "total", "quantity", "unit_price", "discount")
    dates = ("issue_date", "due_date")

    def parsed(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: Decimal(value) if name in amounts else date.fromisoformat(value) if name in dates else value
            for name, value in fields.items()
            if name != "lines"
        }

    return NewInvoice(**parsed(document), lines=tuple(NewLine(**parsed(line)) for line in document["lines"]))


def key_for(company_id: str, subject: uuid.UUID, generation: int) -> str:
    """An idempotency key: 32 hex digits shaped as a version 4 GUID, the same again after any restore."""
    digest = hashlib.sha256(f"{company_id}/{subject}/{generation}".encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4).hex
