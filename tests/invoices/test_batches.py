"""Several invoices in one call: who goes together, what one bad one does, and what a lost answer leads to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from connectors import services as connectors
from connectors.interface import (
    Changes,
    Fix,
    NewInvoice,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Rejected,
    RemoteInvoice,
    TryLater,
)
from connectors.models import Connection, RemoteLink
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push, PushAttempt, PushBatch
from invoices.models import RemoteInvoice as Row
from tests.invoices.books import LOST, SERVER_ERROR, theirs

pytestmark = pytest.mark.django_db

REFUSED = Rejected((Problem(message="The customer is on hold.", fix=Fix.CLIENT_LINK),), status=422)
Call = tuple[str, tuple[str, ...]]


@dataclass
class Books:
    """A platform that takes batches and tells no number with them; it notes what it was asked."""

    answers: list[PlatformError | dict[str, PlatformError]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    held: dict[str, RemoteInvoice] = field(default_factory=dict)
    loses: bool = False
    questions: list[int] = field(default_factory=list)
    looks: int = 0

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        self.calls.append((key, tuple(invoice.reference for invoice in invoices)))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return tuple(answer.get(each.reference) or self._write(each) for each in invoices)

    def _write(self, invoice: NewInvoice) -> RemoteInvoice:
        made = theirs(invoice, id=f"key-{invoice.reference}", number=f"SI-{invoice.reference[-4:]}")
        self.held[made.id] = made
        return replace(made, number="", is_read=False)

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        return Changes(invoices=(), cursor="", is_last=True, left=0)

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        self.looks += 1
        return tuple(one for one in self.held.values() if one.reference == invoice.reference)

    def find_number(self, number: str, client_id: str) -> tuple[RemoteInvoice, ...]:
        return ()

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        self.questions.append(len(remote_ids))
        return tuple(self.held[each] for each in remote_ids if each in self.held)


@pytest.fixture
def books(wired: Connection, client_of_ours: Client, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Books:
    Connection.objects.update(platform="sage_intacct", company_id="HARBOUR")
    wired.refresh_from_db()
    RemoteLink.objects.create(
        connection=wired, kind="CLIENT", local_key=str(client_of_ours.uuid), remote_id="C-1", linked_at=now
    )
    pretend = Books()
    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: pretend)
    return pretend


Queue = Callable[[int], list[Push]]


@pytest.fixture
def queue(books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime) -> Queue:
    def queued(count: int, **changes: Any) -> list[Push]:
        made = [new_invoice(**changes) for _ in range(count)]
        return [services.request_push(invoice_id=invoice.pk, actor=staff, now=now) for invoice in made]

    return queued


def fresh(pushes: Sequence[Push]) -> list[Push]:
    return list(Push.objects.filter(pk__in=[push.pk for push in pushes]).order_by("pk"))


def carry(connection: Connection, now: datetime) -> None:
    hand = worker.claim(connection, now=now)
    assert hand
    worker.deliver(hand)


@pytest.mark.thorough
def test_a_hundred_go_in_four_calls_and_one_question_brings_their_numbers(
    queue: Queue, books: Books, wired: Connection
) -> None:
    pushes = queue(100)
    worker.work(pushes[0].pk)
    assert [len(references) for _, references in books.calls] == [25, 25, 25, 25]
    assert books.questions == [100]
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert sorted(Row.objects.values_list("number", flat=True)) == sorted(one.number for one in books.held.values())
    assert len({key for key, _ in books.calls}) == 4


def test_each_invoice_gets_the_token_and_the_number_of_its_own_member(queue: Queue, books: Books) -> None:
    pushes = queue(7)
    worker.work(pushes[0].pk)
    for push in fresh(pushes):
        assert push.remote
        assert push.remote.remote_id == f"key-{push.invoice.number}"
        assert push.remote.number == f"SI-{str(push.invoice.number)[-4:]}"


def test_a_batch_is_on_record_before_it_leaves_with_its_members_in_order(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    books.answers = [LOST]
    carry(wired, now)
    batch = PushBatch.objects.get()
    assert [attempt.push_id for attempt in batch.attempts.order_by("position")] == [push.pk for push in pushes]
    assert {attempt.key for attempt in batch.attempts.all()} == {batch.key}
    assert books.calls[0][0] == batch.key
    assert len(batch.payload_hash) == 64


def test_one_bad_invoice_stops_none_of_the_others(queue: Queue, books: Books) -> None:
    pushes = queue(5)
    books.answers = [{str(pushes[2].invoice.number): REFUSED}]
    worker.work(pushes[0].pk)
    assert [push.state for push in fresh(pushes)] == ["SENT", "SENT", "ATTENTION", "SENT", "SENT"]
    assert fresh(pushes)[2].problems[0]["message"] == "The customer is on hold."


def test_a_batch_refused_as_a_whole_goes_one_by_one_and_only_the_bad_one_stays(queue: Queue, books: Books) -> None:
    pushes = queue(4)
    bad = str(pushes[1].invoice.number)
    books.answers = [REFUSED, {}, {bad: REFUSED}]
    worker.work(pushes[0].pk)
    assert [len(references) for _, references in books.calls] == [4, 1, 1, 1, 1]
    assert [push.state for push in fresh(pushes)] == ["SENT", "ATTENTION", "SENT", "SENT"]
    assert len({key for key, _ in books.calls}) == 5


def test_a_busy_platform_leaves_the_batch_to_go_again_as_one(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    books.answers = [TryLater("busy", after=1)]
    carry(wired, now)
    wired.refresh_from_db()
    assert {push.state for push in fresh(pushes)} == {"READY"}
    assert wired.paused_until
    carry(wired, max(wired.paused_until, *(push.due_at for push in fresh(pushes))))
    assert [len(references) for _, references in books.calls] == [3, 3]
    assert {push.state for push in fresh(pushes)} == {"SENT"}


def look_until_settled(pushes: Sequence[Push]) -> datetime:
    """Each is looked for when its time has come, until it is found or proven absent; when that was."""
    while unknown := [push for push in fresh(pushes) if push.state == Push.State.UNKNOWN]:
        for push in unknown:
            worker.look(push.pk, now=push.due_at)
    return max(push.due_at for push in fresh(pushes)) + timedelta(minutes=1)


def test_a_lost_batch_that_never_arrived_goes_again_unchanged_under_its_own_key(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    books.answers = [LOST]
    carry(wired, now)
    assert {push.state for push in fresh(pushes)} == {"UNKNOWN"}
    at = look_until_settled(pushes)
    carry(wired, at)
    assert books.calls[0] == books.calls[1]
    assert books.looks == 6
    assert {push.state for push in fresh(pushes)} == {"SENT"}
    assert PushBatch.objects.count() == 1


def test_a_lost_batch_that_arrived_is_found_member_by_member_and_nothing_goes_again(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    create = books.create_invoices

    def arrives_and_is_lost(invoices: Sequence[NewInvoice], key: str) -> Any:
        create(invoices, key)
        raise LOST

    books.create_invoices = arrives_and_is_lost  # type: ignore[method-assign]
    carry(wired, now)
    look_until_settled(pushes)
    assert {push.state for push in fresh(pushes)} == {"SENT"}
    assert len(books.calls) == 1
    assert {attempt.outcome for attempt in PushAttempt.objects.all()} == {"FOUND"}


def test_where_one_member_was_found_the_others_go_alone_with_keys_of_their_own(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    books.answers = [LOST]
    carry(wired, now)
    document = PushAttempt.objects.get(push=pushes[1]).document
    assert document
    books._write(claims.documents.from_json(document))
    at = look_until_settled(pushes)
    for _ in range(2):
        carry(wired, at)
    assert [len(references) for _, references in books.calls] == [3, 1, 1]
    assert len({key for key, _ in books.calls}) == 3
    assert {push.state for push in fresh(pushes)} == {"SENT"}
    assert len(books.held) == 3


def the_only_one_due(pushes: Sequence[Push]) -> Push:
    """The first; the others are looked for an hour later, and so not with it."""
    Push.objects.exclude(pk=pushes[0].pk).update(due_at=F("due_at") + timedelta(hours=1))
    return fresh(pushes)[0]


def test_a_lost_batch_that_arrives_after_the_first_of_its_members_was_proven_absent_is_not_sent_twice(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(3)
    books.answers = [LOST]
    carry(wired, now)
    first = the_only_one_due(pushes)
    while first.state == Push.State.UNKNOWN:
        worker.look(first.pk, now=first.due_at)
        first.refresh_from_db()
    for attempt in PushAttempt.objects.order_by("position"):
        books._write(claims.documents.from_json(attempt.document or {}))
    at = look_until_settled(pushes)
    carry(wired, at)
    assert {push.state for push in fresh(pushes)} == {"SENT"}
    assert len(books.calls) == 1
    assert len(books.held) == 3
    assert [attempt.outcome for attempt in first.attempts.all()] == ["ABSENT", "FOUND"]


def test_a_lost_batch_waits_until_the_last_of_its_members_is_proven_absent(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(2)
    books.answers = [LOST]
    carry(wired, now)
    first = the_only_one_due(pushes)
    while first.state == Push.State.UNKNOWN:
        worker.look(first.pk, now=first.due_at)
        first.refresh_from_db()
    assert first.state == Push.State.READY
    assert worker.claim(wired, now=first.due_at + timedelta(seconds=1)) == []
    carry(wired, look_until_settled(pushes))
    assert books.calls[0] == books.calls[1]


def test_an_answer_that_says_nothing_spends_the_key_and_the_members_go_alone(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(2)
    books.answers = [SERVER_ERROR]
    carry(wired, now)
    at = look_until_settled(pushes)
    for _ in range(2):
        carry(wired, at)
    assert [len(references) for _, references in books.calls] == [2, 1, 1]
    assert {push.generation for push in fresh(pushes)} == {2}


def test_a_lost_batch_whose_key_has_grown_old_is_looked_for_once_more_and_goes_one_by_one(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    pushes = queue(2)
    books.answers = [LOST]
    carry(wired, now)
    look_until_settled(pushes)
    PushBatch.objects.update(began_at=now - timedelta(hours=25))
    PushAttempt.objects.update(started_at=now - timedelta(hours=25))
    looks, at = books.looks, now + timedelta(days=1)
    for _ in range(2):
        carry(wired, at)
    assert books.looks == looks + 2
    assert [len(references) for _, references in books.calls] == [2, 1, 1]


def test_a_dead_worker_leaves_each_member_to_be_looked_for(
    queue: Queue, books: Books, wired: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = queue(3)
    hand = worker.claim(wired, now=now)
    monkeypatch.setattr(worker, "_send", lambda *_: ())  # killed after its documents are on record
    worker.deliver(hand)
    lease = fresh(pushes)[0].lease_until
    assert lease
    worker.sweep(now=lease + timedelta(seconds=1))
    assert {push.state for push in fresh(pushes)} == {"UNKNOWN"}


def test_a_batch_holds_one_lane(queue: Queue, wired: Connection, now: datetime) -> None:
    pushes = queue(30)
    assert len(worker.claim(wired, now=now)) == 25
    assert len(worker.claim(wired, now=now)) == 5
    lanes = sorted(push.lane for push in fresh(pushes) if push.lane is not None)
    assert lanes == [0, 1]


def test_an_invoice_whose_client_is_not_linked_goes_alone(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    stranger = Client.objects.create(name="Newcomer Ltd")
    pushes = [*queue(1), *queue(1, client=stranger), *queue(1)]  # type: ignore[call-arg]
    hand = worker.claim(wired, now=now)
    assert [claimed.push.pk for claimed in hand] == [pushes[0].pk, pushes[2].pk]


def test_an_invoice_that_was_refused_before_goes_alone_when_it_is_sent_again(
    queue: Queue, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    (first,) = queue(1)
    books.answers = [{str(first.invoice.number): REFUSED}]
    carry(wired, now)
    services.request_push(invoice_id=first.invoice_id, actor=staff, now=now)
    queue(1)
    assert len(worker.claim(wired, now=now)) == 1


def test_numbers_are_not_asked_for_while_more_is_under_way(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    queue(30)
    carry(wired, now)
    hand = worker.claim(wired, now=now)
    worker.ask_for_numbers(wired, at_the_end=True, now=now)
    assert books.questions == []
    worker.deliver(hand)
    worker.ask_for_numbers(wired, at_the_end=True, now=now)
    assert books.questions == [30]


def test_two_workers_never_ask_for_the_same_numbers(
    queue: Queue, books: Books, wired: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(2)
    carry(wired, now)
    read = books.read_invoices

    def meanwhile(remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        worker.ask_for_numbers(wired, at_the_end=True, now=now)
        return read(remote_ids)

    monkeypatch.setattr(books, "read_invoices", meanwhile)
    worker.ask_for_numbers(wired, at_the_end=True, now=now)
    assert books.questions == [2]


def test_numbers_are_not_asked_for_while_sage_is_to_rest(
    queue: Queue, books: Books, wired: Connection, now: datetime
) -> None:
    queue(2)
    carry(wired, now)
    connectors.pause(wired, until=now + timedelta(seconds=30))
    worker.ask_for_numbers(wired, at_the_end=True, now=now)
    worker.read_numbers(now=now)
    assert books.questions == []
    worker.read_numbers(now=now + timedelta(seconds=30))
    assert books.questions == [2]


def test_a_number_that_can_not_be_read_comes_later_and_nothing_is_sent_again(
    queue: Queue, books: Books, wired: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = queue(2)
    read = books.read_invoices

    def refuses(remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        raise TryLater("busy")

    monkeypatch.setattr(books, "read_invoices", refuses)
    worker.work(pushes[0].pk)
    assert {push.state for push in fresh(pushes)} == {"SENT"}
    assert set(Row.objects.values_list("number", "is_draft")) == {("", False)}
    monkeypatch.setattr(books, "read_invoices", read)
    worker.read_numbers(now=now + timedelta(hours=1))
    assert all(Row.objects.values_list("number", flat=True))
    assert len(books.calls) == 1


def test_a_token_that_carries_another_reference_lends_no_number(queue: Queue, books: Books) -> None:
    pushes = queue(2)
    books.read_invoices = lambda remote_ids: tuple(  # type: ignore[method-assign]
        replace(books.held[each], reference="INV-99999") for each in remote_ids
    )
    worker.work(pushes[0].pk)
    assert set(Row.objects.values_list("number", flat=True)) == {""}


def test_a_conflict_that_names_nothing_is_over_the_number_where_another_invoice_has_it(
    queue: Queue, books: Books, wired: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.objects.update(sync_settings={"numbers": "OURS"})
    wired.refresh_from_db()
    (push,) = queue(1)
    books.answers = [OutcomeUnknown("Sage answered 409.", status=409)]
    monkeypatch.setattr(books, "find_number", lambda number, client_id: (object(),))
    carry(wired, now)
    worker.look(push.pk, now=fresh([push])[0].due_at)
    (push,) = fresh([push])
    assert (push.state, push.cause) == ("ATTENTION", "NUMBER_TAKEN")
    assert push.attempts.get().outcome == "REJECTED"
