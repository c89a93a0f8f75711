"""The rare turns of a push: what comes too late, what goes wrong, what a dead worker left, who goes next."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connectors.interface import Misdirected, PlatformError, Reconnect, TryLater
from connectors.models import Connection, RemoteLink
from invoices import claims, looks, record, services
from invoices import push as worker
from invoices.models import Invoice, Push, PushAttempt
from tests.invoices.books import (
    LOST,
    NUMBER_TAKEN,
    Books,
    carry,
    claimed,
    look,
    notes,
    theirs,
)
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db


def test_a_late_answer_whose_fence_is_lost_is_kept_as_evidence_and_changes_nothing(push: Push, books: Books) -> None:
    def meanwhile() -> None:
        late = Push.objects.get()
        assert late.lease_until
        worker.sweep(now=late.lease_until + timedelta(seconds=1))
        assert looks.claim(push.pk, Push.objects.get().due_at)

    books.before_answer = meanwhile
    carry(push)
    assert push.state == Push.State.UNKNOWN
    assert push.remote is None
    assert push.attempts.get().message == "A late answer: token-1 was created."
    books.finds = [[{}]]
    assert look(push).state == Push.State.SENT


def test_an_answer_after_the_lease_that_nobody_looked_for_yet_still_counts(push: Push, books: Books) -> None:
    def meanwhile() -> None:
        lease = Push.objects.get().lease_until
        assert lease
        worker.sweep(now=lease + timedelta(seconds=1))

    books.before_answer = meanwhile
    carry(push)
    assert push.state == Push.State.SENT
    assert push.attempts.get().outcome == PushAttempt.Outcome.SENT


def test_when_a_worker_died_before_a_byte_could_leave_the_others_go_in_the_very_sweep_that_finds_it(
    new_push: NewPush, wired: Connection, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    left = new_push("SENDING", lane=0)
    other = services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now)
    assert left.lease_until
    assert worker.sweep(now=left.lease_until + timedelta(seconds=1)) == [other.pk]
    left.refresh_from_db()
    assert left.state == Push.State.READY


@pytest.mark.parametrize("error", [TryLater("busy"), LOST, NUMBER_TAKEN, Reconnect("dead")], ids=repr)
def test_a_late_failure_whose_fence_is_lost_changes_nothing(push: Push, books: Books, error: PlatformError) -> None:
    books.creates = [error]
    before = None

    def note_and_overtake() -> None:
        nonlocal before
        Push.objects.update(fence=99)
        before = Push.objects.values().get(), PushAttempt.objects.values().get()

    books.before_answer = note_and_overtake
    carry(push)
    assert (Push.objects.values().get(), PushAttempt.objects.values().get()) == before


def test_what_a_look_finds_after_another_took_over_changes_nothing(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    (mine,) = looks.claim(push.pk, push.due_at)
    Push.objects.update(fence=99)
    sent = books.documents[0]
    record.found(mine, sent, [theirs(sent)], now=push.due_at)
    record.absent(mine, now=push.due_at)
    push.refresh_from_db()
    assert (push.state, push.remote, push.looked_at) == ("UNKNOWN", None, None)


def test_a_worker_that_was_overtaken_before_its_first_byte_sends_nothing(push: Push, books: Books) -> None:
    sleeper = claimed(push)
    assert sleeper.push.lease_until
    worker.sweep(now=sleeper.push.lease_until + timedelta(seconds=1))
    worker.deliver([sleeper])
    assert books.calls == []


def test_a_busy_platform_is_left_alone_by_all_pushes_for_longer_each_time(
    push: Push, books: Books, wired: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.creates = [TryLater("busy") for _ in range(12)]
    waits = []
    moment = push.due_at
    for _ in range(12):
        monkeypatch.setattr(timezone, "now", lambda at=moment: at)
        carry(push, moment)
        waits.append((push.due_at - moment) / record.FIRST_WAIT)
        wired.refresh_from_db()
        assert wired.paused_until == push.due_at
        moment = push.due_at
    assert waits == [1, 2, 4, 8, 16, 32, 64, *[120] * 5]
    assert {attempt.outcome for attempt in push.attempts.all()} == {PushAttempt.Outcome.NOT_SENT}
    assert len(set(books.keys)) == 1, "nothing was written, so the key is as good as new"


def test_an_authorisation_that_ended_is_waited_for_without_a_pause(push: Push, books: Books, wired: Connection) -> None:
    books.creates = [Reconnect("dead")]
    carry(push)
    wired.refresh_from_db()
    assert (push.state, wired.state, wired.paused_until) == ("READY", "RECONNECT", None)
    assert not worker.claim(wired, now=push.due_at + timedelta(days=1))
    Connection.objects.update(state="ACTIVE")
    assert carry(push).state == "SENT"


def test_a_wrong_organisation_before_anything_left_is_for_a_person_and_leaves_no_open_attempt(
    push: Push, books: Books
) -> None:
    RemoteLink.objects.filter(kind="CLIENT").delete()

    def elsewhere(_: object) -> None:
        raise Misdirected("Sage answered for organisation b-2.", status=200)

    books.find_clients = elsewhere  # type: ignore[attr-defined]
    carry(push)
    assert (push.state, push.cause) == ("ATTENTION", "MISDIRECTED")
    assert push.attempts.get().outcome == PushAttempt.Outcome.NOT_SENT


def test_a_rate_whose_link_is_gone_by_then_is_named_and_nothing_leaves(push: Push, books: Books) -> None:
    RemoteLink.objects.filter(local_key="STANDARD").delete()
    carry(push)
    assert (push.state, push.cause, books.calls) == ("ATTENTION", "REJECTED", [])
    (problem,) = push.problems
    assert (problem["fix"], problem["meaning"]) == ("TAX_RATES", "No tax rate of Sage's is chosen for STANDARD.")
    assert push.attempts.get().document is None


def test_an_accident_in_our_own_code_leaves_nothing_sending_for_ever(push: Push, books: Books) -> None:
    def accident() -> None:
        raise ZeroDivisionError

    books.before_answer = accident
    with pytest.raises(ZeroDivisionError):
        carry(push)
    push.refresh_from_db()
    assert push.state == Push.State.SENDING
    assert push.lease_until
    worker.sweep(now=push.lease_until + timedelta(milliseconds=1))
    push.refresh_from_db()
    assert push.state == Push.State.UNKNOWN
    books.finds = [[{}]]
    assert look(push).state == Push.State.SENT


def test_a_total_that_sage_counts_otherwise_is_noted(push: Push, books: Books) -> None:
    books.creates = [{"total": Decimal("204.01")}]
    carry(push)
    assert push.state == Push.State.SENT
    assert "Sage's total is 204.01, ours is 204.00." in notes(push)


def test_a_draft_in_sage_is_linked_without_a_number(push: Push, books: Books) -> None:
    books.creates = [{"number": ""}]
    carry(push)
    assert push.remote
    assert (push.state, push.remote.number) == ("SENT", "")
    assert "Sent to Sage as a draft, token token-1." in notes(push)


def queue(count: int, new_invoice: Callable[..., Invoice], staff: User, now: datetime) -> list[Push]:
    return [services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now) for _ in range(count)]


def test_one_connection_sends_one_invoice_at_a_time(
    push: Push, wired: Connection, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    (second,) = queue(1, new_invoice, staff, now)
    assert claimed(push)
    assert not worker.claim(wired, now=now, push_id=second.pk)


def test_a_lane_taken_between_our_look_and_our_write_is_seen(
    push: Push, wired: Connection, new_invoice: Callable[..., Invoice], staff: User, now: datetime, monkeypatch: Any
) -> None:
    (second,) = queue(1, new_invoice, staff, now)
    assert claimed(push)
    monkeypatch.setattr(claims, "_free_lane", lambda _: 0)
    assert not worker.claim(wired, now=now, push_id=second.pk)
    second.refresh_from_db()
    assert (second.state, second.attempts.count()) == ("READY", 0)


def test_one_hint_carries_all_that_waits_the_oldest_first(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    queue(3, new_invoice, staff, now)
    assert worker.work(push.pk) is None
    assert [sent.reference for sent in books.documents] == [f"INV-0000{n}" for n in (1, 2, 3, 4)]
    assert set(Push.objects.values_list("state", flat=True)) == {"SENT"}


def test_a_long_queue_makes_room_for_others_and_names_who_is_next(
    push: Push,
    books: Books,
    new_invoice: Callable[..., Invoice],
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "DRAIN", 2)
    rest = queue(4, new_invoice, staff, now)
    assert worker.work(push.pk) == (rest[2].pk, rest[2].due_at)
    assert len(books.documents) == 3


def test_who_is_told_to_wait_names_who_is_next_and_when_and_nobody_else_does(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    (second,) = queue(1, new_invoice, staff, now)
    books.creates = [{}, TryLater("Sage asks us to slow down.", after=7)]
    left = worker.work(push.pk)
    second.refresh_from_db()
    second.connection.refresh_from_db()
    assert left == (second.pk, second.due_at)
    assert second.due_at == second.connection.paused_until
    assert worker.work(second.pk) is None, "a worker that finds nothing to do asks for nothing"


def test_a_worker_without_a_lane_asks_for_nothing(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    (second,) = queue(1, new_invoice, staff, now)
    assert claimed(push)
    assert worker.work(second.pk) is None


def test_a_hint_about_nothing_does_nothing(books: Books) -> None:
    assert worker.work(987654) is None


def test_a_sweep_names_what_is_due_and_only_that(
    push: Push, books: Books, wired: Connection, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    second, third = queue(2, new_invoice, staff, now)
    assert worker.sweep(now=now) == [push.pk], "one hint a connection: the rest follows from it"
    assert worker.sweep(now=now - timedelta(seconds=1)) == []
    Push.objects.filter(pk=second.pk).update(state="UNKNOWN", due_at=now)
    Push.objects.filter(pk=third.pk).update(state="UNKNOWN", due_at=now + timedelta(seconds=9))
    assert worker.sweep(now=now) == [second.pk, push.pk]
    Connection.objects.update(paused_until=now + timedelta(seconds=1))
    assert worker.sweep(now=now) == [second.pk], "a pause holds what is sent, not what is looked up"
    Connection.objects.update(paused_until=now, state="RECONNECT")
    assert worker.sweep(now=now) == []


def test_a_sweep_names_one_push_for_each_look(
    push: Push, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    many = [push, *queue(11, new_invoice, staff, now)]
    Push.objects.update(state="UNKNOWN", due_at=now)
    assert worker.sweep(now=now) == [many[0].pk, many[10].pk]


@pytest.mark.parametrize("state", ["ATTENTION", "CANCELLED", "SENT"])
def test_what_has_ended_is_never_due(new_push: NewPush, now: datetime, state: str) -> None:
    new_push(state)
    assert worker.sweep(now=now + timedelta(days=365)) == []


def test_a_lease_that_still_runs_is_left_alone(push: Push, now: datetime) -> None:
    mine = claimed(push)
    assert mine.push.lease_until
    worker.sweep(now=mine.push.lease_until)
    push.refresh_from_db()
    assert push.state == Push.State.SENDING


def test_a_token_that_is_another_invoices_already_ends_with_a_person(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], wired: Connection, now: datetime
) -> None:
    """As where ours was renamed in Sage, read in as a stranger and deleted, and its key is answered with it again."""
    remote_of(new_invoice(), wired, now, remote_id="token-1")
    carry(push)
    push.refresh_from_db()
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    assert books.calls == ["create"]
    assert "Sage answered with token-1, which is another one here." in push.invoice.events.values_list(
        "text", flat=True
    )
    assert worker.sweep(now=now + timedelta(days=1)) == []
    assert push.attempts.get().outcome == PushAttempt.Outcome.OPEN


def test_what_was_answered_with_anothers_token_is_kept(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], wired: Connection, now: datetime
) -> None:
    remote_of(new_invoice(), wired, now, remote_id="token-1")
    mine = claimed(push)
    ((_, sent),) = claims.intend(
        [(mine, worker._document(mine, books))],  # type: ignore[arg-type]
        lease_until=push.due_at + timedelta(seconds=9),
        now=push.due_at,
    )
    mine.attempt.http_status, mine.attempt.answer = 201, "what Sage said"
    record.sent(mine, theirs(sent), now=push.due_at)
    kept = push.attempts.get()
    assert (kept.http_status, kept.answer) == (201, "what Sage said")


def test_a_refusal_of_the_old_authorisation_does_not_pause_a_new_one(
    push: Push, books: Books, wired: Connection
) -> None:
    books.creates = [Reconnect("dead")]
    books.before_answer = lambda: Connection.objects.update(authorised_at=timezone.now())
    carry(push)
    wired.refresh_from_db()
    assert (push.state, wired.state) == ("READY", "ACTIVE")


def test_a_call_that_outlives_every_limit_is_told_of_while_it_still_hangs(
    push: Push, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr(worker, "LANE_LIMIT", timedelta(milliseconds=20))
    books.before_answer = lambda: told.wait(10)
    worker.work(push.pk, overtime=told.set)
    assert told.is_set()
    push.refresh_from_db()
    assert push.state == "SENT"


def test_a_call_that_ends_in_time_is_not(push: Push, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[threading.Timer] = []
    monkeypatch.setattr(threading.Timer, "start", lambda timer: limits.append(timer))  # noqa: PLW0108
    worker.work(push.pk, overtime=lambda: None)
    assert [limit.finished.is_set() for limit in limits] == [True]
