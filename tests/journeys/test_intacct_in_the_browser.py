"""Intacct as people use it: connected, an invoice sent and renumbered before their eyes, disconnected, ours again."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import localdate
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import push as pushing
from invoices.models import Invoice, Push
from tests.books import COMPOSITE, INTACCT_USER, Sandbox
from tests.journeys.conftest import Crew
from tests.journeys.intacct import QUERY, held, link
from tests.journeys.test_in_the_browser import choose_account, go_to, push_card, sign_in, sign_out, step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def worker(crew: Crew) -> None:
    """Its clocks run as in real life, so that a slow machine does not turn an answer into a lost one."""
    crew.clock_divisor = 1
    crew.worker()


def authorise(page: Page) -> None:
    """From Settings through Intacct's own sign-in and consent, and back."""
    page.get_by_role("link", name="Cloud Accounting Connector").click()
    page.get_by_role("button", name="AUTHORISE Sage Intacct").click()
    for label, name in (("Company ID", "company_id"), ("User ID", "user_id"), ("Password", "password")):
        page.get_by_label(label).fill(INTACCT_USER[name])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow Access").click()
    expect(page.get_by_role("heading", name="Cloud Accounting Connector", level=1)).to_be_visible()


def choose_entity(page: Page) -> None:
    offered = step(page, "Organisation")
    expect(offered.get_by_role("radio")).to_have_count(3)
    offered.get_by_label("Harbour London (LDN)").check()
    page.get_by_role("button", name="Use this organisation").click()
    expect(step(page, "Organisation")).to_have_class("done")


def choose_sync_settings(page: Page) -> None:
    page.locator("section", has=page.get_by_role("heading", name="Sync settings")).get_by_role("link").click()
    page.get_by_label("Tax solution").select_option("United Kingdom - VAT")
    page.get_by_label("Location").select_option("Harbour London")
    page.get_by_label("Department").select_option("Operations")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_role("heading", name="Cloud Accounting Connector", level=1)).to_be_visible()


def map_the_taxes(page: Page) -> None:
    """Those of one percentage are suggested; which of two without tax is meant is for a person to say."""
    for name, theirs in (
        ("Standard", "Standard Rate"),
        ("Reduced", "Reduced Rate"),
        ("Zero", "Zero Rate"),
        ("Exempt", "Exempt"),
        ("No VAT", "Exempt"),
    ):
        select = step(page, "Tax").get_by_label(re.compile(name)).first
        value = select.locator("option", has_text=theirs).first.get_attribute("value")
        select.select_option(value)
    page.get_by_role("button", name="Save tax rates").click()
    expect(step(page, "Tax")).to_have_class("done")


def send(page: Page, sandbox: Sandbox, invoice: Invoice) -> None:
    """The number changes from ours to Intacct's in one and the same document."""
    go_to(page, "Invoices")
    page.get_by_role("link", name=str(invoice.number)).click()
    expect(page.locator("#number")).to_have_text("INV-00001")
    page.evaluate("document.documentElement.dataset.stayed = 'yes'")
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    expect(page.locator("#number")).to_have_text("SI-1001")
    assert page.evaluate("document.documentElement.dataset.stayed") == "yes"
    (theirs,) = held(sandbox)
    expect(page.locator("#token")).to_have_text(theirs["key"])
    assert (theirs["entity"]["id"], theirs["totalTxnAmount"]) == ("LDN", "204.00")
    expect(push_card(page).get_by_text("INV-00001", exact=True)).to_be_visible()
    go_to(page, "Invoices")
    expect(page.get_by_role("row").filter(has_text="SI-1001")).to_contain_text("INV-00001 here")


def disconnect(page: Page) -> None:
    page.get_by_role("link", name="Cloud Accounting Connector").click()
    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_text("Revoking ends every token that Intacct has given to this user")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("button", name="AUTHORISE Sage Intacct")).to_be_visible()


def see_our_number_again(page: Page, now: datetime) -> None:
    go_to(page, "Invoices")
    page.get_by_label("Search invoices").fill("SI-1001")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="INV-00001").click()
    expect(page.locator("#number")).to_have_text("INV-00001")
    today = localdate(now)
    former = push_card(page).get_by_text(f"SI-1001, until {today.day} {today:%B %Y}")
    expect(former).to_be_visible()
    expect(push_card(page).get_by_role("term").filter(has_text="Sage Intacct number")).to_be_visible()


@pytest.mark.usefixtures("worker")
def test_the_whole_journey_with_intacct_and_out_of_it_again(
    page: Page, sandbox: Sandbox, admin: User, staff: User, invoice: Invoice, now: datetime
) -> None:
    sign_in(page, admin)
    authorise(page)
    choose_entity(page)
    choose_sync_settings(page)
    choose_account(page, "Default nominal code", "4000")
    map_the_taxes(page)
    sign_out(page)
    sign_in(page, staff)
    send(page, sandbox, invoice)
    sign_out(page)
    sign_in(page, admin)
    disconnect(page)
    see_our_number_again(page, now)
    assert Connection.objects.get().state == Connection.State.DISCONNECTED


def test_a_number_that_comes_later_appears_on_the_open_page(
    page: Page, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """As with a batch: the token is there, the number a moment later, and nobody loads the page again."""
    link(invoice.client, intacct, now)
    sign_in(page, staff)
    page.get_by_role("link", name=str(invoice.number)).click()
    page.evaluate("document.documentElement.dataset.stayed = 'yes'")
    sandbox.fault("number_unread", on=COMPOSITE)
    sandbox.fault("unavailable", on=QUERY)
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(push_card(page).get_by_role("status")).to_have_text("Waiting")
    pushing.work(Push.objects.get(invoice=invoice).pk)
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    expect(page.locator("#number")).to_have_text("INV-00001")
    pushing.read_numbers(now=now + timedelta(hours=1))
    expect(page.locator("#number")).to_have_text("SI-1001")
    assert page.evaluate("document.documentElement.dataset.stayed") == "yes"
