"""Every refusal a person can meet: made to happen in the sandbox, told in plain words, mended, and sent."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection, RemoteLink
from invoices import push as worker
from invoices import services
from invoices.models import Client, Invoice, Push
from tests.books import Sandbox
from tests.conftest import draft_for

pytestmark = pytest.mark.django_db


def send(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    return push


@pytest.fixture
def second(connection: Connection, client_of_ours: Client, invoice: Invoice, staff: User, now: datetime) -> Invoice:
    """An invoice for a client that Sage knows already."""
    send(invoice, staff, now)
    return services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)


def contact_of(sandbox: Sandbox) -> str:
    return str(next(row["id"] for row in sandbox.contacts() if row["name"] == "Bramley Stores Ltd"))


CASES: dict[str, tuple[Callable[[Sandbox], dict[str, Any]], dict[str, Any], str, str]] = {
    # what happens in Sage, how it is undone there, what the person reads, where it is mended
    "a locked year": (
        lambda _: {"year_end_lockdown_date": "2026-12-31"},
        {"year_end_lockdown_date": ""},
        "books are closed for this date",
        "DATE",
    ),
    "before the books began": (
        lambda _: {"accounts_start_date": "2026-12-31"},
        {"accounts_start_date": "2019-04-01"},
        "books are closed for this date",
        "DATE",
    ),
    "an archived nominal code": (
        lambda _: {"archived": {"4000": True}},
        {"archived": {"4000": False}},
        "does not take the nominal code",
        "SALES_ACCOUNT",
    ),
    "an ended tax rate": (
        lambda _: {"tax_rates_ended": {"GB_STANDARD": "2026-01-31"}},
        {"tax_rates_ended": {"GB_STANDARD": None}},
        "its rate may have ended",
        "TAX_RATES",
    ),
    "no subscription": (
        lambda _: {"subscription_active": False},
        {"subscription_active": True},
        "no active subscription",
        "PLATFORM",
    ),
    "no access": (
        lambda _: {"access": "read_only"},
        {"access": "full"},
        "may not do this",
        "PLATFORM",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_is_told_in_plain_words_and_goes_once_it_is_mended_in_sage(
    case: str, connection: Connection, sandbox: Sandbox, second: Invoice, staff: User, now: datetime
) -> None:
    happens, undone, words, fix = CASES[case]
    sandbox.set_books(**happens(sandbox))
    push = send(second, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.REJECTED)
    assert words in push.problems[0]["meaning"]
    assert push.problems[0]["fix"] == fix
    sandbox.set_books(**undone)
    assert send(second, staff, now).state == Push.State.SENT


@pytest.mark.parametrize("becomes", ["deleted", "VENDOR"])
def test_a_dead_client_in_sage_is_said_and_another_can_be_chosen(
    becomes: str, connection: Connection, sandbox: Sandbox, second: Invoice, staff: User, client: Browser, now: datetime
) -> None:
    sandbox.set_books(contacts={contact_of(sandbox): becomes})
    push = send(second, staff, now)
    assert "deleted, or is not a customer" in push.problems[0]["meaning"]
    assert push.problems[0]["fix"] == "CLIENT_LINK"
    client.force_login(staff)
    Client.objects.update(reference="BRAM2")
    page = reverse("client-sage", args=[second.client.uuid])
    assert page in client.get(reverse("invoice-detail", args=[second.pk])).text
    client.post(page, {"remote": "new", "q": ""})
    services.return_to_draft(invoice_id=second.pk, actor=staff, now=now)
    assert send(second, staff, now).state == Push.State.SENT


def test_a_reference_that_another_contact_has_is_said(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault(
        "refused",
        on="POST /accounting/v3.1/contacts",
        data_code="RecordInvalid",
        message="has already been taken",
        source="reference",
    )
    push = send(invoice, staff, now)
    assert push.problems[0]["fix"] == "CLIENT"
    assert "this client's reference" in push.problems[0]["meaning"]
    assert send(invoice, staff, now).state == Push.State.SENT


@pytest.mark.parametrize(
    ("message", "source", "words"),
    [
        ("is too long (maximum is 25 characters)", "reference", "longer than Sage takes"),
        ("does not agree with the lines, which come to 45.00", "total_amount", "counts other totals"),
        ("The moon is in the wrong house.", "base", "did not accept"),
    ],
)
def test_what_sage_says_stands_beneath_what_it_means(
    message: str,
    source: str,
    words: str,
    connection: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    client: Browser,
    now: datetime,
) -> None:
    sandbox.fault("refused", data_code="RecordInvalid", message=message, source=source)
    push = send(invoice, staff, now)
    assert words in push.problems[0]["meaning"]
    client.force_login(staff)
    page = client.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert message in page
    assert "Contact support" in page
    assert "help@reflow.example" in page


def test_a_dead_authorisation_pauses_the_queue_with_one_banner_and_nothing_is_lost(
    connection: Connection, sandbox: Sandbox, second: Invoice, staff: User, admin: User, client: Browser, now: datetime
) -> None:
    sandbox.fault("revoked")
    push = send(second, staff, now)
    assert push.state == Push.State.READY
    client.force_login(staff)
    page = client.get(reverse("client-list")).text
    assert "no longer accepts our authorisation" in page
    assert "Ask an admin" in page
    client.force_login(admin)
    assert reverse("connector") in client.get(reverse("client-list")).text
    assert not worker.claim(connection, now=now)


def test_several_customers_are_a_question_and_never_a_guess(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, client: Browser, now: datetime
) -> None:
    sandbox.by_hand(contact_name="Bramley Stores Ltd", date="2026-03-10")
    sandbox.set_books(contacts={contact_of(sandbox): "VENDOR"})
    sandbox.by_hand(contact_name="Bramley Stores Ltd", date="2026-03-10")
    both = [row["id"] for row in sandbox.contacts() if row["name"] == "Bramley Stores Ltd"]
    sandbox.set_books(contacts=dict.fromkeys(both, "CUSTOMER"))
    push = send(invoice, staff, now)
    assert len(both) == 2
    assert push.problems[0]["code"] == "SEVERAL"
    client.force_login(staff)
    page = reverse("client-sage", args=[invoice.client.uuid])
    assert page in client.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert client.get(page).text.count("suggested") == 2
    client.post(page, {"remote": both[1], "q": ""})
    assert RemoteLink.objects.get(kind=RemoteLink.Kind.CLIENT).remote_id == both[1]
    assert send(invoice, staff, now).state == Push.State.SENT


def test_a_second_click_on_create_anew_is_the_same_customer(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, client: Browser, now: datetime
) -> None:
    send(invoice, staff, now)
    Client.objects.update(reference="")  # which Sage takes once only
    before = {row["id"] for row in sandbox.contacts()}
    client.force_login(staff)
    page = reverse("client-sage", args=[invoice.client.uuid])
    seen = re.search(r'name="seen" value="(\d+)"', client.get(page).text)
    assert seen
    for _ in range(2):
        client.post(page, {"remote": "new", "q": "", "seen": seen[1]})
    (new,) = {row["id"] for row in sandbox.contacts()} - before
    assert RemoteLink.objects.get(kind=RemoteLink.Kind.CLIENT).remote_id == new
