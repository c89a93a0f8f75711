"""What a worker does with a bulk send: it queues what was chosen, chunk by chunk, and whoever dies leaves the rest.

A chunk is one transaction: an invoice is approved, its push is made and its member says so, all together or not at all.
What is locked by somebody else is left for the next time. Knows no Celery.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from connectors.models import Connection
from connectors.services import live_connection, platform_of
from invoices import queueing
from invoices.documents import Contents, contents_of
from invoices.drafts import EVENT, Refused, must_be
from invoices.models import BulkMember, BulkSend, Event, Invoice, Push
from invoices.obstacles import Ground, obstacles_of_all, of_one
from invoices.writing import insert, update

CHUNK = 500
OF_A_MEMBER = ("id", "push_id", "state", "reason")
KEPT = timedelta(days=7)  # a choice that was never sent
STATE = BulkMember.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What came of a chunk: how many members were settled, pushes to begin with, and whether there may be more."""

    members: int
    pushes: list[int] = field(default_factory=list)
    has_more: bool = False


@dataclass(slots=True, kw_only=True)
class _Desk:
    """What a chunk goes by, read once for all its invoices, and what is to be written."""

    actor: User
    now: datetime
    connection: Connection
    ground: Ground
    may_approve: Callable[[Invoice], bool]
    pushes: dict[int, Push]
    outcomes: dict[int, set[str]]
    elsewhere: dict[int, str]
    contents: dict[int, Contents]
    approved: list[Invoice] = field(default_factory=list)
    queued: list[Push] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)

    def note(self, invoice: Invoice, text: str) -> None:
        self.events.append((invoice.pk, self.now, self.actor.pk, text))


def due() -> list[int]:
    """Bulk sends with something that is not queued yet."""
    begun = BulkSend.objects.filter(started_at__isnull=False, queued_at=None)
    return list(begun.order_by("started_at").values_list("pk", flat=True))


def queue_all(send_id: int, *, now: datetime) -> Iterator[int]:
    """Chunk by chunk to the end, and after each the pushes to begin with."""
    has_more = True
    while has_more:
        done = queue_chunk(send_id, now=now)
        has_more = done.has_more
        yield from done.pushes
    _finish(send_id, now)


def queue_chunk(send_id: int, *, now: datetime) -> Queued:
    """The next ones that nobody else has in hand; none is queued twice, as its member is locked and settled with it."""
    with transaction.atomic():
        members = _take(send_id)
        invoices = _locked(members)
        if not invoices:
            return Queued(members=0)
        send = BulkSend.objects.select_related("connection", "pressed_by").get(pk=send_id)
        live = live_connection()
        if live is None or live.pk != send.connection_id:
            return _leave_out(members, invoices, f"Reflow is not connected to {send.connection} any more.")
        if found := obstacles_of_all(live):
            return _leave_out(members, invoices, str(found[0]))
        return _queue(_desk(send, live, invoices, now), members, invoices)


def _take(send_id: int) -> dict[int, BulkMember]:
    """The chunk's members by invoice, locked."""
    waiting = BulkMember.objects.filter(send=send_id, send__started_at__isnull=False, state=STATE.CHOSEN)
    rows = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:CHUNK]
    return {member.invoice_id: member for member in rows}


def _locked(members: Iterable[int]) -> dict[int, Invoice]:
    """Their invoices in the members' order, locked as a click locks one; what somebody has in hand comes later."""
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    chosen = rows.filter(pk__in=members).select_related("client", "credits")
    found = {invoice.pk: invoice for invoice in chosen}
    return {pk: found[pk] for pk in members if pk in found}


def _leave_out(members: dict[int, BulkMember], ids: Iterable[int], reason: str) -> Queued:
    left = [members[pk].pk for pk in ids]
    BulkMember.objects.filter(pk__in=left).update(state=STATE.LEFT_OUT, reason=reason[:300])
    return Queued(members=len(left), has_more=len(members) == CHUNK)


def _desk(send: BulkSend, connection: Connection, invoices: Mapping[int, Invoice], now: datetime) -> _Desk:
    assert send.pressed_by  # noqa: S101  # a constraint
    ids = list(invoices)
    rows = Push.objects.select_for_update().filter(invoice__in=ids, connection=connection).order_by("pk")
    pushes = {push.invoice_id: push for push in rows}
    to_be_frozen = [pk for pk, invoice in invoices.items() if invoice.status == Invoice.Status.DRAFT or pk in pushes]
    return _Desk(
        actor=send.pressed_by,
        now=now,
        connection=connection,
        ground=Ground.of(connection, ids),
        may_approve=queueing.approver(send.pressed_by),
        pushes=pushes,
        outcomes=queueing.outcomes_of(push.pk for push in pushes.values()),
        elsewhere=queueing.elsewhere(ids, connection),
        contents=contents_of(to_be_frozen),
    )


def _queue(desk: _Desk, members: dict[int, BulkMember], invoices: dict[int, Invoice]) -> Queued:
    queued: list[tuple[BulkMember, Push]] = []
    for pk, invoice in invoices.items():
        member = members[pk]
        try:
            queued.append((member, _queue_one(invoice, desk)))
            member.state = STATE.QUEUED
        except Refused as refused:
            member.state, member.reason = STATE.LEFT_OUT, str(refused)[:300]
    _write(desk)
    for member, push in queued:
        member.push = push
    update(BulkMember, OF_A_MEMBER, [[getattr(members[pk], name) for name in OF_A_MEMBER] for pk in invoices])
    hands = platform_of(desk.connection).lanes
    begun = [push.pk for push in islice(desk.queued, hands)]
    return Queued(members=len(invoices), pushes=begun, has_more=len(members) == CHUNK)


def _queue_one(invoice: Invoice, desk: _Desk) -> Push:
    """As a press on Send to Sage does, but that what is under way already is left to whoever sent it."""
    push = desk.pushes.get(invoice.pk)
    if push and push.is_open:
        raise Refused("It was on its way already.")
    if push and push.state == Push.State.PARKED:
        raise Refused("It is parked.")
    if push and push.state == Push.State.ATTENTION and push.cause not in queueing.AGAIN:
        raise Refused("It is to be settled on its own page.")
    for _, refused in of_one(invoice, desk.ground):
        raise refused
    if why := desk.elsewhere.get(invoice.pk):
        raise Refused(why)
    before, contents = invoice.frozen, desk.contents.get(invoice.pk)
    if invoice.status == Invoice.Status.DRAFT:
        queueing.approve(invoice, desk.may_approve, desk.actor, desk.now, contents)
        desk.note(invoice, queueing.APPROVED)
    must_be(invoice, Invoice.Status.APPROVED, "sent")
    push = push or Push(connection=desk.connection)
    push.invoice = invoice
    outcomes = desk.outcomes.get(push.pk, set())
    desk.note(invoice, queueing.queue(push, outcomes=outcomes, actor=desk.actor, now=desk.now, contents=contents))
    if invoice.frozen is not before:
        desk.approved.append(invoice)
    desk.queued.append(push)
    return push


def _write(desk: _Desk) -> None:
    queueing.save_approved(desk.approved)
    Push.objects.bulk_create([push for push in desk.queued if push.pk is None])
    again = [push for push in desk.queued if push.invoice_id in desk.pushes]
    Push.objects.bulk_update(again, queueing.OF_A_PUSH)
    insert(Event, EVENT, desk.events)


def _finish(send_id: int, now: datetime) -> None:
    """Nothing is left to queue, unless somebody has chosen cancelled ones again, or has one of its invoices in hand."""
    with transaction.atomic():
        send = BulkSend.objects.select_for_update().get(pk=send_id)
        if send.queued_at is None and not send.members.filter(state=STATE.CHOSEN).exists():
            send.queued_at = now
            send.save(update_fields=["queued_at"])


def expire(*, now: datetime) -> None:
    """Choices that were never sent go after a while."""
    BulkSend.objects.filter(started_at=None, chosen_at__lt=now - KEPT).delete()
