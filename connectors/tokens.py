"""The vault: tokens encrypted with keys of their own, and renewed by one process at a time.

A rotating refresh token is spent by the call that uses it, so two renewals at once would kill the authorisation.
The renewal is guarded by a lease row, not by a lock: nothing is held in Postgres while we talk to the platform.
After a crash the lease runs out and the stored token is tried once more; the platform's word then decides.
"""

import json
import logging
import time
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from connectors import budget, oauth
from connectors.interface import Reconnect, TryLater
from connectors.models import Connection, Credential

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
LEASE = timedelta(seconds=40) / settings.CLOCK_DIVISOR
DEADLINE = oauth.DEADLINE / settings.CLOCK_DIVISOR
WAIT_SECONDS = 20 / settings.CLOCK_DIVISOR
KEEP_SECONDS = 60  # a database that is away is no clock of ours


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TOKEN_KEYS])


def seal(token: str, *, connection: Connection) -> str:
    """The token as ciphertext that opens for this connection only."""
    return _box().encrypt(json.dumps([str(connection.pk), token]).encode()).decode()


def unseal(ciphertext: str, *, connection: Connection) -> str:
    """Raises Reconnect when no key of TOKEN_KEYS opens it, or it was sealed for another connection."""
    try:
        owner, token = json.loads(_box().decrypt(ciphertext.encode()))
    except InvalidToken:
        raise Reconnect("The stored authorisation can't be opened with the keys in TOKEN_KEYS.") from None
    if owner != str(connection.pk):
        raise Reconnect("The stored authorisation belongs to another connection.")
    return str(token)


def store(connection: Connection, tokens: oauth.Tokens) -> None:
    """Keeps the tokens of a new authorisation; a renewal of older ones still under way then comes too late."""
    sealed = _sealed(connection, tokens)
    Credential.objects.update_or_create(
        connection=connection, defaults={**sealed, "generation": F("generation") + 1}, create_defaults=sealed
    )


def _sealed(connection: Connection, tokens: oauth.Tokens) -> dict[str, object]:
    return {
        "access": seal(tokens.access, connection=connection),
        "refresh": seal(tokens.refresh, connection=connection),
        "access_expires_at": tokens.access_expires_at,
        "refresh_expires_at": tokens.refresh_expires_at,
        "renewing_until": None,
    }


def move(old: Connection, new: Connection) -> None:
    """Hands the tokens of one connection to another, sealed anew for it."""
    credential = Credential.objects.select_for_update().get(connection=old)
    kept = {
        "access": seal(unseal(credential.access, connection=old), connection=new),
        "refresh": seal(unseal(credential.refresh, connection=old), connection=new),
        "access_expires_at": credential.access_expires_at,
        "refresh_expires_at": credential.refresh_expires_at,
    }
    credential.delete()
    Credential.objects.create(connection=new, **kept)


def reseal(connection: Connection) -> None:
    """Encrypts its tokens anew with the first of TOKEN_KEYS. Raises TryLater while they are being renewed."""
    credential = _credential(connection)
    access, refresh = (unseal(text, connection=connection) for text in (credential.access, credential.refresh))
    if not _claim(credential):  # whoever renews knows the pair that it spends by its ciphertext
        raise TryLater("Its tokens are just being renewed.")
    Credential.objects.filter(pk=credential.pk, renewing_fence=credential.renewing_fence + 1).update(
        access=seal(access, connection=connection), refresh=seal(refresh, connection=connection), renewing_until=None
    )


def bearer(connection: Connection, endpoints: oauth.Endpoints, refused: str = "", *, renew: bool = False) -> str:
    """What one call takes: one of the calls we have, and a token that lives a minute yet and was not just refused.

    With `renew`, a new one at any rate.

    Raises Reconnect when the platform no longer renews it, TryLater when it can't be told now or this is a copy.
    """
    budget.spend(connection)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        credential = _credential(connection)
        token = unseal(credential.access, connection=connection)
        if renew:
            refused = token
            renew = False
        if token != refused and credential.access_expires_at - FRESH > timezone.now():
            return token
        if _claim(credential):
            return _renew(credential, connection, endpoints)
        if time.monotonic() > deadline:
            raise TryLater("Another worker is renewing our access to Sage.", after=5)
        time.sleep(0.1)


def _credential(connection: Connection) -> Credential:
    try:
        return Credential.objects.get(connection=connection)
    except Credential.DoesNotExist:
        raise Reconnect("There is no authorisation to use.") from None


def _claim(credential: Credential) -> bool:
    """Takes the renewal lease if it is free and nobody has renewed since we read the row."""
    now = timezone.now()
    free = Q(renewing_until=None) | Q(renewing_until__lt=now)
    credential.renewing_until = now + LEASE
    claimed = Credential.objects.filter(
        free, pk=credential.pk, generation=credential.generation, renewing_fence=credential.renewing_fence
    ).update(renewing_until=credential.renewing_until, renewing_fence=F("renewing_fence") + 1)
    return claimed == 1


def _renew(credential: Credential, connection: Connection, endpoints: oauth.Endpoints) -> str:
    fence = credential.renewing_fence + 1
    try:
        tokens = _fresh(credential, connection, endpoints)
    except TryLater:
        _let_go(credential, fence)
        raise
    except Reconnect:
        return _after_refusal(credential, connection, fence)
    _keep(credential, _sealed(connection, tokens))
    log.info("Renewed the access to %s", connection.platform)
    return tokens.access


def _fresh(credential: Credential, connection: Connection, endpoints: oauth.Endpoints) -> oauth.Tokens:
    """The next pair: asked for anew by a user made for programs, else by the refresh token.

    Whoever slept since it took the lease asks nothing: another may be spending the same token.
    """
    if credential.renewing_until is None or timezone.now() + DEADLINE > credential.renewing_until:
        raise TryLater("Our turn to renew the access to Sage had ended before we asked.", after=5)
    if connection.username:
        return oauth.grant(endpoints, username=connection.username, now=timezone.now(), deadline=DEADLINE)
    refresh = unseal(credential.refresh, connection=connection)
    return oauth.renew(endpoints, refresh_token=refresh, now=timezone.now(), deadline=DEADLINE)


def _let_go(credential: Credential, fence: int) -> None:
    Credential.objects.filter(pk=credential.pk, renewing_fence=fence).update(renewing_until=None)


def _after_refusal(credential: Credential, connection: Connection, fence: int) -> str:
    """A refused token is believed only if nobody renewed it meanwhile: then a person authorises again."""
    with transaction.atomic():
        current = Credential.objects.select_for_update().filter(pk=credential.pk).first()
        if current is None:
            raise Reconnect("The authorisation has been ended.")
        if (current.generation, current.refresh) != (credential.generation, credential.refresh):
            return unseal(current.access, connection=connection)
        Credential.objects.filter(pk=credential.pk, renewing_fence=fence).update(renewing_until=None)
        Connection.objects.filter(pk=connection.pk, state=Connection.State.ACTIVE).update(
            state=Connection.State.RECONNECT
        )
    raise Reconnect("Sage no longer accepts our authorisation.")


def _keep(credential: Credential, sealed: dict[str, object]) -> None:
    """Writes the new pair before anybody uses it; the old one is spent, so a failing database is tried for a minute.

    The generation guards it, not the fence: one refresh token gives one pair only, so whoever got it may store it. As
    generations begin anew with an authorisation after a disconnect, the spent token itself has to be there yet, too.
    """
    deadline = time.monotonic() + KEEP_SECONDS
    while True:
        try:
            Credential.objects.filter(
                pk=credential.pk, generation=credential.generation, refresh=credential.refresh
            ).update(**sealed, generation=F("generation") + 1)
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            log.warning("The database did not take the renewed tokens; trying again.")
            time.sleep(1)
            close_old_connections()
