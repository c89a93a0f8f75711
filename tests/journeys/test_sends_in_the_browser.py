"""Many are checked, sent, left, come back to, cancelled and sent again in a real Chromium, with a real worker."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection, RemoteLink
from invoices import bulk, services
from invoices.models import BulkSend, Client, Invoice, Push, TaxRate
from tests.books import Sandbox
from tests.conftest import draft_for, line
from tests.journeys.conftest import Crew, NewPage
from tests.journeys.examined import NARROW, faults_of
from tests.journeys.test_list_in_the_browser import bar, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def six(client_of_ours: Client, staff: User, now: datetime) -> list[Invoice]:
    """Drafts, of which the last two have a tax rate that will not be mapped."""
    free = line(tax_rate=TaxRate.objects.get(pk="ZERO"))
    drafts = [draft_for(client_of_ours, *([free] if n > 3 else [])) for n in range(6)]
    return [services.create_invoice(draft=draft, actor=staff, now=now) for draft in drafts]


def hold(connection: Connection, *, until: timedelta | None) -> None:
    """As Sage does when it asks us to wait."""
    moment = None if until is None else connection.authorised_at + until
    Connection.objects.filter(pk=connection.pk).update(paused_until=moment)


def choose_all(page: Page) -> None:
    page.goto("/invoices/")
    page.get_by_label("Choose all on this page").check()
    bar(page).get_by_role("button", name="Send to Sage").click()


def tally(page: Page, code: str) -> str:
    return page.locator(f"#tally-{code} b").inner_text()


def see_the_checks(page: Page, narrow: Page) -> None:
    """Two of six are red for one cause, on a desk and on a telephone."""
    expect(page.locator(".page-head")).to_contain_text("6 chosen: 4 can be sent, 2 need something first")
    red = page.locator(".check-group").first
    expect(red).to_contain_text("No tax rate of Sage's is chosen yet for Zero")
    expect(red).to_contain_text("2 invoices")
    expect(red).to_contain_text("Ask an admin to do this.")
    expect(page.locator(".check-group").nth(1)).to_contain_text("4 invoices, £816.00")
    expect(narrow.get_by_role("button", name="Send the 4 green ones")).to_be_visible()
    assert faults_of(narrow, "checks, narrow") + faults_of(page, "checks") == []


def test_start_leave_come_back_cancel_resume_and_done(
    page: Page,
    new_page: NewPage,
    crew: Crew,
    connection: Connection,
    sandbox: Sandbox,
    six: list[Invoice],
    staff: User,
    now: datetime,
) -> None:
    zero = RemoteLink.objects.get(kind="TAX_RATE", local_key="ZERO")
    RemoteLink.objects.filter(pk=zero.pk).delete()
    sign_in(page, staff)
    choose_all(page)
    narrow = new_page(**NARROW)
    sign_in(narrow, staff)
    narrow.goto(page.url)
    see_the_checks(page, narrow)

    hold(connection, until=timedelta(hours=1))
    page.get_by_role("button", name="Send the 4 green ones").click()
    expect(page.get_by_role("heading", name="Sending to Sage")).to_be_visible()
    expect(page.locator(".send-state")).to_have_text("0 of 4 done")
    send = BulkSend.objects.get()
    expect(page.locator(".send-words")).to_contain_text("Sage is busy or can't be reached. Next try at")

    page.goto("/invoices/")
    page.get_by_role("link", name="See how far it is").click()
    assert (tally(page, "waiting"), tally(page, "left_out")) == ("4", "2")
    for _ in bulk.queue_all(send.pk, now=now):  # no worker has come yet
        pass
    page.get_by_role("button", name="Cancel what has not left").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel 4 that have not left?")
    page.get_by_role("dialog").get_by_role("button", name="Cancel what has not left").click()
    expect(page.get_by_text("4 cancelled before they left.")).to_be_visible()
    assert (tally(page, "waiting"), tally(page, "cancelled")) == ("0", "4")
    assert sandbox.invoices() == []
    assert faults_of(page, "cancelled") == []

    hold(connection, until=None)
    page.get_by_role("button", name="Send the 4 cancelled ones again").click()
    expect(page.get_by_text("4 queued for Sage again.")).to_be_visible()
    crew.clock_divisor = 1
    crew.worker()
    crew.beat()
    expect(page.locator(".send-state")).to_have_text("All 4 are in Sage", timeout=60_000)
    assert (tally(page, "sent"), tally(page, "waiting"), tally(page, "left_out")) == ("4", "0", "2")
    expect(page.get_by_role("row").filter(has_text="INV-00001")).to_contain_text("Sent")
    assert len(sandbox.invoices()) == 4
    assert Push.objects.filter(state="SENT").count() == 4
    narrow.reload()
    expect(narrow.locator(".send-state")).to_have_text("All 4 are in Sage")
    assert faults_of(narrow, "done, narrow") == []

    zero.pk = None
    zero.save()
    page.get_by_role("button", name="Check the 2 left out again").click()
    page.get_by_role("button", name="Send all 2").click()
    expect(page.locator(".send-state")).to_have_text("All 2 are in Sage", timeout=60_000)
    page.get_by_role("link", name="Sends").click()
    expect(page.get_by_role("row")).to_have_count(3)
    assert faults_of(page, "sends") == []
    assert len(sandbox.invoices()) == 6


def test_one_invoices_card_unfolds_the_checks(
    page: Page, connection: Connection, invoice: Invoice, staff: User
) -> None:
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    page.get_by_text("Checks before sending").click()
    expect(page.locator(".check-list li")).to_have_count(9)
    expect(page.locator(".check-list")).to_contain_text("Sage's books are open from 1 April 2019 on.")
    assert faults_of(page, "card") == []
