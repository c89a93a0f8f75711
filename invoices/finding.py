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

    Each place that is looked into has an index of its own, so a word is a union of what each of them gives, and never
    one condition over all of them, which Postgres could only answer by reading every invoice.
    """
    words = sorted(set(q.split()[:WORDS]), key=len, reverse=True)
    for n, word in enumerate(words):
        if len(word) >= SHORTEST:
            among = among.filter(pk__in=_with(word))
        else:
            among = among.filter(_says(word) if n else Q(pk__in=_with_short(word)))
    ids = list(among.order_by("-pk").values_list("pk", flat=True)[: LIMIT + 1])
    return Found(ids=ids[:LIMIT], more=len(ids) > LIMIT)


def _with(word: str) -> QuerySet[Any, Any]:
    """The ids of all invoices that have the word anywhere."""
    remotes = RemoteInvoice.objects.filter(number__icontains=word).values("invoice")
    tokens = RemoteInvoice.objects.filter(remote_id__iexact=word).values("invoice")
    lines = InvoiceLine.objects.filter(description__icontains=word).values("invoice")
    references = Invoice.objects.filter(reference__icontains=word)
    numbers = Invoice.objects.filter(uuid__in=holders_of(word))
    billed = Invoice.objects.filter(client__in=_clients(word))
    return numbers.values("pk").union(remotes, tokens, lines, references.values("pk"), billed.values("pk"), all=True)


def _with_short(word: str) -> QuerySet[Any, Any]:
    """A word of one or two letters by itself is a client's, or the figure that a number ends with."""
    billed = Invoice.objects.filter(client__in=_clients(word)).values("pk")
    return billed.union(Invoice.objects.filter(uuid__in=holders_of(word, whole=True)).values("pk"), all=True)


def _says(word: str) -> Q:
    """A short word beside longer ones: whether what those have found says it anywhere."""
    remotes = RemoteInvoice.objects.filter(invoice=OuterRef("pk"), number__icontains=word)
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"), description__icontains=word)
    own = Q(number__icontains=word) | Q(reference__icontains=word) | Q(client__name__icontains=word)
    return own | Q(Exists(lines)) | Q(Exists(remotes))


def _clients(word: str) -> QuerySet[Client]:
    return Client.objects.filter(Q(name__icontains=word) | Q(reference__icontains=word))
