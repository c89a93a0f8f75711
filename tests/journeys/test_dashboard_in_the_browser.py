"""Landing on the dashboard and following a tile, in Chromium: the list then shows as many as the tile said."""

import re
from datetime import datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils.timezone import localdate
from playwright.sync_api import Locator, Page, expect

from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice, Push, RemoteInvoice
from tests.conftest import draft_for
from tests.journeys.conftest import NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def business(client_of_ours: Client, admin: User, staff: User, now: datetime) -> None:
    """Nine invoices: four overdue, two not, one ready to send, one waiting and one that needs attention."""
    connection = Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour",
        authorised_at=now,
        authorised_by=admin,
    )
    today = localdate(now)
    for n in range(9):
        issued = today - timedelta(days=20 * (9 - n))
        draft = draft_for(client_of_ours, issue_date=issued, due_date=issued + timedelta(days=110))
        invoice = services.create_invoice(draft=draft, actor=staff, now=now)
        services.approve(invoice_id=invoice.pk, actor=staff, now=now)
        if n > 6:
            state, cause = ("READY", "") if n == 7 else ("ATTENTION", "REJECTED")
            given = {"connection": connection, "requested_by": staff, "requested_at": now, "due_at": now}
            Push.objects.create(invoice=invoice, state=state, cause=cause, **given)
        elif n < 6:
            held = {"remote_id": f"t-{n}", "number": invoice.number, "total": invoice.total, "linked_at": now}
            remote = RemoteInvoice.objects.create(invoice=invoice, connection=connection, **held)
            given = {"connection": connection, "requested_by": staff, "requested_at": now, "due_at": now}
            Push.objects.create(invoice=invoice, state="SENT", remote=remote, sent_at=now, **given)
            Invoice.objects.filter(pk=invoice.pk).update(status="SENT")


def tile(page: Page, label: str) -> Locator:
    return page.locator(".figures").get_by_role("link", name=re.compile(f"^{label}"))


def rows(page: Page) -> Locator:
    return page.locator("tr[data-row]")


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1440, 900, "light"), pytest.param(390, 844, "dark", marks=pytest.mark.prove)]
)
def test_each_tile_leads_to_a_list_of_as_many_as_it_says(
    new_page: NewPage, staff: User, width: int, height: int, scheme: str
) -> None:
    page = new_page(width=width, height=height, color_scheme=scheme)
    page.goto("/login/")
    page.get_by_label("Username").fill(staff.username)
    page.get_by_label("Password").fill(f"{staff.username}-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()
    for label, count, told in (
        ("Outstanding", 6, "6 invoices"),
        ("Overdue", 4, "4 invoices"),
        ("Ready to send", 1, "1approved, not sent"),
        ("Waiting", 1, "1oldest less than a minute"),
        ("Needs attention", 1, "1oldest less than a minute"),
        ("Sent this month", 6, "6since"),
    ):
        expect(tile(page, label)).to_contain_text(told)
        tile(page, label).click()
        expect(page.get_by_role("heading", name="Invoices", level=1)).to_be_visible()
        expect(rows(page)).to_have_count(count)
        page.go_back()
        expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in page.get_by_role("img").all():
        box = chart.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    expect(page.get_by_role("img", name="Invoiced and outstanding by month, GBP")).to_be_visible()
    expect(page.get_by_role("table", name="Outstanding by days overdue, GBP")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
