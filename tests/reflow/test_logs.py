"""One readable line a record, with the request, push and task it belongs to, and every secret in it masked."""

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from invoices import push as worker
from reflow import logs
from reflow.logs import LineFormatter, redact, request_id

JWT = "eyJhbGciOi.eyJqdGkiOiJ4.c2lnbmF0dXJl_-x"
FERNET = "gAAAAABm1a2b3c_-d4e5f6=="
CODE = "GB/3d272d6b0dd30deff65a01bcc88c6b32"

MASKED = [
    # what a line might hold, and how much of it may stay
    ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
    ("authorization: bearer abc", "authorization: bearer ***"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
    ("{'Authorization': 'Bearer abc'}", "{'Authorization': 'Bearer ***'}"),
    ('{"access_token": "abc", "expires_in": 300}', '{"access_token": "***", "expires_in": 300}'),
    ('{"refresh_token":"abc"}', '{"refresh_token":"***"}'),
    ("{'refresh_token': 'abc'}", "{'refresh_token': '***'}"),
    ("access_token=abc&scope=full", "access_token=***&scope=full"),
    (f"grant_type=x&code={CODE}&state=s", "grant_type=x&code=***&state=s"),
    (f"GET /settings/connector/callback/?code={CODE} 302", "GET /settings/connector/callback/?code=*** 302"),
    ("code=GB%2F3d27&state=s", "code=***&state=s"),
    ("client_secret=s3cr$t/+%26x", "client_secret=***"),
    ("code_verifier=aaaa", "code_verifier=***"),
    ("password=hunter2", "password=***"),
    ("Password: hunter2", "Password: ***"),
    (f"token {JWT} refused", "token *** refused"),
    (f"row {FERNET} kept", "row *** kept"),
    (f"{JWT} {FERNET}", "*** ***"),
]
KEPT = [
    "POST /sales_invoices 201 in 84 ms",
    "INV-00042 has nominal_code 4000 and postcode LS1 4AB",
    "The code was refused: invalid_grant",
    "Sage answered 503 and nothing that can be understood.",
    "state=READY decode=1 barcode=2 tokens=3",
    "Basics and bearers",
]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_a_secret_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def record(message: str = "Renewed %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("connectors.tokens", logging.INFO, "x.py", 1, message, args or ("it",), None)
    made.__dict__.update(extra)
    return made


def test_a_line_says_when_how_grave_who_and_what() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO connectors\.tokens Renewed it", LineFormatter().format(record()))


def test_a_line_carries_the_ids_of_its_request_push_and_task(monkeypatch: pytest.MonkeyPatch) -> None:
    task = SimpleNamespace(request=SimpleNamespace(id="ab12cd34-ef56"))
    monkeypatch.setattr(logs, "current_task", task)
    mark = request_id.set("feedc0ffee12")
    try:
        line = LineFormatter().format(record(push=7))
    finally:
        request_id.reset(mark)
    assert "connectors.tokens request=feedc0ffee12 push=7 task=ab12cd34 Renewed it" in line


def test_an_id_that_is_not_there_takes_no_room() -> None:
    line = LineFormatter().format(record(push=""))
    assert not re.search(r"request=|push=|task=", line)


def test_a_secret_in_a_traceback_is_masked_too() -> None:
    try:
        raise ValueError(f"Bearer {JWT}")
    except ValueError as error:
        made = record()
        made.exc_info = (type(error), error, error.__traceback__)
    line = LineFormatter().format(made)
    assert "ValueError: Bearer ***" in line
    assert JWT not in line


def test_a_value_handed_in_as_an_argument_is_masked_too() -> None:
    assert LineFormatter().format(record("sent %s", f"access_token={JWT}")).endswith("sent access_token=***")


@pytest.mark.django_db
def test_every_answer_carries_the_id_of_its_request_and_no_two_the_same(client: Browser, admin: User) -> None:
    seen = {client.get(path).headers["X-Request-ID"] for path in ("/login/", "/healthz", "/", "/nowhere/")}
    client.force_login(admin)
    seen.add(client.get("/").headers["X-Request-ID"])
    assert len(seen) == 5
    assert all(re.fullmatch(r"[0-9a-f]{12}", one) for one in seen)


@pytest.mark.django_db
def test_what_a_request_logs_carries_its_id_and_what_comes_after_does_not(
    client: Browser, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(LineFormatter().format(record))

    handler = Kept()
    logging.getLogger("invoices").addHandler(handler)

    def page(*_: Any, **__: Any) -> Any:
        logging.getLogger("invoices.push").warning("Overtaken.", extra={"push": 7})
        raise RuntimeError

    monkeypatch.setattr("invoices.list_views.listing.page", page)
    client.force_login(admin)
    client.raise_request_exception = False
    try:
        answer = client.get("/invoices/")
        worker.log.warning("After the request.")
    finally:
        logging.getLogger("invoices").removeHandler(handler)
    assert answer.status_code == 500
    during, after = lines
    assert f"request={answer.headers['X-Request-ID']} push=7 Overtaken." in during
    assert "request=" not in after


@pytest.mark.django_db
def test_a_page_that_fails_says_so_without_its_inside(
    client: Browser, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("invoices.list_views.listing.page", fails)
    client.force_login(admin)
    client.raise_request_exception = False
    answer = client.get("/invoices/")
    assert answer.status_code == 500
    assert b"the inside" not in answer.content
