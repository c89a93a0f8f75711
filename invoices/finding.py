"""The search: by every number an invoice ever had, its client, reference and lines, the newest thousand."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db import connection as database
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value

from incrementors.services import FIGURES, has_in, holders_of
from invoices.models import Client, Import, ImportedRow, Invoice, InvoiceLine, RemoteInvoice

LIMIT = 1000
WORDS = 5
MANY = 2000  # clients, or invoices that a word is in, whose ids are handed over
SHORTEST = 3  # letters that an index of trigrams can look up; shorter words are only looked for in few places
INVOICES = Import.Kind.INVOICES
Question = tuple[str, tuple[Any, ...]]  # SQL, and what goes into it
NEWEST = "SELECT DISTINCT id FROM ({found}) AS found (id) ORDER BY id DESC LIMIT {limit}"
NOTHING: Question = ("SELECT NULL::bigint WHERE FALSE", ())
THEIRS = "(upper(name) LIKE upper(%s) OR upper(reference) LIKE upper(%s))"  # of a client
CLIENTS = "ARRAY(SELECT id FROM invoices_client WHERE {theirs} LIMIT {most})"
PARAMETER = re.compile(r"%\((\w+)\)s")
HAS = "upper({0}) LIKE upper(%(like)s)"
HAS_FIGURES = "upper({0}) LIKE upper(%(figures)s) AND strpos(upper({0}), upper(%(word)s)) > 0"  # see `has_in`
OF_LINES = f"invoice_id FROM invoices_invoiceline WHERE {HAS.format('description')}"
NAMED_BY = (
    f"id FROM invoices_client WHERE {HAS.format('name')} OR {HAS.format('reference')}",
    OF_LINES,
    f"invoice_id FROM invoices_importedrow WHERE kind = 'INVOICES' AND invoice_id IS NOT NULL AND {HAS.format('key')}",
    f"holder FROM incrementors_number WHERE holder IS NOT NULL AND {HAS_FIGURES.format('text')}",
    f"id FROM invoices_invoice WHERE {HAS_FIGURES.format('reference')}",
    "invoice_id FROM invoices_remoteinvoice"
    f" WHERE {HAS_FIGURES.format('number')} OR upper(remote_id) = upper(%(word)s)",
)
NEW_LINES = "(SELECT * FROM invoices_invoiceline ORDER BY id DESC LIMIT 200) AS line"
OFTEN = f"(SELECT count(*) > 9 FROM {NEW_LINES} WHERE {HAS.format('description')})"  # noqa: S608  # our own constants
FEW = """(WITH found AS MATERIALIZED (SELECT {named})
    SELECT CASE WHEN {often} THEN NULL ELSE ARRAY(SELECT * FROM found LIMIT {most}) END)"""
"""What the rows of one of the `PLACES` name, as far as they are few. Planned as if all were wanted: of the first of
them Postgres would think that it meets them soon, and read all of a table for a word that few rows have. A word that
the newest lines have often is not looked up, as all that have it would be gathered first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a word is: the rows that have it, what names the invoice there, and by which of its columns; and all
    that they name, where that is little."""

    rows: QuerySet[Any, Any]
    name: str
    column: str = "pk"
    named: list[Any] | None = None

    def newest_of(self, among: QuerySet[Invoice]) -> QuerySet[Any, Any]:
        """The ids of those of these invoices that it names."""
        if self.named is not None:
            return _newest(among.filter(_any_of(self.column, self.named)))
        if self.rows.model is Invoice:
            return _newest(among & self.rows)
        if self.column == "pk":
            return _newest(self.rows.filter(invoice__in=among.values("pk")).distinct(), "invoice")
        return _newest(among.filter(**{f"{self.column}__in": self.rows.values(self.name)}))

    def of_one(self) -> QuerySet[Any, Any]:
        """The rows that name an invoice which is known already."""
        return self.rows.filter(**{self.name: OuterRef(self.column)})


def _clients(word: str) -> Place:
    clients = Client.objects.filter(Q(name__icontains=word) | Q(reference__icontains=word))
    return Place(clients.order_by(), "pk", "client")


def _remotes(word: str) -> Place:
    numbers = has_in("number", word) | Q(remote_id__iexact=word)
    return Place(RemoteInvoice.objects.filter(numbers).order_by(), "invoice")


PLACES: tuple[Callable[[str], Place], ...] = (
    _clients,
    lambda word: Place(InvoiceLine.objects.filter(description__icontains=word).order_by(), "invoice"),
    lambda word: Place(ImportedRow.objects.filter(kind=INVOICES, key__icontains=word).order_by(), "invoice"),
    lambda word: Place(holders_of(word), "holder", "uuid"),
    lambda word: Place(Invoice.objects.filter(has_in("reference", word)).order_by(), "pk"),
    _remotes,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One that is searched for: where it may be, and the clients who have it and all words before it."""

    text: str
    places: list[Place]
    clients: list[int]
    before: list[str]

    @property
    def is_short(self) -> bool:
        return len(self.text) < SHORTEST

    def looked_up(self, among: QuerySet[Invoice], others: "list[Word]") -> Iterator[QuerySet[Any, Any]]:
        """Those of these invoices that have it themselves, place by place, and somewhere the other words.

        A word of one or two letters is only looked for as the figure that a number ends with.
        """
        places = [place for place in self.places if place.rows.model is not Client]
        if self.is_short:
            places = [Place(holders_of(self.text, whole=True), "holder", "uuid")]
        if places:
            rest = _all_say(among, others)
            yield from (place.newest_of(rest) for place in places)

    def of_clients(self, among: QuerySet[Invoice]) -> QuerySet[Invoice]:
        """Of a list Postgres sees at each invoice whether its client is one of them, else it looks each client up."""
        if len(self.clients) <= MANY:
            return among.filter(_any_of("client", self.clients))
        theirs = reduce(and_, (_clients(word).rows for word in [*self.before, self.text]))
        return among.filter(client__in=theirs.values("pk"))

    def is_said(self) -> Q:
        """Whether an invoice has it anywhere: it is one of the few that are named, or is asked place by place.

        Each by its key: of several conditions Postgres would ask one or another of all invoices beforehand.
        """
        named = [Q(_any_of(place.column, place.named)) for place in self.places if place.named is not None]
        asked = [place.of_one() for place in self.places if place.named is None]
        if asked:
            named.append(Q(Exists(asked[0].union(*asked[1:], all=True) if asked[1:] else asked[0])))
        return reduce(or_, named)


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
    ids = [*_by_client(among, words), *words[0].looked_up(among, words[1:])]
    if not ids:
        return NOTHING
    union, given = ids[0].union(*ids[1:], all=True).query.sql_with_params()
    return NEWEST.format(found=union, limit=LIMIT + 1), given


def _says_much(word: str) -> tuple[bool, bool, int, str]:
    """Of words that an index can look up a number says most, then the longest; whatever order they were typed in."""
    return len(word) >= SHORTEST, any(map(str.isdecimal, word)), len(word), word


def _known(texts: list[str]) -> list[Word]:
    """The words with their clients, and with the places where each may be: most are in one, and in few rows of it."""
    likes = [f"%{database.ops.prep_for_like_query(text)}%" for text in texts]
    asked, given = list[str](), list[str]()
    for n in range(1, len(texts) + 1):
        asked.append(CLIENTS.format(theirs=" AND ".join([THEIRS] * n), most=MANY + 1))
        given += [like for like in likes[:n] for _ in range(2)]
    probed = [n for n, text in enumerate(texts) if len(text) >= SHORTEST]
    for n in probed:
        figures = max(FIGURES.findall(texts[n]), key=len, default=texts[n])
        told = {"like": likes[n], "figures": f"%{database.ops.prep_for_like_query(figures)}%", "word": texts[n]}
        for named in NAMED_BY:
            few = FEW.format(named=named, often=OFTEN if named is OF_LINES else "FALSE", most=MANY + 1)
            asked.append(PARAMETER.sub("%s", few))
            given += [told[name] for name in PARAMETER.findall(few)]
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(asked)}", given)
        row = list(cursor.fetchone() or ())
    found = [[] if len(text) < SHORTEST else [row.pop(len(texts)) for _ in PLACES] for text in texts]
    return [Word(text, _places(text, found[n]), row[n], texts[:n]) for n, text in enumerate(texts)]


def _places(word: str, found: list[list[Any] | None]) -> list[Place]:
    """Where it may be: anywhere if it was not looked up, else where something was found, or is often (None)."""
    places = [place(word) for place in PLACES]
    if not found:
        return places
    told = [(place, few) for place, few in zip(places, found, strict=True) if few is None or few]
    return [place if few is None or len(few) > MANY else replace(place, named=few) for place, few in told]


def _by_client(among: QuerySet[Invoice], words: list[Word]) -> Iterator[QuerySet[Any, Any]]:
    """Those whose client has the first word: it has the second too, or that is looked up among the invoice's own."""
    theirs, *left = words
    while theirs.clients and left and not left[0].is_short:
        word = left.pop(0)
        yield from word.looked_up(theirs.of_clients(among), left)
        theirs = word
    if theirs.clients:
        yield _newest(_all_say(theirs.of_clients(among), left))


def _all_say(among: QuerySet[Invoice], words: list[Word]) -> QuerySet[Invoice]:
    return among.filter(*(word.is_said() for word in words))


def _newest(found: QuerySet[Any, Any], name: str = "pk") -> QuerySet[Any, Any]:
    return found.order_by(f"-{name}").values_list(name, flat=True)[: LIMIT + 1]


def _any_of(name: str, ids: list[Any]) -> Func:
    """Whether it is one of these, handed over as one value."""
    written = Value(f"{{{','.join(map(str, ids))}}}")
    among = f"%(expressions)s::{'uuid' if name == 'uuid' else 'bigint'}[])"
    return Func(F(name), written, template=among, arg_joiner=" = ANY (", output_field=BooleanField())
