"""Sage's answer was lost and what it holds is in doubt: a person sees both sides and decides, in Chromium."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from connectors.models import Connection
from invoices import pull, services
from invoices import push as worker
from invoices.models import Invoice, Push, PushAttempt
from tests.books import Sandbox
from tests.journeys.conftest import NewPage
from tests.journeys.examined import NARROW
from tests.journeys.test_every_state_says_so import take
from tests.journeys.test_in_the_browser import push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
OURS = [{"description": "Gutter clearing", "nominal_code": 4000, "quantity": "2", "unit_price": "85.00"}]


def change(sandbox: Sandbox, token: object, **fields: Any) -> None:
    """What a colleague changes in Sage."""
    sandbox._call("POST", f"/_books/invoices/{token}/edit", json=fields)


@pytest.fixture
def lose(connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime) -> Callable[..., Push]:
    """It is sent and its answer, or all of it, is lost; `meanwhile` something happens in Sage; then Reflow looks."""

    def lost(fault: str, meanwhile: Callable[[], object]) -> Push:
        sandbox.fault(fault)
        push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
        worker.work(push.pk)
        meanwhile()
        push.refresh_from_db()
        assert push.state == Push.State.UNKNOWN
        worker.look(push.pk, now=push.due_at)
        push.refresh_from_db()
        assert push.state == Push.State.ATTENTION
        return push

    return lost


def open_card(page: Page, invoice: Invoice, staff: User, heading: str) -> Locator:
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    card = push_card(page)
    expect(card.get_by_role("heading", name=heading)).to_be_visible()
    expect(card.get_by_text("Looking what Sage holds")).to_have_count(0)
    return card


def side(card: Locator, label: str) -> list[str]:
    """What Sage has and what we have under that heading, in the first table."""
    cells = card.get_by_role("row", name=label).first.get_by_role("cell")
    return [text.strip() for text in cells.all_inner_texts()]


def press(page: Page, card: Locator, button: str, confirm: str = "") -> None:
    card.get_by_role("button", name=button).click()
    if confirm:
        page.get_by_role("dialog").get_by_role("button", name=confirm).click()


def test_one_that_was_changed_in_sage_is_laid_beside_ours_and_linked(
    new_page: NewPage, lose: Callable[..., Push], sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    def changed() -> None:
        (held,) = sandbox.invoices()
        change(sandbox, held["id"], lines=[{**OURS[0], "unit_price": "90.00"}])

    lose("lost", changed)
    page = new_page(**NARROW)
    card = open_card(page, invoice, staff, "Sage holds something else for INV-00001")
    assert side(card, "Total") == ["216.00", "204.00"]
    assert side(card, "Client") == ["Bramley Stores Ltd", "Bramley Stores Ltd"]
    assert card.locator("mark").all_inner_texts() == ["216.00"]
    take(page, "decide, one that differs")
    expect(card.get_by_role("button", name="Send ours")).to_have_count(0)
    press(page, card, "This is it: link it", "Link it")
    expect(push_card(page).locator("#token")).to_have_text(str(sandbox.invoices()[0]["id"]))
    expect(page.get_by_text("Linked to INV-00001 in Sage.")).to_be_visible()
    assert len(sandbox.calls("POST", "/sales_invoices")) == 1


def test_of_several_under_one_reference_a_person_links_one(
    page: Page, lose: Callable[..., Push], sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    lose("lost", lambda: sandbox.by_hand(contact_name="Castle Hill", reference="INV-00001", date="2026-03-10"))
    card = open_card(page, invoice, staff, "Sage holds several for INV-00001")
    expect(card.get_by_role("table")).to_have_count(2)
    expect(card.get_by_text("What is not linked stays in Sage as it is")).to_be_visible()
    take(page, "decide, several")
    one = card.get_by_role("region").filter(has_text="It is this invoice")
    one.get_by_role("button", name="This is it: link it").click()
    expect(push_card(page).get_by_text("Sent to Sage")).to_be_visible()
    push = Push.objects.get()
    ours = next(row for row in sandbox.invoices() if row["contact_name"] == "Bramley Stores Ltd")
    assert push.remote and push.remote.remote_id == ours["id"]


def test_one_that_only_looks_like_ours_is_refused_by_a_person_and_ours_goes_again(
    page: Page, lose: Callable[..., Push], sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    def typed_in() -> None:
        contact = next(row for row in sandbox.contacts() if row["name"] == "Bramley Stores Ltd")
        day = invoice.issue_date.isoformat()
        sandbox.by_hand(contact_id=contact["id"], reference="PO 17", number="SI-77", date=day, lines=OURS)

    push = lose("dropped", typed_in)
    card = open_card(page, invoice, staff, "Sage holds something else for INV-00001")
    assert side(card, "Reference") == ["PO 17", "INV-00001"]
    expect(card.get_by_text("It can be sent again from")).to_be_visible()
    PushAttempt.objects.update(may_leave_until=timezone.now() - timedelta(minutes=6))
    page.reload()
    card = push_card(page)
    take(page, "decide, one that only looks like it")
    card.get_by_role("checkbox", name="I have looked in Sage: this is not it").check()
    press(page, card, "Send ours again")
    expect(push_card(page).get_by_text("It goes as soon as a worker is free.")).to_be_visible()
    expect(page.get_by_text("Not in Sage: SI-77 is something else. It is sent again.")).to_be_visible()
    worker.work(push.pk)
    expect(push_card(page).get_by_text("Sent to Sage")).to_be_visible()
    assert sorted(str(row["reference"]) for row in sandbox.invoices()) == ["INV-00001", "PO 17"]
    keys = [attempt.key for attempt in push.attempts.all()]
    assert len(keys) == len(set(keys)) == 2


def test_what_had_come_in_as_a_stranger_gives_way(
    page: Page, lose: Callable[..., Push], sandbox: Sandbox, connection: Connection, invoice: Invoice, staff: User
) -> None:
    def renamed_and_read() -> None:
        (held,) = sandbox.invoices()
        change(sandbox, held["id"], reference="PO 17")
        Connection.objects.update(sync_settings={**connection.sync_settings, "direction": "BOTH"})
        pull.request(connection, now=timezone.now())
        pull.read(connection.pk, now=timezone.now())

    lose("lost", renamed_and_read)
    imported = Invoice.objects.get(origin="IMPORTED")
    card = open_card(page, invoice, staff, "Sage holds something else for INV-00001")
    expect(card.get_by_text(f"It has come in as {imported.number}")).to_be_visible()
    take(page, "decide, one that had come in")
    press(page, card, "This is it: link it")
    expect(push_card(page).get_by_text(f"It had come in as {imported.number}")).to_be_visible()
    push_card(page).get_by_role("link", name=str(imported.number)).click()
    expect(push_card(page).get_by_text("Is INV-00001", exact=True)).to_be_visible()
    expect(page.locator("#status").get_by_text("Void")).to_be_visible()
    take(page, "decide, what gave way")
    assert len(sandbox.invoices()) == 1
