"""Invoices raised, paid and reversed on Intacct's own pages, and seen here after Sync now: in Chromium, by a worker."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from connectors.models import Connection
from invoices import tasks
from invoices.models import Invoice, Pull
from reflow.processes import wait_until
from tests.books import Sandbox
from tests.journeys.conftest import Crew, NewPage
from tests.journeys.examined import NARROW, faults_of
from tests.journeys.intacct import QUERY, enter
from tests.journeys.test_in_the_browser import go_to, push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
PAGE_AND_A_BIT = 507  # two pages, of which the reading that is stopped keeps one


@pytest.fixture(autouse=True)
def worker(crew: Crew) -> None:
    """Its clocks run as in real life, so that a slow machine does not turn an answer into a lost one."""
    crew.clock_divisor = 1
    crew.worker()


@pytest.fixture
def ledger(page: Page, sandbox: Sandbox) -> Page:
    """The pretend Intacct in another tab."""
    tab = page.context.new_page()
    tab.goto(f"{sandbox.url}/intacct/")
    return tab


# In Intacct ---------------------------------------------------------------------------------------------------
def raise_one(ledger: Page, number: str, reference: str) -> None:
    ledger.get_by_role("link", name="Invoices", exact=True).click()
    ledger.get_by_role("link", name="New invoice").click()
    ledger.get_by_label("Entity").select_option("LDN")
    ledger.get_by_label("Customer").select_option("CUST-001")
    ledger.get_by_label("Reference").fill(reference)
    line = ledger.get_by_role("group", name="Line 1")
    line.get_by_label("Memo").fill("Gutters")
    line.get_by_label("Amount").fill("100.00")
    ledger.get_by_role("button", name="Enter the invoice").click()
    expect(ledger.get_by_role("heading", name=f"Invoice {number}")).to_be_visible()


def open_there(ledger: Page, number: str) -> None:
    ledger.get_by_role("link", name="Invoices", exact=True).click()
    ledger.get_by_role("link", name=number).click()


def receive(ledger: Page, number: str, amount: str) -> None:
    open_there(ledger, number)
    ledger.get_by_label("Amount received").fill(amount)
    ledger.get_by_role("button", name="Record the payment").click()
    expect(ledger.get_by_role("button", name=f"Remove the payment of {amount}")).to_be_visible()


def reverse(ledger: Page, number: str) -> None:
    open_there(ledger, number)
    ledger.get_by_role("button", name="Reverse the invoice").click()
    expect(ledger.get_by_text("Reversed", exact=True).first).to_be_visible()


# In Reflow ----------------------------------------------------------------------------------------------------
def sync_section(page: Page) -> Locator:
    return page.locator("#sync")


def fact(page: Page, name: str) -> Locator:
    term = page.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))
    return sync_section(page).locator("div", has=term).get_by_role("definition")


def open_connector(page: Page) -> None:
    page.get_by_role("link", name="Cloud Accounting Connector").click()
    expect(sync_section(page)).to_be_visible()


def sync_now(page: Page) -> None:
    """Pressed, and waited for until it can be pressed again, all in one and the same document."""
    open_connector(page)
    page.evaluate("document.getElementById('sync-deed').dataset.pressed = 'yes'")
    page.get_by_role("button", name="Sync now").click()
    again = page.locator("#sync-deed:not([data-pressed]):not([aria-disabled])", has_text="Sync now")
    expect(again).to_be_visible(timeout=20_000)


def see_in_list(page: Page, number: str, *texts: str) -> None:
    go_to(page, "Invoices")
    row = page.get_by_role("row").filter(has_text=number)
    for text in texts:
        expect(row).to_contain_text(text)


def test_raised_in_intacct_it_is_here_paid_there_it_is_paid_here_reversed_there_it_is_void_here(
    page: Page, new_page: NewPage, ledger: Page, intacct: Connection, admin: User
) -> None:
    found: list[str] = []
    sign_in(page, admin)
    open_connector(page)
    expect(sync_section(page).get_by_role("status")).to_have_text("Begins in a moment")
    found += faults_of(page, "before the first sync")
    tasks.pull_changes.delay()  # the beat's message
    expect(fact(page, "Last sync")).to_be_visible()

    raise_one(ledger, "SI-1001", "THEIRS-1")
    raise_one(ledger, "SI-1002", "THEIRS-2")
    sync_now(page)
    expect(fact(page, "Imported")).to_have_text("2")
    found += faults_of(page, "connector after a sync")
    see_in_list(page, "SI-1001", "IMP-0000", "Bramley Stores", "THEIRS-1", "£120.00", "Sent", "Imported")
    see_in_list(page, "SI-1002", "THEIRS-2", "Imported")
    found += faults_of(page, "list with imported invoices")

    receive(ledger, "SI-1001", "50.00")
    sync_now(page)
    see_in_list(page, "SI-1001", "Part paid", "£70.00")
    receive(ledger, "SI-1001", "70.00")
    reverse(ledger, "SI-1002")
    sync_now(page)
    expect(fact(page, "Updated")).to_have_text("2")
    expect(fact(page, "Imported")).to_have_text("0")
    see_in_list(page, "SI-1001", "Paid")
    see_in_list(page, "SI-1002", "Void")
    found += faults_of(page, "list with a paid and a void one")

    page.get_by_role("link", name="SI-1002").click()
    expect(page.locator("#number")).to_have_text("SI-1002")
    expect(page.locator("#status")).to_have_text("Void")
    expect(push_card(page)).to_contain_text("Voided in Sage.")
    expect(page.get_by_role("button", name="Send to Sage")).to_have_count(0)
    found += faults_of(page, "void imported invoice")
    go_to(page, "Invoices")
    page.get_by_role("link", name="SI-1001").click()
    expect(page.locator("#status")).to_have_text("Paid")
    expect(page.locator("#history")).to_contain_text("Part paid in Sage: 70.00 GBP is outstanding.")
    found += faults_of(page, "paid imported invoice")

    phone = new_page(**NARROW, storage_state=page.context.storage_state())
    for name, path in (("list", "/invoices/"), ("connector", "/settings/connector/")):
        phone.goto(path)
        found += faults_of(phone, f"{name} on a phone")
    assert found == []
    assert sorted(Invoice.objects.values_list("number", "status")) == [("IMP-00001", "PAID"), ("IMP-00002", "VOID")]


def test_a_sync_under_way_is_seen_and_stopped_and_the_next_one_goes_on_from_there(
    page: Page, intacct: Connection, sandbox: Sandbox, admin: User
) -> None:
    found: list[str] = []
    tasks.pull_changes.delay()
    assert wait_until(lambda: Pull.objects.filter(connection=intacct).exclude(ended_at=None).exists(), 10)
    enter(sandbox, entity="LDN", count=PAGE_AND_A_BIT)
    sandbox.fault("hold", on=QUERY)
    sign_in(page, admin)
    open_connector(page)
    page.get_by_role("button", name="Sync now").click()
    expect(sync_section(page).get_by_role("status")).to_have_text("Asking Sage what has changed")
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    found += faults_of(page, "sync under way")
    stop.click()
    expect(sync_section(page).get_by_role("status")).to_contain_text("Stops after this page")
    found += faults_of(page, "sync stopping")
    sandbox.clear_faults()
    expect(sync_section(page).get_by_role("heading", name="Stopped")).to_be_visible(timeout=20_000)
    kept, left = Invoice.objects.count(), Pull.objects.get().left
    assert kept and left and kept + left == PAGE_AND_A_BIT
    expect(sync_section(page)).to_contain_text(f"{left} more invoices were still to be read.")
    found += faults_of(page, "sync stopped")
    sync_now(page)
    expect(fact(page, "Imported")).to_have_text(str(left))
    assert Invoice.objects.count() == PAGE_AND_A_BIT
    assert found == []
