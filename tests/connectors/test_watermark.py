"""Reading a list that changes while it is read, tried on a list in memory that changes before any answer."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.interface import TryLater
from connectors.watermark import LATE, Listed, Mark, Step, moment_of, step

BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)


@dataclass
class Platform:
    """A list as a platform keeps it: rows by id, each with the moment of its change and how often it was changed."""

    chance: random.Random
    now: datetime = BEGAN
    rows: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    busy: float = 0.0
    asked: int = 0
    ids: int = 0

    def ask(self, moment: str, page: int, size: int) -> Listed:
        self.asked += 1
        self.live()
        shown = sorted((moment_of(at.isoformat()), id, version) for id, (at, version) in self.rows.items())
        wanted = [row for row in shown if row[0] >= moment]
        page = min(page, max(-(-len(wanted) // size), 1))  # past the end comes the last page again
        found = wanted[(page - 1) * size : page * size]
        rows: list[tuple[str, dict[str, Any]]] = [(at, {"id": id, "version": version}) for at, id, version in found]
        return Listed(rows=rows, total=len(wanted))

    def live(self) -> None:
        """Time passes, or not; somebody does something, or not."""
        self.now += timedelta(seconds=self.chance.choice([0, 0, 0, 1, 3]))
        while self.chance.random() < self.busy:
            self.change(self.chance.choice(["add", "add", "change", "change", "delete"]))

    def change(self, what: str) -> None:
        id = self.chance.choice(list(self.rows)) if self.rows and what != "add" else self.new()
        if what == "delete":
            self.rows.pop(id, None)
        else:
            self.put(id, self.now)

    def put(self, id: int, at: datetime) -> None:
        self.rows[id] = (at, self.rows.get(id, (at, 0))[1] + 1)

    def new(self) -> int:
        self.ids += 1
        return self.ids


def reading(platform: Platform, mark: Mark, size: int) -> tuple[list[Step], Mark]:
    steps = []
    for _ in range(5000):
        steps.append(step(mark, platform.ask, size))
        mark = Mark.read(str(steps[-1].mark))
        if steps[-1].is_last:
            return steps, mark
    raise AssertionError("the reading does not end")


@pytest.mark.parametrize("seed", range(100))
def test_none_is_passed_over_whatever_happens_before_any_answer(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    platform, size = Platform(chance), chance.choice([1, 2, 3, 5, 10])
    for _ in range(chance.choice([0, 7, 40])):
        platform.change("add")
        platform.now += timedelta(seconds=chance.choice([0, 0, 0, 1]))
    mark, seen = Mark(), dict[int, int]()
    for busy in (0.6, 0.3, 0.6, 0.0, 0.0):
        platform.busy = busy
        platform.now += timedelta(seconds=60) * (not busy)
        for _ in range(3):
            steps, mark = reading(platform, mark, size) if not busy else some(platform, mark, size)
            seen |= {row["id"]: row["version"] for one in steps for row in one.rows}
    platform.now += timedelta(seconds=60)
    platform.change("add")
    steps, mark = reading(platform, mark, size)
    seen |= {row["id"]: row["version"] for one in steps for row in one.rows}
    held = {id: version for id, (_, version) in platform.rows.items()}
    assert {id: seen.get(id) for id in held} == held


def some(platform: Platform, mark: Mark, size: int) -> tuple[list[Step], Mark]:
    """A few steps, ended or not: somebody stops, and goes on later from the same mark."""
    steps = []
    for _ in range(platform.chance.randrange(1, 12)):
        steps.append(step(mark, platform.ask, size))
        mark = steps[-1].mark
    return steps, mark


@pytest.mark.parametrize(("count", "size"), [(0, 5), (1, 5), (4, 5), (5, 5), (6, 5), (1700, 200), (400, 200)])
@pytest.mark.parametrize("spread", [0, 1])
def test_a_list_that_rests_is_read_once_then_hardly_any_of_it(count: int, size: int, spread: int) -> None:
    platform = Platform(random.Random(0))  # noqa: S311
    for _ in range(count):
        platform.change("add")
        platform.now += timedelta(seconds=spread)
    steps, mark = reading(platform, Mark(), size)
    assert sorted({row["id"] for one in steps for row in one.rows}) == list(range(1, count + 1))
    assert sum(len(one.rows) for one in steps) <= count + len(steps)
    assert [one.left for one in steps] == sorted((one.left for one in steps), reverse=True)
    _, mark = reading(platform, mark, size)
    platform.asked = 0
    steps, same = reading(platform, mark, size)
    assert sum(len(one.rows) for one in steps) < size
    assert same == mark
    assert platform.asked <= 2


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_row_that_shows_a_little_after_its_moment_comes_with_the_next_reading(size: int) -> None:
    platform = Platform(random.Random(0))  # noqa: S311
    for _ in range(6):
        platform.change("add")
        platform.now += timedelta(seconds=2)
    platform.change("add")
    _, mark = reading(platform, Mark(), size)
    platform.put(late := platform.new(), platform.now - LATE)
    platform.now += timedelta(minutes=5)
    steps, mark = reading(platform, mark, size)
    assert late in {row["id"] for one in steps for row in one.rows}


def test_a_list_in_another_order_is_refused() -> None:
    rows = [(f"2026-11-02T09:00:0{n}Z", {"id": n}) for n in (2, 1)]
    with pytest.raises(TryLater, match="order"):
        step(Mark(), lambda moment, page, size: Listed(rows=rows, total=2), 5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02T09:00:00Z", "2026-11-02T09:00:00Z"),
        ("2026-11-02T09:00:00.750Z", "2026-11-02T09:00:00Z"),
        ("2026-11-02T10:30:00+01:30", "2026-11-02T09:00:00Z"),
        ("2026-11-02T09:00:00", "2026-11-02T09:00:00Z"),
    ],
)
def test_a_moment_has_one_form_whatever_way_it_is_written(text: str, moment: str) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize("text", ["", "soon", None, 5])
def test_what_is_no_moment_is_said(text: object) -> None:
    with pytest.raises(ValueError, match="isoformat"):
        moment_of(text)
