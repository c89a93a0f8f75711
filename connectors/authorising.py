"""From the platform's sign-in to the organisation that a person chooses: how a connection begins or comes back."""

import hmac
from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from connectors import epoch, lifecycle, oauth, tokens
from connectors.interface import Company, PlatformError, Rejected
from connectors.models import Connection
from connectors.oauth import AuthorisationFailed, Journey
from connectors.registry import PLATFORMS, endpoints
from connectors.services import DEADLINE, ChoiceRefused, open_connector


def begin(platform: str, *, redirect_uri: str) -> Journey:
    """Sets out for the platform's sign-in. Raises AuthorisationFailed where no credentials are configured."""
    connector = PLATFORMS[platform]
    return oauth.set_out(
        _configured(platform),
        platform=platform,
        redirect_uri=redirect_uri,
        scope=connector.scope,
        **connector.authorize_extra,
    )


def _configured(platform: str) -> oauth.Endpoints:
    if epoch.is_copy():
        raise AuthorisationFailed(epoch.COPY)
    where, name = endpoints(platform), platform.upper()
    if not where.configured:
        raise AuthorisationFailed(
            f"{PLATFORMS[platform].label} is not set up on this installation: {name}_CLIENT_ID and "
            f"{name}_CLIENT_SECRET are missing from its environment."
        )
    return where


def connect_as(platform: str, username: str, *, actor: User, now: datetime) -> Connection:
    """Connects as a user made for programs in the platform itself. Raises AuthorisationFailed and stores nothing."""
    try:
        pair = oauth.grant(_configured(platform), username=username, now=now)
    except PlatformError as error:
        raise AuthorisationFailed(f"{username or 'No name'} could not be signed in. {error.message}") from None
    return _connected(platform, pair, username=username, actor=actor, now=now)


def complete(
    journey: Journey | None, answer: Mapping[str, str], *, redirect_uri: str, actor: User, now: datetime
) -> Connection:
    """What the platform's redirect brought -> a connection with its tokens stored.

    Raises AuthorisationFailed and stores nothing when it was denied, has expired, was used before, or was not begun
    by this browser session.
    """
    journey, code = _checked(journey, answer)
    where = _configured(journey.platform)
    pair = oauth.exchange(where, redirect_uri=redirect_uri, code=code, verifier=journey.verifier, now=now)
    return _connected(journey.platform, pair, username="", actor=actor, now=now)


def _connected(platform: str, pair: oauth.Tokens, *, username: str, actor: User, now: datetime) -> Connection:
    companies = _companies_of(platform, pair)
    with transaction.atomic():
        connection = _connection_for(platform, companies)
        if connection.company_id:
            connection.state, connection.disconnected_at = Connection.State.ACTIVE, None
        connection.username, connection.authorised_at, connection.authorised_by = username, now, actor
        connection.paused_until = connection.warned_at = None
        connection.contact_at = now
        connection.save()
        tokens.store(connection, pair)
    return connection


def _checked(journey: Journey | None, answer: Mapping[str, str]) -> tuple[Journey, str]:
    if journey is None or not hmac.compare_digest(journey.state.encode(), answer.get("state", "").encode()):
        raise AuthorisationFailed(
            "This answer from Sage does not belong to an authorisation begun in this browser, or was used "
            "already. Press AUTHORISE again."
        )
    if answer.get("error") == "access_denied":
        raise AuthorisationFailed("Access was denied in Sage. Nothing was stored.")
    if answer.get("error") or not answer.get("code"):
        why = answer.get("reason") or answer.get("error_description") or answer.get("error") or "no code"
        raise AuthorisationFailed(f"Sage did not authorise Reflow: {why[:200]}. Press AUTHORISE again.")
    return journey, answer["code"]


def _companies_of(platform: str, pair: oauth.Tokens) -> tuple[Company, ...]:
    connector = PLATFORMS[platform](
        api_url=endpoints(platform).api_url, bearer=lambda refused: pair.access, deadline=DEADLINE
    )
    try:
        companies = connector.companies()
    except PlatformError as error:
        why = error.problems[0].meaning if isinstance(error, Rejected) else error.message
        raise AuthorisationFailed(f"Sage did not list its organisations. {why} Press AUTHORISE again.") from None
    if not companies:
        raise AuthorisationFailed("This Sage user has no organisation. Sign in to Sage as another user.")
    return companies


def _connection_for(platform: str, companies: tuple[Company, ...]) -> Connection:
    """The live connection authorised again, or a former one to the same books, or a new one."""
    live = Connection.objects.live().select_for_update().first()
    if live and live.company_id:
        _must_cover(live, platform, companies)
        return live
    live = live or Connection(state=Connection.State.CHOOSING)
    live.platform = platform
    return _settled(live, companies[0]) if len(companies) == 1 else live


def _must_cover(live: Connection, platform: str, companies: tuple[Company, ...]) -> None:
    if live.state == Connection.State.DISCONNECTING:
        raise AuthorisationFailed("Reflow is just being disconnected. Authorise again in a few minutes.")
    if live.platform != platform or live.company_id not in {company.id for company in companies}:
        raise AuthorisationFailed(
            f"Reflow is connected to {live.company_name}, and this authorisation does not cover it. "
            "Nothing was changed. To send to another organisation, disconnect first."
        )


def _settled(connection: Connection, company: Company) -> Connection:
    """The connection fixed to this company: the former one to the same books, if there was one, with all its links."""
    former = lifecycle.former(connection.platform, company.id)
    if former is None:
        connection.company_id, connection.company_name = company.id, company.name
        return connection
    if Connection.objects.filter(pk=connection.pk).exists():
        tokens.move(connection, former)
        connection.delete()
    return former


def choose_company(connection: Connection, company_id: str) -> Connection:
    """Fixes the organisation, once. Raises ChoiceRefused when the platform does not offer it."""
    offered = {company.id: company for company in open_connector(connection).companies()}
    if company_id not in offered:
        raise ChoiceRefused("Sage does not offer that organisation. Choose one of the list.")
    with transaction.atomic():
        current = Connection.objects.select_for_update().get(pk=connection.pk)
        if current.state != Connection.State.CHOOSING:
            raise ChoiceRefused(f"The organisation is chosen already: {current.company_name}.")
        chosen = _settled(current, offered[company_id])
        chosen.authorised_at, chosen.authorised_by = current.authorised_at, current.authorised_by
        chosen.username = current.username
        chosen.state, chosen.disconnected_at = Connection.State.ACTIVE, None
        chosen.save()
    return chosen


__all__ = ["AuthorisationFailed", "ChoiceRefused", "Journey"]
