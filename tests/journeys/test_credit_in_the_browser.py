"""A person credits a part of a sent invoice in a real Chromium, and sees the credit note in Sage with its token."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices.models import Invoice
from tests.books import Sandbox
from tests.journeys.conftest import Crew, NewPage
from tests.journeys.examined import NARROW, faults_of
from tests.journeys.intacct import send
from tests.journeys.test_in_the_browser import push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def test_a_part_is_credited_sent_and_shown_on_both_documents(
    page: Page,
    new_page: NewPage,
    crew: Crew,
    connection: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    now: datetime,
) -> None:
    send(invoice, staff, now)
    crew.clock_divisor = 1
    crew.worker()
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Credit").click()
    expect(page.get_by_role("heading", name=f"Credit {invoice.number}")).to_be_visible()
    expect(page.get_by_label("Quantity")).to_have_value("2.00")
    page.get_by_label("Quantity").fill("3")
    page.get_by_label("Reason").fill("One visit too many")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Create credit note").click()
    expect(page.get_by_role("alert")).to_contain_text("Only 2 was invoiced")
    expect(page.get_by_label("Reason")).to_have_value("One visit too many")
    narrow = new_page(**NARROW)
    sign_in(narrow, staff)
    narrow.goto(f"/invoices/{invoice.pk}/credit/")
    assert faults_of(narrow, "credit, narrow") + faults_of(page, "credit, refused") == []

    page.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Create credit note").click()
    expect(page.get_by_role("heading", name="CN-00001")).to_contain_text("Credit note")
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(page.locator("#status")).to_contain_text("Sent")
    expect(push_card(page)).to_contain_text(f"Allocate it to {invoice.number} in Sage")
    (held,) = sandbox.credit_notes()
    expect(page.locator("#token")).to_have_text(held["id"])
    assert (held["reference"], held["total_amount"]) == ("CN-00001", "102.0")
    assert faults_of(page, "credit note, sent") == []

    page.goto("/invoices/?kind=CREDIT_NOTE")
    row = page.get_by_role("row", name="CN-00001")
    expect(row).to_contain_text("\u2212£102.00")
    expect(row).to_contain_text("Credit note")
    page.goto(f"/invoices/{invoice.pk}/")
    expect(page.locator("#history")).to_contain_text("CN-00001: Sent to Sage as CN-00001")
    assert faults_of(page, "credited") == []
