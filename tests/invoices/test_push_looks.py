"""A lost answer: what a look finds, what proves absence, and under which key it goes again."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from connectors.interface import OutcomeUnknown, PlatformError, Reconnect, TryLater
from connectors.models import Connection, RemoteLink
from invoices import intake, looks, record, services
from invoices import push as worker
from invoices.models import Invoice, Push, PushAttempt
from tests.invoices.books import (
    LOST,
    NUMBER_TAKEN,
    SERVER_ERROR,
    Books,
    booked,
    carry,
    look,
    look_until_proven,
    notes,
)
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "differs",
    [{"total": Decimal("204.01")}, {"client_id": "c-2"}, {"issue_date": datetime(2026, 11, 3).date()}],  # noqa: DTZ001
    ids=str,
)
def test_what_is_found_but_differs_is_for_a_person_and_is_never_sent_over(
    push: Push, books: Books, staff: User, now: datetime, differs: dict[str, Any]
) -> None:
    books.creates, books.finds = [LOST], [[differs], [differs]]
    look(carry(push))
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    assert "INV-00001 in Sage carries INV-00001 but differs from this invoice." in notes(push)
    services.request_push(invoice_id=push.invoice_id, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    assert books.calls == ["create", "find", "find"]
    assert push.attempts.get().resolved_at is None


def test_two_under_one_reference_are_for_a_person(push: Push, books: Books) -> None:
    books.creates, books.finds = [LOST], [[{}, {"id": "token-2"}]]
    look(carry(push))
    assert (push.state, push.cause, push.remote) == ("ATTENTION", "SEVERAL", None)
    assert "2 invoices in Sage carry INV-00001." in notes(push)


def test_one_that_is_another_invoices_already_is_not_linked_to_this_one(
    push: Push, books: Books, new_invoice: Callable[..., Invoice], wired: Connection, now: datetime
) -> None:
    remote_of(new_invoice(), wired, now, remote_id="token-1")
    books.creates, books.finds = [LOST], [[{}]]
    look(carry(push))
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")


def test_once_a_person_has_cleared_it_up_a_look_links_it(push: Push, books: Books, staff: User, now: datetime) -> None:
    books.creates, books.finds = [LOST], [[{"total": Decimal(1)}], [{}]]
    look(carry(push))
    services.request_push(invoice_id=push.invoice_id, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert push.attempts.get().outcome == PushAttempt.Outcome.FOUND
    assert push.invoice.status == Invoice.Status.SENT


def test_a_look_that_fails_proves_nothing(push: Push, books: Books) -> None:
    books.creates = [LOST]
    books.finds = [TryLater("busy"), OutcomeUnknown("unreadable", status=200), (), ()]
    assert look_until_proven(carry(push)) == 4
    assert push.state == Push.State.READY


def test_a_look_without_an_authorisation_waits_for_one(push: Push, books: Books, wired: Connection) -> None:
    books.creates, books.finds = [LOST], [Reconnect("dead")]
    look(carry(push))
    wired.refresh_from_db()
    assert (push.state, wired.state) == ("UNKNOWN", "RECONNECT")
    assert worker.sweep(now=push.due_at + timedelta(days=1)) == []
    worker.look(push.pk, now=push.due_at + timedelta(days=1))
    assert books.calls == ["create", "find"]
    Connection.objects.update(state="ACTIVE")
    books.finds = [[{}]]
    assert look(push).state == "SENT"


def test_no_look_comes_before_its_time(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    worker.look(push.pk, now=push.due_at - timedelta(milliseconds=1))
    assert books.calls == ["create"]


def test_the_first_look_leaves_sage_a_minute_after_the_last_byte_may_have_left(push: Push, books: Books) -> None:
    books.creates = [LOST]
    until = carry(push).attempts.get().may_leave_until
    assert until
    worker.look(push.pk, now=until + record.QUIET - timedelta(milliseconds=1))
    assert books.calls == ["create"]
    worker.look(push.pk, now=until + record.QUIET)
    assert books.calls == ["create", "find"]


def test_while_one_looks_another_does_not(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    at = push.due_at
    assert looks.claim(push.pk, at)
    assert looks.claim(push.pk, at) == []
    assert looks.claim(push.pk, at + worker.LEASE), "and one that died is followed by another"


def test_absence_is_proven_by_two_looks_apart_and_the_last_of_them_late(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    last_byte = push.attempts.get().may_leave_until
    assert last_byte
    moments = []
    while push.state == Push.State.UNKNOWN:
        moments.append(push.due_at)
        look(push)
    first, *_, last = moments
    assert first >= last_byte + record.QUIET
    assert last - first >= record.LOOK_GAP
    assert last >= last_byte + record.ABSENCE
    assert push.attempts.get().outcome == PushAttempt.Outcome.ABSENT


def test_a_second_look_that_comes_early_for_whatever_reason_proves_nothing(push: Push, books: Books) -> None:
    books.creates = [LOST]
    look(carry(push))
    assert push.looked_at
    Push.objects.update(due_at=push.looked_at + timedelta(milliseconds=1))
    push.refresh_from_db()
    look(push)
    assert push.state == Push.State.UNKNOWN
    assert push.attempts.get().resolved_at is None


@pytest.mark.parametrize(("error", "generation"), [(LOST, 1), (SERVER_ERROR, 2)], ids=["no answer", "answered 500"])
def test_a_key_is_given_up_only_where_an_answer_may_have_spent_it(
    push: Push, books: Books, error: PlatformError, generation: int
) -> None:
    books.creates = [error]
    look_until_proven(carry(push))
    assert push.generation == generation
    carry(push)
    assert (books.keys[0] == books.keys[1]) is (generation == 1)
    assert push.state == Push.State.SENT


def test_the_same_key_is_only_ever_sent_with_the_same_document(push: Push, books: Books, wired: Connection) -> None:
    books.creates = [LOST]
    look_until_proven(carry(push))
    Connection.objects.update(sales_account_id="acc-9999")
    RemoteLink.objects.filter(kind="CLIENT").update(remote_id="c-other")
    carry(push)
    assert books.keys[0] == books.keys[1]
    assert books.documents[0] == books.documents[1]


@pytest.mark.parametrize(("days", "calls"), [(3, ["create"]), (4, ["find", "create"])])
def test_a_key_past_half_its_life_is_not_relied_on_without_a_look(
    push: Push, books: Books, days: int, calls: list[str]
) -> None:
    books.creates = [LOST]
    look_until_proven(carry(push))
    PushAttempt.objects.update(started_at=push.due_at - timedelta(days=days))
    books.calls.clear()
    carry(push)
    assert books.calls == calls
    assert push.state == Push.State.SENT


def test_what_the_look_before_an_old_key_finds_is_linked_and_nothing_is_sent(push: Push, books: Books) -> None:
    books.creates = [LOST]
    look_until_proven(carry(push))
    PushAttempt.objects.update(started_at=push.due_at - timedelta(days=6))
    books.calls.clear()
    books.finds = [[{}]]
    carry(push)
    assert books.calls == ["find"]
    assert (push.state, push.attempts.get(n=2).outcome) == ("SENT", "FOUND")


def test_a_number_taken_by_what_we_sent_ourselves_is_looked_up_and_no_conflict(push: Push, books: Books) -> None:
    """The first try came through after all, after two looks had missed it."""
    books.creates, books.finds = [LOST, NUMBER_TAKEN], [(), (), [{}]]
    look_until_proven(carry(push))
    carry(push)
    assert push.state == Push.State.UNKNOWN
    assert look(push).state == Push.State.SENT


def test_a_number_taken_by_somebody_else_is_for_a_person(push: Push, books: Books) -> None:
    books.creates = [NUMBER_TAKEN]
    carry(push)
    assert (push.state, push.cause, push.problems[0]["fix"]) == ("ATTENTION", "NUMBER_TAKEN", "NUMBER")


def test_a_look_before_a_person_asked_again_proves_nothing_afterwards(
    push: Push, books: Books, staff: User, now: datetime
) -> None:
    books.creates = [LOST]
    carry(push)
    assert look(push).looked_at
    books.finds = [[{"total": Decimal(1)}]]
    assert look(push).cause == Push.Cause.DIFFERENT
    again = services.request_push(invoice_id=push.invoice_id, actor=staff, now=now + timedelta(days=1))
    assert again.looked_at is None


def test_a_second_look_does_not_go_by_the_reference_but_by_all_that_changed_since(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    attempt = push.attempts.get()
    books.changed = [(), [booked(books.documents[0], attempt.started_at)]]
    assert look(push).state == "SENT", "a search may lag behind the books"
    moment = (attempt.started_at - looks.CLOCKS_APART).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert books.asked_since == [f'{{"moment": "{moment}"}}', "next"]
    assert push.attempts.get().outcome == PushAttempt.Outcome.FOUND


def test_what_changed_is_read_once_for_all_that_are_due(
    books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime, wired: Connection
) -> None:
    """After an outage hundreds are unknown: a reading for each would be an outage of its own."""
    books.creates = [LOST] * 12
    pushes = [
        services.request_push(invoice_id=new_invoice(issue_date=date(2026, 11, 1 + n)).pk, actor=staff, now=now)
        for n in range(12)
    ]
    for push in pushes:
        carry(push)
    books.finds = [(), [{}]]
    renamed = booked(books.documents[2], pushes[2].due_at, reference="PO 17", number="SI-9", id="token-9")
    books.changed = [[booked(books.documents[3], now), renamed]]
    at = max(push.due_at for push in pushes)
    for push in pushes:
        worker.look(push.pk, now=at)
    assert len(books.asked_since) == 2, "for ten, and for the two that were left"
    assert books.calls.count("find") == 12
    states = [*Push.objects.order_by("pk").values_list("state", flat=True)]
    assert states == ["UNKNOWN", "SENT", "ATTENTION", "SENT", *["UNKNOWN"] * 8]
    assert Push.objects.exclude(looked_at=None).count() == 12 - 3


def test_a_look_that_fails_halfway_keeps_what_it_saw(
    books: Books, new_invoice: Callable[..., Invoice], staff: User, now: datetime, wired: Connection
) -> None:
    books.creates = [LOST] * 3
    pushes = [services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now) for _ in range(3)]
    for push in pushes:
        carry(push)
    books.finds = [[{}], TryLater("Sage is busy.", status=503)]
    worker.look(pushes[0].pk, now=pushes[2].due_at)
    assert [*Push.objects.order_by("pk").values_list("state", "looked_at")] == [
        ("SENT", None),
        *[("UNKNOWN", None)] * 2,
    ]


def test_what_is_the_same_but_for_its_reference_is_for_a_person(push: Push, books: Books) -> None:
    books.creates = [LOST]
    carry(push)
    books.changed = [[booked(books.documents[0], push.due_at, reference="PO 17", number="SI-9")]]
    look(push)
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    assert (
        "SI-9 in Sage is the same as this invoice but for its reference, PO 17; nothing there carries INV-00001."
        in (notes(push))
    )
    assert push.attempts.get().resolved_at is None, "so that nothing is sent over it"


def test_one_that_was_renamed_and_read_in_before_the_look_is_for_a_person_and_never_sent_again(
    push: Push, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    """It left, its answer was lost, a colleague renamed it, and a sync took it for an invoice raised over there."""
    books.creates = [LOST]
    carry(push)
    wired.sync_settings = {"direction": "BOTH"}
    theirs = booked(books.documents[0], now, reference="PO 17", number="SI-9")
    assert intake.take(wired, [theirs], now=push.due_at).imported == 1
    books.changed = [[theirs]]
    look(push)
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")


@pytest.mark.parametrize(
    "differs",
    [
        {"total": Decimal("1.00")},
        {"client_id": "c-2"},
        {"currency": "EUR"},
        {"lines": ()},
        {"reference": "INV-00002"},
        {"id": "theirs"},
    ],
    ids=str,
)
def test_what_differs_or_is_another_of_ours_is_not_taken_for_this_one(
    push: Push,
    books: Books,
    new_invoice: Callable[..., Invoice],
    wired: Connection,
    now: datetime,
    differs: dict[str, Any],
) -> None:
    remote_of(new_invoice(), wired, now, remote_id="theirs")
    books.creates = [LOST]
    carry(push)
    books.changed = [[booked(books.documents[0], now, **{"reference": "PO 17", **differs})]]
    assert (look(push).state, push.looked_at is not None) == ("UNKNOWN", True)


def test_a_second_look_that_fails_proves_nothing(push: Push, books: Books) -> None:
    books.creates, books.changed = [LOST], [TryLater("busy"), TryLater("busy")]
    carry(push)
    assert (look(push).state, push.looked_at) == ("UNKNOWN", None)
