"""One SQLite file that keeps everything a restart must not lose."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

FILE_NAME = "sandbox.sqlite3"


class Store:
    def __init__(self, directory: Path, schemas: Sequence[str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._database = sqlite3.connect(directory / FILE_NAME, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._kept: sqlite3.Connection | None = None
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *schemas):
            self._database.executescript(statement)

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

    def keep(self) -> None:
        """Copies all that it holds, for `put_back`."""
        with self._lock:
            self._kept = sqlite3.connect(":memory:", check_same_thread=False)
            self._database.backup(self._kept)

    def put_back(self) -> bool:
        """Whether there was something kept."""
        with self._lock:
            if self._kept is not None:
                self._kept.backup(self._database)
            return self._kept is not None
