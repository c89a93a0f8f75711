"""One cell from its beginning to its verdict: the same company, books and queue each time, a victim, and the heirs."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from connectors import tokens
from connectors.authorising import begin, choose_company, complete
from connectors.models import Connection, Credential, LiveDatabase, RemoteLink
from connectors.services import set_sync_settings
from incrementors.models import Group
from invoices import claims, pull, services
from invoices import push as worker
from invoices.models import Client, Company, TaxRate
from reflow.processes import wait_until
from tests.authorised import Authorised
from tests.books import COMPOSITE, INTACCT, INTACCT_INVOICES, INVOICES, Sandbox
from tests.conftest import CALLBACK, authorise, authorise_intacct, draft_for
from tests.crash import reader
from tests.crash.life import Clock, Life
from tests.crash.steps import Answer, Call, Cell, Moment, Way
from tests.crash.strike import Victim

KEPT = (TaxRate, Group, Company, LiveDatabase)
APPS = ("invoices", "connectors", "incrementors")
FAULTS: dict[Answer, dict[str, Any]] = {
    Answer.LOST: {"kind": "lost"},
    Answer.TWIN: {"kind": "lost"},
    Answer.ERROR: {"kind": "error", "commit": True},
    Answer.DROPPED: {"kind": "dropped"},
}
CALLS = {
    "accounting": {
        Call.INVOICE: INVOICES,
        Call.CLIENT: "POST /accounting/v3.1/contacts",
        Call.TOKEN: "POST /accounting/token",
        Call.PAGE: "GET /accounting/v3.1/sales_invoices",
    },
    "intacct": {
        Call.INVOICE: COMPOSITE,
        Call.CLIENT: f"POST {INTACCT}/objects/accounts-receivable/customer",
        Call.TOKEN: f"POST {INTACCT}/oauth2/token",
        Call.PAGE: f"POST {INTACCT}/services/core/query",
    },
}
CALLS["intacct batch"] = {**CALLS["intacct"], Call.INVOICE: INTACCT_INVOICES}
LEASES = {Call.TOKEN: tokens.LEASE, Call.PAGE: pull.LEASE}
THEIRS = 4  # invoices entered over there, where a page is read


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of a cell: green when nothing is wrong."""

    cell: Cell
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def line(self) -> str:
        """For the report: what it was, whether it is green, and how long it took."""
        cell = self.cell
        told = (cell.scene, cell.step.name, cell.way, cell.answer, "RED" if self.wrong else "green")
        return "\t".join([*told, f"{self.seconds:.2f}"]) + "\n"

    @property
    def is_green(self) -> bool:
        return not self.wrong


class LeftBehind(Exception):
    """A first worker stops here, and leaves what it had in hand."""


class Stage:
    """Where all cells are played, one after the other."""

    def __init__(self, sandbox: Sandbox, admin: User, clock: Clock) -> None:
        self.sandbox, self.admin, self.clock = sandbox, admin, clock
        self.authorised: dict[str, Authorised] = {}

    def play(self, cell: Cell) -> Verdict:
        began, verdict = time.monotonic(), Verdict(cell=cell)
        try:
            self._prepare(cell)
            self._strike_and_inherit(cell, verdict)
            calls = _spent_in_vain(cell)
            verdict.wrong += reader.wrong(
                self.sandbox, cell.scene, renamed=cell.answer is Answer.TWIN, token_calls=calls
            )
        except Exception as error:  # noqa: BLE001 a red cell says why, and the next one is played
            verdict.wrong.append(f"{type(error).__name__}: {error}")
        verdict.seconds = time.monotonic() - began
        return verdict

    # The scene ------------------------------------------------------------------------------------------------
    def _prepare(self, cell: Cell) -> None:
        self.clock.ahead = timedelta(0)
        platform = "sage_accounting" if cell.scene == "accounting" else "sage_intacct"
        self._empty()
        connection = self._connect(platform)
        ours = Client.objects.create(name="Bramley Stores Ltd", reference="BRAM1", email="accounts@bramley.example")
        if cell.scene == "intacct batch":
            RemoteLink.objects.create(
                connection=connection,
                kind=RemoteLink.Kind.CLIENT,
                local_key=str(ours.uuid),
                remote_id="CUST-001",
                linked_at=timezone.now(),
            )
        for _ in range(3 if cell.scene == "intacct batch" else 2):
            invoice = services.create_invoice(draft=draft_for(ours), actor=self.admin, now=timezone.now())
            services.request_push(invoice_id=invoice.pk, actor=self.admin, now=timezone.now())
        self._leave_before(cell, connection)
        self.sandbox.clear_journal()
        if fault := FAULTS.get(cell.answer):
            self.sandbox.fault(on=CALLS[cell.scene][cell.step.call], **fault)

    def _empty(self) -> None:
        models = [model for app in APPS for model in apps.get_app_config(app).get_models() if model not in KEPT]
        with database.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in models)} RESTART IDENTITY")
        Group.objects.update(next_value=1)

    def _connect(self, platform: str) -> Connection:
        before = self.authorised.get(platform)
        if before and before.is_young():
            return before.put_back(self.sandbox, actor=self.admin, now=timezone.now())
        self.sandbox.reset()
        now = timezone.now()
        connect = authorise if platform == "sage_accounting" else authorise_intacct
        connection = connect(self.sandbox, self.admin, now)
        self.authorised[platform] = Authorised.keep(platform, self.sandbox, now)
        return connection

    def _leave_before(self, cell: Cell, connection: Connection) -> None:
        """What happened before the victim's life begins."""
        if cell.step.left == "token":
            Credential.objects.update(access_expires_at=timezone.now())
        elif cell.step.left == "page":
            self._enter_over_there(cell, connection)
        elif cell.step.left:
            hand = claims.claim(connection, now=timezone.now())
            if cell.step.left == "intent":
                _intend_only(hand)

    def _enter_over_there(self, cell: Cell, connection: Connection) -> None:
        """Invoices in the books, and ours are read from them and sent meanwhile."""
        set_sync_settings(connection, {**connection.sync_settings, "direction": "BOTH"})
        if cell.scene == "accounting":
            path, entry = "/_books/invoices", {"contact_name": "Castle Hill"}
        else:
            path, entry = "/_books/intacct/invoices", {"entity": "LDN", "customer": "CUST-002"}
        self.sandbox._call("POST", path, json={**entry, "date": "2026-11-02", "count": THEIRS})
        pull.request(connection, now=timezone.now())

    # The play -------------------------------------------------------------------------------------------------
    def _strike_and_inherit(self, cell: Cell, verdict: Verdict) -> None:
        life = Life(cell, self.clock, self.sandbox, lambda: self._authorise_again(cell))
        victim = Victim(cell, life)
        try:
            heard = victim.says()
            if heard["event"] != "struck":
                verdict.wrong.append(f"the step was never reached: {heard.get('text', heard['event'])}")
                return
            self.clock.ahead = timedelta(seconds=heard["ahead"])
            self._make_patient()
            if cell.way in (Way.FREEZE, Way.SLEEP):
                self._meanwhile(cell, life)
                victim.thaw(self.clock.ahead)
            ended = victim.says()
            if ended["event"] == "error":
                verdict.wrong.append(ended["text"])
        finally:
            victim.bury()
        self._let_sage_finish()
        if not life.until_rest():
            verdict.wrong.append("it never came to rest")

    def _make_patient(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")

    def _meanwhile(self, cell: Cell, life: Life) -> None:
        """Others work while the victim is frozen: once its lease has ended; or all of it, as far as it lets them."""
        if cell.way is Way.SLEEP:
            life.until_rest(rounds=6 if cell.step.moment is Moment.UNCOMMITTED else 60)
        else:
            self.clock.move_to(timezone.now() + LEASES.get(cell.step.call, claims.LEASE))
            life.round()

    def _let_sage_finish(self) -> None:
        """What reached it is done with before the clock goes on: minutes of ours are a moment of its own."""
        wait_until(lambda: all(call["status"] or call["fault"] for call in self.sandbox.calls()), 1)

    def _authorise_again(self, cell: Cell) -> None:
        """An admin goes through Sage's pages once more."""
        platform = "sage_accounting" if cell.scene == "accounting" else "sage_intacct"
        journey = begin(platform, redirect_uri=CALLBACK)
        answer = self.sandbox.allow(journey.url)
        again = complete(journey, answer, redirect_uri=CALLBACK, actor=self.admin, now=timezone.now())
        if again.state == Connection.State.CHOOSING:
            choose_company(again, again.company_id or "HARBOUR|LDN")


def _spent_in_vain(cell: Cell) -> int:
    """Token calls that may bring nothing: one that was lost, the old token tried once more, and a sleeper's."""
    if cell.step.call is not Call.TOKEN:
        return 0
    return 3 if cell.way in (Way.FREEZE, Way.SLEEP) else 2


def _intend_only(hand: Any) -> None:
    """A worker that dies when its intent is on record."""
    real = claims.intend

    def and_die(*given: Any, **named: Any) -> Any:
        real(*given, **named)
        raise LeftBehind

    claims.intend = and_die
    try:
        worker.deliver(hand)
    except LeftBehind:
        return
    finally:
        claims.intend = real
