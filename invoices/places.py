"""Where a word of a search can be: tables and columns, and the SQL that looks it up there.

In it each value has a name: what is looked for is `like`, of its figures alone `figures`, the word itself `word`, and a
number's own figure `value`, each with the word's place among the others behind it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection as database

from invoices.models.invoice import STRETCH

MANY = 2000  # clients, or invoices that a word is in, whose ids are handed over
SHORTEST = 3  # letters that an index of trigrams can look up; shorter words are only looked for in few places
FIGURES = re.compile("[0-9]{5,}")
GIVEN = re.compile(r"%\((\w+)\)s")
GATHERED = "WITH gathered (id) AS MATERIALIZED (SELECT {names} FROM {rows}) {then}"
"""What the rows of a place that have a word name. Planned as if all were wanted: of the first of them Postgres would
think that it meets them soon, and read all of a table for a word that few rows have."""
FEW_NAMED = "SELECT id FROM gathered LIMIT {most}"
UNLESS_OFTEN = """CASE WHEN (SELECT count(*) > 9 FROM (SELECT * FROM {table} ORDER BY id DESC LIMIT 200) AS newest
    WHERE {has}) THEN NULL ELSE {named} END"""
"""A word that the newest rows have often is met soon: it is not looked up, as a stretch has it too often."""
BY_STRETCH = """(SELECT one.id FROM generate_series(
        (SELECT max(id) / {stretch} FROM invoices_invoice), 0::bigint, -1::bigint) AS stretch (n)
    CROSS JOIN LATERAL ({gathered}) AS one (id) {passing} LIMIT {most})"""
"""The same of one stretch of invoices after another, the newest first, until enough of these are found."""
NEWEST_FIRST = "SELECT DISTINCT id FROM gathered ORDER BY id DESC"
OF_STRETCH = "{has} AND {names} / {stretch} = stretch.n"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a word is: a table, and what in it names an invoice by which of that one's columns."""

    table: str
    names: str
    by: str
    has: str
    """Whether a row of it has the word."""

    @property
    def rows(self) -> str:
        return f"{self.table} WHERE {self.has}"

    @property
    def is_by_stretch(self) -> bool:
        """Whether its index of words knows of which stretch of invoices a row is."""
        return self.by == "id"

    def for_word(self, n: int) -> "Place":
        """The same, asked about the nth word."""
        return replace(self, has=about(n, self.has))

    @property
    def of_stretch(self) -> "Place":
        """The same, asked for the rows of one stretch."""
        return replace(self, has=OF_STRETCH.format(has=self.has, names=self.names, stretch=STRETCH))

    def gathered(self, then: str) -> str:
        """What asks for all that its rows name, and `then` what for of these."""
        return GATHERED.format(names=self.names, rows=self.rows, then=then)

    def newest_first(self, passing: str, *, most: int) -> str:
        """What asks for the first of them that pass, stretch by stretch; `passing` joins a condition on `one.id`."""
        gathered = self.of_stretch.gathered(NEWEST_FIRST)
        return BY_STRETCH.format(gathered=gathered, passing=passing, stretch=STRETCH, most=most)

    @property
    def named(self) -> str:
        """What asks for them as far as they are few."""
        named = f"ARRAY({self.gathered(FEW_NAMED.format(most=MANY + 1))})"
        return UNLESS_OFTEN.format(table=self.table, has=self.has, named=named) if self.is_by_stretch else named


def _has(column: str) -> str:
    return f"upper({column}) LIKE upper(%(like)s)"


def _has_figures(column: str) -> str:
    """Of INV-0004321 only the figures are looked up: every number has its other trigrams, so that each would be read
    for all of them."""
    return f"upper({column}) LIKE upper(%(figures)s) AND strpos(upper({column}), upper(%(word)s)) > 0"


CLIENTS = Place("invoices_client", "id", "client_id", f"({_has('name')} OR {_has('reference')})")
OURS = Place("invoices_invoice", "id", "id", f"({_has_figures('number')} OR {_has_figures('reference')})")
PLACES = (
    CLIENTS,
    Place("invoices_invoiceline", "invoice_id", "id", _has("description")),
    Place(
        "invoices_importedrow", "invoice_id", "id", f"kind = 'INVOICES' AND invoice_id IS NOT NULL AND {_has('key')}"
    ),
    Place("incrementors_number", "holder", "uuid", f"outcome = 'TAKEN' AND {_has_figures('text')}"),
    OURS,
    Place(
        "invoices_remoteinvoice",
        "invoice_id",
        "id",
        f"({_has_figures('number')} OR upper(remote_id) = upper(%(word)s))",
    ),
)
NUMBERED = Place("incrementors_number", "holder", "uuid", "holder IS NOT NULL AND value = %(value)s")


def given(texts: Sequence[str]) -> dict[str, Any]:
    """What is asked about each word, by name."""
    values: dict[str, Any] = {}
    for n, text in enumerate(texts):
        figures = max(FIGURES.findall(text), key=len, default=text)
        value = int(text) if len(text) < SHORTEST and text.isdecimal() else 0
        values |= {f"like_{n}": _like(text), f"figures_{n}": _like(figures), f"word_{n}": text, f"value_{n}": value}
    return values


def about(n: int, sql: str) -> str:
    """The same, about the nth word."""
    return GIVEN.sub(rf"%(\g<1>_{n})s", sql)


def _like(text: str) -> str:
    return f"%{database.ops.prep_for_like_query(text)}%"
