"""Signing in at the pretend Intacct: the authorise, sign-in and consent pages, and the token and revoke endpoints.

Where an error stands in a token answer is not documented: here it is under a bare `error`, as Intacct's token layer
sends it elsewhere, with the words of RFC 6749 as its codes.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import sandbox
from sandbox.intacct.answers import GATEWAY, Refused, refuse
from sandbox.intacct.books import Books
from sandbox.intacct.catalogue import find_company
from sandbox.intacct.grants import Asked, Grant, Grants
from sandbox.intacct.people import PAIRED, PEOPLE, read_username, sign_in

oauth = Blueprint("intacct_oauth", __name__, url_prefix="/intacct")
oauth.register_error_handler(Refused, refuse)

OAUTH_PREFIX = "/ia/api/v1/oauth2"
OFFLINE = "offline_access"
Page = str | tuple[str, int] | AnyResponse


def _unusable(message: str, code: str = "invalid_request") -> Refused:
    return Refused(400, code, message, "REST-1028", nesting=GATEWAY)


def _wrong_client() -> Refused:
    message = "The Client ID, Client Secret, and/or 3rd Party Application are incorrect"
    return Refused(401, "invalid_client", message, "REST-1216", nesting=GATEWAY)


def _dead_grant() -> Refused:
    message_id = "IA.TOKEN_IS_INVALID"
    return Refused(400, "invalid_grant", "Token is not valid", "REST-2102", message_id=message_id, nesting=GATEWAY)


def _grants() -> Grants:
    return Grants(sandbox().store)


@oauth.get(f"{OAUTH_PREFIX}/authorize")
def authorise() -> Page:
    asked = _read_asked(request.args)
    if request.args.get("client_id") != sandbox().config.intacct_client_id:
        return _problem("This application is not known here. Check the client id it is set up with.")
    if not sandbox().config.accepts_redirect(asked.redirect_uri):
        return _problem("The address to return to is not registered for this application.")
    if request.args.get("response_type") != "code":
        return _go_back(asked, error="unsupported_response_type")
    if asked.challenge and request.args.get("code_challenge_method") != "S256":
        return _go_back(asked, error="invalid_request")
    return _sign_in_page(_grants().begin_visit(asked, sandbox().now()), {})


@oauth.post("/sign-in")
def sign_in_posted() -> Page:
    visit, form = request.form.get("visit", ""), request.form
    found = _grants().find_visit(visit, sandbox().now())
    if found is None:
        return _visit_over()
    person = sign_in(form.get("company_id", ""), form.get("user_id", ""), form.get("password", ""))
    if person is None:
        return _sign_in_page(visit, form, wrong=True), 422
    _grants().sign_in(visit, Grant(user_id=person.user_id, company_id=person.company_id))
    return render_template(
        "intacct/consent.html",
        visit=visit,
        person=person,
        company=find_company(person.company_id),
        offline=found[0].offline,
        application=sandbox().config.client_name,
    )


@oauth.post("/consent")
def consent_posted() -> Page:
    visit = request.form.get("visit", "")
    asked, who = _grants().find_visit(visit, sandbox().now()) or (None, None)
    if asked is None or who is None:
        return _visit_over()
    _grants().end_visit(visit)
    if request.form.get("decision") != "allow":
        return _go_back(asked, error="access_denied")
    return _go_back(asked, code=_grants().issue_code(asked, who, sandbox().now()))


@oauth.post(f"{OAUTH_PREFIX}/token")
def token() -> Response:
    given = _proven_body()
    ways = {"authorization_code": _exchange_code, "refresh_token": _renew, "client_credentials": _act_as}
    way = ways.get(given.get("grant_type", ""))
    if way is None:
        raise _unusable("The grant type is not supported", "unsupported_grant_type")
    return way(given)


@oauth.post(f"{OAUTH_PREFIX}/revoke")
def revoke() -> Response:
    """An unknown token is answered as any other, as RFC 7009 has it."""
    _grants().revoke(_proven_body().get("token", ""))
    return jsonify({})


def _proven_body() -> Mapping[str, str]:
    """The call's form or JSON object, the client's secret in it being right. Raises Refused."""
    body: Any = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(body, dict) or not all(isinstance(each, str) for each in body.values()):
        raise _unusable("The request could not be read")
    config = sandbox().config
    given = (body.get("client_id"), body.get("client_secret"))
    if given != (config.intacct_client_id, config.intacct_client_secret):
        raise _wrong_client()
    return body


def _exchange_code(given: Mapping[str, str]) -> Response:
    """A second authorisation of a user in a company ends the refresh token of the first."""
    taken = _grants().take_code(given.get("code", ""), sandbox().now())
    if taken is None:
        raise _dead_grant()
    asked, grant = taken
    if asked.redirect_uri != given.get("redirect_uri") or not _proves(asked, given.get("code_verifier", "")):
        raise _dead_grant()
    with sandbox().store.transaction():
        _grants().end_refresh_of(grant)
        return _token_answer(grant, _grants().issue_refresh(grant) if asked.offline else None)


def _renew(given: Mapping[str, str]) -> Response:
    """`entity_id` asks for a token of that entity; the refresh token stays what it was."""
    refresh = given.get("refresh_token", "")
    with sandbox().store.transaction():
        grant = _grants().find_refresh(refresh)
        if grant is None:
            raise _dead_grant()
        narrowed = _narrowed(grant, given.get("entity_id", ""))
        if _setting("rotation") == "off":
            return _token_answer(narrowed, None)
        _grants().end_refresh(refresh)
        return _token_answer(narrowed, _grants().issue_refresh(grant))


def _act_as(given: Mapping[str, str]) -> Response:
    username = given.get("username", "")
    grant = read_username(username)
    if grant is None:
        raise _unusable("The username format is invalid (expected user@company)")
    if username not in PAIRED or not Books(sandbox().store, grant.company_id).conditions().client_authorised:
        raise _wrong_client()
    with sandbox().store.transaction():
        return _token_answer(grant, _grants().issue_refresh(grant))


def _narrowed(grant: Grant, entity_id: str) -> Grant:
    """An entity's own grant reaches no other entity. Raises Refused."""
    if not entity_id or entity_id == grant.entity_id:
        return grant
    company = find_company(grant.company_id)
    if grant.entity_id or company is None or entity_id not in company.entities:
        raise _unusable("The entity is not valid")
    return replace(grant, entity_id=entity_id)


def _proves(asked: Asked, verifier: str) -> bool:
    if not asked.challenge:
        return True
    digest = sha256(verifier.encode()).digest()
    return compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), asked.challenge)


def _token_answer(grant: Grant, refresh: str | None) -> Response:
    life = timedelta(seconds=_setting("token_life"))
    response = jsonify(
        {
            "token_type": "Bearer",
            "access_token": _grants().issue_access(grant, life, sandbox().now()),
            **({"refresh_token": refresh} if refresh else {}),
            "expires_in": int(life.total_seconds()),
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _setting(name: str) -> Any:
    return sandbox().switchboard.settings[name]


def _read_asked(query: Mapping[str, str]) -> Asked:
    return Asked(
        redirect_uri=query.get("redirect_uri", ""),
        state=query.get("state", ""),
        challenge=query.get("code_challenge", ""),
        offline=OFFLINE in query.get("scope", "").split(),
    )


def _go_back(asked: Asked, **result: str) -> AnyResponse:
    if asked.state:
        result["state"] = asked.state
    joint = "&" if "?" in asked.redirect_uri else "?"
    return redirect(f"{asked.redirect_uri}{joint}{urlencode(result)}", 303)


def _sign_in_page(visit: str, typed: Mapping[str, str], *, wrong: bool = False) -> str:
    return render_template("intacct/sign_in.html", visit=visit, typed=typed, wrong=wrong, people=PEOPLE)


def _visit_over() -> Page:
    return _problem("This sign-in has expired or was already used. Go back to the application and start again.")


def _problem(message: str) -> Page:
    return render_template("problem.html", title="Sign-in can't go on", message=message), 400
