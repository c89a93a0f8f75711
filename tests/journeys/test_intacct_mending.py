"""What a person does about a refusal of Intacct's, in Reflow: each way to mend it leads to Sent."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection, RemoteLink
from connectors.options import Kind
from connectors.services import choose_account, set_sync_settings
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import COMPOSITE, Sandbox
from tests.conftest import set_up_intacct
from tests.journeys.intacct import condition, enter, held, link, queue, send, trips

pytestmark = pytest.mark.django_db
PLACES = {"location": "LDN", "department": "OPS", "tax_solution": "United Kingdom - VAT"}


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


def test_a_required_dimension_is_mended_by_a_default_under_sync_settings(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, department="")
    condition(sandbox, account={"id": "4000", "requireDimensions": {"department": True}})
    assert send(invoice, staff, now).state == Push.State.ATTENTION
    set_up_intacct(intacct, now=now)
    assert send(invoice, staff, now).state == Push.State.SENT


def test_gl_accounts_are_mended_by_posting_to_account_labels(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """The account and the tax rates are chosen anew then: the invoice waits until they are."""
    condition(sandbox, use_account_labels=True)
    assert send(invoice, staff, now).problems[0]["code"] == "AR-0279"
    set_sync_settings(intacct, {**PLACES, "account_labels": "ON"})
    with pytest.raises(services.Refused, match="default nominal code is not chosen yet"):
        send(invoice, staff, now)
    set_up_intacct(intacct, now=now, account_labels="ON")
    assert send(invoice, staff, now).state == Push.State.SENT


def test_a_closed_account_is_mended_by_another_default(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    condition(sandbox, account={"id": "4000", "disallowDirectPosting": True})
    assert send(invoice, staff, now).state == Push.State.ATTENTION
    choose_account(intacct, Kind.SALES_ACCOUNTS, "4050", now=now)
    assert send(invoice, staff, now).state == Push.State.SENT
    assert {row["glAccount"]["id"] for row in held(sandbox)[0]["lines"]} == {"4050"}


def test_closed_books_are_mended_by_another_date(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, client: Browser, now: datetime
) -> None:
    condition(sandbox, open_books_start={"entity": None, "date": "2026-11-15"})
    send(invoice, staff, now)
    client.force_login(staff)
    edit = client.post(reverse("invoice-draft", args=[invoice.pk]), {"then": "edit"})
    assert edit.headers["Location"] == reverse("invoice-edit", args=[invoice.pk])
    Invoice.objects.update(issue_date="2026-11-20")
    assert send(invoice, staff, now).state == Push.State.SENT
    assert held(sandbox)[0]["invoiceDate"] == "2026-11-20"


def test_an_inactive_customer_is_mended_by_saying_which_one_it_is(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, client: Browser, now: datetime
) -> None:
    condition(sandbox, customer={"id": "CUST-001", "status": "inactive"})
    send(invoice, staff, now)
    client.force_login(staff)
    page = reverse("client-sage", args=[invoice.client.uuid])
    assert "Castle Hill Apartments" in client.get(page, {"q": "castle"}).text
    client.post(page, {"remote": "CUST-002", "q": "castle"})
    assert RemoteLink.objects.get(kind=RemoteLink.Kind.CLIENT).remote_id == "CUST-002"
    assert send(invoice, staff, now).state == Push.State.SENT
    assert held(sandbox)[0]["customer"]["id"] == "CUST-002"


def test_several_customers_of_one_name_are_a_question_and_never_a_guess(
    intacct: Connection, sandbox: Sandbox, staff: User, client: Browser, now: datetime
) -> None:
    twins = [Client.objects.create(name="Twin Lettings", reference=reference) for reference in ("TWIN1", "TWIN2")]
    third = Client.objects.create(name="Twin Lettings")
    for client_of_ours in twins:
        (push,) = queue(client_of_ours, 1, staff, now)
        worker.work(push.pk)
    RemoteLink.objects.filter(kind=RemoteLink.Kind.CLIENT).delete()
    (push,) = queue(third, 1, staff, now)
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.problems[0]["code"] == "SEVERAL"
    client.force_login(staff)
    page = reverse("client-sage", args=[third.uuid])
    assert page in client.get(reverse("invoice-detail", args=[push.invoice_id])).text
    client.post(page, {"remote": "TWIN2", "q": ""})
    assert send(push.invoice, staff, now).state == Push.State.SENT
    assert held(sandbox)[-1]["customer"]["id"] == "TWIN2"


def test_a_number_in_use_is_said_with_both_ways_out(
    linked: Client,
    intacct: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    admin: User,
    client: Browser,
    now: datetime,
) -> None:
    set_up_intacct(intacct, now=now, numbers="OURS")
    enter(sandbox, entity="LDN", number="INV-00001", date="2026-03-10")
    push = send(invoice, staff, now)
    assert (push.cause, push.problems[0]["fix"]) == (Push.Cause.NUMBER_TAKEN, "NUMBER")
    assert "Another Invoice with the given value(s) INV-00001 already exists" in push.problems[0]["message"]
    client.force_login(admin)
    prompt = client.get(reverse("invoice-conflict", args=[invoice.pk])).text
    assert reverse("incrementor-edit", args=["INVOICES"]) in prompt
    assert reverse("invoice-next-number", args=[invoice.pk]) in prompt


def test_a_refusal_that_is_repeated_from_an_earlier_call_is_believed(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """The answer to the first call was lost; under the same key Intacct repeats that it wrote nothing."""
    condition(sandbox, customer={"id": "CUST-001", "isOnHold": True})
    sandbox.fault("lost", on=COMPOSITE)
    push = send(invoice, staff, now)
    while push.state == Push.State.UNKNOWN:
        worker.look(push.pk, now=push.due_at)
        push.refresh_from_db()
    worker.deliver(claims.claim(push.connection, now=push.due_at))
    push.refresh_from_db()
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.REJECTED)
    assert trips(sandbox).count("composite") == 2
    condition(sandbox, customer={"id": "CUST-001", "isOnHold": False})
    assert send(invoice, staff, now).state == Push.State.SENT
