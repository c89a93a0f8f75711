"""Answers that no platform should give, by the ten thousand: never a wrong Sent, nothing but our own errors."""

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors.http import Line, Session, Wire
from connectors.interface import Connector, NewInvoice, PlatformError, RemoteInvoice
from connectors.sage_accounting import SageAccounting
from connectors.sage_intacct import SageIntacct
from tests.connectors import test_sage_accounting as accounting
from tests.connectors import test_sage_intacct as intacct

SEED = int(os.environ.get("SEED", "1"))
MANY = 50_000  # for each platform, in `make prove`
SOME = 300
STATUSES = (
    200,
    200,
    200,
    201,
    201,
    201,
    202,
    204,
    207,
    301,
    302,
    400,
    401,
    403,
    404,
    408,
    409,
    413,
    415,
    422,
    429,
    500,
    502,
    503,
    504,
)
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, "", " ", "\x00", "INV-00042\x00",
    "🧾" * 50, "x" * 100_000, [], {}, [[]], [None],
    {"id": None}, "2026-13-45", "NaN", "1e999", "-0.00", "SI-DRAFT", "UNHEARD_OF", "INV-99999", "https://evil.example/",
)  # fmt: skip
BYTES = (
    b"",
    b"null",
    b"<html><body>Sign in to the proxy</body></html>",
    b"\xff\xfe\x00\x01",
    b"[" * 20_000,
    b"{" * 20_000,
    b'"',
    b"0",
)


@dataclass(frozen=True)
class Case:
    """A platform, the invoice that is sent, a good answer to that, and the good status."""

    connector: Connector
    invoice: NewInvoice
    good: Any
    token: str
    refusals: tuple[Any, ...]


def sage_accounting() -> Case:
    connector = SageAccounting(
        api_url="https://api.sage.example", bearer=lambda _: "t", deadline=timedelta(1), company_id="b-1"
    )
    refused = [{"$severity": "error", "$dataCode": "RecordInvalid", "$message": "is archived", "$source": "date"}]
    return Case(
        connector, accounting.INVOICE, accounting.ROW, accounting.ROW["id"], (refused, refused * 40, {"error": "x"})
    )


def sage_intacct() -> Case:
    connector = SageIntacct(
        api_url="https://api.intacct.example", bearer=lambda _: "t", deadline=timedelta(1), company_id="HARBOUR"
    )
    made = {"ia::result": {"key": intacct.ROW["key"], "id": intacct.ROW["key"], "href": "/x"}, "ia::status": 201}
    read = {"ia::result": intacct.ROW, "ia::status": 200}
    good = {"ia::result": [made, read], "ia::meta": {"totalCount": 2, "totalSuccess": 2, "totalError": 0}}
    error = {"code": "invalidRequest", "message": "no", "details": [{"message": "no"}]}
    refused = {"ia::result": {"ia::error": {**error, "details": error["details"] * 40}}}
    return Case(connector, intacct.INVOICE, good, str(intacct.ROW["key"]), (refused, {"ia::error": error}))


def mutated(good: Any, luck: random.Random) -> Any:
    """A good answer with one to four places in it that are not."""
    body = copy.deepcopy(good)
    for _ in range(luck.randint(1, 4)):
        places = list(spots(body))
        if places:
            where, key = luck.choice(places)
            deed = luck.random()
            if deed < 0.25 and isinstance(where, dict):
                del where[key]
            elif deed < 0.35 and isinstance(where, list):
                where.insert(0, copy.deepcopy(where[key]))
            else:
                where[key] = copy.deepcopy(luck.choice(ODD))
    return body


def spots(body: Any) -> Iterator[tuple[Any, Any]]:
    for key in body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ():
        yield body, key
        yield from spots(body[key])


def answers(case: Case, luck: random.Random) -> requests.Response:
    """Now and then the good one, cut short, drowned, in another coat, or with a status that does not go with it."""
    response = requests.Response()
    response.status_code = luck.choice(STATUSES)
    response.headers["Content-Type"] = luck.choice(("application/json", "text/html", ""))
    for name in ("X-Business", "Retry-After", "x-request-id", "Idempotency-Replayed"):
        if luck.random() < 0.2:
            response.headers[name] = luck.choice(
                ("b-1", "b-2", "HARBOUR", "true", "-1", "9" * 400, "Wed, 21 Oct 2026 07:28:00 GMT", "\x00")
            )
    whole = luck.choice((case.good, *case.refusals))
    chance = luck.random()
    text = json.dumps(mutated(whole, luck) if chance < 0.7 else whole, ensure_ascii=False).encode()
    if chance > 0.9:
        text = text[: luck.randrange(len(text))]
    elif chance > 0.82:
        text = luck.choice(BYTES)
    response._content = text
    return response


def judge(case: Case, given: requests.Response) -> bool:
    """Whether it was taken for a success; then it has to be one."""
    try:
        (result,) = case.connector.create_invoices([case.invoice], "k" * 32)
    except PlatformError:
        return False
    if isinstance(result, PlatformError):
        return False
    assert isinstance(result, RemoteInvoice)
    said = given.content.decode(errors="replace")
    assert 200 <= given.status_code < 300
    assert result.id and isinstance(result.id, str) and result.id in said
    assert result.reference in ("", case.invoice.reference), "an answer about another invoice"
    assert "\x00" not in result.id + result.number + result.url, "Postgres would not keep it"
    assert len(result.id) <= 100 and len(result.number) <= 50 and len(result.url) <= 500
    return True


def run(case: Case, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    luck = random.Random(SEED)  # noqa: S311
    given: list[requests.Response] = []

    def send(self: Wire, session: Session, line: Line, *_: Any) -> requests.Response:
        line.began = True
        return given[-1]

    monkeypatch.setattr(Wire, "_send", send)
    taken = 0
    for n in range(count):
        given.append(answers(case, luck))
        try:
            taken += judge(case, given[-1])
        except Exception as error:  # noqa: BLE001  # that there is none of another kind is what is tested
            pytest.fail(f"SEED={SEED}, answer {n}: {error!r} after {given[-1].status_code} {given[-1].content[:600]!r}")
        given.clear()
    return taken


@pytest.mark.parametrize("platform", [sage_accounting, sage_intacct])
def test_some_fuzzed_answers_become_one_of_our_errors_or_what_was_really_said(
    platform: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < run(platform(), SOME, monkeypatch) < SOME


@pytest.mark.prove
@pytest.mark.parametrize("platform", [sage_accounting, sage_intacct])
def test_fifty_thousand_fuzzed_answers_for_each_platform(
    platform: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = run(platform(), MANY, monkeypatch)
    print(f"{platform.__name__}: {MANY} answers, {taken} of them a success")  # noqa: T201
    assert 0 < taken < MANY
