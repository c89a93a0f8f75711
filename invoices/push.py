"""What a worker does with one push: claim it, deliver it, look where its outcome is unknown, sweep up what was left.

A push is claimed in one short transaction that leaves a lease, a fence and the attempt on record. Then we talk to the
platform with no transaction open. Whatever is written afterwards counts only while the fence is still ours. An attempt
whose answer was lost stays open, and while one is open Postgres lets no second one begin: only a look into the
platform's books closes it. Knows no Celery; `work` and `sweep` can be called from a shell.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors import links
from connectors import services as connectors
from connectors.interface import Connector, Fix, NewInvoice, PlatformError, Problem, Rejected
from connectors.links import key_for
from connectors.models import Connection
from invoices import documents, record
from invoices.models import Push, PushAttempt, RemoteInvoice
from invoices.models.push import PushQuerySet
from invoices.record import Claim

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=40) / settings.CLOCK_DIVISOR  # over the 25 s deadline of a call
DRAIN = 20  # pushes that one task carries before it makes room for others
SWEEP = 50  # hints that one sweep gives
DRAFT_AGE = timedelta(seconds=60) / settings.CLOCK_DIVISOR  # between two looks at a draft in the books


def work(push_id: int) -> int | None:
    """Carries one push as far as it goes now, then others that wait on its connection; the id of one left, if any."""
    connection = Connection.objects.filter(pushes=push_id).first()
    if connection is None:
        return None
    look(push_id, now=timezone.now())
    for only in (push_id, *[None] * DRAIN):
        claimed = claim(connection, now=timezone.now(), push_id=only)
        if claimed is None:
            return None
        deliver(claimed)
    return _waiting(connection, timezone.now()).values_list("pk", flat=True).first()


def _waiting(connection: Connection, now: datetime) -> PushQuerySet:
    return Push.objects.ready(now).filter(connection=connection).order_by("due_at", "id")


def claim(connection: Connection, *, now: datetime, push_id: int | None = None) -> Claim | None:
    """Takes one waiting push, with a lane, a lease and the attempt on record; None when there is none, or no lane."""
    waiting = _waiting(connection, now)
    if push_id is not None:
        waiting = waiting.filter(pk=push_id)
    try:
        with transaction.atomic():
            push = waiting.select_for_update(skip_locked=True, of=("self",)).first()
            lane = _free_lane(connection)
            if push is None or lane is None:
                return None
            push.state, push.lane = Push.State.SENDING, lane
            push.fence, push.lease_until = push.fence + 1, now + LEASE
            push.save()
            return Claim(push=push, attempt=_begin(push, now), fence=push.fence)
    except IntegrityError:  # somebody took the lane between our look and our write
        return None


def _free_lane(connection: Connection) -> int | None:
    """The platform says how many creating calls it wants at once; each is a lane, held by one push in hand."""
    in_hand = Push.objects.filter(connection=connection, state=Push.State.SENDING)
    taken = set(in_hand.values_list("lane", flat=True))
    lanes = connectors.platform_of(connection).lanes
    return next((lane for lane in range(lanes) if lane not in taken), None)


def _begin(push: Push, now: datetime) -> PushAttempt:
    return PushAttempt.objects.create(
        push=push,
        n=push.attempts.count() + 1,
        generation=push.generation,
        key=key_for(push.connection.company_id, push.invoice.uuid, push.generation),
        started_at=now,
    )


def deliver(claimed: Claim) -> None:
    """Talks to the platform with no transaction open, and records what came of it."""
    connection, push_id = claimed.push.connection, str(claimed.push.pk)
    connector = connectors.open_connector(connection, push=push_id, may_leave=lambda: _may_leave(claimed))
    try:
        invoice = _prepare(claimed, connector)
        if _key_is_old(claimed) and (found := connector.find_invoices(invoice)):
            record.found(claimed, invoice, found, now=timezone.now())
        else:
            remote = connector.create_invoice(invoice, claimed.attempt.key)
            record.sent(claimed, remote, now=timezone.now())
    except PlatformError as error:
        record.failed(claimed, error, now=timezone.now())
    except record.Overtaken:
        log.warning("Overtaken before a byte left.", extra={"push": claimed.push.pk})


def _may_leave(claimed: Claim) -> bool:
    """Asked before the first byte: a worker that froze after `intend` wakes up and sends nothing."""
    until = claimed.attempt.may_leave_until
    return until is None or timezone.now() < until


def _prepare(claimed: Claim, connector: Connector) -> NewInvoice:
    """The document to send, on record with a renewed lease before its first byte; Overtaken when no longer ours."""
    earlier = _sent_before_with_this_key(claimed)
    invoice = documents.from_json(earlier.document) if earlier and earlier.document else _compose(claimed, connector)
    record.intend(claimed, documents.to_json(invoice), lease_until=timezone.now() + LEASE)
    return invoice


def _compose(claimed: Claim, connector: Connector) -> NewInvoice:
    """The approved invoice in the platform's terms; clients and items over there are found or created on the way."""
    push, connection = claimed.push, claimed.push.connection
    frozen, options = push.invoice.frozen or {}, connection.options
    local_key, client = documents.frozen_client(frozen)
    rates = {code: link.remote_id for code, link in connectors.tax_links(connection).items()}
    items = documents.frozen_items(frozen).values() if options.create_items else ()
    _must_be_mapped({row["tax_code"] for row in (*frozen["lines"], *items)} - rates.keys())
    if problems := connectors.platform_of(connection).objections(client, set(rates.values())):
        raise Rejected(problems)
    now = timezone.now()
    own_codes = {line["nominal_code"] for line in frozen["lines"] if line.get("nominal_code")}
    codes = documents.Codes(
        client_id=links.ensure(connection, connectors.client_ours(connector, connection, client, local_key), now=now),
        sales_account_id=connection.sales_account_id,
        tax_rate_ids=rates,
        account_ids=connectors.account_ids(connection, own_codes, now=now) if options.codes_per_line else {},
        item_ids={},
    )
    if options.create_items:
        codes = _with_items(codes, claimed, connector, now)
    number, prefix = push.invoice.number or "", push.invoice.number_prefix
    return documents.compose(frozen, number=number, prefix=prefix, codes=codes, options=options)


def _must_be_mapped(missing: set[str]) -> None:
    if missing:
        message = f"No tax rate of Sage's is chosen for: {', '.join(sorted(missing))}."
        raise Rejected((Problem(message=message, meaning=message, fix=Fix.TAX_RATES),))


def _with_items(codes: documents.Codes, claimed: Claim, connector: Connector, now: datetime) -> documents.Codes:
    """The items its lines name, each found or created over there."""
    connection, ids = claimed.push.connection, {}
    for local_key, item in documents.frozen_items(claimed.push.invoice.frozen or {}).items():
        new = documents.new_item(item, codes=codes, purchase_account_id=connection.purchase_account_id)
        ours = connectors.item_ours(connector, connection, new, UUID(local_key))
        ids[local_key] = links.ensure(connection, ours, now=now)
    return replace(codes, item_ids=ids)


def _sent_before_with_this_key(claimed: Claim) -> PushAttempt | None:
    """The first attempt under the key that may have reached the platform: a key is only ever sent with one document."""
    attempts = claimed.push.attempts.filter(generation=claimed.attempt.generation, outcome=PushAttempt.Outcome.ABSENT)
    return attempts.first()


def _key_is_old(claimed: Claim) -> bool:
    """Past half the time for which the platform keeps a key, we look before we rely on it."""
    earlier = _sent_before_with_this_key(claimed)
    half_life = connectors.platform_of(claimed.push.connection).key_life / 2
    return earlier is not None and timezone.now() - earlier.started_at > half_life


def look(push_id: int, *, now: datetime) -> None:
    """Looks into the platform's books for a push of unknown outcome, if it is time to."""
    claimed = _claim_look(push_id, now)
    if claimed is None:
        return
    connector = connectors.open_connector(claimed.push.connection, push=str(push_id))
    try:
        invoice = documents.from_json(claimed.attempt.document or {})
        found = connector.find_invoices(invoice)
    except PlatformError as error:
        record.not_seen(claimed, error, now=timezone.now())
        return
    if found:
        record.found(claimed, invoice, found, now=timezone.now())
    else:
        record.absent(claimed, now=now)


def _claim_look(push_id: int, now: datetime) -> Claim | None:
    """One looker at a time: its time to look is moved on, so that another one comes only if this one dies."""
    with transaction.atomic():
        push = Push.objects.to_look_up(now).filter(pk=push_id).select_for_update(skip_locked=True, of=("self",)).first()
        attempt = push.attempts.filter(resolved_at=None).first() if push else None
        if push is None or attempt is None:
            return None
        push.fence, push.due_at = push.fence + 1, now + LEASE
        push.save(update_fields=["fence", "due_at"])
        return Claim(push=push, attempt=attempt, fence=push.fence)


def read_drafts(*, now: datetime) -> None:
    """Drafts in the platform's books get their number when they are released there: it is fetched from there."""
    waiting = RemoteInvoice.objects.filter(number="", checked_at__lt=now - DRAFT_AGE, push__state=Push.State.SENT)
    alive = waiting.filter(connection__state=Connection.State.ACTIVE).select_related("connection", "invoice")
    for row in alive.order_by("checked_at")[:SWEEP]:
        connector = connectors.open_connector(row.connection)
        try:
            record.number_came(row, connector.read_invoice(row.remote_id), now=now)
        except PlatformError as error:
            log.warning("Could not read draft %s: %s", row.remote_id, error.message)
            RemoteInvoice.objects.filter(pk=row.pk).update(checked_at=now)


def sweep(*, now: datetime) -> list[int]:
    """Takes what dead workers left, and names the pushes that are due: whatever a lost message forgot."""
    for push_id in Push.objects.abandoned(now).values_list("pk", flat=True)[:SWEEP]:
        record.abandoned(push_id, now=now)
    due = [*Push.objects.to_look_up(now).order_by("due_at")[:SWEEP]]
    first_waiting = Push.objects.ready(now).order_by("connection", "due_at", "id").distinct("connection")
    return [push.pk for push in [*due, *first_waiting]]
