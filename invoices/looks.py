"""A look into the platform's books for a push of unknown outcome: by its reference, then among all that changed since.

The second way does not go by the reference: it catches what somebody gave another reference meanwhile, and a search
that lags behind the books. What is found under our reference is linked. What only looks the same is for a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors import services as connectors
from connectors.interface import BookedInvoice, Connector, NewInvoice, PlatformError
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from connectors.watermark import cursor_from
from invoices import documents, record
from invoices.claims import LEASE, Claim, patience
from invoices.models import Invoice, Push, PushAttempt, RemoteInvoice

CONFLICT = 409
CLOCKS_APART = timedelta(minutes=10) / settings.CLOCK_DIVISOR  # ours and the platform's, at most
TOGETHER = 10  # pushes that one look is for, at most: the list of changes is read once for all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What a look is for: what left of it, and when that began, or when a database that may forget it was copied."""

    claimed: Claim
    invoice: NewInvoice
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen: under our reference; the same but for its reference; of our number though not our invoice."""

    found: tuple[Remote, ...] = ()
    twins: tuple[Remote, ...] = ()
    holders: tuple[Remote, ...] = ()


def look(push_id: int, *, now: datetime) -> None:
    """Looks, if it is time to, for this push and for others of its connection that are due; records what was seen."""
    left = {claimed.push.pk: _sought(claimed) for claimed in claim(push_id, now)}
    if not left:
        return
    push = left[push_id].claimed.push
    connector = connectors.open_connector(push.connection, push=str(push_id), kind=push.invoice.kind)
    try:
        for one, seen in sight([*left.values()], connector):
            del left[one.claimed.push.pk]
            if not settle(one.claimed, one.invoice, seen):
                record.absent(one.claimed, now=now)
    except PlatformError as error:
        for one in left.values():
            record.not_seen(one.claimed, error, now=timezone.now())


def _sought(claimed: Claim) -> Sought:
    invoice = documents.from_json(claimed.attempt.document or {})
    return Sought(claimed=claimed, invoice=invoice, since=claimed.attempt.started_at)


def settle(claimed: Claim, invoice: NewInvoice, seen: Sighting) -> bool:
    """Records what was seen; False where nothing was."""
    if seen.found:
        record.found(claimed, invoice, seen.found, now=timezone.now())
    elif seen.twins:
        record.looks_the_same(claimed, invoice, seen.twins[0], now=timezone.now())
    elif seen.holders:
        record.number_is_taken(claimed, now=timezone.now())
    return bool(seen.found or seen.twins or seen.holders)


def sight(sought: Sequence[Sought], connector: Connector) -> Iterator[tuple[Sought, Sighting]]:
    """Both ways of looking, for pushes of one connection; the second goes through what changed once for all of them.

    Raises PlatformError: then nothing is known of what has not come yet.
    """
    rest = []
    for one in sought:
        if found := connector.find_invoices(one.invoice):
            yield one, Sighting(found=found)
        else:
            rest.append(one)
    for one, alike in zip(rest, _among_changes(rest, connector), strict=True):
        found = tuple(remote for remote in alike if remote.reference == one.invoice.reference)
        holders = () if found else _holders_of_its_number(one.claimed, one.invoice, connector)
        yield one, Sighting(found=found, twins=() if found else alike, holders=holders)


def _among_changes(sought: Sequence[Sought], connector: Connector) -> list[tuple[Remote, ...]]:
    """For each, what changed since it began and may be it."""
    alike: list[list[Remote]] = [[] for _ in sought]
    if not sought:
        return []
    for booked in changed_since(connector, min(one.since for one in sought) - CLOCKS_APART):
        for n, one in enumerate(sought):
            if _may_be_ours(one.claimed.push.connection, one.invoice, booked, one.since):
                alike[n].append(booked.invoice)
    return [tuple(each) for each in alike]


def all_that_may_be(attempt: PushAttempt, invoice: NewInvoice, connector: Connector) -> tuple[Remote, ...]:
    """Both ways of looking, for a person: what carries our reference and what is the same in all else, each once."""
    since, connection = attempt.started_at, attempt.push.connection
    changed = changed_since(connector, since - CLOCKS_APART)
    alike = [one.invoice for one in changed if _may_be_ours(connection, invoice, one, since)]
    return tuple({one.id: one for one in (*connector.find_invoices(invoice), *alike)}.values())


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
    if theirs.changed_at < since - CLOCKS_APART:
        return False
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


def claim(push_id: int, now: datetime) -> list[Claim]:
    """One looker at a time: the time to look is moved on, so that another one comes only if this one dies.

    This push and others of its kind that are due with it; none where this one is not.
    """
    due = Push.objects.to_look_up(now).select_related("connection", "invoice").order_by("due_at", "pk")
    with transaction.atomic():
        named = due.filter(pk=push_id).select_for_update(skip_locked=True, of=("self",)).first()
        if named is None:
            return []
        others = due.filter(connection=named.connection, invoice__kind=named.invoice.kind).exclude(pk=push_id)
        hand = [named, *others.select_for_update(skip_locked=True, of=("self",))[: TOGETHER - 1]]
        due_at = now + LEASE * patience(len(hand))
        return [taken for push in hand if (taken := _take(push, due_at))]


def _take(push: Push, due_at: datetime) -> Claim | None:
    attempt = push.attempts.filter(resolved_at=None).first()
    if attempt is None:
        return None
    push.fence, push.due_at = push.fence + 1, due_at
    push.save(update_fields=["fence", "due_at"])
    return Claim(push=push, attempt=attempt, fence=push.fence)
