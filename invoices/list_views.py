"""The invoice list: its page, its file, its columns, the rows that move by themselves, and what is done with many."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.services import live_connection
from invoices import bulk_services, choosing, columns, export, listing, services
from invoices.choosing import AT_ONCE, Chooser, Done
from invoices.filtering import NEWEST, Asked, FilterForm, asked_of
from invoices.list_head import Head, head_for
from invoices.list_rows import rows_of
from invoices.listing import Listed
from invoices.models import BulkMember, Invoice
from invoices.obstacles import obstacles_of_all
from invoices.push_views import person
from invoices.tiles import counted, currencies, tiles

NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading that sorts: where it leads, and how it is sorted now."""

    address: str
    aria: str


@require_safe
def invoice_list(request: HttpRequest) -> HttpResponse:
    today, asked = timezone.localdate(), asked_of(request.GET)
    head = head_for(person(request), today=today)
    keys = {side: request.GET.get(side, "")[:100] for side in ("after", "before")}
    page = listing.page(asked, head.connection, today=today, **keys)
    all_tiles = tiles(asked, head.connection, head.tallies)
    known = currencies(all_tiles)
    context = {
        **_table(page.invoices, head),
        **head.banner,
        **{"page": page, "asked": asked, "tiles": all_tiles, "query": request.GET.urlencode()},
        **{"filters": list(asked.filters()), "headings": partial(_headings, asked), "newest": asked.sort == NEWEST},
        "form": partial(_panel, asked, known),
        "currencies": known,
        "kept": {name: value for name, value in asked.values().items() if name != "q"},
        "blocked": next((str(found) for found in obstacles_of_all(head.connection)), ""),
        "at_once": AT_ONCE,
        "running": head.running,
    }
    return render(request, "invoices/list.html", context)


def _table(invoices: Iterable[Listed], head: Head) -> dict[str, Any]:
    """The rows with this person's columns, and those of them that will still change by themselves."""
    rows = rows_of(invoices, head.chooser, head.columns, held=head.is_held)
    return {"rows": rows, "moving": [row.seen for row in rows if row.stands.moving], "columns": head.columns}


def _headings(asked: Asked) -> dict[str, Heading]:
    """By column: a first press sorts money and dates from the top, the next one turns it round."""
    first = {"number": "number", "date": "-date", "due": "due", "total": "-total"}
    headings = {}
    for name, sort in first.items():
        active = asked.sort.removeprefix("-") == name
        turned = name if asked.sort.startswith("-") else f"-{name}"
        aria = ("descending" if asked.sort.startswith("-") else "ascending") if active else ""
        headings[name] = Heading(address=asked.address(sort=turned if active else sort), aria=aria)
    return headings


def _panel(asked: Asked, known: list[str]) -> FilterForm:
    """The filters as they stand; a currency can only be chosen where there are several."""
    form = FilterForm(initial={**asked.values(), "overdue": asked.overdue})
    if len(known) > 1 or asked.currency:
        form.offer_currencies(known)
    else:
        del form.fields["currency"]
    return form


@require_safe
def invoice_moving(request: HttpRequest) -> HttpResponse:
    """The rows that look otherwise than a page last saw them; 204 where none does."""
    seen = {text.partition(".")[0]: text for text in request.GET.getlist("seen")[: listing.PAGE_SIZE]}
    head = head_for(person(request))
    table = _table(listing.these(_ids(list(seen)), head.connection), head)
    changed = [row for row in table["rows"] if seen.get(str(row.invoice.pk)) != row.seen]
    if not changed:
        return HttpResponse(status=204)
    asked, tallies = asked_of(request.GET), counted(head.connection, today=timezone.localdate())
    shown = {"tiles": tiles(asked, head.connection, tallies), "asked": asked}
    return render(request, "invoices/_moved.html", {**table, **shown, "rows": changed, "fragment": True})


@require_http_methods(["GET", "HEAD", "POST"])
def invoice_csv(request: HttpRequest) -> StreamingHttpResponse:
    """What the list shows, all pages of it in its order, or what was ticked, as a spreadsheet reads it."""
    ids, asked = _ids(request.POST.getlist("ids")), asked_of(request.GET)
    found = Invoice.objects.filter(pk__in=ids) if ids and not request.POST.get("all") else _matching(request)
    rows = export.rows(listing.in_order(found, asked.sort), live_connection(), now=timezone.now())
    answer = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="invoices-{timezone.localdate().isoformat()}.csv"'
    return answer


def _matching(request: HttpRequest) -> QuerySet[Invoice]:
    return listing.matching(asked_of(request.GET), live_connection(), today=timezone.localdate())


def _ids(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isdecimal() and len(text) < 19]  # noqa: PLR2004  # what fits a key


@require_POST
def invoice_columns(request: HttpRequest) -> HttpResponse:
    """Keeps what was ticked and its order; one that is to go up or down is moved first."""
    order = request.POST.getlist("order")
    if request.POST.get("reset"):
        columns.forget(person(request))
        return back_to_list(request)
    for side, by in (("up", -1), ("down", 1)):
        order = columns.move(order, request.POST.get(side, ""), by=by)
    columns.keep_columns(person(request), shown=request.POST.getlist("columns"), order=order)
    return back_to_list(request)


def chosen_ids(request: HttpRequest, name: str = "ids") -> list[int]:
    """What was ticked, each once; all that match where all of them were chosen."""
    if request.POST.get("all"):
        return list(_matching(request).order_by("-pk").values_list("pk", flat=True)[: choosing.COUNTED])
    return list(dict.fromkeys(_ids(request.POST.getlist(name))))


@require_safe
def invoice_chosen(request: HttpRequest) -> JsonResponse:
    """All that match, as the bar shows it: how many, their sums, and what can be done with them."""
    return JsonResponse(choosing.summary(_matching(request), Chooser.of(person(request), live_connection())))


@require_POST
def invoice_approve_many(request: HttpRequest) -> HttpResponse:
    """Does it with each that was ticked, and says what came of it."""
    ids = list(dict.fromkeys(_ids(request.POST.getlist("ids"))))
    if not ids:
        messages.info(request, "Tick the invoices first.")
    elif len(ids) > AT_ONCE:
        messages.error(request, f"Nothing was approved: {AT_ONCE} at a time. Narrow it with a search or a filter.")
    else:
        why = Chooser.of(person(request), live_connection()).why_not_approve
        _tell(request, choosing.each(ids, services.approve, why, actor=person(request), now=timezone.now()))
    return back_to_list(request)


def _tell(request: HttpRequest, outcome: Done) -> None:
    if count := len(outcome.done):
        messages.success(request, f"{count} invoice{' was' if count == 1 else 's were'} approved.")
    for reason, invoices in outcome.left_out.items():
        said = format_html("{} not approved, {}: {}.", len(invoices), _in_a_sentence(reason), _links(invoices))
        messages.warning(request, said)


@require_POST
def invoice_send_many(request: HttpRequest) -> HttpResponse:
    """What was ticked, all that match, or what another send left out is put together; its page says what would go."""
    found = _chosen(request).order_by("pk").values_list("pk", flat=True)
    ids = list(found[: choosing.COUNTED + 1])
    if blocked := obstacles_of_all(live_connection()):
        messages.error(request, f"Nothing was sent. {blocked[0]}")
    elif not ids:
        messages.info(request, "Tick the invoices first.")
    elif len(ids) > choosing.COUNTED:
        messages.error(request, f"{choosing.COUNTED:,} can be sent together. Narrow it with a search or a filter.")
    else:
        send = bulk_services.choose(ids=ids, actor=person(request), now=timezone.now())
        return redirect("send-detail", send.pk)
    return back_to_list(request)


def _chosen(request: HttpRequest) -> QuerySet[Invoice]:
    if request.POST.get("all"):
        return _matching(request)
    if before := _ids(request.POST.getlist("left_out_of")):
        left_out = BulkMember.objects.filter(send__in=before, state=BulkMember.State.LEFT_OUT)
        return Invoice.objects.filter(pk__in=left_out.values("invoice"))
    return Invoice.objects.filter(pk__in=_ids(request.POST.getlist("ids")))


def _in_a_sentence(reason: str) -> str:
    return reason.rstrip(".")


def _links(invoices: list[Invoice]) -> SafeString:
    links = ((reverse("invoice-detail", args=[one.pk]), str(one)) for one in invoices[:NAMED])
    named = format_html_join(", ", '<a href="{}">{}</a>', links)
    return format_html("{} and {} more", named, len(invoices) - NAMED) if len(invoices) > NAMED else named


def back_to_list(request: HttpRequest) -> HttpResponse:
    """To the list as it was asked for."""
    query = request.GET.urlencode()
    return redirect(f"{reverse('invoice-list')}?{query}" if query else reverse("invoice-list"))
