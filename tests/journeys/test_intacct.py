"""One invoice's way into Sage Intacct, over HTTP against its pretend books: one round trip, and nothing ever twice."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection, Credential, RemoteLink
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push, PushAttempt
from tests.books import COMPOSITE, Sandbox
from tests.conftest import draft_for, set_up_intacct
from tests.journeys.intacct import (
    CUSTOMERS,
    QUERY,
    authorise,
    carry,
    do,
    enter,
    held,
    link,
    look,
    look_until_settled,
    metered,
    send,
    trips,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    """A client that Intacct knows from an earlier invoice."""
    return link(client_of_ours, intacct, now)


def test_an_invoice_goes_into_intacct_and_its_token_and_number_come_back(
    intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = send(invoice, staff, now)
    (theirs,) = held(sandbox)
    assert push.state == Push.State.SENT
    assert push.remote
    assert (push.remote.remote_id, push.remote.number) == (theirs["key"], theirs["invoiceNumber"])
    assert push.remote.url == f"{sandbox.url}/intacct/invoices/{theirs['key']}"
    assert (theirs["state"], theirs["referenceNumber"], theirs["totalTxnAmount"]) == ("posted", "INV-00001", "204.00")
    assert theirs["invoiceNumber"] == "SI-1001"
    assert theirs["entity"]["id"] == "LDN"


def test_one_invoice_whose_client_is_linked_is_one_round_trip_with_its_number(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = send(invoice, staff, now)
    assert push.remote and push.remote.number == "SI-1001"
    assert trips(sandbox) == ["composite"]
    assert metered(sandbox) == 2
    (call,) = sandbox.calls()
    assert (call["entity"], call["idempotency_key"]) == ("LDN", push.attempts.get().key)


def test_a_client_new_to_intacct_is_created_once_under_our_reference(
    intacct: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    for _ in range(2):
        send(services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now), staff, now)
        RemoteLink.objects.filter(kind=RemoteLink.Kind.CLIENT).delete()
    assert [row["name"] for row in sandbox.intacct()["customers"]].count("Bramley Stores Ltd") == 1
    assert {row["customer"]["id"] for row in held(sandbox)} == {"BRAM1"}


def test_a_client_whose_creation_was_not_answered_is_found_and_not_created_again(
    intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost", on=CUSTOMERS)
    push = send(invoice, staff, now)
    assert push.state == Push.State.READY
    Connection.objects.update(paused_until=None)
    push.connection.refresh_from_db()
    carry(push)
    assert [row["id"] for row in sandbox.intacct()["customers"]].count("BRAM1") == 1
    assert len(held(sandbox)) == 1


def test_a_number_that_can_not_be_read_with_it_is_fetched_later_and_nothing_is_sent_again(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("number_unread", on=COMPOSITE)
    sandbox.fault("unavailable", on=QUERY)
    push = send(invoice, staff, now)
    assert (push.state, invoice.status) == (Push.State.SENT, Invoice.Status.SENT)
    assert push.remote and (push.remote.number, push.remote.is_draft) == ("", False)
    worker.read_numbers(now=now + timedelta(hours=1))
    push.remote.refresh_from_db()
    (theirs,) = held(sandbox)
    assert push.remote.number == theirs["invoiceNumber"] == "SI-1001"
    assert push.remote.url.endswith(theirs["key"])
    assert trips(sandbox) == ["composite", "query", "query"]


def test_the_same_worker_asks_at_once_for_a_number_that_was_not_told(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("number_unread", on=COMPOSITE)
    push = send(invoice, staff, now)
    assert push.remote and push.remote.number == "SI-1001"
    assert trips(sandbox) == ["composite", "query"]


def test_a_lost_answer_is_found_by_its_reference_and_linked(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost", on=COMPOSITE)
    push = send(invoice, staff, now)
    assert push.state == Push.State.UNKNOWN
    look(push)
    (theirs,) = held(sandbox)
    assert push.state == Push.State.SENT
    assert push.remote and (push.remote.remote_id, push.remote.number) == (theirs["key"], "SI-1001")
    assert trips(sandbox) == ["composite", "query"]


def test_a_lost_request_goes_again_with_its_key_after_two_looks_find_nothing(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("dropped", on=COMPOSITE)
    push = look_until_settled(send(invoice, staff, now))
    carry(push)
    assert len(held(sandbox)) == 1
    assert trips(sandbox) == ["composite", *["query"] * 4, "composite"], (
        "each look by the reference, and by what changed"
    )
    first, second = push.attempts.all()
    assert (first.key, first.document) == (second.key, second.document)


@pytest.mark.parametrize("fault", ["error", "garbage", "lost"])
def test_whatever_hides_that_it_was_written_it_is_never_written_twice(
    fault: str, linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault(fault, on=COMPOSITE)
    push = look_until_settled(send(invoice, staff, now))
    assert push.state == Push.State.SENT
    assert len(held(sandbox)) == 1
    assert trips(sandbox).count("composite") == 1


@pytest.mark.parametrize("fault", ["error", "key_in_use"])
def test_an_answer_that_says_nothing_may_have_spent_the_key_so_the_next_one_is_new(
    fault: str, linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault(fault, on=COMPOSITE, commit=False)
    push = send(invoice, staff, now)
    assert push.state == Push.State.UNKNOWN
    carry(look_until_settled(push))
    first, second = push.attempts.all()
    assert first.key != second.key
    assert len(held(sandbox)) == 1


def test_without_idempotency_in_intacct_nothing_is_written_twice_either(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.switch("idempotency", "off")
    sandbox.fault("lost", on=COMPOSITE)
    push = send(invoice, staff, now)
    worker.work(push.pk)
    assert look(push).state == Push.State.SENT
    worker.work(push.pk)
    assert len(held(sandbox)) == 1


def test_at_the_top_level_a_look_finds_what_was_written_there(
    sandbox: Sandbox, admin: User, invoice: Invoice, staff: User, now: datetime
) -> None:
    connected = authorise(sandbox, admin, now, "HARBOUR")
    set_up_intacct(connected, now=now)
    link(invoice.client, connected, now)
    sandbox.fault("lost", on=COMPOSITE)
    push = look(send(invoice, staff, now))
    (theirs,) = held(sandbox)
    assert push.state == Push.State.SENT
    assert theirs["entity"]["id"] is None


def test_what_a_colleague_entered_under_our_reference_is_a_question_and_not_linked_blindly(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("dropped", on=COMPOSITE)
    push = send(invoice, staff, now)
    enter(sandbox, entity="LDN", reference=invoice.number, customer="CUST-002", date="2026-11-02")
    look(push)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.DIFFERENT)
    assert push.attempts.get().outcome == PushAttempt.Outcome.OPEN


def test_a_reversed_invoice_is_still_found_and_not_sent_again(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost", on=COMPOSITE)
    push = send(invoice, staff, now)
    do(sandbox, held(sandbox)[0]["key"], "reverse", date="2026-11-20")
    assert look(push).state == Push.State.SENT
    assert len(held(sandbox)) == 1


@pytest.mark.parametrize("expired_as", ["401", "400"])
def test_a_token_that_is_expired_is_renewed_once_and_the_invoice_goes(
    expired_as: str, linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.switch("expired_as", expired_as)
    sandbox.fault("intacct_expired")
    push = send(invoice, staff, now)
    assert push.state == Push.State.SENT
    assert trips(sandbox) == ["composite", "token", "composite"]
    assert Credential.objects.get().generation == 2
    assert len(held(sandbox)) == 1


def test_a_refresh_token_that_does_not_rotate_is_kept(
    linked: Client, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    sandbox.switch("rotation", "off")
    for count in range(1, 3):
        sandbox.fault("intacct_expired")
        send(services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now), staff, now)
        assert len(held(sandbox)) == count


def test_a_revoked_authorisation_keeps_the_invoice_waiting_until_somebody_authorises_again(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, admin: User, staff: User, now: datetime
) -> None:
    sandbox.fault("intacct_revoked")
    push = send(invoice, staff, now)
    intacct.refresh_from_db()
    assert (push.state, intacct.state) == (Push.State.READY, Connection.State.RECONNECT)
    authorise(sandbox, admin, now)
    worker.work(push.pk)
    assert [row["referenceNumber"] for row in held(sandbox)] == [invoice.number]


def test_a_busy_intacct_is_asked_again_after_the_time_it_names(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("busy", on=COMPOSITE, retry_after=600)
    push = send(invoice, staff, now)
    intacct.refresh_from_db()
    assert push.state == Push.State.READY
    assert intacct.paused_until and intacct.paused_until > now + timedelta(seconds=20)
    first = push.attempts.get()
    assert first.outcome == PushAttempt.Outcome.NOT_SENT
    carry(push)
    assert len({attempt.key for attempt in push.attempts.all()}) == 1
    assert len(held(sandbox)) == 1


def test_two_invoices_and_two_workers_share_the_lanes_and_write_two(
    linked: Client, intacct: Connection, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    hands = []
    for _ in range(2):
        made = services.create_invoice(draft=draft_for(linked), actor=staff, now=now)
        services.request_push(invoice_id=made.pk, actor=staff, now=now)
        hands.append(claims.claim(intacct, now=now))
    assert [one.push.lane for hand in hands for one in hand] == [0, 1]
    for hand in reversed(hands):
        worker.deliver(hand)
    assert sorted(row["referenceNumber"] for row in held(sandbox)) == ["INV-00001", "INV-00002"]
