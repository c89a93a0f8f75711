"""Our calls to a platform: so many a minute by all workers together, and what waits when they are spent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from connectors import budget
from connectors.interface import TryLater
from connectors.models import Budget, Connection
from connectors.services import open_connector
from invoices import pull, services
from invoices import push as worker
from invoices.models import Invoice, Pull
from tests.books import Sandbox


def spend_all(connection: Connection) -> int:
    calls = 0
    try:
        while True:
            budget.spend(connection)
            calls += 1
    except TryLater:
        return calls


@pytest.fixture
def ten_a_minute(settings: Settings) -> None:
    settings.CALLS_A_MINUTE, settings.CLOCK_DIVISOR = 10, 1


def earlier(**by: int) -> None:
    """All calls so far were made so much earlier."""
    for row in Budget.objects.all():
        row.calls = [moment - timedelta(**by) for moment in row.calls]
        row.save()


@pytest.mark.django_db
def test_a_minutes_calls_go_out_at_once_and_no_minute_ever_has_more(connection: Connection, ten_a_minute: None) -> None:
    Budget.objects.all().delete()
    budget.spend(connection)
    earlier(seconds=31)
    assert spend_all(connection) == 9
    with pytest.raises(TryLater) as refused:
        budget.spend(connection)
    assert refused.value.after == 61, "until five are there again, so that the next few need not wait each"
    earlier(seconds=30)
    assert spend_all(connection) == 1, "the one that is a minute old; the others are half one"
    earlier(hours=1)
    assert spend_all(connection) == 10, "a quiet hour saves up no more than a minute's"


@pytest.mark.django_db
def test_a_clock_that_goes_back_takes_nothing_away(connection: Connection, ten_a_minute: None) -> None:
    Budget.objects.all().delete()
    budget.spend(connection)
    earlier(hours=-1)
    assert spend_all(connection) == 10


@pytest.mark.django_db
def test_without_calls_left_no_byte_leaves_and_the_invoice_waits(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime, ten_a_minute: None
) -> None:
    spend_all(connection)
    sandbox.clear_journal()
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    connection.refresh_from_db()
    assert sandbox.calls() == []
    assert (push.state, connection.paused_until) == ("READY", push.due_at)
    assert timedelta(seconds=59) < push.due_at - timezone.now() <= timedelta(seconds=61)
    assert push.attempts.get().outcome == "NOT_SENT"


@pytest.mark.django_db
def test_what_sage_asks_us_to_wait_holds_for_reading_and_for_sending(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    Pull.objects.create(connection=connection, due_at=now)
    sandbox.fault("busy", retry_after=40)
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    connection.refresh_from_db()
    assert connection.paused_until and connection.paused_until > timezone.now()
    assert pull.due(now=timezone.now()) == []
    assert pull.due(now=connection.paused_until) == [connection.pk]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_workers_at_once_spend_one_share_together(
    connection: Connection, settings: Settings, authorised_before: dict[str, object]
) -> None:
    settings.CALLS_A_MINUTE, settings.CLOCK_DIVISOR = 60, 1
    Budget.objects.all().delete()

    def spend(_: int) -> int:
        try:
            return spend_all(connection)
        finally:
            database.close()

    with ThreadPoolExecutor(8) as workers:
        spent = sum(workers.map(spend, range(8)))
    assert spent == 60


@pytest.mark.django_db
def test_each_call_is_counted(connection: Connection, sandbox: Sandbox, ten_a_minute: None) -> None:
    Budget.objects.all().delete()
    sandbox.clear_journal()
    connector = open_connector(connection)
    for _ in range(10):
        connector.companies()
    with pytest.raises(TryLater, match="used up"):
        connector.companies()
    assert len(sandbox.calls("GET")) == 10
