"""Whatever Sage leaves open about Intacct, tried both ways: nothing is in the books twice, nothing is Sent wrongly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.contrib.auth.models import User
from django.utils import timezone

from connectors import tokens
from connectors.interface import Fix, NewInvoice, NewLine, PlatformError, Reconnect, Rejected, RemoteInvoice, TryLater
from connectors.models import Connection, Credential, RemoteLink
from connectors.registry import endpoints
from connectors.services import open_connector, set_sync_settings
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import COMPOSITE, INTACCT, INTACCT_INVOICES, Sandbox
from tests.conftest import draft_for

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

Json = dict[str, Any]
SWITCHES: dict[str, tuple[object, ...]] = {
    # the first value of each is the one in force at first
    "token_life": (43_200, 21_600, 86_400, 90),
    "rotation": ("on", "off"),
    "expired_as": ("401", "400"),
    "error_nesting": ("result", "bare", "error"),
    "support_ids": ("off", "on"),
    "duplicate_number": ("422", "409"),
    "sequence": ("on", "off"),
    "supplied_number": ("use", "ignore", "reject"),
    "draft_number": ("no", "yes"),
    "number_scope": ("company", "customer"),
    "batch_refusal": ("each", "whole"),
    "idempotency": ("on", "off"),
}
TOKEN = f"POST {INTACCT}/oauth2/token"
TROUBLES: tuple[tuple[str, Json], ...] = (
    ("lost", {}),
    ("dropped", {}),
    ("error", {"commit": True}),
    ("error", {"commit": False}),
    ("garbage", {"commit": True}),
    ("unavailable", {}),
    ("busy", {"retry_after": 1}),
    ("key_in_use", {}),
    ("number_unread", {}),
)
ENOUGH = 12  # rounds in which everything settles


@dataclass
class Office:
    """Somebody who sends invoices, the worker that carries them, and Intacct's books at the other end."""

    connection: Connection
    sandbox: Sandbox
    client: Client
    closed: Client
    staff: User
    read_at: datetime

    def choose(self, **chosen: str) -> None:
        set_sync_settings(self.connection, {"account_labels": "OFF", **self.connection.sync_settings, **chosen})
        self.connection.refresh_from_db()

    def invoice(self, client: Client | None = None) -> Invoice:
        return services.create_invoice(draft=draft_for(client or self.client), actor=self.staff, now=timezone.now())

    def queue(self, *invoices: Invoice) -> list[Push]:
        now = timezone.now()
        return [services.request_push(invoice_id=one.pk, actor=self.staff, now=now) for one in invoices]

    def send(self, *invoices: Invoice) -> list[Push]:
        """Queued at once, carried and looked for until nothing happens by itself any more."""
        pushes = self.queue(*invoices)
        self.settle()
        return [Push.objects.get(pk=push.pk) for push in pushes]

    def settle(self) -> None:
        for _ in range(ENOUGH):
            self.connection.refresh_from_db()
            waiting = Push.objects.filter(state__in=[Push.State.READY, Push.State.UNKNOWN])
            if not waiting or not self.connection.is_active:
                break
            at = max([push.due_at for push in waiting] + [self.connection.paused_until or timezone.now()])
            for push in waiting.filter(state=Push.State.UNKNOWN):
                worker.look(push.pk, now=at)
            while hand := claims.claim(self.connection, now=at):
                worker.deliver(hand)
        self.read_at += timedelta(hours=1)
        worker.read_numbers(now=self.read_at)

    def trouble(self, kind: str, **options: Any) -> None:
        """What goes wrong with the next invoice that goes alone, and with the next batch."""
        for on in (COMPOSITE, INTACCT_INVOICES):
            self.sandbox.fault(kind, on=on, **options)

    def must_agree(self) -> None:
        """What Reflow says of each invoice is what the books say."""
        held = self.sandbox.intacct()["invoices"]
        for push in Push.objects.select_related("invoice", "remote"):
            mine = [row for row in held if row["referenceNumber"] == push.invoice.number]
            if push.state == Push.State.SENT:
                assert push.remote
                (theirs,) = mine
                number = "" if theirs["state"] == "draft" else theirs["invoiceNumber"]
                assert (push.remote.remote_id, push.remote.number) == (theirs["key"], number)
            else:
                assert (push.state, mine) == (Push.State.ATTENTION, [])
                assert {problem["fix"] for problem in push.problems} - {Fix.SUPPORT}


@pytest.fixture
def office(intacct: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User) -> Office:
    """Its clients are linked: one to a customer in order, one to a customer that Intacct says is inactive."""
    closed = Client.objects.create(name="Juniper House")
    for client, customer in ((client_of_ours, "CUST-001"), (closed, "CUST-009")):
        RemoteLink.objects.create(
            connection=intacct,
            kind=RemoteLink.Kind.CLIENT,
            local_key=str(client.uuid),
            remote_id=customer,
            remote_name=client.name,
            linked_at=timezone.now(),
        )
    return Office(intacct, sandbox, client_of_ours, closed, staff, timezone.now())


def fixes(push: Push) -> set[str]:
    return {problem["fix"] for problem in push.problems}


def test_every_switch_of_the_sandbox_is_tried_here(sandbox: Sandbox) -> None:
    assert sandbox.books()["intacct"]["settings"] == {name: values[0] for name, values in SWITCHES.items()}


def one_at_a_time() -> Iterator[tuple[str, object]]:
    yield "idempotency", "on"  # that is, all as at first
    of_tokens = ("token_life", "rotation", "expired_as")
    yield from ((name, value) for name, values in SWITCHES.items() if name not in of_tokens for value in values[1:])


@pytest.mark.parametrize(("name", "value"), [*one_at_a_time()])
@pytest.mark.parametrize("numbers", ["OURS", "PLATFORM"])
def test_under_each_switch_an_invoice_is_in_the_books_once_or_says_why_not(
    office: Office, name: str, value: object, numbers: str
) -> None:
    office.sandbox.switch(name, value)
    office.choose(numbers=numbers)
    office.trouble("lost")
    office.send(office.invoice())
    office.send(office.invoice(), office.invoice(office.closed), office.invoice())
    office.trouble("error", commit=False)
    office.send(office.invoice(), office.invoice())
    office.must_agree()


@pytest.mark.parametrize(("kind", "options"), TROUBLES)
@pytest.mark.parametrize("idempotency", SWITCHES["idempotency"])
@pytest.mark.parametrize(("numbers", "create_as"), [("OURS", "CREATED"), ("PLATFORM", "DRAFT")])
def test_whatever_goes_wrong_each_invoice_arrives_once(
    office: Office, kind: str, options: Json, idempotency: str, numbers: str, create_as: str
) -> None:
    office.sandbox.switch("idempotency", idempotency)
    office.choose(numbers=numbers, create_as=create_as)
    office.trouble(kind, **options)
    (alone,) = office.send(office.invoice())
    together = office.send(office.invoice(), office.invoice())
    assert {push.state for push in (alone, *together)} == {Push.State.SENT}
    office.must_agree()


NUMBERING = [
    # the sequence, what it does with a number of ours, whose number is chosen -> the number, or where it is mended
    ("on", "use", "PLATFORM", "SI-1001"),
    ("on", "ignore", "PLATFORM", "SI-1001"),
    ("on", "reject", "PLATFORM", "SI-1001"),
    ("on", "use", "OURS", "INV-00001"),
    ("on", "ignore", "OURS", "SI-1001"),
    ("on", "reject", "OURS", Fix.SYNC_SETTINGS),
    ("off", "use", "OURS", "INV-00001"),
    ("off", "reject", "OURS", "INV-00001"),
    ("off", "use", "PLATFORM", Fix.SYNC_SETTINGS),
]


@pytest.mark.parametrize(("sequence", "supplied", "numbers", "comes"), NUMBERING)
@pytest.mark.parametrize("together", [False, True])
def test_whose_number_it_is_shows_or_the_setting_that_decides_it_is_named(
    office: Office, sequence: str, supplied: str, numbers: str, comes: str, together: bool
) -> None:
    office.sandbox.switch("sequence", sequence)
    office.sandbox.switch("supplied_number", supplied)
    office.choose(numbers=numbers)
    first, *others = office.send(*(office.invoice() for _ in range(2 if together else 1)))
    if comes is Fix.SYNC_SETTINGS:
        assert [fixes(push) for push in (first, *others)] == [{comes}] * (1 + len(others))
        other_way = {"OURS": "PLATFORM", "PLATFORM": "OURS"}[numbers]
        assert {"PLATFORM": "Sage numbers", "OURS": "Our numbers"}[other_way] in first.problems[0]["meaning"]
        office.choose(numbers=other_way)
        (first,) = office.send(first.invoice)
        assert first.state == Push.State.SENT
    else:
        assert first.remote
        assert (first.remote.number, first.remote.is_shown) == (comes, True)
    office.must_agree()


@pytest.mark.parametrize("draft_number", SWITCHES["draft_number"])
@pytest.mark.parametrize(("sequence", "numbers"), [("on", "PLATFORM"), ("on", "OURS"), ("off", "OURS")])
def test_a_draft_has_a_number_for_us_from_its_release_on(
    office: Office, draft_number: str, sequence: str, numbers: str
) -> None:
    office.sandbox.switch("draft_number", draft_number)
    office.sandbox.switch("sequence", sequence)
    office.choose(numbers=numbers, create_as="DRAFT")
    (push,) = office.send(office.invoice())
    assert push.remote
    assert (push.remote.number, push.remote.is_draft) == ("", True)
    office.sandbox.set_books(intacct={"invoice": {"key": push.remote.remote_id, "submit": True}})
    office.settle()
    push.remote.refresh_from_db()
    assert push.remote.number == {"PLATFORM": "SI-1001", "OURS": "INV-00001"}[numbers]
    office.must_agree()


@pytest.mark.parametrize("scope", SWITCHES["number_scope"])
@pytest.mark.parametrize("holder", ["CUST-001", "CUST-002"])
@pytest.mark.parametrize("status", SWITCHES["duplicate_number"])
def test_a_number_in_use_is_refused_as_that_and_the_next_free_one_goes(
    office: Office, scope: str, holder: str, status: str
) -> None:
    office.sandbox.switch("number_scope", scope)
    office.sandbox.switch("duplicate_number", status)
    office.choose(numbers="OURS")
    by_hand(office.sandbox, number="INV-00001", customer=holder)
    (push,) = office.send(office.invoice())
    if scope == "customer" and holder != "CUST-001":
        assert push.state == Push.State.SENT
    else:
        assert (push.state, push.cause, fixes(push)) == (Push.State.ATTENTION, Push.Cause.NUMBER_TAKEN, {Fix.NUMBER})
        services.take_next_number(invoice_id=push.invoice_id, actor=office.staff, now=timezone.now())
        office.settle()
        assert Push.objects.get().state == Push.State.SENT
    office.must_agree()


def by_hand(sandbox: Sandbox, **entry: object) -> Json:
    """An invoice that a colleague enters in Intacct."""
    answer = requests.post(f"{sandbox.url}/_books/intacct/invoices", json={"entity": "LDN", **entry}, timeout=10)
    answer.raise_for_status()
    entered: Json = answer.json()
    return entered


@pytest.mark.parametrize("refusal", SWITCHES["batch_refusal"])
@pytest.mark.parametrize("nesting", SWITCHES["error_nesting"])
def test_one_bad_invoice_keeps_no_other_back_however_a_batch_is_refused(
    office: Office, refusal: str, nesting: str
) -> None:
    office.sandbox.switch("batch_refusal", refusal)
    office.sandbox.switch("error_nesting", nesting)
    office.sandbox.switch("support_ids", "on")
    good, bad, other = office.send(office.invoice(), office.invoice(office.closed), office.invoice())
    assert [push.state for push in (good, bad, other)] == [Push.State.SENT, Push.State.ATTENTION, Push.State.SENT]
    assert fixes(bad) == {Fix.CLIENT_LINK}
    assert [problem["message"] for problem in bad.problems] == [
        "Customer 'CUST-009' specified is not valid. It is inactive."
    ]
    office.must_agree()


@pytest.mark.parametrize("idempotency", SWITCHES["idempotency"])
def test_what_is_mended_in_intacct_goes_the_second_time(office: Office, idempotency: str) -> None:
    """A refusal is kept under its key for two days: what is sent again has another one."""
    office.sandbox.switch("idempotency", idempotency)
    (push,) = office.send(office.invoice(office.closed))
    assert push.state == Push.State.ATTENTION
    office.sandbox.set_books(intacct={"customer": {"id": "CUST-009", "status": "active"}})
    (push,) = office.send(push.invoice)
    assert push.state == Push.State.SENT
    office.must_agree()


ANSWERS = list(product(SWITCHES["error_nesting"], SWITCHES["duplicate_number"], SWITCHES["idempotency"]))


@pytest.mark.parametrize(("nesting", "duplicate", "idempotency"), ANSWERS)
def test_the_connector_names_each_refusal_however_it_is_written(
    intacct: Connection, sandbox: Sandbox, nesting: str, duplicate: str, idempotency: str
) -> None:
    for name, value in (("error_nesting", nesting), ("duplicate_number", duplicate), ("idempotency", idempotency)):
        sandbox.switch(name, value)
    once, invoice = uuid4().hex, document(intacct)
    (made,) = create(intacct, once, invoice)
    assert isinstance(made, RemoteInvoice)
    (again,) = create(intacct, once, invoice)
    assert again == made if idempotency == "on" else refused(again) == {Fix.NUMBER}
    (other,) = create(intacct, uuid4().hex, invoice)
    assert refused(other) == {Fix.NUMBER}
    stranger = document(intacct, client_id="CUST-999", number="2")
    assert [refused(one) for one in create(intacct, uuid4().hex, stranger)] == [{Fix.CLIENT_LINK}]
    third = document(intacct, number="3")
    both = create(intacct, uuid4().hex, invoice, third, stranger)
    assert [refused(one) for one in both] == [{Fix.NUMBER}, set(), {Fix.CLIENT_LINK}]
    assert len(sandbox.intacct()["invoices"]) == 2


def document(intacct: Connection, **changes: Any) -> NewInvoice:
    rate = RemoteLink.objects.get(connection=intacct, kind=RemoteLink.Kind.TAX_RATE, local_key="ZERO").remote_id
    amounts: Json = {"net": Decimal(50), "tax": Decimal(0), "total": Decimal(50)}
    line = NewLine(
        description="Letting",
        quantity=Decimal(1),
        unit_price=Decimal(50),
        discount=Decimal(0),
        account_id=intacct.sales_account_id,
        tax_rate_id=rate,
        **amounts,
    )
    given: Json = {"number": "1", "client_id": "CUST-001", **changes}
    return NewInvoice(
        reference=f"INV-{given['number']}",
        prefix="INV-",
        is_draft=False,
        issue_date=date(2026, 11, 2),
        due_date=date(2026, 12, 2),
        notes="",
        currency="GBP",
        lines=(line,),
        location_id=intacct.options.location_id,
        tax_solution_id=intacct.options.tax_solution_id,
        **amounts,
        **given,
    )


def create(intacct: Connection, key: str, *invoices: NewInvoice) -> tuple[RemoteInvoice | PlatformError, ...]:
    return open_connector(intacct).create_invoices(invoices, key)


def refused(made: RemoteInvoice | PlatformError) -> set[Fix]:
    return {problem.fix for problem in made.problems} if isinstance(made, Rejected) else set()


def where() -> Any:
    return endpoints("sage_intacct")


@pytest.mark.parametrize("seconds", SWITCHES["token_life"])
def test_a_token_is_used_for_as_long_as_intacct_says_it_lives(office: Office, seconds: int) -> None:
    office.sandbox.switch("token_life", seconds)
    tokens.bearer(office.connection, where(), renew=True)
    left = Credential.objects.get().access_expires_at - timezone.now()
    assert timedelta(seconds=seconds - 30) < left <= timedelta(seconds=seconds)
    office.sandbox.clear_journal()
    (push,) = office.send(office.invoice())
    assert push.state == Push.State.SENT
    assert office.sandbox.calls("POST", "/oauth2/token") == []


def test_a_token_that_lives_less_than_a_minute_is_renewed_before_each_call(office: Office) -> None:
    office.sandbox.switch("token_life", 30)
    for _ in range(2):
        tokens.bearer(office.connection, where(), renew=True)
    office.sandbox.clear_journal()
    (push,) = office.send(office.invoice())
    assert push.state == Push.State.SENT
    assert {call["status"] for call in office.sandbox.calls()} == {200}
    renewals = len(office.sandbox.calls("POST", "/oauth2/token"))
    assert renewals == len(office.sandbox.calls()) - renewals
    office.must_agree()


def pair() -> tuple[str, str]:
    credential = Credential.objects.select_related("connection").get()
    access, refresh = (
        tokens.unseal(sealed, connection=credential.connection) for sealed in (credential.access, credential.refresh)
    )
    return access, refresh


@pytest.mark.parametrize("rotation", SWITCHES["rotation"])
def test_tokens_are_renewed_again_and_again_whether_or_not_the_refresh_token_changes(
    intacct: Connection, sandbox: Sandbox, rotation: str
) -> None:
    sandbox.switch("rotation", rotation)
    pairs = [pair()]
    for _ in range(2):
        tokens.bearer(intacct, where(), renew=True)
        pairs.append(pair())
    assert len({access for access, _ in pairs}) == 3
    assert len({refresh for _, refresh in pairs}) == (3 if rotation == "on" else 1)
    assert open_connector(intacct).search_clients("Bramley")


@pytest.mark.parametrize("rotation", SWITCHES["rotation"])
def test_a_renewal_whose_answer_was_lost_costs_the_authorisation_only_where_tokens_rotate(
    intacct: Connection, sandbox: Sandbox, rotation: str
) -> None:
    sandbox.switch("rotation", rotation)
    sandbox.fault("lost", on=TOKEN)
    with pytest.raises(TryLater):
        tokens.bearer(intacct, where(), renew=True)
    if rotation == "off":
        assert tokens.bearer(intacct, where(), renew=True)
        return
    with pytest.raises(Reconnect):
        tokens.bearer(intacct, where(), renew=True)
    intacct.refresh_from_db()
    assert intacct.state == Connection.State.RECONNECT


@pytest.fixture
def expire(office: Office, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Every access token dies in the middle of a push: with its intent on record, before its first byte."""

    def prepare() -> None:
        intend = claims.intend

        def and_expire(*args: Any, **more: Any) -> Any:
            monkeypatch.setattr(claims, "intend", intend)
            office.sandbox.fault("intacct_expired")
            return intend(*args, **more)

        monkeypatch.setattr(claims, "intend", and_expire)

    return prepare


@pytest.mark.parametrize("expired_as", SWITCHES["expired_as"])
@pytest.mark.parametrize("rotation", SWITCHES["rotation"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_token_that_dies_in_the_middle_of_a_push_is_renewed_once_and_nothing_else_happens(
    office: Office, expire: Callable[[], None], expired_as: str, rotation: str, count: int
) -> None:
    office.sandbox.switch("expired_as", expired_as)
    office.sandbox.switch("rotation", rotation)
    expire()
    office.sandbox.clear_journal()
    pushes = office.queue(*(office.invoice() for _ in range(count)))
    worker.work(pushes[0].pk)
    creating = COMPOSITE if count == 1 else INTACCT_INVOICES
    calls = [(f"{call['method']} {call['path']}", call["status"]) for call in office.sandbox.calls()][:3]
    assert calls == [(creating, int(expired_as)), (TOKEN, 200), (creating, 200 if count == 1 else 201)]
    assert [push.attempts.count() for push in pushes] == [1] * count
    office.connection.refresh_from_db()
    assert (office.connection.is_active, office.connection.paused_until) == (True, None)
    assert set(Push.objects.values_list("state", flat=True)) == {Push.State.SENT}
    office.must_agree()


@pytest.mark.parametrize("expired_as", SWITCHES["expired_as"])
def test_a_token_that_dies_before_a_look_is_renewed_for_it(office: Office, expired_as: str) -> None:
    office.sandbox.switch("expired_as", expired_as)
    office.trouble("lost")
    (push,) = office.queue(office.invoice())
    worker.work(push.pk)
    office.sandbox.fault("intacct_expired")
    office.settle()
    push.refresh_from_db()
    assert (push.state, push.attempts.count()) == (Push.State.SENT, 1)
    office.must_agree()
