"""The program itself: starting, refusing to start, and books that outlive it."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.app import create_app
from tests.sandbox.visitor import MovableClock, Visitor, serve

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sandbox", *map(str, arguments)]


@contextmanager
def running(directory: Path) -> Iterator[str]:
    process = subprocess.Popen(command("--port", 0, "--dir", directory), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.fullmatch(r"sandbox ready on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert found
        yield found[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)


def test_it_prints_one_ready_line_answers_and_stops_when_told(tmp_path: Path) -> None:
    with running(tmp_path / "books") as url:
        assert requests.get(f"{url}/_health", timeout=10).json() == {"status": "ok"}
    assert (tmp_path / "books").is_dir()


def test_a_restart_keeps_the_books_and_the_grant(tmp_path: Path, clock: MovableClock) -> None:
    first = serve(tmp_path, clock)
    first.connect()
    body = first.invoice_body()
    made = first.post("/sales_invoices", body).json()
    first.stop()
    second = serve(tmp_path, clock)
    again = Visitor(second.url, clock, second.server, tmp_path, first.access, first.refresh, first.business)
    assert again.get(f"/sales_invoices/{made['id']}").json() | {"links": []} == made | {"links": []}
    assert again.post("/sales_invoices", body).json()["id"] == made["id"]
    assert again.renew(first.refresh).status_code == 200
    second.stop()


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            command("--port", port, "--dir", tmp_path),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == f"sandbox: can't listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_directory_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    done = subprocess.run(
        command("--port", 0, "--dir", file / "books"), cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"sandbox: can't keep books in {file}/books: ")
    assert done.stderr.count("\n") == 1


def test_the_switches_answer_only_to_this_machine(tmp_path: Path, clock: MovableClock) -> None:
    app = create_app(tmp_path, clock)
    for path in ("/_books", "/_journal", "/_health", "/_faults"):
        answer = app.test_client().get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert answer.status_code == 403
    assert app.test_client().get("/", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_the_switches_can_be_opened_to_other_hosts(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_HOST_OPEN", "1")
    app = create_app(tmp_path, clock)
    answer = app.test_client().get("/_books", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert answer.status_code == 200
