"""An invoice becomes void in Sage first and then here, once, whatever stops it on the way; only a person begins it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.interface import (
    Fix,
    Misdirected,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Reconnect,
    Rejected,
    RemoteInvoice,
    RemoteStatus,
    TryLater,
)
from connectors.models import Connection
from invoices import intake, parting, record, services, tasks, void_services, voiding
from invoices import push as worker
from invoices.drafts import Refused
from invoices.models import Event, Invoice, Push, PushAttempt, Voiding
from invoices.models import RemoteInvoice as Row
from invoices.standing import why_void
from tests.invoices.conftest import NewPush, remote_of
from tests.invoices.test_pull import Killed, dies
from tests.invoices.test_pull import booked as in_books

pytestmark = pytest.mark.django_db
REASON = "Raised twice"
LOST = OutcomeUnknown("The line was cut.")
CLOSED = Rejected((Problem(message="The period is closed.", meaning="Books are closed.", fix=Fix.REMOTE),), status=422)


@dataclass
class Books:
    """One invoice in a platform that voids it unless told otherwise, and notes what it was asked."""

    seen: RemoteInvoice | None
    says: list[PlatformError] = field(default_factory=list)
    looks: list[PlatformError] = field(default_factory=list)
    commits: bool = True
    deleted: bool = True
    calls: list[str] = field(default_factory=list)
    on_void: Callable[[], object] = lambda: None
    on_look: Callable[[], object] = lambda: None

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        self.calls.append("look")
        self.on_look()
        if self.looks:
            raise self.looks.pop(0)
        return (self.seen,) if self.seen else ()

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        return frozenset(remote_ids) if self.deleted else frozenset()

    def void_invoice(self, invoice: RemoteInvoice, reason: str, on: date) -> None:
        self.calls.append(f"void: {reason}")
        self.on_void()
        error = self.says.pop(0) if self.says else None
        if self.seen is None or self.seen.status is RemoteStatus.VOID:
            raise Rejected((Problem(message="It is void or gone already."),), status=422)
        if error is None or (isinstance(error, OutcomeUnknown) and self.commits):
            self.become(None if self.seen.status is RemoteStatus.DRAFT else RemoteStatus.VOID)
        if error:
            raise error

    def become(self, status: RemoteStatus | None) -> None:
        self.seen = replace(self.seen, status=status, outstanding=Decimal(0)) if self.seen and status else None


@pytest.fixture
def sent(new_push: NewPush) -> Invoice:
    invoice = new_push("SENT").invoice
    invoice.refresh_from_db()
    return invoice


@pytest.fixture
def remote(sent: Invoice) -> Row:
    return Row.objects.get(invoice=sent)


@pytest.fixture
def books(sent: Invoice, remote: Row, monkeypatch: pytest.MonkeyPatch) -> Books:
    held = Books(
        RemoteInvoice(
            id=remote.remote_id,
            number=remote.number,
            reference=str(sent.number),
            client_id="c-1",
            issue_date=sent.issue_date,
            total=sent.total,
            outstanding=sent.total,
        )
    )
    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: held)
    return held


@pytest.fixture
def asked(books: Books, sent: Invoice, staff: User, now: datetime) -> Voiding:
    return void_services.request_void(invoice_id=sent.pk, reason=REASON, actor=staff, now=now)


def due(row: Voiding) -> Voiding:
    """As if its time had come, and the lease of whoever held it were over."""
    past = timezone.now() - timedelta(seconds=1)
    Voiding.objects.filter(pk=row.pk).update(due_at=past)
    Voiding.objects.filter(pk=row.pk, state="WORKING").update(lease_until=past)
    Connection.objects.update(paused_until=None)
    row.refresh_from_db()
    return row


def carry(row: Voiding) -> Voiding:
    voiding.work(due(row).pk)
    row.refresh_from_db()
    return row


def history(invoice: Invoice) -> list[str]:
    return [event.text for event in invoice.events.order_by("pk")]


def assert_void_once(row: Voiding, books: Books, text: str = f"Voided in Sage: {REASON}") -> None:
    row.refresh_from_db()
    invoice = row.remote.invoice
    invoice.refresh_from_db()
    assert (row.state, invoice.status, invoice.outstanding) == ("DONE", "VOID", 0)
    assert row.remote.status == "VOID"
    assert books.seen is None or books.seen.status is RemoteStatus.VOID
    told = [one for one in history(invoice) if one.startswith(("Voided in Sage", "Deleted in Sage"))]
    assert told == [text]


# What becomes of it -------------------------------------------------------------------------------------------
def test_it_is_void_in_sage_first_then_here_with_number_token_reason_and_who(
    asked: Voiding, books: Books, sent: Invoice, staff: User
) -> None:
    number = sent.number
    carry(asked)
    assert_void_once(asked, books)
    assert books.calls == ["look", f"void: {REASON}"]
    assert (asked.outcome, asked.remote.number, asked.remote.remote_id) == ("VOIDED", number, f"token-{sent.pk}")
    sent.refresh_from_db()
    assert sent.number == number
    why = why_void(sent)
    assert why and why.actor == staff
    assert history(sent)[-2:] == [f"To be voided in Sage: {REASON}", f"Voided in Sage: {REASON}"]


def test_a_draft_over_there_is_removed_and_said_to_be(asked: Voiding, books: Books, remote: Row) -> None:
    Row.objects.update(is_draft=True, number="", status="DRAFT")
    books.become(RemoteStatus.DRAFT)
    carry(asked)
    text = f"Voided in Sage, where it was a draft and is removed: {REASON}"
    assert_void_once(asked, books, text)
    remote.refresh_from_db()
    assert remote.gone_at is not None


@pytest.mark.parametrize(
    ("status", "outcome", "text"),
    [
        (RemoteStatus.VOID, "WAS_VOID", f"Voided in Sage before Reflow asked for it. Asked for here: {REASON}"),
        (None, "WAS_GONE", f"Deleted in Sage before Reflow asked for it. Asked for here: {REASON}"),
    ],
)
def test_what_is_void_or_deleted_there_already_is_not_asked_for(
    asked: Voiding, books: Books, status: RemoteStatus | None, outcome: str, text: str
) -> None:
    books.become(status)
    carry(asked)
    assert books.calls == ["look"]
    assert_void_once(asked, books, text)
    assert asked.outcome == outcome


def test_one_voided_there_between_the_look_and_the_call_is_found_void(asked: Voiding, books: Books) -> None:
    books.on_void = lambda: books.become(RemoteStatus.VOID)
    carry(asked)
    assert books.calls == ["look", f"void: {REASON}", "look"]
    assert asked.outcome == "WAS_VOID"
    assert Invoice.objects.get().status == "VOID"


def test_one_that_sage_neither_shows_nor_calls_deleted_is_for_a_person(
    asked: Voiding, books: Books, sent: Invoice
) -> None:
    books.seen, books.deleted = None, False
    carry(asked)
    sent.refresh_from_db()
    assert (asked.state, asked.problems[0]["code"], sent.status) == ("ATTENTION", "UNSEEN", "SENT")


@pytest.mark.parametrize("status", [RemoteStatus.PART_PAID, RemoteStatus.PAID])
def test_one_that_is_paid_there_is_not_asked_for_and_says_what_to_do(
    asked: Voiding, books: Books, sent: Invoice, status: RemoteStatus
) -> None:
    books.become(status)
    carry(asked)
    sent.refresh_from_db()
    assert books.calls == ["look"]
    assert (asked.state, asked.problems[0]["fix"], sent.status) == ("ATTENTION", "REMOTE", "SENT")
    assert "Take the payments and credits off it there" in asked.problems[0]["meaning"]


# What goes wrong ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("commits", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("error", [LOST, OutcomeUnknown("Sage answered 500.", status=500)])
def test_a_lost_answer_is_looked_up_and_asked_for_again_only_where_it_is_not_void(
    asked: Voiding, books: Books, error: OutcomeUnknown, commits: bool
) -> None:
    books.says, books.commits = [error], commits
    carry(asked)
    assert asked.state == "WAITING"
    assert asked.asked_at is not None
    assert asked.due_at > asked.requested_at
    carry(asked)
    assert_void_once(asked, books)
    assert books.calls == ["look", f"void: {REASON}", "look"] + ([] if commits else [f"void: {REASON}"])
    assert asked.outcome == "VOIDED", "it was our call that did it"


def test_answers_lost_again_and_again_are_for_a_person_and_never_stuck(asked: Voiding, books: Books) -> None:
    books.says, books.commits = [LOST] * 20, False
    waits = []
    while asked.state == "WAITING":
        before = timezone.now()
        carry(asked)
        waits.append((asked.due_at - before).total_seconds())
    assert asked.state == "ATTENTION"
    assert len(waits) == voiding.MOST_LOST
    assert waits[:3] == pytest.approx([0.5, 1, 2], abs=0.3), "the clocks run ten times as fast here"
    assert "no clear answer" in asked.problems[0]["meaning"]


def test_a_busy_sage_is_waited_for_with_the_whole_connection(asked: Voiding, books: Books, wired: Connection) -> None:
    books.says = [TryLater("Sage asks us to slow down.", after=30)]
    carry(asked)
    wired.refresh_from_db()
    assert (asked.state, asked.asked_at) == ("WAITING", None)
    assert wired.paused_until == asked.due_at
    assert voiding.due(now=timezone.now()) == []
    carry(asked)
    assert_void_once(asked, books)


def test_sage_away_at_the_look_is_waited_for(asked: Voiding, books: Books) -> None:
    books.looks = [TryLater("Sage could not be reached.")]
    carry(asked)
    assert (asked.state, books.calls) == ("WAITING", ["look"])
    carry(asked)
    assert_void_once(asked, books)


def test_a_look_that_fails_leaves_an_earlier_doubt_as_it_was(asked: Voiding, books: Books) -> None:
    books.says = [LOST]
    doubt = carry(asked).asked_at
    books.looks = [TryLater("Sage could not be reached.")]
    assert carry(asked).asked_at == doubt is not None
    carry(asked)
    assert (asked.state, asked.outcome) == ("DONE", "VOIDED")


def test_a_dead_authorisation_waits_for_an_admin_and_goes_on_then(
    asked: Voiding, books: Books, wired: Connection
) -> None:
    books.says = [Reconnect("dead")]
    carry(asked)
    wired.refresh_from_db()
    assert (asked.state, asked.asked_at, wired.state) == ("WAITING", None, "RECONNECT")
    assert voiding.due(now=due(asked).due_at + timedelta(days=1)) == []
    Connection.objects.update(state="ACTIVE")
    carry(asked)
    assert_void_once(asked, books)


def test_a_refusal_is_shown_in_sages_words_and_tried_again_once_it_is_mended(
    asked: Voiding, books: Books, sent: Invoice, staff: User, now: datetime
) -> None:
    books.says = [CLOSED]
    carry(asked)
    sent.refresh_from_db()
    assert (asked.state, sent.status, asked.asked_at) == ("ATTENTION", "SENT", None)
    assert asked.problems[0]["message"] == "The period is closed."
    assert voiding.due(now=now + timedelta(days=9)) == [], "never by itself"
    assert carry(asked).tries == 1
    void_services.try_again(invoice_id=sent.pk, actor=staff, now=now)
    carry(asked)
    assert_void_once(asked, books)


def test_another_organisations_answer_is_for_a_person(asked: Voiding, books: Books, sent: Invoice) -> None:
    books.says = [Misdirected("Sage answered for another one.")]
    carry(asked)
    sent.refresh_from_db()
    assert (asked.state, sent.status) == ("ATTENTION", "SENT")
    assert "Another organisation answered" in asked.problems[0]["meaning"]


def test_a_person_may_keep_the_invoice_instead_and_ask_anew_later(
    asked: Voiding, books: Books, sent: Invoice, staff: User, now: datetime
) -> None:
    books.says = [CLOSED]
    carry(asked)
    void_services.keep_invoice(invoice_id=sent.pk, actor=staff, now=now)
    asked.refresh_from_db()
    assert (asked.state, asked.problems) == ("GIVEN_UP", [])
    assert carry(asked).state == "GIVEN_UP"
    again = void_services.request_void(invoice_id=sent.pk, reason="Wrong client", actor=staff, now=now)
    carry(again)
    assert_void_once(again, books, "Voided in Sage: Wrong client")


def test_what_waits_may_be_kept_as_long_as_nothing_of_it_has_left(
    asked: Voiding, books: Books, sent: Invoice, staff: User, now: datetime
) -> None:
    books.says = [LOST]
    carry(asked)
    with pytest.raises(Refused, match="just voiding it"):
        void_services.keep_invoice(invoice_id=sent.pk, actor=staff, now=now)
    Voiding.objects.update(asked_at=None)
    void_services.keep_invoice(invoice_id=sent.pk, actor=staff, now=now)
    asked.refresh_from_db()
    assert asked.state == "GIVEN_UP"


# A worker dies, freezes or meets another ----------------------------------------------------------------------
STEPS = [
    # where the worker dies: before the claim, before and after the look, the record of it, the call, and the end
    ("invoices.voiding._claim", "before"),
    ("invoices.voiding._claim", "after"),
    ("invoices.voiding._look", "before"),
    ("invoices.voiding._look", "after"),
    ("invoices.voiding._intend", "before"),
    ("invoices.voiding._intend", "after"),
    ("invoices.voiding._carry", "after"),
    ("invoices.voiding._end", "before"),
    ("invoices.voiding._end", "after"),
    ("invoices.voiding._done", "before"),
    ("invoices.voiding._done", "after"),
]


@pytest.mark.parametrize(("target", "when"), STEPS, ids=[f"{when} {target}" for target, when in STEPS])
def test_a_worker_killed_at_any_step_leaves_it_to_the_next_one_and_it_is_void_once(
    asked: Voiding, books: Books, sent: Invoice, monkeypatch: pytest.MonkeyPatch, target: str, when: str
) -> None:
    with monkeypatch.context() as deadly:
        dies(deadly, target, when, at=1)
        due(asked)
        with pytest.raises(Killed):
            voiding.work(asked.pk)
    asked.refresh_from_db()
    if asked.state == "WORKING":
        assert voiding.due(now=timezone.now()) == [], "its lease holds yet"
    for _ in range(2):
        carry(asked)
    assert_void_once(asked, books)
    assert sum(call.startswith("void") for call in books.calls) == 1


def test_two_workers_at_once_are_one(asked: Voiding, books: Books) -> None:
    books.on_look = lambda: voiding.work(asked.pk)
    carry(asked)
    assert books.calls == ["look", f"void: {REASON}"]
    assert_void_once(asked, books)


def test_a_frozen_worker_that_wakes_up_late_asks_for_nothing(asked: Voiding, books: Books) -> None:
    def meanwhile() -> None:
        books.on_look = lambda: None
        carry(asked)

    books.on_look = meanwhile
    carry(asked)
    assert books.calls == ["look", "look", f"void: {REASON}"]
    assert_void_once(asked, books)


def test_a_late_answer_of_a_worker_that_was_overtaken_changes_nothing(asked: Voiding, books: Books) -> None:
    def meanwhile() -> None:
        books.on_void = lambda: None
        carry(asked)

    books.on_void = meanwhile
    carry(asked)
    assert_void_once(asked, books)
    assert asked.fence == 2


def test_a_worker_whose_lease_is_over_may_send_no_byte(
    asked: Voiding, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}

    def open_connector(*_: object, **options: Any) -> Books:
        opened.update(options)
        return books

    monkeypatch.setattr("connectors.services.open_connector", open_connector)
    may = []
    books.on_void = lambda: may.append(opened["may_leave"]())
    carry(asked)
    assert may == [True]
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.now(asked.due_at.tzinfo) + timedelta(minutes=1))
    assert opened["may_leave"]() is False


def test_the_sweep_finds_what_a_lost_message_forgot_and_what_a_dead_worker_left(
    asked: Voiding, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    hinted: list[int] = []
    monkeypatch.setattr(tasks, "hint_void", hinted.append)
    tasks.sweep_pushes()
    assert hinted == [asked.pk]
    Voiding.objects.update(state="WORKING", lease_until=timezone.now() + timedelta(minutes=1))
    tasks.sweep_pushes()
    assert hinted == [asked.pk]
    Voiding.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep_pushes()
    assert hinted == [asked.pk] * 2


# The reading of the books at the same moment ------------------------------------------------------------------
def page(sent: Invoice, **changes: Any) -> Any:
    """This invoice as a page of changes brings it."""
    about = {"id": f"token-{sent.pk}", "number": sent.number, "reference": sent.number, "total": sent.total}
    return in_books(1, **{**about, "outstanding": sent.total, "client_id": "c-1", **changes})


def take(wired: Connection, sent: Invoice, **changes: Any) -> None:
    with transaction.atomic():
        intake.take(wired, [page(sent, **changes)], now=timezone.now())


def test_a_page_that_shows_it_void_before_the_answer_is_written_down_leaves_that_to_the_voiding(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection
) -> None:
    books.on_void = lambda: take(wired, sent, status=RemoteStatus.VOID, outstanding=Decimal(0))
    carry(asked)
    assert_void_once(asked, books)


def test_a_page_read_before_the_void_and_kept_after_it_does_not_bring_it_back(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection
) -> None:
    carry(asked)
    for status, outstanding in ((RemoteStatus.OPEN, sent.total), (RemoteStatus.PART_PAID, Decimal(1))):
        take(wired, sent, status=status, outstanding=outstanding)
        assert_void_once(asked, books)


def test_a_page_in_hand_while_it_becomes_void_does_not_bring_it_back(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's rows were loaded before, and are written after."""
    whole = intake._recoded
    monkeypatch.setattr(intake, "_recoded", lambda *given: (carry(asked), whole(*given))[1])
    take(wired, sent, status=RemoteStatus.PART_PAID, outstanding=Decimal(1))
    assert_void_once(asked, books)


def test_open_invoices_read_again_meanwhile_and_a_comparison_do_not_bring_it_back_or_say_it_twice(
    asked: Voiding, books: Books, sent: Invoice, remote: Row
) -> None:
    row = Row.objects.select_related("invoice").get()
    carry(asked)
    before = page(sent, status=RemoteStatus.PART_PAID, outstanding=Decimal(1)).invoice
    assert intake.refresh([row], [before], now=timezone.now()) == 0
    assert intake.mark_gone([Row.objects.select_related("invoice").get()], now=timezone.now()) == 0
    assert_void_once(asked, books)


def test_numbers_read_meanwhile_leave_it_void(asked: Voiding, books: Books, sent: Invoice) -> None:
    row = Row.objects.select_related("invoice").get()
    PushAttempt.objects.create(
        push=row.push, n=1, generation=1, key="k", started_at=timezone.now(), resolved_at=timezone.now(), outcome="SENT"
    )
    assert books.seen
    seen = replace(books.seen, number="SI-7")
    carry(asked)
    record.number_came(row, seen, now=timezone.now())
    asked.refresh_from_db()
    assert (asked.remote.status, asked.remote.number) == ("VOID", "SI-7")


@pytest.mark.parametrize("state", ["WAITING", "ATTENTION"])
def test_a_void_made_by_a_person_in_sage_wakes_what_waits_here_and_ends_it(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection, state: str
) -> None:
    books.says = [CLOSED if state == "ATTENTION" else TryLater("busy", after=600)]
    carry(asked)
    assert asked.state == state
    books.become(RemoteStatus.VOID)
    take(wired, sent, status=RemoteStatus.VOID, outstanding=Decimal(0))
    Connection.objects.update(paused_until=None)
    assert voiding.due(now=timezone.now()) == [asked.pk]
    carry(asked)
    assert_void_once(asked, books, f"Voided in Sage before Reflow asked for it. Asked for here: {REASON}")


def test_one_found_deleted_that_comes_back_after_all_follows_again(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection
) -> None:
    """As where Sage's user lost sight of it for a while: nothing was asked of Sage."""
    books.become(None)
    assert carry(asked).outcome == "WAS_GONE"
    take(wired, sent)
    sent.refresh_from_db()
    assert (sent.status, sent.remotes.get().gone_at) == ("SENT", None)


def test_what_is_paid_meanwhile_still_follows(asked: Voiding, sent: Invoice, wired: Connection) -> None:
    take(wired, sent, status=RemoteStatus.PART_PAID, outstanding=Decimal("4.00"))
    sent.refresh_from_db()
    assert (sent.status, sent.outstanding) == ("PART_PAID", 4)


# A connection ends --------------------------------------------------------------------------------------------
def test_a_disconnect_says_so_first_and_gives_up_what_nobody_has_begun(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection, admin: User, now: datetime
) -> None:
    assert parting.forecast(wired).voidings == 1
    parting.disconnect(wired, actor=admin, now=now)
    asked.refresh_from_db()
    sent.refresh_from_db()
    wired.refresh_from_db()
    assert (asked.state, sent.status, wired.state) == ("GIVEN_UP", "SENT", "DISCONNECTED")
    assert history(sent)[-1] == "Not voided: Reflow was disconnected from Sage."


@pytest.mark.parametrize("commits", [True, False], ids=["void", "not void"])
def test_what_may_be_void_already_is_looked_at_before_the_connection_ends(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection, admin: User, now: datetime, commits: bool
) -> None:
    books.says, books.commits = [LOST], commits
    carry(asked)
    parting.disconnect(wired, actor=admin, now=now)
    wired.refresh_from_db()
    assert (wired.state, asked.state) == ("DISCONNECTING", "WAITING")
    carry(asked)
    parting.finish_if_drained(now=now)
    wired.refresh_from_db()
    sent.refresh_from_db()
    assert wired.state == "DISCONNECTED"
    assert (asked.state, sent.status) == (("DONE", "VOID") if commits else ("GIVEN_UP", "SENT"))
    assert sum(call.startswith("void") for call in books.calls) == 1, "nothing new is asked for"


def test_what_can_not_be_learnt_any_more_is_left_to_a_person_who_tries_again_once_connected(
    asked: Voiding, books: Books, sent: Invoice, wired: Connection, admin: User, staff: User, now: datetime
) -> None:
    books.says = [LOST]
    carry(asked)
    later = timezone.now() + parting.PATIENCE + timedelta(seconds=1)
    parting.disconnect(wired, actor=admin, now=later)
    asked.refresh_from_db()
    wired.refresh_from_db()
    assert (wired.state, asked.state) == ("DISCONNECTED", "WAITING")
    parting.finish_if_drained(now=later)
    asked.refresh_from_db()
    assert (asked.state, asked.problems[0]["code"]) == ("ATTENTION", "PARTED")
    with pytest.raises(Refused, match="Connect Reflow to Harbour again"):
        void_services.try_again(invoice_id=sent.pk, actor=staff, now=now)
    Connection.objects.update(state="ACTIVE", disconnected_at=None)
    void_services.try_again(invoice_id=sent.pk, actor=staff, now=now)
    carry(asked)
    assert_void_once(asked, books)


def test_a_worker_that_died_while_the_connection_ends_does_not_hold_it_up(
    asked: Voiding, books: Books, wired: Connection, admin: User, now: datetime
) -> None:
    Voiding.objects.update(state="WORKING", lease_until=now)
    parting.disconnect(wired, actor=admin, now=now)
    carry(asked)
    parting.finish_if_drained(now=now)
    wired.refresh_from_db()
    assert (asked.state, wired.state, books.calls) == ("GIVEN_UP", "DISCONNECTED", ["look"])


# Who may, and when not ----------------------------------------------------------------------------------------
def request(invoice: Invoice, actor: User, reason: str = REASON) -> Voiding:
    return void_services.request_void(invoice_id=invoice.pk, reason=reason, actor=actor, now=timezone.now())


def test_a_second_click_is_the_same(asked: Voiding, sent: Invoice, admin: User) -> None:
    assert request(sent, admin, "Another reason") == asked
    assert Voiding.objects.count() == 1


def test_two_clicks_at_once_are_one_for_the_database_as_well(asked: Voiding, remote: Row, staff: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Voiding.objects.create(
            remote=remote, reason="x", requested_at=asked.due_at, requested_by=staff, due_at=asked.due_at
        )


@pytest.mark.parametrize("name", ["viewer", "staff"])
def test_only_who_may_approve_may_void(request: pytest.FixtureRequest, books: Books, sent: Invoice, name: str) -> None:
    actor: User = request.getfixturevalue(name)
    if name == "staff":
        actor.groups.get().permissions.remove(Permission.objects.get(codename="approve_invoice"))
        actor = User.objects.get(pk=actor.pk)
    for service in (
        lambda: void_services.request_void(invoice_id=sent.pk, reason="x", actor=actor, now=timezone.now()),
        lambda: void_services.try_again(invoice_id=sent.pk, actor=actor, now=timezone.now()),
        lambda: void_services.keep_invoice(invoice_id=sent.pk, actor=actor, now=timezone.now()),
    ):
        with pytest.raises(Refused, match="approve invoices"):
            service()
    assert not Voiding.objects.exists()


@pytest.mark.parametrize("reason", ["", "   ", "r" * 201])
def test_it_needs_a_reason_as_long_as_sage_keeps_it(books: Books, sent: Invoice, staff: User, reason: str) -> None:
    with pytest.raises(Refused, match="at most 200 characters"):
        request(sent, staff, reason)


def test_a_reason_is_one_line(books: Books, sent: Invoice, staff: User) -> None:
    assert request(sent, staff, " Raised\n twice ").reason == REASON


def elsewhere(invoice: Invoice, now: datetime) -> None:
    Connection.objects.update(state="DISCONNECTED", disconnected_at=now)
    Connection.objects.create(
        platform="sage_intacct",
        state="ACTIVE",
        company_id="c-2",
        company_name="Other",
        authorised_at=now,
        authorised_by=User.objects.get(username="ada"),
    )


STANDS_IN_THE_WAY: list[tuple[Callable[[Invoice, datetime], object], str, Fix | None]] = [
    (lambda one, _: Invoice.objects.update(status="PART_PAID"), "Take the payments and credits off it", Fix.REMOTE),
    (lambda one, _: Invoice.objects.update(status="PAID"), "Take the payments and credits off it", Fix.REMOTE),
    (lambda one, _: Invoice.objects.update(status="VOID"), "It is void already", None),
    (lambda one, _: Invoice.objects.update(origin="IMPORTED"), "It was raised in Sage: void it there", Fix.REMOTE),
    (
        lambda one, now: Connection.objects.update(state="DISCONNECTED", disconnected_at=now),
        "Connect again",
        Fix.CONNECTION,
    ),
    (elsewhere, "It is in the books of Harbour, and Reflow is not connected to them now", Fix.CONNECTION),
    (lambda one, _: Connection.objects.update(state="DISCONNECTING"), "just being disconnected", Fix.CONNECTION),
    (
        lambda one, now: PushAttempt.objects.create(
            push=Push.objects.get(), n=9, generation=9, key="k", started_at=now
        ),
        "on its way",
        None,
    ),
]


@pytest.mark.parametrize(
    ("arrange", "words", "fix"), STANDS_IN_THE_WAY, ids=[words for _, words, _ in STANDS_IN_THE_WAY]
)
def test_what_can_not_be_voided_from_here_says_where_to_go(
    books: Books,
    sent: Invoice,
    staff: User,
    now: datetime,
    arrange: Callable[[Invoice, datetime], object],
    words: str,
    fix: Fix | None,
) -> None:
    arrange(sent, now)
    with pytest.raises(Refused, match=words) as refused:
        request(sent, staff)
    assert refused.value.fix == fix
    assert not Voiding.objects.exists()
    assert books.calls == []


@pytest.mark.parametrize("state", ["READY", "SENDING", "UNKNOWN"])
def test_never_while_it_is_on_its_way(new_push: NewPush, staff: User, state: str) -> None:
    push = new_push(state)
    with pytest.raises(Refused, match="on its way"):
        request(push.invoice, staff)


def test_an_approved_one_that_was_never_sent_is_taken_back_to_draft_instead(approved: Invoice, staff: User) -> None:
    with pytest.raises(Refused, match="Take it back to draft"):
        request(approved, staff)


def test_while_the_authorisation_is_dead_it_may_be_asked_for_and_waits(
    books: Books, sent: Invoice, staff: User
) -> None:
    Connection.objects.update(state="RECONNECT")
    row = request(sent, staff)
    assert voiding.due(now=timezone.now()) == []
    Connection.objects.update(state="ACTIVE")
    carry(row)
    assert_void_once(row, books)


def test_nothing_is_ever_voided_that_nobody_asked_for(books: Books, sent: Invoice, wired: Connection) -> None:
    tasks.sweep_pushes()
    parting.finish_if_drained(now=timezone.now())
    worker.read_numbers(now=timezone.now())
    assert not any(call.startswith("void") for call in books.calls)
    assert not Voiding.objects.exists()


def test_a_void_invoice_is_never_sent_again(asked: Voiding, books: Books, sent: Invoice, staff: User) -> None:
    carry(asked)
    push = services.request_push(invoice_id=sent.pk, actor=staff, now=timezone.now())
    assert push.state == Push.State.SENT
    assert Event.objects.filter(text__startswith="Queued").count() == 1


def test_a_gone_copy_is_not_voided_again(books: Books, sent: Invoice, wired: Connection, staff: User) -> None:
    remote_of(sent, wired, timezone.now(), remote_id="old", gone_at=timezone.now())
    assert request(sent, staff).remote.remote_id == f"token-{sent.pk}"
