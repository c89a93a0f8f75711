"""Every page in every state, wide and narrow, light and dark: axe finds nothing serious, nothing shifts, all is light.

With SCREENSHOTS=folder each of them is kept there as a picture (`make screenshots`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import Page

from connectors import services as connectors
from connectors.models import Connection
from invoices import push as worker
from invoices import services, void_services, voiding
from invoices.models import Client, Invoice, Item, Push
from reflow import demo
from tests.books import Sandbox
from tests.conftest import CALLBACK
from tests.journeys.conftest import NewPage
from tests.journeys.examined import NARROW, WIDE, Examiner, served

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
MOVING = {"waiting": Push.State.READY, "checking": Push.State.UNKNOWN, "sending": Push.State.SENDING}


@dataclass(frozen=True, kw_only=True)
class Tour:
    """One visitor going through all pages; each step arranges a state, opens its page and names it."""

    page: Page
    sandbox: Sandbox
    admin: User
    viewer: User

    def open(self, name: str, path: str) -> str:
        self.page.goto(path)
        return name

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_load_state()

    def sign_in(self, user: User) -> None:
        self.page.context.clear_cookies()
        self.page.goto("/login/")
        self.page.get_by_label("Username").fill(user.username)
        self.page.get_by_label("Password").fill(f"{user.username}-password")
        self.press("Sign in")

    def all(self) -> Iterator[str]:
        yield from self.door()
        self.sign_in(self.admin)
        yield self.open("dashboard, nothing yet", "/")
        yield from self.empty_lists()
        demo.load(now=timezone.now())
        yield self.open("dashboard, being set up", "/")
        yield from self.lists()
        yield from self.editors()
        yield from self.connector()
        yield from self.accounts()
        yield from self.settings_of_the_connection()
        yield from self.connector_in_trouble()
        yield from self.incrementors()
        yield from self.invoices()
        yield from self.crediting()
        yield from self.voiding()
        yield from self.mails()
        yield from self.failures()
        yield self.open("dashboard", "/")
        yield self.open("invoices in all states", "/invoices/")
        yield self.open("no such page", "/invoices/999999/")
        self.sign_in(self.viewer)
        yield self.open("dashboard as a viewer", "/")
        yield self.open("list as a viewer", "/invoices/?status=DRAFT")
        yield self.open("draft as a viewer", f"/invoices/{draft().pk}/")
        yield self.open("not open to a viewer", "/settings/connector/")

    def door(self) -> Iterator[str]:
        yield self.open("sign-in", "/login/")
        self.press("Sign in")
        yield "sign-in with errors"
        self.page.context.clear_cookies()
        self.press("Sign in")
        yield "stale form"

    def empty_lists(self) -> Iterator[str]:
        yield self.open("invoices, none yet", "/invoices/")
        for plural in ("clients", "items", "properties"):
            yield self.open(f"{plural}, none yet", f"/{plural}/")
        menu = self.page.get_by_role("button", name="Menu")
        if menu.is_visible():
            menu.click()
            yield "menu"

    def lists(self) -> Iterator[str]:
        yield self.open("invoices", "/invoices/")
        self.page.get_by_text("Columns", exact=True).click()
        yield "invoices, columns"
        self.open("", "/invoices/")
        self.page.locator(".filters summary").click()
        yield "invoices, filters"
        self.open("", "/invoices/?status=APPROVED")
        for row in (1, 2, 4):
            self.page.locator("[data-select]").nth(row).check()
        yield "invoices, selected"
        self.page.keyboard.press("Shift+?")
        yield "keyboard shortcuts"
        yield self.open("invoices, searched in vain", "/invoices/?q=zzz&status=SENT")
        for plural in ("clients", "items", "properties"):
            yield self.open(plural, f"/{plural}/")
        yield self.open("items, none archived", "/items/?show=archived")

    def editors(self) -> Iterator[str]:
        for noun, path in (("client", "clients"), ("item", "items"), ("property", "properties")):
            self.page.goto(f"/{path}/new/")
            self.press("Save")
            yield f"new {noun} with errors"
        yield self.open("client", f"/clients/{Client.objects.all()[0].pk}/")
        yield self.open("company", "/settings/company/")
        yield self.open("new invoice", "/invoices/new/")
        client = self.page.get_by_label("Client", exact=True)
        client.press_sequentially("king")
        self.page.locator("#choices-list [role=option]").first.wait_for()
        yield "new invoice, choosing a client"
        client.fill("Northgate Motors")
        self.page.get_by_role("option", name="Create").click()
        self.page.get_by_role("dialog", name="New client").wait_for()
        yield "new invoice, creating a client"
        self.open("", "/invoices/new/")
        self.page.get_by_label("Quantity").first.fill("many")
        self.page.get_by_label("Price").first.fill("-5")
        with self.page.expect_event("load"):
            self.press("Save invoice")
        yield "new invoice with errors"
        yield self.open("edit invoice", f"/invoices/{draft().pk}/edit/")
        yield self.open("draft, not connected", f"/invoices/{draft().pk}/")

    def connector(self) -> Iterator[str]:
        yield self.open("connector, nothing connected", "/settings/connector/")
        journey = connectors.begin("sage_accounting", redirect_uri=CALLBACK)
        answer = self.sandbox.allow(journey.url, all_organisations=True)
        connection = connectors.complete(journey, answer, redirect_uri=CALLBACK, actor=self.admin, now=timezone.now())
        yield self.open("connector, organisation", "/settings/connector/")
        connectors.choose_company(connection, self.sandbox.company_id())
        yield self.open("connector, codes and taxes", "/settings/connector/")

    def settings_of_the_connection(self) -> Iterator[str]:
        yield self.open("sync settings", "/settings/connector/sync/")
        yield self.open("what disconnecting does", "/settings/connector/disconnect/")
        client, item = Client.objects.all()[0], Item.objects.all()[0]
        yield self.open("a client in Sage", f"/clients/{client.uuid}/sage/")
        yield self.open("an item in Sage", f"/items/{item.uuid}/sage/")
        yield self.open("people", "/settings/people/")
        yield self.open("a person", f"/settings/people/{self.viewer.pk}/")
        yield self.open("an invitation", "/settings/people/new/")
        yield self.open("own password", "/account/password/")

    def accounts(self) -> Iterator[str]:
        for side, code in (("sales", "4000"), ("purchase", "5000")):
            yield self.open(f"{side} account", f"/settings/connector/accounts/{side}/")
            self.page.get_by_role("radio", name=code).check()
            self.press("Use this account")
        self.press("Save tax rates")
        yield "connector, complete"

    def connector_in_trouble(self) -> Iterator[str]:
        connection = Connection.objects.get()
        Connection.objects.update(state=Connection.State.RECONNECT)
        yield self.open("connector, authorisation lost", "/settings/connector/")
        Connection.objects.update(state=Connection.State.ACTIVE)
        self.sandbox.fault("unavailable", on="GET /accounting/v3.1/tax_rates")
        connection.catalogues.all().delete()
        yield self.open("connector, Sage away", "/settings/connector/")

    def incrementors(self) -> Iterator[str]:
        yield self.open("incrementor groups", "/settings/incrementors/")
        yield self.open("incrementor", "/settings/incrementors/INVOICES/")
        self.page.get_by_label("Starting position").fill("3")
        self.press("Save")
        yield "incrementor with errors"

    def invoices(self) -> Iterator[str]:
        yield self.open("draft", f"/invoices/{draft().pk}/")
        self.page.get_by_text("More", exact=True).click()
        yield "draft, more"
        self.page.get_by_text("Discard this draft").click()
        self.page.get_by_label("Reason").fill("Raised twice.")
        self.press("Discard draft")
        yield "draft, discarding asked"
        services.discard(invoice_id=draft().pk, reason="Raised twice.", actor=self.admin, now=timezone.now())
        yield self.open("void", f"/invoices/{Invoice.objects.get(status=Invoice.Status.VOID).pk}/")
        yield self.open("approved", f"/invoices/{approved().pk}/")
        for name, state in MOVING.items():
            push, later = self.queue(approved()), timezone.now() + timedelta(hours=1)
            Push.objects.filter(pk=push.pk).update(state=state, due_at=later, lease_until=later)
            yield self.open(name, f"/invoices/{push.invoice_id}/")
        Push.objects.update(state=Push.State.READY)
        sent = self.queue(approved())
        worker.work(sent.pk)
        yield self.open("sent", f"/invoices/{sent.invoice_id}/")

    def crediting(self) -> Iterator[str]:
        sent = Invoice.objects.filter(status=Invoice.Status.SENT, origin="OWN").order_by("pk").first()
        assert sent
        yield self.open("credit", f"/invoices/{sent.pk}/credit/")
        self.page.get_by_label("Quantity").first.fill("9999")
        self.press("Create credit note")
        yield "credit with errors"
        self.page.get_by_label("Quantity").first.fill("1")
        self.press("Create credit note")
        yield "credit note"
        yield self.open("credited", f"/invoices/{sent.pk}/")
        yield self.open("no credit from here", f"/invoices/{approved().pk}/credit/")
        draft_credit = Invoice.objects.get(credits=sent)
        services.discard(invoice_id=draft_credit.pk, reason="Not agreed", actor=self.admin, now=timezone.now())

    def voiding(self) -> Iterator[str]:
        sent = Invoice.objects.filter(status=Invoice.Status.SENT, pushes__state=Push.State.SENT)[0]
        yield self.open("void in Sage", f"/invoices/{sent.pk}/void/")
        self.press("Void in Sage")
        yield "void in Sage with errors"
        yield self.open("no void from here", f"/invoices/{approved().pk}/void/")
        asked = void_services.request_void(
            invoice_id=sent.pk, reason="Billed to the wrong client.", actor=self.admin, now=timezone.now()
        )
        yield self.open("voiding", f"/invoices/{sent.pk}/")
        voiding.work(asked.pk)
        yield self.open("voided", f"/invoices/{sent.pk}/")

    def mails(self) -> Iterator[str]:
        sent = self.queue(approved())
        worker.work(sent.pk)
        address = f"/invoices/{sent.invoice_id}/mail/"
        yield self.open("e-mail, not set up", address)
        with override_settings(MAIL_IS_SET_UP=True):
            yield self.open("e-mail", address)
            self.page.get_by_label("To", exact=True).fill("nobody")
            self.press("Send e-mail")
            yield "e-mail with errors"
            yield self.open("sent, not e-mailed", f"/invoices/{sent.invoice_id}/")

    def failures(self) -> Iterator[str]:
        archived = "The ledger account is archived."
        self.sandbox.fault("refused", data_code="RecordInvalid", message=archived, source="ledger_account_id")
        refused = self.queue(approved())
        worker.work(refused.pk)
        self.page.goto(f"/invoices/{refused.invoice_id}/")
        self.page.get_by_text("Contact support").click()
        self.page.get_by_text("1 attempt").click()
        yield "refused"
        Push.objects.filter(pk=refused.pk).update(cause=Push.Cause.DIFFERENT, problems=[])
        yield self.open("something else in Sage", f"/invoices/{refused.invoice_id}/")

    def queue(self, invoice: Invoice) -> Push:
        return services.request_push(invoice_id=invoice.pk, actor=self.admin, now=timezone.now())


def draft() -> Invoice:
    return Invoice.objects.filter(status=Invoice.Status.DRAFT).order_by("-total", "pk")[0]


def approved() -> Invoice:
    """The largest that nobody has sent yet."""
    return Invoice.objects.filter(status=Invoice.Status.APPROVED, pushes=None).order_by("-total", "pk")[0]


@pytest.mark.parametrize("screen", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_page_can_be_read_by_everybody_and_is_light(
    new_page: NewPage, gathered: None, sandbox: Sandbox, admin: User, viewer: User, screen: dict[str, Any]
) -> None:
    pictures = os.environ.get("SCREENSHOTS")
    with served() as address:
        page = new_page(**screen, base_url=address, reduced_motion="reduce")
        examiner = Examiner(page=page, address=address, screen=screen, pictures=Path(pictures) if pictures else None)
        for name in Tour(page=page, sandbox=sandbox, admin=admin, viewer=viewer).all():
            examiner.look(name)
        examiner.remove_stale()
    assert examiner.faults == []


def test_the_examination_sees_what_it_is_for(new_page: NewPage, gathered: None, admin: User) -> None:
    """A page on which something is pushed down, in colours that nobody can read, and that asks for much."""
    with served() as address:
        page = new_page(**WIDE, base_url=address)
        examiner = Examiner(page=page, address=address, screen=WIDE, pictures=None)
        page.goto("/login/")
        page.evaluate("""async () => {
          const pushed = document.createElement("p");
          pushed.textContent = "Pushed in, and hardly to be seen".repeat(40);
          pushed.style.color = "#eee";
          document.querySelector("h1").before(pushed);
          const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          await frames();
          await Promise.all(Array.from({length: 40}, (_, n) => fetch(`/login/?${n}`).then((got) => got.text())));
        }""")
        examiner.look("bad")
    told = " ".join(examiner.faults)
    assert all(word in told for word in ("shifts", "color-contrast", "bytes at first load"))
