"""What changed in the books comes in: once each, page by page, whatever stops it on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from connectors.interface import (
    BookedInvoice,
    BookedLine,
    Changes,
    PlatformError,
    Reconnect,
    RemoteInvoice,
    RemoteStatus,
    TryLater,
)
from connectors.models import Connection, RemoteLink
from incrementors.models import Group, Number
from invoices import drafts, intake, pull, services
from invoices import push as worker
from invoices.models import Client, Event, Invoice, InvoiceLine, Pull, Push
from invoices.models import RemoteInvoice as Row
from invoices.standing import shown_number
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def booked(n: int, **changes: Any) -> BookedInvoice:
    """An invoice of 120.00 as the books hold it; what is about the invoice itself may be given by name."""
    theirs = {
        "id": f"k{n}",
        "number": f"SI-{1000 + n}",
        "reference": f"THEIRS-{n}",
        "client_id": "C-9",
        "client_name": "Castle Hill Apartments",
        "issue_date": date(2026, 11, 2),
        "total": Decimal("120.00"),
        "url": f"https://sage.example/{n}",
        "outstanding": Decimal("120.00"),
    }
    about = {name: changes.pop(name) for name in list(changes) if name in RemoteInvoice.__slots__ and name != "lines"}
    line = BookedLine(
        description="Entered in Sage",
        account="4000",
        account_id="acc-4000",
        quantity=Decimal(1),
        unit_price=Decimal("100.00"),
        net=Decimal("100.00"),
        tax=Decimal("20.00"),
    )
    given: dict[str, Any] = {
        "due_date": date(2026, 12, 2),
        "currency": "GBP",
        "net": Decimal("100.00"),
        "tax": Decimal("20.00"),
        "lines": (line,),
        "changed_at": MOMENT + timedelta(seconds=n),
    }
    return BookedInvoice(invoice=RemoteInvoice(**{**theirs, **about}), **{**given, **changes})


@dataclass
class Books:
    """Books of which a page holds `size`; the cursor is how many were read. It notes what it was asked."""

    invoices: list[BookedInvoice] = field(default_factory=list)
    size: int = 3
    cursors: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    trouble: list[PlatformError | None] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None
    read: int = 0

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        self.cursors.append(cursor)
        self.before_answer()
        if self.trouble and (error := self.trouble.pop(0)):
            raise error
        start = int(cursor or 0)
        page, left = self.invoices[start : start + self.size], len(self.invoices) - start - self.size
        return Changes(invoices=tuple(page), cursor=str(start + len(page)), is_last=left <= 0, left=max(left, 0))

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        self.read += 1
        newest = {one.invoice.id: one.invoice for one in self.invoices}
        return tuple(newest[each] for each in remote_ids if each in newest and each not in self.deleted)

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        return self.deleted.intersection(remote_ids)


@pytest.fixture
def books(wired: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Books:
    Connection.objects.update(platform="sage_intacct", company_id="HARBOUR")
    wired.refresh_from_db()
    held = Books([booked(n) for n in range(7)])
    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: held)
    pull.request(wired, now=now)
    return held


def read(connection: Connection) -> Pull:
    """One whole reading, begun now."""
    while pull.read(connection.pk, now=Pull.objects.get().due_at):
        pass
    return Pull.objects.get()


def what_is_kept() -> list[tuple[object, ...]]:
    """All that must be the same however often the reading was interrupted."""
    rows = Row.objects.order_by("remote_id").select_related("invoice")
    return [
        (
            row.remote_id,
            row.number,
            row.invoice.number,
            row.invoice.status,
            row.invoice.total,
            row.invoice.client.name,
            row.invoice.lines.count(),
        )
        for row in rows
    ]


def test_invoices_raised_in_the_books_come_once_each_with_client_lines_and_both_numbers(
    books: Books, wired: Connection
) -> None:
    ended = read(wired)
    assert (ended.seen, ended.imported, ended.left) == (7, 7, 0)
    first = Invoice.objects.get(remotes__remote_id="k0")
    assert (first.origin, first.status, first.number) == ("IMPORTED", "SENT", "IMP-00001")
    assert (first.net, first.tax, first.total, first.outstanding) == (100, 20, 120, 120)
    assert (first.client.name, first.reference, first.currency) == ("Castle Hill Apartments", "THEIRS-0", "GBP")
    (line,) = first.lines.all()
    assert (line.description, line.nominal_code, line.net, line.tax) == ("Entered in Sage", "4000", 100, 20)
    assert shown_number(first, wired) == "SI-1000"
    assert shown_number(first, None) == "IMP-00001"
    assert Invoice.objects.filter(origin="IMPORTED").count() == 7
    assert sorted(Number.objects.filter(group="IMPORTED").values_list("value", flat=True)) == [*range(1, 8)]


def test_a_second_reading_of_the_same_changes_nothing_and_writes_no_history(books: Books, wired: Connection) -> None:
    read(wired)
    before, events = what_is_kept(), Event.objects.count()
    pull.restart(wired, now=Pull.objects.get().due_at)
    ended = read(wired)
    assert (ended.seen, ended.imported, ended.updated) == (7, 0, 0)
    assert (what_is_kept(), Event.objects.count()) == (before, events)


def test_one_that_comes_twice_in_a_page_is_kept_once(books: Books, wired: Connection) -> None:
    books.invoices = [booked(1), booked(1), booked(2)]
    read(wired)
    assert Invoice.objects.filter(origin="IMPORTED").count() == 2


STEPS = [
    # where the worker dies: before the call, after the answer, among the writes, and once the page is kept
    ("connectors.services.open_connector", "before"),
    ("invoices.pull._keep", "before"),
    ("invoices.strangers._clients", "after"),
    ("invoices.strangers.take_numbers", "before"),
    ("invoices.strangers.take_numbers", "after"),
    ("invoices.strangers.shown_once", "after"),
    ("invoices.pull._count", "before"),
    ("invoices.pull._keep", "after"),
    ("invoices.pull._look_again", "before"),
    ("invoices.pull._end", "before"),
]


class Killed(BaseException):
    """Nothing in the code under test catches it, as nothing catches kill -9."""


def dies(monkeypatch: pytest.MonkeyPatch, target: str, when: str, *, at: int) -> None:
    """The n-th call of the target kills the worker, before or after it is done."""
    module, name = target.rsplit(".", 1)
    whole = __import__(module, fromlist=[name])
    real, calls = getattr(whole, name), [0]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if when == "before" and calls[0] == at:
            raise Killed
        result = real(*args, **kwargs)
        if when == "after" and calls[0] == at:
            raise Killed
        return result

    monkeypatch.setattr(whole, name, deadly)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(("target", "when"), STEPS, ids=[f"{when} {target}" for target, when in STEPS])
def test_a_worker_killed_at_any_step_of_a_page_ends_with_the_same_rows(
    books: Books, wired: Connection, monkeypatch: pytest.MonkeyPatch, target: str, when: str, at: int
) -> None:
    expected = [
        (f"k{n}", f"SI-{1000 + n}", f"IMP-{n + 1:05}", "SENT", 120, "Castle Hill Apartments", 1) for n in range(7)
    ]
    with monkeypatch.context() as deadly:
        dies(deadly, target, when, at=at)
        try:
            read(wired)
        except Killed:
            assert pull.read(wired.pk, now=Pull.objects.get().due_at) is False, "its lease holds yet"
    later = Pull.objects.get()
    Pull.objects.update(lease_until=None, due_at=later.due_at)
    read(wired)
    assert what_is_kept() == expected
    assert Group.objects.get(pk="IMPORTED").next_value == 8
    assert RemoteLink.objects.filter(kind="CLIENT", remote_id="C-9").count() == 1


def test_two_readings_at_once_are_one(books: Books, wired: Connection) -> None:
    seconds = []
    books.before_answer = lambda: seconds.append(pull.read(wired.pk, now=Pull.objects.get().due_at))
    read(wired)
    assert seconds == [False, False, False]
    assert books.cursors == ["", "3", "6"]


def test_a_frozen_reader_that_wakes_up_late_keeps_nothing(books: Books, wired: Connection, now: datetime) -> None:
    def meanwhile() -> None:
        books.before_answer = lambda: None
        Pull.objects.update(lease_until=now - timedelta(seconds=1), due_at=now)
        read(wired)

    books.before_answer = meanwhile
    pull.read(wired.pk, now=now)
    assert Invoice.objects.filter(origin="IMPORTED").count() == 7
    assert Pull.objects.get().imported == 7


def test_trouble_on_the_way_keeps_what_was_read_and_goes_on_from_there(books: Books, wired: Connection) -> None:
    books.trouble = [None, TryLater("Sage asks us to slow down.", after=30)]
    stopped = read(wired)
    assert (stopped.cursor, stopped.imported, stopped.trouble) == ("3", 3, "Sage asks us to slow down.")
    assert stopped.is_running
    ended = read(wired)
    assert (ended.imported, ended.trouble, ended.is_running) == (7, "", False)
    assert books.cursors == ["", "3", "3", "6"]


def test_a_dead_authorisation_asks_for_an_admin_and_loses_nothing(books: Books, wired: Connection) -> None:
    books.trouble = [None, Reconnect("dead")]
    read(wired)
    wired.refresh_from_db()
    assert wired.state == Connection.State.RECONNECT
    assert pull.due(now=Pull.objects.get().due_at) == []
    Connection.objects.update(state=Connection.State.ACTIVE)
    assert read(wired).imported == 7


def test_a_person_stops_it_and_sync_now_goes_on_from_there(books: Books, wired: Connection, now: datetime) -> None:
    books.before_answer = lambda: pull.stop(wired)
    stopped = read(wired)
    assert (stopped.imported, stopped.is_running, stopped.is_stopping) == (3, False, False)
    assert stopped.due_at > now
    books.before_answer = lambda: None
    pull.request(wired, now=now)
    read(wired)
    assert books.cursors == ["", "3", "6"]
    assert Invoice.objects.filter(origin="IMPORTED").count() == 7


def test_export_only_imports_nothing_and_asks_for_nothing_before_the_first_of_ours_is_there(
    books: Books, wired: Connection
) -> None:
    Connection.objects.update(sync_settings={"direction": "EXPORT"})
    read(wired)
    assert books.cursors == []
    assert not Invoice.objects.filter(origin="IMPORTED").exists()


def changed(books: Books, wired: Connection, *invoices: BookedInvoice) -> Pull:
    books.invoices += invoices
    pull.request(wired, now=Pull.objects.get().due_at)
    return read(wired)


def test_payments_and_voids_follow_and_go_back(books: Books, wired: Connection) -> None:
    read(wired)
    invoice = Invoice.objects.get(remotes__remote_id="k4")
    steps = [
        (RemoteStatus.PART_PAID, "70.00", "PART_PAID", "Part paid in Sage: 70.00 GBP is outstanding."),
        (RemoteStatus.PAID, "0.00", "PAID", "Paid in Sage."),
        (RemoteStatus.OPEN, "120.00", "SENT", "No longer paid in Sage: 120.00 GBP is outstanding."),
        (RemoteStatus.VOID, "0.00", "VOID", "Voided in Sage."),
    ]
    for theirs, due, ours, text in steps:
        changed(books, wired, booked(4, status=theirs, outstanding=Decimal(due)))
        invoice.refresh_from_db()
        assert (invoice.status, invoice.outstanding) == (ours, Decimal(due))
        assert invoice.events.first().text == text  # type: ignore[union-attr]


def test_an_imported_invoice_changed_over_there_is_what_the_books_hold(books: Books, wired: Connection) -> None:
    read(wired)
    line = replace(
        booked(4).lines[0], description="Changed", account="4010", net=Decimal("50.00"), tax=Decimal("10.00")
    )
    changed(books, wired, booked(4, lines=(line,), net=Decimal(50), tax=Decimal(10), total=Decimal(60)))
    invoice = Invoice.objects.get(remotes__remote_id="k4")
    assert (invoice.total, invoice.lines.get().description, invoice.lines.get().nominal_code) == (60, "Changed", "4010")
    assert invoice.number == "IMP-00005"


def test_our_own_push_coming_back_is_followed_and_never_imported(
    books: Books, wired: Connection, new_push: NewPush
) -> None:
    push = new_push("SENT")
    assert push.remote
    books.invoices = [booked(1, id=push.remote.remote_id, reference="INV-00001", status=RemoteStatus.PAID)]
    ended = read(wired)
    push.invoice.refresh_from_db()
    assert (ended.imported, push.invoice.status) == (0, "PAID")
    assert Invoice.objects.count() == 1
    assert not Number.objects.filter(group="IMPORTED").exists()


def test_with_read_back_off_our_own_stay_as_they_are_and_imported_ones_follow(
    books: Books, wired: Connection, new_push: NewPush
) -> None:
    Connection.objects.update(sync_settings={"read_back": "OFF"})
    push = new_push("SENT")
    assert push.remote
    books.invoices = [booked(1, id=push.remote.remote_id), booked(2)]
    read(wired)
    paid = {"status": RemoteStatus.PAID, "outstanding": Decimal(0)}
    changed(books, wired, booked(1, id=push.remote.remote_id, **paid), booked(2, **paid))
    assert dict(Invoice.objects.values_list("origin", "status")) == {"OWN": "SENT", "IMPORTED": "PAID"}


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN"])
def test_a_push_that_may_just_be_arriving_is_left_to_itself(
    books: Books, wired: Connection, new_push: NewPush, state: str
) -> None:
    new_push(state)
    books.invoices = [booked(1, reference="inv-00001"), booked(2)]
    assert read(wired).imported == 1


def test_a_push_that_waits_to_be_sent_again_is_left_to_itself_as_what_was_absent_may_come_late(
    books: Books, wired: Connection, new_push: NewPush, now: datetime
) -> None:
    push = new_push("READY")
    push.attempts.create(n=1, generation=1, key="k", started_at=now, resolved_at=now, outcome="ABSENT")
    books.invoices = [booked(1, reference="INV-00001")]
    assert read(wired).imported == 0


def test_a_push_that_is_recorded_while_its_page_is_taken_is_followed_and_not_imported(
    books: Books, wired: Connection, new_push: NewPush, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = new_push("SENDING")
    books.invoices = [booked(1, reference="INV-00001")]

    def recorded_after_the_first_question(name: str) -> None:
        asked = getattr(intake, name)

        def between(*args: Any) -> Any:
            answer = asked(*args)
            if not Row.objects.exists():
                remote = remote_of(push.invoice, wired, now, remote_id="k1", number="SI-1001")
                push.attempts.update(outcome="SENT", resolved_at=now)
                Push.objects.update(state="SENT", remote=remote, sent_at=now, lease_until=None)
            return answer

        monkeypatch.setattr(intake, name, between)

    for question in ("_under_way", "what_differs", "_known"):
        recorded_after_the_first_question(question)
    assert read(wired).imported == 0
    assert Invoice.objects.count() == 1


def test_numbers_that_grow_too_long_stop_the_reading_in_words_and_lose_nothing(books: Books, wired: Connection) -> None:
    Group.objects.filter(pk="IMPORTED").update(prefix="IMPORTED-INV", suffix="-IMPORTED-IN", digits=2)
    stopped = read(wired)
    assert "longer than 25 characters" in stopped.trouble
    assert (stopped.imported, stopped.cursor, stopped.lease_until) == (0, "", None)
    Group.objects.filter(pk="IMPORTED").update(prefix="IMP-", suffix="", digits=5)
    assert read(wired).imported == 7


def test_a_reference_like_one_of_our_numbers_is_no_reason_to_leave_an_invoice_out(
    books: Books, wired: Connection, approved: Invoice
) -> None:
    books.invoices = [booked(1, reference="INV-00001")]
    assert read(wired).imported == 1


def test_an_order_entry_invoice_written_anew_keeps_its_row_and_its_number(books: Books, wired: Connection) -> None:
    books.invoices = [booked(1, document_id="SO-7")]
    read(wired)
    before = Invoice.objects.get()
    changed(books, wired, booked(1, id="k99", document_id="SO-7", total=Decimal(60), net=Decimal(50), tax=Decimal(10)))
    invoice, row = Invoice.objects.get(), Row.objects.get()
    assert (invoice.pk, invoice.number, invoice.total) == (before.pk, before.number, 60)
    assert row.remote_id == "k99"


def test_a_draft_in_the_books_comes_once_it_is_released(books: Books, wired: Connection) -> None:
    books.invoices = [booked(1, number="", status=RemoteStatus.DRAFT)]
    assert read(wired).imported == 0
    assert changed(books, wired, booked(1)).imported == 1


def test_recoding_over_there_is_shown_and_never_overwritten(books: Books, wired: Connection, new_push: NewPush) -> None:
    push = new_push("SENT")
    assert push.remote
    push.attempts.create(
        n=1,
        generation=1,
        key="k",
        started_at=MOMENT,
        resolved_at=MOMENT,
        outcome="SENT",
        document={"lines": [{"account_id": "acc-4000"}]},
    )
    moved = replace(booked(1).lines[0], account="4010", account_id="acc-4010")
    books.invoices = [booked(1, id=push.remote.remote_id, lines=(moved,))]
    read(wired)
    assert Row.objects.get().recoded == [[1, "4010"]]
    assert Invoice.objects.get().lines.get().nominal_code == ""


def test_a_number_that_another_invoice_was_given_first_is_not_shown_twice(
    books: Books, wired: Connection, invoice: Invoice
) -> None:
    books.invoices = [booked(1, number="inv-00001"), booked(2, number="SI-7"), booked(3, number="SI-7")]
    read(wired)
    shown = [shown_number(one, wired) for one in Invoice.objects.order_by("pk")]
    assert shown == ["INV-00001", "IMP-00001", "SI-7", "IMP-00003"]


def test_a_number_of_ours_that_the_books_have_given_is_skipped_and_on_record(books: Books, wired: Connection) -> None:
    books.invoices = [booked(1, number="IMP-00002"), booked(2), booked(3)]
    books.size = 1
    read(wired)
    ours = list(Invoice.objects.order_by("pk").values_list("number", flat=True))
    assert ours == ["IMP-00001", "IMP-00003", "IMP-00004"]
    assert Number.objects.get(text="IMP-00002").outcome == "SKIPPED"


def test_a_client_linked_before_is_used_and_one_of_the_same_name_is_linked(
    books: Books, wired: Connection, client_of_ours: Client, now: datetime
) -> None:
    other = Client.objects.create(name="Castle Hill Apartments")
    link = {"connection": wired, "kind": "CLIENT", "remote_id": "C-1", "linked_at": now}
    RemoteLink.objects.create(**link, local_key=str(client_of_ours.uuid))
    books.invoices = [booked(1, client_id="C-1", client_name="Whatever"), booked(2), booked(3, client_id="C-10")]
    read(wired)
    clients = [row.invoice.client_id for row in Row.objects.order_by("pk").select_related("invoice")]
    assert clients[:2] == [client_of_ours.pk, other.pk]
    assert Client.objects.filter(name="Castle Hill Apartments").count() == 2, "a second customer of that name is new"


def test_what_is_deleted_over_there_is_void_here_and_stays_on_record(books: Books, wired: Connection) -> None:
    read(wired)
    books.deleted = {"k2"}
    Pull.objects.update(compared_at=None)
    changed(books, wired)
    invoice = Invoice.objects.get(remotes__remote_id="k2")
    assert (invoice.status, invoice.outstanding) == ("VOID", 0)
    assert invoice.events.first().text == "Deleted in Sage, where it was SI-1002."  # type: ignore[union-attr]
    assert Row.objects.get(remote_id="k2").gone_at


def test_deletions_are_looked_for_once_a_day(books: Books, wired: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(books, "gone", lambda ids, since: asked.append(len(ids)) or frozenset())
    read(wired)
    changed(books, wired)
    assert asked == [7]


def test_an_open_invoice_is_read_again_after_a_while_though_nothing_says_it_changed(
    books: Books, wired: Connection, now: datetime
) -> None:
    read(wired)
    reads = books.read
    books.invoices[3] = booked(3, status=RemoteStatus.PAID, outstanding=Decimal(0))
    changed(books, wired)
    assert books.read == reads, "not yet"
    Row.objects.update(checked_at=now - timedelta(days=1))
    changed(books, wired)
    assert Invoice.objects.get(remotes__remote_id="k3").status == "PAID"
    assert books.read == reads + 1


def test_a_long_reading_makes_room_for_others_and_goes_on(
    books: Books, wired: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "PAGES", 2)
    books.size = 1
    assert pull.read(wired.pk, now=Pull.objects.get().due_at) is True
    between = Pull.objects.get()
    assert (between.imported, between.is_running, between.lease_until) == (2, True, None)
    assert read(wired).imported == 7


def test_the_next_reading_is_due_as_often_as_the_settings_say(books: Books, wired: Connection) -> None:
    Connection.objects.update(sync_settings={"sync_every": "60"})
    ended = read(wired)
    assert ended.ended_at
    assert timedelta(minutes=59) < ended.due_at - ended.ended_at < timedelta(minutes=61)
    assert pull.due(now=ended.due_at - timedelta(minutes=1)) == []
    assert pull.due(now=ended.due_at) == [wired.pk]


def test_a_connection_that_is_set_up_is_read_from_then_on(wired: Connection, now: datetime) -> None:
    assert pull.due(now=now) == [wired.pk]
    Connection.objects.update(state=Connection.State.DISCONNECTED, disconnected_at=now)
    assert pull.due(now=now) == []


def test_an_imported_invoice_can_not_be_sent_changed_or_discarded(
    books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    read(wired)
    invoice = Invoice.objects.filter(origin="IMPORTED")[0]
    deeds = [
        lambda: services.request_push(invoice_id=invoice.pk, actor=staff, now=now),
        lambda: services.approve(invoice_id=invoice.pk, actor=staff, now=now),
        lambda: services.return_to_draft(invoice_id=invoice.pk, actor=staff, now=now),
        lambda: services.discard(invoice_id=invoice.pk, reason="x", actor=staff, now=now),
    ]
    for deed in deeds:
        with pytest.raises(services.Refused):
            deed()
    assert not Push.objects.exists()
    assert worker.claim(wired, now=now) == []


def test_a_page_costs_the_same_number_of_queries_however_many_it_brings(
    books: Books, wired: Connection, django_assert_max_num_queries: Any
) -> None:
    books.size, books.invoices = 50, [booked(n) for n in range(50)]
    with django_assert_max_num_queries(50):
        read(wired)
    assert InvoiceLine.objects.count() == 50
    assert drafts.platform_numbers(["SI-1007"]) == {"SI-1007"}
