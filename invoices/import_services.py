"""What a person can do with a file: bring it, say what its columns are, have it imported, and undo that."""

import csv
import hashlib
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.text import get_valid_filename

from connectors.models import Creation, RemoteLink
from invoices import csv_reading, importing, tasks
from invoices.drafts import Refused, discard_all
from invoices.export import Line, safe
from invoices.models import Client, Import, ImportedRow, Item
from invoices.models.importing import LARGEST_FILE, MOST_ROWS


def upload(*, kind: str, name: str, content: bytes, actor: User, now: datetime) -> Import:
    """Keeps the file; a worker checks it, and nothing is imported before somebody says so."""
    must_fit(len(content))
    with transaction.atomic():
        job = Import.objects.create(
            kind=kind,
            file_name=name.replace("\x00", "")[-200:] or "file.csv",
            digest=hashlib.sha256(content).hexdigest(),
            size=len(content),
            content=content,
            uploaded_at=now,
            uploaded_by=actor,
        )
        importing.forget_old(now=now)
        _hint(job)
    return job


def must_fit(size: int) -> None:
    """Raises Refused."""
    if not size:
        raise Refused("The file is empty.")
    if size > LARGEST_FILE:
        raise Refused("The file is larger than 20 MB. Split it into several files.")


def choose_columns(*, import_id: int, fields: list[str], now: datetime) -> Import:
    """The file is checked again with its columns read so."""
    with transaction.atomic():
        job = _locked(import_id)
        if job.state != Import.State.CHECKED or len(fields) != len(job.columns):
            raise Refused("Its columns can't be changed any more. Upload the file again.")
        job.columns = [[heading, first, field] for (heading, first, _), field in zip(job.columns, fields, strict=True)]
        job.state, job.tries = Import.State.CHECKING, 0
        job.save(update_fields=["columns", "state", "tries"])
        _hint(job)
    return job


def confirm(*, import_id: int, actor: User, now: datetime) -> Import:
    """Has it imported; pressed twice it is one import."""
    with transaction.atomic():
        job = _locked(import_id)
        if job.state in (Import.State.IMPORTING, Import.State.DONE):
            return job
        if not job.may_confirm:
            raise Refused("There is nothing in it that can be imported as it stands.")
        job.state, job.tries = Import.State.IMPORTING, 0
        job.confirmed_at, job.confirmed_by = now, actor
        job.save(update_fields=["state", "tries", "confirmed_at", "confirmed_by"])
        _hint(job)
    return job


def undo(*, import_id: int, actor: User, now: datetime) -> Import:
    """Takes back all that it made, while none of that is in use. Drafts are discarded, each with its number."""
    with transaction.atomic():
        job = _locked(import_id)
        if job.state != Import.State.DONE:
            raise Refused("Only what was imported can be undone.")
        made = ImportedRow.objects.filter(brought_by=job)
        ids = list(made.values_list("client", "item", "invoice"))
        made.delete()
        reason = f"The import of {job.file_name} was undone."[:200]
        discard_all([invoice for *_, invoice in ids if invoice], reason=reason, actor=actor, now=now)
        _remove([pk for pk, *_ in ids if pk], [pk for _, pk, _ in ids if pk])
        job.state, job.undone_at, job.undone_by = Import.State.UNDONE, now, actor
        job.save(update_fields=["state", "undone_at", "undone_by"])
    return job


def _remove(clients: list[int], items: list[int]) -> None:
    for rows in (Client.objects.filter(pk__in=clients), Item.objects.filter(pk__in=items)):
        keys = [str(key) for key in rows.values_list("uuid", flat=True)]
        linked = RemoteLink.objects.filter(local_key__in=keys).exists()
        if linked or Creation.objects.filter(local_key__in=keys).exists():
            raise Refused("Nothing was undone: some of them are linked with Sage already. Archive those not wanted.")
        try:
            rows.delete()
        except ProtectedError:
            raise Refused("Nothing was undone: some of them are in use already. Archive those not wanted.") from None


def bad_rows(job: Import) -> str:
    """The rows with errors as a file to be mended and brought again, each with what is wrong."""
    table = csv_reading.read(bytes(job.content), most_rows=MOST_ROWS)
    wrong: dict[int, list[str]] = {}
    for row, column, message in job.found.get("errors", ()):
        wrong.setdefault(row, []).append(f"{column}: {message}" if column else message)
    writer = csv.writer(Line())
    lines = ["\ufeff" + str(writer.writerow(["Row", "What to mend", *map(safe, table.heading)]))]
    for number, cells in table.rows:
        if number in wrong:
            lines.append(str(writer.writerow([number, safe(" ".join(wrong[number])), *map(safe, cells)])))
    return "".join(lines)


def name_of_file(job: Import, what: str) -> str:
    stem = job.file_name.rpartition(".")[0] or job.file_name
    return f"{get_valid_filename(stem) or 'file'}-{what}.csv"


def _locked(import_id: int) -> Import:
    return Import.objects.select_for_update(no_key=True).get(pk=import_id)


def _hint(job: Import) -> None:
    transaction.on_commit(lambda: tasks.hint_import(job.pk), robust=True)
