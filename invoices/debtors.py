"""Who owes what, and how late it is: what is outstanding by client and age, as of any day.

Here alone it is said what counts as owed, and by which age; pages, statements, files and charts all ask here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.timezone import make_aware

from invoices.balances import AWAITING
from invoices.models import Client, Invoice, InvoiceTotal, PaymentSeen
from invoices.models.business import money

AGES = (
    # what it is called, and how many days late at most
    ("Not due yet", 0),
    ("1 to 30 days", 30),
    ("31 to 60 days", 60),
    ("61 to 90 days", 90),
    ("Over 90 days", None),
)
ISSUED = (*AWAITING, Invoice.Status.PAID)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What is owed in one currency, by age, the youngest first."""

    currency: str
    by_age: tuple[Decimal, ...]

    @property
    def cells(self) -> list[tuple[str, Decimal]]:
        """What each age is called, and what is owed of that age."""
        return [(label, amount) for (label, _), amount in zip(AGES, self.by_age, strict=True)]

    @property
    def total(self) -> Decimal:
        return sum(self.by_age, NOTHING)

    @property
    def overdue(self) -> Decimal:
        return sum(self.by_age[1:], NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor(Sums):
    """What one client owes in one currency."""

    client_id: int
    client: str
    invoices: int


def owed(as_of: date, *, today: date, among: Collection[int] | None = None) -> QuerySet[Invoice]:
    """The invoices of which something was owed at the end of that day, each with what: `owed`; all, or these clients'.

    Of a day that is over, by the payments that Reflow had learned of by then; what is void now is left out.
    """
    theirs = Q() if among is None else Q(client__in=among)
    open_now = Invoice.objects.filter(theirs, status__in=AWAITING)
    if as_of >= today:
        return open_now.exclude(outstanding=0).annotate(owed=F("outstanding"))
    later = PaymentSeen.objects.filter(seen_at__gte=end_of(as_of))
    paid_later = later.filter(invoice=OuterRef("pk")).order_by().values("invoice").annotate(sum=Sum("amount"))
    paid_since = later.filter(theirs).order_by().values("invoice")
    maybe = open_now.order_by().values("pk").union(paid_since)  # each by an index of its own
    issued = Invoice.objects.filter(pk__in=maybe, status__in=ISSUED, issue_date__lte=as_of)
    back = Coalesce(Subquery(paid_later.values("sum")), Value(NOTHING), output_field=money())
    return issued.annotate(owed=F("outstanding") + back).exclude(owed=0)


def end_of(day: date) -> datetime:
    """The moment at which the next day begins here."""
    return make_aware(datetime.combine(day + timedelta(days=1), time()))


def of_age(as_of: date, age: int, about: str = "") -> Q:
    """Those of the age at this place in AGES, as of that day; what is credited is never late."""
    credited = Q((f"{about}kind", Invoice.Kind.CREDIT_NOTE))
    return _due(as_of, age, about) & ~credited if age else _due(as_of, age, about) | credited


def _due(as_of: date, age: int, about: str = "") -> Q:
    oldest, youngest = AGES[age][1], AGES[age - 1][1] if age else None
    due = Q()
    if oldest is not None:
        due &= Q((f"{about}due_date__gte", as_of - timedelta(days=oldest)))
    if youngest is not None:
        due &= Q((f"{about}due_date__lt", as_of - timedelta(days=youngest)))
    return due


def days_late(invoice: Invoice, as_of: date) -> int:
    return 0 if invoice.is_credit_note else max(0, (as_of - invoice.due_date).days)


def age_of(invoice: Invoice, as_of: date) -> int:
    """Its place in AGES."""
    late = days_late(invoice, as_of)
    return next(place for place, (_, days) in enumerate(AGES) if days is None or late <= days)


def _ages(amount: str, as_of: date, about: str = "") -> dict[str, Coalesce]:
    """What is owed of each age, one column each."""
    return {f"age_{age}": Coalesce(Sum(amount, filter=of_age(as_of, age, about)), NOTHING) for age in range(len(AGES))}


def _columns(row: dict[str, Any]) -> tuple[Decimal, ...]:
    return tuple(row[f"age_{age}"] for age in range(len(AGES)))


def named(client: str) -> QuerySet[Client]:
    """The clients that have this in their name; all, where it is nothing."""
    name = client.replace("\x00", "")
    return Client.objects.filter(name__icontains=name) if name else Client.objects.all()


def aged(as_of: date, *, today: date, client: str = "", among: Collection[int] | None = None) -> list[Debtor]:
    """Every client that owes anything, or of these; whoever is overdue by most comes first."""
    found = owed(as_of, today=today, among=among)
    found = found.filter(client__in=named(client)) if client else found
    counted = found.order_by().values("client", "currency").annotate(count=Count("*"), **_ages("owed", as_of))
    rows: list[Any] = list(counted)  # no key is counted: the index of what is owed has none
    names = dict(Client.objects.filter(pk__in={row["client"] for row in rows}).values_list("pk", "name"))
    debtors = [_debtor(row, names[row["client"]]) for row in rows]
    return sorted(debtors, key=lambda one: (one.currency, -one.overdue, -one.total, one.client.casefold()))


def _debtor(row: dict[str, Any], name: str) -> Debtor:
    return Debtor(
        client_id=row["client"], client=name, currency=row["currency"], invoices=row["count"], by_age=_columns(row)
    )


def all_of(debtors: list[Debtor]) -> list[Debtor]:
    """One row for each currency: what all of them owe together."""
    by_currency: dict[str, list[Debtor]] = {}
    for one in debtors:
        by_currency.setdefault(one.currency, []).append(one)
    return [
        Debtor(
            client_id=0,
            client="",
            currency=currency,
            invoices=sum(one.invoices for one in several),
            by_age=tuple(sum(column, NOTHING) for column in zip(*(one.by_age for one in several), strict=True)),
        )
        for currency, several in by_currency.items()
    ]


def sums(as_of: date, *, today: date, client: str = "") -> list[Sums]:
    """What all of them owe together, by currency.

    As of today, or of a day to come, from the kept totals; of a day that is over, or of some clients, it is added up:
    what is open of that day now, and what was paid since.
    """
    if as_of >= today and not client:
        sources = [_kept(as_of)]
    else:
        theirs = Q(client__in=named(client)) if client else Q()
        open_now = Invoice.objects.filter(theirs, status__in=AWAITING).order_by().values("currency")
        sources = [open_now.annotate(**_ages("outstanding", as_of))]
        if as_of < today:
            of_then = Q(invoice__status__in=ISSUED, invoice__issue_date__lte=as_of)
            later = PaymentSeen.objects.filter(theirs, of_then, seen_at__gte=end_of(as_of)).order_by()
            paid_since = later.values(currency=F("invoice__currency")).annotate(**_ages("amount", as_of, "invoice__"))
            sources = [sources[0].filter(issue_date__lte=as_of), paid_since]
    by_currency: dict[str, list[tuple[Decimal, ...]]] = {}
    for row in (row for source in sources for row in source):
        by_currency.setdefault(row["currency"], []).append(_columns(row))
    found = (
        Sums(currency=currency, by_age=tuple(sum(column, NOTHING) for column in zip(*columns, strict=True)))
        for currency, columns in sorted(by_currency.items())
    )
    return [one for one in found if any(one.by_age)]


def _kept(as_of: date) -> Any:
    """By currency; what is credited has no due date there, and is never late."""
    ages = [_due(as_of, age) | Q(due_date=None) if age == 0 else _due(as_of, age) for age in range(len(AGES))]
    columns = {f"age_{age}": Coalesce(Sum("outstanding", filter=due), NOTHING) for age, due in enumerate(ages)}
    return InvoiceTotal.objects.filter(status__in=AWAITING).order_by().values("currency").annotate(**columns)
