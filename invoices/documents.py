"""What is frozen at approval, and what of it goes to the platform; to and from JSON."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from connectors.interface import NewClient, NewInvoice, NewItem, NewLine
from connectors.options import Options
from invoices.models import Client, Invoice

CLIENT = ", ".join(f"'{name}', client.{name}" for name in ("uuid", *NewClient.__slots__))
AMOUNTS = ("quantity", "unit_price", "discount", "net", "tax", "total")
CONTENTS = f"""/* planned: contents */
    SELECT id, (SELECT json_build_object({CLIENT}) FROM invoices_client AS client WHERE client.id = client_id),
        coalesce((SELECT site.name FROM invoices_property AS site WHERE site.id = site_id), ''), (
            SELECT coalesce(json_agg(json_build_object(
                'description', line.description, 'tax_code', line.tax_rate_id,
                'nominal_code', coalesce(nullif(line.nominal_code, ''), (
                    SELECT item.nominal_code FROM invoices_item AS item WHERE item.id = line.item_id), ''),
                'item', (
                    SELECT json_build_object('uuid', item.uuid, 'code', item.code, 'description', item.description,
                        'sort', item.sort, 'unit_price', item.unit_price::text, 'tax_code', item.tax_rate_id)
                    FROM invoices_item AS item WHERE item.id = line.item_id),
                {", ".join(f"'{name}', line.{name}::text" for name in AMOUNTS)}) ORDER BY line.position), '[]')
            FROM invoices_invoiceline AS line WHERE line.invoice_id = invoice.id)
    FROM invoices_invoice AS invoice WHERE id = ANY(%s)"""  # noqa: S608  # our own names
"""As they lie, one inside the other: to plan a join of these tables takes Postgres longer than to read them."""


class Contents(NamedTuple):
    """What is frozen of an invoice's client, site and lines, as they are now; every amount a text."""

    client: dict[str, str]
    site: str
    lines: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """What the connected books call things: the client, the default nominal code, our tax rates, and our items.

    `account_ids` is by nominal code, and empty where one code serves all lines; `item_ids` is by our item's id.
    """

    client_id: str
    sales_account_id: str
    tax_rate_ids: Mapping[str, str]
    account_ids: Mapping[str, str]
    item_ids: Mapping[str, str]
    location_id: str = ""
    department_id: str = ""


def contents_of(ids: Collection[int]) -> dict[int, Contents]:
    """Of these invoices by their ids, put together by Postgres in one question."""
    with connection.cursor() as cursor:
        cursor.execute(CONTENTS, [list(ids)])
        return {pk: Contents(*told) for pk, *told in cursor.fetchall()}


def freeze(invoice: Invoice, contents: Contents | None = None) -> dict[str, Any]:
    """The invoice as approved, in our own terms; from now on this is what is sent.

    `contents` where those of many were read together.
    """
    client, site, lines = contents or contents_of([invoice.pk])[invoice.pk]
    return {
        "client": client,
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "notes": _notes(invoice, site),
        "property": str(invoice.site_id or ""),
        "currency": invoice.currency,
        **{name: str(abs(getattr(invoice, name))) for name in ("net", "tax", "total")},
        **({"original_date": invoice.credits.issue_date.isoformat()} if invoice.credits else {}),
        "lines": lines,
    }


def client_of(client: Client) -> NewClient:
    """The client as the platform would be told of it."""
    return NewClient(
        name=client.name,
        reference=client.reference,
        email=client.email,
        address_line_1=client.address_line_1,
        address_line_2=client.address_line_2,
        city=client.city,
        postal_code=client.postal_code,
        country=client.country,
    )


def _notes(invoice: Invoice, site: str) -> str:
    """The platform's reference is our number, so the client's own reference goes first into the notes."""
    credited, first = "", f"Client's reference: {invoice.reference}" if invoice.reference else ""
    if invoice.credits:
        credited = f"Credits {invoice.credits} of {invoice.credits.issue_date.day} {invoice.credits.issue_date:%B %Y}"
    place = f"Property: {site}" if site else ""
    return "\n".join(text for text in (credited, first, place, invoice.notes) if text)


def frozen_client(frozen: Mapping[str, Any]) -> tuple[uuid.UUID, NewClient]:
    """The client's own id, and the client as the platform would be told of it."""
    fields = dict(frozen["client"])
    return uuid.UUID(fields.pop("uuid")), NewClient(**fields)


def frozen_items(frozen: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """The items its lines name, by our own ids."""
    return {line["item"]["uuid"]: line["item"] for line in frozen["lines"] if line.get("item")}


def new_item(item: Mapping[str, str], *, codes: Codes, purchase_account_id: str) -> NewItem:
    """The item as the platform would be told of it, on the default accounts."""
    return NewItem(
        code=item["code"],
        description=item["description"],
        sort=item["sort"],
        unit_price=Decimal(item["unit_price"]),
        sales_account_id=codes.sales_account_id,
        purchase_account_id=purchase_account_id,
        tax_rate_id=codes.tax_rate_ids[item["tax_code"]],
    )


def compose(frozen: Mapping[str, Any], *, number: str, prefix: str, codes: Codes, options: Options) -> NewInvoice:
    """The frozen invoice with the platform's ids put in; `prefix` is the part of our number it takes apart."""
    ours = not options.platform_numbers
    return NewInvoice(
        reference=number,
        prefix=prefix if ours else "",
        number=number.removeprefix(prefix) if ours else "",
        is_draft=options.as_drafts,
        client_id=codes.client_id,
        issue_date=date.fromisoformat(frozen["issue_date"]),
        due_date=date.fromisoformat(frozen["due_date"]),
        notes=frozen["notes"],
        currency=frozen["currency"],
        net=Decimal(frozen["net"]),
        tax=Decimal(frozen["tax"]),
        total=Decimal(frozen["total"]),
        lines=tuple(_line(line, codes) for line in frozen["lines"]),
        location_id=codes.location_id,
        department_id=codes.department_id,
        term_id=options.term_id,
        tax_solution_id=options.tax_solution_id,
        original_date=date.fromisoformat(frozen["original_date"]) if "original_date" in frozen else None,
    )


def _line(line: Mapping[str, Any], codes: Codes) -> NewLine:
    item = line.get("item") or {}
    item_id = codes.item_ids.get(item.get("uuid", ""), "")
    return NewLine(
        description=line["description"],
        quantity=Decimal(line["quantity"]),
        unit_price=Decimal(line["unit_price"]),
        discount=Decimal(line["discount"]),
        net=Decimal(line["net"]),
        tax=Decimal(line["tax"]),
        total=Decimal(line["total"]),
        account_id=codes.account_ids.get(line.get("nominal_code", ""), codes.sales_account_id),
        item_id=item_id,
        item_sort=item["sort"] if item_id else "",
        tax_rate_id=codes.tax_rate_ids[line["tax_code"]],
    )


def to_json(invoice: NewInvoice) -> dict[str, Any]:
    """What an attempt keeps, so that the same key is only ever sent with the same document."""
    given = {name: getattr(invoice, name) for name in NewInvoice.__slots__ if name != "lines"}
    plain = {name: _plain(value) for name, value in given.items() if value is not None}
    lines = [{name: _plain(getattr(line, name)) for name in NewLine.__slots__} for line in invoice.lines]
    return {**plain, "lines": lines}


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def from_json(document: Mapping[str, Any]) -> NewInvoice:
    """The same document again, as it was first sent."""
    amounts = ("net", "tax", "total", "quantity", "unit_price", "discount")
    dates = ("issue_date", "due_date", "original_date")

    def parsed(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: Decimal(value) if name in amounts else date.fromisoformat(value) if name in dates else value
            for name, value in fields.items()
            if name != "lines"
        }

    return NewInvoice(**parsed(document), lines=tuple(NewLine(**parsed(line)) for line in document["lines"]))
