"""An invoice leaves for its client, on a desk and on a phone: its PDF, the e-mail, and how far that is."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import mailing, services
from invoices import push as worker
from invoices.models import Company, Invoice
from tests.journeys.conftest import NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def sent(connection: Connection, invoice: Invoice, staff: User, settings: Any) -> Invoice:
    """In Sage's books, on an installation that has a mail server."""
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "billing@quayside.example"
    Company.objects.update_or_create(pk=1, defaults={"name": "Quayside Property Care Ltd"})
    User.objects.filter(pk=staff.pk).update(email="sam@quayside.example")
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=timezone.now())
    worker.work(push.pk)
    invoice.refresh_from_db()
    assert invoice.status == Invoice.Status.SENT
    return invoice


def sign_in(page: Page, user: User) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="New invoice").first).to_be_visible()


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.prove)])
def test_the_pdf_is_opened_and_the_invoice_e_mailed(new_page: NewPage, sent: Invoice, staff: User, width: int) -> None:
    page = new_page(width=width, height=844)
    sign_in(page, staff)
    page.goto(f"/invoices/{sent.pk}/")
    open_the_pdf(page, sent)
    page.locator("#actions").get_by_role("link", name="E-mail").click()
    write(page)
    card = page.locator("#mail")
    expect(card.get_by_role("status")).to_have_text("E-mail waiting")
    page.evaluate("document.documentElement.dataset.stayed = 'yes'")
    mailing.work(sent.mails.get().pk)
    expect(card.get_by_role("status")).to_have_text("E-mailed")
    expect(page.locator("#history")).to_contain_text("E-mailed to bookkeeper@bramley.example.")
    expect(page.locator("#actions").get_by_role("link", name="E-mail")).to_be_hidden()
    assert page.evaluate("document.documentElement.dataset.stayed") == "yes"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    (message,) = outbox.outbox
    assert message.recipients() == ["bookkeeper@bramley.example", "sam@quayside.example"]
    assert message.body.startswith("Dear Bramley")
    look_at_what_was_sent(page)


def open_the_pdf(page: Page, sent: Invoice) -> None:
    """It stands beside More, on a phone within; its link leads to a PDF under a good name."""
    link, more = page.get_by_role("link", name="PDF"), page.locator("#actions summary")
    if is_narrow := page.evaluate("innerWidth < 821"):
        more.focus()
        page.keyboard.press("Enter")
    expect(link).to_be_visible()
    answer = page.request.get(str(link.get_attribute("href")))
    assert answer.headers["content-type"] == "application/pdf" and answer.body().startswith(b"%PDF")
    assert f"Invoice {sent.number} - Quayside" in answer.headers["content-disposition"]
    if is_narrow:
        page.keyboard.press("Escape")
        expect(link).to_be_hidden()
        expect(more).to_be_focused()


def write(page: Page) -> None:
    """What is wrong is said first; then it goes to the address that was corrected."""
    expect(page.get_by_label("To", exact=True)).to_have_value("accounts@bramley.example")
    page.get_by_label("To", exact=True).fill("bookkeeper")
    page.get_by_role("button", name="Send e-mail").click()
    expect(page.get_by_text("“bookkeeper” is not an e-mail address").first).to_be_visible()
    page.get_by_label("To", exact=True).fill("bookkeeper@bramley.example")
    page.get_by_label("Message").fill("Dear Bramley, here it is.")
    page.get_by_label("Send a copy to myself").check()
    page.get_by_role("button", name="Send e-mail").click()


def look_at_what_was_sent(page: Page) -> None:
    """Each attempt, by keyboard; a number is copied without anything moving."""
    page.locator(".attempts summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".attempts")).to_contain_text("INV-00001, 1 line, £204.00")
    before = page.locator("#push").bounding_box()
    page.get_by_role("button", name="Copy our number").click()
    expect(page.get_by_role("button", name="Copy our number")).to_have_text("Copied")
    assert page.locator("#push").bounding_box() == before
