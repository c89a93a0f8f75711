"""The invoice list: what a person asked to see, in any order, page by page by key, never counting the whole table."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db.models import BooleanField, Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL

from connectors.models import Connection
from invoices import finding
from invoices.filtering import NEWEST, STATES, Asked, filtered
from invoices.finding import Question
from invoices.models import Invoice, Push

PAGE_SIZE = 50
MOST = 5000  # rows as if which were wanted of a page
FIELDS = {"date": "issue_date", "due": "due_date", "number": "number", "total": "total"}
Key = tuple[object, int]
TOLD = (  # what the list shows of an invoice itself, and whose it is
    *("pk", "number", "kind", "origin", "status", "issue_date", "due_date", "reference", "currency"),
    *("total", "outstanding", "created_by_id", "client_id", "site_id"),
)
ROWS = """
WITH matched (id) AS MATERIALIZED ({matched}),
wanted (id, number, kind, origin, status, issue_date, due_date, reference, currency, total, outstanding, created_by_id,
    client_id, site_id) AS MATERIALIZED ({wanted})
SELECT counted.n, page.id, page.number, page.kind, page.origin, page.status, page.issue_date, page.due_date,
    page.reference, page.currency, page.total, page.outstanding, page.created_by_id,
    (SELECT name FROM invoices_client WHERE id = page.client_id),
    (SELECT name FROM invoices_property WHERE id = page.site_id),
    push.connection_id, push.state, push.cause, push.parked_because, push.lease_until, push.due_at, push.sent_at,
    held.connection_id, held.number, held.is_draft, held.is_shown, push.remote_id = held.id,
    sent.connection_id, sent.number, sent.is_draft, sent.is_shown
FROM (SELECT count(*) FROM matched) AS counted (n)
LEFT JOIN (SELECT * FROM wanted LIMIT {few}) AS page ON TRUE
LEFT JOIN LATERAL (
    SELECT * FROM invoices_push WHERE invoice_id = page.id
    ORDER BY (connection_id = %s) IS TRUE DESC, requested_at DESC, id DESC LIMIT 1
) AS push ON TRUE
LEFT JOIN LATERAL (
    SELECT * FROM invoices_remoteinvoice WHERE invoice_id = page.id
    ORDER BY (connection_id = %s) IS TRUE DESC, (connection_id = %s AND gone_at IS NULL) IS TRUE DESC, id DESC LIMIT 1
) AS held ON TRUE
LEFT JOIN invoices_remoteinvoice AS sent ON sent.id = nullif(push.remote_id, held.id)
ORDER BY {order}"""
"""A page with the push of each that pages show, what books hold of it, and what was sent with the push, if that is
another one: of the live connection, which is given three times, before others, else the latest. How many a search
matched stands before each, and alone where the page has none. Names are subselects, as of a join with all properties
Postgres would think that reading them costs less than looking up fifty."""
THOSE = "invoices_invoice.id = ANY (ARRAY(SELECT id FROM matched ORDER BY id DESC LIMIT %s))"
"""Those matched, looked up by their keys in the middle of `ROWS`."""


class There(NamedTuple):
    """What a platform holds of it."""

    connection_id: UUID
    number: str
    is_draft: bool
    is_shown: bool


class OnItsWay(NamedTuple):
    """Its push."""

    connection_id: UUID
    state: str
    cause: str
    parked_because: str
    lease_until: datetime | None
    due_at: datetime
    sent_at: datetime | None
    remote: There | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Listed(NamedTuple):
    """An invoice as the list reads it, in plain values; `held` is what books hold of it, the connected ones if any."""

    pk: int
    number: str | None
    kind: str
    origin: str
    status: str
    issue_date: date
    due_date: date
    reference: str
    currency: str
    total: Decimal
    outstanding: Decimal
    created_by_id: int | None
    client: str
    site: str | None
    push: OnItsWay | None
    held: There | None

    def __str__(self) -> str:
        return self.number or "Unnumbered"

    @property
    def is_imported(self) -> bool:
        return self.origin == IMPORTED

    @property
    def is_credit_note(self) -> bool:
        return self.kind == CREDIT_NOTE


OPEN = frozenset(str(state) for state in STATES["MOVING"])
IMPORTED, CREDIT_NOTE = str(Invoice.Origin.IMPORTED), str(Invoice.Kind.CREDIT_NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of invoices, the addresses of its neighbours ("" where there is none), how many a search found (None
    where nothing was searched for), and whether it found more than can be shown."""

    invoices: list[Listed]
    before: str
    after: str
    found: int | None
    more: bool


def page(asked: Asked, connection: Connection | None, *, today: date, after: str = "", before: str = "") -> Page:
    """The invoices after or before a key such as 2026-11-21.417, in the order asked for; bad keys are ignored."""
    found, matched = _passing(asked, connection, today=today), finding.NOTHING
    if is_search := bool(asked.q.strip()):
        matched = finding.matches(found, asked.q)
        found = Invoice.objects.filter(RawSQL(THOSE, [finding.LIMIT], BooleanField()))  # noqa: S611  # a constant
    back = _key(asked.sort, before)
    if key := back or _key(asked.sort, after):
        found = found.filter(_beyond(asked.sort, key, forwards=back is None))
    order = _order(asked.sort)
    if back:
        order = [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order]
    is_plain = replace(asked, sort=NEWEST) == Asked()  # with a filter a plan is made for what it asks
    most = MOST if asked.since or asked.until else PAGE_SIZE + 1
    count, rows = _read(found, order, connection, matched, before="/* planned: rows */" if is_plain else "", most=most)
    further, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    if back:
        rows.reverse()
    has_before, has_after = (further, True) if back else (bool(key), further)
    return Page(
        invoices=rows,
        before=asked.address(before=_text(asked.sort, rows[0])) if rows and has_before else "",
        after=asked.address(after=_text(asked.sort, rows[-1])) if rows and has_after else "",
        found=min(count, finding.LIMIT) if is_search else None,
        more=count > finding.LIMIT,
    )


def matching(asked: Asked, connection: Connection | None, *, today: date) -> QuerySet[Invoice]:
    """What passes the filters and the search."""
    found = _passing(asked, connection, today=today)
    return found.filter(pk__in=finding.find(found, asked.q)) if asked.q.strip() else found


def _passing(asked: Asked, connection: Connection | None, *, today: date) -> QuerySet[Invoice]:
    found = filtered(asked, connection, today=today)
    if asked.sort.endswith("number"):
        found = found.filter(number__isnull=False)  # only one that is being created this moment has none yet
    return found


def these(ids: list[int], connection: Connection | None) -> list[Listed]:
    """A page's worth of them, the newest first."""
    return _read(Invoice.objects.filter(pk__in=ids), _order(NEWEST), connection)[1]


def _read(
    found: QuerySet[Invoice],
    order: list[str],
    connection: Connection | None,
    matched: Question = finding.NOTHING,
    before: str = "",
    most: int = PAGE_SIZE + 1,
) -> tuple[int, list[Listed]]:
    """How many were matched, and the first of those found, one more than a page has: which as Django asks it, the rest
    by `ROWS`.

    It is planned as if `most` were wanted. Days go with due dates and numbers: of the first fifty of a month by number
    Postgres would think that it meets them soon, and read all that are before.
    """
    try:
        wanted, given = found.order_by(*order).values_list(*TOLD)[:most].query.sql_with_params()
    except EmptyResultSet:  # nothing was asked for
        return 0, []
    ordered = (f"page.{name.removeprefix('-')}{' DESC' if name.startswith('-') else ''}" for name in order)
    match, words = matched
    live = connection.pk if connection else None
    with database.cursor() as cursor:
        asked = before + ROWS.format(matched=match, wanted=wanted, few=PAGE_SIZE + 1, order=", ".join(ordered))
        cursor.execute(asked, [*words, *given, live, live, live])
        rows = cursor.fetchall()
    return rows[0][0], [_listed(row) for _, *row in rows if row[0]]


def _listed(row: list[Any]) -> Listed:
    """From the columns of `ROWS`: the invoice's own, its push, what is held, whether that was sent, and what was."""
    invoice, push, held, is_sent, sent = row[:14], row[14:21], row[21:25], row[25], row[26:]
    there = There._make(held) if held[0] else None
    remote = there if is_sent else There._make(sent) if sent[0] else None
    return Listed._make((*invoice, OnItsWay._make((*push, remote)) if push[0] else None, there))


def in_order(found: QuerySet[Invoice], sort: str) -> QuerySet[Invoice]:
    """All of them with what is shown of each, for a file."""
    return _with_what_is_shown(found).order_by(*_order(sort))


def chosen(ids: list[int]) -> list[Invoice]:
    """These, with what is shown of each, the newest first."""
    return list(in_order(Invoice.objects.filter(pk__in=ids), "-date"))


def _with_what_is_shown(found: QuerySet[Invoice]) -> QuerySet[Invoice]:
    pushes = Push.objects.select_related("remote").order_by("requested_at")
    shown = found.select_related("client", "site").defer("frozen")  # nothing that a list shows, and long
    return shown.prefetch_related(
        Prefetch("pushes", pushes, to_attr="fetched_pushes"), Prefetch("remotes", to_attr="fetched_remotes")
    )


def _order(sort: str) -> list[str]:
    sign = "-" if sort.startswith("-") else ""
    return [f"{sign}{FIELDS[sort.removeprefix('-')]}", f"{sign}id"]


def _beyond(sort: str, key: Key, *, forwards: bool) -> Q:
    """Past the key in that direction; the bound by itself is what lets Postgres enter the index at the key."""
    field, (value, pk) = FIELDS[sort.removeprefix("-")], key
    side = "lt" if sort.startswith("-") == forwards else "gt"
    bound = Q((f"{field}__{side}e", value))
    return bound & (Q((f"{field}__{side}", value)) | Q((f"id__{side}", pk)))


def _text(sort: str, invoice: Listed) -> str:
    return f"{getattr(invoice, FIELDS[sort.removeprefix('-')])}.{invoice.pk}"


def _key(sort: str, text: str) -> Key | None:
    """What a page begins or ends with, as the address has it."""
    value, _, pk = text.replace("\x00", "").rpartition(".")
    try:
        return (_value(sort.removeprefix("-"), value), int(pk)) if value else None
    except (ValueError, InvalidOperation):
        return None


def _value(column: str, text: str) -> object:
    if column in ("date", "due"):
        return date.fromisoformat(text)
    if column == "number":
        return text
    amount = Decimal(text)
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 12:
        raise ValueError
    return amount.quantize(Decimal("0.01"))
