"""A mend pressed by two people, and parking while a worker claims: each invoice is in one place, and nothing twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction

from connectors.models import Connection
from invoices import claims, documents, mending, services, tasks
from invoices.models import Event, Invoice, Push, PushAttempt
from reflow.processes import wait_until
from tests.invoices.test_bulk_at_once import at_once
from tests.invoices.test_mending import held

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
ALL = Push.objects.all()
NewInvoice = Callable[..., Invoice]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "hint", lambda _: None)


def test_two_who_press_the_same_mend_queue_each_invoice_once(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    held(new_invoice, staff, now, 20)
    done = at_once(*[lambda: mending.send_again(ALL, wired, actor=staff, now=now).done] * 3)
    assert sum(done) == 20
    assert {*Push.objects.values_list("state", "generation")} == {("READY", 2)}
    assert Event.objects.filter(text="Queued for Sage again.").count() == 20


def test_two_who_move_the_same_dates_amend_each_invoice_once(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    held(new_invoice, staff, now, 8)
    change = mending.dated(date(2026, 12, 1))
    done = at_once(*[lambda: mending.amend(ALL, change, actor=staff, now=now).done] * 2)
    assert sum(done) == 8
    assert Event.objects.filter(text="Taken back to draft.").count() == 8
    assert {*Push.objects.values_list("state", flat=True)} == {"READY"}


def test_what_is_parked_while_a_worker_claims_is_parked_or_in_hand(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    held(new_invoice, staff, now, 6)
    mending.send_again(ALL, wired, actor=staff, now=now)
    parked, hand = at_once(
        lambda: mending.park(ALL, reason="x", actor=staff, now=now).done, lambda: claims.claim(wired, now=now)
    )
    assert parked + len(hand) == 6
    assert Push.objects.filter(state="PARKED").count() == parked
    assert PushAttempt.objects.filter(resolved_at=None).count() == len(hand), "nothing that is parked was begun"


def test_a_batch_goes_on_record_while_somebody_locks_its_invoices_the_other_way_round(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "to_json", lambda _: {})
    pushes = [services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now) for _ in range(2)]
    Push.objects.update(state="SENDING", lease_until=now)
    begun = {"n": 1, "generation": 1, "key": "k", "started_at": now}
    attempts = [PushAttempt.objects.create(push=push, position=at, **begun) for at, push in enumerate(pushes)]
    pairs = zip(reversed(pushes), reversed(attempts), strict=True)
    hand: list[Any] = [(claims.Claim(push=push, attempt=attempt, fence=0), None) for push, attempt in pairs]

    def intend() -> int:
        try:
            return len(claims.intend(hand, lease_until=now, now=now))
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            services.locked(pushes[0].invoice_id)
            began = pool.submit(intend)
            assert wait_until(somebody_waits, 30)
            services.locked(pushes[1].invoice_id)
        assert began.result(30) == 2


def somebody_waits() -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction goes on seeing what it saw first
        cursor.execute(waiting)
        return bool(cursor.fetchone()[0])
