"""When the platform last answered: known from its answers alone, and written once a minute at most."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors import lifecycle
from connectors.interface import PlatformError
from connectors.models import Connection
from connectors.options import Kind
from connectors.services import open_connector
from tests.books import Sandbox

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=2)


@pytest.fixture(params=["connection", "intacct"])
def joined(request: pytest.FixtureRequest, now: datetime) -> Connection:
    """On each platform, and not heard of for two hours."""
    joined: Connection = request.getfixturevalue(request.param)
    Connection.objects.update(contact_at=now - LONG_AGO)
    joined.refresh_from_db()
    return joined


def contact() -> datetime | None:
    return Connection.objects.get().contact_at


def test_an_answer_is_a_contact(joined: Connection, now: datetime) -> None:
    open_connector(joined).catalogue(Kind.SALES_ACCOUNTS)
    at = contact()
    assert at is not None
    assert at >= now - timedelta(minutes=1)


@pytest.mark.parametrize("kind", ["unavailable", "dropped"])
def test_no_answer_or_a_refusal_to_answer_now_is_none(
    joined: Connection, sandbox: Sandbox, kind: str, now: datetime
) -> None:
    on = "GET /accounting/v3.1" if joined.platform == "sage_accounting" else "POST /intacct"
    sandbox.fault(kind, on=on, times=None)
    with pytest.raises(PlatformError):
        open_connector(joined).catalogue(Kind.SALES_ACCOUNTS)
    at = contact()
    assert at == now - LONG_AGO


def test_it_is_written_once_a_minute_however_many_answers_there_are(joined: Connection, now: datetime) -> None:
    with CaptureQueriesContext(database) as asked:
        for seconds in range(0, 59, 5):
            lifecycle.keep_contact(joined, now=now + timedelta(seconds=seconds))
    assert len(asked) == 1
    assert contact() == now
    lifecycle.keep_contact(joined, now=now + timedelta(seconds=60))
    assert contact() == now + timedelta(seconds=60)


def test_another_worker_that_wrote_it_a_moment_ago_is_not_undone(joined: Connection, now: datetime) -> None:
    Connection.objects.update(contact_at=now)
    lifecycle.keep_contact(joined, now=now - timedelta(seconds=10))
    assert contact() == now


def test_authorising_is_a_contact(connection: Connection, admin: User, now: datetime) -> None:
    assert contact() is not None
