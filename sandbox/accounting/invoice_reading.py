"""Turns what a client sent as a sales invoice into a checked invoice, or says everything that is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

from sandbox.accounting.answers import Problem
from sandbox.accounting.catalogue import Account, TaxRate, find_account, find_tax_rate
from sandbox.accounting.reading import REQUIRED, Json, Reader

ACCOUNTS_START = date(2019, 4, 1)
CREDIT_DAYS = 30
ADDRESS_FIELDS = ("address_line_1", "address_line_2", "city", "postal_code")
PENNY = Decimal("0.01")


def pennies(amount: Decimal) -> Decimal:
    return amount.quantize(PENNY, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    id: str
    description: str
    account: Account
    quantity: Decimal
    unit_price: Decimal
    includes_tax: bool
    discount: Decimal
    tax_rate: TaxRate
    tax: Decimal

    @property
    def net(self) -> Decimal:
        """Worked out here, whatever net_amount was sent (an assumption); the tax is taken as sent."""
        charged = pennies(self.quantity * self.unit_price) - self.discount
        return charged - self.tax if self.includes_tax else charged

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    contact: Json
    contact_name: str
    contact_reference: str
    day: date
    due_day: date
    reference: str
    notes: str
    terms: str
    address: Mapping[str, str]
    sent: bool
    lines: tuple[Line, ...]


def read_invoice(fields: Mapping[str, Any], business_id: str, find_contact: Callable[[str], Json | None]) -> Invoice:
    """Raises Refused with every problem found."""
    reader = Reader(fields, [])
    contact = _read_contact(reader, find_contact)
    day = _read_day(reader)
    due_day = reader.day("due_date")
    lines = _read_lines(reader, business_id)
    if reader.text("currency_id") not in ("", "GBP"):
        reader.note("must be the base currency of the business", "currency_id")
    invoice = Invoice(
        contact=contact,
        contact_name=reader.text("contact_name", limit=255) or contact.get("name", ""),
        contact_reference=reader.text("contact_reference", limit=255) or contact.get("reference") or "",
        day=day,
        due_day=due_day or day + timedelta(days=contact.get("credit_days") or CREDIT_DAYS),
        reference=reader.text("reference", limit=25),
        notes=reader.text("notes", limit=2000),
        terms=reader.text("terms_and_conditions", limit=2000),
        address=_read_address(reader, contact),
        sent=fields.get("sent") is True,
        lines=lines,
    )
    reader.settle()
    return invoice


def _read_contact(reader: Reader, find_contact: Callable[[str], Json | None]) -> Json:
    contact_id = reader.text("contact_id", required=True)
    contact = find_contact(contact_id)
    if contact is not None and any(each["id"] == "CUSTOMER" for each in contact["contact_types"]):
        return contact
    if contact_id:
        reader.problems.append(Problem("can't find customer"))
    return {}


def _read_day(reader: Reader) -> date:
    day = reader.day("date", required=True)
    if day is not None and day < ACCOUNTS_START:
        start = ACCOUNTS_START.strftime("%d/%m/%Y")
        reader.note(f"You cannot record entries prior to your Accounts Start Date of {start}.", "date")
    return day or ACCOUNTS_START


def _read_address(reader: Reader, contact: Json) -> Mapping[str, str]:
    """A copy taken now: the one that was sent, or the contact's."""
    source = reader.part("main_address").fields or contact.get("main_address") or {}
    return {name: str(source.get(name) or "") for name in ADDRESS_FIELDS}


def _read_lines(reader: Reader, business_id: str) -> tuple[Line, ...]:
    given = reader.fields.get("invoice_lines")
    if not isinstance(given, list) or not given:
        reader.note(REQUIRED, "invoice_lines")
        return ()
    objects = [each if isinstance(each, dict) else {} for each in given]
    lines = [_read_line(Reader(each, reader.problems, "line_items."), business_id) for each in objects]
    return tuple(line for line in lines if line is not None)


def _read_line(reader: Reader, business_id: str) -> Line | None:
    description = reader.text("description", required=True)
    quantity = reader.amount("quantity", required=True)
    unit_price = reader.amount("unit_price", required=True)
    account = _read_account(reader, business_id)
    tax_rate = _read_tax_rate(reader)
    tax = reader.amount("tax_amount", required=tax_rate is not None and tax_rate.percentage > 0)
    if account is None or tax_rate is None or quantity is None or unit_price is None:
        return None
    return Line(
        id=str(reader.fields.get("id") or uuid4().hex),
        description=description,
        account=account,
        quantity=quantity,
        unit_price=unit_price,
        includes_tax=reader.fields.get("unit_price_includes_tax") is True,
        discount=_read_discount(reader, quantity * unit_price),
        tax_rate=tax_rate,
        tax=pennies(tax or Decimal(0)),
    )


def _read_account(reader: Reader, business_id: str) -> Account | None:
    given = reader.text("ledger_account_id", required=True)
    account = find_account(business_id, given)
    if given and (account is None or "sales" not in account.scopes):
        reader.note("is not a ledger account that is visible in sales", "ledger_account_id")
        return None
    return account


def _read_tax_rate(reader: Reader) -> TaxRate | None:
    given = reader.text("tax_rate_id", required=True)
    tax_rate = find_tax_rate(given)
    if given and tax_rate is None:
        reader.note("is not a tax rate of this business", "tax_rate_id")
    return tax_rate


def _read_discount(reader: Reader, gross: Decimal) -> Decimal:
    amount = reader.amount("discount_amount")
    percentage = reader.amount("discount_percentage") or Decimal(0)
    return pennies(gross * percentage / 100 if amount is None else amount)
