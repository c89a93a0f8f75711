"""Several requests in one call, done in order without rollback: after the first failure the rest is skipped."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import g

from sandbox.intacct.answers import Json, Refused, by_status, invalid_payload, meta_of, unprocessed, wrong
from sandbox.intacct.calls import Answer, Call, refused
from sandbox.intacct.shapes import value_at

FEWEST, MOST = 2, 10
METHODS = ("GET", "POST", "PATCH", "DELETE")
PATH = re.compile(r"/(objects|services)/.+")
PLACEHOLDER = re.compile(r"@\{(?P<name>[^.}]+)\.(?P<path>[^}]+)\}")


def perform(call: Call, one: Callable[[Call], Answer]) -> Answer:
    """Raises Refused when the composite as a whole makes no sense."""
    _check(call.body)
    keys = [str(each.get("headers", {}).get("Idempotency-Key", "")) for each in call.body]
    g.entry["idempotency_key"] = ", ".join(filter(None, keys)) or None
    answers: list[Answer] = []
    results: dict[str, Any] = {}
    for request, key in zip(call.body, keys, strict=True):
        if answers and not answers[-1].good:
            answers.append(refused(unprocessed()))
            continue
        answers.append(_perform_one(call, request, key, results, one))
        results[str(request.get("resultReference"))] = answers[-1].result
    bad = sum(not each.good for each in answers)
    items = [{**each.item(), "ia::headers": dict(each.headers)} for each in answers]
    return Answer(status=207 if bad else 200, result=items, meta=meta_of(len(answers) - bad, bad))


def _perform_one(call: Call, request: Json, key: str, results: dict[str, Any], one: Callable[[Call], Answer]) -> Answer:
    if request["method"] == "GET" and g.fault is not None and g.fault.kind == "number_unread":
        return refused(by_status(500))
    try:
        path = _filled(request["path"], results)
        body = _filled(request.get("body"), results)
        return one(replace(call, method=request["method"], path=path, body=body, idempotency_key=key, query={}))
    except Refused as refusal:
        return refused(refusal)


def _check(body: Any) -> None:
    """Raises Refused."""
    if not isinstance(body, list) or not FEWEST <= len(body) <= MOST:
        raise invalid_payload([wrong(f"A composite has from {FEWEST} to {MOST} requests")])
    problems = [wrong(text, f"/{index}") for index, each in enumerate(body) if (text := _problem(each))]
    if problems:
        raise invalid_payload(problems)


def _problem(request: Any) -> str:
    if not isinstance(request, dict) or request.get("method") not in METHODS:
        return f"method must be one of: {', '.join(METHODS)}"
    if not isinstance(request.get("path"), str) or not PATH.fullmatch(request["path"]):
        return r"path must match the pattern ^\/(objects|services)\/"
    return "" if isinstance(request.get("headers", {}), dict) else "headers must be an object"


def _filled(value: Any, results: dict[str, Any]) -> Any:
    """Every @{name.path} replaced by what an earlier request gave. Raises Refused."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: _result_at(found["name"], found["path"], results), value)
    if isinstance(value, list):
        return [_filled(each, results) for each in value]
    return {name: _filled(each, results) for name, each in value.items()} if isinstance(value, dict) else value


def _result_at(name: str, path: str, results: dict[str, Any]) -> str:
    """A place in an array counts from 1; what a POST gave counts as an array of one. Raises Refused."""
    place, _, rest = path.partition(".")
    found = results.get(name)
    if place.isdigit():
        listed = found if isinstance(found, list) else [found]
        found, path = (listed[int(place) - 1] if 1 <= int(place) <= len(listed) else None), rest
    value = value_at(found, path) if isinstance(found, dict) else None
    if value is None:
        raise invalid_payload([wrong(f"@{{{name}.{path}}} refers to nothing")])
    return str(value)
