"""Idempotency: for seven days the same idempotency_id gives the same answer and makes nothing new.

Assumed: an id belongs to one business; another body under the same id gets the first answer; a refused call isn't
remembered unless the switch `remember_refusals` says so.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.accounting.answers import Problem, Refused, problems_body
from sandbox.clock import sortable
from sandbox.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS replay (
    business_id TEXT NOT NULL, idempotency_id TEXT NOT NULL, entity TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (business_id, idempotency_id)
);
"""
LIFE = timedelta(days=7)
Answer = tuple[int, Any]


def once(
    store: Store, key: tuple[str, str, object], now: datetime, work: Callable[[], Answer], *, remember_refusals: bool
) -> Answer:
    """Does the work, or repeats what it answered; `key` is the business, the entity and the idempotency_id.

    One transaction covers both, so that of two calls at once the second waits and is then a repeat. Raises Refused.
    """
    business_id, entity, id = key
    with store.transaction() as database:
        if not isinstance(id, str) or not id:
            return work()
        query = "SELECT * FROM replay WHERE business_id = ? AND idempotency_id = ? AND at > ?"
        row = database.execute(query, (business_id, id, sortable(now - LIFE))).fetchone()
        if row is not None:
            return _repeat(row, entity)
        answer = _attempt(work) if remember_refusals else work()
        database.execute(
            "INSERT OR REPLACE INTO replay VALUES (?, ?, ?, ?, ?, ?)",
            (business_id, id, entity, answer[0], json.dumps(answer[1]), sortable(now)),
        )
    return answer


def _repeat(row: Mapping[str, Any], entity: str) -> Answer:
    if row["entity"] != entity:
        raise Refused(422, [Problem("Entity type mismatch", code="IdempotencyResourceMismatch")])
    return int(row["status"]), json.loads(row["body"])


def _attempt(work: Callable[[], Answer]) -> Answer:
    """A refusal as an answer; every refusal is raised before anything is written."""
    try:
        return work()
    except Refused as refusal:
        return refusal.status, problems_body(refusal.problems)
