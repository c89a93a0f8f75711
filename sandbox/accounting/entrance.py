"""The way into the API: whose token, which business, which body; every refusal an array as Sage sends it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from flask import Blueprint, Response, g, jsonify, request

from sandbox.accounting import API_PREFIX, replays
from sandbox.accounting.answers import Problem, Refused, denied, invalid, problems_body
from sandbox.accounting.books import Books
from sandbox.accounting.catalogue import Person, find_person
from sandbox.accounting.conditions import Conditions
from sandbox.accounting.grants import Grant, Grants
from sandbox.accounting.reading import Json
from sandbox.context import sandbox

# A request that names no business means the lead one; these two kinds of request have none at all.
WITHOUT_BUSINESS = (f"{API_PREFIX}/businesses", f"{API_PREFIX}/user")
WRITING = ("POST", "PUT", "DELETE")
# What each kind of access does not let through; voiding needs full access (Swagger).
REFUSED = {"restricted": ("DELETE",), "read_only": WRITING, "none": ("GET", *WRITING)}


@dataclass(frozen=True, slots=True)
class Caller:
    person: Person
    grant: Grant


def caller() -> Caller:
    return cast(Caller, g.caller)


def books() -> Books:
    return cast(Books, g.books)


def guard(blueprint: Blueprint) -> None:
    blueprint.before_request(_admit)
    blueprint.register_error_handler(Refused, refuse)


def body_of(namespace: str) -> Json:
    """The object inside the body's namespace, its numbers exact. Raises Refused."""
    body = _json_body()
    inner = body.get(namespace) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        raise invalid("This field is required.", namespace)
    return inner


def answer_once(entity: str, fields: Json, work: Callable[[], replays.Answer]) -> replays.Answer:
    """Does the work once for one idempotency_id, and repeats its answer after that. Raises Refused."""
    key = (books().business_id, entity, fields.get("idempotency_id"))
    remember = bool(sandbox().switchboard.settings["remember_refusals"])
    return replays.once(sandbox().store, key, sandbox().now(), work, remember_refusals=remember)


def refuse(refusal: Refused) -> tuple[Response, int]:
    return jsonify(problems_body(refusal.problems)), refusal.status


def _admit() -> None:
    g.caller = _identify()
    if request.method in WRITING:
        _check_writing(g.caller.grant)
    if not request.path.startswith(WITHOUT_BUSINESS):
        g.books = Books(sandbox().store, _business(g.caller.grant))
        g.business_echo = g.books.business_id
        _check_conditions(g.books.conditions())


def _check_conditions(conditions: Conditions) -> None:
    if not conditions.subscription_active:
        raise Refused(401, [Problem("No active subscription. (MSE)", code="AuthorizationFailure")])
    if request.method in REFUSED.get(conditions.access, ()):
        raise denied()


def _identify() -> Caller:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    grant = Grants(sandbox().store).find_access(given, sandbox().now())
    if grant is None:
        raise Refused(401, [Problem("The access token is invalid or has expired.", code="AuthenticationFailure")])
    return Caller(find_person(grant.person_id), grant)


def _check_writing(grant: Grant) -> None:
    if request.content_length and not request.is_json:
        raise Refused(415, [Problem("Only application/json is accepted.", code="UnsupportedMediaType")])
    if grant.scope == "readonly":
        raise denied()


def _business(grant: Grant) -> str:
    """Sage doesn't say what an unknown or forbidden business is answered with; 403 is an assumption."""
    asked = request.headers.get("X-Business")
    if asked is None:
        return grant.businesses[0]
    if asked not in grant.businesses:
        raise denied()
    return asked


def _json_body() -> Any:
    if not request.is_json:
        raise Refused(415, [Problem("Only application/json is accepted.", code="UnsupportedMediaType")])
    try:
        return json.loads(request.get_data(), parse_float=Decimal, parse_constant=str)
    except ValueError:
        raise Refused(400, [Problem("The request could not be read.", code="BadRequest")]) from None
