"""Idempotency: the same key gives the same answer, refusals too, for 48 hours, and then none until 60 days are over.

Assumed: a key belongs to a company; the ids and texts of the refusals; an answer of 500 and above isn't remembered.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from sqlite3 import Row
from threading import Lock

from flask import g

from sandbox.clock import sortable
from sandbox.context import sandbox
from sandbox.intacct.answers import Problem, Refused, invalid_payload
from sandbox.intacct.calls import Answer, Call, refused
from sandbox.intacct.setting import setting

SCHEMA = """
CREATE TABLE IF NOT EXISTS intacct_replay (
    company_id TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (company_id, key)
);
"""
REPLAYED, REMEMBERED = timedelta(hours=48), timedelta(days=60)
LONGEST_KEY = 256
SERVER_ERROR = 500
_in_use: set[tuple[int, str, str]] = set()
_lock = Lock()


def once(call: Call, work: Callable[[], Answer]) -> Answer:
    """Does the work, or repeats what was answered to the same key; a refusal undoes what the work did."""
    if not call.idempotency_key or setting("idempotency") == "off":
        return attempt(work)
    try:
        with _taken(call):
            return _find(call) or _remember(call, work)
    except Refused as refusal:
        return refused(refusal)


def attempt(work: Callable[[], Answer]) -> Answer:
    try:
        with sandbox().store.attempt():
            return work()
    except Refused as refusal:
        return refused(refusal)


@contextmanager
def _taken(call: Call) -> Iterator[None]:
    """Of two calls at once the first has the key and the other is refused. Raises Refused."""
    if len(call.idempotency_key) > LONGEST_KEY:
        raise invalid_payload([Problem(f"Idempotency-Key must have at most {LONGEST_KEY} characters")])
    mark = (id(sandbox()), call.books.company_id, call.idempotency_key)
    with _lock:
        busy = mark in _in_use
        if busy or (g.fault is not None and g.fault.kind == "key_in_use"):
            raise _conflict("A request with this idempotency key is being processed.")
        _in_use.add(mark)
    try:
        yield
    finally:
        with _lock:
            _in_use.discard(mark)


def _find(call: Call) -> Answer | None:
    """Raises Refused."""
    query = "SELECT * FROM intacct_replay WHERE company_id = ? AND key = ? AND at > ?"
    now = sandbox().now()
    with sandbox().store.transaction() as database:
        held = (call.books.company_id, call.idempotency_key, sortable(now - REMEMBERED))
        row: Row | None = database.execute(query, held).fetchone()
    if row is None:
        return None
    if row["request"] != _print_of(call):
        raise _conflict("This idempotency key was used with a different request.")
    if row["at"] <= sortable(now - REPLAYED):
        raise _conflict("This idempotency key was used before.")
    at = datetime.fromisoformat(row["at"]).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"Idempotency-Key": call.idempotency_key, "x-ia-idempotency-cached-date": at}
    return Answer(**json.loads(row["answer"]), headers=headers)


def _remember(call: Call, work: Callable[[], Answer]) -> Answer:
    with sandbox().store.transaction() as database:
        answer = attempt(work)
        if answer.status < SERVER_ERROR:
            held = {name: getattr(answer, name) for name in ("status", "result", "meta", "error", "nesting")}
            row = (call.books.company_id, call.idempotency_key, _print_of(call), json.dumps(held))
            query = "INSERT OR REPLACE INTO intacct_replay VALUES (?, ?, ?, ?, ?)"
            database.execute(query, (*row, sortable(sandbox().now())))
    return answer


def _print_of(call: Call) -> str:
    words = [call.method, call.path, call.books.entity_id, call.body]
    return sha256(json.dumps(words, sort_keys=True, default=str).encode()).hexdigest()


def _conflict(message: str) -> Refused:
    return Refused(409, "conflict", message, "REST-1087", [], "IA.IDEMPOTENCY_KEY_CONFLICT")
