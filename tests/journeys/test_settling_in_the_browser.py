"""What a person sees when Sage says no, and how they settle it: the conflict of numbers and three refusals."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices.models import Invoice
from tests.books import Sandbox
from tests.journeys.conftest import Crew
from tests.journeys.test_in_the_browser import push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture(autouse=True)
def worker(crew: Crew) -> None:
    crew.clock_divisor = 1
    crew.worker()


def send(page: Page, invoice: Invoice, staff: User) -> None:
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    push_card(page).get_by_role("button", name="Send to Sage").click()


def test_a_different_invoice_holds_the_number_and_one_click_takes_the_next(
    page: Page, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    sandbox.by_hand(contact_name="Castle Hill", number="INV-00001", date="2026-03-10")
    send(page, invoice, staff)
    card = push_card(page)
    expect(card.get_by_role("heading", name="Sage has INV-00001 already")).to_be_visible()
    expect(card.get_by_text("It is a different invoice: Castle Hill")).to_be_visible()
    expect(card.get_by_text("ask an admin to change the starting position")).to_be_visible()
    card.get_by_role("button", name="Use INV-00002, the next free number").click()
    expect(page.get_by_role("heading", name="INV-00002")).to_be_visible()
    expect(push_card(page).get_by_text("Sent to Sage")).to_be_visible()
    expect(page.get_by_text("INV-00001 is taken in Sage; the invoice is now INV-00002.")).to_be_visible()
    assert sorted(str(row["number"]) for row in sandbox.invoices()) == ["INV-00001", "INV-00002"]


def test_the_same_invoice_holds_the_number_and_one_click_links_it(
    page: Page, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    lines = [{"description": "Gutter clearing", "nominal_code": 4000, "quantity": "2", "unit_price": "85.00"}]
    held = sandbox.by_hand(
        contact_name="Bramley Stores Ltd", number="INV-00001", date=invoice.issue_date.isoformat(), lines=lines
    )
    send(page, invoice, staff)
    card = push_card(page)
    expect(card.get_by_text("the same client, date, lines and total")).to_be_visible()
    card.get_by_role("button", name="Link it").click()
    expect(push_card(page).locator("#token")).to_have_text(str(held["id"]))
    assert len(sandbox.invoices()) == 1


def test_a_locked_year_is_explained_and_the_invoice_goes_once_it_is_open(
    page: Page, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    sandbox.set_books(year_end_lockdown_date="2026-12-31")
    send(page, invoice, staff)
    card = push_card(page)
    expect(card.get_by_text("Sage's books are closed for this date.")).to_be_visible()
    expect(card.get_by_role("blockquote")).to_contain_text("prior to your Year End Lockdown Date")
    expect(card.get_by_role("button", name="Take it back to draft")).to_be_visible()
    sandbox.set_books(year_end_lockdown_date="")
    card.get_by_role("button", name="Send again").click()
    expect(push_card(page).get_by_text("Sent to Sage")).to_be_visible()


def test_an_archived_nominal_code_sends_an_admin_to_the_setting_and_staff_to_an_admin(
    page: Page, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    sandbox.set_books(archived={"4000": True})
    send(page, invoice, staff)
    card = push_card(page)
    expect(card.get_by_text("Sage does not take the nominal code of a line")).to_be_visible()
    expect(card.get_by_text("Ask an admin to do this.")).to_be_visible()
    card.get_by_text("Contact support").click()
    expect(card.get_by_role("link", name="help@reflow.example")).to_be_visible()


def test_two_customers_of_one_name_are_a_question_that_a_person_answers(
    page: Page, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    name = "Bramley Stores Ltd"
    sandbox.by_hand(contact_name=name, date="2026-03-10")
    first = next(row["id"] for row in sandbox.contacts() if row["name"] == name)
    sandbox.set_books(contacts={first: "VENDOR"})
    sandbox.by_hand(contact_name=name, date="2026-03-10")
    sandbox.set_books(contacts={first: "CUSTOMER"})
    send(page, invoice, staff)
    push_card(page).get_by_role("link", name="Say which customer it is").click()
    expect(page.get_by_text("suggested")).to_have_count(2)
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Link").click()
    page.goto(f"/invoices/{invoice.pk}/")
    push_card(page).get_by_role("button", name="Send again").click()
    expect(push_card(page).get_by_text("Sent to Sage")).to_be_visible()
