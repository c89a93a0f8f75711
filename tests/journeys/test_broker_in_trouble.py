"""The broker full or away for long, and a worker that is asked to end: real processes go on by themselves."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from signal import SIGTERM

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from redis import Redis
from redis.exceptions import ResponseError

from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice, Push, PushAttempt
from reflow.processes import Processes, wait_until
from reflow.servers import start_valkey
from tests.books import Sandbox
from tests.conftest import draft_for
from tests.invoices.test_hint import hinted
from tests.journeys.conftest import Crew

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.thorough]
TEN_MINUTES = 600


@pytest.fixture
def own_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Processes, Redis]]:
    """A Valkey of this test's own, which the crew takes for its broker."""
    processes = Processes(tmp_path / "broker")
    url = start_valkey(processes, tmp_path / "broker" / "valkey", durable=False)
    monkeypatch.setenv("REDIS_URL", url)
    yield processes, Redis.from_url(url)
    processes.hurry = True
    processes.stop_all()


def clicked(client: Client, staff: User) -> Push:
    invoice = services.create_invoice(draft=draft_for(client), actor=staff, now=timezone.now())
    return services.request_push(invoice_id=invoice.pk, actor=staff, now=timezone.now())


def are_sent(count: int) -> bool:
    return Push.objects.filter(state=Push.State.SENT).count() == count


def test_a_full_broker_stops_nobody_and_once_it_has_room_all_goes_on(
    own_broker: tuple[Processes, Redis], crew: Crew, connection: Connection, client_of_ours: Client, staff: User
) -> None:
    redis = own_broker[1]
    crew.worker()
    crew.beat()
    clicked(client_of_ours, staff)
    assert wait_until(lambda: are_sent(1), 15)
    redis.config_set("maxmemory", 1)
    with pytest.raises(ResponseError, match="maxmemory"):
        redis.set("one", "more")
    assert "push=7 The broker is away; the sweep will find it." in hinted(os.environ["REDIS_URL"])
    clicked(client_of_ours, staff)
    assert not wait_until(lambda: are_sent(2), 3)
    redis.config_set("maxmemory", 0)
    assert wait_until(lambda: are_sent(2), 30)


@pytest.mark.prove
def test_after_ten_minutes_without_the_broker_the_same_worker_and_beat_go_on(
    own_broker: tuple[Processes, Redis], crew: Crew, connection: Connection, client_of_ours: Client, staff: User
) -> None:
    processes, _ = own_broker
    worker, beat = crew.worker(), crew.beat()
    clicked(client_of_ours, staff)
    assert wait_until(lambda: are_sent(1), 15)
    valkey = processes.children["valkey"].program
    processes.stop("valkey")
    clicked(client_of_ours, staff)
    assert not wait_until(lambda: are_sent(2), TEN_MINUTES)
    processes.start(valkey)
    assert wait_until(lambda: are_sent(2), 60)
    assert (worker.process.poll(), beat.process.poll()) == (None, None)


def test_a_worker_asked_to_end_ends_what_it_is_sending_first(
    crew: Crew, connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """As with each new release."""
    worker = crew.worker()
    sandbox.fault("slow", seconds=1.5)
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert wait_until(lambda: Push.objects.filter(state=Push.State.SENDING).exists(), 10)
    worker.process.send_signal(SIGTERM)
    assert worker.process.wait(20) == 0
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert push.attempts.get().outcome == PushAttempt.Outcome.SENT
    assert len(sandbox.invoices()) == 1
