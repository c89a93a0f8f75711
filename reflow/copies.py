"""What `make backup` and `make restore` do: a dump of the database, and a database made of one.

Nothing is overwritten: a backup is a new file, and what was there before a restore stays under another name. A restored
database knows by itself that it is a copy (`connectors.epoch`).
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from reflow.launcher import Plan, Refused, make_plan, only_one, say
from reflow.processes import Processes, ProcessFailed
from reflow.servers import postgres_binaries, start_postgres

KEPT_APART = """The keys are not in it: keep SECRET_KEY and TOKEN_KEYS too, from your environment or from {keys},
in another place. Without TOKEN_KEYS nothing is lost, but an admin authorises Reflow in Sage again."""
THEN = """Start Reflow. It is a copy until an admin says, under the banner on each page, that it is the live one:
till then it sends nothing to Sage and gives no numbers."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m reflow.copies", description=__doc__)
    parser.add_argument("what", choices=["backup", "restore"])
    parser.add_argument("file", nargs="?", type=Path, help="the dump; a backup finds a name by itself")
    given = parser.parse_args(arguments)
    try:
        plan = make_plan()
        if given.what == "backup":
            backup(plan, given.file)
        else:
            restore(plan, given.file)
    except (Refused, ProcessFailed, psycopg2.Error, OSError) as error:
        say(f"No {given.what}: {str(error).strip()}")
        return 1
    return 0


def backup(plan: Plan, file: Path | None) -> None:
    """A dump in Postgres's own format, readable by its owner only, complete or not there at all."""
    file = file or plan.state / "backups" / f"reflow-{_moment()}.dump"
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        raise Refused(f"{file} is there already. Name another file: make backup FILE=...")
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.touch(mode=0o600)
    with _database(plan) as url:
        _run("pg_dump", url, "--format=custom", f"--file={unfinished}")
    _run("pg_restore", "", "--list", str(unfinished))
    unfinished.rename(file)
    say(f"{file}: {file.stat().st_size / 1_000_000:.1f} MB.")
    say(KEPT_APART.format(keys=plan.state / "env"))


def restore(plan: Plan, file: Path | None) -> None:
    """Makes a database of a dump, then gives it the name of the one that is used; that one is kept."""
    if file is None or not file.is_file():
        raise Refused(f"{file or 'The dump'} is not there. Name it: make restore FILE=.reflow/backups/...")
    _run("pg_restore", "", "--list", str(file))
    with _database(plan, alone=True) as url:
        name = urlsplit(url).path.lstrip("/")
        fresh, before = f"{name}_restoring", f"{name}_before_{_moment().replace('-', '_')}"
        _nobody_else(url, name)
        with _server(url) as server:
            _execute(server, "DROP DATABASE IF EXISTS {}", fresh)
            _execute(server, "CREATE DATABASE {}", fresh)
        _run("pg_restore", _to(url, fresh), "--no-owner", "--exit-on-error", str(file))
        _must_be_reflows(_to(url, fresh), file)
        with _server(url) as server:
            _execute(server, "ALTER DATABASE {} RENAME TO {}", name, before)
            _execute(server, "ALTER DATABASE {} RENAME TO {}", fresh, name)
    say(f"Restored from {file}. What was there before is the database {before}.")
    say(THEN)


def _moment() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


@contextlib.contextmanager
def _database(plan: Plan, *, alone: bool = False) -> Iterator[str]:
    """DATABASE_URL; or the embedded server, which is started where Reflow is not running. `alone`: it must not be."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_one(plan))
        except Refused:
            lines = (plan.state / "env").read_text().splitlines()
            url = dict(line.partition("=")[::2] for line in lines).get("DATABASE_URL")
            if alone or not url:
                raise
            yield url
            return
        processes = Processes(plan.state)
        processes.stop_leftovers()
        stack.callback(processes.stop_all)
        yield start_postgres(processes, plan.state / "postgres")


@contextlib.contextmanager
def _server(url: str) -> Iterator["psycopg2.extensions.connection"]:
    """Beside the database, to make and to name others."""
    connection = psycopg2.connect(_to(url, "postgres"))
    connection.autocommit = True
    with contextlib.closing(connection):
        yield connection


def _execute(connection: "psycopg2.extensions.connection", statement: str, *names: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _to(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _nobody_else(url: str, name: str) -> None:
    with _server(url) as server, server.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
        found = cursor.fetchone()
    if found and found[0]:
        raise Refused(f"{found[0]} programs are connected to {name}. Stop web, worker and beat on every machine first.")


def _must_be_reflows(url: str, file: Path) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('connectors_livedatabase')")
        if cursor.fetchone() == (None,):
            raise Refused(f"{file} is no backup of Reflow, or of a version too old to know that it is a copy.")


def _run(program: str, url: str, *arguments: str) -> None:
    """One of Postgres's programs; the password goes by the environment, where other users can't read it."""
    parts = urlsplit(url)
    password = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    plain = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")))
    command = [_program(program), *([f"--dbname={plain}"] if url else []), *arguments]
    ran = subprocess.run(command, env={**os.environ, **password}, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise Refused(f"{program} failed: {ran.stderr.strip()[-500:]}")


def _program(name: str) -> str:
    """The embedded server's own, else the machine's."""
    with contextlib.suppress(ProcessFailed):
        found = postgres_binaries() / name
        if found.exists():
            return str(found)
    return shutil.which(name) or name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
