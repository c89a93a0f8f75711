"""What a worker does with a file that was brought: check it, then write all of it or nothing.

Both go by the same check, the second time just before it is written, so that a world that has changed in between is
seen; what changes after that meets a constraint. Numbers are kept before the one transaction that writes, as whoever
creates an invoice beside would wait for all of it otherwise. Nothing here is called from a page.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.formats import date_format

from incrementors.services import NumberRefused
from invoices import csv_reading, import_columns
from invoices.csv_reading import Table, Unreadable
from invoices.drafts import InvoiceDraft, create_invoices, keep_numbers
from invoices.import_invoices import check_invoices
from invoices.import_registers import check_clients, check_items
from invoices.import_rows import Findings, New, Said, Sheet
from invoices.models import Client, Import, ImportedRow, Item
from invoices.models.importing import MOST_ROWS
from invoices.writing import CHUNK

log = logging.getLogger(__name__)
LEASE, WRITING = timedelta(minutes=1), timedelta(minutes=5)
KEPT_FOR = timedelta(days=30)
MOST_KEPT = 20  # files whose bytes are kept
MOST_TRIES = 5
EVERY = 500  # rows from one word of progress to the next
NAMED = 5000  # errors and notices that are kept of a file
EXAMPLES = 5
OF_IMPORTS = UUID("6f6b1d8e-52a4-4f0f-9c57-0c1c4f9d2a11")  # what the ids of imported invoices are made with
ONE_AT_A_TIME = 7_304_811  # the key of the lock that two imports wait for each other with
CHECKS: dict[str, Callable[[Sheet], Findings]] = {
    Import.Kind.CLIENTS: check_clients,
    Import.Kind.ITEMS: check_items,
    Import.Kind.INVOICES: check_invoices,
}


class Overtaken(Exception):
    """Another worker took it over meanwhile: what this one did is not to stay."""


def due(*, now: datetime) -> list[int]:
    return list(Import.objects.due(now).order_by("pk").values_list("pk", flat=True))


def forget_old(*, now: datetime) -> int:
    """Empties the files that nobody came back to, and of many the oldest; how many."""
    kept = Import.objects.filter(state=Import.State.CHECKED)
    newest = list(kept.filter(uploaded_at__gte=now - KEPT_FOR).order_by("-pk").values_list("pk", flat=True)[:MOST_KEPT])
    why = "Nobody came back to it, so the file is no longer kept. Upload it again."
    return kept.exclude(pk__in=newest).update(content=b"", state=Import.State.FAILED, trouble=why)


def work(import_id: int, *, now: datetime | None = None) -> None:
    """Goes on with it, where nobody else is at it."""
    job = _claimed(import_id, now or timezone.now())
    if job is None:
        return
    try:
        if job.tries > MOST_TRIES:
            _give_up(job, "Reflow could not read it. Contact support, with the file.")
        elif job.state == Import.State.IMPORTING:
            _write(job)
        else:
            _record(job, *_checked(job))
    except Unreadable as unreadable:
        _give_up(job, str(unreadable))
    except IntegrityError:
        log.warning("Import %s met something that came at the same moment; it is checked again.", import_id)
        Import.objects.filter(pk=job.pk, fence=job.fence).update(lease_until=None)
    except Overtaken:
        log.warning("Import %s was taken over by another worker.", import_id)


def _claimed(import_id: int, now: datetime) -> Import | None:
    free = Import.objects.due(now).filter(pk=import_id)
    taken = free.update(lease_until=now + LEASE, fence=F("fence") + 1, tries=F("tries") + 1, progress=0)
    return Import.objects.get(pk=import_id) if taken else None


def _give_up(job: Import, trouble: str) -> None:
    values = {"confirmed_at": None, "confirmed_by": None, "content": b""}
    _end(job, Import.State.FAILED, trouble=trouble[:500], **values)


def _end(job: Import, state: str, **values: Any) -> int:
    """Writes what came of it, where nobody has taken it over; how many rows that were, 0 or 1."""
    mine = Import.objects.filter(pk=job.pk, fence=job.fence, state=job.state)
    return mine.update(state=state, lease_until=None, progress=0, **values)


# Checking ----------------------------------------------------------------------------------------------------
def _checked(job: Import) -> tuple[Table, list[str], Findings | None]:
    """The file, what its columns are read into, and what was found; None where the columns don't do."""
    table = csv_reading.read(bytes(job.content), most_rows=MOST_ROWS)
    chosen = [field for *_, field in job.columns]
    fields = chosen if len(chosen) == len(table.heading) else import_columns.matched(table.heading, job.kind)
    if import_columns.wrong_with(fields, job.kind):
        return table, fields, None
    sheet = Sheet(table=table, kind=job.kind, fields=fields, tick=_progress(job, len(table.rows)))
    return table, fields, CHECKS[job.kind](sheet)


def _record(job: Import, table: Table, fields: list[str], findings: Findings | None) -> None:
    """What the check found, for the page; nothing else is written."""
    firsts = table.rows[0][1] if table.rows else [""] * len(fields)
    columns = [[_kept(cell) for cell in column] for column in zip(table.heading, firsts, fields, strict=True)]
    values: dict[str, Any] = {"columns": columns, "read_as": table.read_as, "rows": len(table.rows), "tries": 0}
    if findings is None:
        wrong = import_columns.wrong_with(fields, job.kind)
        _end(job, Import.State.CHECKED, trouble=wrong, found={}, to_create=0, already_here=0, bad_rows=0, **values)
        return
    said = sorted(findings.said, key=lambda one: one.row)
    found = {
        "errors": [_row(one) for one in said if one.is_error][:NAMED],
        "notices": [_row(one) for one in said if not one.is_error][:NAMED],
        "examples": [_example(new) for new in findings.new[:EXAMPLES]],
        "lines": sum(len(new.rows) for new in findings.new),
    }
    _end(
        job,
        Import.State.CHECKED,
        found=found,
        trouble="",
        to_create=len(findings.new),
        already_here=findings.already_here,
        bad_rows=len({one.row for one in findings.errors}),
        **values,
    )


def _row(said: Said) -> list[Any]:
    return [said.row, _kept(said.column), _kept(said.message)]


def _kept(text: str) -> str:
    """As Postgres can keep it: it takes no NUL."""
    return text.replace("\x00", "␀")[:300]


def _example(new: New) -> list[str]:
    """What will be there, in the words of a person."""
    thing = new.thing
    if isinstance(thing, Client):
        place = ", ".join(part for part in (thing.address_line_1, thing.city, thing.postal_code, thing.country) if part)
        return [str(thing), place, thing.email]
    if isinstance(thing, Item):
        return [str(thing), f"{thing.unit_price:,.2f}", str(thing.tax_rate)]
    dates = f"{date_format(thing.issue_date, 'j F Y')}, due {date_format(thing.due_date, 'j F Y')}"
    count = len(thing.lines)
    return [f"{new.key} for {thing.client}", dates, f"{count} line{'' if count == 1 else 's'}"]


def _progress(job: Import, total: int) -> Callable[[int], None]:
    """Tells the page how far it is, and that its worker lives."""

    def tick(done: int) -> None:
        if done % EVERY == 0:
            _tell(job, 100 * done // total, LEASE)

    return tick


def _tell(job: Import, percent: int, lease: timedelta) -> None:
    """Over a connection of its own: what the import itself writes is seen by nobody before it is whole."""
    beside = connection.copy()
    try:
        with beside.cursor() as cursor:
            cursor.execute(
                "UPDATE invoices_import SET progress = %s, lease_until = %s WHERE id = %s AND fence = %s",
                [percent, timezone.now() + lease, job.pk, job.fence],
            )
    except OperationalError:
        log.warning("The progress of import %s could not be told.", job.pk)
    finally:
        beside.close()


# Writing -----------------------------------------------------------------------------------------------------
def _write(job: Import) -> None:
    """All of it or nothing: a fault anywhere takes all of it back, but for numbers, which are kept for the next try."""
    with _alone():
        table, fields, findings = _checked(job)
        if findings is None or findings.errors:
            _record(job, table, fields, findings)
            return
        _tell(job, 100, WRITING)
        try:
            if job.kind == Import.Kind.INVOICES:
                reason = f"Kept for {job.file_name}, and not used."
                keep_numbers(holders=_holders(job, findings.new), reason=reason, now=timezone.now())
        except NumberRefused as refused:
            _end(job, Import.State.CHECKED, trouble=str(refused)[:500], tries=0)
            return
        with transaction.atomic():
            _create(job, findings.new)
            count = {"to_create": len(findings.new), "already_here": findings.already_here}
            if not _end(job, Import.State.DONE, content=b"", ended_at=timezone.now(), trouble="", **count):
                raise Overtaken


@contextmanager
def _alone() -> Iterator[None]:
    """Imports wait for each other, so that the next one sees what this one has made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def _holders(job: Import, new: list[New]) -> list[UUID]:
    """The ids of the invoices, the same at each try, so that a number kept for one is the one that it gets."""
    whose = f"{job.pk} of {job.uploaded_at.isoformat()}"  # a restored copy counts its imports anew
    return [uuid5(OF_IMPORTS, f"{whose}: {one.key}") for one in new]


def _create(job: Import, new: list[New]) -> None:
    rows = [ImportedRow(brought_by=job, kind=job.kind, key=one.key, digest=one.digest) for one in new]
    things: list[Any] = [one.thing for one in new]
    if job.kind == Import.Kind.CLIENTS:
        Client.objects.bulk_create(things, batch_size=CHUNK)
    elif job.kind == Import.Kind.ITEMS:
        Item.objects.bulk_create(things, batch_size=CHUNK)
    else:
        things = _invoices(job, new)
    name = {Import.Kind.CLIENTS: "client", Import.Kind.ITEMS: "item"}.get(Import.Kind(job.kind), "invoice")
    for row, thing in zip(rows, things, strict=True):
        setattr(row, name, thing)
    ImportedRow.objects.bulk_create(rows, batch_size=CHUNK)


def _invoices(job: Import, new: list[New]) -> list[Any]:
    drafts = [one.thing for one in new if isinstance(one.thing, InvoiceDraft)]
    notes = [f"Created from {job.file_name}, where it is {one.key}." for one in new]
    if job.confirmed_by is None or job.confirmed_at is None:
        raise Overtaken
    kept = _holders(job, new)
    return create_invoices(drafts=drafts, notes=notes, actor=job.confirmed_by, now=job.confirmed_at, kept=kept)
