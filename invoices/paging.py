"""Pages of rows in the order of their name, entered by a row's key: the last page costs what the first one does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

LONGEST_KEY = 18  # digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows, and the keys after and before which the neighbouring pages begin; "" where there is none."""

    rows: list[Any]
    before: str
    after: str

    @property
    def is_whole(self) -> bool:
        return not (self.before or self.after)


def by_name(found: QuerySet[Any], field: str, size: int, *, after: str = "", before: str = "") -> Page:
    """The next rows by that field after or before the row that has this key; a key of no row is ignored."""
    back = _row(found, before)
    row = back or _row(found, after)
    if row:
        value, side = getattr(row, field), "lt" if back else "gt"
        beyond = Q((f"{field}__{side}", value)) | Q((f"pk__{side}", row.pk))
        found = found.filter(Q((f"{field}__{side}e", value)), beyond)  # the bound lets Postgres enter the index there
    order = (f"-{field}", "-pk") if back else (field, "pk")
    rows = list(found.order_by(*order)[: size + 1])
    return cut(rows, size, lambda one: str(one.pk), back=bool(back), begun=bool(row))


def _row(found: QuerySet[Any], key: str) -> Any:
    is_key = key.isdecimal() and len(key) <= LONGEST_KEY
    return found.model._default_manager.filter(pk=key).first() if is_key else None


def cut(rows: list[Any], size: int, key: Callable[[Any], str], *, back: bool, begun: bool) -> Page:
    """A page of rows that were asked for one more than it has, on the way back the nearest first.

    `begun` says that it begins at a key, so that there is a page on its other side.
    """
    further, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    has_before, has_after = (further, True) if back else (begun, further)
    return Page(
        rows=rows,
        before=key(rows[0]) if rows and has_before else "",
        after=key(rows[-1]) if rows and has_after else "",
    )
