"""Sessions as Django keeps them in the database, but read by a statement that is planned once, on every page."""

from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

FOUND = """/* planned: session */
SELECT session_key, session_data, expire_date FROM django_session WHERE session_key = %s AND expire_date > %s"""


class SessionStore(db.SessionStore):
    def load(self) -> dict[str, Any]:
        """Nothing for one that has expired, or that nobody has; then whatever is put in begins another."""
        for found in self.model.objects.raw(FOUND, [self.session_key, timezone.now()]):
            told: dict[str, Any] = self.decode(found.session_data)
            return told
        self._session_key = None
        return {}
