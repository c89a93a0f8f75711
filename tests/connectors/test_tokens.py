"""The vault: what opens a token, what renews it, and what becomes of it when a renewal goes wrong."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from connectors import oauth, tokens
from connectors.interface import Reconnect, TryLater
from connectors.models import Connection, Credential
from connectors.registry import endpoints
from tests.books import Sandbox

TOKEN = "POST /accounting/token"
WHERE = "sage_accounting"


def unsaved() -> Connection:
    return Connection(platform="sage_accounting", state=Connection.State.ACTIVE, company_id="b-1")


def pair(access: str = "ACCESS", refresh: str = "REFRESH", *, life: timedelta = timedelta(minutes=5)) -> oauth.Tokens:
    now = timezone.now()
    return oauth.Tokens(access=access, refresh=refresh, access_expires_at=now + life, refresh_expires_at=None)


@pytest.fixture
def stored(admin: User, now: datetime) -> Connection:
    """A connection with a pair of tokens that no platform gave."""
    connection = unsaved()
    connection.authorised_at, connection.authorised_by = now, admin
    connection.save()
    tokens.store(connection, pair())
    return connection


def expire(connection: Connection) -> None:
    Credential.objects.filter(connection=connection).update(access_expires_at=timezone.now())


def bearer(connection: Connection, refused: str = "") -> str:
    return tokens.bearer(connection, endpoints(WHERE), refused)


def renewing(answer: Callable[[], oauth.Tokens]) -> Callable[..., oauth.Tokens]:
    return lambda *_args, **_kwargs: answer()


def test_a_sealed_token_is_not_to_be_read_and_opens_again() -> None:
    connection = unsaved()
    sealed = tokens.seal("ACCESS", connection=connection)
    assert "ACCESS" not in sealed
    assert sealed != tokens.seal("ACCESS", connection=connection)
    assert tokens.unseal(sealed, connection=connection) == "ACCESS"


def test_a_token_opens_for_its_own_connection_only() -> None:
    sealed = tokens.seal("ACCESS", connection=unsaved())
    with pytest.raises(Reconnect, match="another connection"):
        tokens.unseal(sealed, connection=unsaved())


def test_without_its_key_a_token_is_lost_and_a_person_authorises_again(settings: Settings) -> None:
    connection = unsaved()
    sealed = tokens.seal("ACCESS", connection=connection)
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(Reconnect, match="TOKEN_KEYS"):
        tokens.unseal(sealed, connection=connection)


def test_a_new_first_key_seals_and_the_old_one_still_opens(settings: Settings) -> None:
    connection, old, new = unsaved(), Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.TOKEN_KEYS = [old]
    before = tokens.seal("ACCESS", connection=connection)
    settings.TOKEN_KEYS = [new, old]
    after = tokens.seal("ACCESS", connection=connection)
    assert tokens.unseal(before, connection=connection) == "ACCESS"
    settings.TOKEN_KEYS = [new]
    assert tokens.unseal(after, connection=connection) == "ACCESS"
    with pytest.raises(Reconnect):
        tokens.unseal(before, connection=connection)


@pytest.mark.parametrize("spoil", [lambda text: text[:-4] + "AAA=", lambda text: "", lambda text: "gAAAA"])
def test_a_spoilt_token_is_lost_and_no_accident(spoil: Callable[[str], str]) -> None:
    connection = unsaved()
    sealed = tokens.seal("ACCESS", connection=connection)
    with pytest.raises(Reconnect):
        tokens.unseal(spoil(sealed), connection=connection)


@pytest.mark.django_db
def test_a_connection_without_tokens_asks_for_an_authorisation(stored: Connection) -> None:
    Credential.objects.all().delete()
    with pytest.raises(Reconnect, match="no authorisation"):
        bearer(stored)


@pytest.mark.django_db
def test_a_token_that_lives_is_used_as_it_is(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "renew", None)
    assert bearer(stored) == "ACCESS"


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "renewed"), [(0, True), (59, True), (90, False)])
def test_a_token_with_less_than_a_minute_to_live_is_renewed_before_it_is_used(
    stored: Connection, monkeypatch: pytest.MonkeyPatch, seconds: int, renewed: bool
) -> None:
    tokens.store(stored, pair(life=timedelta(seconds=seconds)))
    monkeypatch.setattr(oauth, "renew", renewing(lambda: pair("NEXT", "REFRESH-2")))
    assert bearer(stored) == ("NEXT" if renewed else "ACCESS")


@pytest.mark.django_db
def test_a_refused_token_is_renewed_though_it_should_live(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "renew", renewing(lambda: pair("NEXT", "REFRESH-2")))
    assert bearer(stored, refused="ACCESS") == "NEXT"
    assert bearer(stored, refused="ACCESS") == "NEXT", "renewed by another already: nothing to do"
    assert Credential.objects.get().generation == 2


@pytest.mark.django_db
def test_a_renewed_pair_is_stored_before_it_is_used(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    expire(stored)
    monkeypatch.setattr(oauth, "renew", renewing(lambda: pair("NEXT", "REFRESH-2")))
    assert bearer(stored) == "NEXT"
    kept = Credential.objects.get()
    assert tokens.unseal(kept.access, connection=stored) == "NEXT"
    assert tokens.unseal(kept.refresh, connection=stored) == "REFRESH-2"
    assert kept.renewing_until is None


@pytest.mark.django_db
def test_a_database_that_stumbles_does_not_lose_the_renewed_pair(
    stored: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old pair is spent by then: losing the new one would mean that a person has to authorise again."""
    expire(stored)
    monkeypatch.setattr(oauth, "renew", renewing(lambda: pair("NEXT", "REFRESH-2")))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(tokens, "close_old_connections", lambda: None)
    stumbles = [OperationalError("gone"), OperationalError("still gone")]
    update = type(Credential.objects.all()).update

    def stumbling(self: Any, **values: Any) -> int:
        if "access" in values and stumbles:
            raise stumbles.pop()
        return update(self, **values)

    monkeypatch.setattr(type(Credential.objects.all()), "update", stumbling)
    assert bearer(stored) == "NEXT"
    assert stumbles == []
    assert tokens.unseal(Credential.objects.get().refresh, connection=stored) == "REFRESH-2"


@pytest.mark.django_db
def test_while_another_process_renews_we_wait_and_then_come_back_later(
    stored: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(stored)
    Credential.objects.update(renewing_until=timezone.now() + tokens.LEASE)
    monkeypatch.setattr(oauth, "renew", None)
    monkeypatch.setattr(tokens, "WAIT_SECONDS", 0.15)
    with pytest.raises(TryLater, match="Another worker") as later:
        bearer(stored)
    assert later.value.after


@pytest.mark.django_db
def test_the_lease_of_a_process_that_died_runs_out(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    expire(stored)
    Credential.objects.update(renewing_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(oauth, "renew", renewing(lambda: pair("NEXT", "REFRESH-2")))
    assert bearer(stored) == "NEXT"


@pytest.mark.django_db
def test_who_slept_past_its_lease_spends_no_token(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    expire(stored)
    asked: list[object] = []
    monkeypatch.setattr(oauth, "renew", lambda *_args, **kwargs: asked.append(kwargs))
    take_the_lease = tokens._claim

    def and_sleep(credential: Credential) -> bool:
        claimed = take_the_lease(credential)
        assert credential.renewing_until
        credential.renewing_until -= tokens.LEASE - tokens.DEADLINE + timedelta(seconds=1)
        return claimed

    monkeypatch.setattr(tokens, "_claim", and_sleep)
    with pytest.raises(TryLater, match="ended before we asked"):
        bearer(stored)
    assert not asked
    assert Credential.objects.get().renewing_until is None, "the next one need not wait for a lease of nobody's"


@pytest.mark.django_db
def test_an_authorisation_given_during_a_renewal_is_not_overwritten_by_it(
    stored: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(stored)

    def overtaken() -> oauth.Tokens:
        tokens.store(stored, pair("NEW-ACCESS", "NEW-REFRESH"))
        return pair("LATE", "LATE-REFRESH")

    monkeypatch.setattr(oauth, "renew", renewing(overtaken))
    bearer(stored)
    assert tokens.unseal(Credential.objects.get().refresh, connection=stored) == "NEW-REFRESH"
    assert bearer(stored) == "NEW-ACCESS"


@pytest.mark.django_db
def test_a_refusal_is_not_believed_when_the_token_was_renewed_meanwhile(
    stored: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(stored)

    def overtaken() -> oauth.Tokens:
        tokens.store(stored, pair("NEW-ACCESS", "NEW-REFRESH"))
        raise Reconnect("used before")

    monkeypatch.setattr(oauth, "renew", renewing(overtaken))
    assert bearer(stored) == "NEW-ACCESS"
    stored.refresh_from_db()
    assert stored.is_active


@pytest.mark.django_db
def test_a_renewal_that_got_no_answer_lets_the_next_one_try_at_once(connection: Connection, sandbox: Sandbox) -> None:
    expire(connection)
    sandbox.fault("dropped", on=TOKEN)
    with pytest.raises(TryLater):
        bearer(connection)
    assert bearer(connection)
    assert len(sandbox.calls("POST", "/token")) == 2
    connection.refresh_from_db()
    assert connection.is_active


@pytest.mark.django_db
def test_a_renewal_whose_answer_was_lost_is_tried_once_more_and_then_a_person_is_asked(
    connection: Connection, sandbox: Sandbox
) -> None:
    """Sage rotated the pair and we never saw the new one: the stored token is spent, and only Sage can say so."""
    expire(connection)
    sandbox.fault("lost", on=TOKEN)
    with pytest.raises(TryLater):
        bearer(connection)
    connection.refresh_from_db()
    assert connection.is_active
    with pytest.raises(Reconnect):
        bearer(connection)
    connection.refresh_from_db()
    assert connection.state == Connection.State.RECONNECT
    assert [call["status"] for call in sandbox.calls("POST", "/token")] == [None, 400]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["busy", "error", "unavailable", "garbage"])
def test_a_token_address_in_trouble_does_not_end_the_authorisation(
    connection: Connection, sandbox: Sandbox, kind: str
) -> None:
    expire(connection)
    sandbox.fault(kind, on=TOKEN, commit=False)
    with pytest.raises(TryLater):
        bearer(connection)
    connection.refresh_from_db()
    assert connection.is_active
    assert bearer(connection)


@pytest.mark.django_db
def test_a_revoked_authorisation_asks_for_another(
    connection: Connection, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    expire(connection)
    sandbox.fault("revoked")
    with pytest.raises(Reconnect), caplog.at_level(logging.DEBUG):
        bearer(connection)
    connection.refresh_from_db()
    assert connection.state == Connection.State.RECONNECT
    assert "invalid_grant" in caplog.text


@pytest.mark.django_db
def test_what_is_stored_prints_nothing_of_itself(stored: Connection) -> None:
    credential = Credential.objects.get()
    printed = f"{credential!r} {credential} {stored!r} {stored}"
    for secret in ("ACCESS", "REFRESH", credential.access, credential.refresh):
        assert secret not in printed


@pytest.mark.parametrize("refused", [False, True])
def test_a_renewal_begun_before_a_disconnect_does_not_touch_the_authorisation_after_it(
    stored: Connection, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Both are of the first generation."""

    def meanwhile() -> oauth.Tokens:
        Credential.objects.all().delete()
        tokens.store(stored, pair("AFTER"))
        if refused:
            raise Reconnect("It was revoked.")
        return pair("STALE")

    expire(stored)
    monkeypatch.setattr(oauth, "renew", renewing(meanwhile))
    assert bearer(stored) == ("AFTER" if refused else "STALE")
    stored.refresh_from_db()
    assert stored.is_active
    assert tokens.unseal(Credential.objects.get().access, connection=stored) == "AFTER"


def test_a_renewal_refused_after_a_disconnect_says_so(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended() -> oauth.Tokens:
        Credential.objects.all().delete()
        raise Reconnect("It was revoked.")

    expire(stored)
    monkeypatch.setattr(oauth, "renew", renewing(ended))
    with pytest.raises(Reconnect, match="has been ended"):
        bearer(stored)


def test_a_new_key_seals_what_the_old_one_did_and_then_the_old_one_can_be_dropped(
    stored: Connection, settings: Settings
) -> None:
    old, new = settings.TOKEN_KEYS[0], Fernet.generate_key().decode()
    settings.TOKEN_KEYS = [new, old]
    call_command("rotate_keys")
    settings.TOKEN_KEYS = [new]
    credential = Credential.objects.get()
    assert tokens.unseal(credential.refresh, connection=stored) == "REFRESH"
    assert bearer(stored) == "ACCESS"
    assert credential.renewing_until is None


def test_a_renewal_under_way_keeps_its_pair_from_a_rotation(
    stored: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(stored)

    def rotated_meanwhile() -> oauth.Tokens:
        with pytest.raises(TryLater):
            tokens.reseal(stored)
        return pair("ACCESS-2", "REFRESH-2")

    monkeypatch.setattr(oauth, "renew", renewing(rotated_meanwhile))
    assert bearer(stored) == "ACCESS-2"
    tokens.reseal(stored)
    assert tokens.unseal(Credential.objects.get().refresh, connection=stored) == "REFRESH-2"


def test_a_rotation_without_the_old_key_says_so_and_changes_nothing(stored: Connection, settings: Settings) -> None:
    before = Credential.objects.values().get()
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="Keep the old keys"):
        call_command("rotate_keys")
    assert Credential.objects.values().get() == before
