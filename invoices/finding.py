"""The search: by every number an invoice ever had, its client, reference and lines, the newest thousand.

It is put together as SQL, in which each value has a name: of words those of `places`, of the filters their own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db.models import QuerySet

from invoices import places
from invoices.models import Invoice
from invoices.places import CLIENTS, GIVEN, NUMBERED, OURS, PLACES, SHORTEST, Place, about, given

LIMIT = 1000
WORDS = 5
FEW = 300  # invoices that are searched or that a word is in, each of which is then asked for the others
HANDFUL = 50  # clients, each of whose invoices is asked for the other words
Question = tuple[str, tuple[Any, ...]]  # SQL, and what goes into it
NOTHING: Question = ("SELECT NULL::bigint WHERE FALSE", ())
FOUND = "SELECT DISTINCT id FROM ({found}) AS found (id) ORDER BY id DESC LIMIT {limit}"
NEWEST = "(SELECT invoice.id FROM ({among}) AS invoice WHERE {passing} ORDER BY invoice.id DESC LIMIT {limit})"
NEWEST_ROWS = """(SELECT DISTINCT {names} FROM {rows}
    AND {names} IN (SELECT invoice.id FROM ({among}) AS invoice WHERE {passing}) ORDER BY {names} DESC LIMIT {limit})"""
EACH = "CROSS JOIN LATERAL (SELECT FROM ({among}) AS invoice WHERE {passing} LIMIT 1) AS passing"
"""Looked up one by one: whatever Postgres thinks, it reads no more invoices than that."""
THOSE = "ARRAY(SELECT id FROM invoices_client WHERE {theirs} LIMIT {most})"
KNOWN = """WITH first AS MATERIALIZED (SELECT {first}), judged AS MATERIALIZED (SELECT first.*, {in_few} FROM first)
    SELECT {told} FROM judged"""
IN_FEW = """{named} <= {few} AND {few} >= (
    SELECT count(*) FROM (SELECT FROM invoices_invoice WHERE client_id = ANY (at_0) LIMIT {few} + 1) AS theirs)"""
"""Whether few invoices have the first word: so few named in each place, and so few of all clients who have it."""
FEW_AMONG = "(SELECT count(*) <= {few} FROM (SELECT FROM ({among}) AS invoice LIMIT {few} + 1) AS counted)"
UNLESS_FEW = "CASE WHEN in_few THEN NULL ELSE {asked} END"


@dataclass(frozen=True, slots=True)
class Among:
    """The invoices that are searched, as a statement of Django's, and what it is given."""

    sql: str
    given: Mapping[str, Any]
    is_all: bool
    """Whether no invoice is left out."""

    @classmethod
    def of(cls, found: QuerySet[Invoice]) -> "Among":
        columns = found.order_by().values("id", "uuid", "client_id", "number", "reference")
        sql, values = columns.query.sql_with_params()
        given = {f"among_{n}": value for n, value in enumerate(values)}
        names = iter(given)
        return cls(re.sub("%s", lambda _: f"%({next(names)})s", sql), given, is_all=not found.query.where)

    def newest(self, *passing: str) -> str:
        return NEWEST.format(among=self.sql, passing=" AND ".join(passing) or "TRUE", limit=LIMIT + 1)

    def newest_of(self, place: Place, *passing: str) -> str:
        """Of the rows that have a word often the newest that name one of them."""
        if place.table == OURS.table:
            return self.newest(place.has, *passing)
        told = {"among": self.sql, "passing": " AND ".join(passing) or "TRUE", "limit": LIMIT + 1}
        return NEWEST_ROWS.format(rows=place.rows, names=place.names, **told)


@dataclass(frozen=True, slots=True)
class Word:
    """One that is searched for, its place among all, and what it names in each of the `PLACES`: all of it where that is
    little, None where it is to be asked; and the clients who have it and every word before it."""

    text: str
    n: int
    named: Sequence[Sequence[Any] | None]
    clients: Sequence[int]
    often: Sequence[bool] = (False,) * len(PLACES)
    """In which of them the newest rows have it often."""

    @property
    def is_short(self) -> bool:
        return len(self.text) < SHORTEST

    @property
    def is_anywhere(self) -> bool:
        return any(ids is None or ids for ids in self.named)

    @property
    def is_said(self) -> str:
        """Whether an invoice has it anywhere: it is one of the few that are named, or is asked place by place.

        Each by its key: of several conditions Postgres would ask one or another of all invoices beforehand.
        """
        pairs = [(place.for_word(self.n), ids) for place, ids in zip(PLACES, self.named, strict=True)]
        told = [_is_one_of(f"invoice.{place.by}", ids) for place, ids in pairs if ids]
        asked = [f"SELECT FROM {one.rows} AND {one.names} = invoice.{one.by}" for one, ids in pairs if ids is None]
        if asked:
            told.append(f"EXISTS ({' UNION ALL '.join(asked)})")
        return f"({' OR '.join(told)})"

    @property
    def is_of_clients(self) -> str:
        """Of a list Postgres sees at each invoice whether its client is one of them, else it looks each client up."""
        if len(self.clients) <= places.MANY:
            return _is_one_of("invoice.client_id", self.clients)
        return f"invoice.client_id IN (SELECT id FROM invoices_client WHERE {_theirs(self.n)})"  # noqa: S608  # our own

    def newest(self, among: Among, *passing: str) -> Iterator[str]:
        """Those of these invoices that have it themselves, place by place.

        A word of one or two letters is only looked for as the figure that a number ends with.
        """
        if self.is_short:
            yield self._newest_at(NUMBERED, among, *passing)
            return
        for place, ids, often in list(zip(PLACES, self.named, self.often, strict=True))[1:]:
            if ids:
                yield among.newest(_is_one_of(f"invoice.{place.by}", ids), *passing)
            elif often:
                yield among.newest_of(place.for_word(self.n), *passing)
            elif ids is None:
                yield self._newest_at(place, among, *passing)

    def _newest_at(self, place: Place, among: Among, *passing: str) -> str:
        """Of a place where many rows have it: stretch by stretch, or all of them."""
        place = place.for_word(self.n)
        if not place.is_by_stretch:
            is_gathered = f"invoice.{place.by} IN (SELECT id FROM gathered)"  # noqa: S608  # our own
            return f"({place.gathered(among.newest(is_gathered, *passing))})"
        each = EACH.format(among=among.sql, passing=" AND ".join(("invoice.id = one.id", *passing)))
        return place.newest_first("" if among.is_all and not passing else each, most=LIMIT + 1)


def find(among: QuerySet[Invoice], q: str) -> list[int]:
    """The ids of those in which each word is found somewhere, the last added first."""
    with database.cursor() as cursor:
        cursor.execute(*matches(among, q))
        return [pk for (pk,) in cursor.fetchall()][:LIMIT]


def matches(found: QuerySet[Invoice], q: str) -> Question:
    """What asks for their ids, one more than the limit.

    The word that says most is looked up, place by place: each has an index of its own, and gives its newest, so that
    Postgres can stop early where a word is everywhere. One condition over all places it could only answer by reading
    every invoice. What is found is asked for the other words; those of a client's name are looked up together. Where
    few invoices are searched, or few have the first word, each of these is asked.
    """
    texts = sorted(set(q.split()[:WORDS]), key=_says_much, reverse=True)
    try:
        among = Among.of(found)
    except EmptyResultSet:  # the filters let nothing pass
        return NOTHING
    words, in_few = _known(texts, among)
    if not all(word.is_anywhere for word in words):
        return NOTHING
    said = [word.is_said for word in words]
    newest = [among.newest(*said)] if in_few else [*_by_client(among, words), *words[0].newest(among, *said[1:])]
    if not newest:
        return NOTHING
    return _question(FOUND.format(found=" UNION ALL ".join(newest), limit=LIMIT + 1), {**given(texts), **among.given})


def _by_client(among: Among, words: Sequence[Word]) -> Iterator[str]:
    """Those whose client has the first word: it has the second too, or that is looked up among the invoice's own; of a
    handful of clients each invoice is asked instead."""
    theirs, *left = words
    while len(theirs.clients) > HANDFUL and left and not left[0].is_short:
        word, *left = left
        yield from word.newest(among, theirs.is_of_clients, *(each.is_said for each in left))
        theirs = word
    if theirs.clients:
        yield among.newest(theirs.is_of_clients, *(word.is_said for word in left))


def _says_much(word: str) -> tuple[bool, bool, int, str]:
    """Of words that an index can look up a number says most, then the longest; whatever order they were typed in."""
    return len(word) >= SHORTEST, any(map(str.isdecimal, word)), len(word), word


def _known(texts: Sequence[str], among: Among) -> tuple[list[Word], bool]:
    """The words with their clients, and with the places where each may be: most are in one, and in few rows of it.

    Where few invoices are searched or have the first, the others are not looked up, and may be anywhere.
    """
    first = [_those(0)] if len(texts[0]) < SHORTEST else _named(0)
    lengths = " + ".join(f"cardinality(at_{at})" for at in range(1, len(first)))
    in_few = IN_FEW.format(named=lengths, few=FEW) if lengths else "FALSE"
    if lengths and not among.is_all:
        in_few = f"{in_few} OR {FEW_AMONG.format(among=among.sql, few=FEW)}"
    told = ["in_few", *(f"at_{at}" for at in range(len(first)))]
    for n, text in enumerate(texts[1:], 1):
        asked = [_those(n), *(_named(n) if len(text) >= SHORTEST else ())]
        told += (UNLESS_FEW.format(asked=one) for one in asked)
    named = ", ".join(f"{one} AS at_{at}" for at, one in enumerate(first))
    sql = KNOWN.format(first=named, in_few=f"{in_few} AS in_few", told=", ".join(told))
    with database.cursor() as cursor:
        cursor.execute(*_question(sql, {**given(texts), **among.given}))
        row = iter(cursor.fetchone() or ())
    is_in_few = bool(next(row))
    return [_word(n, text, row) for n, text in enumerate(texts)], is_in_few


def _word(n: int, text: str, row: Iterator[list[Any] | None]) -> Word:
    """From the next columns: the clients of the first word are those it names, of the others they come before."""
    is_short = len(text) < SHORTEST
    clients = next(row) if n or is_short else None
    if is_short:
        return Word(text, n, [None for _ in PLACES], clients or [])
    named = [next(row) for _ in PLACES]
    few = [None if ids is None or len(ids) > places.MANY else ids for ids in named]
    return Word(text, n, few, (clients if n else named[0]) or [], often=[ids is None for ids in named])


def _named(n: int) -> list[str]:
    """What asks for all that the nth word names, place by place."""
    return [place.for_word(n).named for place in PLACES]


def _those(n: int) -> str:
    """What asks for the clients who have the words up to the nth."""
    return THOSE.format(theirs=_theirs(n), most=places.MANY + 1)


def _theirs(n: int) -> str:
    return " AND ".join(about(m, CLIENTS.has) for m in range(n + 1))


def _question(sql: str, given: Mapping[str, Any]) -> Question:
    return GIVEN.sub("%s", sql), tuple(given[name] for name in GIVEN.findall(sql))


def _is_one_of(column: str, ids: Sequence[Any]) -> str:
    """Of ids from the database, in one value."""
    return f"{column} = ANY ('{{{','.join(map(str, ids))}}}'::{'uuid' if column.endswith('uuid') else 'bigint'}[])"
