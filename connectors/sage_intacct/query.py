"""The query service of Sage Intacct: what is asked for, and all of its rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.http import Wire
from connectors.interface import TryLater

Json = dict[str, Any]

PAGE_SIZE = 2000  # a query takes up to 4,000 (guide "Query")
MOST_PAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query (OpenAPI common-resources, services/core/query); without `filters` it finds every row.

    `any_of` joins the filters with "or". At the top level an entity's own records show only with `private`.
    """

    object: str
    fields: tuple[str, ...]
    filters: tuple[Json, ...] = ()
    any_of: bool = False
    any_case: bool = False
    private: bool = False
    order: tuple[str, ...] = ("id",)

    def body(self, start: int, size: int) -> Json:
        return {
            "object": self.object,
            "fields": list(self.fields),
            **({"filters": list(self.filters)} if self.filters else {}),
            **({"filterExpression": "or"} if self.any_of and len(self.filters) > 1 else {}),
            "filterParameters": {"caseSensitiveComparison": not self.any_case, "includePrivate": self.private},
            "orderBy": [{name: "asc"} for name in self.order],
            "start": start,
            "size": size,
        }


def all_rows(wire: Wire, query: Query, headers: Mapping[str, str]) -> list[Json]:
    """Every row, once each, though a page may shift while they are read."""
    return list({row["id"]: row for page in _pages(wire, query, headers) for row in page}.values())


def _pages(wire: Wire, query: Query, headers: Mapping[str, str]) -> Iterator[list[Json]]:
    start = 1
    for _ in range(MOST_PAGES):
        rows, meta = ask(wire, query, headers, start, PAGE_SIZE)
        yield rows
        following = _next(meta, query)
        if following is None:
            return
        start = following
    raise TryLater(f"Intacct's list of {query.object} has no end.")


def ask(wire: Wire, query: Query, headers: Mapping[str, str], start: int, size: int) -> tuple[list[Json], Json]:
    """One page, from a row counted from 1, and what is said of it."""
    answer = wire.ask("/services/core/query", body=query.body(start, size), headers=headers)
    body = answer.body if isinstance(answer.body, dict) else {}
    rows, meta = body.get("ia::result"), body.get("ia::meta")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
        raise TryLater(f"Intacct's list of {query.object} can't be read.")
    return rows, meta if isinstance(meta, dict) else {}


def _next(meta: Json, query: Query) -> int | None:
    """Where the next page starts, counted from 1; None behind the last one."""
    following = meta.get("next") if meta else ""
    if following is not None and not isinstance(following, int):
        raise TryLater(f"Intacct's list of {query.object} can't be read.")
    return following
