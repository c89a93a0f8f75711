"""The sync centre as a person goes through it, wide and on a phone: what is held, mended in place, parked, and sent."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices.models import Push
from tests.books import Sandbox
from tests.journeys.conftest import NewPage
from tests.journeys.examined import NARROW, WIDE, faults_of
from tests.journeys.mended import CAUSES, Day, work_off
from tests.journeys.test_in_the_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def card(page: Page, words: str) -> Any:
    return page.locator(".sync-group").filter(has=page.get_by_role("heading", name=words))


def queued(page: Page) -> None:
    expect(page.get_by_text("1 invoice was queued for Sage again.")).to_be_visible()


def park_and_unpark(page: Page) -> None:
    taken = card(page, "Sage has these numbers already")
    taken.get_by_text("Park", exact=True).click()
    taken.get_by_label("Reason").fill("Ask the bookkeeper first.")
    taken.get_by_role("button", name="Park all 1").click()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    work_off()
    page.goto("/sync/")
    page.get_by_role("link", name="Parked 1").click()
    expect(page.get_by_text("Ask the bookkeeper first.")).to_be_visible()
    assert faults_of(page, "parked") == []
    page.get_by_role("button", name="Unpark INV").click()
    queued(page)
    work_off()
    page.goto("/sync/")
    taken.get_by_role("button", name="Settle the number").click()
    queued(page)
    work_off()


@pytest.mark.parametrize("screen", [WIDE, pytest.param(NARROW, marks=pytest.mark.prove)], ids=["wide", "narrow"])
def test_each_cause_is_mended_where_it_stands(
    new_page: NewPage,
    connection: Connection,
    sandbox: Sandbox,
    staff: User,
    admin: User,
    now: datetime,
    screen: dict[str, Any],
) -> None:
    day = Day(sandbox=sandbox, connection=connection, staff=staff, now=now, bad=1, good=0)
    day.send()
    sandbox.clear_faults()
    page = new_page(**screen)
    sign_in(page, admin)
    page.goto("/sync/")
    expect(page.locator(".sync-group")).to_have_count(len(CAUSES))
    assert faults_of(page, "sync centre") == []
    tax = card(page, "Sage does not take the tax")
    tax.get_by_role("combobox").select_option("GB_EXEMPT")
    tax.get_by_role("button", name="Map it and send 1 again").click()
    queued(page)
    code = card(page, "Sage does not take the nominal code")
    code.get_by_role("combobox").select_option("4000")
    code.get_by_role("button", name="Change it on the lines").click()
    queued(page)
    gone = card(page, "Gone Ltd")
    gone.get_by_text("Say which customer it is", exact=True).click()
    gone.get_by_text("Gone Ltd of York").click()
    assert faults_of(page, "linking") == []
    gone.get_by_role("button", name="Link it and send 1 again").click()
    queued(page)
    twice = card(page, "Twice Ltd")
    twice.get_by_label("Reference").fill("TWICE2")
    twice.get_by_role("button", name="Save the client").click()
    queued(page)
    late = card(page, "Sage's books are closed for this date")
    late.get_by_label("New date").fill("2026-11-02")
    late.get_by_role("button", name="Move and send 1 again").click()
    queued(page)
    park_and_unpark(page)
    page.get_by_role("link", name="Successful").click()
    expect(page.get_by_role("row")).to_have_count(Push.objects.count() + 1)
    page.get_by_role("link", name="Attempts").first.click()
    expect(page.get_by_role("heading", name="Answered").first).to_be_visible()
    assert faults_of(page, "attempts") == []
    assert {*Push.objects.values_list("state", flat=True)} == {"SENT"}
    assert len({*day.in_sage()}) == len(day.in_sage()) == Push.objects.count()
