"""A client's statement, what is open or what happened between two days: as data, and on paper."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.timezone import localdate

from connectors.models import Connection
from invoices import paper
from invoices.debtors import AGES, ISSUED, NOTHING, age_of, days_late, owed
from invoices.documents import client_of
from invoices.models import Client, Company, Invoice, PaymentSeen
from invoices.standing import shown_number

MOST = 1000  # lines on one statement; whoever has more takes a shorter time
LEARNED = "A payment stands on the day on which it was read from the books."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a statement is of: what is open on `until`, or, with `since`, what happened from then until that day."""

    until: date
    since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: an invoice, or what was paid of it; `amount` is beneath zero for what was paid.

    `left` is what is owed of the invoice where the statement is of what is open, else the balance after the line.
    """

    invoice_id: int
    day: date
    words: str
    number: str
    due: date
    amount: Decimal
    left: Decimal
    age: int
    late: int = 0

    @property
    def paid(self) -> Decimal:
        return -self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The lines in one currency, the balance before the first and after the last, and what is open by age."""

    currency: str
    lines: tuple[Line, ...]
    opening: Decimal
    closing: Decimal
    by_age: tuple[Decimal, ...]
    left_out: int


def sheets(client: Client, asked: Asked, connection: Connection | None, *, today: date) -> list[Sheet]:
    """One for each currency in which there is anything."""
    find = _open if asked.since is None else _activity
    return sorted(find(client, asked, connection, today), key=lambda sheet: sheet.currency)


def _open(client: Client, asked: Asked, connection: Connection | None, today: date) -> Iterator[Sheet]:
    found = owed(asked.until, today=today).filter(client=client).order_by("due_date", "pk")
    by_currency: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in found.defer("frozen").prefetch_related("remotes"):
        by_currency[invoice.currency].append(invoice)
    for currency, invoices in by_currency.items():
        lines = [_line(invoice, connection, asked.until) for invoice in invoices]
        sums = [sum((line.left for line in lines if line.age == age), NOTHING) for age in range(len(AGES))]
        yield Sheet(
            currency=currency,
            lines=tuple(lines[:MOST]),
            opening=NOTHING,
            closing=sum(sums, NOTHING),
            by_age=tuple(sums),
            left_out=max(0, len(lines) - MOST),
        )


def _line(invoice: Invoice, connection: Connection | None, until: date) -> Line:
    return Line(
        invoice_id=invoice.pk,
        day=invoice.issue_date,
        words=invoice.get_kind_display(),
        number=shown_number(invoice, connection),
        due=invoice.due_date,
        amount=invoice.total,
        left=invoice.owed,  # type: ignore[attr-defined]  # from the query
        age=age_of(invoice, until),
        late=days_late(invoice, until),
    )


def _activity(client: Client, asked: Asked, connection: Connection | None, today: date) -> Iterator[Sheet]:
    found = Invoice.objects.filter(client=client, status__in=ISSUED, issue_date__lte=asked.until)
    moves: dict[str, list[tuple[date, int, int, Decimal]]] = defaultdict(list)
    currencies: dict[int, str] = {}
    paid = dict(_seen(found).values_list("invoice").annotate(Sum("amount")).order_by())
    facts = ("pk", "currency", "issue_date", "total", "outstanding", "created_at")
    for pk, currency, issued, total, outstanding, created_at in found.values_list(*facts):
        currencies[pk] = currency
        moves[currency].append((issued, pk, 0, total))
        if before := total - outstanding - paid.get(pk, NOTHING):  # paid before Reflow read it for the first time
            moves[currency].append((max(issued, localdate(created_at)), pk, 1, -before))
    for pk, seen_at, amount in _seen(found).values_list("invoice", "seen_at", "amount"):
        moves[currencies[pk]].append((localdate(seen_at), pk, 1, -amount))
    for currency, all_moves in moves.items():
        yield _sheet(currency, sorted(all_moves), asked, connection)


def _seen(invoices: Any) -> Any:
    return PaymentSeen.objects.filter(invoice__in=invoices)


def _sheet(
    currency: str, moves: list[tuple[date, int, int, Decimal]], asked: Asked, connection: Connection | None
) -> Sheet:
    """`moves` are (day, invoice, 1 where it was paid, amount), in order; those before the first day only add up."""
    since = asked.since or date.min
    balance = opening = sum((move[3] for move in moves if move[0] < since), NOTHING)
    within = [move for move in moves if since <= move[0] <= asked.until]
    shown = within[:MOST]
    invoices = Invoice.objects.defer("frozen").prefetch_related("remotes").in_bulk({move[1] for move in shown})
    lines = []
    for day, pk, is_paid, amount in shown:
        balance += amount
        number, due = shown_number(invoices[pk], connection), invoices[pk].due_date
        words = _words(invoices[pk], amount) if is_paid else invoices[pk].get_kind_display()
        lines.append(
            Line(invoice_id=pk, day=day, words=words, number=number, due=due, amount=amount, left=balance, age=0)
        )
    closing = opening + sum((move[3] for move in within), NOTHING)
    left_out = len(within) - len(shown)
    return Sheet(currency=currency, lines=tuple(lines), opening=opening, closing=closing, by_age=(), left_out=left_out)


def _words(invoice: Invoice, amount: Decimal) -> str:
    if invoice.is_credit_note:
        return "Set off or refunded" if amount > 0 else "Taken back"
    return "Paid" if amount < 0 else "Payment taken back"


# On paper ---------------------------------------------------------------------------------------------------
def pdf(client: Client, asked: Asked, connection: Connection | None, *, today: date) -> bytes:
    """The statement as it stands now, typeset."""
    company = Company.ours()
    found = sheets(client, asked, connection, today=today)
    return paper.print_out("statement.typ", _data(client, asked, found, company), company)


def file_name(client: Client, asked: Asked) -> str:
    name = f"Statement {asked.until.isoformat()} - {client.name} - {Company.ours().name}"
    return re.sub(r"[^\w .,&()+-]", "-", name) + ".pdf"


def _data(client: Client, asked: Asked, found: list[Sheet], company: Company) -> dict[str, Any]:
    to = client_of(client)
    is_owed = any(sheet.closing > 0 for sheet in found)
    return {
        "title": f"Statement for {client.name}",
        "company": {"name": company.name, "address": company.address, "footer": paper.footer(company)},
        "client": {"name": to.name, "address": paper.address(to)},
        "facts": _facts(client, asked),
        "sheets": [_on_paper(sheet, asked) for sheet in found],
        "nothing": "" if found else "Nothing is open." if asked.since is None else "Nothing happened in this time.",
        "closing": [
            *([("How to pay", company.payment_details.strip())] if is_owed and company.payment_details.strip() else []),
            *([("Payments", LEARNED)] if asked.since else []),
        ],
    }


def _facts(client: Client, asked: Asked) -> list[tuple[str, str]]:
    if asked.since is None:
        facts = [("Open on", paper.day(asked.until))]
    else:
        facts = [("From", paper.day(asked.since)), ("To", paper.day(asked.until))]
    return [*facts, *([("Your reference", client.reference)] if client.reference else [])]


def _on_paper(sheet: Sheet, asked: Asked) -> dict[str, Any]:
    rows, heads = (_open_rows, OPEN) if asked.since is None else (_activity_rows, ACTIVITY)
    more = f"{sheet.left_out} more lines are in the balance and not printed." if sheet.left_out else ""
    return {
        "heads": [{"label": label, "right": right} for label, right in heads],
        "rows": list(rows(sheet)),
        "balance": paper.amount(sheet.closing, sheet.currency),
        "ages": [
            (label, paper.amount(amount, sheet.currency))
            for (label, _), amount in zip(AGES, sheet.by_age, strict=False)
        ],
        "more": more,
    }


OPEN = (("Invoice", False), ("Date", False), ("Due", False), ("Total", True), ("To be paid", True))
ACTIVITY = (("Date", False), ("What", False), ("Invoiced", True), ("Paid", True), ("Balance", True))


def _open_rows(sheet: Sheet) -> Iterator[list[str]]:
    for line in sheet.lines:
        yield [line.number, paper.day(line.day), paper.day(line.due), *_figures(sheet, line.amount, line.left)]


def _activity_rows(sheet: Sheet) -> Iterator[list[str]]:
    yield ["", "Balance before", "", "", *_figures(sheet, sheet.opening)]
    for line in sheet.lines:
        charged, paid = (line.amount, None) if line.words == "Invoice" else (None, line.paid)
        what = f"{line.words} {line.number}" if line.words == "Invoice" else f"{line.words}, {line.number}"
        yield [paper.day(line.day), what, *_figures(sheet, charged, paid, line.left)]


def _figures(sheet: Sheet, *amounts: Decimal | None) -> Iterable[str]:
    return ["" if one is None else paper.amount(one, sheet.currency) for one in amounts]
