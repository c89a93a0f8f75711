"""The page that voids an invoice says first what will happen; the invoice's own shows how far it is, what to mend."""

from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from connectors.models import Connection
from invoices.models import Invoice, RemoteInvoice, Voiding
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(new_push: NewPush) -> Invoice:
    invoice = new_push("SENT").invoice
    RemoteInvoice.objects.update(url="https://sage.example/1")
    invoice.refresh_from_db()
    return invoice


def void_page(browser: Browser, invoice: Invoice) -> str:
    return unescape(browser.get(reverse("invoice-void", args=[invoice.pk])).text)


def card(browser: Browser, invoice: Invoice) -> str:
    return unescape(browser.get(reverse("invoice-push", args=[invoice.pk])).text)


def asked_for(invoice: Invoice, staff: User, now: datetime, **changes: object) -> Voiding:
    given = {"reason": "Raised twice", "requested_at": now, "requested_by": staff, "due_at": now}
    return Voiding.objects.create(remote=invoice.remotes.get(), **{**given, **changes})


def test_it_says_what_will_happen_before_anything_does(desk: Browser, sent: Invoice) -> None:
    shown = void_page(desk, sent)
    for words in (
        "Void INV-00001 in Sage",
        "INV-00001 over £204.00 becomes void.",
        "keeps it among its invoices as Void",
        "once Sage has done it, the invoice is Void",
        "Its number stays taken.",
        "It can't be undone.",
        "raise a new invoice",
        "credit it",
        "200 characters at most",
    ):
        assert words in shown, words
    assert "Nothing has happened yet" in shown
    assert not Voiding.objects.exists()
    sent.refresh_from_db()
    assert sent.status == "SENT"


def test_intacct_says_that_it_reverses(desk: Browser, sent: Invoice, wired: Connection) -> None:
    Connection.objects.update(platform="sage_intacct")
    assert "an entry of today takes it back" in void_page(desk, sent)


def test_a_draft_in_sage_is_said_to_be_removed(desk: Browser, sent: Invoice) -> None:
    RemoteInvoice.objects.update(is_draft=True, number="")
    assert "The draft is removed." in void_page(desk, sent)


def test_pressing_void_in_sage_asks_for_it_and_a_second_press_is_the_same(desk: Browser, sent: Invoice) -> None:
    for _ in range(2):
        answer = desk.post(reverse("invoice-void", args=[sent.pk]), {"reason": "Raised twice"})
        assert answer.headers["Location"] == reverse("invoice-detail", args=[sent.pk])
    assert Voiding.objects.get().reason == "Raised twice"
    assert desk.get(reverse("invoice-void", args=[sent.pk])).status_code == 302, "there is nothing more to ask for"


@pytest.mark.parametrize("reason", ["", "  ", "r" * 201, "<b>"])
def test_a_reason_that_sage_would_not_keep_is_said_beside_the_field(desk: Browser, sent: Invoice, reason: str) -> None:
    answer = desk.post(reverse("invoice-void", args=[sent.pk]), {"reason": reason})
    assert answer.status_code == 422
    assert 'href="#id_reason"' in answer.text
    assert not Voiding.objects.exists()


def test_a_draft_leads_to_discard_and_an_approved_one_back_to_draft(
    desk: Browser, invoice: Invoice, wired: Connection, staff: User
) -> None:
    shown = void_page(desk, invoice)
    assert "a draft is discarded, not voided" in shown
    assert f"{reverse('invoice-detail', args=[invoice.pk])}#discard" in shown
    desk.post(reverse("invoice-approve", args=[invoice.pk]))
    shown = void_page(desk, invoice)
    assert "Take it back to draft; there it can be discarded" in shown
    assert reverse("invoice-draft", args=[invoice.pk]) in shown


def test_a_paid_one_leads_into_sage_first(desk: Browser, sent: Invoice) -> None:
    Invoice.objects.update(status="PAID")
    shown = void_page(desk, sent)
    assert "Take the payments and credits off it there first" in shown
    assert '<a href="https://sage.example/1">Open it in Sage</a>' in shown
    assert "<textarea" not in shown and 'name="reason"' not in shown


def test_an_imported_one_is_voided_in_sage(desk: Browser, sent: Invoice) -> None:
    Invoice.objects.update(origin="IMPORTED")
    shown = void_page(desk, sent)
    assert "It was raised in Sage: void it there" in shown
    assert "https://sage.example/1" in shown
    assert reverse("invoice-void", args=[sent.pk]) not in card(desk, sent)


@pytest.mark.parametrize(("who", "words"), [("staff", "Ask an admin"), ("admin", "Open Cloud Accounting Connector")])
def test_one_in_books_we_are_not_connected_to_says_to_connect_again(
    client: Browser, request: pytest.FixtureRequest, sent: Invoice, now: datetime, who: str, words: str
) -> None:
    Connection.objects.update(state="DISCONNECTED", disconnected_at=now)
    client.force_login(request.getfixturevalue(who))
    shown = void_page(client, sent)
    assert "It is in the books of Harbour, and Reflow is not connected to them now" in shown
    assert words in shown
    assert client.post(reverse("invoice-void", args=[sent.pk]), {"reason": "x"}).status_code == 422
    assert not Voiding.objects.exists()


def test_the_card_offers_it_to_those_who_may_and_to_nobody_else(desk: Browser, sent: Invoice, viewer: User) -> None:
    address = reverse("invoice-void", args=[sent.pk])
    assert address in card(desk, sent)
    reader = Browser()
    reader.force_login(viewer)
    assert address not in card(reader, sent)
    assert reader.get(address).status_code == 403


def test_the_card_asks_again_while_it_is_under_way_and_no_longer_then(
    desk: Browser, sent: Invoice, staff: User, now: datetime
) -> None:
    assert "hx-trigger" not in card(desk, sent)
    row = asked_for(sent, staff, now)
    for changes, words in (
        ({}, "Waiting to be voided"),
        ({"state": "WORKING", "lease_until": now}, "Voiding in Sage"),
        ({"state": "WAITING", "lease_until": None, "asked_at": now, "due_at": now}, "Checking with Sage"),
    ):
        Voiding.objects.update(**changes)
        shown = card(desk, sent)
        assert words in shown and 'hx-trigger="every 1s"' in shown
        assert "Raised twice" in shown
        address = shown.partition('id="push"')[2].partition('hx-get="')[2].partition('"')[0]
        assert desk.get(address).status_code == 204, "what was seen is not sent again"
    Voiding.objects.filter(pk=row.pk).update(state="DONE", outcome="VOIDED", asked_at=None, ended_at=now)
    Invoice.objects.update(status="VOID", outstanding=0)
    shown = card(desk, sent)
    assert "hx-trigger" not in shown and "Void" in shown
    assert desk.get(address).status_code == 200


def test_what_waits_says_why_and_may_be_kept(desk: Browser, sent: Invoice, staff: User, now: datetime) -> None:
    asked_for(sent, staff, now)
    Connection.objects.update(state="RECONNECT")
    shown = card(desk, sent)
    assert "It is voided once an admin has authorised Reflow again." in shown
    desk.post(reverse("invoice-void-stop", args=[sent.pk]))
    assert Voiding.objects.get().state == "GIVEN_UP"
    Connection.objects.update(state="ACTIVE")
    Voiding.objects.all().delete()
    asked_for(sent, staff, now, due_at=timezone.now() + timedelta(minutes=1))
    assert "Sage is busy or can't be reached. Next try at" in card(desk, sent)


def test_a_failure_shows_sages_words_what_they_mean_and_where_it_is_mended(
    desk: Browser, sent: Invoice, staff: User, viewer: User, now: datetime
) -> None:
    problems = [
        {"message": "Remove the payments.", "meaning": "Money is recorded against it.", "fix": "REMOTE"},
        {"message": "Not allowed.", "meaning": "Give that user full access.", "fix": "PLATFORM"},
    ]
    asked_for(sent, staff, now, state="ATTENTION", problems=problems)
    shown = card(desk, sent)
    for words in (
        "Not voided in Sage",
        "Remove the payments.",
        "Money is recorded against it.",
        '<a href="https://sage.example/1">Open it in Sage</a>',
        "Ask an admin",
        "Try again",
        "Keep the invoice",
    ):
        assert words in shown, words
    reader = Browser()
    reader.force_login(viewer)
    assert "Try again" not in card(reader, sent)
    desk.post(reverse("invoice-void-again", args=[sent.pk]))
    assert Voiding.objects.get().state == "WAITING"


def test_keep_the_invoice_leaves_it_as_it_is_and_can_be_asked_for_again(
    desk: Browser, sent: Invoice, staff: User, now: datetime
) -> None:
    asked_for(sent, staff, now, state="ATTENTION", problems=[{"message": "x", "meaning": "y", "fix": "SUPPORT"}])
    desk.post(reverse("invoice-void-stop", args=[sent.pk]))
    sent.refresh_from_db()
    assert (Voiding.objects.get().state, sent.status) == ("GIVEN_UP", "SENT")
    shown = card(desk, sent)
    assert "Not voided" not in shown.partition('id="push"')[2]
    assert reverse("invoice-void", args=[sent.pk]) in shown
    answer = desk.post(reverse("invoice-void-stop", args=[sent.pk]), follow=True)
    assert "settled already" in answer.text


def test_a_void_invoice_that_was_a_draft_in_sage_shows_no_number_to_come(desk: Browser, sent: Invoice) -> None:
    RemoteInvoice.objects.update(is_draft=True, number="", status="VOID", gone_at=timezone.now())
    Invoice.objects.update(status="VOID", outstanding=0)
    shown = card(desk, sent)
    assert "None: it was a draft there" in shown
    assert "once it is released" not in shown


def test_the_disconnect_page_counts_what_is_to_be_voided(
    client: Browser, admin: User, sent: Invoice, staff: User, now: datetime
) -> None:
    client.force_login(admin)
    address = reverse("connector-disconnect")
    assert "still to be voided" not in client.get(address).text
    asked_for(sent, staff, now)
    assert "<b>1</b> still to be voided in Sage" in client.get(address).text
