"""Errors as Sage Accounting words them: a top-level JSON array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify


@dataclass(frozen=True, slots=True)
class Problem:
    message: str
    source: str = ""
    code: str = "RecordInvalid"


class Refused(Exception):
    """A call that is answered with an error status; raising it undoes the transaction."""

    def __init__(self, status: int, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self.status = status
        self.problems = problems


def invalid(message: str, source: str = "") -> Refused:
    return Refused(422, [Problem(message, source)])


def not_found() -> Refused:
    return Refused(404, [Problem("Couldn't find record.", code="RecordNotFound")])


def denied() -> Refused:
    message = "The current user is not allowed to access that resource with that method."
    return Refused(403, [Problem(message, code="MultiUserAccessDenied")])


def problems_body(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [
        {"$severity": "error", "$dataCode": each.code, "$message": each.message, "$source": each.source}
        for each in problems
    ]


def answer_problem(status: int, problem: Problem) -> Response:
    response = jsonify(problems_body([problem]))
    response.status_code = status
    return response


# Sage publishes no body for 401, 415, 429 and 503: their codes and texts are assumptions.
BY_STATUS: Mapping[int, Problem] = {
    400: Problem("The request could not be read.", code="BadRequest"),
    404: Problem("Couldn't find record.", code="RecordNotFound"),
    405: Problem("Method not allowed.", code="MethodNotAllowed"),
    415: Problem("Only application/json is accepted.", code="UnsupportedMediaType"),
    429: Problem("Too many requests.", code="TooManyRequests"),
    500: Problem("An unexpected error occurred.", code="UnexpectedError"),
    503: Problem("Service unavailable.", code="ServiceUnavailable"),
}


def answer_status(status: int) -> Response:
    return answer_problem(status, BY_STATUS.get(status, BY_STATUS[500]))


def _busy(options: Mapping[str, Any]) -> Response:
    response = answer_status(429)
    if options.get("retry_after") is not None:
        response.headers["Retry-After"] = str(options["retry_after"])
    return response


def _refused(options: Mapping[str, Any]) -> Response:
    message = str(options.get("message", "This field is invalid."))
    code = str(options.get("data_code", "RecordInvalid"))
    return answer_problem(422, Problem(message, str(options.get("source", "")), code))


def _garbage(_options: Mapping[str, Any]) -> Response:
    return Response("<html><body><h1>Welcome to the guest network</h1></body></html>", content_type="text/html")


FAULT_ANSWERS = {
    "busy": _busy,
    "error": lambda _options: answer_status(500),
    "unavailable": lambda _options: answer_status(503),
    "refused": _refused,
    "garbage": _garbage,
}
