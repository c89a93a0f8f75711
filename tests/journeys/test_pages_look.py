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

from connectors import authorising
from connectors.models import Connection
from incrementors.models import Number
from invoices import (
    bulk,
    bulk_services,
    causes,
    debt_services,
    import_services,
    importing,
    next_period,
    services,
    void_services,
    voiding,
)
from invoices import push as worker
from invoices.models import Client, Import, Invoice, Item, Push
from reflow import demo
from tests.books import Sandbox
from tests.conftest import CALLBACK
from tests.journeys.conftest import NewPage
from tests.journeys.examined import SCREENS, WIDE, Examiner, served

pytestmark = [pytest.mark.browser, pytest.mark.walk, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
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
        yield from self.imports()
        yield from self.next_period()
        yield from self.editors()
        yield from self.connector()
        yield from self.accounts()
        yield from self.settings_of_the_connection()
        yield from self.connector_in_trouble()
        yield from self.incrementors()
        yield from self.invoices()
        yield from self.sending_many()
        yield from self.crediting()
        yield from self.voiding()
        yield from self.mails()
        yield from self.failures()
        yield from self.debts()
        yield from self.sync_centre()
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

    def imports(self) -> Iterator[str]:
        yield self.open("imports, none yet", "/imports/")
        yield self.open("import invoices", "/imports/new/invoices/")
        self.press("Check the file")
        yield "import invoices with errors"
        client = Client.objects.all()[0]
        wrong = f"Invoice,Client,Date,Description,Price,VAT\nA-1,{client.name},2 Nov,Rent,many,20\nA-2,Nobody,,,1,0\n"
        yield self.open("import, being checked", f"/imports/{self.bring('INVOICES', wrong, work=False)}/")
        yield self.open("import, to mend", f"/imports/{self.bring('INVOICES', wrong)}/")
        key = self.bring("CLIENTS", "Name;Ref;Town;Fax\nNorthgate Motors;NORTH;Leeds;0113\nZoë Hart;ZOE;York;\n")
        yield self.open("import, ready", f"/imports/{key}/")
        import_services.confirm(import_id=key, actor=self.admin, now=timezone.now())
        importing.work(key)
        yield self.open("import, done", f"/imports/{key}/")
        import_services.undo(import_id=key, actor=self.admin, now=timezone.now())
        yield self.open("import, undone", f"/imports/{key}/")
        yield self.open("imports", "/imports/")
        Import.objects.all().delete()

    def bring(self, kind: str, text: str, *, work: bool = True) -> int:
        now = timezone.now()
        job = import_services.upload(
            kind=kind, name="Old program, 2026.csv", content=text.encode(), actor=self.admin, now=now
        )
        if work:
            importing.work(job.pk)
        return job.pk

    def next_period(self) -> Iterator[str]:
        chosen = Invoice.objects.order_by("-issue_date", "-pk").values_list("pk", flat=True)[:6]
        draft().lines.update(description="Rent 1 Jan 2026 to 31 Jan 2026")
        run = next_period.begin(ids=[*chosen, draft().pk], actor=self.admin, now=timezone.now())
        yield self.open("next period", f"/invoices/next/{run.pk}/")
        next_period.raise_next(
            key=run.pk, step="MONTH", chosen=chosen, with_words=chosen, actor=self.admin, now=timezone.now()
        )
        yield self.open("next period, raised", f"/invoices/next/{run.pk}/")
        next_period.undo(key=run.pk, actor=self.admin, now=timezone.now())
        yield self.open("next period, undone", f"/invoices/next/{run.pk}/")
        yield self.open("a copy", f"/invoices/new/?copy={draft().pk}")

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
        journey = authorising.begin("sage_accounting", redirect_uri=CALLBACK)
        answer = self.sandbox.allow(journey.url, all_organisations=True)
        connection = authorising.complete(journey, answer, redirect_uri=CALLBACK, actor=self.admin, now=timezone.now())
        yield self.open("connector, organisation", "/settings/connector/")
        authorising.choose_company(connection, self.sandbox.company_id())
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
        void = services.discard(invoice_id=draft().pk, reason="Raised twice.", actor=self.admin, now=timezone.now())
        yield self.open("void", f"/invoices/{void.pk}/")
        yield self.open("approved", f"/invoices/{approved().pk}/")
        for name, state in MOVING.items():
            push, later = self.queue(approved()), timezone.now() + timedelta(hours=1)
            Push.objects.filter(pk=push.pk).update(state=state, due_at=later, lease_until=later)
            yield self.open(name, f"/invoices/{push.invoice_id}/")
        Push.objects.update(state=Push.State.READY)
        sent = self.queue(approved())
        worker.work(sent.pk)
        yield self.open("sent", f"/invoices/{sent.invoice_id}/")

    def sending_many(self) -> Iterator[str]:
        yield self.open("sends, none yet", "/invoices/sends/")
        waiting = Push.objects.filter(state=Push.State.READY)[0].invoice
        free = list(Invoice.objects.filter(status=Invoice.Status.DRAFT).order_by("total", "pk")[:5])
        one = free[0]
        Invoice.objects.filter(pk=one.pk).update(number_prefix="LONGPREFIX")
        now = timezone.now()
        chosen = bulk_services.choose(ids=[waiting.pk, *(each.pk for each in free)], actor=self.admin, now=now)
        yield self.open("checks before sending", f"/invoices/sends/{chosen.pk}/")
        Invoice.objects.filter(pk=one.pk).update(number_prefix=one.number_prefix)
        bulk_services.keep_findings(chosen, {waiting.pk: "It is on its way to Sage already."})
        bulk_services.start(send_id=chosen.pk, green=len(free), actor=self.admin, now=now)
        list(bulk.queue_all(chosen.pk, now=now))
        Connection.objects.update(paused_until=now + timedelta(hours=1))
        first = chosen.members.filter(push__isnull=False)[0]
        on_hold = {"message": "Customer is on hold.", "meaning": "The customer is on hold.", "fix": "PLATFORM"}
        self.hold(first.push_id, Push.Cause.REJECTED, on_hold)
        yield self.open("sending many", f"/invoices/sends/{chosen.pk}/")
        yield self.open("invoices, some being sent", "/invoices/")
        bulk_services.cancel(send_id=chosen.pk, actor=self.admin, now=now)
        Connection.objects.update(paused_until=None)
        yield self.open("sent many, cancelled", f"/invoices/sends/{chosen.pk}/")
        yield self.open("sends", "/invoices/sends/")

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
        self.hold(refused.pk, Push.Cause.DIFFERENT)
        yield self.open("something else in Sage", f"/invoices/{refused.invoice_id}/")

    def debts(self) -> Iterator[str]:
        """What is owed, asked for, and numbered, with invoices of all ages."""
        late = timezone.localdate() - timedelta(days=100)
        sent = Invoice.objects.filter(status=Invoice.Status.SENT)
        for n, invoice in enumerate(sent):
            due = late + timedelta(days=n * 40)
            Invoice.objects.filter(pk=invoice.pk).update(due_date=due, issue_date=due - timedelta(days=30))
        with override_settings(MAIL_IS_SET_UP=True):
            yield self.open("debtors", "/debtors/")
            yield self.open("debtors, none", "/debtors/?q=zzz")
            address = f"/clients/{sent[0].client_id}/statement/"
            yield self.open("statement", address)
            yield self.open("statement, activity", f"{address}?kind=activity&since=2020-01-01")
            yield self.open("statement by e-mail", f"{address}mail/")
            yield self.open("reminders, off", "/debtors/reminders/")
            yield self.open("reminders, set-up", "/debtors/reminders/set-up/")
            self.page.get_by_label("Send reminders").check()
            self.page.get_by_label("Text").last.fill("{everything}")
            self.press("Save reminders")
            yield "reminders, set-up with errors"
            debt_services.set_reminders(is_on=True, copy_to="", steps={}, now=timezone.now())
            yield self.open("reminders", "/debtors/reminders/")
            yield self.open("sent, reminders to come", f"/invoices/{sent[0].pk}/")
        Number.objects.filter(value=3).delete()
        self.open("", "/numbers/")
        self.page.get_by_text("As Sage said on").wait_for()
        yield self.open("number register", "/numbers/")
        yield self.open("number register, none missing", "/numbers/?group=IMPORTED")

    def sync_centre(self) -> Iterator[str]:
        self.sandbox.set_books(year_end_lockdown_date="2027-12-31")
        refused = self.queue(approved())
        worker.work(refused.pk)
        self.sandbox.set_books(year_end_lockdown_date="")
        yield self.open("sync centre", "/sync/")
        yield self.open("sync centre, successful", "/sync/?show=successful")
        yield self.open("sync centre, nothing parked", "/sync/?show=parked")
        yield self.open("what was sent and answered", f"/sync/pushes/{refused.pk}/")
        yield self.open("daily digest", "/sync/digest/")

    def hold(self, push_id: int | None, cause: Push.Cause, *problems: dict[str, str]) -> None:
        """As a worker leaves it, with the key of its root cause."""
        push = Push.objects.get(pk=push_id)
        push.state, push.cause, push.problems = Push.State.ATTENTION, cause, list(problems)
        push.cause_key = causes.key_of(push)
        push.save()

    def queue(self, invoice: Invoice) -> Push:
        return services.request_push(invoice_id=invoice.pk, actor=self.admin, now=timezone.now())


def draft() -> Invoice:
    return Invoice.objects.filter(status=Invoice.Status.DRAFT).order_by("-total", "pk")[0]


def approved() -> Invoice:
    """The largest that nobody has sent yet."""
    return Invoice.objects.filter(status=Invoice.Status.APPROVED, pushes=None).order_by("-total", "pk")[0]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_can_be_read_by_everybody_and_is_light(
    new_page: NewPage, gathered: None, sandbox: Sandbox, admin: User, viewer: User, screen: dict[str, Any]
) -> None:
    pictures = os.environ.get("SCREENSHOTS")
    with served() as address:
        page = new_page(**screen, base_url=address, reduced_motion="reduce")
        examiner = Examiner(page=page, address=address, screen=screen, pictures=Path(pictures) if pictures else None)
        examiner.asks_axe = screen == WIDE or bool(
            os.environ.get("PROVE")
        )  # what it asks takes as long as all the rest
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
