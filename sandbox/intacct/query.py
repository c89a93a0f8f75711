"""The query service: flat rows of one kind of record, filtered, sorted and paged by the database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sandbox.clock import stamp
from sandbox.context import sandbox
from sandbox.intacct import fields
from sandbox.intacct.answers import Json, invalid_payload, wrong
from sandbox.intacct.books import Books, Search
from sandbox.intacct.calls import Answer, Call, count_transaction
from sandbox.intacct.filters import Column, combine, read_filter, refused
from sandbox.intacct.kinds import CUSTOMER, INVOICE, INVOICE_LINE, KINDS
from sandbox.intacct.setting import setting
from sandbox.intacct.shapes import public, public_line, value_at

KEYS = ("object", "fields", "filters", "filterExpression", "filterParameters", "orderBy", "start", "size")
PARAMETERS = ("asOfDate", "includeHierarchyFields", "caseSensitiveComparison", "includePrivate")
DEFAULT_SIZE, LARGEST_SIZE = 100, 4000
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:]*(\.[A-Za-z][A-Za-z0-9_:]*)*")
MADE_UP = frozenset({"href", "webURL"})  # neither filtered nor sorted by
KNOWN = {INVOICE: fields.INVOICE, INVOICE_LINE: {**fields.LINE, "invoice": fields.INVOICE}, CUSTOMER: fields.CUSTOMER}
REAL_COLUMNS = {
    "key": "intacct_record.key",
    "id": "intacct_record.id",
    "audit.modifiedDateTime": "modified",
    "entity.id": "nullif(entity, '')",
    "invoiceNumber": "number",
    "referenceNumber": "reference",
    "customer.id": "customer",
    "state": "state",
    "invoiceDate": "day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    kind: str
    fields: list[str]
    search: Search
    start: int
    size: int


def perform(call: Call) -> Answer:
    """Raises Refused."""
    query = _read(call.body, call.books)
    count_transaction()
    total = _count(call.books, query)
    rows = [{name: value_at(each, name) for name in query.fields} for each in _records(call.books, query)]
    return Answer(result=rows, meta=_meta(query, total))


def _meta(query: Query, total: int) -> Json:
    after, before = query.start + query.size, query.start - query.size
    return {
        "totalCount": total,
        "start": query.start,
        "pageSize": query.size,
        "next": after if after <= total else None,
        "previous": max(before, 1) if query.start > 1 else None,
    }


def _count(books: Books, query: Query) -> int:
    if query.kind == INVOICE_LINE:
        return books.count_lines(query.search)
    return books.count(query.kind, query.search)


def _records(books: Books, query: Query) -> Iterable[Json]:
    if query.kind == INVOICE_LINE:
        return (public_line(*each) for each in books.find_lines(query.search, query.size, query.start - 1))
    found = books.find(query.kind, query.search, query.size, query.start - 1)
    return (public(query.kind, each) for each in found)


def _read(body: Any, books: Books) -> Query:
    """Raises Refused."""
    _check_keys(body)
    kind, wanted = body.get("object"), body.get("fields")
    if kind not in KINDS:
        raise refused(f"{kind} is not a valid object", "/object")
    if not (isinstance(wanted, list) and wanted and all(isinstance(each, str) for each in wanted)):
        raise refused("fields is an array of names", "/fields")
    for name in wanted:
        _check_field(books, kind, name)
    return Query(
        kind=kind,
        fields=wanted,
        search=_search(body, books, kind),
        start=_whole_number(body, "start", 1),
        size=_whole_number(body, "size", DEFAULT_SIZE, LARGEST_SIZE),
    )


def _check_keys(body: Any) -> None:
    """Raises Refused."""
    if not isinstance(body, dict):
        raise refused("The query is not an object")
    parameters = body.get("filterParameters", {})
    if not isinstance(parameters, dict):
        raise refused("filterParameters is an object", "/filterParameters")
    strange = [*(body.keys() - set(KEYS)), *(parameters.keys() - set(PARAMETERS))]
    if strange:
        raise invalid_payload([wrong(f"Unrecognized key {each} in query payload") for each in sorted(strange)])


def _search(body: Json, books: Books, kind: str) -> Search:
    parameters = body.get("filterParameters", {})
    sensitive = parameters.get("caseSensitiveComparison", True)

    def column_of(name: str) -> Column:
        return _column(books, kind, name, case_sensitive=sensitive)

    search = Search(order=_order(body.get("orderBy") or [], kind, column_of))
    filters = body.get("filters") or []
    if not isinstance(filters, list):
        raise refused("filters is an array", "/filters")
    sql, values = combine([read_filter(each, column_of) for each in filters], str(body.get("filterExpression") or ""))
    search.add(sql, *values)
    if kind == INVOICE and (lag := setting("lag")):
        created = "json_extract(shown, '$.audit.createdDateTime')"
        search.add(f"{created} <= ?", stamp(sandbox().now() - timedelta(seconds=lag)))
    if not books.entity_id and parameters.get("includePrivate") is not True:
        search.add("entity = ''")
    return search


def _order(given: Any, kind: str, column_of: Any) -> str:
    """The key comes last, so that rows always have one order."""
    parts = []
    for each in given if isinstance(given, list) else [given]:
        name, way = next(iter(each.items())) if isinstance(each, dict) and len(each) == 1 else ("", "")
        if way not in ("asc", "desc"):
            raise refused("orderBy is an array of objects such as {“invoiceDate”: “asc”}", "/orderBy")
        parts.append(f"{column_of(name).sql} {way.upper()}")
    last = "intacct_record.key ASC, line.key" if kind == INVOICE_LINE else "intacct_record.key ASC"
    return ", ".join([*parts, *((last,) if last not in parts else ())])


def _column(books: Books, kind: str, name: str, *, case_sensitive: bool = True) -> Column:
    """Raises Refused."""
    _check_field(books, kind, name)
    if name.rpartition(".")[2] in MADE_UP:
        raise refused(f"{name} can't be used in filters or orderBy")
    money = kind in KNOWN and fields.leaf(KNOWN[kind], name) in (fields.money, fields.read_only_money)
    return Column(name=name, sql=_sql(kind, name), money=money, case_sensitive=case_sensitive)


def _sql(kind: str, name: str) -> str:
    """An invoice's id is its key, and so the same column."""
    if kind == INVOICE_LINE and not name.startswith("invoice."):
        return f"json_extract(line.value, '{_json_path(name)}')"
    name = name.removeprefix("invoice.")
    if name == "id" and kind in (INVOICE, INVOICE_LINE):
        name = "key"
    return REAL_COLUMNS.get(name) or f"json_extract(shown, '{_json_path(name)}')"


def _json_path(name: str) -> str:
    return "$" + "".join(f'."{each}"' for each in name.split("."))


def _check_field(books: Books, kind: str, name: str) -> None:
    """Raises Refused. Kinds whose fields aren't listed here have those of their first record."""
    known = NAME.fullmatch(name) is not None
    if known and kind in KNOWN:
        known = fields.leaf(KNOWN[kind], name) is not None
    elif known:
        first = next(iter(books.find(kind, Search(), 1)), None)
        known = first is None or name.partition(".")[0] in {*first, "href"}
    if not known:
        raise invalid_payload([wrong(f"{name} is not a valid field", "/fields", error_id="REST-1043")])


def _whole_number(body: Json, name: str, default: int, most: int | None = None) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        limit = f" and at most {most}" if most else ""
        raise refused(f"{name} is a whole number from 1{limit}", f"/{name}")
    return value
