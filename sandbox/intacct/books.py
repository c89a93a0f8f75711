"""The books of one company on disk: its records by kind, its next numbers and the conditions set.

A record is stored as the API shows it, less what depends on the request; keys with a leading underscore stay inside.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sqlite3 import Row
from typing import Any

from sandbox.clock import Clock, stamp
from sandbox.intacct import kinds
from sandbox.intacct.catalogue import COMPANIES, Company, Json, find_company, seed_of
from sandbox.intacct.conditions import Conditions
from sandbox.store import Column, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS intacct_record (
    seq INTEGER PRIMARY KEY, company_id TEXT NOT NULL, kind TEXT NOT NULL, key INTEGER NOT NULL, shown TEXT NOT NULL,
    id TEXT GENERATED ALWAYS AS (json_extract(shown, '$.id')) STORED,
    entity TEXT GENERATED ALWAYS AS (coalesce(json_extract(shown, '$.entity.id'), '')) STORED,
    modified TEXT GENERATED ALWAYS AS (json_extract(shown, '$.audit.modifiedDateTime')) STORED,
    number TEXT GENERATED ALWAYS AS (json_extract(shown, '$.invoiceNumber')) STORED,
    reference TEXT GENERATED ALWAYS AS (json_extract(shown, '$.referenceNumber')) STORED,
    state TEXT GENERATED ALWAYS AS (json_extract(shown, '$.state')) STORED,
    customer TEXT GENERATED ALWAYS AS (json_extract(shown, '$.customer.id')) STORED
);
CREATE UNIQUE INDEX IF NOT EXISTS intacct_key ON intacct_record (company_id, kind, key, entity);
CREATE INDEX IF NOT EXISTS intacct_id ON intacct_record (company_id, kind, id, key, entity);
CREATE INDEX IF NOT EXISTS intacct_number ON intacct_record (company_id, kind, number, key, entity);
CREATE INDEX IF NOT EXISTS intacct_reference ON intacct_record (company_id, kind, reference, key, entity);
CREATE INDEX IF NOT EXISTS intacct_customer ON intacct_record (company_id, kind, customer, key, entity);
CREATE INDEX IF NOT EXISTS intacct_state ON intacct_record (company_id, kind, state, key, entity);
CREATE TABLE IF NOT EXISTS intacct_counter (
    company_id TEXT NOT NULL, name TEXT NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (company_id, name)
);
CREATE TABLE IF NOT EXISTS intacct_condition (company_id TEXT PRIMARY KEY, held TEXT NOT NULL);
"""
# Invoices of a range of days, in the order of their change.
INDEXES = """
CREATE INDEX IF NOT EXISTS intacct_changes ON intacct_record (company_id, kind, modified, key, entity, day);
"""
SCHEMAS = (SCHEMA, Column("intacct_record", "day", "invoiceDate"), INDEXES)
LINES = "intacct_record, json_each(shown, '$.lines') AS line"
FIRST_NUMBER = 1001
FIRST_KEYS = {kinds.INVOICE: 5001, kinds.INVOICE_LINE: 20001}


@dataclass(slots=True)
class Search:
    """Conditions on records, gathered one at a time: the words are our own, only values come from outside."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    order: str = "intacct_record.key"

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(f"({condition})")
        self.values.extend(values)


class Books:
    """Without an entity (the top level) every record is within reach; with one only its own and the shared ones."""

    def __init__(self, store: Store, company_id: str, entity_id: str = "") -> None:
        self._store = store
        self.company_id = company_id
        self.entity_id = entity_id

    @property
    def company(self) -> Company:
        company = find_company(self.company_id)
        if company is None:
            raise LookupError(f"no company {self.company_id}")
        return company

    def at(self, entity_id: str | None) -> "Books":
        """The same company's books as one entity has them; all of them for the top level."""
        return Books(self._store, self.company_id, entity_id or "")

    def get(self, kind: str, key: object) -> Json | None:
        return self._one(kind, "key = ?", str(key))

    def find_id(self, kind: str, id: object) -> Json | None:
        """By the id that people see: CUST-001, 4000, Net 30."""
        return self._one(kind, "id = ?", str(id))

    def find(self, kind: str, search: Search, limit: int = -1, offset: int = 0) -> list[Json]:
        where, values = self._where(kind, search)
        query = f"SELECT shown FROM intacct_record WHERE {where} ORDER BY {search.order} LIMIT ? OFFSET ?"  # noqa: S608
        return [json.loads(row["shown"]) for row in self.rows(query, [*values, limit, offset])]

    def find_lines(self, search: Search, limit: int, offset: int) -> list[tuple[Json, Json]]:
        """Lines of invoices, each with its invoice; in a condition `line.value` is the line."""
        where, values = self._where(kinds.INVOICE, search)
        query = f"SELECT shown, line.value AS line FROM {LINES} WHERE {where} ORDER BY {search.order} LIMIT ? OFFSET ?"  # noqa: S608
        rows = self.rows(query, [*values, limit, offset])
        return [(json.loads(row["shown"]), json.loads(row["line"])) for row in rows]

    def count_lines(self, search: Search) -> int:
        where, values = self._where(kinds.INVOICE, search)
        return int(self.rows(f"SELECT COUNT(*) AS found FROM {LINES} WHERE {where}", values)[0]["found"])  # noqa: S608

    def count(self, kind: str, search: Search) -> int:
        where, values = self._where(kind, search)
        query = f"SELECT COUNT(*) AS found FROM intacct_record WHERE {where}"  # noqa: S608
        return int(self.rows(query, values)[0]["found"])

    def all(self, kind: str) -> list[Json]:
        return self.find(kind, Search())

    def add(self, kind: str, record: Json, now: datetime) -> Json:
        """Stores a new record and gives it its key, its entity (this one) and its moments."""
        return self.add_many(kind, [record], lambda: now)[0]

    def add_many(self, kind: str, records: Sequence[Json], clock: Clock) -> list[Json]:
        """Each as `add` has it."""
        first, entity = self.take_keys(kind, len(records)), self._entity()
        stored = [
            {"key": str(key), "id": str(key), **record, "entity": entity, "audit": _moments(clock())}
            for key, record in enumerate(records, first)
        ]
        rows = ((self.company_id, kind, each["key"], _text(each)) for each in stored)
        with self._store.transaction() as database:
            query = "INSERT INTO intacct_record (company_id, kind, key, shown) VALUES (?, ?, ?, ?)"
            database.executemany(query, rows)
        return stored

    def put(self, kind: str, record: Json, now: datetime) -> Json:
        """Stores a changed record."""
        stored = {**record, "audit": {**record["audit"], "modifiedDateTime": stamp(now)}}
        with self._store.transaction() as database:
            database.execute(
                "UPDATE intacct_record SET shown = ? WHERE company_id = ? AND kind = ? AND key = ?",
                (_text(stored), self.company_id, kind, stored["key"]),
            )
        return stored

    def remove(self, kind: str, key: str) -> None:
        with self._store.transaction() as database:
            row = (self.company_id, kind, key)
            database.execute("DELETE FROM intacct_record WHERE company_id = ? AND kind = ? AND key = ?", row)

    def take(self, name: str, first: int = FIRST_NUMBER) -> int:
        """The next value of a counter of this company, given once."""
        return self._take(self.company_id, name, first)

    def take_key(self, kind: str) -> int:
        return self.take_keys(kind, 1)

    def take_keys(self, kind: str, count: int) -> int:
        """The first of that many in a row. No two companies share a key: an invoice's page needs no other name."""
        return self._take("", kind, FIRST_KEYS.get(kind, 101), count)

    def _take(self, company_id: str, name: str, first: int, count: int = 1) -> int:
        query = """INSERT INTO intacct_counter VALUES (?, ?, ?)
            ON CONFLICT (company_id, name) DO UPDATE SET next = next + ? RETURNING next"""
        with self._store.transaction() as database:
            row = database.execute(query, (company_id, name, first + count, count)).fetchone()
            return int(row["next"]) - count

    def conditions(self) -> Conditions:
        rows = self.rows("SELECT held FROM intacct_condition WHERE company_id = ?", [self.company_id])
        return Conditions(**json.loads(rows[0]["held"])) if rows else Conditions()

    def set_conditions(self, conditions: Conditions) -> None:
        with self._store.transaction() as database:
            row = (self.company_id, _text(conditions.document()))
            database.execute("INSERT OR REPLACE INTO intacct_condition VALUES (?, ?)", row)

    def rows(self, query: str, values: Sequence[Any]) -> list[Row]:
        with self._store.transaction() as database:
            return database.execute(query, values).fetchall()

    def _entity(self) -> Json:
        found = self.find_id(kinds.ENTITY, self.entity_id) if self.entity_id else None
        return {name: found[name] if found else None for name in ("key", "id", "name")}

    def _one(self, kind: str, condition: str, value: str) -> Json | None:
        search = Search()
        search.add(condition, value)
        return next(iter(self.find(kind, search, 1)), None)

    def _where(self, kind: str, search: Search) -> tuple[str, list[Any]]:
        conditions, values = ["company_id = ?", "kind = ?"], [self.company_id, kind]
        if self.entity_id:
            conditions.append("entity IN ('', ?)")
            values.append(self.entity_id)
        return " AND ".join([*conditions, *search.conditions]), [*values, *search.values]


def _moments(now: datetime) -> Json:
    return {"createdDateTime": stamp(now), "modifiedDateTime": stamp(now)}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def open_books(store: Store, now: datetime) -> None:
    """Fills books that are still empty."""
    for company in COMPANIES:
        books = Books(store, company.id)
        if books.count(kinds.ACCOUNT, Search()):
            continue
        with store.transaction():
            for kind, record in seed_of(company):
                books.add(kind, record, now)
