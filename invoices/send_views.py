"""Sending many: the checks before, how far it is, what is cancelled and sent again, and the latest sends."""

import zlib
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from connectors.interface import Fix
from connectors.models import Connection
from connectors.services import live_connection, platform_of
from invoices import bulk_services, preflight, sends
from invoices.checks import Cell
from invoices.drafts import Refused
from invoices.models import BulkSend, Invoice
from invoices.obstacles import Check
from invoices.preflight import Cause, Checked
from invoices.push_views import mend, person

FIRST = 10  # of each cause, as long as all causes are shown
PAGE = 100  # of one cause
LATEST = 20
OWN = (Fix.INVOICE, Fix.CLIENT, Fix.DATE)  # mended for each invoice by itself
PAGES = {"invoice-detail": "Open the invoice", "property-edit": "Open the property"}
GREEN = "green"
Mend = dict[str, str] | None
Beneath = tuple[Cell, Mend, bool]  # the last: whether the heading says it already


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Invoices that one thing keeps from being sent, or that nothing does, as far as they are shown."""

    key: str
    cause: Cause | None
    mend: Mend
    count: int
    sums: list[tuple[str, Any]]
    rows: list[tuple[Checked, list[Beneath]]]


@require_safe
def send_list(request: HttpRequest) -> HttpResponse:
    begun = list(sends.latest()[:LATEST])
    tallies = sends.tallies(begun)
    told = [(send, sends.Progress(tallies=tallies[send.pk], words="", ahead="")) for send in begun]
    return render(request, "sends/list.html", {"sends": told})


@require_safe
def send_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Before it begins what was found out about each invoice, for whoever chose them; then how far it is."""
    send = get_object_or_404(BulkSend, Q(started_at__isnull=False) | Q(chosen_by=person(request)), pk=pk)
    return _progress_page(request, send) if send.started_at else _preflight_page(request, send)


def _preflight_page(request: HttpRequest, send: BulkSend) -> HttpResponse:
    connection, now = live_connection(), timezone.now()
    ids = list(send.members.values_list("invoice_id", flat=True))
    max_age = preflight.AGAIN if request.GET.get("again") else preflight.LISTS_AGE
    lists = preflight.lists_of(connection, ids, now=now, max_age=max_age)
    found = preflight.check(ids, connection, lists, actor=person(request), now=now)
    bulk_services.keep_findings(send, {one.invoice.pk: one.bad[0].text for one in found if one.bad})
    green = [one for one in found if not one.bad]
    only = request.GET.get("cause", "")
    groups = [*preflight.causes(found), *([None] if green else [])]
    chosen = [cause for cause in groups if not only or (cause.key if cause else GREEN) == only]
    page = (
        Paginator(chosen[0].checked if chosen[0] else green, PAGE).get_page(request.GET.get("page"))
        if (only and len(chosen) == 1)
        else None
    )
    context = {
        "send": send,
        "checks": list(Check),
        "groups": [_group(request, cause, green, page) for cause in chosen],
        "only": only if page else "",
        "page": page,
        "total": len(found),
        "green": len(green),
        "green_sums": _sums(green),
        "red": len(found) - len(green),
        "connection": connection,
        "now": now,
    }
    return render(request, "sends/preflight.html", context)


def _group(request: HttpRequest, cause: Cause | None, green: list[Checked], page: "Page[Checked] | None") -> Group:
    checked = cause.checked if cause else green
    return Group(
        key=cause.key if cause else GREEN,
        cause=cause,
        mend=None if cause is None or _is_own(cause.cell) else _mend(request, checked[0].invoice, cause.cell),
        count=len(checked),
        sums=_sums(checked),
        rows=[(one, _beneath(request, one, cause)) for one in (page or checked[:FIRST])],
    )


def _beneath(request: HttpRequest, one: Checked, cause: Cause | None) -> list[Beneath]:
    """What a row says besides the cause that it stands under, and where its own is mended."""
    said = [cell for cell in one.bad if cause is None or cell is not one.bad[0] or _is_own(cell)]
    return [(cell, _mend(request, one.invoice, cell), cell is one.bad[0]) for cell in said]


def _is_own(cell: Cell) -> bool:
    return cell.page is not None or cell.fix in OWN


def _mend(request: HttpRequest, invoice: Invoice, cell: Cell) -> Mend:
    if cell.page:
        name, pk = cell.page
        return {"label": PAGES[name], "url": reverse(name, args=[pk])}
    return mend(request, invoice, cell.fix)


def _sums(checked: list[Checked]) -> list[tuple[str, Any]]:
    sums: dict[str, Any] = {}
    for one in checked:
        sums[one.invoice.currency] = sums.get(one.invoice.currency, 0) + one.invoice.total
    return sorted(sums.items())


@require_safe
def invoice_checks(request: HttpRequest, pk: int) -> HttpResponse:
    """The same checks of one invoice, for its card."""
    get_object_or_404(Invoice, pk=pk)
    connection, now = live_connection(), timezone.now()
    lists = preflight.lists_of(connection, [pk], now=now)
    (one,) = preflight.check([pk], connection, lists, actor=person(request), now=now)
    told = [(cell, _mend(request, one.invoice, cell)) for cell in one.cells]
    return render(request, "invoices/_checks.html", {"cells": told})


@require_POST
def send_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Answers at once: a worker does the rest."""
    get_object_or_404(BulkSend, chosen_by=person(request), pk=pk)
    told = request.POST.get("green", "")
    green = int(told) if _is_key(told) else -1
    try:
        bulk_services.start(send_id=pk, green=green, actor=person(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("send-detail", pk)


def _begun(pk: int) -> BulkSend:
    begun = BulkSend.objects.select_related("connection", "pressed_by")
    return get_object_or_404(begun, started_at__isnull=False, pk=pk)


def _progress_page(request: HttpRequest, send: BulkSend) -> HttpResponse:
    state = request.GET.get("state", "")
    since = sends.cursor()
    members = sends.shown(send).filter(**({"stands": state} if state in sends.LABELS else {}))
    page = Paginator(members, sends.ROWS).get_page(request.GET.get("page"))
    live = live_connection()
    rows = sends.rows(page.object_list, live, now=timezone.now())
    ids = [row.member.pk for row in rows]
    context = {**_live(_begun(send.pk), live, since, ids), "rows": rows, "page": page, "state": state}
    return render(request, "sends/progress.html", context)


def _live(send: BulkSend, live: Connection | None, since: str, ids: list[int]) -> dict[str, Any]:
    """What changes by itself at the head of the page, and how it is asked for again."""
    told = sends.progress(send, live, now=timezone.now())
    seen = zlib.crc32(f"{told.tallies}{told.words}{told.ahead}".encode())
    asked = f"cursor={since}&ids={'.'.join(map(str, ids))}&seen={seen}"
    label = platform_of(send.connection).label if send.connection else ""
    return {"send": send, "progress": told, "asked": asked, "seen": str(seen), "platform_label": label}


@require_safe
def send_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The head of the page and the rows that have changed since the cursor; 204 where nothing has."""
    send, since = _begun(pk), sends.cursor()
    ids = [int(text) for text in request.GET.get("ids", "").split(".")[: sends.ROWS] if _is_key(text)]
    cursor = request.GET.get("cursor", "")
    changed = sends.changed(send, ids, cursor if _is_key(cursor) else "3")  # the first of all transactions
    live = live_connection()
    context = _live(send, live, since, ids)
    if not changed and request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    rows = sends.rows(sends.shown(send).filter(pk__in=changed), live, now=timezone.now())
    return render(request, "sends/_live.html", {**context, "rows": rows, "fragment": True})


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004  # what fits a key


@require_POST
def send_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    send = _begun(pk)
    count = bulk_services.cancel(send_id=send.pk, actor=person(request), now=timezone.now())
    if count:
        messages.success(request, f"{count} cancelled before they left. What was in hand ends by itself.")
    else:
        messages.info(request, "Nothing was left to cancel.")
    return redirect("send-detail", pk)


@require_POST
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    send = _begun(pk)
    try:
        count = bulk_services.send_again(send_id=send.pk, actor=person(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, f"Nothing was sent. {refused}")
    else:
        messages.success(request, f"{count} queued for Sage again." if count else "None of them is cancelled.")
    return redirect("send-detail", pk)
