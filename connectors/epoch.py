"""Whether this database is the live one, or a copy of it that must not speak to Sage until an admin says so.

A restored copy remembers less than Sage does: it would send again what was sent since, give numbers again, and spend a
refresh token that the live one needs. So it knows by itself that it is a copy: the row that names the live database is
copied with all the rest, and no longer names the database it lies in.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from connectors.models import LiveDatabase

IDENTITY = """(SELECT concat_ws('.', (SELECT system_identifier FROM pg_control_system()),
    (SELECT timeline_id FROM pg_control_checkpoint()), oid) FROM pg_database WHERE datname = current_database())"""
"""The cluster, its timeline (another one after a fail-over or a recovery to a moment) and the database in it."""

COPY = (
    "This is a restored copy of the database: it says nothing to Sage until an admin confirms that it is the live one."
)


def identity() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {IDENTITY}")  # our own constant
        return str(cursor.fetchone()[0])


COPIED = f"EXISTS (SELECT FROM connectors_livedatabase WHERE identity <> {IDENTITY})"
BEHIND = "confirmed_at IS NOT NULL AND caught_up_at IS NULL"
HOLDS = f"EXISTS (SELECT FROM connectors_livedatabase WHERE identity <> {IDENTITY} OR {BEHIND})"
BROKEN = "EXISTS (SELECT FROM connectors_connection WHERE state = 'RECONNECT')"


def is_copy() -> bool:
    """Somebody put a dump back, or this server took over from another one, and nobody has said yet that it is live."""
    return bool(_ask(COPIED)[0])


def is_held() -> bool:
    """Nothing is sent, fetched or numbered: it is a copy, or was one and has not caught up with Sage yet."""
    return bool(_ask(HOLDS)[0])


def troubles(*more: str) -> tuple[Any, ...]:
    """As every page asks, in one question: whether it is held, and whether Sage refuses our authorisation.

    And what `more` of our own constants ask, each a value in SQL.
    """
    return _ask(HOLDS, BROKEN, *more)


def _ask(*conditions: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(f"/* planned: told */ SELECT {', '.join(conditions)}")
        found: tuple[Any, ...] = cursor.fetchone()
        return found


def confirmed() -> LiveDatabase | None:
    """The confirmation of the latest copy that became the live database; None where this has never been one."""
    return LiveDatabase.objects.filter(confirmed_at__isnull=False).first()


def remembers(moment: datetime) -> bool:
    """What was created at this moment began here after the latest confirmation, so nobody else can have sent it."""
    return not LiveDatabase.objects.filter(confirmed_at__gte=moment).exists()


def confirm(*, copied_at: datetime, actor: User, now: datetime) -> LiveDatabase | None:
    """This database is the live one from now on; None where it was so already."""
    with transaction.atomic():
        row = LiveDatabase.objects.select_for_update().filter(pk=1).exclude(identity=identity()).first()
        if row is not None:
            row.identity, row.copied_at, row.caught_up_at = identity(), copied_at, None
            row.confirmed_at, row.confirmed_by = now, actor
            row.save()
        return row


def caught_up(missed: Sequence[Sequence[str]] = ()) -> None:
    """What was given meanwhile is known: work begins."""
    waiting = LiveDatabase.objects.filter(confirmed_at__isnull=False, caught_up_at=None)
    waiting.update(caught_up_at=timezone.now(), missed=list(missed))
