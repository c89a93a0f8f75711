"""How often we may call the platform: one row a connection, shared by all workers, which no wiped broker forgets.

The row holds when each call of the last minute was made, so no minute, wherever it begins, ever has more than
CALLS_A_MINUTE; after a quiet one a batch goes out at once. What the platform itself asks us to wait is `paused_until`.
"""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection as database

from connectors import epoch
from connectors.interface import TryLater
from connectors.models import Connection

MINUTE = 61  # seconds: a call reaches the platform up to one after it is counted, one more quickly than another
REFILL = 5  # calls that a caller who has to wait waits for, so that the next few don't wait each

# Later than now is only what a clock counted that was set back since.
LATELY = """array(SELECT t FROM unnest(budget.calls) t, (SELECT clock_timestamp() AS now) clock
    WHERE t > now - %(window)s * interval '1 s' AND t < now + %(window)s * interval '1 s')"""
SPEND = f"""
INSERT INTO connectors_budget AS budget (connection_id, calls) VALUES (%(id)s, array[clock_timestamp()])
ON CONFLICT (connection_id) DO UPDATE SET calls = {LATELY} || clock_timestamp() WHERE cardinality({LATELY}) < %(most)s
RETURNING {epoch.COPIED}
"""  # noqa: S608  # constants
WAIT = f"""
SELECT ceil((%(window)s - extract(epoch FROM clock_timestamp() - calls[%(refill)s])) * %(divisor)s)
FROM (SELECT {LATELY} AS calls FROM connectors_budget budget WHERE connection_id = %(id)s) AS lately
"""  # noqa: S608  # constants


def spend(connection: Connection) -> None:
    """One call. Raises TryLater, before a byte leaves, in a copy, or with the seconds to wait where all are used up."""
    given: dict[str, Any] = {
        "id": connection.pk,
        "most": settings.CALLS_A_MINUTE,
        "window": Decimal(MINUTE) / settings.CLOCK_DIVISOR,
        "divisor": settings.CLOCK_DIVISOR,
        "refill": REFILL,
    }
    with database.cursor() as cursor:
        cursor.execute(SPEND, given)
        spent = cursor.fetchone()
        if spent is None:
            cursor.execute(WAIT, given)
            (seconds,) = cursor.fetchone()
            raise TryLater("Our calls to Sage of this minute are used up.", after=max(1, int(seconds or 1)))
    if spent[0]:
        raise TryLater(epoch.COPY)
