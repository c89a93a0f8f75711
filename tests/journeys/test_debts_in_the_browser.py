"""What is owed, on a desk and on a phone: aged debtors, a statement by e-mail, reminders; and the number register."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import mailing, number_register, reminding, services
from invoices import push as worker
from invoices.models import Client, Company, Invoice, InvoiceMail, ReminderSettings
from tests.books import Sandbox
from tests.conftest import draft_for
from tests.journeys.conftest import NewPage
from tests.journeys.test_mail_in_the_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def overdue(connection: Connection, client_of_ours: Client, admin: User, settings: Any) -> list[Invoice]:
    """Two of one client in Sage's books, 45 and 8 days late, on an installation that has a mail server."""
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "billing@quayside.example"
    Company.objects.update_or_create(pk=1, defaults={"name": "Quayside Property Care Ltd"})
    made = []
    for late in (45, 8):
        due = timezone.localdate() - timedelta(days=late)
        draft = draft_for(client_of_ours, issue_date=due - timedelta(days=30), due_date=due)
        invoice = services.create_invoice(draft=draft, actor=admin, now=timezone.now())
        push = services.request_push(invoice_id=invoice.pk, actor=admin, now=timezone.now())
        worker.work(push.pk)
        made.append(invoice)
    return made


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.prove)])
def test_what_is_owed_is_looked_at_and_asked_for(
    new_page: NewPage, overdue: list[Invoice], admin: User, sandbox: Sandbox, width: int
) -> None:
    page = new_page(width=width, height=844)
    sign_in(page, admin)
    page.goto("/debtors/")
    expect(page.locator("tbody tr")).to_contain_text("Bramley Stores Ltd")
    expect(page.locator("tbody tr")).to_contain_text("£408.00")
    assert not page.evaluate(SIDEWAYS)
    e_mail_a_statement(page, overdue)
    set_up_reminders(page)
    send_reminders(page, overdue, sandbox)
    look_at_the_invoice(page, overdue[1])


def e_mail_a_statement(page: Page, overdue: list[Invoice]) -> None:
    """From the figure to the invoices behind it, then all of them to the client."""
    page.locator("tbody tr").get_by_role("link", name="£204.00").last.click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("45 days overdue")
    page.get_by_role("link", name="Show all that is open").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_label("From")).to_be_visible()
    page.get_by_role("link", name="Open items").click()
    assert not page.evaluate(SIDEWAYS)
    page.locator("header").get_by_role("link", name="E-mail").click()
    expect(page.get_by_label("Message")).to_contain_text("The balance is £408.00.")
    page.get_by_role("button", name="Send e-mail").click()
    expect(page.get_by_text("The statement is on its way to accounts@bramley.example.")).to_be_visible()
    mailing.work(InvoiceMail.objects.get().pk)
    page.reload()
    expect(page.locator(".timeline")).to_contain_text("Statement to accounts@bramley.example: sent")


def set_up_reminders(page: Page) -> None:
    page.goto("/debtors/reminders/")
    expect(page.get_by_text("Reminders are off")).to_be_visible()
    expect(page.get_by_text("1 e-mail about 2 invoices would go out the next morning")).to_be_visible()
    page.get_by_role("link", name="Set up and switch on").click()
    page.get_by_label("Send reminders of overdue invoices").check()
    page.get_by_label("Text").first.fill("Dear {client}, pay {everything}.")
    page.get_by_role("button", name="Save reminders").click()
    expect(page.get_by_text("There is no {everything}.").first).to_be_visible()
    assert not page.evaluate(SIDEWAYS)
    page.get_by_label("Text").first.fill("Dear {client}, please pay {invoices}.")
    page.get_by_role("button", name="Save reminders").click()
    expect(page.get_by_text("Reminders are off")).to_be_hidden()
    expect(page.get_by_text("1 e-mail about 2 invoices would go out on")).to_be_visible()
    assert not page.evaluate(SIDEWAYS)


def send_reminders(page: Page, overdue: list[Invoice], sandbox: Sandbox) -> None:
    """Send now, and a second press finds nothing left."""
    page.get_by_role("button", name="Send now").click()
    page.get_by_role("dialog").get_by_role("button", name="Send now").click()
    expect(page.get_by_text("The reminders go as soon as Sage has said what is still owed.")).to_be_visible()
    (mail,) = reminding.run(now=timezone.now())
    mailing.work(mail)
    assert reminding.run(now=timezone.now()) == []
    page.reload()
    expect(page.get_by_text("No reminder is due.")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("Bramley Stores Ltd: sent")
    message = outbox.outbox[-1]
    assert message.subject.startswith("Last reminder from Quayside") and str(overdue[0]) in message.body
    assert ReminderSettings.ours().trouble == ""


def look_at_the_invoice(page: Page, invoice: Invoice) -> None:
    """Its history has it, and the next one is held back."""
    page.goto(f"/invoices/{invoice.pk}/")
    expect(page.locator("#history")).to_contain_text("E-mailed with a reminder to accounts@bramley.example.")
    page.get_by_text("Hold back", exact=True).click()
    page.get_by_label("Reason").fill("They dispute it")
    page.get_by_role("button", name="Hold reminders back").click()
    expect(page.get_by_text("Held back", exact=True)).to_be_visible()
    expect(page.locator("#history")).to_contain_text("Reminders held back: They dispute it")
    page.get_by_role("button", name="Remind again").click()
    expect(page.locator("#history")).to_contain_text("Reminders are no longer held back.")
    assert not page.evaluate(SIDEWAYS)


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.prove)])
def test_the_number_register_warns_and_explains(
    new_page: NewPage, overdue: list[Invoice], admin: User, client_of_ours: Client, sandbox: Sandbox, width: int
) -> None:
    draft = services.create_invoice(draft=draft_for(client_of_ours), actor=admin, now=timezone.now())
    services.discard(invoice_id=draft.pk, reason="Raised twice.", actor=admin, now=timezone.now())
    held = services.create_invoice(draft=draft_for(client_of_ours), actor=admin, now=timezone.now())
    push = services.request_push(invoice_id=held.pk, actor=admin, now=timezone.now())
    worker.work(push.pk)
    page = new_page(width=width, height=844)
    sign_in(page, admin)
    page.goto("/numbers/")
    expect(page.locator("#ahead")).to_contain_text("As Sage said on")
    expect(page.locator("#ahead")).to_contain_text("None held")
    row = page.locator("tbody tr")
    expect(row).to_contain_text("INV-00003")
    expect(row).to_contain_text("Raised twice.")
    assert not page.evaluate(SIDEWAYS)
    page.get_by_label("Given from").fill("2001-01-01")
    page.get_by_label("to", exact=True).fill("2001-12-31")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No number is missing")).to_be_visible()


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.prove)])
def test_the_number_register_looks_on_where_few_are_missing(
    new_page: NewPage, admin: User, client_of_ours: Client, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(number_register, "LOOKED", 2)
    made = [services.create_invoice(draft=draft_for(client_of_ours), actor=admin, now=timezone.now()) for _ in range(7)]
    for one in (made[3], made[6]):
        services.discard(invoice_id=one.pk, reason="Raised twice.", actor=admin, now=timezone.now())
    page = new_page(width=width, height=844)
    sign_in(page, admin)
    page.goto("/numbers/")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("INV-00004")
    expect(rows.nth(1)).to_contain_text("INV-00007")
    assert not page.evaluate(SIDEWAYS)
    page.locator("input[name=since]").fill("2001-01-01")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(2)
    services.discard(invoice_id=made[0].pk, reason="Raised twice.", actor=admin, now=timezone.now())
    page.route("**/numbers/?*shown=*", lambda route: None)  # it stays while it looks on
    page.reload()
    expect(page.locator("#looking")).to_contain_text("Looking on")
    page.unroute_all()
