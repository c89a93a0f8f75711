"""The invoice list: what a person asked to see, page by page by key, never counting the whole table."""

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from invoices.models import Company, Invoice, Push, RemoteInvoice, ViewChoice

PAGE_SIZE = 50
IMPORTED = Invoice.Origin.IMPORTED.value
COLUMNS = {
    "property": "Property",
    "reference": "Reference",
    "due": "Due",
    "outstanding": "Outstanding",
    "status": "Status",
    "sage": "Sage state",
    "sent": "Sent to Sage",
}


def statuses() -> dict[str, str]:
    """The filters by status, and what was imported; To approve only where a second person approves."""
    asked = {"ASKED": "To approve"} if Company.ours().second_person_approves else {}
    known = {status.value: status.label for status in Invoice.Status}
    return {"": "All", **asked, **known, IMPORTED: Invoice.Origin.IMPORTED.label}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of invoices, newest first, and the addresses of its neighbours ("" where there is none)."""

    invoices: list[Invoice]
    newer: str
    older: str


def page(*, q: str, status: str, after: str, before: str) -> Page:
    """The invoices after (older than) or before (newer than) a key such as 2026-11-21.417; bad keys are ignored."""
    found = matching(q, status)
    backwards = bool(_key(before))
    if key := _key(before) or _key(after):
        found = found.filter(_beyond(key, newer=backwards))
    order = ("issue_date", "id") if backwards else ("-issue_date", "-id")
    rows = list(found.order_by(*order)[: PAGE_SIZE + 1])
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    if backwards:
        rows.reverse()
    has_newer, has_older = (more, True) if backwards else (bool(key), more)
    kept = {"q": q, "status": status}
    return Page(
        invoices=rows,
        newer=_address(kept, "before", rows[0]) if rows and has_newer else "",
        older=_address(kept, "after", rows[-1]) if rows and has_older else "",
    )


def matching(q: str, status: str) -> QuerySet[Invoice]:
    """The invoices with that status in which each word of the search is found: any number they ever had among them."""
    pushes = Push.objects.select_related("remote").order_by("requested_at")
    found = Invoice.objects.select_related("client", "site").prefetch_related(Prefetch("pushes", pushes), "remotes")
    if status in Invoice.Status.values:
        found = found.filter(status=status)
    elif status == IMPORTED:
        found = found.filter(origin=Invoice.Origin.IMPORTED)
    elif status == "ASKED":
        found = found.filter(status=Invoice.Status.DRAFT, asked_at__isnull=False)
    for word in q.replace("\x00", " ").split()[:5]:
        remote = RemoteInvoice.objects.filter(invoice=OuterRef("pk")).filter(
            Q(number__icontains=word) | Q(remote_id__iexact=word)
        )
        found = found.filter(
            Q(number__icontains=word)
            | Q(client__name__icontains=word)
            | Q(reference__icontains=word)
            | Q(lines__description__icontains=word)
            | Exists(remote)
        ).distinct()
    return found


def _key(text: str) -> tuple[date, int] | None:
    day, _, number = text.partition(".")
    try:
        return date.fromisoformat(day), int(number)
    except ValueError:
        return None


def _beyond(key: tuple[date, int], *, newer: bool) -> Q:
    day, number = key
    if newer:
        return Q(issue_date__gt=day) | Q(issue_date=day, id__gt=number)
    return Q(issue_date__lt=day) | Q(issue_date=day, id__lt=number)


def _address(kept: dict[str, str], side: str, invoice: Invoice) -> str:
    shown = {name: value for name, value in kept.items() if value}
    return "?" + urlencode({**shown, side: f"{invoice.issue_date.isoformat()}.{invoice.pk}"})


def columns_of(user: User) -> dict[str, bool]:
    """Each column that can be left out, and whether this person sees it."""
    choice = ViewChoice.objects.filter(user=user, page="invoices").first()
    left_out = choice.left_out if choice else []
    return {name: name not in left_out for name in COLUMNS}


def keep_columns(user: User, chosen: list[str]) -> None:
    left_out = [name for name in COLUMNS if name not in chosen]
    ViewChoice.objects.update_or_create(user=user, page="invoices", defaults={"left_out": left_out})
