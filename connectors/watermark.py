"""Reads a list in the order in which its rows last changed, page by page, and passes none over; pure.

A platform lets us ask for what changed at a moment or later, oldest first. So a page is followed by what changed since
its last row: a row that is changed meanwhile comes again, later, and one that vanishes moves nobody. The rows of that
very moment come again too, as others may still join it.

Where one moment fills whole pages it is read by pages, from its end back to its beginning: rows that leave it, as they
are changed or deleted, then only move rows that were read already. All moments are the platform's own.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.interface import TryLater

Json = dict[str, Any]
TICK = timedelta(seconds=1)  # moments are told in whole seconds, on both platforms
LATE = timedelta(seconds=5)  # a change may be seen this much after the moment it bears: what ends a reading is re-read


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page: its rows, each with the moment it last changed, and how many rows there are from the moment asked for."""

    rows: Sequence[tuple[str, Json]]
    total: int


Ask = Callable[[str, int, int], Listed]
"""The moment to begin with ("" = all), the page (from 1) and its size -> that page, in the order of change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where we are: everything before `moment` was read.

    `newest` is the last moment of the reading before this one. Inside a moment that fills pages, `held` is how many
    rows it had, and `page` the next of its pages, counted down; 0 when all of them were read. A moment `is_over` when
    there was a later one before it was read: until then rows may join it, or change again in it.
    """

    moment: str = ""
    newest: str = ""
    page: int = 0
    held: int = 0
    is_over: bool = False

    @classmethod
    def read(cls, cursor: str) -> "Mark":
        """What cannot be read is the beginning."""
        try:
            return cls(**json.loads(cursor or "{}"))
        except (TypeError, ValueError):
            return cls()

    def __str__(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @property
    def behind(self) -> str:
        return _shifted(self.moment, TICK)

    @property
    def ended(self) -> "Mark":
        """After a reading that brought news the next one begins a little before its end, for what is seen late."""
        if self.moment <= self.newest:
            return self
        return Mark(moment=_shifted(self.moment, -LATE), newest=self.moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came, where to go on, and how many rows are still to come; the last step of a reading says so."""

    rows: tuple[Json, ...]
    mark: Mark
    is_last: bool
    left: int


def step(mark: Mark, ask: Ask, size: int) -> Step:
    """The next page behind the mark. Raises TryLater where the list is not in its order."""
    if mark.page:
        return _back(mark, ask(mark.moment, mark.page, size), size)
    if mark.held:
        return _beyond(mark, ask, size)
    listed = ask(mark.moment, 1, size)
    moments = [moment for moment, _ in listed.rows]
    if moments != sorted(moments):
        raise TryLater("Sage's list of changes is not in its order.")
    if len(moments) >= size and moments[0] == moments[-1]:
        return _enter(replace(mark, moment=moments[0]), listed, ask, size)
    return _forward(mark, listed)


def _forward(mark: Mark, listed: Listed) -> Step:
    """A page with several moments, or the last one: on with its last moment."""
    rows = tuple(row for _, row in listed.rows)
    last = listed.rows[-1][0] if rows else max(mark.newest, mark.moment)
    left = max(listed.total - len(rows), 0)
    following = replace(mark, moment=last)
    return Step(rows=rows, mark=following if left else following.ended, is_last=not left, left=left)


def _enter(mark: Mark, listed: Listed, ask: Ask, size: int) -> Step:
    """A moment that fills pages: a page that none of its rows stands behind is looked for, and read first."""
    behind = ask(mark.behind, 1, 1).total
    held = max(listed.total - behind, 1)
    page = -(-held // size)
    found = ask(mark.moment, page, size) if page > 1 else listed
    while page * size < found.total and found.rows and found.rows[-1][0] == mark.moment:
        page += 1
        found = ask(mark.moment, page, size)
    return _back(replace(mark, page=page, held=held, is_over=behind > 0), found, size)


def _back(mark: Mark, listed: Listed, size: int) -> Step:
    """One of its pages, and on with the one before it; a page past the end repeats the last one, and is nothing."""
    before = (mark.page - 1) * size
    own = tuple(row for moment, row in listed.rows if moment == mark.moment) if before < listed.total else ()
    left = before + max(listed.total - mark.held, 0)
    return Step(rows=own, mark=_before(mark), is_last=mark.page == 1 and not mark.is_over, left=left)


def _before(mark: Mark) -> Mark:
    if mark.page > 1:
        return replace(mark, page=mark.page - 1)
    if mark.is_over:
        return Mark(moment=mark.behind, newest=mark.newest)
    return replace(mark, page=0).ended


def _beyond(mark: Mark, ask: Ask, size: int) -> Step:
    """The last reading ended with a moment that fills pages: it is read again once there are more rows than it held."""
    total = ask(mark.moment, 1, 1).total
    if total > mark.held or ask(mark.behind, 1, 1).total:
        return step(replace(mark, held=0), ask, size)
    return Step(rows=(), mark=replace(mark, held=max(total, 1)), is_last=True, left=0)


def cursor_from(moment: datetime) -> str:
    """Where a reading begins that wants only what changed at this moment or later; by the platform's clock."""
    return str(Mark(moment=_text(moment)))


def moment_of(text: object) -> str:
    """A moment as a platform writes it -> in one form, so that texts compare as moments do. Raises ValueError."""
    found = datetime.fromisoformat(str(text))
    return _text(found if found.tzinfo else found.replace(tzinfo=UTC))


def time_of(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _shifted(moment: str, by: timedelta) -> str:
    return _text(datetime.fromisoformat(moment) + by)


def _text(moment: datetime) -> str:
    """Cut to the second, which platforms tell moments in and which is a lower bound in any case."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
