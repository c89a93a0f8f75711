"""How often we may call the platform: one row a connection, shared by all workers, which no wiped broker forgets.

A bucket that holds a minute's calls and fills again as time passes: after a quiet minute a batch goes out at once, and
nobody gets further than CALLS_A_MINUTE on the whole. What the platform itself asks us to wait is `paused_until`.
"""

from django.conf import settings
from django.db import connection as database

from connectors.interface import TryLater
from connectors.models import Budget, Connection

REFILL = 5  # calls that a caller who has to wait waits for, so that the next few don't wait each

SPEND = """
INSERT INTO connectors_budget AS budget (connection_id, calls_left, counted_at)
VALUES (%(id)s, %(most)s - 1, clock_timestamp())
ON CONFLICT (connection_id) DO UPDATE SET calls_left = {left} - 1, counted_at = clock_timestamp() WHERE {left} >= 1
RETURNING calls_left
""".format(
    left="LEAST(%(most)s, budget.calls_left + %(rate)s"
    " * GREATEST(EXTRACT(EPOCH FROM clock_timestamp() - budget.counted_at), 0))"
)


def spend(connection: Connection) -> None:
    """One call. Raises TryLater, before a byte leaves, where the share of this minute is used up."""
    rate = settings.CALLS_A_MINUTE * settings.CLOCK_DIVISOR
    with database.cursor() as cursor:
        cursor.execute(SPEND, {"id": connection.pk, "most": rate, "rate": rate / 60})
        if cursor.fetchone() is None:
            raise TryLater("Our calls to Sage of this minute are used up.", after=max(1, -(-REFILL * 60 // rate)))


__all__ = ["Budget", "spend"]
