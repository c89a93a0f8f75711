"""In whatever state an invoice is on its way, its card, the list, the dashboard and the health card tell the truth.

With SCREENSHOTS=folder each of them is kept there as a picture.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors import epoch
from connectors.models import Connection, LiveDatabase
from connectors.services import live_connection
from invoices import services
from invoices.models import Invoice, Push, PushAttempt
from tests.journeys.conftest import NewPage
from tests.journeys.examined import NARROW, WIDE, faults_of, sideways
from tests.journeys.test_in_the_browser import push_card, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
SEEN = Path(os.environ["SCREENSHOTS"]) if os.environ.get("SCREENSHOTS") else None
LOST = "Sage's answer was lost."


@dataclass(frozen=True, kw_only=True)
class State:
    """What is in the rows, and what every page has to say of it."""

    push: dict[str, Any]
    connection: dict[str, Any]
    says: str
    brief: str = ""
    is_copy: bool = False


MINUTE = timedelta(minutes=1)
READY: dict[str, Any] = {"state": "READY", "due_at": -MINUTE}
SENDING: dict[str, Any] = {"state": "SENDING", "lane": 0, "lease_until": 5 * MINUTE}
UNKNOWN: dict[str, Any] = {"state": "UNKNOWN", "due_at": 5 * MINUTE}
DIFFERENT: dict[str, Any] = {"state": "ATTENTION", "cause": "DIFFERENT"}
HELD, GONE = "nothing goes on until an admin has confirmed", "until Reflow is connected to the same organisation"
NOBODY = "minutes, but nothing takes it: whoever runs this server should see whether its workers and its broker run."
DEAD, QUIET = {"state": "RECONNECT"}, {"contact_at": -20 * MINUTE}
ENDED = {"state": "DISCONNECTED", "disconnected_at": -MINUTE}
STATES = {
    "waiting": State(push=READY, connection={}, says="It goes as soon as a worker is free."),
    "waiting, paused": State(push=READY, connection={"paused_until": 5 * MINUTE}, says="Next try at", brief="next try"),
    "waiting, not authorised": State(push=READY, connection=DEAD, says="once an admin has", brief="not authorised"),
    "waiting, no worker": State(
        push={**READY, "due_at": -9 * MINUTE}, connection=QUIET, says=NOBODY, brief="no worker"
    ),
    "waiting, a copy": State(push=READY, connection={}, says=HELD, brief="restored copy", is_copy=True),
    "sending": State(push=SENDING, connection={}, says="Sage has until"),
    "sending, worker dead": State(
        push={**SENDING, "lease_until": -MINUTE}, connection={}, says="has stopped", brief="its worker stopped"
    ),
    "checking": State(push=UNKNOWN, connection={}, says=f"{LOST} Reflow looks into Sage", brief="next look"),
    "checking, being disconnected": State(
        push=UNKNOWN, connection={"state": "DISCONNECTING"}, says="next look at", brief="next look"
    ),
    "checking, not authorised": State(push=UNKNOWN, connection=DEAD, says="Reflow looks once", brief="not authorised"),
    "checking, disconnected": State(push=UNKNOWN, connection=ENDED, says=GONE, brief="not connected"),
    "checking, no worker": State(
        push={**UNKNOWN, "due_at": -9 * MINUTE}, connection=QUIET, says=NOBODY, brief="no worker"
    ),
    "attention": State(push={**DIFFERENT, "cause": "REJECTED"}, connection={}, says="Sage did not take this invoice"),
    "attention, not authorised": State(
        push=DIFFERENT, connection=DEAD, says="It can be settled once", brief="not authorised"
    ),
    "attention, disconnected": State(push=DIFFERENT, connection=ENDED, says=GONE, brief="not connected"),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One invoice, whose way to Sage is put into one state after the other."""

    push: Push

    def arrange(self, state: State) -> None:
        afresh = {"state": "ACTIVE", "paused_until": None, "disconnected_at": None, "contact_at": timedelta()}
        Connection.objects.update(**self._moments({**afresh, **state.connection}))
        idle = {"cause": "", "lane": None, "lease_until": None, "due_at": timedelta(), "requested_at": -10 * MINUTE}
        Push.objects.update(**self._moments({**idle, **state.push}))
        self.push.attempts.all().delete()
        if state.push["state"] != "READY":
            given = {"key": "k" * 32, "started_at": timezone.now(), "document": None}
            PushAttempt.objects.create(push=self.push, n=1, generation=1, **given)
        LiveDatabase.objects.update(identity="another database" if state.is_copy else epoch.identity())

    def _moments(self, given: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()
        return {name: now + value if isinstance(value, timedelta) else value for name, value in given.items()}


@pytest.fixture
def stage(connection: Connection, invoice: Invoice, staff: User, now: datetime) -> Iterator[Stage]:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    yield Stage(push=push)
    LiveDatabase.objects.update(identity=epoch.identity())


def take(page: Page, name: str) -> None:
    assert (faults_of(page, name) if name.startswith("card") or SEEN else sideways(page, name)) == []
    if SEEN:
        width = (page.viewport_size or {})["width"]
        page.screenshot(path=SEEN / f"{name.replace(', ', ' ').replace(' ', '-')}-{width}.png", full_page=True)


@pytest.mark.parametrize("screen", [WIDE, pytest.param(NARROW, marks=pytest.mark.prove)], ids=["wide", "narrow"])
def test_every_page_tells_what_is_happening_until_when_or_who_must_act(
    new_page: NewPage, admin: User, stage: Stage, screen: dict[str, Any]
) -> None:
    page = new_page(**screen)
    sign_in(page, admin)
    for name, state in STATES.items():
        stage.arrange(state)
        look_at(page, stage.push.invoice, name, state)


def look_at(page: Page, invoice: Invoice, name: str, state: State) -> None:
    """The card, the list, the dashboard, and the health card where anything is connected."""
    page.goto(f"/invoices/{invoice.pk}/")
    expect(push_card(page), name).to_contain_text(state.says)
    take(page, f"card, {name}")
    page.goto("/invoices/")
    expect(page.locator(f"#row-{invoice.pk}"), name).to_contain_text(state.brief)
    take(page, f"list, {name}")
    page.goto("/")
    oldest = page.locator(".oldest")
    expect(oldest.get_by_role("link", name=str(invoice.number))).to_have_attribute("href", f"/invoices/{invoice.pk}/")
    expect(oldest, name).to_contain_text("for 10 minutes")
    if name != "attention":
        expect(oldest, name).to_contain_text(state.says)
    take(page, f"dashboard, {name}")
    if live_connection():
        page.goto("/settings/connector/")
        expect(page.locator("#health").get_by_role("link", name=str(invoice.number))).to_be_visible()
        take(page, f"health, {name}")
