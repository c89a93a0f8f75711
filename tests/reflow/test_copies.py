"""`make backup` and `make restore`: what is put back is what was there, as a copy, and nothing is overwritten."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2
import pytest

pytestmark = [pytest.mark.installation, pytest.mark.thorough]
ROOT = Path(__file__).resolve().parents[2]
KEYS = {"SECRET_KEY": "k" * 50, "TOKEN_KEYS": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def run(*command: str, **environment: str) -> tuple[int, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "REDIS_URL") if name in os.environ}
    ran = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=ROOT,
        env={**kept, **KEYS, **environment},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


def copies(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    return run("-m", "reflow.copies", *map(str, arguments), **environment)


@pytest.fixture
def url() -> Iterator[str]:
    """A database of its own beside the one of the tests, migrated."""
    server = os.environ["DATABASE_URL"]
    name = f"drill_{uuid4().hex[:8]}"
    sql(server, f"CREATE DATABASE {name}")
    ours = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    code, said = run("manage.py", "migrate", "--verbosity=0", DATABASE_URL=ours)
    assert code == 0, said
    yield ours
    for (each,) in sql(server, "SELECT datname FROM pg_database"):
        if str(each).startswith(name):
            sql(server, f"DROP DATABASE {each}")


def test_a_restored_database_is_what_was_there_and_knows_that_it_is_a_copy(url: str, tmp_path: Path) -> None:
    dump = tmp_path / "one.dump"
    environment = {"DATABASE_URL": url, "REFLOW_STATE_DIR": str(tmp_path / "state")}
    sql(url, "INSERT INTO auth_group (name) VALUES ('before')")
    assert copies("backup", dump, **environment)[0] == 0
    assert dump.stat().st_mode & 0o077 == 0, "readable by its owner only"
    sql(url, "INSERT INTO auth_group (name) VALUES ('after')")

    code, said = copies("restore", dump, **environment)
    assert code == 0, said
    names = {name for (name,) in sql(url, "SELECT name FROM auth_group")}
    assert ("before" in names, "after" in names) == (True, False)
    asked = "from connectors import epoch; print(epoch.is_copy(), epoch.is_held())"
    assert run("manage.py", "shell", "-v0", "-c", asked, **environment)[1].strip() == "True True"
    kept = sql(url, "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '_before_%'")
    before = urlunsplit(urlsplit(url)._replace(path=f"/{kept[0][0]}"))
    assert ("after",) in sql(before, "SELECT name FROM auth_group"), "what was there before is kept"


def test_nothing_is_overwritten_and_each_refusal_says_what_to_do(url: str, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": url, "REFLOW_STATE_DIR": str(tmp_path / "state")}
    dump = tmp_path / "one.dump"
    assert copies("restore", dump, **environment) == (
        1,
        f"No restore: {dump} is not there. Name it: make restore FILE=.reflow/backups/...\n",
    )
    dump.write_text("not a dump")
    assert "is there already" in copies("backup", dump, **environment)[1]
    assert "pg_restore failed" in copies("restore", dump, **environment)[1]
    dump.unlink()
    assert copies("backup", dump, **environment)[0] == 0
    with contextlib.closing(psycopg2.connect(url)):
        assert "1 programs are connected" in copies("restore", dump, **environment)[1]


def test_the_embedded_server_is_started_for_it_where_nothing_runs(tmp_path: Path) -> None:
    code, said = copies("backup", REFLOW_STATE_DIR=str(tmp_path))
    assert code == 0, said
    (dump,) = (tmp_path / "backups").iterdir()
    assert dump.suffix == ".dump"
    code, said = copies("restore", dump, REFLOW_STATE_DIR=str(tmp_path))
    assert (code, "is no backup of Reflow" in said) == (1, True), said
