"""A credit note goes into Sage's books under the protocol of invoices, and follows what becomes of it there."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from connectors.models import Connection
from connectors.services import set_sync_settings
from invoices import balances, conflicts, crediting, pull, restoring, services
from invoices import push as worker
from invoices.crediting import CreditDraft, CreditLine
from invoices.models import Event, Invoice, Pull, Push, PushAttempt
from tests.books import CREDIT_NOTES, Sandbox
from tests.journeys.intacct import look_until_settled, send

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)


def credit_of(invoice: Invoice, staff: User, now: datetime, quantity: str = "1") -> Invoice:
    line = invoice.lines.get()
    what = CreditLine(
        line_id=line.pk, quantity=Decimal(quantity), unit_price=line.unit_price, discount_percent=Decimal(0)
    )
    draft = CreditDraft(issue_date=DAY, notes="Not done", lines=[what])
    return crediting.create_credit_note(invoice_id=invoice.pk, key=uuid4(), draft=draft, actor=staff, now=now)


@pytest.fixture
def credit(connection: Connection, invoice: Invoice, staff: User, now: datetime) -> Invoice:
    """A draft over £102.00 of an invoice of £204.00 that is in the books."""
    assert send(invoice, staff, now).state == Push.State.SENT
    return credit_of(invoice, staff, now)


@pytest.fixture
def reading(connection: Connection) -> Iterator[Any]:
    """Reads the books to their end, and all that is open again."""

    def read() -> None:
        Pull.objects.update(compared_at=None)
        pull.request(connection, now=timezone.now())
        while pull.read(connection.pk, now=Pull.objects.get().due_at):
            pass

    return read


def by_hand(sandbox: Sandbox, held: dict[str, Any], deed: str, **given: Any) -> None:
    sandbox._call("POST", f"/_books/invoices/{held['id']}/{deed}", json=given)


def test_it_is_in_the_books_once_and_its_token_and_number_come_back(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    push = send(credit, staff, now)
    (held,) = sandbox.credit_notes()
    assert (push.state, credit.status) == (Push.State.SENT, Invoice.Status.SENT)
    assert push.remote and (push.remote.remote_id, push.remote.number) == (held["id"], "CN-00001")
    assert (held["number"], held["prefix"], held["reference"]) == ("CN-00001", "CN-", "CN-00001")
    assert (held["total_amount"], held["outstanding_amount"]) == ("102.0", "102.0")
    assert (held["original_invoice_date"], held["lines"][0]["nominal_code"]) == ("2026-11-02", 4000)
    assert len(sandbox.invoices()) == 1
    assert not any("Sage's total" in text for text in Event.objects.values_list("text", flat=True))
    send(credit, staff, now)
    assert len(sandbox.credit_notes()) == 1


@pytest.mark.parametrize("kind", ["lost", "error", "garbage"])
def test_an_answer_lost_after_it_was_written_is_found_and_never_sent_twice(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime, kind: str
) -> None:
    sandbox.fault(kind, on=CREDIT_NOTES)
    push = send(credit, staff, now)
    assert push.state == Push.State.UNKNOWN
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    (held,) = sandbox.credit_notes()
    assert push.remote and (push.state, push.remote.remote_id) == (Push.State.SENT, held["id"])


def test_a_lost_request_goes_again_under_the_same_key_once_it_is_proven_absent(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    sandbox.fault("dropped", on=CREDIT_NOTES)
    push = look_until_settled(send(credit, staff, now))
    claimed = worker.claim(push.connection, now=push.due_at, push_id=push.pk)
    worker.deliver(claimed)
    push.refresh_from_db()
    first, second = push.attempts.all()
    assert (push.state, first.outcome, first.key) == (Push.State.SENT, PushAttempt.Outcome.ABSENT, second.key)
    assert len(sandbox.credit_notes()) == 1


def test_one_that_lost_its_reference_meanwhile_is_seen_among_what_changed(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    sandbox.fault("lost", on=CREDIT_NOTES)
    push = send(credit, staff, now)
    by_hand(sandbox, sandbox.credit_notes()[0], "edit", reference="Somebody's own")
    push = look_until_settled(push)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.DIFFERENT)
    assert len(sandbox.credit_notes()) == 1


def test_a_number_that_sage_has_for_another_one_is_settled_as_with_invoices(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime, client: Browser
) -> None:
    sandbox.by_hand(kind="sales_credit_note", contact_name="Castle Hill", number="CN-00001", date="2026-03-10")
    push = send(credit, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.NUMBER_TAKEN)
    (candidate,) = conflicts.candidates(credit, push)
    assert candidate.differences == ("Client", "Date", "Total")
    client.force_login(staff)
    assert "CN-00002" in client.get(reverse("invoice-conflict", args=[credit.pk])).text
    services.take_next_number(invoice_id=credit.pk, actor=staff, now=now)
    worker.work(push.pk)
    assert [row["number"] for row in sandbox.credit_notes()] == ["CN-00001", "CN-00002"]


def test_where_sage_numbers_it_has_its_own_sequence_and_its_number_is_shown(
    credit: Invoice, connection: Connection, sandbox: Sandbox, staff: User, now: datetime, client: Browser
) -> None:
    set_sync_settings(connection, {**connection.sync_settings, "numbers": "PLATFORM"})
    push = send(credit, staff, now)
    assert push.remote and push.remote.number == "SC-1"
    client.force_login(staff)
    assert '<span id="number">SC-1</span>' in client.get(reverse("invoice-detail", args=[credit.pk])).text


def test_what_becomes_of_it_in_sage_follows_here(
    credit: Invoice, sandbox: Sandbox, staff: User, now: datetime, reading: Any, client: Browser
) -> None:
    send(credit, staff, now)
    (held,) = sandbox.credit_notes()
    by_hand(sandbox, held, "pay", amount="40.00")
    reading()
    credit.refresh_from_db()
    assert (credit.status, credit.outstanding, credit.total) == ("PART_PAID", Decimal(-62), Decimal(-102))
    by_hand(sandbox, held, "pay")
    reading()
    credit.refresh_from_db()
    assert (credit.status, credit.outstanding) == ("PAID", 0)
    by_hand(sandbox, held, "unpay")
    by_hand(sandbox, held, "unpay")
    reading()
    by_hand(sandbox, held, "void")
    reading()
    credit.refresh_from_db()
    assert (credit.status, credit.outstanding, crediting.amount_left(credit.credits)) == ("VOID", 0, Decimal(204))  # type: ignore[arg-type]
    told = list(credit.events.order_by("pk").values_list("text", flat=True))[-4:]
    assert told == [
        "Part allocated in Sage: 62.00 GBP is open.",
        "Allocated in Sage.",
        "No longer allocated in Sage: 102.00 GBP is open.",
        "Voided in Sage.",
    ]
    assert balances.differences(timezone.localdate()) == []
    client.force_login(staff)
    shown = client.get(reverse("invoice-detail", args=[credit.credits_id])).text
    assert "CN-00001</a>: Voided in Sage." in shown, "the history of both has it"


def test_a_draft_of_it_that_is_deleted_in_sage_is_gone_here(
    credit: Invoice, connection: Connection, sandbox: Sandbox, staff: User, now: datetime, reading: Any
) -> None:
    set_sync_settings(connection, {**connection.sync_settings, "create_as": "DRAFT"})
    connection.refresh_from_db()
    send(credit, staff, now)
    reading()
    by_hand(sandbox, sandbox.credit_notes()[0], "delete")
    reading()
    credit.refresh_from_db()
    assert (credit.status, credit.remotes.get().gone_at is not None) == ("VOID", True)


def test_one_raised_in_sage_comes_in_and_is_taken_off(connection: Connection, sandbox: Sandbox, reading: Any) -> None:
    set_sync_settings(connection, {**connection.sync_settings, "direction": "BOTH"})
    connection.refresh_from_db()
    sandbox.by_hand(contact_name="Castle Hill", number="7", date="2026-11-03")
    sandbox.by_hand(kind="sales_credit_note", contact_name="Castle Hill", number="7", prefix="SC-", date="2026-11-05")
    reading()
    reading()
    invoice, credit = Invoice.objects.order_by("kind").reverse()
    assert (invoice.total, credit.total, credit.outstanding) == (Decimal(120), Decimal(-120), Decimal(-120))
    assert (credit.kind, credit.origin, credit.client) == ("CREDIT_NOTE", "IMPORTED", invoice.client)
    assert [row.outstanding for row in balances.owed(date(2026, 11, 6))] == [0]
    assert balances.differences(timezone.localdate()) == []


def test_after_a_restore_its_numbers_are_passed_over_too(
    credit: Invoice, connection: Connection, sandbox: Sandbox, admin: User, now: datetime
) -> None:
    sandbox.by_hand(kind="sales_credit_note", contact_name="Castle Hill", number="CN-00005", reference="CN-00005")
    restoring._ask(connection, since=now, now=now)
    assert services.next_number("CREDIT_NOTES") == "CN-00006"
