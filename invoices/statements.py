"""A client's statement, what is open or what happened between two days: as data, and on paper."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.timezone import localdate

from connectors.models import Connection
from invoices import paper
from invoices.balances import AWAITING
from invoices.debtors import AGES, ISSUED, NOTHING, age_of, aged, days_late, end_of, of_age, owed
from invoices.documents import client_of
from invoices.models import Client, Company, Invoice, PaymentSeen
from invoices.standing import shown_number

MOST = 1000  # lines on one statement; whoever has more takes a shorter time
AT_FIRST = 50  # of them on the page, until all are asked for
Move = tuple[date, int, int, Decimal]  # day, invoice, 1 where it was paid, amount
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


def sheets(
    client: Client,
    asked: Asked,
    connection: Connection | None,
    *,
    today: date,
    most: int = MOST,
    age: int | None = None,
) -> list[Sheet]:
    """One for each currency in which there is anything; of what is open, the lines may be those of one age alone."""
    if asked.since is None:
        found = _open(client, asked, connection, today, most, age)
    else:
        found = _activity(client, asked, connection, most)
    return sorted(found, key=lambda sheet: sheet.currency)


def _open(
    client: Client, asked: Asked, connection: Connection | None, today: date, most: int, age: int | None
) -> Iterator[Sheet]:
    found = owed(asked.until, today=today, among=[client.pk]).order_by("due_date", "pk")
    if age is not None:
        found = found.filter(of_age(asked.until, age))
    for debtor in aged(asked.until, today=today, among=[client.pk]):
        theirs = found.filter(currency=debtor.currency)
        shown = theirs.defer("frozen").prefetch_related("remotes")[:most]
        lines = tuple(_line(invoice, connection, asked.until) for invoice in shown)
        count = debtor.invoices if age is None else theirs.count()
        yield Sheet(
            currency=debtor.currency,
            lines=lines,
            opening=NOTHING,
            closing=debtor.total,
            by_age=debtor.by_age,
            left_out=count - len(lines),
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


def _activity(client: Client, asked: Asked, connection: Connection | None, most: int) -> Iterator[Sheet]:
    """Counted back from what is owed now: it takes as long as what happened since then, not as all that ever did."""
    since, until = asked.since or date.min, asked.until
    begin, end = end_of(since - timedelta(days=1)), end_of(until)
    issued = Invoice.objects.filter(client=client, status__in=ISSUED, issue_date__lte=until)
    lately = PaymentSeen.objects.filter(client=client, seen_at__gte=begin, invoice__status__in=ISSUED)
    payments = lately.filter(invoice__issue_date__lte=until).order_by()
    moves, closing = defaultdict[str, list[Move]](list), defaultdict[str, Decimal](Decimal)
    owed_now = issued.filter(status__in=AWAITING).values_list("currency").annotate(Sum("outstanding"))
    paid_later = payments.filter(seen_at__gte=end).values_list("invoice__currency").annotate(Sum("amount"))
    for currency, amount in (*owed_now, *paid_later):
        closing[currency] += amount
    for currency, move in (*_came(issued, since, begin), *_paid(payments.filter(seen_at__lt=end))):
        if move[0] <= until:
            moves[currency].append(move)
        else:
            closing[currency] -= move[3]
    for currency in {*moves, *(currency for currency, amount in closing.items() if amount)}:
        yield _sheet(currency, sorted(moves[currency]), closing[currency], connection, most)


def _came(issued: QuerySet[Invoice], since: date, begin: datetime) -> Iterator[tuple[str, Move]]:
    """What was invoiced since, and what was paid of it before Reflow read it for the first time, on that day."""
    came = issued.filter(Q(issue_date__gte=since) | Q(origin=Invoice.Origin.IMPORTED, created_at__gte=begin))
    seen = PaymentSeen.objects.filter(invoice__in=came).order_by()
    paid = dict(seen.values_list("invoice").annotate(Sum("amount")))
    facts = ("pk", "currency", "issue_date", "total", "outstanding", "created_at")
    for pk, currency, issue_date, total, outstanding, created_at in came.values_list(*facts):
        if issue_date >= since:
            yield currency, (issue_date, pk, 0, total)
        if before := total - outstanding - paid.get(pk, NOTHING):
            yield currency, (max(issue_date, localdate(created_at)), pk, 1, -before)


def _paid(payments: QuerySet[PaymentSeen]) -> Iterator[tuple[str, Move]]:
    for currency, seen_at, pk, amount in payments.values_list("invoice__currency", "seen_at", "invoice", "amount"):
        yield currency, (localdate(seen_at), pk, 1, -amount)


def _sheet(currency: str, moves: list[Move], closing: Decimal, connection: Connection | None, most: int) -> Sheet:
    balance = opening = closing - sum((move[3] for move in moves), NOTHING)
    shown = moves[:most]
    invoices = Invoice.objects.defer("frozen").prefetch_related("remotes").in_bulk({move[1] for move in shown})
    lines = []
    for day, pk, is_paid, amount in shown:
        balance += amount
        number, due = shown_number(invoices[pk], connection), invoices[pk].due_date
        words = _words(invoices[pk], amount) if is_paid else invoices[pk].get_kind_display()
        lines.append(
            Line(invoice_id=pk, day=day, words=words, number=number, due=due, amount=amount, left=balance, age=0)
        )
    left_out = len(moves) - len(shown)
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
