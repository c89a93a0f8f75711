"""`make run` on a copy of the project: what comes up, what is left when it goes down, and what it refuses."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from reflow.launcher import SERVICES
from reflow.pretend import SAGE_ADDRESSES, SANDBOX_SIGN_INS
from reflow.processes import Command, Processes, began
from reflow.servers import UNSHARE, free_port, place_of_nobody, start_postgres

pytestmark = [pytest.mark.installation, pytest.mark.thorough]
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
OTHER_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SOURCES = [None, *(str(initdb.parent) for initdb in OTHER_POSTGRES)]


def until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


@dataclass
class Installation:
    """A copy of the project, in a folder with a space in its name, and the runs started from it."""

    folder: Path
    environment: dict[str, str]
    account: Command = ()
    runs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / ".reflow"

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])

    def up(self, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"output-{len(self.runs)}").open("wb") as output:
            run = subprocess.Popen(
                [*self.account, sys.executable, "manage.py", "up"],
                cwd=self.folder,
                env=self.environment | more,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(run)
        return run

    def output(self) -> str:
        return (self.folder / f"output-{len(self.runs) - 1}").read_text()

    def up_and_ready(self, **more: str) -> subprocess.Popen[bytes]:
        run = self.up(**more)
        until(lambda: "Ctrl-C stops everything" in self.output() or run.poll() is not None, "it did not come up")
        assert run.poll() is None, self.output()
        return run

    def refusal(self, **more: str) -> tuple[int, str]:
        run = self.up(**more)
        code = run.wait(SECONDS)
        return code, self.output()

    def pids(self) -> dict[str, int]:
        return {row["name"]: row["pid"] for row in json.loads((self.state / "processes.json").read_text())}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path / "a place with spaces"
    leave_out = shutil.ignore_patterns(".venv", ".git", ".reflow", ".env", "staticfiles", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=leave_out, symlinks=True)
    port = free_port()
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    made = Installation(folder, environment | {"PORT": str(port), "SANDBOX_PORT": str(free_port())})
    yield made
    for run in made.runs:
        if run.poll() is None:
            run.terminate()
            run.wait(SECONDS)
    if (made.state / "processes.json").exists():
        Processes(made.state).stop_leftovers()
    shutil.rmtree(place_of_nobody(made.state / "postgres"), ignore_errors=True)


def can_be_ordinary() -> bool:
    """Root can run a program that finds itself an ordinary user, where the kernel grants user namespaces."""
    return os.geteuid() == 0 and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_be_ordinary(), reason="only root can be somebody else")
def test_it_comes_up_for_an_ordinary_user_and_a_ctrl_c_leaves_nothing_behind(installation: Installation) -> None:
    """This run takes PostgreSQL from another folder, where there is one."""
    installation.account = UNSHARE
    run = installation.up_and_ready(**({"EMBEDDED_PG_BINDIR": SOURCES[-1]} if SOURCES[-1] else {}))
    assert_all_is_up(installation)
    assert_a_ctrl_c_leaves_nothing_behind(installation, run)


def assert_all_is_up(installation: Installation) -> None:
    assert get(installation.port, "/readyz")[0] == 200
    front = get(int(installation.environment["SANDBOX_PORT"]), "/")[1]
    for _, sign_in in SANDBOX_SIGN_INS.values():
        assert all(word in front for word in re.findall(r"(?:user |password |^)(\S+@\S+|\w+)(?:,|$)", sign_in))
        assert sign_in in installation.output()
    assert f"http://127.0.0.1:{installation.port}/" in installation.output()
    assert (installation.state.stat().st_mode & 0o777, (installation.state / "env").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    assert set(installation.pids()) == {"postgres", "valkey", *SERVICES}


def assert_a_ctrl_c_leaves_nothing_behind(installation: Installation, run: subprocess.Popen[bytes]) -> None:
    pids = installation.pids()
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(SECONDS) == 0
    assert [name for name, pid in pids.items() if began(pid)] == []
    assert [name for name, pid in pids.items() if group_lives(pid)] == []
    assert installation.output().rstrip().endswith("Stopped.")


def group_lives(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.prove
def test_after_a_ctrl_c_and_after_a_kill_the_next_start_has_the_same_keys_and_data(installation: Installation) -> None:
    """Three starts in one place, the first with a home that cannot be written."""
    run = installation.up_and_ready(HOME="/proc")
    keys = settings_of(installation)
    assert_all_is_up(installation)
    assert_a_ctrl_c_leaves_nothing_behind(installation, run)
    run = installation.up_and_ready()
    left = installation.pids()
    code, words = Installation(installation.folder, installation.environment).refusal()
    assert code == 2
    assert "already running" in words
    run.kill()
    run.wait()
    assert began(left["postgres"]) is not None
    run = installation.up_and_ready()
    assert [name for name, pid in left.items() if began(pid)] == []
    assert settings_of(installation)["TOKEN_KEYS"] == keys["TOKEN_KEYS"]
    assert settings_of(installation)["DATABASE_URL"] == keys["DATABASE_URL"]
    worker = installation.pids()["worker"]
    os.kill(worker, signal.SIGKILL)
    until(lambda: installation.pids().get("worker") not in (worker, None), "the worker was not started again")
    assert "worker stopped by itself" in installation.output()
    os.kill(installation.pids()["postgres"], signal.SIGQUIT)
    assert run.wait(SECONDS) == 1
    assert "postgres stopped" in installation.output()


def settings_of(installation: Installation) -> dict[str, str]:
    lines = (installation.state / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_given_servers_and_another_sage_it_starts_none_of_its_own(installation: Installation) -> None:
    name = f"launcher_{os.getpid()}"
    admin = psycopg2.connect(os.environ["DATABASE_URL"])
    admin.autocommit = True
    with contextlib.closing(admin), admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        given = {name: f"https://sage.example{path}" for name, path in SAGE_ADDRESSES.items()}
        given["DATABASE_URL"] = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
        run = installation.up_and_ready(**given, REDIS_URL=os.environ["REDIS_URL"])
        assert set(installation.pids()) == set(SERVICES) - {"sandbox"}
        assert {"DATABASE_URL", "REDIS_URL", "SAGE_ACCOUNTING_API_URL"}.isdisjoint(settings_of(installation))
        run.terminate()
        assert run.wait(SECONDS) == 128 + signal.SIGTERM
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_port_in_use_is_said_in_one_sentence(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        code, words = installation.refusal()
    assert code == 2
    assert f"Port {installation.port} is in use" in words
    assert f"PORT={installation.port + 10} make run" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"PORT": "eight"}, "PORT is 'eight'"),
        (
            {"DATABASE_URL": "postgres://reflow@127.0.0.1:1/reflow"},
            "DATABASE_URL names 127.0.0.1, where nothing answers",
        ),
        ({"REFLOW_STATE_DIR": "/dev/null/state"}, "/dev/null/state"),
        ({"EMBEDDED_PG_BINDIR": "/nowhere"}, "There is no PostgreSQL in /nowhere"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is shorter than 32 characters"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_broken_setting_is_named_and_nothing_is_left(
    installation: Installation, setting: dict[str, str], words: str
) -> None:
    code, said = installation.refusal(**setting)
    assert code in (1, 2)
    assert words in said
    assert "Traceback" not in said
    if (installation.state / "processes.json").exists():
        assert installation.pids() == {}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source or "embedded")
@pytest.mark.parametrize("namespaces", ["granted", "refused"] if os.geteuid() == 0 else ["not needed"])
def test_postgres_runs_from_each_source_and_where_namespaces_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, namespaces: str
) -> None:
    if source:
        monkeypatch.setenv("EMBEDDED_PG_BINDIR", source)
    if namespaces == "refused":
        refusing = tmp_path / "bin" / "unshare"
        refusing.parent.mkdir()
        refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
        refusing.chmod(0o755)
        monkeypatch.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
    home = tmp_path / "postgres"
    processes = Processes(tmp_path)
    try:
        url = start_postgres(processes, home, durable=False)
        assert urlsplit(url).hostname == "127.0.0.1"
        with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT lower('ÄÖ'), current_setting('server_encoding')")
            assert cursor.fetchone() == ("äö", "UTF8")
    finally:
        processes.stop_all()
        assert place_of_nobody(home).exists() == (namespaces == "refused")
        shutil.rmtree(place_of_nobody(home), ignore_errors=True)
