"""Our number is taken in Intacct: what holds it is told, and the two ways out lead out."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from incrementors.models import Number
from invoices import conflicts, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import COMPOSITE, Sandbox
from tests.conftest import set_up_intacct
from tests.journeys.intacct import (
    do,
    enter,
    fresh,
    held,
    link,
    queue,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Browser, staff: User) -> Browser:
    client.force_login(staff)
    return client


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


@pytest.fixture
def ours(linked: Client, intacct: Connection, now: datetime) -> Connection:
    set_up_intacct(intacct, now=now, numbers="OURS")
    return intacct


@pytest.mark.parametrize("status", ["422", "409"])
def test_a_different_invoice_under_our_number_is_told_and_the_next_free_number_goes(
    status: str, ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    sandbox.switch("duplicate_number", status)
    enter(sandbox, entity="LDN", customer="CUST-002", number="INV-00001", date="2026-03-10")
    push = send(invoice, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.NUMBER_TAKEN)
    assert "Sage has INV-00001 already" in desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    prompt = desk.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert "It is a different invoice: Castle Hill Apartments" in prompt
    assert "Use INV-00002, the next free number" in prompt
    desk.post(reverse("invoice-next-number", args=[invoice.pk]))
    worker.work(push.pk)
    push.refresh_from_db()
    invoice.refresh_from_db()
    assert (push.state, invoice.number) == (Push.State.SENT, "INV-00002")
    assert [row["invoiceNumber"] for row in held(sandbox)] == ["INV-00001", "INV-00002"]
    assert Number.objects.get(text="INV-00001").outcome == Number.Outcome.TAKEN


def test_the_same_invoice_under_our_number_is_linked_and_nothing_is_sent(
    ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    theirs = enter(
        sandbox,
        entity="LDN",
        customer="CUST-001",
        number="INV-00001",
        date="2026-11-02",
        lines=[{"amount": "170.00"}],
    )
    push = send(invoice, staff, now)
    prompt = desk.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert "It <b>is</b> this invoice" in prompt
    desk.post(reverse("invoice-link", args=[invoice.pk]), {"remote": theirs["key"]})
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert push.remote and push.remote.remote_id == theirs["key"]
    assert len(held(sandbox)) == 1


def test_a_draft_of_a_colleague_s_that_is_this_invoice_is_linked_and_numbered_once_it_is_submitted(
    ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    same = {"customer": "CUST-001", "number": "INV-00001", "date": "2026-11-02", "lines": [{"amount": "170.00"}]}
    theirs = enter(sandbox, entity="LDN", draft=True, **same)
    push = send(invoice, staff, now)
    desk.post(reverse("invoice-link", args=[invoice.pk]), {"remote": theirs["key"]})
    push.refresh_from_db()
    assert push.remote and (push.remote.number, push.remote.is_draft) == ("", True)
    assert invoice.events.filter(text="Linked to a draft in Sage.").exists()
    do(sandbox, theirs["key"], "submit")
    worker.read_numbers(now=now + timedelta(hours=1))
    push.remote.refresh_from_db()
    assert push.remote.number == "INV-00001"


def test_a_number_that_another_entity_holds_is_said_though_we_can_not_see_by_what(
    ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    enter(sandbox, entity="NTH", customer="CUST-002", number="INV-00001")
    send(invoice, staff, now)
    prompt = desk.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert "Reflow can't find what holds it" in prompt
    assert "Use INV-00002" in prompt


def test_where_numbers_are_one_for_each_customer_another_customer_s_is_no_conflict(
    ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.switch("number_scope", "customer")
    enter(sandbox, entity="LDN", customer="CUST-002", number="INV-00001")
    assert send(invoice, staff, now).state == Push.State.SENT


def test_a_number_taken_in_a_batch_stops_that_one_only(
    ours: Connection, linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    enter(sandbox, entity="LDN", customer="CUST-002", number="INV-00002", date="2026-03-10")
    pushes = queue(linked, 3, staff, now)
    worker.work(pushes[0].pk)
    assert [push.cause for push in fresh(pushes)] == ["", Push.Cause.NUMBER_TAKEN, ""]
    (rival,) = conflicts.candidates(pushes[1].invoice, fresh(pushes)[1])
    assert rival.differences == ("Client", "Date", "Total")
    services.take_next_number(invoice_id=pushes[1].invoice_id, actor=staff, now=now)
    worker.work(pushes[1].pk)
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}


def test_a_duplicate_told_after_a_lost_answer_is_our_own_invoice_and_is_linked(
    ours: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """The key is kept no longer: Intacct's refusal of the number is the only sign that the first one came through."""
    sandbox.switch("idempotency", "off")
    sandbox.fault("lost", on=COMPOSITE)
    push = send(invoice, staff, now)
    push.attempts.update(outcome="ABSENT", resolved_at=now)
    Push.objects.filter(pk=push.pk).update(state=Push.State.READY, due_at=now)
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.state == Push.State.UNKNOWN
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert len(held(sandbox)) == 1
