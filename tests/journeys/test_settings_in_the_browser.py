"""Settings as an admin meets them: from nothing to ready on each platform, choices seen before saving, health."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import push as worker
from invoices import services
from invoices.models import Invoice, Pull
from tests.books import Sandbox
from tests.journeys import test_in_the_browser as accounting
from tests.journeys import test_intacct_in_the_browser as intacct
from tests.journeys.test_in_the_browser import choose_account, sign_in, step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
PATIENCE = 20_000  # in ms: over several times it asks again


def set_up_intacct(page: Page) -> None:
    intacct.authorise(page)
    intacct.choose_entity(page)
    choose_account(page, "Default nominal code", "4000")
    intacct.choose_sync_settings(page)
    intacct.map_the_taxes(page)


SET_UPS = {"Sage Accounting": accounting.set_up, "Sage Intacct": set_up_intacct}


@pytest.mark.parametrize("platform", SET_UPS)
def test_from_nothing_to_ready_each_step_says_what_is_next(
    page: Page, sandbox: Sandbox, admin: User, platform: str
) -> None:
    sign_in(page, admin)
    SET_UPS[platform](page)
    expect(page.locator("#health")).to_contain_text("Busy")
    expect(page.locator("#next")).to_contain_text("INV-00001")
    expect(step(page, "First invoice sent")).to_have_class("next")
    page.locator(".ready").get_by_role("link", name="New invoice").click()
    expect(page.get_by_role("heading", name="New invoice", level=1)).to_be_visible()


def row(page: Page, label: str) -> str:
    found = page.locator("#next div").filter(has=page.get_by_text(label, exact=True))
    return found.locator("dd").inner_text()


def test_a_choice_shows_what_it_does_to_the_next_invoice_before_it_is_saved(
    page: Page, connection: Connection, admin: User
) -> None:
    sign_in(page, admin)
    page.goto("/settings/connector/sync/")
    ahead = page.locator("#next")
    expect(ahead).to_contain_text("As things are set now.")
    page.get_by_label("Draft").check()
    expect(ahead).to_contain_text("Somebody releases it there.")
    expect(ahead).to_contain_text("As chosen here, not saved yet.")
    page.get_by_label("Sage numbers").check()
    expect(ahead).to_contain_text("INV-00001, then Sage's")
    page.get_by_label("Created").check()
    page.get_by_label("Send on approval").check()
    expect(ahead).to_contain_text("When it is approved")
    page.get_by_role("button", name="Save settings").click()
    expect(page.locator("#next")).to_contain_text("As things are set now.")
    assert row(page, "Number").startswith("INV-00001, then Sage's")
    page.get_by_text("Change the mapping").click()
    page.get_by_label("Standard").select_option("GB_LOWER")
    expect(page.locator("#next")).to_contain_text("5 % in Sage: it can't be sent with this rate.")
    page.goto("/settings/connector/accounts/sales/")
    page.get_by_role("radio", name="4010").check()
    expect(page.locator("#next")).to_contain_text("4010 Sales - Services")
    connection.refresh_from_db()
    assert connection.sales_account_name.startswith("4000")


def test_the_health_card_follows_an_invoice_on_its_way_and_a_sync_without_a_reload(
    page: Page, connection: Connection, invoice: Invoice, admin: User, staff: User, now: datetime
) -> None:
    Pull.objects.create(connection=connection, began_at=now, ended_at=now, due_at=now + timedelta(hours=1))
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    sign_in(page, admin)
    page.goto("/settings/connector/")
    health = page.locator("#health")
    expect(health).to_contain_text("1 invoice is on its way.")
    expect(health.get_by_role("link", name="INV-00001")).to_be_visible()
    page.evaluate("document.documentElement.dataset.stayed = 'yes'")
    worker.work(push.pk)
    expect(health).to_contain_text("Healthy", timeout=PATIENCE)
    page.get_by_role("button", name="Sync now").click()
    expect(health).to_contain_text("The books are being read.")
    Pull.objects.update(due_at=now + timedelta(hours=1), ended_at=now)
    expect(health).to_contain_text("Healthy", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.dataset.stayed") == "yes"
