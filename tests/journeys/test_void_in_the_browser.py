"""A sent invoice is voided from its page in a real Chromium: the consequence first, then Sage, then here."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices.models import Invoice, Push, Voiding
from tests.books import Sandbox
from tests.journeys.conftest import Crew, NewPage
from tests.journeys.examined import NARROW, faults_of
from tests.journeys.intacct import send
from tests.journeys.test_in_the_browser import push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def worker(crew: Crew) -> None:
    """Its clocks run as in real life, so that a slow machine does not turn an answer into a lost one."""
    crew.clock_divisor = 1
    crew.worker()


@pytest.mark.usefixtures("worker")
def test_a_person_reads_the_consequence_voids_mends_what_sage_refuses_and_sees_it_void(
    page: Page,
    new_page: NewPage,
    connection: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    now: datetime,
) -> None:
    assert send(invoice, staff, now).state == Push.State.SENT
    (held,) = sandbox.invoices()
    sandbox._call("POST", f"/_books/invoices/{held['id']}/pay", json={"amount": "4.00"})
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Void in Sage").click()
    expect(page.get_by_role("heading", name=f"Void {invoice.number} in Sage")).to_be_visible()
    expect(page.get_by_text("It can't be undone.")).to_be_visible()
    page.get_by_role("button", name="Void in Sage").click()
    expect(page.get_by_role("alert")).to_contain_text("Reason")
    page.get_by_label("Reason").fill("Raised twice")
    page.keyboard.press("Enter")

    expect(push_card(page).get_by_role("heading", name="Not voided in Sage")).to_be_visible()
    expect(push_card(page)).to_contain_text("Take the payments and credits off it there")
    expect(push_card(page).get_by_role("link", name="Open it in Sage")).to_be_visible()
    narrow = new_page(**NARROW)
    sign_in(narrow, staff)
    narrow.goto(f"/invoices/{invoice.pk}/")
    assert faults_of(narrow, "failed, narrow") + faults_of(page, "failed") == []

    sandbox._call("POST", f"/_books/invoices/{held['id']}/unpay", json={})
    push_card(page).get_by_role("button", name="Try again").click()
    expect(page.locator("#status")).to_contain_text("Void")
    expect(push_card(page).locator(".badge", has_text="Void in Sage")).to_be_visible()
    expect(push_card(page)).to_contain_text("Voided in Sage: Raised twice")
    expect(page.locator("#history")).to_contain_text("Voided in Sage: Raised twice")
    expect(page.get_by_role("link", name="Void in Sage")).to_have_count(0)
    assert sandbox.invoices()[0]["void_reason"] == "Raised twice"
    assert Voiding.objects.get().state == "DONE"


def test_the_page_that_voids_fits_a_telephone_and_both_themes(
    new_page: NewPage, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    send(invoice, staff, now)
    for look in ({}, NARROW, {"color_scheme": "dark"}):
        page = new_page(**look)
        sign_in(page, staff)
        page.goto(f"/invoices/{invoice.pk}/void/")
        expect(page.get_by_label("Reason")).to_be_visible()
        assert faults_of(page, str(look)) == []
