"""From Send to Sage to the sandbox's books and back, carried by the worker's own functions."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connectors.models import Connection, RemoteLink
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push, PushAttempt
from tests.books import Sandbox
from tests.conftest import draft_for, line

pytestmark = pytest.mark.django_db


def send(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    invoice.refresh_from_db()
    return push


def carry(push: Push) -> None:
    """What a worker does with a waiting push once its time has come."""
    claimed = worker.claim(push.connection, now=push.due_at, push_id=push.pk)
    assert claimed
    worker.deliver(claimed)
    push.refresh_from_db()


def test_an_invoice_goes_into_the_books_and_its_token_and_number_come_back(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = send(invoice, staff, now)
    (held,) = sandbox.invoices()
    assert push.state == Push.State.SENT
    assert push.remote and push.remote.remote_id == held["id"]
    assert push.remote.number == invoice.number == "INV-00001"
    assert invoice.status == Invoice.Status.SENT
    assert held["status_shown"] == "Created"
    assert held["contact_name"] == "Bramley Stores Ltd"
    assert Decimal(held["total_amount"]) == invoice.total == Decimal("204.00")


def test_five_lines_stand_on_one_nominal_code_in_the_books(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    lines = [line(f"Line {n}", quantity=Decimal("1.5"), discount_percent=Decimal(n)) for n in range(5)]
    invoice = services.create_invoice(draft=draft_for(client_of_ours, *lines), actor=staff, now=now)
    send(invoice, staff, now)
    (held,) = sandbox.invoices()
    assert [row["nominal_code"] for row in held["lines"]] == [4000] * 5
    assert Decimal(held["total_amount"]) == invoice.total


def test_one_invoice_whose_client_is_linked_is_one_request(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    for _ in range(2):
        invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
        sandbox.clear_journal()
        send(invoice, staff, now)
    assert [row["path"].rpartition("/")[2] for row in sandbox.calls()] == ["sales_invoices"]


def test_a_second_click_is_the_same_push(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    first = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    second = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert first == second
    worker.work(first.pk)
    assert services.request_push(invoice_id=invoice.pk, actor=staff, now=now) == first
    worker.work(first.pk)
    assert len(sandbox.invoices()) == 1


def test_a_lost_answer_is_found_in_the_books_and_linked(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost")
    push = send(invoice, staff, now)
    assert push.state == Push.State.UNKNOWN
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    (held,) = sandbox.invoices()
    assert push.state == Push.State.SENT
    assert push.remote and push.remote.remote_id == held["id"]


def test_a_lost_request_is_sent_again_with_the_same_key_after_two_looks_find_nothing(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("dropped")
    push = send(invoice, staff, now)
    looked = []
    while push.state == Push.State.UNKNOWN:
        looked.append(push.due_at)
        worker.look(push.pk, now=push.due_at)
        push.refresh_from_db()
    assert len(looked) == 2
    carry(push)
    assert push.state == Push.State.SENT
    assert len(sandbox.invoices()) == 1
    first, second = push.attempts.all()
    assert first.outcome == PushAttempt.Outcome.ABSENT
    assert (first.key, first.document) == (second.key, second.document)


def test_an_answer_that_says_nothing_may_have_spent_the_key_so_the_next_one_is_new(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("error", commit=False)
    push = send(invoice, staff, now)
    while push.state == Push.State.UNKNOWN:
        worker.look(push.pk, now=push.due_at)
        push.refresh_from_db()
    carry(push)
    first, second = push.attempts.all()
    assert first.key != second.key
    assert len(sandbox.invoices()) == 1


def test_a_500_after_the_invoice_was_written_is_never_sent_twice(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("error", commit=True)
    push = send(invoice, staff, now)
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert len(sandbox.invoices()) == 1


def test_no_second_attempt_begins_before_it_is_known_what_became_of_the_first(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost")
    push = send(invoice, staff, now)
    worker.work(push.pk)
    assert services.request_push(invoice_id=invoice.pk, actor=staff, now=now) == push
    assert push.attempts.count() == 1
    assert len(sandbox.calls("POST", "/sales_invoices")) == 1


def test_what_sage_refuses_stands_on_the_push_and_goes_again_once_it_is_mended(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("refused", data_code="RecordInvalid", message="is archived", source="line_items.ledger_account_id")
    push = send(invoice, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.REJECTED)
    assert push.problems[0]["message"] == "is archived"
    assert push.problems[0]["fix"] == "SALES_ACCOUNT"
    assert sandbox.invoices() == []
    push = send(invoice, staff, now)
    assert push.state == Push.State.SENT
    assert len({attempt.key for attempt in push.attempts.all()}) == 2


def test_a_busy_sage_is_asked_again_after_the_time_it_names(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("busy", retry_after=600)
    push = send(invoice, staff, now)
    connection.refresh_from_db()
    assert push.state == Push.State.READY
    assert connection.paused_until and connection.paused_until > now + timedelta(seconds=20)
    worker.work(push.pk)
    assert sandbox.invoices() == []
    assert worker.claim(connection, now=connection.paused_until)


def test_a_token_that_expires_in_the_middle_is_renewed_once_and_nothing_else_happens(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("expired")
    push = send(invoice, staff, now)
    assert push.state == Push.State.SENT
    assert len(sandbox.invoices()) == 1
    connection.refresh_from_db()
    assert connection.credential.generation == 2


def test_a_revoked_authorisation_keeps_the_invoice_waiting_until_an_admin_authorises_again(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("revoked")
    push = send(invoice, staff, now)
    connection.refresh_from_db()
    assert connection.state == Connection.State.RECONNECT
    assert push.state == Push.State.READY
    assert sandbox.invoices() == []


def test_a_client_known_to_sage_is_linked_and_not_created_again(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    for _ in range(3):
        invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
        send(invoice, staff, now)
        RemoteLink.objects.filter(kind=RemoteLink.Kind.CLIENT).delete()
    assert [row["name"] for row in sandbox.contacts()].count("Bramley Stores Ltd") == 1
    assert len({row["contact_id"] for row in sandbox.invoices()}) == 1


def test_a_worker_that_died_before_a_byte_left_leaves_a_push_that_waits(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert worker.claim(connection, now=now)
    later = now + worker.LEASE * 2
    worker.sweep(now=later)
    push.refresh_from_db()
    assert push.state == Push.State.READY
    assert push.attempts.get().outcome == PushAttempt.Outcome.NOT_SENT


def test_a_worker_that_wakes_up_after_its_lease_sends_nothing(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    sleeper = worker.claim(connection, now=now)
    assert sleeper
    worker.sweep(now=now + worker.LEASE * 2)
    worker.deliver(sleeper)
    assert sandbox.calls("POST", "/sales_invoices") == []


def test_two_workers_on_one_push_make_one_invoice(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    first, second = worker.claim(connection, now=now), worker.claim(connection, now=now, push_id=push.pk)
    assert first
    assert not second
    worker.deliver(first)
    worker.work(push.pk)
    assert len(sandbox.invoices()) == 1


def test_another_organisations_echo_is_for_a_person_and_is_never_sent_again(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("wrong_business")
    push = send(invoice, staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.MISDIRECTED)
    worker.sweep(now=now + timedelta(days=1))
    worker.work(push.pk)
    assert len(sandbox.calls("POST", "/sales_invoices")) == 1


def test_an_answer_that_cannot_be_read_is_looked_up(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("garbage")
    push = send(invoice, staff, now)
    assert push.state == Push.State.UNKNOWN


def test_a_worker_that_froze_after_it_put_its_document_on_record_sends_nothing(
    connection: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it might wake up after its absence was proven, with a key that is not the one sent meanwhile."""
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    sleeper = worker.claim(connection, now=now)
    assert sleeper
    intend = claims.intend

    def and_freeze(ready: Any, *, lease_until: datetime, now: datetime) -> Any:
        return intend(ready, lease_until=timezone.now(), now=now)

    monkeypatch.setattr(claims, "intend", and_freeze)
    worker.deliver(sleeper)
    push.refresh_from_db()
    assert sandbox.calls("POST", "/sales_invoices") == []
    assert push.state == Push.State.READY
