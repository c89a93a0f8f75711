"""Many invoices into Intacct at once, over HTTP: few round trips, one bad one alone, and lost batches settled."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Push, PushAttempt, PushBatch
from tests.books import INTACCT_INVOICES, Sandbox
from tests.conftest import set_up_intacct
from tests.journeys.intacct import (
    QUERY,
    carry,
    condition,
    enter,
    fresh,
    held,
    link,
    look,
    look_until_settled,
    metered,
    queue,
    trips,
)

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


@pytest.fixture
def on_hold(intacct: Connection, now: datetime) -> Client:
    """A client whose customer in Intacct is on hold."""
    return link(Client.objects.create(name="Kingfisher Leisure", reference="KING1"), intacct, now, "CUST-010")


def test_a_hundred_invoices_are_five_round_trips_and_a_hundred_and_one_metered_transactions(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 100, staff, now)
    worker.work(pushes[0].pk)
    assert trips(sandbox) == [*["invoice"] * 4, "query"]
    assert metered(sandbox) == 101
    theirs = {row["key"]: row for row in held(sandbox)}
    assert len(theirs) == 100
    for push in fresh(pushes):
        assert push.state == Push.State.SENT and push.remote
        its_own = theirs[push.remote.remote_id]
        assert its_own["referenceNumber"] == push.invoice.number
        assert its_own["invoiceNumber"] == push.remote.number != ""


def test_each_batch_goes_to_the_entity_under_a_key_of_its_own(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    worker.work(queue(linked, 30, staff, now)[0].pk)
    calls = sandbox.calls("POST", "/invoice")
    assert {call["entity"] for call in calls} == {"LDN"}
    assert [call["idempotency_key"] for call in calls] == list(PushBatch.objects.values_list("key", flat=True))
    assert len({call["idempotency_key"] for call in calls}) == 2


def test_one_bad_invoice_among_twenty_five_stops_none_of_the_others(
    linked: Client, on_hold: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    good = queue(linked, 12, staff, now)
    bad = queue(on_hold, 1, staff, now)
    good += queue(linked, 12, staff, now)
    worker.work(good[0].pk)
    assert trips(sandbox) == ["invoice", "query"]
    assert {push.state for push in fresh(good)} == {Push.State.SENT}
    assert all(push.remote and push.remote.number for push in fresh(good))
    (refused,) = fresh(bad)
    assert (refused.state, refused.cause) == (Push.State.ATTENTION, Push.Cause.REJECTED)
    assert "on hold" in refused.problems[0]["meaning"]
    assert len(held(sandbox)) == 24


def test_the_bad_one_goes_alone_once_it_is_mended(
    linked: Client, on_hold: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = [*queue(linked, 2, staff, now), *queue(on_hold, 1, staff, now)]
    worker.work(pushes[0].pk)
    condition(sandbox, customer={"id": "CUST-010", "isOnHold": False})
    bad = pushes[-1].invoice
    worker.work(services.request_push(invoice_id=bad.pk, actor=staff, now=now).pk)
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert len(held(sandbox)) == 3


def test_where_intacct_refuses_a_whole_batch_for_one_its_members_go_alone(
    linked: Client, on_hold: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    sandbox.switch("batch_refusal", "whole")
    pushes = [*queue(linked, 4, staff, now), *queue(on_hold, 1, staff, now)]
    worker.work(pushes[0].pk)
    assert trips(sandbox) == ["invoice", *["composite"] * 5]
    assert [push.state for push in fresh(pushes)] == [*[Push.State.SENT] * 4, Push.State.ATTENTION]
    assert len(held(sandbox)) == 4
    assert all(push.remote and push.remote.number for push in fresh(pushes)[:4])


def test_a_lost_answer_to_a_batch_is_settled_by_looks_and_nothing_is_there_twice(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 5, staff, now)
    sandbox.fault("lost", on=INTACCT_INVOICES)
    worker.work(pushes[0].pk)
    assert {push.state for push in fresh(pushes)} == {Push.State.UNKNOWN}
    for push in fresh(pushes):
        look(push)
    theirs = {row["referenceNumber"]: row for row in held(sandbox)}
    assert len(theirs) == len(held(sandbox)) == 5
    for push in fresh(pushes):
        assert push.state == Push.State.SENT and push.remote
        one = theirs[str(push.invoice.number)]
        assert (push.remote.remote_id, push.remote.number) == (one["key"], one["invoiceNumber"])
    assert trips(sandbox) == ["invoice", *["query"] * 5]


def test_a_batch_that_never_arrived_goes_again_unchanged_under_its_own_key(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 5, staff, now)
    sandbox.fault("dropped", on=INTACCT_INVOICES)
    worker.work(pushes[0].pk)
    settled = [look_until_settled(push) for push in fresh(pushes)]
    assert {push.state for push in settled} == {Push.State.READY}
    assert held(sandbox) == []
    carry(settled[-1])
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    first, second = sandbox.calls("POST", "/invoice")
    assert first["idempotency_key"] == second["idempotency_key"]
    assert PushBatch.objects.count() == 1
    assert len(held(sandbox)) == 5


def test_a_batch_is_not_repeated_while_one_of_its_members_may_still_be_there(
    linked: Client, intacct: Connection, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 3, staff, now)
    sandbox.fault("dropped", on=INTACCT_INVOICES)
    worker.work(pushes[0].pk)
    Push.objects.filter(pk=pushes[1].pk).update(due_at=now + timedelta(days=1))  # or the others' looks are for it too
    proven = look_until_settled(fresh(pushes)[0])
    assert [push.state for push in fresh(pushes)] == [Push.State.READY, Push.State.UNKNOWN, Push.State.READY]
    assert not claims.claim(intacct, now=proven.due_at)
    assert len(sandbox.calls("POST", "/invoice")) == 1


def test_where_one_member_of_a_lost_batch_is_there_the_others_go_alone(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 3, staff, now)
    sandbox.fault("dropped", on=INTACCT_INVOICES)
    worker.work(pushes[0].pk)
    enter(
        sandbox,
        entity="LDN",
        customer="CUST-001",
        reference="INV-00002",
        date="2026-11-02",
        due="2026-12-02",
        lines=[{"amount": "170.00"}],
    )
    settled = [look_until_settled(push) for push in fresh(pushes)]
    assert [push.state for push in settled] == [Push.State.READY, Push.State.SENT, Push.State.READY]
    for push in (settled[0], settled[2]):
        carry(push)
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert sorted(row["referenceNumber"] for row in held(sandbox)) == ["INV-00001", "INV-00002", "INV-00003"]


def test_a_batch_answered_with_an_error_goes_again_one_by_one_under_new_keys(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    """The answer may have spent the batch's key, so nothing is sent under it again."""
    pushes = queue(linked, 3, staff, now)
    sandbox.fault("error", on=INTACCT_INVOICES, commit=False)
    worker.work(pushes[0].pk)
    for push in fresh(pushes):
        carry(look_until_settled(push))
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert len(held(sandbox)) == 3
    assert trips(sandbox).count("invoice") == 1


def test_a_batch_that_intacct_was_too_busy_for_goes_again_as_it_was(
    linked: Client, intacct: Connection, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 3, staff, now)
    sandbox.fault("busy", on=INTACCT_INVOICES, retry_after=30)
    worker.work(pushes[0].pk)
    assert {push.state for push in fresh(pushes)} == {Push.State.READY}
    worker.deliver(claims.claim(intacct, now=max(push.due_at for push in fresh(pushes))))
    first, second = sandbox.calls("POST", "/invoice")
    assert first["idempotency_key"] == second["idempotency_key"]
    assert len(held(sandbox)) == 3


def test_numbers_that_could_not_be_asked_for_come_with_a_later_question(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = queue(linked, 3, staff, now)
    sandbox.fault("unavailable", on=QUERY)
    worker.work(pushes[0].pk)
    assert [(push.state, push.remote and push.remote.number) for push in fresh(pushes)] == [(Push.State.SENT, "")] * 3
    worker.read_numbers(now=now)
    worker.read_numbers(now=now + worker.DRAFT_AGE * 2)
    assert all(push.remote and push.remote.number for push in fresh(pushes))
    assert trips(sandbox) == ["invoice", "query", "query"]


def test_drafts_go_in_one_batch_and_are_asked_for_no_number_before_they_are_submitted(
    linked: Client, intacct: Connection, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, create_as="DRAFT")
    pushes = queue(linked, 3, staff, now)
    sandbox.clear_journal()
    worker.work(pushes[0].pk)
    assert {row["state"] for row in held(sandbox)} == {"draft"}
    assert all(push.remote and push.remote.is_draft for push in fresh(pushes))
    worker.read_numbers(now=now)
    assert trips(sandbox) == ["invoice", "query"]


def test_a_client_new_to_intacct_does_not_travel_with_others(
    linked: Client, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    unknown = Client.objects.create(name="Never Seen Ltd", reference="NEVER")
    pushes = [*queue(linked, 2, staff, now), *queue(unknown, 2, staff, now)]
    worker.work(pushes[0].pk)
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert [row["id"] for row in sandbox.intacct()["customers"]].count("NEVER") == 1
    assert len(held(sandbox)) == 4
    assert not PushAttempt.objects.filter(resolved_at=None).exists()
