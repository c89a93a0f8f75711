"""What time it is, and how a moment is written down."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A moment as Sage writes it: UTC, whole seconds, a final Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sortable(moment: datetime) -> str:
    """A moment as text that sorts in time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
