"""Several workers ask for a token at the same moment: a rotating refresh token bears one renewal only."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors import tokens
from connectors.models import Connection, Credential
from connectors.registry import endpoints
from tests.books import Sandbox

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
WORKERS = 8


def ask_at_once(connection: Connection, refused: str) -> list[str]:
    """Each worker in a thread and a database connection of its own."""
    gate = Barrier(WORKERS)

    def ask() -> str:
        try:
            gate.wait(10)
            return tokens.bearer(connection, endpoints("sage_accounting"), refused)
        finally:
            database.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return [answer.result(30) for answer in [pool.submit(ask) for _ in range(WORKERS)]]


@pytest.mark.parametrize("why", ["it has expired", "it was refused"])
def test_eight_workers_renew_once_and_all_get_the_new_token(connection: Connection, sandbox: Sandbox, why: str) -> None:
    old = tokens.unseal(connection.credential.access, connection=connection)
    if why == "it has expired":
        Credential.objects.update(access_expires_at=timezone.now() - timedelta(seconds=1))
    given = ask_at_once(connection, old if why == "it was refused" else "")
    assert len(sandbox.calls("POST", "/token")) == 1
    credential = Credential.objects.get()
    assert set(given) == {tokens.unseal(credential.access, connection=connection)} != {old}
    assert (credential.generation, credential.renewing_until) == (2, None)
