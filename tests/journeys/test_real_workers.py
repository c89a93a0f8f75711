"""Real worker and beat processes over the real broker: invoices get into the books once, whatever dies or is lost."""

import base64
import json
from collections.abc import Callable
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from redis import Redis

from connectors import tokens
from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice, Push, PushAttempt, RemoteInvoice
from reflow.processes import wait_until
from tests.books import Sandbox
from tests.conftest import draft_for
from tests.journeys.conftest import Crew

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.thorough]


def click(invoice: Invoice, staff: User) -> Push:
    return services.request_push(invoice_id=invoice.pk, actor=staff, now=timezone.now())


def becomes(push: Push, state: Push.State) -> Callable[[], bool]:
    return lambda: Push.objects.filter(pk=push.pk, state=state).exists()


def assert_sent_once(push: Push, sandbox: Sandbox) -> None:
    push.refresh_from_db()
    (held,) = sandbox.invoices()
    assert push.state == Push.State.SENT
    assert push.remote
    assert (push.remote.remote_id, push.remote.number) == (held["id"], push.invoice.number)
    assert not PushAttempt.objects.filter(resolved_at=None).exists()


def test_a_click_is_in_the_books_within_seconds_and_the_log_tells_of_it_without_a_token(
    crew: Crew, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    worker = crew.worker()
    push = click(invoice, staff)
    assert wait_until(becomes(push, Push.State.SENT), 5)
    assert_sent_once(push, sandbox)
    log = worker.log.read_text()
    (posted,) = (line for line in log.splitlines() if "POST /sales_invoices 201" in line)
    assert f"push={push.pk} " in posted
    assert "task=" in posted
    for sealed in (connection.credential.access, connection.credential.refresh):
        assert tokens.unseal(sealed, connection=connection) not in log
        assert sealed not in log


def test_a_message_carries_the_id_of_the_push_and_nothing_of_the_invoice(
    broker: Redis, connection: Connection, invoice: Invoice, staff: User
) -> None:
    push = click(invoice, staff)
    (message,) = (str(raw) for raw in broker.lrange("celery", 0, -1))
    body = base64.b64decode(json.loads(message)["body"]).decode()
    arguments, named, _ = json.loads(body)
    assert (arguments, named) == ([], {"push_id": push.pk})
    for known in (invoice.number, invoice.client.name, "204.00", connection.company_id, connection.credential.access):
        assert str(known) not in message + body


def test_two_workers_and_twelve_invoices_make_twelve_in_the_books_each_once(
    crew: Crew, connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    made = [services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now) for _ in range(12)]
    crew.workers("one", "two")
    for invoice in made:
        click(invoice, staff)
    assert wait_until(lambda: Push.objects.filter(state=Push.State.SENT).count() == 12, 20)
    held = {row["number"]: row["id"] for row in sandbox.invoices()}
    assert len(sandbox.invoices()) == len(held) == 12
    assert held == dict(RemoteInvoice.objects.values_list("invoice__number", "remote_id"))
    assert len(sandbox.calls("POST", "/sales_invoices")) == 12


def test_a_broker_wiped_right_after_the_click_loses_nothing(
    crew: Crew, broker: Redis, connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User
) -> None:
    first, second = (
        services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=timezone.now()) for _ in range(2)
    )
    push = click(first, staff)
    assert broker.llen("celery") == 1
    broker.flushdb()
    crew.beat()
    crew.worker()
    assert wait_until(becomes(push, Push.State.SENT), 15)
    # Again, now that every process has declared its queue long ago and believes it to be there.
    broker.flushdb()
    push = click(second, staff)
    broker.flushdb()
    assert wait_until(becomes(push, Push.State.SENT), 15)
    assert len(sandbox.invoices()) == 2


def test_a_worker_killed_before_sages_answer_leaves_one_invoice_that_another_one_links(
    crew: Crew, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    sandbox.fault("hold")
    doomed = crew.worker("doomed")
    push = click(invoice, staff)
    assert wait_until(lambda: bool(sandbox.invoices()), 10)
    crew.kill(doomed)
    sandbox.clear_faults()
    assert becomes(push, Push.State.SENDING)()
    crew.clock_divisor *= 3
    crew.beat()
    crew.worker("heir")
    assert wait_until(becomes(push, Push.State.SENT), 30)
    assert_sent_once(push, sandbox)
    assert len(sandbox.calls("POST", "/sales_invoices")) == 1
    assert push.attempts.get().outcome == PushAttempt.Outcome.FOUND


@pytest.mark.prove
def test_a_request_that_never_reached_sage_goes_again_once_its_absence_is_proven(
    crew: Crew, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User
) -> None:
    crew.clock_divisor *= 2
    sandbox.fault("dropped")
    crew.worker()
    crew.beat()
    push = click(invoice, staff)
    assert wait_until(becomes(push, Push.State.UNKNOWN), 5)
    assert wait_until(becomes(push, Push.State.SENT), 40)
    assert_sent_once(push, sandbox)
    assert [attempt.outcome for attempt in push.attempts.all()] == ["ABSENT", "SENT"]
    assert len({attempt.key for attempt in push.attempts.all()}) == 1
