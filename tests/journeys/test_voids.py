"""A void from here stands in the sandbox's books and then here: one suite, tried on each platform over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connectors.models import Connection
from connectors.services import set_sync_settings
from invoices import parting, pull, void_services, voiding
from invoices.models import Invoice, Pull, Push, Voiding
from tests.books import INTACCT, Sandbox
from tests.journeys.intacct import send
from tests.journeys.test_credit_notes import credit_of

pytestmark = pytest.mark.django_db
REASON = "Raised twice"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """How people there say it, and which calls of ours void and remove."""

    fixture: str
    path: str
    voids: str
    removes: str
    looks: str
    by_hand: str
    rights: tuple[dict[str, Any], dict[str, Any]]
    expired: str
    revoked: str
    reason: Callable[[dict[str, Any]], object]
    state: Callable[[dict[str, Any]], str]
    credits: bool = False


PLATFORMS = {
    "sage_accounting": Platform(
        fixture="connection",
        path="/_books/invoices",
        voids="DELETE /accounting/v3.1/sales_invoices",
        removes="DELETE /accounting/v3.1/sales_invoices",
        looks="GET /accounting/v3.1/sales_invoices",
        by_hand="void",
        rights=({"access": "restricted"}, {"access": "full"}),
        expired="expired",
        revoked="revoked",
        reason=lambda row: row["void_reason"],
        state=lambda row: "GONE" if row["deleted_at"] else str(row["status"]),
    ),
    "sage_intacct": Platform(
        fixture="intacct",
        path="/_books/intacct/invoices",
        voids=f"POST {INTACCT}/workflows/accounts-receivable/invoice/reverse",
        removes=f"DELETE {INTACCT}/objects/accounts-receivable/invoice",
        looks=f"POST {INTACCT}/services/core/query",
        by_hand="reverse",
        rights=({"intacct": {"may_change": False}}, {"intacct": {"may_change": True}}),
        expired="intacct_expired",
        revoked="intacct_revoked",
        reason=lambda row: row["reversed"]["memo"],
        state=lambda row: {"posted": "UNPAID", "reversed": "VOID"}.get(row["state"], row["state"]),
    ),
}
CREDIT_NOTES = "DELETE /accounting/v3.1/sales_credit_notes"
PLATFORMS["sage_accounting, a credit note"] = replace(
    PLATFORMS["sage_accounting"], credits=True, voids=CREDIT_NOTES, removes=CREDIT_NOTES
)


class World:
    """One platform, connected; an invoice of ours in its books; and the person who works in them by hand."""

    def __init__(self, platform: Platform, sandbox: Sandbox, connection: Connection) -> None:
        self.platform, self.sandbox, self.connection = platform, sandbox, connection
        self.invoice: Invoice

    def held(self) -> dict[str, Any]:
        ours = self.sandbox.credit_notes if self.platform.credits else self.sandbox.invoices
        rows = ours() if self.platform.fixture == "connection" else self.sandbox.intacct()["invoices"]
        found: list[dict[str, Any]] = [row for row in rows if self.token in (row.get("key"), row["id"])]
        return found[0] if found else {"state": "GONE", "deleted_at": "now", "status": "GONE"}

    @property
    def token(self) -> str:
        return self.invoice.remotes.get().remote_id

    def state(self) -> str:
        return self.platform.state(self.held())

    def do(self, deed: str, **given: Any) -> None:
        self.sandbox._call("POST", f"{self.platform.path}/{self.token}/{deed}", json=given)

    def at_once(self, kind: str) -> None:
        self.sandbox._call("POST", "/_faults", json={"kind": kind})

    def voids_asked_for(self) -> int:
        calls = [path.partition(" ") for path in {self.platform.voids, self.platform.removes}]
        return sum(row["path"].startswith(path) for method, _, path in calls for row in self.sandbox.calls(method))

    def ask(self, actor: User) -> Voiding:
        return void_services.request_void(invoice_id=self.invoice.pk, reason=REASON, actor=actor, now=timezone.now())


@pytest.fixture(params=sorted(PLATFORMS))
def world(request: pytest.FixtureRequest, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime) -> World:
    platform = PLATFORMS[request.param]
    found = World(platform, sandbox, request.getfixturevalue(platform.fixture))
    assert send(invoice, staff, now).state == Push.State.SENT
    if platform.credits:
        invoice = credit_of(invoice, staff, now)
        assert send(invoice, staff, now).state == Push.State.SENT
    found.invoice = invoice
    return found


def carry(row: Voiding) -> Voiding:
    """What a worker does with it once its time has come."""
    past = timezone.now() - timedelta(seconds=1)
    Voiding.objects.filter(pk=row.pk, state="WAITING").update(due_at=past)
    Connection.objects.update(paused_until=None)
    voiding.work(row.pk)
    row.refresh_from_db()
    return row


def read_the_books(world: World) -> None:
    pull.request(world.connection, now=timezone.now())
    while pull.read(world.connection.pk, now=Pull.objects.get().due_at):
        pass


def assert_void_everywhere(world: World, row: Voiding) -> None:
    number = world.invoice.number
    world.invoice.refresh_from_db()
    assert (row.state, world.state()) == ("DONE", "VOID")
    assert (world.invoice.status, world.invoice.outstanding, world.invoice.number) == ("VOID", 0, number)
    told = [event.text for event in world.invoice.events.all() if event.text.startswith("Voided in Sage")]
    assert told == [f"Voided in Sage: {REASON}"]


def test_it_is_void_in_the_books_with_the_reason_and_then_here_and_the_next_reading_changes_nothing(
    world: World, staff: User
) -> None:
    row = carry(world.ask(staff))
    assert_void_everywhere(world, row)
    assert world.platform.reason(world.held()) == REASON
    events, documents = world.invoice.events.count(), Invoice.objects.count()
    read_the_books(world)
    assert_void_everywhere(world, row)
    assert (world.invoice.events.count(), Invoice.objects.count()) == (events, documents)


def test_a_draft_in_the_books_is_removed(world: World, staff: User, now: datetime, client_of_ours: Any) -> None:
    from invoices import services
    from tests.conftest import draft_for

    set_sync_settings(world.connection, {**world.connection.sync_settings, "create_as": "DRAFT"})
    if world.invoice.credits:
        world.invoice = credit_of(world.invoice.credits, staff, now, "0.5")
    else:
        world.invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    send(world.invoice, staff, now)
    assert world.state() in ("DRAFT", "draft")
    row = carry(world.ask(staff))
    world.invoice.refresh_from_db()
    assert (row.outcome, world.invoice.status, world.state()) == ("REMOVED", "VOID", "GONE")
    read_the_books(world)
    world.invoice.refresh_from_db()
    assert world.invoice.status == "VOID"


def test_a_paid_one_is_left_alone_until_the_money_is_taken_off(world: World, staff: User, now: datetime) -> None:
    row = world.ask(staff)
    world.do("pay", amount="4.00")
    carry(row)
    assert (row.state, row.problems[0]["code"], world.voids_asked_for()) == ("ATTENTION", "PAID", 0)
    world.do("unpay")
    void_services.try_again(invoice_id=world.invoice.pk, actor=staff, now=now)
    assert_void_everywhere(world, carry(row))


@pytest.mark.parametrize("kind", ["lost", "error", "garbage"])
def test_an_answer_lost_after_it_was_done_is_found_by_a_look_and_asked_for_once(
    world: World, staff: User, kind: str
) -> None:
    world.sandbox.fault(kind, on=world.platform.voids)
    row = carry(world.ask(staff))
    assert (row.state, world.state()) == ("WAITING", "VOID")
    world.invoice.refresh_from_db()
    assert world.invoice.status == "SENT", "ours follows only once it is known"
    assert_void_everywhere(world, carry(row))
    assert world.voids_asked_for() == 1


@pytest.mark.parametrize(("kind", "options"), [("dropped", {}), ("unavailable", {}), ("error", {"commit": False})])
def test_an_answer_lost_before_it_was_done_is_asked_for_again(
    world: World, staff: User, kind: str, options: dict[str, Any]
) -> None:
    world.sandbox.fault(kind, on=world.platform.voids, **options)
    row = carry(world.ask(staff))
    assert (row.state, world.state()) == ("WAITING", "UNPAID")
    assert_void_everywhere(world, carry(row))
    assert world.voids_asked_for() == 2


def test_a_user_without_the_right_is_told_in_words_and_a_person_tries_again(
    world: World, staff: User, now: datetime
) -> None:
    taken, given = world.platform.rights
    world.sandbox.set_books(**taken)
    row = carry(world.ask(staff))
    assert (row.state, row.problems[0]["fix"], world.state()) == ("ATTENTION", "PLATFORM", "UNPAID")
    assert "Give " in row.problems[0]["meaning"]
    world.sandbox.set_books(**given)
    void_services.try_again(invoice_id=world.invoice.pk, actor=staff, now=now)
    assert_void_everywhere(world, carry(row))


def test_a_dead_token_is_renewed_and_a_dead_authorisation_waits(world: World, staff: User) -> None:
    world.at_once(world.platform.revoked)
    row = carry(world.ask(staff))
    world.connection.refresh_from_db()
    assert (row.state, world.connection.state, world.state()) == ("WAITING", "RECONNECT", "UNPAID")
    assert voiding.due(now=timezone.now() + timedelta(days=1)) == []


def test_an_access_token_that_is_dead_alone_is_renewed_on_the_way(world: World, staff: User) -> None:
    world.at_once(world.platform.expired)
    assert_void_everywhere(world, carry(world.ask(staff)))


def test_one_voided_there_by_a_colleague_meanwhile_is_not_asked_for(world: World, staff: User) -> None:
    row = world.ask(staff)
    world.do(world.platform.by_hand, reason="By hand")
    read_the_books(world)
    assert carry(row).outcome == "WAS_VOID"
    world.invoice.refresh_from_db()
    assert (world.invoice.status, world.voids_asked_for()) == ("VOID", 0)


def test_a_number_stays_taken_in_the_books_and_here(world: World, staff: User, now: datetime) -> None:
    from invoices import services

    number = world.invoice.number
    carry(world.ask(staff))
    assert services.next_number() != number
    assert world.invoice.remotes.get().number != ""


def test_a_lost_answer_is_settled_before_the_connection_ends(
    world: World, staff: User, admin: User, now: datetime
) -> None:
    world.sandbox.fault("lost", on=world.platform.voids)
    row = carry(world.ask(staff))
    parting.disconnect(world.connection, actor=admin, now=now)
    world.connection.refresh_from_db()
    assert world.connection.state == "DISCONNECTING"
    assert_void_everywhere(world, carry(row))
    parting.finish_if_drained(now=timezone.now())
    world.connection.refresh_from_db()
    assert world.connection.state == "DISCONNECTED"
