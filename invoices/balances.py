"""What all invoices come to, from the small table that Postgres keeps: no page adds up the invoices themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection as database
from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from invoices.models import ClientOwed, InvoiceTotal

Row = tuple[object, ...]
AWAITING = ("SENT", "PART_PAID")
INVOICED = ("APPROVED", *AWAITING, "PAID")
LONG_PAST = timedelta(days=120)  # what fell due longer ago is kept by the month: nobody asks by what day of it is late
LOCK = 1_601_026_001  # of Postgres, for who folds or mends: no two do so at once, and who writes invoices never waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What clients have still to pay in one currency, and what of it is past its due date."""

    currency: str
    invoices: int
    outstanding: Decimal
    overdue_invoices: int
    overdue: Decimal
    overdue_lately: Decimal = Decimal(0)
    """Of that, what was due within the last seven days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What was invoiced in one month and currency, drafts and void ones left out, and what of it is still owed."""

    month: date
    currency: str
    invoices: int
    total: Decimal
    outstanding: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many invoices, and what they come to in one currency."""

    currency: str
    invoices: int
    amount: Decimal


def owed(today: date) -> list[Owed]:
    """By currency; approved invoices are not counted until they have been sent."""
    late = Q(due_date__lt=today)
    lately = Q(due_date__range=(today - timedelta(days=7), today - timedelta(days=1)))
    rows = (
        InvoiceTotal.objects.filter(status__in=AWAITING)
        .values("currency")
        .annotate(
            count=Sum("invoices"),
            owed=Sum("outstanding"),
            late_count=Coalesce(Sum("invoices", filter=late), 0),
            late_owed=Coalesce(Sum("outstanding", filter=late), Decimal(0)),
            new_owed=Coalesce(Sum("outstanding", filter=lately), Decimal(0)),
        )
        .filter(count__gt=0)
        .order_by("currency")
    )
    return [
        Owed(
            currency=row["currency"],
            invoices=row["count"],
            outstanding=row["owed"],
            overdue_invoices=row["late_count"],
            overdue=row["late_owed"],
            overdue_lately=row["new_owed"],
        )
        for row in rows
    ]


def by_month(today: date, *, months: int = 12) -> list[Month]:
    """The last months up to this one, the oldest first; a month without invoices has no row."""
    first = _months_before(today, months - 1)
    rows = (
        InvoiceTotal.objects.filter(status__in=INVOICED, month__range=(first, today))
        .values("month", "currency")
        .annotate(
            count=Sum("invoices"),
            invoiced=Sum("total"),
            owed=Coalesce(Sum("outstanding", filter=Q(status__in=AWAITING)), Decimal(0)),
        )
        .filter(count__gt=0)
        .order_by("month", "currency")
    )
    return [
        Month(
            month=row["month"],
            currency=row["currency"],
            invoices=row["count"],
            total=row["invoiced"],
            outstanding=row["owed"],
        )
        for row in rows
    ]


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


OF_A_KIND = "origin, status, currency, month"
KEY = f"{OF_A_KIND}, due_date"
SUMS = "invoices, total, outstanding"
ADDED = "sum(invoices)::bigint AS invoices, sum(total) AS total, sum(outstanding) AS outstanding"
UNLESS_NOTHING = "HAVING sum(invoices) <> 0 OR sum(total) <> 0 OR sum(outstanding) <> 0"
DUE = "CASE WHEN due_date < %(past)s THEN date_trunc('month', due_date)::date ELSE due_date END"
RECOUNT = f"""
    SELECT origin, CASE WHEN status = 'DRAFT' AND asked_at IS NOT NULL THEN 'ASKED' ELSE status END AS status, currency,
        date_trunc('month', issue_date)::date AS month,
        CASE WHEN status IN ('APPROVED', 'SENT', 'PART_PAID') AND kind = 'INVOICE' THEN due_date END AS due_date,
        1 AS invoices, total, outstanding
    FROM invoices_invoice
    UNION ALL
    SELECT {KEY}, -invoices, -total, -outstanding FROM invoices_invoicetotal"""  # noqa: S608  # nothing from outside
DIFFERENCES = f"""
    SELECT {OF_A_KIND}, due, {ADDED} FROM (SELECT *, {DUE} AS due FROM ({RECOUNT}) AS each) AS counted
    GROUP BY {OF_A_KIND}, due {UNLESS_NOTHING}"""  # noqa: S608
MEND = f"INSERT INTO invoices_invoicetotal ({KEY}, {SUMS}) {DIFFERENCES} RETURNING {KEY}, {SUMS}"
FOLD = f"""
    WITH crowded AS (
        SELECT id, count(*) OVER (PARTITION BY {OF_A_KIND}, {DUE}) AS rows FROM invoices_invoicetotal
    ), taken AS (
        DELETE FROM invoices_invoicetotal USING crowded
        WHERE invoices_invoicetotal.id = crowded.id AND crowded.rows > 1
        RETURNING invoices_invoicetotal.*, {DUE} AS due
    )
    INSERT INTO invoices_invoicetotal ({KEY}, {SUMS})
    SELECT {OF_A_KIND}, due, {ADDED} FROM taken GROUP BY {OF_A_KIND}, due {UNLESS_NOTHING}"""  # noqa: S608


OWED_BY = "client_id, currency"
OWED = "invoices, outstanding"
OWED_ADDED = "sum(invoices)::bigint AS invoices, sum(outstanding) AS outstanding"
UNLESS_NONE = "HAVING sum(invoices) <> 0 OR sum(outstanding) <> 0"
OWED_DIFFERENCES = f"""
    SELECT {OWED_BY}, {OWED_ADDED} FROM (
        SELECT {OWED_BY}, 1 AS invoices, outstanding FROM invoices_invoice
        WHERE status IN ('SENT', 'PART_PAID') AND outstanding <> 0
        UNION ALL SELECT {OWED_BY}, -invoices, -outstanding FROM invoices_clientowed
    ) AS counted GROUP BY {OWED_BY} {UNLESS_NONE}"""  # noqa: S608
OWED_MEND = f"""
    INSERT INTO invoices_clientowed ({OWED_BY}, {OWED}, folded)
    SELECT counted.*, false FROM ({OWED_DIFFERENCES}) AS counted RETURNING {OWED_BY}, {OWED}"""  # noqa: S608
OWED_FOLD = f"""
    WITH crowded AS (
        SELECT DISTINCT {OWED_BY} FROM invoices_clientowed WHERE NOT folded
    ), taken AS (
        DELETE FROM invoices_clientowed AS kept USING crowded
        WHERE (kept.client_id, kept.currency) = (crowded.client_id, crowded.currency) RETURNING kept.*
    )
    INSERT INTO invoices_clientowed ({OWED_BY}, {OWED}, folded)
    SELECT {OWED_BY}, {OWED_ADDED}, true FROM taken GROUP BY {OWED_BY} {UNLESS_NONE}"""  # noqa: S608


def fold(today: date) -> None:
    """Makes one row of all that are of one kind: one statement, so who reads meanwhile sees the same sums.

    What is long past is of one kind for each month that it fell due in, so that the table grows with months, not days.
    """
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone() == (True,):
            cursor.execute(FOLD, _past(today))
            cursor.execute(OWED_FOLD)


def differences(today: date) -> list[InvoiceTotal | ClientOwed]:
    """What would have to be added to the tables for them to say what the invoices say; nothing, if all is well."""
    with database.cursor() as cursor:
        cursor.execute(DIFFERENCES, _past(today))
        totals = cursor.fetchall()
        cursor.execute(OWED_DIFFERENCES)
        return list(_read(totals, cursor.fetchall()))


def mend(today: date) -> list[InvoiceTotal | ClientOwed]:
    """Adds what is missing, and says what that was; while others write, as one statement sees both sides at once."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(MEND, _past(today))
        totals = cursor.fetchall()
        cursor.execute(OWED_MEND)
        owed = cursor.fetchall()
        cursor.execute(OWED_FOLD)
        return list(_read(totals, owed))


def _past(today: date) -> dict[str, date]:
    """What fell due before this first day of a month is long past."""
    return {"past": (today - LONG_PAST).replace(day=1)}


def _read(totals: list[Row], owed: list[Row]) -> Iterator[InvoiceTotal | ClientOwed]:
    names, owed_names = f"{KEY}, {SUMS}".split(", "), f"{OWED_BY}, {OWED}".split(", ")
    yield from (InvoiceTotal(**dict(zip(names, row, strict=True))) for row in totals)
    yield from (ClientOwed(**dict(zip(owed_names, row, strict=True))) for row in owed)
