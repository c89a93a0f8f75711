"""The way into the API: whose token, which entity, which body; and from there to the part that answers."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, request

from sandbox.context import sandbox
from sandbox.intacct import API_PREFIX, composite, model, objects, query, workflows
from sandbox.intacct.answers import GATEWAY, RESULT, Problem, Refused, by_status, gateway, invalid_payload, wrong
from sandbox.intacct.books import Books
from sandbox.intacct.calls import Answer, Call, refused
from sandbox.intacct.grants import Grant, Grants
from sandbox.intacct.setting import setting

api = Blueprint("intacct_api", __name__, url_prefix=API_PREFIX)

SERVICES: Mapping[tuple[str, str], Callable[[Call], Answer]] = {
    ("POST", "/services/core/query"): query.perform,
    ("GET", "/services/core/model"): model.perform,
    ("POST", "/services/core/composite"): lambda call: composite.perform(call, _perform_part),
}


@api.route("/objects/<path:_path>", methods=["GET", "POST", "PATCH", "DELETE"])
@api.route("/services/<path:_path>", methods=["GET", "POST"])
@api.route("/workflows/<path:_path>", methods=["POST"])
def answer(_path: str) -> Response:
    try:
        return _perform(_read_call()).response()
    except Refused as refusal:
        return refused(refusal).response()


def _perform(call: Call) -> Answer:
    """Raises Refused."""
    service = SERVICES.get((call.method, call.path))
    if service is not None:
        return service(call)
    if call.path.startswith("/objects/"):
        return objects.perform(call)
    if call.path.startswith(workflows.PREFIX):
        return workflows.perform(call)
    raise by_status(404)


def _perform_part(call: Call) -> Answer:
    """A composite holds no other one. Raises Refused."""
    if call.path == "/services/core/composite":
        raise by_status(404)
    return _perform(call)


def _read_call() -> Call:
    """Raises Refused."""
    grant = _identify()
    books = Books(sandbox().store, grant.company_id)
    if not books.conditions().client_authorised:
        raise gateway(400, "GW-0011", "Invalid Request")
    headers = request.headers
    return Call(
        method=request.method,
        path=request.path.removeprefix(API_PREFIX),
        grant=grant,
        books=books.at(_entity(grant, books)),
        body=_read_body(),
        query=request.args,
        idempotency_key=headers.get("Idempotency-Key", ""),
        all_or_nothing=headers.get("X-IA-API-Param-Transaction", "").lower() == "true",
    )


def _identify() -> Grant:
    """Raises Refused."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise gateway(401, "GW-0034", "Invalid Authorization Header", "unauthorized")
    grants = Grants(sandbox().store)
    grant = grants.bearer(token.strip())
    if grant is None:
        raise _dead_token() if grants.is_known(token.strip()) else _unknown_token()
    return grant


def _dead_token() -> Refused:
    if setting("expired_as") == "400":
        problem = Problem("The token is not valid", error_id="REST-1206", code="invalidToken")
        return Refused(400, "invalidRequest", "The token is not valid", "REST-1206", [problem], nesting=RESULT)
    return gateway(401, "GW-0040", "Expired token", "unauthorized")


def _unknown_token() -> Refused:
    message_id = "IA.TOKEN_IS_INVALID"
    return Refused(401, "tokenInvalid", "Token is not valid", "REST-2102", [], message_id, nesting=GATEWAY)


def _entity(grant: Grant, books: Books) -> str:
    """The entity's own token is bound to it; what another one is refused with is an assumption. Raises Refused."""
    asked = request.headers.get("X-IA-API-Param-Entity", "")
    allowed = (grant.entity_id,) if grant.entity_id else books.company.entities
    if asked and asked not in allowed:
        raise invalid_payload([wrong(f"The entity {asked} is not valid or you have no access to it")])
    return asked or grant.entity_id


def _read_body() -> Any:
    """Numbers stay exact. Raises Refused."""
    if not request.get_data():
        return None
    if not request.is_json:
        raise by_status(415)
    try:
        return json.loads(request.get_data(), parse_float=Decimal, parse_constant=str)
    except ValueError:
        raise by_status(400) from None
