"""A bulk send while others press, queue, claim and cancel at the same moment: nothing twice, nothing in two states."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database

from connectors.models import Connection
from invoices import bulk, bulk_services, claims, services, tasks
from invoices.models import BulkMember, BulkSend, Event, Invoice, Push, PushAttempt

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def chosen(
    wired: Connection, new_invoice: Callable[..., Invoice], staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> BulkSend:
    for hint in ("hint", "hint_send"):
        monkeypatch.setattr(tasks, hint, lambda _: None)
    ids = [new_invoice().pk for _ in range(12)]
    return bulk_services.choose(ids=ids, actor=staff, now=now)


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """All of them, begun at the same moment, each over a connection of its own."""
    together = Barrier(len(deeds))

    def do(deed: Callable[[], Any]) -> Any:
        try:
            together.wait(10)
            return deed()
        finally:
            database.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [each.result(30) for each in [pool.submit(do, deed) for deed in deeds]]


def begin(send: BulkSend, staff: User, now: datetime) -> BulkSend:
    return bulk_services.start(send_id=send.pk, green=12, actor=staff, now=now)


def test_two_presses_and_two_queuing_workers_make_each_push_once(
    chosen: BulkSend, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 3)
    one, other = at_once(*[lambda: begin(chosen, staff, now)] * 2)
    assert one.pk == other.pk
    at_once(*[lambda: list(bulk.queue_all(chosen.pk, now=now))] * 3)
    list(bulk.queue_all(chosen.pk, now=now))  # what was just in somebody's hand
    assert Push.objects.count() == 12
    assert Event.objects.filter(text="Queued for Sage.").count() == 12
    assert set(BulkMember.objects.values_list("state", flat=True)) == {"QUEUED"}


def test_a_press_on_the_invoice_itself_at_the_same_moment_is_one_push(
    chosen: BulkSend, staff: User, now: datetime
) -> None:
    begin(chosen, staff, now)
    pressed = chosen.members.order_by("pk")[5].invoice_id
    at_once(
        lambda: list(bulk.queue_all(chosen.pk, now=now)),
        lambda: services.request_push(invoice_id=pressed, actor=staff, now=now),
    )
    list(bulk.queue_all(chosen.pk, now=now))
    assert Push.objects.count() == 12
    assert Event.objects.filter(invoice=pressed, text="Queued for Sage.").count() == 1
    member = chosen.members.get(invoice=pressed)
    assert (member.state, member.reason) in [("QUEUED", ""), ("LEFT_OUT", "It was on its way already.")]


def test_cancelling_races_a_worker_and_a_queuing_one_and_each_invoice_ends_in_one_place(
    chosen: BulkSend, wired: Connection, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)
    begin(chosen, staff, now)
    bulk.queue_chunk(chosen.pk, now=now)
    *_, hand, stopped = at_once(
        lambda: list(bulk.queue_all(chosen.pk, now=now)),
        lambda: claims.claim(wired, now=now),
        lambda: bulk_services.cancel(send_id=chosen.pk, actor=staff, now=now),
    )
    bulk_services.cancel(send_id=chosen.pk, actor=staff, now=now)
    in_hand = {claimed.push.pk for claimed in hand}
    assert len(in_hand) <= 1
    assert set(Push.objects.filter(state="SENDING").values_list("pk", flat=True)) == in_hand
    assert set(Push.objects.exclude(pk__in=in_hand).values_list("state", flat=True)) <= {"CANCELLED"}
    assert set(PushAttempt.objects.values_list("push", flat=True)) == in_hand, "nothing that is cancelled was begun"
    assert stopped <= 12
    left = set(chosen.members.exclude(push__in=in_hand).values_list("state", flat=True))
    assert left == {"CANCELLED"}
    assert claims.claim(wired, now=now) == []


def test_an_invoice_that_somebody_has_in_hand_is_left_for_the_next_time(
    chosen: BulkSend, staff: User, now: datetime
) -> None:
    from django.db import transaction

    begin(chosen, staff, now)
    held = chosen.members.order_by("pk")[0].invoice_id
    with transaction.atomic():
        services.locked(held)
        at_once(lambda: list(bulk.queue_all(chosen.pk, now=now)))
        assert BulkSend.objects.get().queued_at is None
    assert chosen.members.get(state="CHOSEN").invoice_id == held
    list(bulk.queue_all(chosen.pk, now=now))
    assert Push.objects.count() == 12
