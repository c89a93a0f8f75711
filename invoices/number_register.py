"""Every number of a group that no invoice uses, and why: discarded, skipped, taken in Sage, void, passed over, unknown.

Numbers of one prefix and suffix are a series. A page is read from a key on, so that a million numbers cost no more than
the part that it covers.
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
Key = tuple[str, str, int]  # prefix, suffix, value
START: Key = ("", "", 0)
LARGEST = 10**18
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
    SELECT prefix, suffix, value, text, outcome, reason, holder, given_at, before FROM (
        SELECT *, lag(value) OVER (PARTITION BY prefix, suffix ORDER BY value) AS before
        FROM incrementors_number WHERE group_id = %(group)s AND (prefix, suffix, value) >= (%(p)s, %(s)s, %(v)s)
    ) AS counted
    WHERE (outcome <> 'GIVEN' OR value > before + 1) AND given_at >= %(since)s AND given_at < %(until)s
    ORDER BY prefix, suffix, value LIMIT %(limit)s"""
OF_VOID = """
    SELECT prefix, suffix, value, text, 'VOID', '', holder, given_at, value - 1 FROM incrementors_number
    JOIN invoices_invoice ON invoices_invoice.uuid = holder AND invoices_invoice.status = 'VOID'
    WHERE outcome = 'GIVEN' AND group_id = %(group)s AND (prefix, suffix, value) > (%(p)s, %(s)s, %(v)s)
        AND given_at >= %(since)s AND given_at < %(until)s
    ORDER BY prefix, suffix, value LIMIT %(limit)s"""
OF_NOBODY = """
    SELECT prefix, suffix, value, text, 'UNKNOWN', '', holder, given_at, value - 1 FROM incrementors_number
    WHERE outcome = 'GIVEN' AND group_id = %(group)s AND (prefix, suffix, value) > (%(p)s, %(s)s, %(v)s)
        AND (prefix, suffix, value) <= (%(to_p)s, %(to_s)s, %(to_v)s) AND value BETWEEN %(low)s AND %(high)s
        AND given_at >= %(since)s AND given_at < %(until)s
        AND NOT EXISTS (SELECT 1 FROM invoices_invoice WHERE invoices_invoice.uuid = holder)
    ORDER BY prefix, suffix, value LIMIT %(limit)s"""
FIRST = """
    SELECT prefix, suffix FROM incrementors_number WHERE group_id = %(group)s ORDER BY prefix, suffix, value LIMIT 1"""
LAST = """
    SELECT prefix, suffix, value FROM incrementors_number WHERE group_id = %(group)s
    ORDER BY prefix DESC, suffix DESC, value DESC LIMIT 1"""
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
    """Some gaps in the order of the numbers, and the key after which the next page begins; None after the last."""

    gaps: list[Gap]
    after: Key | None


@dataclass(slots=True, kw_only=True)
class _Found:
    """A row of one of the queries; with `before`, the row stands for the numbers that are not there before it."""

    key: Key
    text: str
    kind: str
    reason: str
    holder: UUID | None
    given_at: datetime
    count: int = 1


def page(
    group: str, *, after: Key = START, since: date | None = None, until: date | None = None, size: int = PAGE_SIZE
) -> Page:
    """The next gaps after the key; of numbers given between those days, both counted in."""
    rows = _rows(group, after, since, until, size + 1)
    shown = rows[:size]
    return Page(gaps=list(_explained(group, shown)), after=shown[-1].key if len(rows) > size else None)


def pages(group: str, *, since: date | None = None, until: date | None = None) -> Iterator[Gap]:
    """All of them, a page at a time."""
    after: Key | None = START
    while after is not None:
        found = page(group, after=after, since=since, until=until, size=PAGE_SIZE)
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


def _rows(group: str, after: Key, since: date | None, until: date | None, limit: int) -> list[_Found]:
    """Of the three queries together. What the third looks through is only the part that the others cover."""
    given = {"group": group, "limit": limit, "p": after[0], "s": after[1], "v": after[2]}
    given["since"] = make_aware(datetime.combine(since or date(1970, 1, 1), time()))
    given["until"] = end_of(until or date(9000, 1, 1))
    found = [one for row in _ask(NOT_IN_USE, given) for one in _split(row, after)]
    found += [_found(row) for row in _ask(OF_VOID, given)]
    found.sort(key=lambda one: one.key)
    end = found[limit - 1].key if len(found) >= limit else next(iter(_ask(LAST, given)), None)
    if end:
        given |= {"to_p": end[0], "to_s": end[1], "to_v": end[2], **_values(after, end, given)}
        found += [_found(row) for row in _ask(OF_NOBODY, given)]
    return sorted(found, key=lambda one: one.key)[:limit]


def _values(after: Key, end: Sequence[Any], given: dict[str, Any]) -> dict[str, int]:
    """What the values lie between, as Postgres guesses well by them how few there are; anything over several series."""
    begins = after[:2] if after != START else tuple(_ask(FIRST, given)[0])
    is_one = begins == tuple(end[:2])
    return {"low": after[2] if is_one else 0, "high": end[2] if is_one else LARGEST}


def _ask(query: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(query, given)
        return list(cursor.fetchall())


def _found(row: tuple[Any, ...]) -> _Found:
    prefix, suffix, value, text, kind, reason, holder, given_at, _ = row
    return _Found(key=(prefix, suffix, value), text=text, kind=kind, reason=reason, holder=holder, given_at=given_at)


def _split(row: tuple[Any, ...], after: Key) -> Iterator[_Found]:
    """The numbers that are not there before the row's own, as one; and its own, where nobody uses it."""
    one, before = _found(row), row[-1]
    prefix, suffix, value = one.key
    if before is not None and value > before + 1 and (prefix, suffix, before + 1) > after:
        key = (prefix, suffix, before + 1)
        yield _Found(
            key=key,
            text=one.text,
            kind="UNKNOWN",
            reason="",
            holder=None,
            given_at=one.given_at,
            count=value - before - 1,
        )
    if one.kind != Number.Outcome.GIVEN and one.key > after:
        yield one


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
