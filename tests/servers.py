"""Gives the tests PostgreSQL, Valkey and sandboxes of their own, before Django's settings are read."""

import atexit
import contextlib
import functools
import http.client
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from reflow.processes import Command, Processes, ProcessFailed, Program, began
from reflow.servers import free_port, place_of_nobody, start_postgres, start_valkey

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "reflow-tests-"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        try:
            _start_all(_sandboxes_wanted(early_config))
        except ProcessFailed as failed:
            raise pytest.UsageError(str(failed)) from None
    _set_environment(int(worker.removeprefix("gw")) if worker else 0)


def _sandboxes_wanted(config: pytest.Config) -> int:
    workers = getattr(config.known_args_namespace, "numprocesses", None) or 1
    return workers if isinstance(workers, int) else os.cpu_count() or 1


def _start_all(sandboxes: int) -> None:
    """All in the process that starts the workers of pytest-xdist, so that one process ends them."""
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    (home / "owner").write_text(_identity())
    processes = Processes(home)
    atexit.register(_stop_all, processes, home)
    signal.signal(signal.SIGTERM, _exit)
    urls = [_spawn_sandbox(processes, home, number) for number in range(sandboxes)]
    os.environ["REFLOW_TEST_SANDBOXES"] = " ".join(urls)
    given = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = given or start_postgres(processes, home / "postgres", durable=False)
    if "REDIS_URL" not in os.environ:
        os.environ["REDIS_URL"] = start_valkey(processes, home / "valkey", durable=False)
    for number, url in enumerate(urls):
        processes.wait(processes.children[f"sandbox-{number}"], functools.partial(_answers, url))


def _spawn_sandbox(processes: Processes, home: Path, number: int) -> str:
    port, books = free_port(), home / f"books-{number}"
    command: Command = [sys.executable, "-m", "sandbox", "--port", str(port), "--dir", books]
    processes.start(Program(name=f"sandbox-{number}", command=command, directory=ROOT))
    return f"http://127.0.0.1:{port}"


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/_health")
        return connection.getresponse().status == http.client.OK
    return False


def _set_environment(number: int) -> None:
    """Each worker has its own sandbox and Valkey database; pytest-django gives it its own Postgres one."""
    sandboxes = os.environ["REFLOW_TEST_SANDBOXES"].split()
    sandbox = sandboxes[number % len(sandboxes)]
    os.environ.update(
        REDIS_URL=f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{number}",
        SANDBOX_URL=sandbox,
        SECRET_KEY=secrets.token_urlsafe(40),
        TOKEN_KEYS="M0xVVlZ6b3ZkMlBxdGhmN3VZb2t5bWJ1c2FmdGVzdHM=",
        DEBUG="false",
        ALLOWED_HOSTS="*",
        SITE_URL="http://127.0.0.1:8000",
        SUPPORT_EMAIL="help@reflow.example",
        CLOCK_DIVISOR="10",
        NO_PROXY="127.0.0.1",  # nor is one looked for at each call
        SAGE_ACCOUNTING_AUTHORIZE_URL=f"{sandbox}/accounting/oauth2/auth/central",
        SAGE_ACCOUNTING_TOKEN_URL=f"{sandbox}/accounting/token",
        SAGE_ACCOUNTING_REVOKE_URL=f"{sandbox}/accounting/revoke",
        SAGE_ACCOUNTING_API_URL=f"{sandbox}/accounting/v3.1",
        SAGE_ACCOUNTING_CLIENT_ID="reflow-sandbox",
        SAGE_ACCOUNTING_CLIENT_SECRET="reflow-sandbox-secret",
        SAGE_INTACCT_AUTHORIZE_URL=f"{sandbox}/intacct/ia/api/v1/oauth2/authorize",
        SAGE_INTACCT_TOKEN_URL=f"{sandbox}/intacct/ia/api/v1/oauth2/token",
        SAGE_INTACCT_REVOKE_URL=f"{sandbox}/intacct/ia/api/v1/oauth2/revoke",
        SAGE_INTACCT_API_URL=f"{sandbox}/intacct/ia/api/v1",
        SAGE_INTACCT_CLIENT_ID="reflow-intacct",
        SAGE_INTACCT_CLIENT_SECRET="reflow-intacct-secret",
    )


def _identity() -> str:
    return f"{os.getpid()} {began(os.getpid())}"


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _stop_all(processes: Processes, home: Path) -> None:
    if (home / "owner").read_text() == _identity():
        processes.stop_all()
        _remove(home)


def _sweep() -> None:
    """Ends and removes what a test run that was killed has left."""
    for home in _abandoned():
        Processes(home).stop_leftovers()
        _remove(home)


def _abandoned() -> Iterator[Path]:
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            pid, start = (home / "owner").read_text().split()
            if home.stat().st_uid == os.geteuid() and began(int(pid)) != start:
                yield home


def _remove(home: Path) -> None:
    for path in (home, place_of_nobody(home / "postgres")):
        shutil.rmtree(path, ignore_errors=True)
