"""Turns what a client sent as a sales invoice into a checked invoice, or says everything that is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol
from uuid import uuid4

from sandbox.accounting.answers import Problem
from sandbox.accounting.catalogue import Account, TaxRate, find_tax_rate
from sandbox.accounting.conditions import Conditions
from sandbox.accounting.kinds import CONTACT, ITEMS
from sandbox.accounting.reading import REQUIRED, Json, Reader

CREDIT_DAYS = 30
ADDRESS_FIELDS = ("address_line_1", "address_line_2", "city", "postal_code")
PENNY = Decimal("0.01")


def pennies(amount: Decimal) -> Decimal:
    return amount.quantize(PENNY, ROUND_HALF_UP)


class Ledger(Protocol):
    """The books, as far as reading needs them."""

    def get(self, kind: str, id: str) -> Json | None: ...

    def account(self, id: str) -> Account | None: ...

    def conditions(self) -> Conditions: ...


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
    items: Mapping[str, Json]  # the product or the service, by its kind

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


def read_invoice(fields: Mapping[str, Any], ledger: Ledger) -> Invoice:
    """Raises Refused with every problem found."""
    reader = Reader(fields, [])
    conditions = ledger.conditions()
    contact = _read_contact(reader, ledger)
    day = _read_day(reader, conditions)
    due_day = reader.day("due_date")
    lines = _read_lines(reader, ledger, day)
    if conditions.totals_must_agree and not reader.problems:
        _check_totals(reader, lines)
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


def _read_contact(reader: Reader, ledger: Ledger) -> Json:
    contact_id = reader.text("contact_id", required=True)
    contact = ledger.get(CONTACT, contact_id)
    if contact is not None and any(each["id"] == "CUSTOMER" for each in contact["contact_types"]):
        return contact
    if contact_id:
        reader.problems.append(Problem("can't find customer"))
    return {}


def _read_day(reader: Reader, conditions: Conditions) -> date:
    day = reader.day("date", required=True)
    closed = conditions.why_closed(day.isoformat()) if day else None
    if closed:
        reader.note(closed, "date")
    return day or date.fromisoformat(conditions.accounts_start_date)


def _read_address(reader: Reader, contact: Json) -> Mapping[str, str]:
    """A copy taken now: the one that was sent, or the contact's."""
    source = reader.part("main_address").fields or contact.get("main_address") or {}
    return {name: str(source.get(name) or "") for name in ADDRESS_FIELDS}


def _read_lines(reader: Reader, ledger: Ledger, day: date) -> tuple[Line, ...]:
    given = reader.fields.get("invoice_lines")
    if not isinstance(given, list) or not given:
        reader.note(REQUIRED, "invoice_lines")
        return ()
    objects = [each if isinstance(each, dict) else {} for each in given]
    lines = [_read_line(Reader(each, reader.problems, "line_items."), ledger, day) for each in objects]
    return tuple(line for line in lines if line is not None)


def _read_line(reader: Reader, ledger: Ledger, day: date) -> Line | None:
    description = reader.text("description", required=True)
    quantity = reader.amount("quantity", required=True)
    unit_price = reader.amount("unit_price", required=True)
    account = read_account(reader, ledger, "ledger_account_id")
    tax_rate = _read_tax_rate(reader, ledger.conditions(), day)
    items = _read_items(reader, ledger)
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
        items=items,
    )


def read_account(
    reader: Reader, ledger: Ledger, field: str, *, scope: str = "sales", required: bool = True
) -> Account | None:
    given = reader.text(field, required=required)
    account = ledger.account(given)
    if given and (account is None or scope not in account.scopes):
        reader.note(f"is not a ledger account that is visible in {scope}", field)
        return None
    return account


def _read_tax_rate(reader: Reader, conditions: Conditions, day: date) -> TaxRate | None:
    given = reader.text("tax_rate_id", required=True)
    tax_rate = find_tax_rate(given)
    if given and tax_rate is None:
        reader.note("is not a tax rate of this business", "tax_rate_id")
    if tax_rate is not None and conditions.ended(tax_rate, day.isoformat()):
        reader.note("is not in use on the date of the invoice", "tax_rate_id")
    return tax_rate


def _read_items(reader: Reader, ledger: Ledger) -> Mapping[str, Json]:
    given = {kind: reader.text(f"{kind}_id") for kind in ITEMS if reader.text(f"{kind}_id")}
    found = {kind: ledger.get(kind, id) for kind, id in given.items()}
    for kind, item in found.items():
        if item is None:
            reader.note(f"can't find {kind}", f"{kind}_id")
    if len(found) == len(ITEMS):
        reader.note("cannot be a product and a service at once", "product_id")
    return {kind: item for kind, item in found.items() if item is not None}


def _check_totals(reader: Reader, lines: Sequence[Line]) -> None:
    sums = {name: sum((getattr(line, name) for line in lines), Decimal(0)) for name in ("net", "tax", "total")}
    for name, found in sums.items():
        sent = reader.amount(f"{name}_amount")
        if sent is not None and sent != found:
            reader.note(f"does not agree with the lines, which come to {found:.2f}", f"{name}_amount")


def _read_discount(reader: Reader, gross: Decimal) -> Decimal:
    amount = reader.amount("discount_amount")
    percentage = reader.amount("discount_percentage") or Decimal(0)
    return pennies(gross * percentage / 100 if amount is None else amount)
