"""What people type into the books themselves: an invoice as a colleague in Sage would enter it, number and all."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from sandbox.accounting import invoicing
from sandbox.accounting.answers import invalid
from sandbox.accounting.books import Books, Search, column
from sandbox.accounting.catalogue import find_tax_rate
from sandbox.accounting.contacts import check_contact, contact_document
from sandbox.accounting.invoice_reading import pennies
from sandbox.accounting.kinds import CONTACT, CREDIT_NOTE, INVOICE
from sandbox.accounting.reading import Json
from sandbox.clock import Clock, stamp

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
    """An invoice, or what `kind` says. Use inside a transaction: a refused one leaves no new customer behind. Raises
    Refused."""
    number = {"invoice_number_prefix": entry.get("prefix") or "", "invoice_number": entry.get("number")}
    fields = {
        "contact_id": entry.get("contact_id") or _customer(books, entry.get("contact_name"), now),
        "date": entry.get("date") or now.date().isoformat(),
        "reference": entry.get("reference"),
        "status_id": entry.get("status_id"),
        "invoice_lines": [_line(books, each) for each in entry.get("lines") or [{}]],
        **(number if entry.get("number") else {}),
    }
    kind = CREDIT_NOTE if entry.get("kind") == CREDIT_NOTE else INVOICE
    return invoicing.create(books, fields, now, kind)


def enter_many(books: Books, entry: Mapping[str, Any], count: int, clock: Clock) -> int:
    """As many as asked, all alike but for number and reference, with no check after the first one. Raises Refused."""
    first = enter(books, entry, clock())
    pattern = f"{entry.get('reference') or 'BULK'}-{{:06}}"
    books.add_many(INVOICE, (invoicing.copy(first, n, pattern.format(n), clock()) for n in range(2, count + 1)))
    return count


def edit(books: Books, id: str, given: Mapping[str, Any], now: datetime) -> Json:
    """What is given takes the place of what is there, `lines` of all lines. Raises Refused."""
    fields = {name: given[name] for name in ("reference", "date", "due_date", "notes", "contact_id") if name in given}
    lines = {"invoice_lines": [_line(books, each) for each in given["lines"]]} if given.get("lines") else {}
    return invoicing.amend(books, id, {**fields, **lines}, now)


def pay(books: Books, id: str, given: Mapping[str, Any], now: datetime) -> Json:
    """`amount`, all that is outstanding without one. Raises Refused."""
    amount = given.get("amount", invoicing.existing(books, id)["outstanding_amount"])
    return invoicing.pay(books, id, typed_decimal(amount), now.date(), now)


def unpay(books: Books, id: str, given: Mapping[str, Any], now: datetime) -> Json:
    """Takes the `payment` away again, without its id the last one. Raises Refused."""
    payments = invoicing.existing(books, id)["payments_allocations"]
    last = payments[-1]["id"] if payments else ""
    return invoicing.unpay(books, id, given.get("payment") or last, now)


def void(books: Books, id: str, given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    return invoicing.void(books, id, given.get("reason") or "Entered by mistake", now)


def release(books: Books, id: str, _given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    return invoicing.release(books, id, now)


def delete(books: Books, id: str, _given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    if invoicing.status_of(invoicing.existing(books, id)) not in invoicing.UNPOSTED:
        raise invalid("Only a draft can be deleted. Void the invoice instead.")
    return invoicing.void(books, id, "", now)


Deed = Callable[[Books, str, Mapping[str, Any], datetime], Json]
DEEDS: Mapping[str, Deed] = {
    "edit": edit,
    "pay": pay,
    "unpay": unpay,
    "void": void,
    "release": release,
    "delete": delete,
}


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
