"""`manage.py rotate_keys`: seals the stored tokens with the first of TOKEN_KEYS, so that the others can be dropped."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors import tokens
from connectors.interface import Reconnect, TryLater
from connectors.models import Connection, Credential

PATIENCE_SECONDS = 60  # a renewal under way ends or loses its lease in less


class Command(BaseCommand):
    help = (
        "Put a new key first in TOKEN_KEYS on every machine, restart web and workers, run this, and then drop the old "
        "key. Nothing stops meanwhile."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = [credential.connection for credential in Credential.objects.select_related("connection")]
        for connection in found:
            self._reseal(connection)
        self.stdout.write(f"{len(found)} authorisations are sealed with the first key. The other keys can be dropped.")

    def _reseal(self, connection: Connection) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return tokens.reseal(connection)
            except Reconnect as lost:
                raise CommandError(f"{connection}: {lost.message} Keep the old keys, or authorise again.") from None
            except TryLater as busy:
                if time.monotonic() > deadline:
                    raise CommandError(f"{connection}: {busy.message} Run this again.") from None
                time.sleep(0.2)
