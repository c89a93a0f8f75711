"""What a worker does with what changed over there: read it page by page, keep each page with its cursor, look again.

One reads at a time: the row of the connection's pull carries a lease and a fence, as a push does. We talk to the
platform with no transaction open; the page, its numbers and the cursor are then kept in one, while the fence is still
ours. Whoever dies in between leaves the cursor where the last page was kept, and the next one goes on from there.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from connectors import services as connectors
from connectors.interface import Changes, Connector, DocumentKind, PlatformError, Reconnect, TryLater
from connectors.models import Connection
from incrementors.services import NumberRefused
from invoices import intake
from invoices.intake import Brought
from invoices.models import Invoice, Pull
from invoices.models import RemoteInvoice as Row

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120) / settings.CLOCK_DIVISOR  # over the few calls that one page takes
PAGES = 20  # that one task reads before it makes room for others
OPEN_AGE = timedelta(hours=1) / settings.CLOCK_DIVISOR  # after which an open invoice is read again
OPEN_PAGE = 2000
COMPARE_EVERY = timedelta(days=1) / settings.CLOCK_DIVISOR
COMPARE_PAGE = 2000
TROUBLE_WAIT = timedelta(seconds=60) / settings.CLOCK_DIVISOR
CURSORS = {DocumentKind.INVOICE: "cursor", DocumentKind.CREDIT_NOTE: "credit_cursor"}  # of a pull, by kind
OPEN = [Invoice.Status.SENT, Invoice.Status.PART_PAID]


class Overtaken(Exception):
    """The lease ran out and somebody else reads now: stop, and keep nothing."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """A reading in hand: ours as long as the row still carries this fence."""

    connection: Connection
    fence: int

    @property
    def kinds(self) -> list[DocumentKind]:
        """What is read, each kind from a list of its own: the invoices first."""
        kinds = connectors.platform_of(self.connection).kinds
        return [kind for kind in CURSORS if kind in kinds]

    def connector(self, kind: DocumentKind) -> Connector:
        return connectors.open_connector(self.connection, kind=kind)


def due(*, now: datetime) -> list[UUID]:
    """The connections whose books are to be read now, and which nobody reads."""
    _begin_new(now)
    rows = _free(now)
    return [pull.connection_id for pull in rows.select_related("connection") if _wanted(pull.connection)]


def _free(now: datetime) -> QuerySet[Pull]:
    """Due, in nobody's hand, and over a connection that Sage does not want left alone."""
    unread = Q(lease_until=None) | Q(lease_until__lt=now)
    calm = Q(connection__paused_until=None) | Q(connection__paused_until__lte=now)
    return Pull.objects.filter(unread, calm, due_at__lte=now, connection__state=Connection.State.ACTIVE)


def _begin_new(now: datetime) -> None:
    """A connection that is set up is read from then on."""
    fresh = Connection.objects.filter(state=Connection.State.ACTIVE, pull=None).exclude(sales_account_id="")
    for connection in fresh:
        Pull.objects.get_or_create(connection=connection, defaults={"due_at": now})


def _wanted(connection: Connection) -> bool:
    return connection.options.imports or connection.options.reads_back


def request(connection: Connection, *, now: datetime) -> None:
    """Sync now: the next reading begins at once, or the one under way goes on."""
    Pull.objects.get_or_create(connection=connection, defaults={"due_at": now})
    Pull.objects.filter(connection=connection).update(due_at=now, is_stopping=False)


def stop(connection: Connection) -> None:
    """The reading under way ends after its page; what it kept stays, and the next one goes on from there."""
    Pull.objects.filter(connection=connection, ended_at=None).update(is_stopping=True)


def restart(connection: Connection, *, now: datetime) -> None:
    """Reads the books from their beginning again, as when more is wanted from them than before; nothing comes twice."""
    Pull.objects.filter(connection=connection).update(
        cursor="", credit_cursor="", due_at=now, lease_until=None, fence=F("fence") + 1, began_at=None, ended_at=None
    )


def read(connection_id: UUID, *, now: datetime) -> bool:
    """Reads for a while; True when there is more to be read at once."""
    reading = _claim(connection_id, now)
    if reading is None:
        return False
    try:
        if not _read_pages(reading):
            return _pause(reading)
        _look_again(reading)
        _end(reading)
    except PlatformError as error:
        _put_off(reading, error)
    except NumberRefused as refused:
        _put_off(reading, TryLater(str(refused)))
    except Overtaken:
        log.warning("Another worker reads by now.")
    return False


def _claim(connection_id: UUID, now: datetime) -> Reading | None:
    """Takes the lease where it is free. A reading that was left unfinished goes on, with what it has counted."""
    rows = _free(now).filter(pk=connection_id)
    with transaction.atomic():
        pull = rows.select_for_update(of=("self",), skip_locked=True).select_related("connection").first()
        if pull is None or not _wanted(pull.connection):
            return None
        if pull.began_at is None or pull.ended_at is not None:
            pull.began_at, pull.ended_at = now, None
            pull.seen = pull.imported = pull.updated = pull.left = 0
        pull.fence, pull.lease_until, pull.trouble = pull.fence + 1, now + LEASE, ""
        pull.save()
    return Reading(connection=pull.connection, fence=pull.fence)


def _ours(reading: Reading) -> Pull:
    """The row, locked. Raises Overtaken when it is not ours any more."""
    pull = Pull.objects.select_for_update().filter(pk=reading.connection.pk, fence=reading.fence).first()
    if pull is None or pull.lease_until is None:
        raise Overtaken
    return pull


def _read_pages(reading: Reading) -> bool:
    """All kinds to their end, or until a person stops it; False where there is more than one task reads."""
    left = PAGES
    for kind in reading.kinds:
        is_read = False
        while left and not is_read:
            is_read, left = _read_page(reading, kind), left - 1
        if not is_read:
            return False
    return True


def _read_page(reading: Reading, kind: DocumentKind) -> bool:
    """One page, kept with its cursor; True after the last one, or where a person stops it."""
    since = _since(reading.connection, kind)
    if since is None and not reading.connection.options.imports:
        return True
    cursor = Pull.objects.values_list(CURSORS[kind], flat=True).get(pk=reading.connection.pk)
    changes = reading.connector(kind).changed_invoices(cursor, since)
    return _keep(reading, kind, changes, now=timezone.now())


def _since(connection: Connection, kind: DocumentKind) -> date | None:
    """From which date on documents matter: where none are imported, from the first of our own that is there."""
    if connection.options.imports:
        return connection.options.sync_from
    ours = Row.objects.filter(connection=connection, invoice__kind=kind)
    first: date | None = ours.aggregate(first=Min("invoice__issue_date"))["first"]
    return first


def _keep(reading: Reading, kind: DocumentKind, changes: Changes, *, now: datetime) -> bool:
    with transaction.atomic():
        pull = _ours(reading)
        brought = intake.take(reading.connection, changes.invoices, now=now, kind=kind)
        setattr(pull, CURSORS[kind], changes.cursor)
        pull.lease_until = now + LEASE
        pull.left = 0 if changes.is_last else changes.left  # what joined meanwhile is for the next reading
        pull.seen += len(changes.invoices)
        _count(pull, brought)
        pull.save()
    return changes.is_last or pull.is_stopping


def _count(pull: Pull, brought: Brought) -> None:
    pull.imported += brought.imported
    pull.updated += brought.updated


def _look_again(reading: Reading) -> None:
    """Open invoices are read again, as a payment may not count as a change; and once a day, what was deleted."""
    if not reading.connection.options.reads_back:
        return
    now = timezone.now()
    rows = Row.objects.filter(connection=reading.connection, gone_at=None).select_related("invoice").order_by("pk")
    still_open = rows.filter(Q(checked_at=None) | Q(checked_at__lt=now - OPEN_AGE), invoice__status__in=OPEN)
    for kind in reading.kinds:
        for page in _pages(still_open.filter(invoice__kind=kind), OPEN_PAGE):
            found = reading.connector(kind).read_invoices([row.remote_id for row in page])
            with transaction.atomic():
                _renewed(reading, updated=intake.refresh(page, found, now=timezone.now()))
    if _is_due(reading, now):
        _compare(reading, rows, now)


def _is_due(reading: Reading, now: datetime) -> bool:
    compared_at = Pull.objects.values_list("compared_at", flat=True).get(pk=reading.connection.pk)
    return compared_at is None or now - compared_at >= COMPARE_EVERY


def _compare(reading: Reading, rows: Any, now: datetime) -> None:
    """Deletions show nowhere among the changes: what we know is compared with what is still there."""
    pull = Pull.objects.get(pk=reading.connection.pk)
    since = pull.compared_at or reading.connection.authorised_at
    alive = rows.exclude(invoice__status=Invoice.Status.VOID)
    for kind in reading.kinds:
        for page in _pages(alive.filter(invoice__kind=kind), COMPARE_PAGE):
            gone = reading.connector(kind).gone([row.remote_id for row in page], since)
            missing = [row for row in page if row.remote_id in gone]
            with transaction.atomic():
                _renewed(reading, updated=intake.mark_gone(missing, now=timezone.now()))
    Pull.objects.filter(pk=pull.pk, fence=reading.fence).update(compared_at=now)


def _pages(rows: Any, size: int) -> Iterator[Sequence[Row]]:
    """The rows in pages by their key, so that none is loaded twice though they change meanwhile."""
    last = 0
    while page := list(rows.filter(pk__gt=last)[:size]):
        yield page
        last = page[-1].pk


def _renewed(reading: Reading, *, updated: int) -> None:
    pull = _ours(reading)
    pull.updated, pull.lease_until = pull.updated + updated, timezone.now() + LEASE
    pull.save(update_fields=["updated", "lease_until"])


def _end(reading: Reading) -> None:
    now = timezone.now()
    Pull.objects.filter(pk=reading.connection.pk, fence=reading.fence).update(
        lease_until=None, ended_at=now, due_at=now + reading.connection.options.sync_every, is_stopping=False
    )


def _pause(reading: Reading) -> bool:
    """Lets go of the lease for whoever takes it next; the reading is not ended."""
    mine = Pull.objects.filter(pk=reading.connection.pk, fence=reading.fence)
    return bool(mine.update(lease_until=None, due_at=timezone.now(), fence=F("fence") + 1))


def _put_off(reading: Reading, error: PlatformError) -> None:
    """What could not be read now is read later, from where we are."""
    log.warning("Could not read the books: %s", error.message)
    after = timedelta(seconds=error.after or 0) / settings.CLOCK_DIVISOR if isinstance(error, TryLater) else None
    wait = max(after or TROUBLE_WAIT, TROUBLE_WAIT)
    Pull.objects.filter(pk=reading.connection.pk, fence=reading.fence).update(
        lease_until=None, due_at=timezone.now() + wait, trouble=error.message[:300]
    )
    if after:  # Sage named a time: what is sent waits for it too
        connectors.pause(reading.connection, until=timezone.now() + after)
    if isinstance(error, Reconnect):
        connectors.needs_reconnect(reading.connection)
