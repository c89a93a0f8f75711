"""Signing in at the pretend Sage: the authorise, sign-in and consent pages, and the token endpoint."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import unquote, urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.accounting.catalogue import PEOPLE, Person, find_person, sign_in
from sandbox.accounting.grants import ACCESS_LIFE, REFRESH_LIFE, Asked, Grants, Tokens
from sandbox.context import sandbox

oauth = Blueprint("accounting_oauth", __name__, url_prefix="/accounting")

SCOPES = frozenset({"full_access", "readonly"})
Page = str | tuple[str, int] | AnyResponse


class TokenRefused(Exception):
    """An RFC 6749 error, always sent with HTTP 400."""


def _grants() -> Grants:
    return Grants(sandbox().store)


@oauth.get("/oauth2/auth/central")
def authorise() -> Page:
    """`filter`, `country` and `locale` are tolerated; this pretend Sage is always GB."""
    asked = _read_asked(request.args)
    if asked.client_id != sandbox().config.client_id:
        return _problem("This application is not known here. Check the client id it is set up with.")
    if not sandbox().config.accepts_redirect(asked.redirect_uri):
        return _problem("The address to return to is not registered for this application.")
    if request.args.get("response_type") != "code":
        return _go_back(asked, error="unsupported_response_type")
    if asked.scope not in SCOPES:
        return _go_back(asked, error="invalid_scope")
    if asked.challenge and asked.challenge_method not in ("S256", "plain"):
        return _go_back(asked, error="invalid_request")
    return _sign_in_page(_grants().begin_visit(asked, sandbox().now()))


@oauth.post("/sign-in")
def sign_in_posted() -> Page:
    visit, username = request.form.get("visit", ""), request.form.get("username", "")
    found = _grants().find_visit(visit, sandbox().now())
    if found is None:
        return _visit_over()
    person = sign_in(username, request.form.get("password", ""))
    if person is None:
        return _sign_in_page(visit, username=username, wrong=True), 422
    _grants().sign_in(visit, person.id)
    return _consent_page(visit, found[0], person, [person.businesses[0].id])


@oauth.post("/consent")
def consent_posted() -> Page:
    visit = request.form.get("visit", "")
    asked, person_id = _grants().find_visit(visit, sandbox().now()) or (None, None)
    if asked is None or person_id is None:
        return _visit_over()
    person = find_person(person_id)
    chosen = person.allowed(request.form.getlist("organisations"))
    allowed = request.form.get("decision") == "allow"
    if allowed and not chosen:
        return _consent_page(visit, asked, person, [], nothing_chosen=True), 422
    _grants().end_visit(visit)
    if not allowed:
        return _go_back(asked, error="access_denied")
    return _go_back(asked, code=_grants().issue_code(asked, person_id, chosen, sandbox().now()), country="GB")


@oauth.post("/token")
def token() -> AnyResponse:
    client_id = _proven_client()
    grant_type = request.form.get("grant_type")
    ways = {"authorization_code": _exchange_code, "refresh_token": _renew}
    if not grant_type:
        raise TokenRefused("invalid_request")
    if grant_type not in ways:
        raise TokenRefused("unsupported_grant_type")
    return _token_answer(ways[grant_type](client_id))


@oauth.post("/revoke")
def revoke() -> AnyResponse:
    _proven_client()
    _grants().revoke(request.form.get("token", ""))
    return jsonify({"success": "ok"})


@oauth.errorhandler(TokenRefused)
def token_refused(refusal: TokenRefused) -> tuple[Response, int]:
    return jsonify({"error": str(refusal)}), 400


def _proven_client() -> str:
    """The client's id, its secret being right; both in the form or, percent-encoded, in a Basic header."""
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        given = (unquote(basic.username or ""), unquote(basic.password or ""))
    else:
        given = (request.form.get("client_id", ""), request.form.get("client_secret", ""))
    config = sandbox().config
    if given != (config.client_id, config.client_secret):
        raise TokenRefused("invalid_client")
    return given[0]


def _exchange_code(client_id: str) -> Tokens:
    now = sandbox().now()
    taken = _grants().take_code(request.form.get("code", ""), now)
    if taken is None:
        raise TokenRefused("invalid_grant")
    asked, grant = taken
    same_request = (asked.client_id, asked.redirect_uri) == (client_id, request.form.get("redirect_uri"))
    if not same_request or not _proves(asked, request.form.get("code_verifier", "")):
        raise TokenRefused("invalid_grant")
    return _grants().issue_tokens(grant, now)


def _renew(client_id: str) -> Tokens:
    now = sandbox().now()
    with sandbox().store.transaction():
        grant = _grants().find_refresh(request.form.get("refresh_token", ""), client_id, now)
        if grant is None:
            raise TokenRefused("invalid_grant")
        return _grants().issue_tokens(grant, now)


def _proves(asked: Asked, verifier: str) -> bool:
    if not asked.challenge:
        return True
    if asked.challenge_method == "plain":
        return compare_digest(verifier, asked.challenge)
    digest = sha256(verifier.encode()).digest()
    return compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), asked.challenge)


def _token_answer(tokens: Tokens) -> Response:
    response = jsonify(
        {
            "access_token": tokens.access,
            "scope": tokens.grant.scope,
            "token_type": "bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "refresh_token": tokens.refresh,
            "refresh_token_expires_in": int(REFRESH_LIFE.total_seconds()),
            "requested_by_id": tokens.grant.person_id,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _read_asked(query: Mapping[str, str]) -> Asked:
    return Asked(
        client_id=query.get("client_id", ""),
        redirect_uri=query.get("redirect_uri", ""),
        scope=query.get("scope") or "full_access",
        state=query.get("state", ""),
        challenge=query.get("code_challenge", ""),
        challenge_method=query.get("code_challenge_method", "plain"),
    )


def _go_back(asked: Asked, **result: str) -> AnyResponse:
    if asked.state:
        result["state"] = asked.state
    joint = "&" if "?" in asked.redirect_uri else "?"
    return redirect(f"{asked.redirect_uri}{joint}{urlencode(result)}", 303)


def _sign_in_page(visit: str, *, username: str = "", wrong: bool = False) -> str:
    return render_template("accounting/sign_in.html", visit=visit, username=username, wrong=wrong, people=PEOPLE)


def _consent_page(visit: str, asked: Asked, person: Person, ticked: list[str], *, nothing_chosen: bool = False) -> str:
    return render_template(
        "accounting/consent.html",
        visit=visit,
        person=person,
        ticked=ticked,
        read_only=asked.scope == "readonly",
        nothing_chosen=nothing_chosen,
        application=sandbox().config.client_name,
    )


def _visit_over() -> Page:
    return _problem("This sign-in has expired or was already used. Go back to the application and start again.")


def _problem(message: str) -> Page:
    return render_template("problem.html", title="Sign-in can't go on", message=message), 400
