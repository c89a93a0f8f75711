"""The search: by every number an invoice ever had, its client, reference and lines, the newest thousand."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from incrementors.services import has_in, holders_of
from invoices.models import Client, Import, ImportedRow, Invoice, InvoiceLine, RemoteInvoice

LIMIT = 1000
WORDS = 5
MANY = 2000  # clients whose ids are handed over
Place = tuple[str, QuerySet[Any, Any]]
SHORTEST = 3  # letters that an index of trigrams can look up; shorter words are only looked for in few places


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The ids of the newest invoices that match, and whether there are more."""

    ids: list[int]
    more: bool


def find(among: QuerySet[Invoice], q: str) -> Found:
    """Those in which each word is found somewhere, the last added first.

    The word that says most is looked up, place by place: each has an index of its own, and gives its newest, so that
    Postgres can stop early where a word is everywhere. One condition over all places it could only answer by reading
    every invoice. What is found is asked for the other words; those of a client's name are looked up together.
    """
    first, *others = sorted(set(q.split()[:WORDS]), key=_says_much, reverse=True)
    places = [*_by_client(among, first, others), *_by_its_own(_all_say(among, others), first)]
    newest = [place.order_by(f"-{name}").values_list(name, flat=True)[: LIMIT + 1] for name, place in places]
    ids = sorted(set(newest[0].union(*newest[1:], all=True)), reverse=True)
    return Found(ids=ids[:LIMIT], more=len(ids) > LIMIT)


def _says_much(word: str) -> tuple[bool, bool, int]:
    """Of words that an index can look up a number says most, then the longest."""
    return len(word) >= SHORTEST, any(map(str.isdecimal, word)), len(word)


def _by_client(among: QuerySet[Invoice], first: str, others: list[str]) -> list[Place]:
    """Those whose client has the first word: it has the second too, or that is looked up among the invoice's own."""
    clients, places = _clients(first), list[Place]()
    known = list(clients.values_list("pk", flat=True)[: MANY + 1])
    if not known:
        return []
    # Of a list Postgres sees at each invoice whether its client is one of them, else it looks each client up.
    theirs: Any = known if len(known) <= MANY and not others else clients.values("pk")
    for place, word in enumerate(others):
        of_them = among.filter(client__in=theirs)
        if len(word) < SHORTEST:
            return [*places, ("pk", _all_say(of_them, others[place:]))]
        places += _by_its_own(_all_say(of_them, others[place + 1 :]), word)
        clients = clients & _clients(word)
        theirs = clients.values("pk")
    return [*places, ("pk", among.filter(client__in=theirs))]


def _by_its_own(among: QuerySet[Invoice], word: str) -> list[Place]:
    """Each place of the invoice itself the word may be in, with what names the invoice there.

    A word of one or two letters is only looked for as the figure that a number ends with.
    """
    if len(word) < SHORTEST:
        return [("pk", among.filter(uuid__in=holders_of(word, whole=True)))]
    ids = among.values("pk")
    numbers = has_in("number", word) | Q(remote_id__iexact=word)
    lines = InvoiceLine.objects.order_by().filter(description__icontains=word, invoice__in=ids)
    return [
        ("pk", among.filter(uuid__in=holders_of(word))),
        ("pk", among.filter(has_in("reference", word))),
        ("invoice", RemoteInvoice.objects.filter(numbers, invoice__in=ids).distinct()),
        ("invoice", lines.distinct()),
        ("invoice", _brought(word).filter(invoice__in=ids)),
    ]


def _all_say(among: QuerySet[Invoice], words: list[str]) -> QuerySet[Invoice]:
    for word in words:
        among = among.filter(_says(word))
    return among


def _says(word: str) -> Q:
    """Whether an invoice has the word anywhere, asked of one that another word has found.

    Its client is asked by itself: joined, Postgres would read all clients for a few invoices.
    """
    remotes = RemoteInvoice.objects.filter(
        Q(number__icontains=word) | Q(remote_id__iexact=word), invoice=OuterRef("pk")
    )
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"), description__icontains=word)
    client = _clients(word).filter(pk=OuterRef("client"))
    numbers = holders_of(word).filter(holder=OuterRef("uuid"))
    places = (client, lines.order_by(), remotes, numbers, _brought(word).filter(invoice=OuterRef("pk")))
    return Q(reference__icontains=word) | Q(*(Q(Exists(place)) for place in places), _connector=Q.OR)


def _brought(word: str) -> QuerySet[Any, Any]:
    """Imported from a file that names them so."""
    return ImportedRow.objects.filter(kind=Import.Kind.INVOICES, key__icontains=word)


def _clients(word: str) -> QuerySet[Client]:
    return Client.objects.filter(Q(name__icontains=word) | Q(reference__icontains=word)).order_by()
