"""A canary through the whole journey: authorise, renew, push; its tokens may be found in no place but the vault."""

import json
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone
from redis import Redis

from connectors import lifecycle, oauth, tokens
from connectors.http import Wire
from connectors.models import Connection, Credential
from connectors.options import Kind
from connectors.registry import endpoints
from connectors.sage_accounting import DIALECT
from connectors.services import choose_account, map_tax_rates, open_connector
from invoices import push as worker
from invoices import services, tasks
from invoices.claims import Claim
from invoices.models import Invoice, Push
from reflow.logs import LineFormatter
from tests.books import Sandbox

pytestmark = pytest.mark.django_db
CALLBACK = "/settings/connector/callback/"


@dataclass
class Flight:
    """What the journey left behind, and all the secrets that were in it."""

    secrets: set[str]
    log: str
    connection: Connection
    push: Push
    browser: Browser


def stored_tokens(connection: Connection) -> set[str]:
    credential = Credential.objects.get(connection=connection)
    return {tokens.unseal(sealed, connection=connection) for sealed in (credential.access, credential.refresh)}


@pytest.fixture
def flight(
    sandbox: Sandbox,
    admin: User,
    client: Browser,
    invoice: Invoice,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Flight:
    """Authorises in the browser, sets up, pushes with a token that has to be renewed; all at DEBUG."""
    caplog.set_level(logging.DEBUG)
    client.force_login(admin)
    away = client.post("/settings/connector/authorise/", {"platform": "sage_accounting"})
    journey = oauth.Journey(**client.session["connector-journey"])
    answer = sandbox.allow(away.headers["Location"])
    client.get(CALLBACK, answer)
    connection = Connection.objects.get()
    secrets = {answer["code"], journey.verifier, journey.state} | stored_tokens(connection)
    choose_account(connection, Kind.SALES_ACCOUNTS, first_account(connection), now=timezone.now())
    map_tax_rates(connection, {"STANDARD": "GB_STANDARD"}, now=timezone.now())
    sandbox.fault("expired")
    push = services.request_push(invoice_id=invoice.pk, actor=admin, now=timezone.now())
    worker.work(push.pk)
    Credential.objects.update(access_expires_at=timezone.now() - timedelta(seconds=1))
    open_connector(connection).companies()
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    secrets |= stored_tokens(connection) | {endpoints("sage_accounting").client_secret}
    return Flight(secrets, caplog.text, connection, push, client)


def first_account(connection: Connection) -> str:
    return open_connector(connection).catalogue(Kind.SALES_ACCOUNTS)[0].id


def found_in(text: str, secrets: set[str]) -> set[str]:
    """The secrets that stand in a text as they are, in base64, in hex or as part of an address; in whole or in part."""
    return {secret[:12] for secret in secrets if any(form in text for form in forms(secret))}


def forms(secret: str) -> set[str]:
    plain = (secret, secret[-24:])
    in_base64 = {
        encode(part.encode())[4:-4].decode()  # its ends depend on what stands beside it
        for encode in (b64encode, urlsafe_b64encode)
        for part in (secret, secret[1:], secret[2:])
    }
    return {*plain, *map(quote_plus, plain), *(part.encode().hex() for part in plain), *in_base64}


@pytest.mark.parametrize(
    "hide", [str, quote_plus, lambda text: text.encode().hex(), lambda text: b64encode(text.encode()).decode()]
)
@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_secret_is_found_however_it_is_hidden(hide: Callable[[str], str], before: str) -> None:
    assert found_in(f"x {hide(before + 'a/secret+token=of some length')} y", {"a/secret+token=of some length"})


def test_no_row_of_the_database_holds_a_token(flight: Flight) -> None:
    rows = [
        f"{model.__name__} {list(row.values())}"
        for model in apps.get_models()
        for row in model._default_manager.values()
    ]
    assert any("Credential" in row for row in rows)
    assert len(flight.secrets) >= 7, "the journey renewed its tokens and held each of them"
    assert found_in("\n".join(rows), flight.secrets) == set()


def test_no_log_line_holds_a_token_even_at_debug(flight: Flight) -> None:
    assert "POST /sales_invoices 201" in flight.log
    assert found_in(flight.log, flight.secrets) == set()


def test_no_session_holds_a_token_or_the_journey_once_it_is_over(flight: Flight) -> None:
    kept = json.dumps([session.get_decoded() for session in Session.objects.all()])
    assert "_auth_user_id" in kept
    assert "connector-journey" not in kept
    assert found_in(kept, flight.secrets) == set()


def test_no_page_shows_a_token(flight: Flight) -> None:
    for path in ("/settings/connector/", f"/invoices/{flight.push.invoice_id}/", "/"):
        page = flight.browser.get(path).content.decode()
        assert found_in(page, flight.secrets) == set()


def test_no_object_prints_a_token(flight: Flight) -> None:
    connector = open_connector(flight.connection)
    wire = Wire(api_url="http://x", bearer=connector.bearer, dialect=DIALECT, deadline=timedelta(1))  # type: ignore[attr-defined]
    credential = Credential.objects.get()
    attempt = flight.push.attempts.get()
    things: list[Any] = [
        flight.connection,
        credential,
        connector,
        wire,
        attempt,
        flight.push,
        endpoints("sage_accounting"),
    ]
    things.append(Claim(push=flight.push, attempt=attempt, fence=1))
    printed = "\n".join(f"{thing!r} {thing}" for thing in things)
    assert found_in(printed, flight.secrets) == set()
    assert credential.access not in printed


def test_no_message_in_the_queue_holds_more_than_the_id_of_a_push(flight: Flight) -> None:
    broker = Redis.from_url(settings.REDIS_URL)
    broker.flushdb()
    tasks.hint(flight.push.pk)
    (message,) = broker.lrange("celery", 0, -1)
    broker.flushdb()
    body = json.loads(message)
    assert found_in(str(message), flight.secrets) == set()
    assert body["headers"]["kwargsrepr"] == f"{{'push_id': {flight.push.pk}}}"
    assert body["headers"]["argsrepr"] == "()"


def test_a_token_that_gets_into_an_exception_is_masked_on_its_way_to_the_log(flight: Flight) -> None:
    for secret in stored_tokens(flight.connection):
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "Authorization: Bearer %s failed", (secret,), None)
        assert found_in(LineFormatter().format(record), {secret}) == set()


def test_no_mail_holds_a_token(flight: Flight) -> None:
    admin = flight.push.requested_by
    admin.email = "ada@quayside.example"
    admin.save()
    Credential.objects.update(
        access_expires_at=timezone.now(),
        refresh_expires_at=timezone.now(),
        refresh=tokens.seal("x", connection=flight.connection),
    )
    lifecycle.keep_alive(now=timezone.now())
    (warning,) = mail.outbox
    assert found_in(str(warning.message()), flight.secrets) == set()


def test_no_dump_of_the_database_holds_a_token(flight: Flight) -> None:
    with connection.cursor() as cursor:
        held = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608  # each row as COPY writes it, which pg_dump does
            held += [row for (row,) in cursor.fetchall()]
    assert any(str(flight.push.remote) in row for row in held)
    assert found_in("\n".join(held), flight.secrets) == set()
