"""Every number of a group that no invoice uses, and why: discarded, skipped, taken in Sage, void, passed over, unknown.

Numbers of one prefix and suffix are a series. A page looks through a part of them from a key on, as long as any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db.models.functions import Upper
from django.utils.timezone import make_aware

from incrementors.models import GroupChange, Number
from invoices.debtors import end_of
from invoices.models import Event, Invoice, RemoteInvoice

PAGE_SIZE = 50
PRINTED = 2000  # on one page, where all of it is shown to be printed
LOOKED = 2500  # numbers that a page looks through, for as many as people wait for
MANY = 100_000  # the same, in a file
ALL = 10**9
Key = tuple[str, str, int]  # prefix, suffix, value
START: Key = ("", "", 0)
KINDS = {
    # what it is called, its tone and icon
    "DISCARDED": ("Discarded", "neutral", "slash-circle"),
    "SKIPPED": ("Skipped", "neutral", "arrow-right"),
    "TAKEN": ("Taken in Sage", "warn", "exclamation-triangle"),
    "VOID": ("Void", "neutral", "slash-circle"),
    "PASSED": ("Passed over", "neutral", "pencil"),
    "UNKNOWN": ("No known reason", "bad", "exclamation-octagon"),
}
NOT_IN_USE = """
    SELECT looked.*, invoices_invoice.status FROM (
        SELECT prefix, suffix, value, text, outcome, reason, holder, given_at,
            lag(value) OVER (PARTITION BY prefix, suffix ORDER BY value) AS before
        FROM (
            SELECT * FROM incrementors_number WHERE group_id = %(group)s AND (prefix, suffix, value) >= %(after)s
            ORDER BY prefix, suffix, value LIMIT %(looked)s
        ) AS part
    ) AS looked
    LEFT JOIN invoices_invoice ON invoices_invoice.uuid = holder AND outcome = 'GIVEN'
    WHERE given_at >= %(since)s AND given_at < %(until)s AND (
        outcome <> 'GIVEN' OR value > before + 1 OR invoices_invoice.id IS NULL OR invoices_invoice.status = 'VOID')
    ORDER BY prefix, suffix, value"""
END = """
    SELECT prefix, suffix, value FROM incrementors_number
    WHERE group_id = %(group)s AND (prefix, suffix, value) >= %(after)s
    ORDER BY prefix, suffix, value OFFSET %(looked)s - 1 LIMIT 1"""
FIRST = """
    SELECT prefix, suffix, value FROM (
        SELECT group_id, prefix, suffix, value FROM incrementors_number
        WHERE given_at >= %(since)s AND given_at < %(until)s OFFSET 0
    ) AS lately WHERE group_id = %(group)s ORDER BY prefix, suffix, value LIMIT 1"""
BEFORE = """
    SELECT prefix, suffix, value FROM incrementors_number
    WHERE group_id = %(group)s AND (prefix, suffix, value) < %(first)s
    ORDER BY prefix DESC, suffix DESC, value DESC LIMIT 1"""
FURTHER = """
    SELECT 1 FROM incrementors_number WHERE group_id = %(group)s AND (prefix, suffix, value) > %(end)s
    AND given_at >= %(since)s AND given_at < %(until)s LIMIT 1"""
COUNTED = """
    SELECT count(*), count(*) FILTER (WHERE outcome = 'GIVEN'), sum(passed) FROM (
        SELECT outcome, value - 1 - lag(value) OVER (PARTITION BY prefix, suffix ORDER BY value) AS passed
        FROM incrementors_number WHERE group_id = %(group)s
    ) AS counted"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One number that nobody uses, or several in a row: what became of it, why, who did it and when."""

    key: Key
    first: str
    last: str
    count: int
    kind: str
    reason: str
    who: str
    at: datetime | None
    invoice_id: int | None = None
    """The invoice that has, or had, the number."""

    @property
    def look(self) -> tuple[str, str, str]:
        return KINDS[self.kind]

    @property
    def is_unknown(self) -> bool:
        return self.kind == "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some gaps in the order of the numbers, and the key after which to look on; None after the last.

    `is_full` where there are more among the numbers that were looked through.
    """

    gaps: list[Gap]
    after: Key | None
    is_full: bool


@dataclass(slots=True, kw_only=True)
class _Found:
    """A number that nobody uses, or several that are not there before the one that has the text."""

    key: Key
    text: str
    kind: str
    reason: str
    holder: UUID | None
    given_at: datetime
    count: int = 1


def page(
    group: str,
    after: Key = START,
    *,
    since: date | None = None,
    until: date | None = None,
    size: int = PAGE_SIZE,
    looked: int = LOOKED,
) -> Page:
    """The next gaps after the key; of numbers given between those days, both counted in."""
    given: dict[str, Any] = {"group": group, "looked": looked + 1}
    given["since"] = make_aware(datetime.combine(since or date(1970, 1, 1), time()))
    given["until"] = end_of(until or date(9000, 1, 1))
    if (since or until) and after == START:
        after = _before_first(given)
    given["after"] = after
    rows = [one for row in _ask(NOT_IN_USE, given) for one in _split(row, after)]
    end: Any = next(iter(_ask(END, given)), None)
    is_full = len(rows) > size
    if is_full:
        rows, end = rows[:size], rows[size - 1].key
    elif end and (since or until) and not _ask(FURTHER, given | {"end": end}):
        end = None
    return Page(gaps=list(_explained(group, rows)), after=end, is_full=is_full)


def _before_first(given: dict[str, Any]) -> Key:
    """The key before the first number that was given between two days."""
    first = next(iter(_ask(FIRST, given)), START)
    before: Any = next(iter(_ask(BEFORE, given | {"first": first})), START)
    return before[0], before[1], before[2]


def pages(group: str, *, since: date | None = None, until: date | None = None) -> Iterator[Gap]:
    """All of them, a page at a time."""
    after: Key | None = START
    while after is not None:
        found = page(group, after, since=since, until=until, size=PAGE_SIZE, looked=MANY)
        yield from found.gaps
        after = found.after


def tally(group: str) -> tuple[int, int, int]:
    """How many numbers are on record, how many of them are in use, and how many in between have no record at all."""
    with database.cursor() as cursor:
        cursor.execute(COUNTED, {"group": group})
        recorded, used, passed = cursor.fetchone() or (0, 0, 0)
    return recorded, used, int(passed or 0)


def has_begun(group: str) -> bool:
    return Number.objects.filter(group=group).exists()


def _ask(query: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(query, given)
        return list(cursor.fetchall())


def _split(row: tuple[Any, ...], after: Key) -> Iterator[_Found]:
    """The numbers that are not there before the row's own, as one; and its own, where nobody uses it.

    Keys are never put in order here, as Postgres orders texts by its collation: only the row of `after` is not wanted.
    """
    prefix, suffix, value, text, outcome, reason, holder, given_at, before, status = row
    if before is not None and value > before + 1:
        yield _Found(
            key=(prefix, suffix, before + 1),
            text=text,
            kind="UNKNOWN",
            reason="",
            holder=None,
            given_at=given_at,
            count=value - before - 1,
        )
    kind = outcome if outcome != Number.Outcome.GIVEN else {None: "UNKNOWN", Invoice.Status.VOID: "VOID"}.get(status)
    key = (prefix, suffix, value)
    if kind and key != after:
        yield _Found(key=key, text=text, kind=kind, reason=reason, holder=holder, given_at=given_at)


# Why ----------------------------------------------------------------------------------------------------------
def _explained(group: str, rows: Sequence[_Found]) -> Iterator[Gap]:
    invoices = {one.uuid: one for one in Invoice.objects.filter(uuid__in=[row.holder for row in rows if row.holder])}
    told = _told([one.pk for one in invoices.values()])
    changes = _changes(group, [row.text for row in rows if row.holder is None])
    rivals = _rivals([row.text for row in rows if row.kind == Number.Outcome.SKIPPED])
    for row in rows:
        invoice = invoices.get(row.holder) if row.holder else None
        if row.kind == Number.Outcome.SKIPPED:
            yield _gap(row, reason=rivals.get(row.text.upper(), row.reason), who="Reflow", at=row.given_at)
        elif row.holder is None:
            yield _hole(row, changes.get(row.text.upper()))
        elif row.kind == "UNKNOWN":
            yield _gap(row, reason="It was given, but there is no invoice of it in this database.", at=row.given_at)
        else:
            event = _event(row, told.get(invoice.pk, []) if invoice else [])
            yield _gap(row, event=event, invoice=invoice, reason=row.reason or (event.text if event else "It is void."))


def _gap(
    row: _Found,
    *,
    reason: str,
    who: str = "",
    at: datetime | None = None,
    event: Event | None = None,
    invoice: Invoice | None = None,
) -> Gap:
    if event:
        who, at = _name(event.actor), event.happened_at
    return Gap(
        key=row.key,
        first=row.text,
        last=row.text,
        count=1,
        kind=row.kind,
        reason=reason,
        who=who,
        at=at or row.given_at,
        invoice_id=invoice.pk if invoice else None,
    )


def _hole(row: _Found, change: GroupChange | None) -> Gap:
    """Numbers without any record: passed over by an admin who set the next number, or nobody knows why."""
    prefix, suffix, value = row.key
    width = len(row.text) - len(prefix) - len(suffix)
    first, last = (f"{prefix}{n:0{width}}{suffix}" for n in (value, value + row.count - 1))
    kind, reason, who, at = "UNKNOWN", "There is no record of it: find out what happened, and ask support.", "", None
    if change:
        kind, reason = "PASSED", f"The next number was set from {change.before} to {change.after}."
        who, at = _name(change.changed_by), change.changed_at
    return Gap(key=row.key, first=first, last=last, count=row.count, kind=kind, reason=reason, who=who, at=at)


def _name(person: Any) -> str:
    return (person.get_full_name() or person.get_username()) if person else "Reflow"


def _told(invoices: list[int]) -> dict[int, list[Event]]:
    """The history of these, the latest first."""
    told: dict[int, list[Event]] = {}
    for event in Event.objects.filter(invoice__in=invoices).select_related("actor"):
        told.setdefault(event.invoice_id, []).append(event)
    return told


def _event(row: _Found, events: Sequence[Event]) -> Event | None:
    """What in the history says that the number is not used."""
    beginnings = {"DISCARDED": ("Discarded",), "TAKEN": (f"{row.text} is taken",)}
    wanted = beginnings.get(row.kind, ("Voided", "Void", "Deleted", "Discarded"))
    return next((event for event in events if event.text.startswith(wanted)), None)


def _changes(group: str, texts: Sequence[str]) -> dict[str, GroupChange]:
    """By the number that came next, in upper case."""
    rows = GroupChange.objects.filter(group=group).alias(upper=Upper("after"))
    found = rows.filter(upper__in=[text.upper() for text in texts]).select_related("changed_by").order_by("changed_at")
    return {change.after.upper(): change for change in found}


def _rivals(texts: Sequence[str]) -> dict[str, str]:
    """What has these numbers instead, in words, by number in upper case."""
    upper = [text.upper() for text in texts]
    remote = RemoteInvoice.objects.alias(upper=Upper("number")).filter(upper__in=upper)
    found = {
        one.number.upper(): f"Taken in Sage by an invoice for {one.invoice.client.name}."
        for one in remote.select_related("invoice__client")
    }
    ours = Number.objects.alias(upper=Upper("text")).filter(upper__in=upper).exclude(outcome=Number.Outcome.SKIPPED)
    return found | {one.text.upper(): f"Given before, by {one.group.name}." for one in ours.select_related("group")}
