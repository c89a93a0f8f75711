"""The books of one business on disk: contacts, items, invoices, credit notes, the next number and the conditions set.

A document is stored as the API shows it; keys with a leading underscore stay inside.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sqlite3 import Row
from typing import Any

from sandbox.accounting.catalogue import BUSINESSES, TAX_RATES, Account, chart_of, stable_id
from sandbox.accounting.conditions import Conditions, changed
from sandbox.accounting.contacts import contact_document
from sandbox.accounting.kinds import CONTACT, INVOICE
from sandbox.accounting.reading import Json
from sandbox.clock import stamp
from sandbox.store import Column, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, business_id TEXT NOT NULL, kind TEXT NOT NULL,
    shown TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS document_kind ON document (business_id, kind);
CREATE INDEX IF NOT EXISTS document_number ON document (business_id, kind, json_extract(shown, '$.invoice_number'));
CREATE TABLE IF NOT EXISTS counter (business_id TEXT PRIMARY KEY, next_number INTEGER NOT NULL);
"""
# What lists are filtered and sorted by, and the indexes that answer them without opening a document.
COLUMNS = {
    "deleted_at": "deleted",
    "updated_at": "updated",
    "created_at": "created",
    "date": "day",
    "status.id": "status",
    "contact.id": "contact",
    "reference": "reference",
    "contact_name": "contact_name",
}
INDEXES = """
CREATE INDEX IF NOT EXISTS document_words
    ON document (business_id, kind, deleted, seq, day, reference, contact_name);
CREATE INDEX IF NOT EXISTS document_updated ON document (business_id, kind, deleted, updated, seq, day);
CREATE INDEX IF NOT EXISTS document_created ON document (business_id, kind, deleted, created, seq, day);
CREATE INDEX IF NOT EXISTS document_status ON document (business_id, kind, deleted, status, seq, day);
CREATE INDEX IF NOT EXISTS document_contact ON document (business_id, kind, deleted, contact, seq, day);
"""
SCHEMAS = (SCHEMA, *(Column("document", name, path) for path, name in COLUMNS.items()), INDEXES)


def column(path: str) -> str:
    return COLUMNS.get(path) or f"json_extract(shown, '$.{path}')"


def like_text(text: str) -> str:
    """The text with LIKE's own signs made plain; use with ESCAPE '!'."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


@dataclass(slots=True)
class Search:
    """Conditions on documents, gathered one at a time: the words are our own, only values come from outside."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    order: str = "seq"

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(f"({condition})")
        self.values.extend(values)


class Books:
    def __init__(self, store: Store, business_id: str) -> None:
        self._store = store
        self.business_id = business_id

    def get(self, kind: str, id: str) -> Json | None:
        """A document that was not deleted."""
        search = Search()
        search.add("id = ?", id)
        search.add(f"{column('deleted_at')} IS NULL")
        return next(iter(self.find(kind, search)), None)

    def find(self, kind: str, search: Search, limit: int = -1, offset: int = 0) -> list[Json]:
        where, values = self._where(kind, search)
        query = f"SELECT shown FROM document WHERE {where} ORDER BY {search.order} LIMIT ? OFFSET ?"  # noqa: S608
        return [json.loads(row["shown"]) for row in self._rows(query, [*values, limit, offset])]

    def count(self, kind: str, search: Search) -> int:
        where, values = self._where(kind, search)
        query = f"SELECT COUNT(*) AS found FROM document WHERE {where}"  # noqa: S608
        return int(self._rows(query, values)[0]["found"])

    def all(self, kind: str) -> list[Json]:
        return self.find(kind, Search())

    def add(self, kind: str, document: Json) -> None:
        row = (document["id"], self.business_id, kind, json.dumps(document))
        with self._store.transaction() as database:
            database.execute("INSERT INTO document (id, business_id, kind, shown) VALUES (?, ?, ?, ?)", row)

    def add_many(self, kind: str, documents: Iterable[Json]) -> None:
        rows = ((each["id"], self.business_id, kind, json.dumps(each)) for each in documents)
        with self._store.transaction() as database:
            database.executemany("INSERT INTO document (id, business_id, kind, shown) VALUES (?, ?, ?, ?)", rows)

    def replace(self, document: Json) -> None:
        with self._store.transaction() as database:
            database.execute(
                "UPDATE document SET shown = ? WHERE id = ? AND business_id = ?",
                (json.dumps(document), document["id"], self.business_id),
            )

    def holds_number(self, number: str, kind: str = INVOICE) -> bool:
        """True for void and deleted ones too: a number is never free again. Credit notes count separately."""
        return self._holds(kind, "invoice_number", number)

    def holds_reference(self, reference: str) -> bool:
        """True for deleted contacts too: they keep their reference."""
        return self._holds(CONTACT, "reference", reference)

    def holds_code(self, kind: str, code: str) -> bool:
        return self._holds(kind, "item_code", code)

    def conditions(self) -> Conditions:
        rows = self._rows("SELECT held FROM condition WHERE business_id = ?", [self.business_id])
        return Conditions(**json.loads(rows[0]["held"])) if rows else Conditions()

    def set_conditions(self, given: Mapping[str, Any]) -> None:
        """Raises Refused."""
        codes = frozenset(str(each.nominal_code) for each in self.chart())
        known = {"archived": codes, "tax_rates_ended": frozenset(each.id for each in TAX_RATES)}
        with self._store.transaction() as database:
            held = json.dumps(changed(self.conditions(), given, known).document())
            database.execute("INSERT OR REPLACE INTO condition VALUES (?, ?)", (self.business_id, held))

    def chart(self) -> list[Account]:
        conditions = self.conditions()
        return [conditions.apply(each) for each in chart_of(self.business_id)]

    def account(self, id: str) -> Account | None:
        return next((each for each in self.chart() if each.id == id), None)

    def next_number(self, kind: str = INVOICE) -> int:
        rows = self._rows("SELECT next_number FROM counter WHERE business_id = ?", [self._counter(kind)])
        return int(rows[0]["next_number"]) if rows else 1

    def set_next_number(self, number: int, kind: str = INVOICE) -> None:
        with self._store.transaction() as database:
            database.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (self._counter(kind), number))

    def _counter(self, kind: str) -> str:
        return self.business_id if kind == INVOICE else f"{self.business_id} {kind}"

    def _holds(self, kind: str, name: str, value: str) -> bool:
        search = Search()
        search.add(f"{column(name)} = ?", value)
        return self.count(kind, search) > 0

    def _where(self, kind: str, search: Search) -> tuple[str, list[Any]]:
        conditions = ["business_id = ?", "kind = ?", *search.conditions]
        return " AND ".join(conditions), [self.business_id, kind, *search.values]

    def _rows(self, query: str, values: Sequence[Any]) -> list[Row]:
        with self._store.transaction() as database:
            return database.execute(query, values).fetchall()


def business_of(store: Store, document_id: str) -> str | None:
    with store.transaction() as database:
        row = database.execute("SELECT business_id FROM document WHERE id = ?", (document_id,)).fetchone()
    return row["business_id"] if row else None


def open_books(store: Store, now: datetime) -> None:
    """Fresh books hold what Sage puts in by itself and one supplier, so that a wrong kind of contact can be met."""
    for business in BUSINESSES:
        books = Books(store, business.id)
        for name, reference, system in (
            ("HMRC Payments", "HMRC Pay", True),
            ("Humber Trade Supplies", "HUMBER", False),
        ):
            id = stable_id("contact", business.id, reference)
            fields = {"name": name, "reference": reference, "contact_type_ids": ["VENDOR"]}
            if business_of(store, id) is None:
                books.add(CONTACT, {**contact_document(fields, id, stamp(now)), "system": system})
