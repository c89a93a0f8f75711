"""The search: by every number an invoice ever had, its client, reference and lines, the newest thousand."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import and_
from typing import Any

from django.db import connection as database
from django.db.models import Exists, OuterRef, Q, QuerySet

from incrementors.services import has_in, holders_of
from invoices.models import Client, Import, ImportedRow, Invoice, InvoiceLine, RemoteInvoice

LIMIT = 1000
WORDS = 5
MANY = 2000  # clients whose ids are handed over
SHORTEST = 3  # letters that an index of trigrams can look up; shorter words are only looked for in few places
Question = tuple[str, tuple[Any, ...]]  # SQL, and what goes into it
NEWEST = "SELECT DISTINCT id FROM ({found}) AS found (id) ORDER BY id DESC LIMIT {limit}"
NOTHING: Question = ("SELECT NULL::bigint WHERE FALSE", ())


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a word is: the rows that have it, what names the invoice there, and by which of its columns."""

    rows: QuerySet[Any, Any]
    name: str
    column: str = "pk"

    def newest_of(self, among: QuerySet[Invoice]) -> QuerySet[Any, Any]:
        """The ids of those of these invoices that it names."""
        if self.rows.model is Invoice:
            return _newest(among & self.rows)
        if self.column == "pk":
            return _newest(self.rows.filter(invoice__in=among.values("pk")).distinct(), "invoice")
        return _newest(among.filter(**{f"{self.column}__in": self.rows.values(self.name)}))

    def names_it(self) -> Exists:
        """Asked of an invoice that is known: joined, Postgres would read all clients for a few invoices."""
        return Exists(self.rows.filter(**{self.name: OuterRef(self.column)}))


@dataclass(frozen=True, slots=True)
class Word:
    """One that is searched for: the clients who have it and all words before it, and where else it is."""

    text: str
    places: list[Place]
    clients: QuerySet[Client]
    ids: list[int]

    @property
    def is_short(self) -> bool:
        return len(self.text) < SHORTEST

    def its_own(self) -> list[Place]:
        """The places of the invoice itself; a word of one or two letters is only the figure that a number ends with."""
        if self.is_short:
            return [Place(holders_of(self.text, whole=True), "holder", "uuid")]
        return [place for place in self.places if place.rows.model is not Client]

    def of_clients(self, among: QuerySet[Invoice]) -> QuerySet[Invoice]:
        """Of a list Postgres sees at each invoice whether its client is one of them, else it looks each client up."""
        theirs: Any = self.ids if len(self.ids) <= MANY else self.clients.values("pk")
        return among.filter(client__in=theirs)

    def is_said(self) -> Q:
        return Q(*(Q(place.names_it()) for place in self.places), _connector=Q.OR)


def find(among: QuerySet[Invoice], q: str) -> list[int]:
    """The ids of those in which each word is found somewhere, the last added first."""
    with database.cursor() as cursor:
        cursor.execute(*matches(among, q))
        return [pk for (pk,) in cursor.fetchall()][:LIMIT]


def matches(among: QuerySet[Invoice], q: str) -> Question:
    """What asks for their ids, one more than the limit.

    The word that says most is looked up, place by place: each has an index of its own, and gives its newest, so that
    Postgres can stop early where a word is everywhere. One condition over all places it could only answer by reading
    every invoice. What is found is asked for the other words; those of a client's name are looked up together.
    """
    words = _known(sorted(set(q.split()[:WORDS]), key=_says_much, reverse=True))
    if not all(word.places for word in words):
        return NOTHING
    rest = _all_say(among, words[1:])
    ids = [*_by_client(among, words), *(place.newest_of(rest) for place in words[0].its_own())]
    if not ids:
        return NOTHING
    union, given = ids[0].union(*ids[1:], all=True).query.sql_with_params()
    return NEWEST.format(found=union, limit=LIMIT + 1), given


def _says_much(word: str) -> tuple[bool, bool, int]:
    """Of words that an index can look up a number says most, then the longest."""
    return len(word) >= SHORTEST, any(map(str.isdecimal, word)), len(word)


def _known(texts: list[str]) -> list[Word]:
    """The words with their clients, and, of several, only with the places where a word is at all: most are in one."""
    clients = list(accumulate(map(_clients, texts), and_))
    places = [(text, place) for text in texts for place in _places(text)]
    probed = [place for text, place in places if len(texts) > 1 and len(text) >= SHORTEST]
    asked = [*(("ARRAY", theirs.values("pk")[: MANY + 1]) for theirs in clients)]
    asked += [("EXISTS", place.rows.values(place.name)) for place in probed]
    parts = [(how, *rows.query.sql_with_params()) for how, rows in asked]
    with database.cursor() as cursor:
        columns = ", ".join(f"{how}({sql})" for how, sql, _ in parts)
        cursor.execute(f"SELECT {columns}", [value for _, _, given in parts for value in given])
        row = cursor.fetchone() or ()
    nowhere = [place for place, is_there in zip(probed, row[len(texts) :], strict=True) if not is_there]
    kept = [[place for word, place in places if word == text and place not in nowhere] for text in texts]
    return [Word(*each) for each in zip(texts, kept, clients, row[: len(texts)], strict=True)]


def _by_client(among: QuerySet[Invoice], words: list[Word]) -> Iterator[QuerySet[Any, Any]]:
    """Those whose client has the first word: it has the second too, or that is looked up among the invoice's own."""
    theirs, *left = words
    while theirs.ids and left and not left[0].is_short:
        word = left.pop(0)
        rest = _all_say(theirs.of_clients(among), left)
        yield from (place.newest_of(rest) for place in word.its_own())
        theirs = word
    if theirs.ids:
        yield _newest(_all_say(theirs.of_clients(among), left))


def _all_say(among: QuerySet[Invoice], words: list[Word]) -> QuerySet[Invoice]:
    return among.filter(*(word.is_said() for word in words))


def _newest(found: QuerySet[Any, Any], name: str = "pk") -> QuerySet[Any, Any]:
    return found.order_by(f"-{name}").values_list(name, flat=True)[: LIMIT + 1]


def _places(word: str) -> list[Place]:
    numbers = has_in("number", word) | Q(remote_id__iexact=word)
    return [
        Place(_clients(word), "pk", "client"),
        Place(holders_of(word), "holder", "uuid"),
        Place(Invoice.objects.filter(has_in("reference", word)).order_by(), "pk"),
        Place(RemoteInvoice.objects.filter(numbers).order_by(), "invoice"),
        Place(InvoiceLine.objects.filter(description__icontains=word).order_by(), "invoice"),
        Place(ImportedRow.objects.filter(kind=Import.Kind.INVOICES, key__icontains=word).order_by(), "invoice"),
    ]


def _clients(word: str) -> QuerySet[Client]:
    return Client.objects.filter(Q(name__icontains=word) | Q(reference__icontains=word)).order_by()
