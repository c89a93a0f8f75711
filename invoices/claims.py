"""What a worker takes in hand: waiting pushes, each with a lane, a lease, a fence and the attempt on record.

Where the platform takes several invoices in one call, a hand holds several: pushes that never left before, and whose
clients are linked, so that nothing has to be asked on the way. A batch whose answer was lost goes again only whole and
unchanged, under its own key, once every member is proven absent; otherwise its members go alone.

Where invoices go one by one, the next may be claimed while all lanes are taken: it gets its lane, with its intent, from
the one before it.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast

from connectors import epoch
from connectors import services as connectors
from connectors.interface import NewInvoice
from connectors.links import key_for
from connectors.models import Connection, RemoteLink
from invoices import documents
from invoices.models import Invoice, Push, PushAttempt, PushBatch
from invoices.models.push import PushQuerySet

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=40) / settings.CLOCK_DIVISOR  # over the 25 s deadline of a call
LOOK_GAP = timedelta(seconds=120) / settings.CLOCK_DIVISOR  # between two looks that find nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A push in hand: ours as long as its row still carries this fence.

    What a restored database may have forgotten to have sent is not `is_remembered`: a look comes before it goes.
    """

    push: Push
    attempt: PushAttempt
    fence: int
    is_remembered: bool = True


Ready = tuple[Claim, NewInvoice]


def patience(members: int) -> int:
    """How much longer a call, and the lease over it, may last for so many invoices, in whole times."""
    return 1 + members // 10


def waiting(connection: Connection, now: datetime) -> PushQuerySet:
    ready = Push.objects.ready(now).filter(connection=connection)
    return ready.select_related("connection", "invoice").order_by("due_at", "id")


def next_turn(connection: Connection) -> tuple[int, datetime] | None:
    """The push that is next to go over this connection, and from when it may; None where none waits."""
    ready = Push.objects.filter(
        connection=connection, state=Push.State.READY, connection__state=Connection.State.ACTIVE
    )
    first = ready.order_by("due_at", "id").values_list("pk", "due_at", "connection__paused_until").first()
    if first is None:
        return None
    push_id, due_at, paused_until = first
    return push_id, max(due_at, paused_until or due_at)


def claim(
    connection: Connection, *, now: datetime, push_id: int | None = None, behind: Claim | None = None
) -> list[Claim]:
    """Takes what goes in one call, this push among it if one is named; empty when there is none, or no lane.

    While all lanes are taken, one that was never attempted may be taken to go `behind` the one that is on its way.
    """
    first = waiting(connection, now)
    if push_id is not None:
        first = first.filter(pk=push_id)
    try:
        with transaction.atomic():
            leader = first.select_for_update(skip_locked=True, of=("self",)).first()
            if leader is None or (behind and leader.attempts.exists()):
                return []
            lane = _free_lane(connection)
            if (behind is None) == (lane is None):
                return []
            known = epoch.remembers(leader.invoice.created_at)
            hand, batch = _hand(leader, now) if known else ([leader], None)
            taken = [_take(push, lane if push is hand[0] else None, batch, n, now) for n, push in enumerate(hand)]
            return taken if known else [replace(claimed, is_remembered=False) for claimed in taken]
    except IntegrityError:  # somebody took the lane between our look and our write
        return []


def _free_lane(connection: Connection) -> int | None:
    """The platform says how many creating calls it wants at once; each is a lane, held by the first push in hand."""
    in_hand = Push.objects.filter(connection=connection, state=Push.State.SENDING)
    taken = set(in_hand.values_list("lane", flat=True))
    lanes = connectors.platform_of(connection).lanes
    return next((lane for lane in range(lanes) if lane not in taken), None)


def _hand(leader: Push, now: datetime) -> tuple[list[Push], PushBatch | None]:
    """The pushes that go together, and the batch they repeat."""
    batch = _lost_batch(leader)
    if batch is None:
        return [leader, *_followers(leader, now)], None
    if batch.attempts.filter(resolved_at=None).exists():  # not every member is proven absent yet
        Push.objects.filter(pk=leader.pk).update(due_at=now + LOOK_GAP)
        return [], None
    members = _members_again(batch)
    return (members, batch) if members and not _is_old(batch, now) else ([leader], None)


def _members_again(batch: PushBatch) -> list[Push]:
    """All its members in their order, if the very same call can be made again; else none."""
    attempts = {attempt.position: attempt for attempt in batch.attempts.order_by("n")}
    in_order = [attempts[position] for position in sorted(attempts)]
    ready = Push.objects.filter(attempts__in=in_order, state=Push.State.READY)
    rows = ready.select_for_update(skip_locked=True, of=("self",))
    members = {push.pk: push for push in rows if _lost_batch(push) == batch}
    again = [documents.to_json(documents.from_json(attempt.document or {})) for attempt in in_order]
    whole = len(members) == len(in_order) and _hash(again) == batch.payload_hash
    return [members[attempt.push_id] for attempt in in_order] if whole else []


def _lost_batch(push: Push) -> PushBatch | None:
    """The batch that its last attempt went with, when no answer ever came and it is proven absent."""
    last = push.attempts.select_related("batch").order_by("-n").first()
    lost = last and last.generation == push.generation and last.outcome == PushAttempt.Outcome.ABSENT
    return last.batch if last and lost else None


def _is_old(batch: PushBatch, now: datetime) -> bool:
    return now - batch.began_at > connectors.platform_of(batch.connection).key_life / 2


def _followers(leader: Push, now: datetime) -> list[Push]:
    """Others that can go in the leader's call, when the leader can share it."""
    more = connectors.platform_of(leader.connection).batch_size - 1
    if not more:
        return []
    able = _able_to_share(leader.connection, now).filter(invoice__kind=leader.invoice.kind)
    if not able.filter(pk=leader.pk).exists():
        return []
    return list(able.exclude(pk=leader.pk).select_for_update(skip_locked=True, of=("self",))[:more])


def _able_to_share(connection: Connection, now: datetime) -> PushQuerySet:
    left_before = PushAttempt.objects.filter(push=OuterRef("pk")).exclude(outcome=PushAttempt.Outcome.NOT_SENT)
    client = Cast(OuterRef("invoice__client__uuid"), CharField())
    linked = RemoteLink.objects.filter(connection=connection, kind=RemoteLink.Kind.CLIENT, local_key=client)
    able = waiting(connection, now).filter(~Exists(left_before), Exists(linked))
    restored = epoch.confirmed()
    return able.filter(invoice__created_at__gt=restored.confirmed_at) if restored else able


def _take(push: Push, lane: int | None, batch: PushBatch | None, position: int, now: datetime) -> Claim:
    push.state, push.lane = Push.State.SENDING, lane
    push.fence, push.lease_until = push.fence + 1, now + LEASE
    push.save(update_fields=["state", "lane", "fence", "lease_until"])
    attempt = PushAttempt.objects.create(
        push=push,
        n=push.attempts.count() + 1,
        generation=push.generation,
        batch=batch,
        position=position,
        key=batch.key if batch else key_for(push.connection.company_id, str(push.invoice.uuid), push.generation),
        started_at=now,
    )
    return Claim(push=push, attempt=attempt, fence=push.fence)


def hold_invoices(hand: Sequence[Claim]) -> None:
    """Locks the invoices of a batch in the order in which whoever takes several does: else each holds up the other."""
    if len(hand) > 1:
        ids = [claimed.push.invoice_id for claimed in hand]
        len(Invoice.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids).order_by("pk"))


def new_batch(hand: Sequence[Claim], sent: Sequence[dict[str, Any]], *, now: datetime) -> PushBatch:
    """Puts on record what goes together, under a key made of its members in their order."""
    connection = hand[0].push.connection
    members = ",".join(f"{one.push.invoice.uuid}:{one.push.generation}" for one in hand)
    key = key_for(connection.company_id, members, len(hand))
    return PushBatch.objects.create(connection=connection, key=key, payload_hash=_hash(sent), began_at=now)


def ours(claimed: Claim) -> Push | None:
    """The push's row, locked; None when somebody has taken it over since. The invoice first, as a click locks them."""
    _hold_invoice(claimed)
    rows = Push.objects.select_related("connection", "invoice").select_for_update(of=("self",))
    return rows.filter(pk=claimed.push.pk, fence=claimed.fence).first()


def _hold_invoice(claimed: Claim) -> None:
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True)
    rows.values_list("pk").get(pk=claimed.push.invoice_id)


def intend(ready: Sequence[Ready], *, lease_until: datetime, now: datetime) -> list[Ready]:
    """Puts on record what is about to be sent, and until when a byte of it may leave; those of it that are still ours.

    A batch that is sent again goes whole or not at all.
    """
    with transaction.atomic():
        hold_invoices([claimed for claimed, _ in ready])
        in_hand = [(claimed, invoice) for claimed, invoice in ready if _is_in_hand(claimed)]
        if len(in_hand) < len(ready):
            log.warning("Overtaken before a byte left.", extra={"push": ready[0][0].push.pk})
            if ready[0][0].attempt.batch:
                return []
        sent = [documents.to_json(invoice) for _, invoice in in_hand]
        batch = ready[0][0].attempt.batch
        if len(in_hand) > 1 and batch is None:
            batch = new_batch([claimed for claimed, _ in in_hand], sent, now=now)
        for (claimed, _), document in zip(in_hand, sent, strict=True):
            _put_on_record(claimed, document, batch, lease_until)
        return in_hand


def _is_in_hand(claimed: Claim) -> bool:
    push = ours(claimed)
    return push is not None and push.state == Push.State.SENDING


def _put_on_record(claimed: Claim, document: dict[str, Any], batch: PushBatch | None, lease_until: datetime) -> None:
    attempt = claimed.attempt
    Push.objects.filter(pk=claimed.push.pk).update(lease_until=lease_until)
    attempt.document, attempt.may_leave_until, attempt.batch = document, lease_until, batch
    if batch:
        attempt.key = batch.key
    attempt.save(update_fields=["document", "may_leave_until", "batch", "key"])


# One statement, as Sage waits while it is done; each part comes after the one above it, the invoice's lock first.
FOLLOW = """
WITH held AS (SELECT id FROM invoices_invoice WHERE id = %(invoice)s FOR NO KEY UPDATE),
freed AS (UPDATE invoices_push push SET lane = NULL FROM held, connectors_connection connection
    WHERE push.id = %(before)s AND push.fence = %(its_fence)s AND push.state = 'SENDING'
    AND connection.id = push.connection_id AND connection.state = 'ACTIVE'
    AND (connection.paused_until IS NULL OR connection.paused_until <= %(now)s) RETURNING push.id),
taken AS (UPDATE invoices_push push SET lane = %(lane)s, lease_until = %(until)s FROM freed
    WHERE push.id = %(push)s AND push.fence = %(fence)s AND push.state = 'SENDING' RETURNING push.id)
UPDATE invoices_pushattempt attempt SET document = %(document)s, may_leave_until = %(until)s FROM taken
WHERE attempt.id = %(attempt)s AND attempt.push_id = taken.id AND attempt.resolved_at IS NULL RETURNING true
"""


def follow(before: Claim, ready: Ready, *, lease_until: datetime, now: datetime) -> bool:
    """Hands the lane on from one whose call is answered to one that was claimed behind it, and puts that on record.

    As `intend` does. False where either is not ours any more, somebody else has the lane, or the platform is to rest.
    """
    claimed, invoice = ready
    push, attempt = claimed.push, claimed.attempt
    push.lane, attempt.document, attempt.may_leave_until = before.push.lane, documents.to_json(invoice), lease_until
    given: dict[str, Any] = {
        "invoice": push.invoice_id,
        "before": before.push.pk,
        "its_fence": before.fence,
        "now": now,
        "lane": push.lane,
        "until": lease_until,
        "push": push.pk,
        "fence": claimed.fence,
        "document": json.dumps(attempt.document),
        "attempt": attempt.pk,
    }
    try:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(FOLLOW, given)
            return cursor.fetchone() is not None
    except IntegrityError:
        return False


def put_back(claimed: Claim) -> None:
    """What was claimed behind another waits again, as if nobody had taken it; not where an intent is on record."""
    with transaction.atomic():
        attempt = PushAttempt.objects.filter(pk=claimed.attempt.pk, document__isnull=True)
        if _is_in_hand(claimed) and attempt.delete()[0]:
            Push.objects.filter(pk=claimed.push.pk).update(state=Push.State.READY, lane=None, lease_until=None)


def _hash(sent: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()


def first_sent(claimed: Claim) -> PushAttempt | None:
    """The first attempt under this key that may have reached the platform: a key goes with one document only."""
    if claimed.attempt.n == 1:
        return None
    attempts = claimed.push.attempts.filter(generation=claimed.attempt.generation, outcome=PushAttempt.Outcome.ABSENT)
    return attempts.first()


def must_look_first(claimed: Claim, now: datetime) -> bool:
    """What was proven absent is looked for once more before it goes again alone.

    Past half the time for which the platform keeps a key; and where another member of its lost batch has been found
    since, as the call came after all, and a key of its own would not keep the two apart.
    """
    earlier = first_sent(claimed)
    if earlier is None:
        return False
    half_life = connectors.platform_of(claimed.push.connection).key_life / 2
    came = earlier.batch is not None and earlier.batch.attempts.filter(outcome=PushAttempt.Outcome.FOUND).exists()
    return came or now - earlier.started_at > half_life
