"""Lists as Sage Accounting pages them, and the choice of attributes in lists and single answers."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from sandbox.accounting.books import Search, column
from sandbox.accounting.reading import Json, moment
from sandbox.clock import stamp

BASE_ATTRIBUTES = ("id", "displayed_as", "$path")
DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 20, 200
Query = MultiDict[str, str]


def shown(document: Mapping[str, object], attributes: str) -> Json:
    """The document with the attributes asked for, and nothing that is meant to stay inside."""
    public = {name: value for name, value in document.items() if not name.startswith("_")}
    if attributes == "all":
        return public
    wanted = {*BASE_ATTRIBUTES, *(name.strip() for name in attributes.split(","))}
    return {name: value for name, value in public.items() if name in wanted}


def page_of(path: str, query: Query, total: int, fetch: Callable[[int, int], Iterable[Json]]) -> Json:
    """One page; `fetch` takes a limit and an offset. A page beyond the end is the last page, never an empty one."""
    size = min(max(_number(query, "items_per_page", DEFAULT_PAGE_SIZE), 1), LARGEST_PAGE_SIZE)
    last = max(-(-total // size), 1)
    page = min(max(_number(query, "page", 1), 1), last)
    attributes = query.get("attributes", "")
    return {
        "$total": total,
        "$page": page,
        "$next": _link(path, query, page + 1, size) if page < last else None,
        "$back": _link(path, query, page - 1, size) if page > 1 else None,
        "$itemsPerPage": size,
        "$items": [shown(each, attributes) for each in fetch(size, (page - 1) * size)],
    }


def page_of_list(path: str, query: Query, items: list[Json]) -> Json:
    return page_of(path, query, len(items), lambda limit, offset: items[offset : offset + limit])


def add_moments(search: Search, query: Query) -> None:
    """The since-filters; what was deleted is found only by asking since when, exclusively. Raises Refused."""
    if "updated_or_created_since" in query:
        since = moment(query["updated_or_created_since"], "updated_or_created_since")
        search.add(f"{column('updated_at')} >= ?", stamp(since))
    if "deleted_since" in query:
        search.add(f"{column('deleted_at')} > ?", stamp(moment(query["deleted_since"], "deleted_since")))
    else:
        search.add(f"{column('deleted_at')} IS NULL")


def _number(query: Query, name: str, default: int) -> int:
    return query.get(name, default, type=int)


def _link(path: str, query: Query, page: int, size: int) -> str:
    """Relative, without host or version."""
    others = {name: value for name, value in query.items() if name not in ("page", "items_per_page")}
    return f"{path}?{urlencode({'page': page, 'items_per_page': size, **others})}"
