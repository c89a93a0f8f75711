"""The kept totals say what a recount says, however invoices change and whoever changes them at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from connectors.models import Connection
from invoices import balances, debtors, services
from invoices.balances import Month, Owed, Tally
from invoices.models import Client, Invoice, InvoiceTotal
from invoices.tiles import TILES, counted
from tests.conftest import draft_for, line

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 22)
PENCE = Decimal("0.01")


@pytest.fixture
def many(client_of_ours: Client, staff: User, now: datetime) -> Callable[..., list[Invoice]]:
    """Invoices as they stand, written past the services as an import of another program would."""

    def made(count: int, **changes: Any) -> list[Invoice]:
        given: dict[str, Any] = {
            **{"client": client_of_ours, "issue_date": date(2026, 10, 5), "due_date": date(2026, 11, 4)},
            **{"currency": "GBP", "net": 100, "tax": 20, "total": 120, "outstanding": 120},
            **{"created_at": now, "created_by": staff},
        }
        if changes.get("status", "DRAFT") != "DRAFT":
            given |= {"frozen": {}, "approved_at": now}
        before = Invoice.objects.count()
        rows = [Invoice(**{**given, "number": f"N-{before + n}", **changes}) for n in range(count)]
        return Invoice.objects.bulk_create(rows)

    return made


def all_is_well() -> bool:
    return balances.differences(TODAY) == [] and sum(InvoiceTotal.objects.values_list("invoices", flat=True)) == (
        Invoice.objects.count()
    )


def test_nothing_is_counted_before_the_first_invoice(db: None) -> None:
    assert (balances.owed(TODAY), balances.by_month(TODAY)) == ([], [])
    assert counted(None, today=TODAY) == {name: [] for name in TILES}


def test_every_step_of_an_invoices_life_is_counted(
    invoice: Invoice, client_of_ours: Client, staff: User, now: datetime
) -> None:
    given = {"invoice_id": invoice.pk, "actor": staff, "now": now}
    steps: list[Callable[[], object]] = [
        lambda: services.update_invoice(version=1, draft=draft_for(client_of_ours, line(), line()), **given),
        lambda: services.ask_for_approval(**given),
        lambda: services.approve(**given),
        lambda: services.return_to_draft(**given),
        lambda: services.discard(reason="Raised twice.", **given),
    ]
    assert all_is_well()
    seen = []
    for step in steps:
        step()
        assert all_is_well()
        balances.fold(TODAY)
        seen.append(InvoiceTotal.objects.values_list("status", "invoices", "total", "outstanding").get())
    whole, nothing = Decimal("408.00"), Decimal(0)
    assert seen == [
        ("DRAFT", 1, whole, whole),
        ("ASKED", 1, whole, whole),
        ("APPROVED", 1, whole, whole),
        ("DRAFT", 1, whole, whole),
        ("VOID", 1, whole, nothing),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "PART_PAID", "outstanding": Decimal("20.00")},
        {"status": "PAID", "outstanding": Decimal(0)},
        {"status": "VOID", "outstanding": Decimal(0)},
        {"due_date": date(2027, 1, 1)},
        {"issue_date": date(2026, 9, 30)},
        {"currency": "EUR"},
        {"net": F("net") + PENCE, "total": F("total") + PENCE},
        {"reference": "nothing that counts"},
    ],
    ids=str,
)
def test_whatever_is_written_to_many_at_once_is_counted(
    many: Callable[..., list[Invoice]], change: dict[str, Any]
) -> None:
    many(5, status="SENT")
    many(3, status="SENT", origin="IMPORTED")
    Invoice.objects.update(**change)
    assert all_is_well()


def test_what_changes_nothing_that_is_counted_writes_no_row(many: Callable[..., list[Invoice]]) -> None:
    many(3)
    before = InvoiceTotal.objects.count()
    Invoice.objects.update(reference="PO-1", version=2)
    Invoice.objects.filter(pk=0).delete()
    assert InvoiceTotal.objects.count() == before == 1


def test_each_way_of_writing_rows_is_counted(many: Callable[..., list[Invoice]]) -> None:
    rows = many(4)
    for row in rows:
        row.currency = "EUR"
    Invoice.objects.bulk_update(rows[:2], ["currency"])
    Invoice.objects.bulk_create(rows[2:], update_conflicts=True, update_fields=["currency"], unique_fields=["id"])
    assert all_is_well()
    Invoice.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).delete()
    rows[2].delete()
    assert all_is_well()
    names = ", ".join(
        name for name in (field.column for field in Invoice._meta.fields) if name not in ("id", "uuid", "number")
    )
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO invoices_invoice (uuid, number, {names}) "  # noqa: S608
            f"SELECT gen_random_uuid(), number || n, {names} FROM invoices_invoice, generate_series(1, 100) n"
        )
    assert all_is_well()
    assert Invoice.objects.count() == 101


def test_a_change_that_is_taken_back_is_not_counted(many: Callable[..., list[Invoice]]) -> None:
    many(2)

    with transaction.atomic():
        many(3)
        transaction.set_rollback(True)
    assert Invoice.objects.count() == 2
    assert all_is_well()


def test_a_table_emptied_is_counted(many: Callable[..., list[Invoice]]) -> None:
    many(2)
    with database.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE invoices_invoice CASCADE")
    assert all_is_well()


def test_folding_leaves_a_row_for_each_kind_and_the_same_sums(many: Callable[..., list[Invoice]]) -> None:
    for _ in range(4):
        many(2, status="SENT")
        many(1, currency="EUR")
    Invoice.objects.filter(currency="EUR").delete()
    shown = balances.owed(TODAY), balances.by_month(TODAY), counted(None, today=TODAY)
    assert InvoiceTotal.objects.count() == 9
    balances.fold(TODAY)
    assert InvoiceTotal.objects.values_list("invoices", "outstanding").get() == (8, Decimal("960.00"))
    balances.fold(TODAY)
    assert InvoiceTotal.objects.count() == 1
    assert (balances.owed(TODAY), balances.by_month(TODAY), counted(None, today=TODAY)) == shown
    assert all_is_well()


def test_what_is_long_past_is_folded_to_the_month_that_it_fell_due_in(many: Callable[..., list[Invoice]]) -> None:
    for days in (119, 140, 160, 161, 162, 400):
        day = TODAY - timedelta(days=days)
        many(1, status="SENT", issue_date=day, due_date=day)

    def told() -> tuple[object, ...]:
        figures = balances.owed(TODAY), balances.by_month(TODAY), counted(None, today=TODAY)
        return *figures, debtors.sums(TODAY, today=TODAY)

    at_once = told()
    balances.fold(TODAY)
    kept = [date(2025, 10, 18), date(2026, 6, 1), date(2026, 7, 5), date(2026, 7, 26)]
    assert list(InvoiceTotal.objects.order_by("due_date").values_list("due_date", flat=True)) == kept
    assert all_is_well()
    Invoice.objects.filter(due_date=TODAY - timedelta(days=161)).update(status="PAID", outstanding=0)
    Invoice.objects.filter(due_date=TODAY - timedelta(days=161)).update(status="SENT", outstanding=120)
    assert all_is_well() and InvoiceTotal.objects.count() == 8
    balances.fold(TODAY)
    assert InvoiceTotal.objects.count() == 4
    assert told() == at_once
    next_year = TODAY + timedelta(days=365)
    balances.fold(next_year)
    kept = [date(2025, 10, 18), date(2026, 6, 1), date(2026, 7, 1)]  # who is alone stays as it is
    assert list(InvoiceTotal.objects.order_by("due_date").values_list("due_date", flat=True)) == kept
    assert balances.differences(next_year) == []


def test_what_is_owed_and_overdue_is_told_per_currency(many: Callable[..., list[Invoice]]) -> None:
    many(2, status="SENT")
    many(1, status="PART_PAID", due_date=TODAY, outstanding=Decimal("20.00"))
    many(1, status="SENT", currency="EUR", due_date=date(2026, 12, 24))
    many(7, status="APPROVED")
    many(7, status="PAID", outstanding=0)
    euros = Owed(currency="EUR", invoices=1, outstanding=Decimal(120), overdue_invoices=0, overdue=Decimal(0))
    pounds = Owed(currency="GBP", invoices=3, outstanding=Decimal(260), overdue_invoices=2, overdue=Decimal(240))
    assert balances.owed(TODAY) == [euros, pounds]


def test_the_months_leave_out_what_was_not_invoiced_and_what_is_long_ago(many: Callable[..., list[Invoice]]) -> None:
    many(1, status="SENT", issue_date=date(2025, 11, 30))
    many(2, status="SENT", issue_date=date(2025, 12, 1))
    many(1, status="PAID", outstanding=0, issue_date=TODAY, due_date=TODAY)
    many(1, status="APPROVED", issue_date=date(2026, 11, 1), due_date=TODAY)
    many(1, status="VOID", outstanding=0)
    many(1)
    december = Month(month=date(2025, 12, 1), currency="GBP", invoices=2, total=Decimal(240), outstanding=Decimal(240))
    november = Month(month=date(2026, 11, 1), currency="GBP", invoices=2, total=Decimal(240), outstanding=Decimal(0))
    assert balances.by_month(TODAY) == [december, november]
    assert balances.by_month(TODAY, months=1) == [november]


def test_the_tiles_count_each_invoice_where_it_stands(many: Callable[..., list[Invoice]], now: datetime) -> None:
    many(2)
    many(1, asked_at=now)
    many(1, status="APPROVED")
    many(1, status="SENT", due_date=TODAY)
    many(1, status="PART_PAID", outstanding=Decimal("20.00"), due_date=TODAY - timedelta(days=1))
    many(3, status="PAID", outstanding=0)
    many(1, status="PAID", outstanding=0, currency="EUR")
    many(1, status="VOID", outstanding=0)

    def tally(invoices: int, amount: int, currency: str = "GBP") -> Tally:
        return Tally(currency=currency, invoices=invoices, amount=Decimal(amount))

    assert counted(None, today=TODAY) == {
        "DRAFT": [tally(3, 360)],
        "ASKED": [tally(1, 120)],
        "APPROVED": [tally(1, 120)],
        "AWAITING": [tally(2, 140)],
        "OVERDUE": [tally(1, 20)],
        "PAID": [tally(1, 120, "EUR"), tally(3, 360)],
        "MOVING": [],
        "ATTENTION": [],
    }


def test_the_check_names_what_differs_and_mending_puts_it_right(many: Callable[..., list[Invoice]]) -> None:
    many(2, status="SENT")
    InvoiceTotal.objects.update(invoices=5, outstanding=Decimal("1.00"))
    InvoiceTotal.objects.create(
        origin="OWN", status="VOID", currency="EUR", month=date(2026, 1, 1), invoices=1, total=1, outstanding=0
    )
    said = StringIO()
    with pytest.raises(CommandError, match="2 totals differ"):
        call_command("check_totals", stdout=said)
    assert sorted(said.getvalue().splitlines()) == [
        "OWN SENT GBP, October 2026, due 2026-11-04: -3 invoices, total +0.00, outstanding +239.00",
        "OWN VOID EUR, January 2026: -1 invoices, total -1.00, outstanding +0.00",
    ]
    said = StringIO()
    call_command("check_totals", mend=True, stdout=said)
    assert "2 totals were put right." in said.getvalue()
    assert all_is_well()
    call_command("check_totals", stdout=said)
    assert said.getvalue().splitlines()[-1] == "The totals say what the invoices say."


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_who_write_at_once_do_not_wait_for_each_other_while_others_fold_and_mend(
    client_of_ours: Client, staff: User, now: datetime, wired: Connection
) -> None:
    """Both hold their transactions open until both have written: were there a lock, neither would come to an end."""
    first, second = (services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now) for _ in range(2))
    both, ended = Barrier(3), []

    def in_a_thread(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                with transaction.atomic():
                    work()
                    both.wait(timeout=20)
                    both.wait(timeout=20)
                ended.append(True)
            finally:
                database.close()

        return run

    def approve(invoice: Invoice) -> Callable[[], object]:
        return lambda: services.approve(invoice_id=invoice.pk, actor=staff, now=now)

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(in_a_thread(approve(one))) for one in (first, second)]
        both.wait(timeout=20)
        balances.fold(TODAY)
        assert balances.mend(TODAY) == []
        both.wait(timeout=20)
        for job in jobs:
            job.result()
    assert ended == [True, True]
    assert all_is_well()
    assert counted(None, today=TODAY)["APPROVED"] == [Tally(currency="GBP", invoices=2, amount=Decimal("408.00"))]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_who_write_fold_and_mend_at_once_lose_no_penny(client_of_ours: Client, staff: User, now: datetime) -> None:
    def work(n: int) -> None:
        try:
            invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
            if n % 2:
                services.approve(invoice_id=invoice.pk, actor=staff, now=now)
            balances.fold(TODAY)
            assert n % 3 or balances.mend(TODAY) == []
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(16)))
    assert all_is_well()
    balances.fold(TODAY)
    assert InvoiceTotal.objects.count() == 2
