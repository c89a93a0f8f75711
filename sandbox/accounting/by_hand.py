"""What people type into the books themselves: an invoice as a colleague in Sage would enter it, number and all."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from sandbox.accounting import invoicing
from sandbox.accounting.books import Books, Search, column
from sandbox.accounting.catalogue import find_tax_rate
from sandbox.accounting.contacts import check_contact, contact_document
from sandbox.accounting.invoice_reading import pennies
from sandbox.accounting.kinds import CONTACT
from sandbox.accounting.reading import Json
from sandbox.clock import stamp

# What is entered where a line leaves something out.
LINE = {
    "description": "Entered by hand",
    "nominal_code": 4000,
    "quantity": "1",
    "unit_price": "100.00",
    "discount_amount": "0",
    "unit_price_includes_tax": False,
    "tax_rate_id": "GB_STANDARD",
}


def enter(books: Books, entry: Mapping[str, Any], now: datetime) -> Json:
    """Use inside a transaction: a refused invoice leaves no new customer behind. Raises Refused."""
    number = {"invoice_number_prefix": entry.get("prefix") or "", "invoice_number": entry.get("number")}
    fields = {
        "contact_id": entry.get("contact_id") or _customer(books, entry.get("contact_name"), now),
        "date": entry.get("date") or now.date().isoformat(),
        "reference": entry.get("reference"),
        "status_id": entry.get("status_id"),
        "invoice_lines": [_line(books, each) for each in entry.get("lines") or [{}]],
        **(number if entry.get("number") else {}),
    }
    return invoicing.create(books, fields, now)


def _customer(books: Books, name: object, now: datetime) -> str:
    """The customer of that name, a new one if there is none. Raises Refused."""
    search = Search()
    search.add(f"{column('name')} = ? AND {column('contact_types[0].id')} = 'CUSTOMER'", name)
    search.add(f"{column('deleted_at')} IS NULL")
    found = books.find(CONTACT, search, 1)
    if found:
        return str(found[0]["id"])
    fields = {"name": name, "contact_type_ids": ["CUSTOMER"]}
    check_contact(fields, books.holds_reference)
    contact = contact_document(fields, uuid4().hex, stamp(now))
    books.add(CONTACT, contact)
    return str(contact["id"])


def _line(books: Books, given: Mapping[str, Any]) -> Json:
    line = {**LINE, **given}
    by_code = {str(each.nominal_code): each.id for each in books.chart()}
    line.setdefault("ledger_account_id", by_code.get(str(line["nominal_code"]), "unknown"))
    return {**line, "tax_amount": given.get("tax_amount", str(tax_due(line)))}


def tax_due(line: Mapping[str, Any]) -> Decimal:
    quantity, price = typed_decimal(line["quantity"]), typed_decimal(line["unit_price"])
    tax_rate = find_tax_rate(line["tax_rate_id"])
    if quantity is None or price is None or tax_rate is None:
        return Decimal(0)
    charged = quantity * price - (typed_decimal(line["discount_amount"]) or 0)
    whole = 100 + tax_rate.percentage if line["unit_price_includes_tax"] else Decimal(100)
    return pennies(charged * tax_rate.percentage / whole)


def typed_decimal(typed: object) -> Decimal | None:
    try:
        amount = Decimal(str(typed).strip().replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
