"""The API's objects: read by key, created one or many at a time, changed and deleted."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sandbox.context import sandbox
from sandbox.intacct import customers, invoicing
from sandbox.intacct.answers import Json, Refused, by_status, denied, invalid_payload, meta_of, not_found, wrong
from sandbox.intacct.batches import create_all
from sandbox.intacct.books import Books, Search
from sandbox.intacct.calls import Answer, Call, count_transaction, reference
from sandbox.intacct.kinds import CUSTOMER, INVOICE, INVOICE_LINE, KINDS
from sandbox.intacct.people import may_use_receivables
from sandbox.intacct.replays import once
from sandbox.intacct.shapes import public, public_line

ADDRESS = re.compile(r"/objects/(?P<kind>[^/]+/[^/]+)(/(?P<key>[^/]+))?")
MOST_READ = 500
LISTED = 100
Create = Callable[[Books, Json, datetime], Json]
Change = Callable[[Books, str, Json, datetime], Json]
CHANGES: Mapping[str, Change] = {INVOICE: invoicing.change, CUSTOMER: customers.change}


def perform(call: Call) -> Answer:
    """Raises Refused."""
    kind, key = _address(call.path)
    ways = {"GET": _read if key else _list, "POST": _create, "PATCH": _change, "DELETE": _delete}
    if not _allows(call.method, kind, key):
        raise by_status(405)
    if call.method != "GET":
        check_rights(call)
    return ways[call.method](call, kind, key)


def check_rights(call: Call) -> None:
    """Raises Refused."""
    if not (may_use_receivables(call.grant) and call.books.conditions().may_change):
        raise denied()


def _address(path: str) -> tuple[str, str]:
    """Raises Refused."""
    found = ADDRESS.fullmatch(path)
    if found is None or found["kind"] not in KINDS:
        raise by_status(404)
    return found["kind"], found["key"] or ""


def _allows(method: str, kind: str, key: str) -> bool:
    if method == "GET":
        return True
    if method == "POST":
        return kind in (INVOICE, CUSTOMER) and not key
    return bool(key) and (kind in CHANGES if method == "PATCH" else kind == INVOICE)


def _read(call: Call, kind: str, keys: str) -> Answer:
    """Of several keys those that are there are answered; that the others are left out is an assumption."""
    wanted = keys.split(",")
    if len(wanted) > MOST_READ:
        raise invalid_payload([wrong(f"At most {MOST_READ} keys can be read at once")])
    found = [record for each in wanted if (record := _find(call.books, kind, each))]
    if not found:
        raise not_found(kind, keys)
    count_transaction()
    return Answer(result=found if len(wanted) > 1 else found[0], meta=meta_of(len(found)))


def _find(books: Books, kind: str, key: str) -> Json | None:
    if kind == INVOICE_LINE:
        search = Search()
        search.add("json_extract(line.value, '$.key') = ?", key)
        return next((public_line(*each) for each in books.find_lines(search, 1, 0)), None)
    record = books.get(kind, key)
    return public(kind, record) if record else None


def _list(call: Call, kind: str, _key: str) -> Answer:
    """References only, and no more than a hundred: Intacct says that this is for trying things out."""
    if kind == INVOICE_LINE:
        raise by_status(405)
    found = call.books.find(kind, Search(), LISTED)
    count_transaction()
    return Answer(result=[reference(kind, each) for each in found], meta=meta_of(len(found)))


def _create(call: Call, kind: str, _key: str) -> Answer:
    create: Create = customers.create
    if kind == INVOICE:
        create = partial(invoicing.create, idempotency_key=call.idempotency_key or None)

    def create_one(payload: Any) -> Answer:
        count_transaction()
        return Answer(status=201, result=reference(kind, create(call.books, object_in(payload), sandbox().now())))

    if isinstance(call.body, list):
        return once(call, lambda: create_all(call.body, create_one, all_or_nothing=call.all_or_nothing))
    return once(call, lambda: create_one(call.body))


def _change(call: Call, kind: str, key: str) -> Answer:
    def work() -> Answer:
        count_transaction()
        return Answer(result=reference(kind, CHANGES[kind](call.books, key, object_in(call.body), sandbox().now())))

    return once(call, work)


def _delete(call: Call, _kind: str, key: str) -> Answer:
    """An Idempotency-Key means nothing here."""
    count_transaction()
    invoicing.remove(call.books, key)
    return Answer(status=204)


def object_in(body: Any) -> Json:
    """Raises Refused."""
    if not isinstance(body, dict) or not body:
        raise Refused(400, "invalidRequest", "No payload was found in the request", "REST-1028", [], "IA.NO_PAYLOAD")
    return body
