"""A look into the platform's books for a push of unknown outcome: by its reference, then among all that changed since.

The second way does not go by the reference: it catches what somebody gave another reference meanwhile, and a search
that lags behind the books. What is found under our reference is linked. What only looks the same is for a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors import services as connectors
from connectors.interface import BookedInvoice, Connector, NewInvoice, PlatformError
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from connectors.watermark import cursor_from
from invoices import documents, record
from invoices.claims import LEASE, Claim
from invoices.models import Invoice, Push, RemoteInvoice

CONFLICT = 409
CLOCKS_APART = timedelta(minutes=10)  # ours and the platform's, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen: under our reference; the same but for its reference; of our number though not our invoice."""

    found: tuple[Remote, ...] = ()
    twins: tuple[Remote, ...] = ()
    holders: tuple[Remote, ...] = ()


def look(push_id: int, *, now: datetime) -> None:
    """Looks, if it is time to, and records what was seen."""
    claimed = claim(push_id, now)
    if claimed is None:
        return
    connector = connectors.open_connector(claimed.push.connection, push=str(push_id), kind=claimed.push.invoice.kind)
    try:
        invoice = documents.from_json(claimed.attempt.document or {})
        seen = sight(claimed, invoice, connector, since=claimed.attempt.started_at)
    except PlatformError as error:
        record.not_seen(claimed, error, now=timezone.now())
        return
    if not settle(claimed, invoice, seen):
        record.absent(claimed, now=now)


def settle(claimed: Claim, invoice: NewInvoice, seen: Sighting) -> bool:
    """Records what was seen; False where nothing was."""
    if seen.found:
        record.found(claimed, invoice, seen.found, now=timezone.now())
    elif seen.twins:
        record.looks_the_same(claimed, invoice, seen.twins[0], now=timezone.now())
    elif seen.holders:
        record.number_is_taken(claimed, now=timezone.now())
    return bool(seen.found or seen.twins or seen.holders)


def sight(claimed: Claim, invoice: NewInvoice, connector: Connector, *, since: datetime) -> Sighting:
    """Both ways of looking, the second among what changed since. Raises PlatformError: then nothing is known."""
    if found := connector.find_invoices(invoice):
        return Sighting(found=found)
    changed = changed_since(connector, since - CLOCKS_APART)
    alike = [one for one in changed if _may_be_ours(claimed.push.connection, invoice, one, since)]
    if found := tuple(one.invoice for one in alike if one.invoice.reference == invoice.reference):
        return Sighting(found=found)
    return Sighting(
        twins=tuple(one.invoice for one in alike), holders=_holders_of_its_number(claimed, invoice, connector)
    )


def changed_since(connector: Connector, since: datetime) -> Iterator[BookedInvoice]:
    """All that was raised or changed since; one may come twice."""
    cursor, is_last = cursor_from(since), False
    while not is_last:
        page = connector.changed_invoices(cursor, None)
        yield from page.invoices
        cursor, is_last = page.cursor, page.is_last


def _may_be_ours(connection: Connection, ours: NewInvoice, theirs: BookedInvoice, since: datetime) -> bool:
    """Our reference; or the same in all but that, while neither its token nor its reference is another of ours.

    What was imported since is no other one for sure: ours may have been renamed over there and read in before the look.
    """
    if theirs.invoice.reference == ours.reference:
        return True
    if _fingerprint_of(theirs) != _fingerprint(ours):
        return False
    known = Q(invoice__origin=Invoice.Origin.OWN) | Q(linked_at__lt=since)
    linked = RemoteInvoice.objects.filter(known, connection=connection, remote_id=theirs.invoice.id)
    another = Invoice.objects.filter(number__iexact=theirs.invoice.reference)
    return not (linked.exists() or another.exists())


def _fingerprint(invoice: NewInvoice) -> tuple[object, ...]:
    """Client, date, currency, total and the nets of the lines: what nobody changes in the minutes before a look."""
    nets = sorted(line.net for line in invoice.lines)
    return invoice.client_id, invoice.issue_date, invoice.currency, invoice.total, nets


def _fingerprint_of(booked: BookedInvoice) -> tuple[object, ...]:
    nets = sorted(line.net for line in booked.lines)
    return booked.invoice.client_id, booked.invoice.issue_date, booked.currency, booked.invoice.total, nets


def _holders_of_its_number(claimed: Claim, invoice: NewInvoice, connector: Connector) -> tuple[Remote, ...]:
    """A conflict is over a key or over our number, and may not say which: who has the number tells."""
    if claimed.attempt.http_status != CONFLICT or not invoice.number:
        return ()
    return connector.find_number(invoice.reference, invoice.client_id)


def claim(push_id: int, now: datetime) -> Claim | None:
    """One looker at a time: its time to look is moved on, so that another one comes only if this one dies."""
    with transaction.atomic():
        push = Push.objects.to_look_up(now).filter(pk=push_id).select_for_update(skip_locked=True, of=("self",)).first()
        attempt = push.attempts.filter(resolved_at=None).first() if push else None
        if push is None or attempt is None:
            return None
        push.fence, push.due_at = push.fence + 1, now + LEASE
        push.save(update_fields=["fence", "due_at"])
        return Claim(push=push, attempt=attempt, fence=push.fence)
