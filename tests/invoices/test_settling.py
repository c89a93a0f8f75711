"""A person decides: this one is it, though it differs or had come in already; or none is, and ours goes again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.interface import Misdirected, RemoteInvoice, RemoteStatus
from connectors.models import Connection
from incrementors.models import Number
from invoices import intake, mailing, pull, record, services, settling, standing
from invoices.models import Invoice, InvoiceMail, InvoiceTotal, Push, PushAttempt, Voiding
from invoices.models import RemoteInvoice as Row
from tests.invoices.books import LOST, Books, booked, carry, look, notes, theirs
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def doubtful(push: Push, books: Books) -> Push:
    """Its answer was lost, and a look found something under its reference that differs."""
    books.creates, books.finds = [LOST], [[{"total": Decimal(1)}]]
    look(carry(push))
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    return push


@pytest.fixture
def later(doubtful: Push) -> datetime:
    """When Sage can't be at work on the first attempt any more."""
    moment = settling.absent_from(doubtful)
    assert moment
    return moment


def in_sage(books: Books, **changes: Any) -> RemoteInvoice:
    return theirs(books.documents[0], **changes)


def link(push: Push, remote: RemoteInvoice, staff: User, now: datetime) -> Push:
    services.link_to_remote(invoice_id=push.invoice_id, remote=remote, actor=staff, now=now)
    push.refresh_from_db()
    push.invoice.refresh_from_db()
    return push


def send_again(push: Push, staff: User, now: datetime, *seen: RemoteInvoice) -> Push:
    services.send_again(invoice_id=push.invoice_id, seen=seen, actor=staff, now=now)
    push.refresh_from_db()
    return push


def import_twin(wired: Connection, books: Books, now: datetime, **changes: Any) -> Invoice:
    """It was renamed over there, and came in as if it had been raised there."""
    wired.sync_settings = {"direction": "BOTH"}
    twin = booked(books.documents[0], now, **{"reference": "PO 17", "number": "SI-9", **changes})
    assert intake.take(wired, [twin], now=now).imported == 1
    return Invoice.objects.get(origin="IMPORTED")


# This is it
def test_one_that_differs_is_linked_and_ours_follows_what_sage_holds(
    doubtful: Push, books: Books, staff: User, now: datetime
) -> None:
    remote = in_sage(books, total=Decimal(1), status=RemoteStatus.PART_PAID, outstanding=Decimal("0.40"))
    link(doubtful, remote, staff, now)
    assert (doubtful.state, doubtful.cause, doubtful.remote and doubtful.remote.remote_id) == ("SENT", "", "token-1")
    assert (doubtful.invoice.status, doubtful.invoice.outstanding) == ("PART_PAID", Decimal("0.40"))
    assert doubtful.attempts.get().outcome == PushAttempt.Outcome.FOUND
    assert books.calls == ["create", "find"]
    assert doubtful.invoice.events.filter(text="Linked to INV-00001 in Sage.", actor=staff).exists()


def test_one_that_is_void_there_makes_ours_void(doubtful: Push, books: Books, staff: User, now: datetime) -> None:
    link(doubtful, in_sage(books, status=RemoteStatus.VOID), staff, now)
    assert (doubtful.state, doubtful.invoice.status, doubtful.invoice.outstanding) == ("SENT", "VOID", 0)


def test_one_of_another_push_is_not_linked_whether_by_its_token_or_its_number(
    doubtful: Push, books: Books, new_invoice: Callable[..., Invoice], wired: Connection, staff: User, now: datetime
) -> None:
    other = new_invoice()
    services.request_push(invoice_id=other.pk, actor=staff, now=now)
    with pytest.raises(services.Refused, match=f"belongs to another one of ours already: {other.number}"):
        link(doubtful, in_sage(books, reference=other.number), staff, now)
    remote_of(other, wired, now, remote_id="token-1")
    with pytest.raises(services.Refused, match="belongs to another one of ours"):
        link(doubtful, in_sage(books), staff, now)
    doubtful.refresh_from_db()
    assert doubtful.state == Push.State.ATTENTION


# What had come in for it
def test_what_had_come_in_for_it_gives_way_and_nothing_of_it_is_lost(
    doubtful: Push, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    twin = import_twin(wired, books, now, id="token-1")
    sent = InvoiceMail.objects.create(
        invoice=twin, to="a@b.example", requested_at=now, requested_by=staff, due_at=now, state="SENT", handed_at=now,
        ended_at=now,
    )  # fmt: skip
    remote = in_sage(books, number="SI-9", reference="PO 17", status=RemoteStatus.PAID, outstanding=Decimal(0))
    link(doubtful, remote, staff, now)
    twin.refresh_from_db()
    row = Row.objects.get()
    assert (doubtful.state, doubtful.remote, row.invoice, row.is_shown) == ("SENT", row, doubtful.invoice, True)
    assert (doubtful.invoice.status, doubtful.invoice.outstanding) == ("PAID", 0)
    assert (twin.status, twin.outstanding, twin.duplicate_of) == ("VOID", 0, doubtful.invoice)
    number = Number.objects.get(holder=twin.uuid)
    assert (number.text, number.outcome) == (twin.number, Number.Outcome.DISCARDED)
    assert number.reason == "What Sage holds is INV-00001, which left from here."
    assert list(twin.mails.all()) == [sent]
    assert twin.events.filter(actor=staff, text__startswith="Void here: what Sage holds is INV-00001").exists()
    assert f"It had come in from Sage as {twin.number}, which is void here now." in notes(doubtful)
    assert standing.why_void(twin)
    open_ones = InvoiceTotal.objects.filter(status__in=["SENT", "PART_PAID"]).values_list("outstanding", flat=True)
    assert sum(open_ones) == 0


def test_a_page_that_comes_again_follows_on_ours_and_imports_nothing(
    doubtful: Push, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    twin = import_twin(wired, books, now, id="token-1")
    link(doubtful, in_sage(books, number="SI-9", reference="PO 17"), staff, now)
    paid = booked(books.documents[0], now, id="token-1", number="SI-9", status=RemoteStatus.PAID)
    brought = intake.take(wired, [paid], now=now)
    doubtful.invoice.refresh_from_db()
    twin.refresh_from_db()
    assert (brought.imported, brought.updated) == (0, 1)
    assert (doubtful.invoice.status, twin.status) == ("PAID", "VOID")


def test_while_an_e_mail_with_what_came_in_is_leaving_it_stays(
    doubtful: Push, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    twin = import_twin(wired, books, now, id="token-1")
    mail = InvoiceMail.objects.create(invoice=twin, to="a@b.example", requested_at=now, requested_by=staff, due_at=now)
    with pytest.raises(services.Refused, match=f"An e-mail with {twin.number} is just leaving"):
        link(doubtful, in_sage(books, reference="PO 17"), staff, now)
    twin.refresh_from_db()
    assert (twin.status, Row.objects.get().invoice) == ("SENT", twin)
    mail.delete()
    assert link(doubtful, in_sage(books, reference="PO 17"), staff, now).state == "SENT"
    assert mailing.why_not(Invoice.objects.get(pk=twin.pk))


def test_what_is_being_voided_or_was_is_settled_first(
    doubtful: Push, books: Books, wired: Connection, staff: User, now: datetime
) -> None:
    import_twin(wired, books, now, id="token-1")
    voiding = Voiding.objects.create(
        remote=Row.objects.get(), reason="Twice", requested_at=now, requested_by=staff, due_at=now
    )
    with pytest.raises(services.Refused, match="is being voided in Sage from here"):
        link(doubtful, in_sage(books, reference="PO 17"), staff, now)
    Voiding.objects.filter(pk=voiding.pk).update(state="GIVEN_UP", ended_at=now)
    assert link(doubtful, in_sage(books, reference="PO 17"), staff, now).state == "SENT"


# None of them is it
def test_ours_goes_again_with_a_new_key_and_the_first_attempt_stays_on_record(
    doubtful: Push, books: Books, staff: User, later: datetime
) -> None:
    send_again(doubtful, staff, later, in_sage(books, total=Decimal(1)))
    first = doubtful.attempts.get()
    assert (doubtful.state, doubtful.cause, doubtful.generation) == ("READY", "", 2)
    assert (first.outcome, first.resolved_at) == ("ABSENT", later)
    assert "Sam said that nothing in Sage is it." in first.message
    event = doubtful.invoice.events.get(text="Not in Sage: INV-00001 is something else. It is sent again.")
    assert event.actor == staff
    assert carry(doubtful).state == "SENT"
    assert books.keys[0] != books.keys[1]


def test_nothing_is_sent_again_while_a_look_finds_the_same_under_our_reference(
    doubtful: Push, books: Books, staff: User, later: datetime
) -> None:
    with pytest.raises(services.Refused, match="INV-00001 in Sage carries INV-00001, with the same client, date"):
        send_again(doubtful, staff, later, in_sage(books, total=Decimal(1)), in_sage(books, id="token-2"))
    doubtful.refresh_from_db()
    assert (doubtful.state, doubtful.generation, doubtful.attempts.get().resolved_at) == ("ATTENTION", 1, None)


def test_nothing_is_sent_again_while_sage_may_still_be_at_work_on_it(
    doubtful: Push, staff: User, later: datetime
) -> None:
    with pytest.raises(services.Refused, match="Sage may be at work on it until"):
        send_again(doubtful, staff, later - timedelta(milliseconds=1))
    assert later - doubtful.attempts.get().started_at >= record.ABSENCE
    assert send_again(doubtful, staff, later).state == "READY"


def test_once_decided_there_is_nothing_to_decide(doubtful: Push, books: Books, staff: User, later: datetime) -> None:
    send_again(doubtful, staff, later)
    for again in (lambda: send_again(doubtful, staff, later), lambda: link(doubtful, in_sage(books), staff, later)):
        with pytest.raises(services.Refused, match="no conflict any more"):
            again()
    assert doubtful.generation == 2


def test_the_next_number_too_wants_a_look_where_the_invoice_may_be_there_under_the_old_one(
    doubtful: Push, books: Books, staff: User, later: datetime
) -> None:
    ours = in_sage(books)
    for seen, why in ((None, "may be in Sage already"), ([ours], "link it")):
        with pytest.raises(services.Refused, match=why):
            services.take_next_number(invoice_id=doubtful.invoice_id, seen=seen, actor=staff, now=later)
    services.take_next_number(invoice_id=doubtful.invoice_id, seen=(), actor=staff, now=later)
    assert carry(doubtful).state == "SENT"
    assert [each.reference for each in books.documents] == ["INV-00001", "INV-00002"]
    assert Number.objects.get(text="INV-00001").outcome == Number.Outcome.TAKEN


@pytest.mark.parametrize("name", ["invoice-send-again", "invoice-next-number"])
def test_nothing_leaves_before_a_person_has_said_that_what_sage_holds_is_not_it(
    doubtful: Push, books: Books, desk: Browser, later: datetime, name: str
) -> None:
    PushAttempt.objects.update(may_leave_until=later - timedelta(days=1))
    page = desk.post(reverse(name, args=[doubtful.invoice_id]), follow=True)
    assert "Say first that what Sage holds is not this invoice." in unescape(page.text)
    doubtful.refresh_from_db()
    assert (doubtful.state, books.calls) == ("ATTENTION", ["create", "find"])
    desk.post(reverse(name, args=[doubtful.invoice_id]), {"sure": "yes"})
    doubtful.refresh_from_db()
    assert (doubtful.state, doubtful.generation, books.calls) == ("READY", 2, ["create", "find", "find"])


def test_what_another_organisation_may_hold_is_sent_again_only_by_a_persons_word(
    push: Push, books: Books, staff: User
) -> None:
    books.creates = [Misdirected("Sage answered for organisation b-2.", status=201)]
    carry(push)
    at = settling.absent_from(push)
    assert at
    with pytest.raises(services.Refused, match="Another organisation answered"):
        services.request_push(invoice_id=push.invoice_id, actor=staff, now=at)
    push.refresh_from_db()
    assert push.cause == "MISDIRECTED"
    assert send_again(push, staff, at).state == "READY"
    assert books.calls == ["create"]


@pytest.mark.parametrize(("cause", "is_open"), [(c, o) for c in Push.Cause.values if c for o in (True, False)])
def test_every_cause_is_for_a_person_where_sage_may_hold_it(
    doubtful: Push, now: datetime, cause: str, is_open: bool
) -> None:
    Push.objects.update(cause=cause)
    if not is_open:
        PushAttempt.objects.update(outcome="NOT_SENT", resolved_at=now)
    doubtful.refresh_from_db()
    expected = cause == "NUMBER_TAKEN" or (cause not in ("REJECTED", "STOPPED") and is_open)
    assert settling.is_for_a_person(doubtful) is expected


def test_a_reading_under_way_is_held_while_somebody_links(doubtful: Push, wired: Connection, now: datetime) -> None:
    """Else a page could bring it in between the look and the link; see the tests of both at once."""
    settling.hold_reading(None)
    pull.request(wired, now=now)
    settling.hold_reading(wired)
