"""The reader itself: on sides that agree it finds nothing, and whatever is changed on one of them it names."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.reader import Call, Document, Sides, compare

MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INVOICE: dict[str, Any] = {
    "number": "INV-00001",
    "status": "SENT",
    "state": "SENT",
    "cause": "",
    "problems": "[]",
    "total": Decimal("12.00"),
    "day": "2026-11-02",
    "client": "Client 1 of Chaos Ltd",
    "due_at": MOMENT,
    "lease_until": None,
    "token": "t1",
    "their_number": "INV-00001",
    "their_total": Decimal("12.00"),
    "their_client": "c1",
}
HELD = Document(
    token="t1",
    reference="INV-00001",
    number="INV-00001",
    total=Decimal("12.00"),
    client="c1",
    client_name="Client 1 of Chaos Ltd",
    day="2026-11-02",
)
NUMBER = {"value": 1, "text": "INV-00001", "outcome": "GIVEN", "reason": "", "holder": "u1"}
AGREED = Sides(
    invoices=[INVOICE],
    documents=[HELD],
    numbers=[NUMBER],
    next_value=2,
    holders=[{"uuid": "u1", "number": "INV-00001"}],
    imported=[],
    open_attempts=0,
    keys=frozenset({"k1"}),
    calls=[Call(at=MOMENT.isoformat(), status=201, key="k1")],
    registers=Counter({"Client 1 of Chaos Ltd": 1}),
    unknown=[],
)


def test_two_sides_that_agree_are_clean() -> None:
    assert compare(AGREED, 1, "accounting").is_clean


def invoice(**changes: Any) -> Callable[[Sides], Sides]:
    return lambda sides: replace(sides, invoices=[{**INVOICE, **changes}])


def held(**changes: Any) -> Callable[[Sides], Sides]:
    return lambda sides: replace(sides, documents=[replace(HELD, **changes)])


def sides(**changes: Any) -> Callable[[Sides], Sides]:
    return lambda before: replace(before, **changes)


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        (sides(documents=[]), {"lost"}),
        (sides(invoices=[]), {"lost", "wrong"}),
        (sides(documents=[HELD, replace(HELD, token="t2", number="INV-00009")]), {"duplicated"}),
        (sides(documents=[HELD, replace(HELD, token="t2")]), {"duplicated", "collisions"}),
        (sides(documents=[HELD, replace(HELD, token="t2", reference="X", number="X")]), {"wrong"}),
        (sides(holders=[*AGREED.holders, {"uuid": "u2", "number": "INV-00001"}]), {"collisions"}),
        (sides(numbers=[]), {"gaps"}),
        (sides(next_value=3), {"gaps"}),
        (sides(next_value=1), {"gaps"}),
        (sides(numbers=[{**NUMBER, "holder": "u2"}]), {"gaps"}),
        (sides(numbers=[NUMBER, {**NUMBER, "value": 2, "outcome": "SKIPPED"}], next_value=3), {"gaps"}),
        (held(token="t2"), {"wrong"}),
        (held(number="INV-00002"), {"wrong"}),
        (held(total=Decimal("12.01")), {"wrong"}),
        (held(client="c2"), {"wrong"}),
        (held(client_name="Client 2 of Chaos Ltd"), {"wrong"}),
        (held(day="2026-11-03"), {"wrong"}),
        (invoice(status="APPROVED"), {"wrong"}),
        (invoice(their_total=Decimal("13.00")), {"wrong"}),
        (invoice(state="UNKNOWN"), {"stuck"}),
        (invoice(state=None), {"stuck"}),
        (sides(open_attempts=1), {"stuck"}),
        (invoice(state="ATTENTION", cause="DIFFERENT"), {"attention"}),
        (sides(imported=[{"number": "IMP-00001", "reference": "INV-00001"}]), {"wrong"}),
        (sides(registers=Counter({"Client 1 of Chaos Ltd": 2})), {"wrong"}),
        (sides(calls=[Call(at=MOMENT.isoformat(), status=None, key="k2")]), {"wrong"}),
    ],
)
def test_what_is_wrong_is_named_in_its_column(change: Callable[[Sides], Sides], columns: set[str]) -> None:
    found = compare(change(AGREED), 1, "accounting").columns()
    assert {name for name, words in found.items() if words} == columns


def test_where_sage_numbers_its_number_is_another_one() -> None:
    theirs = {"their_number": "SI-1"}
    numbered = replace(AGREED, invoices=[{**INVOICE, **theirs}], documents=[replace(HELD, number="SI-1")])
    assert compare(numbered, 1, "intacct").is_clean
    assert not compare(numbered, 1, "accounting").is_clean
