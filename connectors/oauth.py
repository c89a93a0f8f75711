"""OAuth 2.0: the authorization code with state and PKCE, client credentials, and renewal by a refresh token."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient, Client, OAuth2Error, WebApplicationClient
from requests_oauthlib import OAuth2Session

from connectors.http import Watched
from connectors.interface import PlatformError, Reconnect, TryLater

log = logging.getLogger(__name__)

DEADLINE = timedelta(seconds=20)  # of one call to its last byte; below the 40 s lease of a renewal
CONNECT_SECONDS = 5
UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError)  # what an answer that is no token answer ends in
TROUBLE = (OAuth2Error, requests.RequestException, *UNREADABLE)
# What says that the authorisation is dead: OAuth 2.0 (RFC 6749, 5.2), and Sage Intacct's "Error handling".
DEAD = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "tokenInvalid"}
    | {"REST-2102", "REST-1206", "REST-1216", "GW-0011"}
)


class AuthorisationFailed(Exception):
    """The platform did not give us tokens; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a platform authorises, and who we are there. Addresses are https, or loopback for a sandbox."""

    authorize_url: str
    token_url: str
    revoke_url: str
    api_url: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def configured(self) -> bool:
        return bool(self.client_id and self.client_secret)

    @property
    def is_sandbox(self) -> bool:
        """Plain http is let through to this machine or SANDBOX_HOST only, never to the real platform."""
        return self.api_url.startswith("http://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One way out to the platform and back; only the browser session that began it may end it."""

    platform: str
    url: str
    state: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A pair of tokens and the moments they die, counted from when the answer came."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_expires_at: datetime
    refresh_expires_at: datetime | None


def set_out(endpoints: Endpoints, *, platform: str, redirect_uri: str, scope: str, **extra: str) -> Journey:
    client = WebApplicationClient(endpoints.client_id)
    verifier = client.create_code_verifier(64)
    session = OAuth2Session(client=client, redirect_uri=redirect_uri, scope=scope)
    url, state = session.authorization_url(
        _allowed(endpoints.authorize_url),
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        **extra,
    )
    return Journey(platform=platform, url=url, state=state, verifier=verifier)


def exchange(endpoints: Endpoints, *, redirect_uri: str, code: str, verifier: str, now: datetime) -> Tokens:
    """The code -> tokens. Raises AuthorisationFailed; the code is spent either way (60 s, single use)."""
    try:
        with _session(WebApplicationClient(endpoints.client_id), DEADLINE) as session:
            session.redirect_uri = redirect_uri
            answer = session.fetch_token(
                _allowed(endpoints.token_url),
                code=code,
                code_verifier=verifier,
                client_secret=endpoints.client_secret,
                include_client_id=True,
                timeout=_timeouts(DEADLINE),
            )
        return _tokens(answer, now)
    except (OAuth2Error, *UNREADABLE) as error:
        log.warning("The code was refused: %s", getattr(error, "error", type(error).__name__))
        raise AuthorisationFailed(
            "Sage did not accept the authorisation: it may have taken longer than a minute, or been used "
            "already. Press AUTHORISE again."
        ) from None
    except requests.RequestException as error:
        log.warning("The token address did not answer: %s", type(error).__name__)
        raise AuthorisationFailed(
            "Sage could not be reached to finish the authorisation. Try again in a minute."
        ) from None


def renew(endpoints: Endpoints, *, refresh_token: str, now: datetime, deadline: timedelta = DEADLINE) -> Tokens:
    """A refresh token, spent by this call -> the next pair; where no new one comes, the old one goes on living.

    Raises Reconnect when the platform calls it invalid, TryLater when there was no clear answer (then the token
    may or may not be spent, and may be tried once more).
    """
    try:
        with _session(WebApplicationClient(endpoints.client_id), deadline) as session:
            answer = session.refresh_token(
                _allowed(endpoints.token_url),
                refresh_token=refresh_token,
                client_id=endpoints.client_id,
                client_secret=endpoints.client_secret,
                timeout=_timeouts(deadline),
            )
        return _tokens(answer, now)
    except TROUBLE as error:
        raise _refusal(error, "Sage no longer accepts our authorisation.") from None


def grant(endpoints: Endpoints, *, username: str, now: datetime, deadline: timedelta = DEADLINE) -> Tokens:
    """The client credentials grant: who we are, and a user made for programs -> a token, with or without a refresh.

    Raises Reconnect when the platform refuses that user, TryLater when there was no clear answer.
    """
    try:
        with _session(BackendApplicationClient(endpoints.client_id), deadline) as session:
            answer = session.fetch_token(
                _allowed(endpoints.token_url),
                client_secret=endpoints.client_secret,
                include_client_id=True,
                username=username,
                timeout=_timeouts(deadline),
            )
        return _tokens(answer, now, alone=True)
    except TROUBLE as error:
        raise _refusal(error, "Sage does not accept this user.") from None


@contextmanager
def _session(client: Client, deadline: timedelta) -> Iterator[OAuth2Session]:
    """Its connection is cut at the deadline: an answer that drips must not outlive the lease of a renewal."""
    session, watched = OAuth2Session(client=client), Watched()
    session.max_redirects = 0
    for scheme in ("http://", "https://"):
        session.mount(scheme, watched)
    for kind in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(kind, _flattened)
    timer = threading.Timer(deadline.total_seconds(), watched.line.cut)
    timer.start()
    try:
        yield session
    finally:
        timer.cancel()
        session.close()


def _timeouts(deadline: timedelta) -> tuple[Any, Any]:
    """To connect, and between two bytes of the answer."""
    return min(CONNECT_SECONDS, deadline.total_seconds()), deadline.total_seconds()


def _flattened(response: requests.Response) -> requests.Response:
    """OAuth 2.0 wants an error's code under `error`; Sage Intacct nests the error of a token call as any other's."""
    try:
        error = _nested_error(response.json())
    except ValueError:
        return response
    if error:
        code = error.get("errorId") if error.get("errorId") in DEAD else error.get("code")
        flat = {"error": str(code), "error_description": str(error.get("message") or "")}
        response._content = json.dumps(flat).encode()  # as compliance hooks do
    return response


def _nested_error(body: Any) -> dict[str, Any] | None:
    for inner in body.values() if isinstance(body, dict) else ():
        if isinstance(inner, dict):
            return inner if "code" in inner else _nested_error(inner)
    return None


def _refusal(error: Exception, meaning: str) -> PlatformError:
    """What kept the token address from giving us tokens -> what comes next; `meaning` is what a refusal means here."""
    if not isinstance(error, OAuth2Error):
        log.warning("The token address gave no answer: %s", type(error).__name__)
        return TryLater("Sage could not be reached to renew our access.")
    log.warning("The token address refused: %s", error.error)
    said = f" It says: {error.description[:200]}" if error.description else ""
    return Reconnect(meaning + said) if error.error in DEAD else TryLater(f"Sage did not renew our access.{said}")


def revoke(endpoints: Endpoints, *, token: str) -> bool:
    """Ends the authorisation over there; True when the platform said so. The access token may live on to its end."""
    form = {"client_id": endpoints.client_id, "client_secret": endpoints.client_secret, "token": token}
    try:
        answer = requests.post(endpoints.revoke_url, data=form, timeout=_timeouts(DEADLINE), allow_redirects=False)
    except (requests.RequestException, *UNREADABLE) as error:
        log.warning("The revoke address did not answer: %s", type(error).__name__)
        return False
    return answer.ok


def _allowed(url: str) -> str:
    """oauthlib refuses plain http; settings let it through for a sandbox only, so here it may pass."""
    if url.startswith("http://"):
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    return url


def _tokens(answer: dict[str, Any], now: datetime, *, alone: bool = False) -> Tokens:
    """Lifetimes as the platform says them, as its guide "Authentication" asks. Raises ValueError.

    Without a refresh token there is nothing to go on with, unless the token may stand `alone`.
    """
    refresh_life = answer.get("refresh_token_expires_in")
    if not answer.get("access_token") or not (answer.get("refresh_token") or alone):
        raise ValueError("The answer held no tokens.")
    return Tokens(
        access=str(answer["access_token"]),
        refresh=str(answer.get("refresh_token") or ""),
        access_expires_at=now + timedelta(seconds=int(answer.get("expires_in", 300))),
        refresh_expires_at=now + timedelta(seconds=int(refresh_life)) if refresh_life else None,
    )
