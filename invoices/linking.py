"""Which customer or item in Sage one of ours is: suggested, said by a person, or created anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors import links
from connectors.interface import Connector, ItemBook, NewItem, PlatformError
from connectors.links import Ours, Theirs
from connectors.models import Connection, RemoteLink
from connectors.services import client_ours, item_ours, live_connection, open_connector, tax_links
from invoices.documents import client_of
from invoices.models import Client, Item

MOST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One of ours that is being linked: its name, how to search for it, and where to go afterwards."""

    name: str
    noun: str
    ours: Ours
    search: Callable[[str], Sequence[Theirs]]
    back: str


@require_http_methods(["GET", "POST"])
def client_sage(request: HttpRequest, key: UUID) -> HttpResponse:
    client = get_object_or_404(Client, uuid=key)
    connection, connector = connected()
    return _page(request, connection, client_subject(client, connection, connector))


@require_http_methods(["GET", "POST"])
def item_sage(request: HttpRequest, key: UUID) -> HttpResponse:
    item = get_object_or_404(Item, uuid=key)
    connection, connector = connected()
    items = connector.items
    if items is None:
        return render(request, "registers/not_in_sage.html", {"label": connector.label}, status=404)
    return _page(request, connection, item_subject(item, connection, items))


def client_subject(client: Client, connection: Connection, connector: Connector) -> Subject:
    return Subject(
        name=client.name,
        noun="customer",
        ours=client_ours(connector, connection, client_of(client), client.uuid),
        search=connector.search_clients,
        back="client-list",
    )


def item_subject(item: Item, connection: Connection, items: ItemBook) -> Subject:
    return Subject(
        name=item.code,
        noun=item.get_sort_display().lower(),
        ours=item_ours(items, connection, _new_item(item, connection), item.uuid),
        search=lambda text: items.search_items(text, item.sort),
        back="item-list",
    )


def connected() -> tuple[Connection, Connector]:
    connection = live_connection()
    if connection is None or not connection.is_active:
        raise Http404("Reflow is not connected to Sage.")
    return connection, open_connector(connection)


def _new_item(item: Item, connection: Connection) -> NewItem:
    link = tax_links(connection).get(item.tax_rate_id)
    return NewItem(
        code=item.code,
        description=item.description,
        sort=item.sort,
        unit_price=Decimal(item.unit_price),
        sales_account_id=connection.sales_account_id,
        purchase_account_id=connection.purchase_account_id,
        tax_rate_id=link.remote_id if link else "",
    )


def _page(request: HttpRequest, connection: Connection, subject: Subject) -> HttpResponse:
    context: dict[str, Any] = {}
    try:
        if request.method == "POST":
            settle(request, connection, subject)
            return redirect(subject.back)
        context = choices(request, connection, subject)
    except PlatformError as error:
        context["trouble"] = error.message
    q = request.GET.get("q", subject.name).strip()[:50]
    return render(request, "registers/sage.html", {**_linked(connection, subject), "q": q, **context})


def choices(request: HttpRequest, connection: Connection, subject: Subject) -> dict[str, Any]:
    """What a person chooses from, read now. Raises PlatformError."""
    q = request.GET.get("q", subject.name).strip()[:50]
    found = _suggestions(connection, subject, q)[:MOST_SHOWN]
    return {**_linked(connection, subject), "found": found, "q": q}


def _linked(connection: Connection, subject: Subject) -> dict[str, Any]:
    links_of_ours = RemoteLink.objects.filter(connection=connection, kind=subject.ours.kind)
    linked = links_of_ours.filter(local_key=subject.ours.local_key).first()
    seen = links.generation(connection, subject.ours.kind, subject.ours.local_key)
    return {"subject": subject, "linked": linked, "seen": seen}


def _suggestions(connection: Connection, subject: Subject, q: str) -> list[dict[str, Any]]:
    """The likely ones first, then what the search finds; one that is another one of ours already says so."""
    likely = {one.id: one for one in subject.ours.find()}
    searched = {one.id: one for one in (subject.search(q) if q else ()) if one.id not in likely}
    taken = dict(
        RemoteLink.objects.filter(connection=connection, kind=subject.ours.kind)
        .exclude(local_key=subject.ours.local_key)
        .values_list("remote_id", "local_key")
    )
    rows = [*((one, True) for one in likely.values()), *((one, False) for one in searched.values())]
    return [{"theirs": one, "likely": is_likely, "taken": one.id in taken} for one, is_likely in rows]


def settle(request: HttpRequest, connection: Connection, subject: Subject) -> bool:
    """Links to the one chosen, or creates a new one; invoices that wait for it can then be sent again.

    False where nothing was chosen. Raises PlatformError.
    """
    chosen, now = request.POST.get("remote", ""), timezone.now()
    known = {row["theirs"].id: row["theirs"] for row in _suggestions(connection, subject, request.POST.get("q", ""))}
    if chosen == "new":
        seen = int(shown) if (shown := request.POST.get("seen", "")).isdecimal() else None
        links.unlink(connection, subject.ours.kind, subject.ours.local_key, seen=seen)
        links.create(connection, subject.ours, now=now)
        messages.success(request, f"{subject.name} was created in Sage.")
    elif chosen in known:
        links.unlink(connection, subject.ours.kind, subject.ours.local_key)
        links.link_to(connection, subject.ours.kind, subject.ours.local_key, chosen, known[chosen].name, now=now)
        messages.success(request, f"{subject.name} is {known[chosen].name} in Sage.")
    else:
        messages.error(request, "Choose one of the list.")
        return False
    return True
