"""The dashboard's figures say what a recount of the invoices says, and cost the same however many there are."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from connectors.models import Connection
from invoices import balances, dashboard, services
from invoices.dashboard import AGES, Sheet, figures
from invoices.models import Client, Event, Invoice, Push, RemoteInvoice
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
OWED, COUNTED = ("SENT", "PART_PAID"), ("APPROVED", "SENT", "PART_PAID", "PAID")
Amounts = dict[tuple[str, Any], tuple[int, Decimal]]


@pytest.fixture
def many(client_of_ours: Client, staff: User, now: datetime) -> list[Invoice]:
    """400 of all kinds, dates and currencies, credits raised in the books among them."""
    dice, today = random.Random(6), localdate(now)  # noqa: S311  # a story, not a secret
    rows = []
    for n in range(400):
        status = dice.choice(("DRAFT", "APPROVED", "SENT", "SENT", "PART_PAID", "PAID", "VOID"))
        imported = status not in ("DRAFT", "APPROVED") and dice.random() < 0.4
        total = Decimal(dice.randint(-40_000 if imported else 1, 900_000)) / 100
        issued = today - timedelta(days=dice.randint(-40, 500))
        past_draft = {} if status == "DRAFT" else {"frozen": {}, "approved_at": now}
        rows.append(
            Invoice(
                **past_draft,
                number=f"N-{n}",
                status=status,
                origin="IMPORTED" if imported else "OWN",
                client=client_of_ours,
                issue_date=issued,
                due_date=issued + timedelta(days=dice.choice((0, 14, 30, 60, 120))),
                currency=dice.choice(("GBP", "GBP", "GBP", "EUR", "USD")),
                net=total,
                total=total,
                outstanding=_open(status, total),
                created_at=now,
                created_by=None if imported else staff,
            )
        )
    return Invoice.objects.bulk_create(rows)


def _open(status: str, total: Decimal) -> Decimal:
    shares = {"PAID": Decimal(0), "VOID": Decimal(0), "PART_PAID": Decimal("0.5")}
    return (total * shares.get(status, Decimal(1))).quantize(Decimal("0.01"))


def recount(rows: list[Invoice], key: Callable[[Invoice], Any], amount: str) -> Amounts:
    found: Amounts = {}
    for row in rows:
        count, sum_of = found.get((row.currency, key(row)), (0, Decimal(0)))
        found[row.currency, key(row)] = count + 1, sum_of + getattr(row, amount)
    return found


def age_of(invoice: Invoice, today: date) -> str:
    late = (today - invoice.due_date).days
    for label, days in AGES:
        if days is None or late <= days:
            return label
    raise AssertionError


def test_sums_months_and_ages_are_those_of_a_recount(many: list[Invoice], now: datetime) -> None:
    today = localdate(now)
    owed = [row for row in many if row.status in OWED]
    late = [row for row in owed if row.due_date < today]
    counted = [row for row in many if row.status in COUNTED]
    nothing = (0, Decimal(0))
    sheets = figures(None, now).sheets
    assert {sheet.currency for sheet in sheets} == {"GBP", "EUR", "USD"}
    assert sheets[0].currency == "GBP", "the most used comes first"
    in_all, of_late = recount(owed, lambda row: None, "outstanding"), recount(late, lambda row: None, "outstanding")
    by_age = recount(owed, lambda row: age_of(row, today), "outstanding")
    invoiced = recount(counted, lambda row: row.issue_date.replace(day=1), "total")
    still_open = recount(owed, lambda row: row.issue_date.replace(day=1), "outstanding")
    for sheet in sheets:
        code = sheet.currency
        assert (sheet.owed.invoices, sheet.owed.outstanding) == in_all[code, None]
        assert (sheet.owed.overdue_invoices, sheet.owed.overdue) == of_late[code, None]
        for label, tally in sheet.ages:
            assert (tally.invoices, tally.amount) == by_age.get((code, label), nothing)
        assert len(sheet.months) == 12 and sheet.months[-1].month == today.replace(day=1)
        for month in sheet.months[:-1]:
            assert (month.invoices, month.total) == invoiced.get((code, month.month), nothing)
            assert month.outstanding == still_open.get((code, month.month), nothing)[1]


def test_the_ages_add_up_to_what_is_outstanding_and_the_late_ones_to_what_is_overdue(
    many: list[Invoice], now: datetime
) -> None:
    for sheet in figures(None, now).sheets:
        (_, not_due), *late = sheet.ages
        assert not_due.amount + sum(tally.amount for _, tally in late) == sheet.owed.outstanding
        assert sum(tally.amount for _, tally in late) == sheet.owed.overdue
        assert sum(tally.invoices for _, tally in late) == sheet.owed.overdue_invoices


@pytest.mark.parametrize(
    ("days_late", "age"),
    [(-1, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (4000, 4)],
)
def test_an_invoice_is_due_until_its_day_has_passed(invoice: Invoice, now: datetime, days_late: int, age: int) -> None:
    due = localdate(now) - timedelta(days=days_late)
    given: dict[str, Any] = {"status": "SENT", "frozen": {}, "approved_at": now}
    Invoice.objects.update(due_date=due, issue_date=min(due, localdate(now)), **given)
    (sheet,) = figures(None, now).sheets
    assert [tally.invoices for _, tally in sheet.ages] == [int(n == age) for n in range(5)]
    assert sheet.owed.overdue_invoices == int(days_late > 0)


def test_nothing_is_shown_of_a_currency_of_which_there_are_only_drafts(invoice: Invoice, now: datetime) -> None:
    assert figures(None, now).sheets == ()


def test_charts_are_drawn_from_the_same_figures_as_their_tables(many: list[Invoice], now: datetime) -> None:
    for sheet in figures(None, now).sheets:
        chart = sheet.by_month
        assert [column.label for column in chart.columns] == [f"{month.month:%b}" for month in sheet.months]
        highest = max(sheet.months, key=lambda month: month.total)
        tallest = max(chart.columns, key=lambda column: column.whole.height)
        assert tallest.label == f"{highest.month:%b}"
        assert [row.label for row in sheet.by_age.rows] == [label for label, _ in AGES]


def test_what_moves_is_counted_by_state_and_its_age_told(
    new_push: NewPush, wired: Connection, approved: Invoice, now: datetime
) -> None:
    def traffic() -> dashboard.Traffic:
        return figures(wired, now).traffic

    assert (traffic().ready, traffic().waiting) == (1, 0)
    push = new_push("READY", requested_at=now - timedelta(hours=5, minutes=3))
    assert (traffic().ready, traffic().waiting, traffic().waiting_for) == (0, 1, "5 hours")
    Push.objects.update(state="ATTENTION", cause="REJECTED", requested_at=now - timedelta(seconds=59))
    assert (traffic().waiting, traffic().attention, traffic().attention_for) == (0, 1, "less than a minute")
    Push.objects.update(state="CANCELLED", cause="")
    assert (traffic().ready, traffic().attention) == (1, 0)
    held = remote_of(approved, wired, now)
    Push.objects.filter(pk=push.pk).update(state="SENT", remote=held, sent_at=now)
    Invoice.objects.update(status="SENT")
    assert (traffic().ready, traffic().sent) == (0, 1)
    Push.objects.update(sent_at=now - timedelta(days=32))
    assert traffic().sent == 0


def test_the_latest_are_ten_with_the_number_each_invoice_shows(
    invoice: Invoice, wired: Connection, now: datetime
) -> None:
    for n in range(14):
        Event.objects.create(invoice=invoice, happened_at=now, text=f"Step {n}.")
    found = dashboard.latest(wired)
    assert [event.text for event, _ in found] == [f"Step {n}." for n in range(13, 3, -1)]
    assert {number for _, number in found} == {"INV-00001"}
    RemoteInvoice.objects.create(
        invoice=invoice, connection=wired, remote_id="t", number="SI-9", total=1, linked_at=now
    )
    Invoice.objects.update(origin="IMPORTED", status="SENT")
    assert {number for _, number in dashboard.latest(wired)} == {"SI-9"}


def test_what_was_raised_and_sent_is_seen_from_what_there_is(
    client_of_ours: Client, new_push: NewPush, now: datetime
) -> None:
    assert (dashboard.has_raised(), dashboard.has_sent()) == (True, False)
    new_push("SENT")
    assert dashboard.has_sent()


def test_a_discarded_draft_was_raised_and_an_imported_invoice_was_not(
    invoice: Invoice, staff: User, now: datetime
) -> None:
    services.discard(invoice_id=invoice.pk, actor=staff, now=now, reason="Raised twice.")
    assert dashboard.has_raised()
    Invoice.objects.update(origin="IMPORTED")
    assert not dashboard.has_raised()


def test_seven_queries_count_everything_and_none_of_them_reads_the_invoices(many: list[Invoice], now: datetime) -> None:
    with CaptureQueriesContext(database) as asked:
        sheets: tuple[Sheet, ...] = figures(None, now).sheets
    assert sheets
    assert len(asked) == 7
    assert not any('"invoices_invoice"' in query["sql"] for query in asked.captured_queries)


def test_the_totals_are_what_the_recount_rests_on(many: list[Invoice]) -> None:
    assert balances.differences(localdate()) == []
