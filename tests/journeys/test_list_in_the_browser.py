"""The invoice list in Chromium: choosing rows, the page and all that match, sending them, columns, and a phone."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import listing, services
from invoices.models import Client, Invoice, Push
from tests.conftest import draft_for
from tests.journeys.conftest import NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
LIST = reverse("invoice-list")


def sign_in(page: Page, user: User) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


@pytest.fixture
def eight(client_of_ours: Client, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch) -> list[Invoice]:
    """Drafts of £204.00 over two pages, of which two are void."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    made = [services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now) for _ in range(8)]
    for one in made[-2:]:
        services.discard(invoice_id=one.pk, reason="Raised twice.", actor=staff, now=now)
    return made


def bar(page: Page) -> Any:
    return page.get_by_role("region", name="Chosen invoices")


def test_rows_the_page_and_all_that_match_are_chosen(
    page: Page, eight: list[Invoice], connection: Connection, staff: User
) -> None:
    sign_in(page, staff)
    page.goto(LIST)
    expect(bar(page)).to_be_hidden()
    page.get_by_label("Choose INV-00006").check()
    expect(bar(page)).to_contain_text("1 selected £204.00")
    page.get_by_label("Choose INV-00008").check()
    expect(bar(page)).to_contain_text("2 selected £408.00")
    expect(bar(page)).to_contain_text("1 can be sent, £204.00. Left out: 1 void.")
    expect(bar(page)).to_contain_text("Approve: 1 of them. Left out: 1 void.")
    expect(page.locator("#live")).to_contain_text("2 selected. £408.00")
    page.get_by_label("Choose all on this page").check()
    expect(bar(page)).to_contain_text("5 selected £1,020.00")
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("8 selected, all that match £1,632.00")
    expect(bar(page)).to_contain_text("6 can be sent, £1,224.00. Left out: 2 void.")
    page.get_by_label("Choose INV-00008").uncheck()
    expect(bar(page)).to_contain_text("4 selected £816.00")
    page.get_by_label("Choose all on this page").check()
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("8 selected")
    bar(page).get_by_role("button", name="Send to Sage").click()
    expect(page.get_by_role("heading", name="Check before sending")).to_be_visible()
    expect(page.locator(".page-head")).to_contain_text("8 chosen: 6 can be sent, 2 need something first")
    expect(page.get_by_text(f"£1,224.00 would go to {connection.company_name}")).to_be_visible()
    assert not Push.objects.exists()


def test_a_row_that_moves_changes_by_itself_and_stays_chosen(
    page: Page, eight: list[Invoice], connection: Connection, staff: User, now: datetime
) -> None:
    push = services.request_push(invoice_id=eight[5].pk, actor=staff, now=now)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    sign_in(page, staff)
    page.goto(LIST)
    row = page.locator(f"#row-{eight[5].pk}")
    box = page.get_by_label("Choose INV-00006")
    box.check()
    box.focus()
    box.evaluate("box => { box.style.accentColor = 'green'; }")  # as a browser's extension does
    expect(row).to_contain_text("Waiting")
    Push.objects.filter(pk=push.pk).update(state="ATTENTION", cause="REJECTED")
    expect(row).to_contain_text("Needs attention")
    expect(page.locator("#tile-attention b")).to_have_text("1")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    expect(bar(page)).to_contain_text("1 selected £204.00")
    expect(bar(page).get_by_role("button", name="Send to Sage")).to_be_enabled()
    assert said == [], "the browser has nothing to complain about"


def test_columns_are_put_in_order_and_left_out_by_keyboard(page: Page, eight: list[Invoice], staff: User) -> None:
    sign_in(page, staff)
    page.goto(f"{LIST}?status=DRAFT")
    page.locator("summary", has_text="Columns").press("Enter")
    page.get_by_role("button", name="Move Total up").press("Enter")
    page.get_by_role("button", name="Move Total up").press("Enter")
    expect(page.get_by_role("button", name="Move Total up")).to_be_focused()
    expect(page.locator("#live")).to_have_text("Total: 4 of 10")
    page.get_by_role("checkbox", name="Reference").press("Space")
    page.get_by_role("button", name="Apply").and_(page.locator(".columns button")).press("Enter")
    expect(page.get_by_role("columnheader")).to_have_text(
        [
            *("Choose all on this page", "Number", "Client", "Property", "Total", "Date", "Due", "Outstanding"),
            *("Status", "Sage state", "Sent to Sage"),
        ]
    )
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?status=DRAFT")
    page.locator("summary", has_text="Columns").press("Enter")
    page.get_by_role("button", name="Reset").press("Enter")
    expect(page.get_by_role("columnheader").nth(4)).to_have_text("Reference")


def test_on_a_phone_a_list_is_filtered_and_chosen_from(
    new_page: NewPage, eight: list[Invoice], staff: User, now: datetime
) -> None:
    page = new_page(width=390, height=844)
    sign_in(page, staff)
    page.goto(LIST)
    page.locator("summary", has_text="Filter").click()
    page.get_by_role("combobox", name="Status").select_option("DRAFT")
    page.get_by_role("button", name="Apply").and_(page.locator(".filters button")).click()
    expect(page.get_by_role("link", name="Remove filter: Draft")).to_be_visible()
    assert page.url.endswith("?status=DRAFT&sort=-date")
    page.get_by_label("Choose INV-00006").check()
    bar(page).get_by_role("button", name="Select all 5 on this page").click()
    expect(bar(page)).to_contain_text("5 selected £1,020.00")
    for name in ("Approve", "CSV", "Clear"):
        expect(bar(page).get_by_role("button", name=name)).to_be_in_viewport()
    expect(bar(page).get_by_role("button", name="Send to Sage")).to_be_disabled()
    expect(bar(page)).to_contain_text("Reflow is not connected to Sage yet.")
    with page.expect_download() as download:
        bar(page).get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename.startswith("invoices-")
    bar(page).get_by_role("button", name="Approve").click()
    expect(page.get_by_text("5 invoices were approved.")).to_be_visible()
    assert Invoice.objects.filter(status="APPROVED").count() == 5
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_file_of_all_that_match_holds_the_other_pages_too(page: Page, eight: list[Invoice], staff: User) -> None:
    sign_in(page, staff)
    page.goto(f"{LIST}?sort=number")
    page.get_by_label("Choose all on this page").check()
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("8 selected")
    with page.expect_download() as download:
        bar(page).get_by_role("button", name="CSV").click()
    assert download.value.path().read_text().count("INV-") == 16, "each with its number shown and its own"
