"""A wrong setting stops the start with its name and an example of a right one; a right one lets it start."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.reflow.starts import ask

ROOT = Path(__file__).resolve().parents[2]
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
RIGHT = {
    "PATH": os.environ["PATH"],
    "DJANGO_SETTINGS_MODULE": "reflow.settings",
    "SECRET_KEY": "fifty-random-characters-for-a-test-and-nothing-else",
    "TOKEN_KEYS": KEY,
    "DATABASE_URL": "postgres://reflow:password@127.0.0.1:5432/reflow",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}
Environment = Mapping[str, str | None]

WRONG: list[Environment] = [
    {"SECRET_KEY": None},
    {"SECRET_KEY": ""},
    {"SECRET_KEY": "   "},
    {"SECRET_KEY": "short"},
    {"TOKEN_KEYS": None},
    {"TOKEN_KEYS": ""},
    {"TOKEN_KEYS": ","},
    {"TOKEN_KEYS": "not-a-key"},
    {"TOKEN_KEYS": f"{KEY},short"},
    {"TOKEN_KEYS": "ÄÖÜ"},
    {"DATABASE_URL": None},
    {"DATABASE_URL": "reflow"},
    {"DATABASE_URL": "sqlite:///reflow.db"},
    {"DATABASE_URL": "mysql://reflow@127.0.0.1/reflow"},
    {"DATABASE_URL": "postgres://reflow:password@127.0.0.1:port/reflow"},
    {"DATABASE_URL": "postgres://[::1/reflow"},
    {"DATABASE_URL": "postgres://127.0.0.1:5432"},
    {"REDIS_URL": None},
    {"REDIS_URL": "valkey"},
    {"REDIS_URL": "http://127.0.0.1:6379"},
    {"REDIS_URL": "redis://127.0.0.1:port/0"},
    {"DEBUG": "perhaps"},
    {"LOG_LEVEL": "CHATTY"},
    {"CLOCK_DIVISOR": "0"},
    {"CLOCK_DIVISOR": "1001"},
    {"CLOCK_DIVISOR": "1.5"},
    {"CLOCK_DIVISOR": "fast"},
    {"TIME_ZONE": "Mars/Olympus"},
    {"TIME_ZONE": "../../etc/passwd"},
    {"SITE_URL": "reflow.example.com"},
    {"SITE_URL": "ftp://reflow.example.com"},
    {"SITE_URL": "https://"},
    {"SITE_URL": "http://[::1"},
    {"SITE_URL": "https://reflow.example.com:port"},
    {"SUPPORT_EMAIL": "call us"},
    *(
        {f"SAGE_ACCOUNTING_{name}_URL": wrong}
        for name in ("AUTHORIZE", "TOKEN", "REVOKE", "API")
        for wrong in ("sage", "http://sage.example/x", "ftp://127.0.0.1/x", "http://127.0.0.1.evil.example/x")
    ),
    {"SAGE_ACCOUNTING_API_URL": "http://sandbox:8001/x", "SANDBOX_HOST": "other"},
    {"SAGE_ACCOUNTING_API_URL": "http://[fe80::1]/x"},
    {"SAGE_ACCOUNTING_API_URL": "http://[bad/x"},
    {"SAGE_ACCOUNTING_API_URL": "http://127.0.0.1@evil.example/x"},
]
FINE: list[Environment] = [
    {},
    {"TOKEN_KEYS": f"{KEY},{KEY}"},
    {"TOKEN_KEYS": f" {KEY} , {KEY} "},
    {"DEBUG": "true"},
    {"DEBUG": "0"},
    {"REDIS_URL": "redis+socket:///run/valkey.sock?virtual_host=0"},
    {"REDIS_URL": "rediss://:secret@valkey.example:6380/1"},
    {"DATABASE_URL": "postgresql://reflow:p%40ss@db.example/reflow"},
    {"SITE_URL": "https://reflow.example.com"},
    {"SITE_URL": "http://reflow.intern:8000/"},
    {"LOG_LEVEL": "debug"},
    {"SUPPORT_EMAIL": "help@example.com"},
    {"SAGE_ACCOUNTING_API_URL": "http://sandbox:8001/accounting/v3.1", "SANDBOX_HOST": "sandbox"},
    {"SAGE_ACCOUNTING_API_URL": "http://localhost:8001/accounting/v3.1"},
    {"SAGE_ACCOUNTING_API_URL": "http://[::1]:8001/accounting/v3.1"},
    {"SAGE_ACCOUNTING_API_URL": "https://api.sage.example/v3.1/"},
    {"SAGE_ACCOUNTING_CLIENT_SECRET": "$4J<{v5", "SECRET_KEY": "$tarts-with-a-dollar-sign-and-is-long-enough"},
]


def environment(changes: Environment) -> dict[str, str]:
    return {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `manage.py check` says to each wrong environment, and the settings alone to each right one."""
    empty = {"REFLOW_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    asked: list[Any] = [("check", environment({**empty, **changes})) for changes in WRONG]
    asked += [("settings", environment({**empty, **changes})) for changes in FINE]
    return ask(*asked)


@pytest.mark.parametrize("index", range(len(WRONG)), ids=[str(changes) for changes in WRONG])
def test_a_wrong_setting_stops_the_start_with_its_name_and_an_example(starts: list[dict[str, Any]], index: int) -> None:
    name = next(iter(WRONG[index]))
    said = starts[index]["said"].strip()
    assert starts[index]["code"] == 1
    assert "Traceback" not in said
    assert re.fullmatch(rf"Reflow cannot start: {name} .+\. For example: {name}=\S.*", said), said


@pytest.mark.parametrize("index", range(len(FINE)), ids=[str(changes) for changes in FINE])
def test_a_right_setting_lets_it_start(starts: list[dict[str, Any]], index: int) -> None:
    assert starts[len(WRONG) + index] == {"code": 0, "said": ""}


def test_a_secret_is_not_shown_when_it_is_wrong(starts: list[dict[str, Any]]) -> None:
    said = " ".join(answer["said"] for answer in starts)
    assert "not-a-key" not in said
    assert "password@" not in said.replace("reflow:password@127.0.0.1:5432", "")


def test_an_example_that_is_given_is_one_that_works(starts: list[dict[str, Any]]) -> None:
    examples: dict[str, str] = {}
    for changes, answer in zip(WRONG, starts, strict=False):
        name = next(iter(changes))
        examples[name] = answer["said"].strip().partition(f"For example: {name}=")[2]
    assert "manage.py token_key" not in " ".join(examples.values()), "there is no such command"
    assert all(examples.values())


def check(tmp_path: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    given = environment({**changes, "REFLOW_STATE_DIR": str(tmp_path)})
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_the_same_on_the_command_line(tmp_path: Path) -> None:
    ran = check(tmp_path, SECRET_KEY=None)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Reflow cannot start: SECRET_KEY is not set. For example: SECRET_KEY=")
    assert len(ran.stderr.splitlines()) == 1
    assert "System check identified no issues" in check(tmp_path).stdout


def test_the_settings_of_this_very_run_are_as_safe_as_production() -> None:
    assert settings.DEBUG is False
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"
    assert settings.X_FRAME_OPTIONS == "DENY"
    assert settings.CELERY_TASK_ACKS_LATE
    assert settings.DATABASES["default"]["CONN_HEALTH_CHECKS"]
    for noisy in ("requests_oauthlib", "oauthlib", "urllib3"):
        assert logging.getLogger(noisy).level == logging.WARNING, "it prints tokens at DEBUG"
