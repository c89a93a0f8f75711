"""What goes wrong around a push: clocks, a full disk, a deadlock, a poisoned invoice, a long queue."""

import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from connectors.models import Connection
from invoices import claims, looks, record, services
from invoices import push as worker
from invoices.models import Invoice, Push, PushAttempt
from reflow.processes import wait_until
from tests.invoices.books import Books, carry, claimed, look, notes
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
AT_ONCE = pytest.mark.django_db(transaction=True, serialized_rollback=True)
AHEAD = timedelta(minutes=10)
SOON = timedelta(milliseconds=1)


def swept(push: Push) -> Push:
    """Its worker is gone: the sweep after its lease finds it."""
    push.refresh_from_db()
    assert push.lease_until
    worker.sweep(now=push.lease_until + SOON)
    push.refresh_from_db()
    return push


# Clocks -------------------------------------------------------------------------------------------------------
def test_a_worker_whose_clock_is_ten_minutes_ahead_sends_nothing_twice(push: Push, books: Books, now: datetime) -> None:
    """It takes the one that is just being sent for abandoned, and looks before Sage has it."""

    def meanwhile() -> None:
        worker.sweep(now=now + AHEAD)
        worker.look(push.pk, now=now + AHEAD)

    books.before_answer = meanwhile
    carry(push)
    assert push.state == "UNKNOWN", "the late answer was taken though another worker has it in hand"
    books.finds = [[{}]]
    assert look(push).state == "SENT"
    assert books.calls.count("create") == 1


def test_a_clock_that_steps_back_holds_a_push_up_and_never_sends_it_twice(
    push: Push, books: Books, now: datetime
) -> None:
    claimed(push)
    worker.sweep(now=now - AHEAD)
    assert claims.claim(push.connection, now=now - AHEAD) == []
    assert swept(push).state == "READY"
    assert carry(push).state == "SENT"
    assert books.calls == ["create"]


# Postgres -----------------------------------------------------------------------------------------------------
FULL = """
CREATE FUNCTION pg_temp.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE UPDATE ON invoices_pushattempt FOR EACH ROW EXECUTE FUNCTION pg_temp.no_room();
"""


def test_with_the_disk_of_postgres_full_no_byte_leaves_and_it_goes_once_there_is_room(push: Push, books: Books) -> None:
    mine = claimed(push)
    with database.cursor() as cursor:
        cursor.execute(FULL)
        with pytest.raises(OperationalError, match="No space left"):
            worker.deliver([mine])
        cursor.execute("DROP TRIGGER no_room ON invoices_pushattempt")
    assert books.calls == []
    assert swept(push).state == "READY"
    assert carry(push).state == "SENT"


@AT_ONCE
def test_a_worker_that_postgres_throws_out_of_a_deadlock_sends_nothing_again(push: Push, books: Books) -> None:
    """Somebody locks the push and then the invoice, as nothing of ours does; the worker waits longer."""
    locked, waits = threading.Event(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    waits += " AND datname = current_database()"  # others test beside us

    def somebody() -> None:
        try:
            with transaction.atomic():
                Push.objects.select_for_update().get(pk=push.pk)
                locked.set()
                with database.cursor() as cursor:
                    assert wait_until(lambda: bool(cursor.execute(waits) or cursor.fetchone()[0]), 10)
                Invoice.objects.select_for_update().get(pk=push.invoice_id)
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        others: list[Future[None]] = []

        def meanwhile() -> None:
            others.append(pool.submit(somebody))
            assert locked.wait(10)

        books.before_answer = meanwhile
        with pytest.raises(OperationalError, match="deadlock"):
            carry(push)
        others[0].result(10)
    assert swept(push).state == "UNKNOWN"
    books.finds = [[{}]]
    assert look(push).state == "SENT"
    assert books.calls.count("create") == 1


@AT_ONCE
def test_eight_who_claim_at_once_never_hold_the_same_push(
    push: Push, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    for _ in range(9):
        services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now)
    together = threading.Barrier(8)

    def claim() -> list[int]:
        try:
            taken = []
            for _ in range(10):
                together.wait(10)
                for each in claims.claim(push.connection, now=now):
                    taken.append(each.push.pk)
                    Push.objects.filter(pk=each.push.pk).update(state="ATTENTION", cause="REJECTED", lease_until=None)
            return taken
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        hands = [pk for taken in [pool.submit(claim) for _ in range(8)] for pk in taken.result(60)]
    assert sorted(hands) == sorted(set(hands))
    assert set(hands) <= set(Push.objects.values_list("pk", flat=True))
    assert len(hands) == PushAttempt.objects.count() > 0


MANY = """
INSERT INTO invoices_invoice (uuid, kind, origin, status, number, number_prefix, client_id, issue_date, due_date,
    reference, notes, currency, net, tax, total, outstanding, frozen, version, created_at, created_by_id, approved_at)
SELECT gen_random_uuid(), kind, origin, status, 'MANY-' || n + 1, '', client_id, issue_date, due_date,
    reference, notes, currency, net, tax, total, outstanding, frozen, 1, created_at, created_by_id, approved_at
FROM invoices_invoice, generate_series(1, {count}) AS n WHERE id = {invoice};
INSERT INTO invoices_push (invoice_id, connection_id, state, cause, cause_key, problems, parked_because, generation,
    fence, due_at, requested_at, requested_by_id)
SELECT i.id, connection_id, p.state, cause, cause_key, problems, parked_because, generation,
    fence, due_at + i.id * interval '1 ms', requested_at, requested_by_id
FROM invoices_push AS p, invoices_invoice AS i WHERE p.id = {push} AND i.number LIKE 'MANY-%';
ANALYZE invoices_push;
"""


@pytest.mark.prove
def test_a_queue_of_a_hundred_thousand_is_carried_the_oldest_first_in_little_memory(
    push: Push, books: Books, now: datetime
) -> None:
    with database.cursor() as cursor:
        cursor.execute(MANY.format(count=100_000, invoice=push.invoice_id, push=push.pk))
    later = now + timedelta(days=1)
    tracemalloc.start()
    with CaptureQueriesContext(database) as asked:
        assert worker.sweep(now=later) == [push.pk]
        for _ in range(3):
            (mine,) = claims.claim(push.connection, now=later)
            worker.deliver([mine])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert len(asked) < 150
    sent = Push.objects.filter(state="SENT").order_by("due_at").values_list("pk", flat=True)
    assert list(sent) == list(Push.objects.order_by("due_at").values_list("pk", flat=True)[:3])


# Our own mistakes ---------------------------------------------------------------------------------------------
def test_an_invoice_over_which_every_worker_stops_ends_with_a_person(
    push: Push, books: Books, desk: Browser, staff: User, now: datetime
) -> None:
    for n in range(1, record.TOO_OFTEN + 1):
        assert push.state == "READY", f"a person was called after {n - 1} of them"
        mine = claimed(push)
        assert mine.push.pk == push.pk
        swept(push)
    assert (push.state, push.cause) == ("ATTENTION", "STOPPED")
    assert notes(push)[-1] == "Nothing was sent: 5 workers stopped over it."
    page = desk.get(f"/invoices/{push.invoice_id}/").content.decode()
    assert "Reflow itself stopped over it" in page
    assert "Send again" in page
    services.request_push(invoice_id=push.invoice_id, actor=staff, now=now)
    assert carry(push).state == "SENT"
    assert books.calls == ["create"]


def test_one_that_stops_its_workers_keeps_no_other_back(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    other = services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now)
    claimed(push)
    swept(push)
    worker.work(other.pk)
    other.refresh_from_db()
    assert other.state == "SENT"


def test_a_state_and_a_cause_of_a_later_release_are_left_alone_by_this_one(
    new_push: NewPush, books: Books, desk: Browser, now: datetime
) -> None:
    """As while old workers run beside new ones."""
    push = new_push("READY")
    Push.objects.update(state="HELD")
    later = now + timedelta(days=30)
    assert worker.sweep(now=later) == []
    assert claims.claim(push.connection, now=later) == []
    assert looks.claim(push.pk, later) == []
    worker.work(push.pk)
    assert (Push.objects.get().state, books.calls) == ("HELD", [])
    Push.objects.update(state="ATTENTION", cause="LATER")
    assert desk.get(f"/invoices/{push.invoice_id}/").status_code == 200


# People -------------------------------------------------------------------------------------------------------
def test_what_somebody_asked_for_who_has_left_since_is_sent_and_says_who_asked(
    push: Push, books: Books, staff: User, admin: User, client: Browser
) -> None:
    staff.is_active = False
    staff.save()
    staff.groups.clear()
    assert carry(push).state == "SENT"
    client.force_login(admin)
    assert "Sam" in client.get(f"/invoices/{push.invoice_id}/").content.decode()


def test_a_click_of_somebody_who_lost_the_right_a_moment_before_sends_nothing(
    wired: Connection, approved: Invoice, desk: Browser, staff: User
) -> None:
    staff.groups.clear()
    assert desk.post(f"/invoices/{approved.pk}/push/").status_code == 403
    assert not Push.objects.exists()
