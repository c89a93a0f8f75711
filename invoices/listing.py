"""The invoice list: what a person asked to see, in any order, page by page by key, never counting the whole table."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from django.db.models import Prefetch, Q, QuerySet

from connectors.models import Connection
from invoices.filtering import Asked, filtered
from invoices.finding import Found, find
from invoices.models import Invoice, Push

PAGE_SIZE = 50
FIELDS = {"date": "issue_date", "due": "due_date", "number": "number", "total": "total"}
Key = tuple[object, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of invoices, the addresses of its neighbours ("" where there is none), how many a search found (None
    where nothing was searched for), and whether it found more than can be shown."""

    invoices: list[Invoice]
    before: str
    after: str
    found: int | None
    more: bool


def page(asked: Asked, connection: Connection | None, *, today: date, after: str = "", before: str = "") -> Page:
    """The invoices after or before a key such as 2026-11-21.417, in the order asked for; bad keys are ignored."""
    found, match = matching(asked, connection, today=today)
    back = _key(asked.sort, before)
    if key := back or _key(asked.sort, after):
        found = found.filter(_beyond(asked.sort, key, forwards=back is None))
    order = _order(asked.sort)
    if back:
        order = [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order]
    rows = list(_with_what_is_shown(found).order_by(*order)[: PAGE_SIZE + 1])
    further, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    if back:
        rows.reverse()
    has_before, has_after = (further, True) if back else (bool(key), further)
    return Page(
        invoices=rows,
        before=asked.address(before=_text(asked.sort, rows[0])) if rows and has_before else "",
        after=asked.address(after=_text(asked.sort, rows[-1])) if rows and has_after else "",
        found=len(match.ids) if match else None,
        more=bool(match and match.more),
    )


def matching(asked: Asked, connection: Connection | None, *, today: date) -> tuple[QuerySet[Invoice], Found | None]:
    """What passes the filters and the search, and what the search itself found, where something is searched for."""
    found = filtered(asked, connection, today=today)
    if asked.sort.endswith("number"):
        found = found.filter(number__isnull=False)  # only one that is being created this moment has none yet
    if not asked.q.strip():
        return found, None
    match = find(found, asked.q)
    return found.filter(pk__in=match.ids), match


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


def _text(sort: str, invoice: Invoice) -> str:
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
