"""One SQLite file that keeps everything a restart must not lose."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import NamedTuple

FILE_NAME = "sandbox.sqlite3"


class Column(NamedTuple):
    """A part of the JSON in a table that is searched by; books from before it was get it too."""

    table: str
    name: str
    path: str


class Store:
    def __init__(self, directory: Path, schemas: Sequence[str | Column]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._database = sqlite3.connect(directory / FILE_NAME, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._kept: dict[str, sqlite3.Connection] = {}
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *schemas):
            if isinstance(statement, Column):
                self._add_column(statement)
            else:
                self._database.executescript(statement)

    def _add_column(self, column: Column) -> None:
        known = self._database.execute(f"PRAGMA table_xinfo({column.table})").fetchall()
        if column.name not in {each["name"] for each in known}:
            value = f"GENERATED ALWAYS AS (json_extract(shown, '$.{column.path}')) VIRTUAL"
            self._database.execute(f"ALTER TABLE {column.table} ADD COLUMN {column.name} TEXT {value}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction at a time over the whole program; an inner one joins the outer one."""
        with self._lock:
            if self._database.in_transaction:
                yield self._database
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.rollback()
                raise
            self._database.commit()

    @contextmanager
    def attempt(self) -> Iterator[sqlite3.Connection]:
        """A part of a transaction that is undone alone when it fails."""
        with self.transaction() as database:
            database.execute("SAVEPOINT attempt")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK TO attempt")
                raise
            finally:
                database.execute("RELEASE attempt")

    def clear(self) -> None:
        with self.transaction() as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for table in tables:
                database.execute(f'DELETE FROM "{table["name"]}"')  # noqa: S608

    def keep(self, name: str) -> None:
        """Copies all that it holds, for `put_back`."""
        with self._lock:
            self._kept[name] = sqlite3.connect(":memory:", check_same_thread=False)
            self._database.backup(self._kept[name])

    def put_back(self, name: str) -> bool:
        """Whether there was something kept under that name."""
        with self._lock:
            if name in self._kept:
                self._kept[name].backup(self._database)
            return name in self._kept
