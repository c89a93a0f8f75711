"""What can happen to an invoice or a credit note: created, amended, released, paid, voided; each in one transaction."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sandbox.accounting.answers import invalid, not_found
from sandbox.accounting.books import Books
from sandbox.accounting.invoice_reading import read_invoice
from sandbox.accounting.kinds import CREDIT_NOTE, INVOICE
from sandbox.accounting.reading import REQUIRED, Json, Reader
from sandbox.accounting.shapes import (
    DEFAULT_PREFIXES,
    base,
    decimal_text,
    invoice_contents,
    invoice_fields,
    new_invoice,
    status_base,
)
from sandbox.clock import stamp

REASON_LIMIT = 200
PAYMENTS = {INVOICE: "Customer Receipt", CREDIT_NOTE: "Customer Allocation"}
UNPOSTED = frozenset({"DRAFT", "PRO_FORMA"})


def status_of(invoice: Mapping[str, Any]) -> str:
    return str(invoice["status"]["id"])


def kind_of(invoice: Mapping[str, Any]) -> str:
    return str(invoice.get("_kind", INVOICE))


def create(books: Books, fields: Mapping[str, Any], now: datetime, kind: str = INVOICE) -> Json:
    """A credit note is kept as an invoice is, under the same names; the API tells of it under its own. Raises
    Refused."""
    checked = read_invoice(fields, books)
    prefix, number = _read_number(fields, DEFAULT_PREFIXES[kind])
    status = _read_status(fields)
    invoice = {
        **new_invoice(uuid4().hex, stamp(now), kind),
        **invoice_contents(checked),
        "original_invoice_date": fields.get("original_invoice_date"),
        "_idempotency_id": fields.get("idempotency_id"),
        "invoice_number_prefix": prefix,
        "status": status_base(status),
    }
    if status in UNPOSTED:
        _show_number(invoice, f"{prefix}DRAFT")
    else:
        _post(books, invoice, number)
    _settle(invoice, now)
    books.add(kind, invoice)
    return invoice


def copy(invoice: Json, n: int, reference: str, now: datetime) -> Json:
    """A new invoice that is like another one; its number is that one's with `n` behind it."""
    posted = invoice["transaction"] is not None
    number = f"{invoice['invoice_number']}/{n}" if posted else invoice["invoice_number"]
    return {
        **invoice,
        **base("sales_invoices", uuid4().hex, number),
        "invoice_number": number,
        "reference": reference,
        "created_at": stamp(now),
        "updated_at": stamp(now),
        "transaction": base("transactions", uuid4().hex, None) if posted else None,
    }


def amend(books: Books, id: str, fields: Mapping[str, Any], now: datetime) -> Json:
    """What is sent replaces what is there, all lines at once (an assumption). Raises Refused."""
    invoice = existing(books, id)
    if status_of(invoice) == "VOID":
        raise invalid("A void invoice cannot be changed.")
    if fields.get("invoice_number") not in (None, invoice["invoice_number"]):
        raise invalid("cannot be changed", "invoice_number")
    _check_open(books, invoice)
    given = {**invoice_fields(invoice), **fields}
    contents = invoice_contents(read_invoice(given, books))
    if Decimal(contents["total_amount"]) < Decimal(invoice["total_paid"]):
        raise invalid("The total cannot be less than what has been paid.")
    invoice.update(contents)
    return _keep(books, invoice, now)


def release(books: Books, id: str, now: datetime) -> Json:
    """It gets Sage's next number, whatever number it was sent with. Raises Refused."""
    invoice = existing(books, id)
    if status_of(invoice) not in UNPOSTED:
        raise invalid("Only a draft or pro forma invoice can be released.")
    _check_open(books, invoice)
    invoice["status"] = status_base("UNPAID")
    _post(books, invoice, None)
    return _keep(books, invoice, now)


def void(books: Books, id: str, reason: str, now: datetime) -> Json:
    """A draft is removed; a posted invoice stays, void, and its number with it. Raises Refused."""
    invoice = existing(books, id)
    if status_of(invoice) in UNPOSTED:
        invoice["deleted_at"] = stamp(now)
        return _keep(books, invoice, now)
    _check_open(books, invoice)
    _check_voidable(invoice, reason)
    invoice.update(status=status_base("VOID"), void_reason=reason, editable=False)
    return _keep(books, invoice, now)


def pay(books: Books, id: str, amount: Decimal | None, day: date, now: datetime) -> Json:
    """Raises Refused."""
    invoice = existing(books, id)
    if status_of(invoice) not in ("UNPAID", "PART_PAID"):
        raise invalid("You can only pay unpaid or part-paid invoices.", "amount")
    outstanding = Decimal(invoice["outstanding_amount"])
    if amount is None or not 0 < amount <= outstanding or amount != round(amount, 2):
        raise invalid(f"Enter an amount between 0.01 and {outstanding:.2f}.", "amount")
    payment = {"id": uuid4().hex, "date": day.isoformat(), "type": PAYMENTS[kind_of(invoice)], "reference": ""}
    invoice["payments_allocations"].append({**payment, "amount": decimal_text(amount), "discount": "0.0"})
    return _keep(books, invoice, now)


def unpay(books: Books, id: str, payment_id: str, now: datetime) -> Json:
    """Raises Refused."""
    invoice = existing(books, id)
    payments = invoice["payments_allocations"]
    invoice["payments_allocations"] = [each for each in payments if each["id"] != payment_id]
    return _keep(books, invoice, now)


def existing(books: Books, id: str) -> Json:
    invoice = books.get(INVOICE, id) or books.get(CREDIT_NOTE, id)
    if invoice is None:
        raise not_found()
    return invoice


def _keep(books: Books, invoice: Json, now: datetime) -> Json:
    _settle(invoice, now)
    books.replace(invoice)
    return invoice


def _read_status(fields: Mapping[str, Any]) -> str:
    status = fields.get("status_id") or "UNPAID"
    if status not in UNPOSTED | {"UNPAID"}:
        raise invalid("is not a status that an invoice can start with", "status_id")
    return str(status)


def _read_number(fields: Mapping[str, Any], default_prefix: str) -> tuple[str, str | None]:
    """The prefix, and the whole number when one was sent; a prefix that it already carries isn't doubled."""
    reader = Reader(fields, [])
    prefix = (
        default_prefix if fields.get("invoice_number_prefix") is None else reader.text("invoice_number_prefix", limit=6)
    )
    number = reader.text("invoice_number")
    reader.settle()
    if not number:
        return prefix, None
    return prefix, number if number.startswith(prefix) else f"{prefix}{number}"


def _post(books: Books, invoice: Json, number: str | None) -> None:
    kind = kind_of(invoice)
    number = number or _next_number(books, invoice["invoice_number_prefix"], kind)
    if books.holds_number(number, kind):
        # An assumption: Sage's help says that a number can't be used again, but not what the API then answers.
        noun = kind.removeprefix("sales_").replace("_", " ")
        raise invalid(f"This {noun} number has already been used.", "invoice_number")
    _show_number(invoice, number)
    invoice["transaction"] = base("transactions", uuid4().hex, None)


def _next_number(books: Books, prefix: str, kind: str) -> str:
    value = books.next_number(kind)
    while books.holds_number(f"{prefix}{value}", kind):
        value += 1
    books.set_next_number(value + 1, kind)
    return f"{prefix}{value}"


def _show_number(invoice: Json, number: str) -> None:
    invoice["invoice_number"] = invoice["displayed_as"] = number


def _check_open(books: Books, invoice: Json) -> None:
    closed = books.conditions().why_closed(invoice["date"])
    if closed:
        raise invalid(closed, "date")


def _check_voidable(invoice: Json, reason: str) -> None:
    if status_of(invoice) in ("PART_PAID", "PAID"):
        raise invalid("Remove the payments before voiding this invoice.")
    if status_of(invoice) == "VOID":
        raise invalid("This invoice is already void.")
    if not reason.strip():
        raise invalid(REQUIRED, "void_reason")
    if len(reason) > REASON_LIMIT:
        raise invalid(f"is too long (maximum is {REASON_LIMIT} characters)", "void_reason")


def _settle(invoice: Json, now: datetime) -> None:
    """Brings paid, outstanding and status into line with the total and the payments."""
    payments = invoice["payments_allocations"]
    total = Decimal(invoice["total_amount"])
    paid = sum((Decimal(each["amount"]) for each in payments), Decimal(0))
    status = status_of(invoice)
    if status not in UNPOSTED | {"VOID"}:
        status = "UNPAID" if not paid else "PAID" if paid >= total else "PART_PAID"
        invoice["status"] = status_base(status)
    owed = decimal_text(Decimal(0) if status in UNPOSTED | {"VOID"} else total - paid)
    invoice["total_paid"] = invoice["payments_allocations_total_amount"] = decimal_text(paid)
    invoice["outstanding_amount"] = invoice["base_currency_outstanding_amount"] = owed
    invoice["last_paid"] = max((each["date"] for each in payments), default=None)
    invoice["updated_at"] = stamp(now)
