"""Sage has our number already: what it is told apart by, and the two ways out."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from incrementors.models import Group, Number
from invoices import conflicts, parting, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import Sandbox
from tests.conftest import draft_for

pytestmark = pytest.mark.django_db


def send(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    return push


def our_own(sandbox: Sandbox, invoice: Invoice) -> dict[str, object]:
    """The same invoice, as a colleague has typed it into Sage beforehand."""
    contact = next(row for row in sandbox.contacts() if row["name"] == "Bramley Stores Ltd")
    lines = [{"description": "Gutter clearing", "nominal_code": 4000, "quantity": "2", "unit_price": "85.00"}]
    return sandbox.by_hand(
        contact_id=contact["id"], number=invoice.number, date=invoice.issue_date.isoformat(), lines=lines
    )


@pytest.fixture
def linked_client(connection: Connection, client_of_ours: Client, staff: User, now: datetime) -> Client:
    """A client that Sage knows from an earlier invoice."""
    send(services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now), staff, now)
    return client_of_ours


def test_a_different_invoice_under_our_number_is_told_by_what_differs(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    push = send(invoice, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.NUMBER_TAKEN)
    (rival,) = conflicts.candidates(invoice, push)
    assert rival.remote.number == "INV-00001"
    assert rival.remote.client_name == "Castle Hill"
    assert rival.differences == ("Client", "Date", "Total")


def test_the_next_free_number_is_taken_and_sent_and_the_old_one_stays_on_record(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    push = send(invoice, staff, now)
    assert services.next_number() == "INV-00002"
    services.take_next_number(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    invoice.refresh_from_db()
    assert (push.state, invoice.number) == (Push.State.SENT, "INV-00002")
    assert {row["number"] for row in sandbox.invoices()} == {"INV-00001", "INV-00002"}
    old = Number.objects.get(text="INV-00001")
    assert (old.outcome, old.holder) == (Number.Outcome.TAKEN, invoice.uuid)
    assert len({attempt.key for attempt in push.attempts.all()}) == 2


def test_the_same_invoice_under_our_number_is_linked_and_nothing_is_sent(
    connection: Connection,
    sandbox: Sandbox,
    linked_client: Client,
    staff: User,
    now: datetime,
) -> None:
    invoice = services.create_invoice(draft=draft_for(linked_client), actor=staff, now=now)
    held = our_own(sandbox, invoice)
    push = send(invoice, staff, now)
    (rival,) = conflicts.candidates(invoice, push)
    assert rival.differences == ()
    services.link_to_remote(invoice_id=invoice.pk, remote=rival.remote, actor=staff, now=now)
    push.refresh_from_db()
    invoice.refresh_from_db()
    assert (push.state, invoice.status) == (Push.State.SENT, Invoice.Status.SENT)
    assert push.remote and push.remote.remote_id == held["id"]
    assert len(sandbox.invoices()) == 2


def test_an_invoice_of_sages_that_is_ours_already_cannot_be_linked_again(
    connection: Connection, sandbox: Sandbox, linked_client: Client, staff: User, now: datetime
) -> None:
    first = Invoice.objects.get()
    Group.objects.update(next_value=10)
    second = services.create_invoice(draft=draft_for(linked_client), actor=staff, now=now)
    sandbox.by_hand(contact_name="Castle Hill", number=second.number, date="2026-03-10")
    push = send(second, staff, now)
    remote = first.remotes.get()
    (rival,) = conflicts.candidates(second, push)
    taken = type(rival.remote)(
        id=remote.remote_id,
        number=rival.remote.number,
        reference="",
        client_id="",
        issue_date=rival.remote.issue_date,
        total=rival.remote.total,
    )
    with pytest.raises(services.Refused, match="belongs to another one"):
        services.link_to_remote(invoice_id=second.pk, remote=taken, actor=staff, now=now)


def test_once_settled_there_is_no_conflict_to_settle_again(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    send(invoice, staff, now)
    services.take_next_number(invoice_id=invoice.pk, actor=staff, now=now)
    with pytest.raises(services.Refused, match="no conflict"):
        services.take_next_number(invoice_id=invoice.pk, actor=staff, now=now)
    assert Number.objects.filter(outcome=Number.Outcome.GIVEN).count() == 1


def test_the_prompt_names_the_number_what_holds_it_and_whom_to_ask(
    connection: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    admin: User,
    client: Browser,
    now: datetime,
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    send(invoice, staff, now)
    client.force_login(staff)
    assert "Sage has INV-00001 already" in client.get(reverse("invoice-detail", args=[invoice.pk])).text
    prompt = client.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert "Castle Hill" in prompt
    assert "Use INV-00002, the next free number" in prompt
    assert "ask an admin" in prompt
    client.force_login(admin)
    prompt = client.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert reverse("incrementor-edit", args=["INVOICES"]) in prompt
    client.post(reverse("invoice-next-number", args=[invoice.pk]))
    invoice.refresh_from_db()
    assert invoice.number == "INV-00002"


def test_a_number_that_sage_uses_elsewhere_is_skipped_when_it_is_known_here(
    connection: Connection, client_of_ours: Client, staff: User, now: datetime
) -> None:
    connection.sync_settings = {"numbers": "PLATFORM"}
    connection.save()
    Group.objects.update(prefix="SI-", digits=1, next_value=50)
    first = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    push = send(first, staff, now)
    assert push.remote
    Group.objects.update(next_value=int(push.remote.number.removeprefix("SI-")))
    second = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    assert second.number != push.remote.number
    assert Number.objects.filter(outcome=Number.Outcome.SKIPPED, text=push.remote.number).exists()


def test_a_conflict_in_a_former_organisation_is_not_settled_from_here(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    """Nothing would be sent, or, worse, once those books are connected again and long sent to others."""
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    assert send(invoice, staff, now).cause == Push.Cause.NUMBER_TAKEN
    parting.disconnect(connection, actor=admin, now=now)
    with pytest.raises(services.Refused):
        services.take_next_number(invoice_id=invoice.pk, actor=staff, now=now)
    invoice.refresh_from_db()
    assert invoice.number == "INV-00001"


def test_a_different_invoice_cannot_be_linked_from_a_page_that_is_out_of_date(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    push = send(invoice, staff, now)
    (rival,) = conflicts.candidates(invoice, push)
    assert rival.differences
    assert conflicts.candidate_by_id(invoice, push, rival.remote.id) is None
