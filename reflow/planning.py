"""Statements that begin with `/* planned: name */` are planned once for each connection, and not every time.

To plan a statement takes Postgres about as long as to answer it, where few rows are asked for. psycopg2 knows no
prepared statements, so this says PREPARE and EXECUTE: https://www.postgresql.org/docs/current/sql-prepare.html.
Such a statement has the same text each time, names its columns, as a plan outlives a migration, and says the type of a
parameter where Postgres could not tell it. Without this module it is a statement with a comment.
"""

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor

MARKED = re.compile(r"/\* planned: (\w+) \*/")
TYPES = "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s"


class Planning(connection):  # type: ignore[misc]  # psycopg2 tells no types
    """A connection that remembers what it has planned: by the text of a statement, what is said instead."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.planned: dict[str, str] = {}
        self.numbers = count(1)


class Planned(cursor):  # type: ignore[misc]
    """Its cursors."""

    connection: Planning
    asked: tuple[str, Sequence[Any] | None] | None = None

    @property
    def query(self) -> Any:
        """What was asked last, as logs have it: the statement itself, not the name of its plan."""
        return self.mogrify(*self.asked) if self.asked else super().query

    def execute(self, query: Any, vars: Sequence[Any] | None = None) -> None:
        marked = MARKED.match(query) if isinstance(query, str) else None
        self.asked = (query, vars) if marked else None
        if marked is None:
            super().execute(query, vars)
            return
        if query not in self.connection.planned:
            self.connection.planned[query] = self._plan(query, marked[1], len(vars or ()))
        try:
            super().execute(self.connection.planned[query], vars)
        except FeatureNotSupported:  # a migration has changed the type of a column since
            del self.connection.planned[query]
            if self.connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
                raise
            self.execute(query, vars)

    def _plan(self, query: str, name: str, parameters: int) -> str:
        """Each parameter is cast, as an array of nothing has no type of its own."""
        plan = f"{name}_{next(self.connection.numbers)}"
        if parameters:
            query %= tuple(f"${n}" for n in range(1, parameters + 1))
        super().execute(f"PREPARE {plan} AS {query}")
        super().execute(TYPES, (plan,))
        types = self.fetchone()[0]
        return f"EXECUTE {plan}({', '.join(f'%s::{type_}' for type_ in types)})" if types else f"EXECUTE {plan}"
