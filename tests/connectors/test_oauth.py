"""The way out to the platform and back, and the renewal of a token: each answer it can get."""

import base64
import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from connectors import oauth, tokens
from connectors.interface import PlatformError, Reconnect, TryLater
from connectors.oauth import AuthorisationFailed, Endpoints, Tokens
from tests.connectors.peer import Talk, answered, listening

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
CALLBACK = "https://reflow.example/settings/connector/callback/"
TOKEN_URL = "https://oauth.sage.example/token"
CODE = "GB/0123abc+/=& d"
WHERE = Endpoints(
    authorize_url="https://www.sage.example/oauth2/auth/central",
    token_url=TOKEN_URL,
    revoke_url="https://oauth.sage.example/revoke",
    api_url="https://api.sage.example/v3.1",
    client_id="uuid/uuid",
    client_secret="s3cr$t&/+",
)
PAIR: dict[str, Any] = {
    "access_token": "ACCESS-1",
    "scope": "full_access",
    "token_type": "bearer",
    "expires_in": 300,
    "refresh_token": "REFRESH-1",
    "refresh_token_expires_in": 2678400,
    "requested_by_id": "7d0c1f1e-2b7a-4c55-9b3e-0a6f8f1f2d11",
}


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mocked:
        yield mocked


def sent(wire: responses.RequestsMock) -> dict[str, list[str]]:
    (call,) = wire.calls
    return parse_qs(str(call.request.body), keep_blank_values=True)


def exchange() -> Tokens:
    return oauth.exchange(WHERE, redirect_uri=CALLBACK, code=CODE, verifier="v" * 64, now=NOW)


def renew() -> Tokens:
    return oauth.renew(WHERE, refresh_token="REFRESH-0", now=NOW)


def setting_out() -> oauth.Journey:
    return oauth.set_out(
        WHERE, platform="sage_accounting", redirect_uri=CALLBACK, scope="full_access", filter="apiv3.1"
    )


def test_the_way_out_carries_all_that_the_platform_asks_for() -> None:
    journey = setting_out()
    parts = urlsplit(journey.url)
    asked = parse_qs(parts.query)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(journey.verifier.encode()).digest()).rstrip(b"=").decode()
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == WHERE.authorize_url
    assert asked == {
        "response_type": ["code"],
        "client_id": ["uuid/uuid"],
        "redirect_uri": [CALLBACK],
        "scope": ["full_access"],
        "state": [journey.state],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
        "filter": ["apiv3.1"],
    }


def test_no_two_journeys_share_a_state_or_a_verifier() -> None:
    journeys = [setting_out() for _ in range(20)]
    assert len({journey.state for journey in journeys}) == 20
    assert len({journey.verifier for journey in journeys}) == 20
    assert all(len(journey.state) >= 20 and len(journey.verifier) >= 43 for journey in journeys)


def test_a_journey_comes_back_out_of_the_session_as_it_went_in() -> None:
    journey = setting_out()
    assert oauth.Journey(**json.loads(json.dumps(asdict(journey)))) == journey


def test_a_code_with_a_slash_in_it_is_exchanged_as_it_came(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN_URL, json=PAIR)
    tokens = exchange()
    assert sent(wire) == {
        "grant_type": ["authorization_code"],
        "code": [CODE],
        "redirect_uri": [CALLBACK],
        "code_verifier": ["v" * 64],
        "client_id": ["uuid/uuid"],
        "client_secret": ["s3cr$t&/+"],
    }
    assert tokens == Tokens(
        access="ACCESS-1",
        refresh="REFRESH-1",
        access_expires_at=NOW + timedelta(seconds=300),
        refresh_expires_at=NOW + timedelta(days=31),
    )


def test_a_renewal_spends_the_refresh_token_and_brings_the_next_pair(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN_URL, json=PAIR)
    assert renew().refresh == "REFRESH-1"
    assert {name: sent(wire)[name] for name in ("grant_type", "refresh_token", "client_id", "client_secret")} == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["REFRESH-0"],
        "client_id": ["uuid/uuid"],
        "client_secret": ["s3cr$t&/+"],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"refresh_token_expires_in": ...}, None),
        ({"refresh_token_expires_in": 60}, NOW + timedelta(seconds=60)),
        ({"refresh_token_expires_in": "60"}, NOW + timedelta(seconds=60)),
    ],
)
def test_a_refresh_token_lives_as_long_as_the_platform_says(
    wire: responses.RequestsMock, given: dict[str, Any], expected: datetime | None
) -> None:
    wire.post(TOKEN_URL, json={name: value for name, value in {**PAIR, **given}.items() if value is not ...})
    assert exchange().refresh_expires_at == expected


def refusal(error: str, status: int = 400) -> dict[str, Any]:
    return {"status": status, "json": {"error": error}}


FAILURES: list[tuple[str, dict[str, Any], type[PlatformError]]] = [
    # what the token address answers, and what a renewal makes of it
    ("invalid_grant", refusal("invalid_grant"), Reconnect),
    ("invalid_client", refusal("invalid_client"), Reconnect),
    ("invalid_client-401", refusal("invalid_client", 401), Reconnect),
    ("unauthorized_client", refusal("unauthorized_client"), Reconnect),
    ("invalid_request", refusal("invalid_request"), TryLater),
    ("unsupported_grant_type", refusal("unsupported_grant_type"), TryLater),
    ("temporarily_unavailable", refusal("temporarily_unavailable", 503), TryLater),
    ("unheard-of", refusal("unheard_of"), TryLater),
    ("too-many", {"status": 429, "body": "slow down"}, TryLater),
    ("server-error", {"status": 500, "body": "<html>oops</html>"}, TryLater),
    ("gateway", {"status": 502, "body": ""}, TryLater),
    ("web-page", {"status": 200, "body": "<html>Welcome to the guest network</html>"}, TryLater),
    ("empty", {"status": 200, "body": ""}, TryLater),
    ("list", {"status": 200, "body": "[]"}, TryLater),
    ("list-of-numbers", {"status": 200, "body": "[1, 2]"}, TryLater),
    ("null", {"status": 200, "body": "null"}, TryLater),
    ("number", {"status": 200, "body": "5"}, TryLater),
    ("text", {"status": 200, "body": '"hello"'}, TryLater),
    ("no-access", {"json": {**PAIR, "access_token": ""}}, TryLater),
    ("no-life", {"json": {**PAIR, "expires_in": "a while"}}, TryLater),
    ("endless-life", {"json": {**PAIR, "expires_in": 10**15}}, TryLater),
    ("odd-refresh-life", {"json": {**PAIR, "refresh_token_expires_in": "a while"}}, TryLater),
    ("refused", {"body": requests.ConnectionError("refused")}, TryLater),
    ("slow", {"body": requests.ReadTimeout("slow")}, TryLater),
    ("unsafe", {"body": requests.exceptions.SSLError("certificate")}, TryLater),
    ("half", {"body": requests.exceptions.ChunkedEncodingError("half")}, TryLater),
]
ANSWERS = [pytest.param(answer, id=name) for name, answer, _ in FAILURES]
RENEWALS = [pytest.param(answer, error, id=name) for name, answer, error in FAILURES]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_exchange_that_fails_says_so_and_what_to_do(
    wire: responses.RequestsMock, answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    wire.post(TOKEN_URL, **answer)
    with pytest.raises(AuthorisationFailed) as failed, caplog.at_level(logging.DEBUG):
        exchange()
    assert "Press AUTHORISE again." in str(failed.value) or "Try again" in str(failed.value)
    for secret in (CODE, "s3cr$t", "ACCESS-1", "REFRESH-1", "v" * 64):
        assert secret not in str(failed.value) + repr(failed.value) + caplog.text


@pytest.mark.parametrize(("answer", "error"), RENEWALS)
def test_a_renewal_that_fails_says_what_comes_next(
    wire: responses.RequestsMock, answer: dict[str, Any], error: type[PlatformError]
) -> None:
    wire.post(TOKEN_URL, **answer)
    with pytest.raises(error) as failed:
        renew()
    assert type(failed.value) is error
    assert "REFRESH-0" not in str(failed.value)


def test_a_renewal_whose_answer_drips_is_over_at_its_deadline() -> None:
    def manners(talk: Talk) -> None:
        talk.hear()
        talk.drip(b"".join(answered(json.dumps(PAIR).encode(), "200 OK")))  # a time-out between two bytes never comes

    with listening(manners) as peer:
        began = time.monotonic()
        with pytest.raises(TryLater):
            oauth.renew(
                replace(WHERE, token_url=peer.url), refresh_token="REFRESH-0", now=NOW, deadline=timedelta(seconds=0.3)
            )
        assert 0.25 < time.monotonic() - began < 2
        assert peer.connections == 1


def test_a_renewal_is_over_before_its_lease_is() -> None:
    assert tokens.DEADLINE < tokens.LEASE / 1.5


def test_an_exchange_without_a_refresh_token_is_no_authorisation(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN_URL, json={**PAIR, "refresh_token": ""})
    with pytest.raises(AuthorisationFailed):
        exchange()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_secret_follows_a_redirect(wire: responses.RequestsMock, status: int) -> None:
    wire.post(TOKEN_URL, status=status, headers={"Location": "https://elsewhere.example/token"})
    with pytest.raises(AuthorisationFailed):
        exchange()
    with pytest.raises(TryLater):
        renew()
    assert [call.request.url for call in wire.calls] == [TOKEN_URL, TOKEN_URL]


def test_nothing_of_a_secret_stands_in_what_is_printed(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN_URL, json=PAIR)
    tokens, journey = exchange(), setting_out()
    printed = repr(tokens) + str(tokens) + repr(WHERE) + repr(journey)
    for secret in ("ACCESS-1", "REFRESH-1", "s3cr$t", journey.verifier):
        assert secret not in printed


@pytest.mark.parametrize(
    ("api_url", "is_sandbox"), [("http://127.0.0.1:8001/accounting/v3.1", True), ("https://api.sage.example", False)]
)
def test_only_plain_http_is_a_sandbox(api_url: str, is_sandbox: bool) -> None:
    assert Endpoints(**{**asdict(WHERE), "api_url": api_url}).is_sandbox is is_sandbox


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
def test_a_platform_without_credentials_is_not_configured(missing: str) -> None:
    assert WHERE.configured
    assert not Endpoints(**{**asdict(WHERE), missing: ""}).configured
