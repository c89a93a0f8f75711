"""The search: by every number an invoice ever had, its client, reference and lines, the newest thousand."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from incrementors.services import holders_of
from invoices.models import Client, Invoice, InvoiceLine, RemoteInvoice

LIMIT = 1000
WORDS = 5
SHORTEST = 3  # letters that an index of trigrams can look up; shorter words are only looked for in few places


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The ids of the newest invoices that match, and whether there are more."""

    ids: list[int]
    more: bool


def find(among: QuerySet[Invoice], q: str) -> Found:
    """Those in which each word is found somewhere, the last added first.

    The word that says most is looked up: each place has an index of its own, so it is a union of what each of them
    gives, and never one condition over all of them, which Postgres could only answer by reading every invoice. What it
    finds is then asked for the other words.
    """
    first, *others = sorted(set(q.split()[:WORDS]), key=_says_much, reverse=True)
    among = among.filter(pk__in=_with(first) if len(first) >= SHORTEST else _with_short(first))
    for word in others:
        among = among.filter(_says(word))
    ids = list(among.order_by("-pk").values_list("pk", flat=True)[: LIMIT + 1])
    return Found(ids=ids[:LIMIT], more=len(ids) > LIMIT)


def _says_much(word: str) -> tuple[bool, bool, int]:
    """Of words that an index can look up a number says most, then the longest."""
    return len(word) >= SHORTEST, any(map(str.isdecimal, word)), len(word)


def _with(word: str) -> QuerySet[Any, Any]:
    """The ids of all invoices that have the word anywhere."""
    remotes = RemoteInvoice.objects.filter(number__icontains=word).values("invoice")
    tokens = RemoteInvoice.objects.filter(remote_id__iexact=word).values("invoice")
    lines = InvoiceLine.objects.filter(description__icontains=word).order_by().values("invoice")
    references = Invoice.objects.filter(reference__icontains=word)
    numbers = Invoice.objects.filter(uuid__in=holders_of(word))
    billed = Invoice.objects.filter(client__in=_clients(word))
    return numbers.values("pk").union(remotes, tokens, lines, references.values("pk"), billed.values("pk"), all=True)


def _with_short(word: str) -> QuerySet[Any, Any]:
    """A word of one or two letters by itself is a client's, or the figure that a number ends with."""
    billed = Invoice.objects.filter(client__in=_clients(word)).values("pk")
    return billed.union(Invoice.objects.filter(uuid__in=holders_of(word, whole=True)).values("pk"), all=True)


def _says(word: str) -> Q:
    """Whether an invoice has the word anywhere, asked of one that another word has found."""
    remotes = RemoteInvoice.objects.filter(
        Q(number__icontains=word) | Q(remote_id__iexact=word), invoice=OuterRef("pk")
    )
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"), description__icontains=word)
    client = Q(client__name__icontains=word) | Q(client__reference__icontains=word)
    places = (Exists(lines.order_by()), Exists(remotes), Exists(holders_of(word).filter(holder=OuterRef("uuid"))))
    return Q(reference__icontains=word) | client | Q(places[0]) | Q(places[1]) | Q(places[2])


def _clients(word: str) -> QuerySet[Any, Any]:
    return Client.objects.filter(Q(name__icontains=word) | Q(reference__icontains=word)).order_by().values("pk")
