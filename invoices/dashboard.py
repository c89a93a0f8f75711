"""What the dashboard shows: sums from the totals table, counts of open pushes, and the newest of the history."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import Case, Count, Q, Sum, Value, When
from django.utils.timezone import localdate, localtime

from connectors.models import Connection
from invoices import balances, charts
from invoices.balances import AWAITING, Month, Owed, Tally
from invoices.debtors import AGES
from invoices.filtering import STATES
from invoices.filtering import latest as latest_pushes
from invoices.models import Event, Invoice, InvoiceTotal, Push
from invoices.oldest import Oldest, oldest_of
from invoices.standing import shown_number

MONTHS = 12
NEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The figures of one currency: what is owed now, what was invoiced by month, and how late what is owed is."""

    currency: str
    owed: Owed
    months: tuple[Month, ...]
    ages: tuple[tuple[str, Tally], ...]

    @property
    def invoiced(self) -> Decimal:
        return sum((month.total for month in self.months), Decimal(0))

    @property
    def open(self) -> Decimal:
        return sum((month.outstanding for month in self.months), Decimal(0))

    @property
    def invoices(self) -> int:
        return sum(month.invoices for month in self.months)

    @property
    def latest_first(self) -> tuple[Month, ...]:
        return self.months[::-1]

    @cached_property
    def by_month(self) -> charts.Columns:
        values = [(f"{month.month:%b}", month.total, month.outstanding) for month in self.months]
        return charts.columns(values, self.currency)

    @cached_property
    def by_age(self) -> charts.Rows:
        return charts.rows([(label, tally.amount) for label, tally in self.ages], self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What is on its way to Sage, or might be: counts, and the oldest of each kind."""

    ready: int
    waiting: int
    attention: int
    sent: int
    oldest: tuple[Oldest, ...]

    @property
    def waiting_for(self) -> str:
        return self._age_of("Oldest waiting") or self._age_of("Oldest in doubt")

    @property
    def attention_for(self) -> str:
        return self._age_of("Oldest for a person")

    def _age_of(self, label: str) -> str:
        return next((one.age for one in self.oldest if one.label == label), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that is counted: a sheet for each currency, most used first, and the traffic to Sage."""

    sheets: tuple[Sheet, ...]
    traffic: Traffic


def figures(connection: Connection | None, now: datetime) -> Figures:
    """In seven queries, none of which looks at the invoices; the oldest pushes ask for theirs."""
    today = localdate(now)
    owed = {row.currency: row for row in balances.owed(today)}
    months = {(row.currency, row.month): row for row in balances.by_month(today, months=MONTHS)}
    ages = _ages(today)
    sheets = [
        Sheet(
            currency=currency,
            owed=owed.get(currency) or _nothing_owed(currency),
            months=tuple(months.get((currency, month)) or _empty(currency, month) for month in _last_months(today)),
            ages=tuple((label, ages.get((currency, label)) or _none(currency)) for label, _ in AGES),
        )
        for currency in {*owed, *(currency for currency, _ in months)}
    ]
    sheets.sort(key=lambda sheet: (-sheet.invoices - sheet.owed.invoices, sheet.currency))
    return Figures(sheets=tuple(sheets), traffic=_traffic(connection, now))


def _none(currency: str) -> Tally:
    return Tally(currency=currency, invoices=0, amount=Decimal(0))


def _nothing_owed(currency: str) -> Owed:
    none, nothing = 0, Decimal(0)
    return Owed(currency=currency, invoices=none, outstanding=nothing, overdue_invoices=none, overdue=nothing)


def _empty(currency: str, month: date) -> Month:
    return Month(month=month, currency=currency, invoices=0, total=Decimal(0), outstanding=Decimal(0))


def _last_months(today: date) -> list[date]:
    """The first days of the last months up to this one, the oldest first."""
    this = today.year * 12 + today.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(this - MONTHS + 1, this + 1)]


def _ages(today: date) -> dict[tuple[str, str], Tally]:
    """What is outstanding of what was sent, by currency and by how late it is; open credit is off what is not due."""
    late = [
        When(due_date=None, then=Value(AGES[0][0])),
        *(
            When(due_date__gte=today - timedelta(days=days), then=Value(label))
            for label, days in AGES
            if days is not None
        ),
    ]
    rows = (
        InvoiceTotal.objects.filter(status__in=AWAITING)
        .annotate(age=Case(*late, default=Value(AGES[-1][0])))
        .values("currency", "age")
        .annotate(count=Sum("invoices"), owed=Sum("outstanding"))
    )
    return {
        (row["currency"], row["age"]): Tally(currency=row["currency"], invoices=row["count"], amount=row["owed"])
        for row in rows
    }


def _traffic(connection: Connection | None, now: datetime) -> Traffic:
    """An approved invoice is ready to send unless a push of it is open."""
    approved = InvoiceTotal.objects.filter(status=InvoiceTotal.Status.APPROVED).aggregate(count=Sum("invoices"))
    waiting, stuck = Q(state__in=STATES["MOVING"]), Q(state__in=STATES["ATTENTION"])
    open_ones = latest_pushes(connection, [*STATES["MOVING"], *STATES["ATTENTION"]])
    found = open_ones.aggregate(waiting=Count("pk", filter=waiting), attention=Count("pk", filter=stuck))
    first = localtime(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sent = Push.objects.filter(state=Push.State.SENT, sent_at__gte=first).count()
    return Traffic(
        ready=max(0, (approved["count"] or 0) - found["waiting"] - found["attention"]),
        waiting=found["waiting"],
        attention=found["attention"],
        sent=sent,
        oldest=oldest_of(open_ones, connection, now=now),
    )


def latest(connection: Connection | None) -> list[tuple[Event, str]]:
    """The newest of what happened, each with the number its invoice shows."""
    rows = Event.objects.select_related("invoice__client", "actor").prefetch_related("invoice__remotes")
    return [(event, shown_number(event.invoice, connection)) for event in rows.order_by("-pk")[:NEWEST]]


def has_raised() -> bool:
    """Whether an invoice was ever raised here; what became of it does not matter."""
    raised = InvoiceTotal.objects.filter(origin=Invoice.Origin.OWN).aggregate(count=Sum("invoices"))
    return bool(raised["count"])


def has_sent() -> bool:
    """Whether an invoice ever reached the books from here."""
    return Push.objects.filter(state=Push.State.SENT).exists()
