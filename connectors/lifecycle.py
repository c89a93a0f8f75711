"""How a connection ends, comes back to the same books, and is kept from dying of age."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction

from connectors import epoch, oauth, tokens
from connectors.interface import PlatformError, Reconnect
from connectors.models import Connection, Credential
from connectors.registry import endpoints

log = logging.getLogger(__name__)

RENEW_WITHIN = timedelta(days=17)  # of its 31: a fortnight of quiet at most before it is renewed
WARN_WITHIN = timedelta(days=7)
WARN_EVERY = timedelta(days=1)


def begin_disconnect(connection: Connection) -> bool:
    """Nothing new is sent from here on; what is under way ends first. False when somebody was quicker, or in a copy."""
    if epoch.is_copy():
        return False
    live = [Connection.State.ACTIVE, Connection.State.RECONNECT]
    return bool(
        Connection.objects.filter(pk=connection.pk, state__in=live).update(state=Connection.State.DISCONNECTING)
    )


def give_up_choosing(connection: Connection) -> None:
    """An authorisation for which no organisation was ever chosen leaves nothing behind."""
    _revoke(connection, _revocable(connection))
    Connection.objects.filter(pk=connection.pk, state=Connection.State.CHOOSING).delete()


def finish_disconnect(connection: Connection, *, now: datetime) -> None:
    """Forgets the tokens, revokes, and keeps every link and number.

    In this order, so that of two who end it at once the slower one never touches a new authorisation.
    """
    with transaction.atomic():
        ended = Connection.objects.filter(pk=connection.pk, state=Connection.State.DISCONNECTING).update(
            state=Connection.State.DISCONNECTED, disconnected_at=now
        )
        if not ended:
            return
        token = _revocable(connection)
        Credential.objects.filter(connection=connection).delete()
    _revoke(connection, token)


def _revocable(connection: Connection) -> str:
    """The refresh token, the access token where there is no other, or "" where there is none that we can open."""
    try:
        credential = Credential.objects.get(connection=connection)
        refresh = tokens.unseal(credential.refresh, connection=connection)
        return refresh or tokens.unseal(credential.access, connection=connection)
    except (Credential.DoesNotExist, Reconnect):
        return ""


def _revoke(connection: Connection, token: str) -> None:
    if token and not epoch.is_copy() and not oauth.revoke(endpoints(connection.platform), token=token):
        log.warning("Sage did not confirm that the authorisation is revoked; it ends by itself in time.")


def former(platform: str, company_id: str) -> Connection | None:
    """The connection to the same books that was ended before, if there is one; it resumes, with all its links."""
    return Connection.objects.filter(
        platform=platform, company_id=company_id, state=Connection.State.DISCONNECTED
    ).first()


def keep_alive(*, now: datetime) -> None:
    """Renews an authorisation that nobody used for a fortnight, and warns the admins of one about to die."""
    for credential in Credential.objects.select_related("connection").exclude(refresh_expires_at=None):
        connection, dies_at = credential.connection, credential.refresh_expires_at or now
        if connection.is_active and dies_at - now < RENEW_WITHIN:
            try:
                tokens.bearer(connection, endpoints(connection.platform), renew=True)
                continue
            except PlatformError as error:
                log.warning("Could not renew the authorisation: %s", error.message)
        if dies_at - now < WARN_WITHIN:
            _warn(connection, dies_at, now)


def _warn(connection: Connection, dies_at: datetime, now: datetime) -> None:
    """A mail a day at most, to every admin who has an address."""
    if connection.warned_at and now - connection.warned_at < WARN_EVERY:
        return
    Connection.objects.filter(pk=connection.pk).update(warned_at=now)
    admins = User.objects.filter(groups__name="Admin", is_active=True).exclude(email="")
    send_mail(
        f"Reflow: the authorisation for {connection.company_name} ends on {dies_at:%d %B %Y}",
        "Reflow can no longer renew its access to Sage. Until somebody authorises again, invoices wait; none is "
        f"lost.\n\nPress AUTHORISE at {settings.SITE_URL}/settings/connector/\n",
        None,
        [admin.email for admin in admins],
        fail_silently=True,
    )
