"""Envelopes as Intacct sends them, and its errors, which stand in one of three places.

Where a code or a text is not known from Sage's documents or from others' logs, a generic code of Sage's is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response, g, jsonify

from sandbox.context import sandbox

Json = dict[str, Any]
GENERIC = "BL01001973"  # the id that many business errors share
RESULT, BARE, GATEWAY = "result", "bare", "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of an error's details; the target is a JSON pointer."""

    message: str
    target: str = ""
    error_id: str = GENERIC
    code: str = "operationFailed"
    correction: str = ""
    message_id: str = ""

    def document(self) -> Json:
        shown = {"code": self.code, "message": self.message + _support_note(), "errorId": self.error_id}
        if self.target:
            shown["target"] = self.target
        if self.correction:
            shown["correction"] = self.correction
        return {**shown, "additionalInfo": _info(self.message_id)}


@dataclass(slots=True)
class Refused(Exception):
    """A call that is answered with an error status; raising it undoes the attempt.

    Without a nesting the error stands where the setting `error_nesting` says.
    """

    status: int
    code: str
    message: str
    error_id: str
    problems: Sequence[Problem] = ()
    message_id: str = ""
    placeholders: Mapping[str, str] = field(default_factory=dict)
    nesting: str = ""

    def document(self) -> Json:
        details: object = [each.document() for each in self.problems]
        if self.error_id.startswith("GW-"):
            details = {"requestId": g.request_id}  # the gateway's details are an object
        return {
            "code": self.code,
            "message": self.message,
            "errorId": self.error_id,
            "additionalInfo": _info(self.message_id, self.placeholders),
            "supportId": _support_id(),
            "details": details,
        }


def invalid_payload(problems: Sequence[Problem]) -> Refused:
    return Refused(
        400, "invalidRequest", "Payload contains errors", "REST-1064", problems, "IA.PAYLOAD_CONTAINS_ERRORS"
    )


def wrong(message: str, target: str = "", *, error_id: str = "REST-1064", correction: str = "") -> Problem:
    """Something in the payload that isn't as the contract has it."""
    return Problem(message, target, error_id, "invalidParameter", correction)


def failed(method: str, resource: str, problems: Sequence[Problem], status: int = 422) -> Refused:
    """A business rule refuses: as in life, a generic detail comes first and the one that tells why after it."""
    what = {"OPERATION": method, "RESOURCE_NAME": f"objects/{resource}"}
    message = f"{method} request on objects/{resource} object was unsuccessful"
    name = resource.rpartition("/")[2].capitalize()
    first = Problem(f"Could not {_verb(method)} {name} record.", code="unableToCreateRecordError")
    details = [first, *problems]
    return Refused(status, "operationFailed", message, "REST-7001", details, "IA.REQUEST_ON_OBJECT_FAILED", what)


def not_found(resource: str, key: str) -> Refused:
    problem = Problem(f"The record {key} of {resource} was not found.", code="notFound", error_id="REST-1020")
    return Refused(404, "notFound", "The resource was not found", "REST-1020", [problem], "IA.RESOURCE_NOT_FOUND")


def denied(message: str = "You do not have permission for this operation.") -> Refused:
    return Refused(403, "forbidden", message, "REST-1052", [], "IA.NO_PERMISSION")


def unprocessed() -> Refused:
    message = "Operation skipped due to atomic transaction failure"
    return Refused(422, "unprocessed", message, "REST-1098", [], "IA.OPERATION_SKIPPED")


def gateway(status: int, error_id: str, message: str, code: str = "invalidRequest") -> Refused:
    return Refused(status, code, message, error_id, nesting=GATEWAY)


def refuse(refusal: Refused) -> tuple[Response, int]:
    return jsonify(error_body(refusal)), refusal.status


def error_body(refusal: Refused) -> Json:
    return error_envelope(refusal.document(), refusal.nesting)


def error_envelope(error: Json, nesting: str = "") -> Json:
    """Around an error, which stands where the setting says when no nesting is given."""
    nesting = nesting or sandbox().switchboard.settings["error_nesting"]
    meta = meta_of(0, 1)
    if nesting == GATEWAY:
        return {"error": error}
    if nesting == BARE:
        return {"ia::error": error, "ia::meta": meta}
    return {"ia::result": {"ia::error": error}, "ia::meta": meta}


def meta_of(good: int, bad: int = 0) -> Json:
    return {"totalCount": good + bad, "totalSuccess": good, "totalError": bad}


def answer_status(status: int) -> Response:
    shown, status = refuse(by_status(status))
    shown.status_code = status
    return shown


def by_status(status: int) -> Refused:
    """503 has no code of its own that is known."""
    known = {
        400: Refused(400, "invalidRequest", "The request could not be read", "REST-1028"),
        404: Refused(404, "notFound", "The resource was not found", "REST-1020"),
        405: Refused(405, "methodNotAllowed", "This method is not allowed here", "REST-1021"),
        415: Refused(415, "unsupportedMediaType", "Only application/json is accepted", "REST-1022"),
        429: gateway(429, "GW-0010", "API rate limit exceeded", "tooManyRequests"),
        500: Refused(500, "internalServerError", "An unexpected error occurred", "REST-1999"),
        503: gateway(503, "GW-0001", "Service unavailable", "serviceUnavailable"),
    }
    return known.get(status, known[500])


def _busy(options: Mapping[str, Any]) -> Response:
    response = answer_status(429)
    if options.get("retry_after") is not None:
        response.headers["retry-after"] = str(options["retry_after"])
    return response


def _told(options: Mapping[str, Any]) -> Response:
    problem = Problem(
        str(options.get("message", "This value is not valid.")),
        str(options.get("target", "")),
        str(options.get("error_id", GENERIC)),
        correction=str(options.get("correction", "")),
    )
    status = options.get("status", 422)
    shown, _ = refuse(failed("POST", "accounts-receivable/invoice", [problem], status))
    shown.status_code = status
    return shown


def _garbage(_options: Mapping[str, Any]) -> Response:
    return Response("<html><body><h1>Welcome to the guest network</h1></body></html>", content_type="text/html")


FAULT_ANSWERS = {
    "busy": _busy,
    "error": lambda _options: answer_status(500),
    "unavailable": lambda _options: answer_status(503),
    "refused": _told,
    "garbage": _garbage,
}


def _verb(method: str) -> str:
    return {"POST": "create", "PATCH": "update", "DELETE": "delete"}[method]


def _info(message_id: str, placeholders: Mapping[str, str] | None = None) -> Json:
    return {"messageId": message_id, "placeholders": dict(placeholders or {}), "propertySet": {}}


def _support_id() -> str:
    return str(g.request_id).replace("-", "")[:20]


def _support_note() -> str:
    return f" [Support ID: {_support_id()}]" if sandbox().switchboard.settings["support_ids"] == "on" else ""
