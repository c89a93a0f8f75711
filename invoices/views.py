"""The pages of an invoice: each reads the request, makes one call, and answers."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Connection
from connectors.services import live_connection, platform_of
from incrementors.services import NumberRefused
from invoices import listing, services
from invoices.forms import DiscardForm, InvoiceForm, draft_from, lines_for
from invoices.models import Company, Invoice, Push
from invoices.standing import FIXES, current_push, standing


def _person(request: HttpRequest) -> User:
    """The signed-in user; the access rules let nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    return request.user


@require_safe
def invoice_list(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "").strip()[:100] for name in ("q", "status", "after", "before")}
    page = listing.page(**asked)
    connection, now = live_connection(), timezone.now()
    rows = [(invoice, push, standing(push, connection, now=now)) for invoice, push in _with_push(page, connection)]
    shown = listing.columns_of(_person(request))
    columns = [(name, label, shown[name]) for name, label in listing.COLUMNS.items()]
    context = {"rows": rows, "page": page, **asked, "statuses": listing.STATUSES, "columns": columns, "shown": shown}
    return render(request, "invoices/list.html", context)


def _with_push(page: listing.Page, connection: Connection | None) -> list[tuple[Invoice, Push | None]]:
    live: UUID | None = connection.pk if connection else None
    chosen = []
    for invoice in page.invoices:
        pushes = sorted(invoice.pushes.all(), key=lambda push: (push.connection_id == live, push.requested_at))
        chosen.append((invoice, pushes[-1] if pushes else None))
    return chosen


@require_POST
def invoice_columns(request: HttpRequest) -> HttpResponse:
    listing.keep_columns(_person(request), request.POST.getlist("columns"))
    return redirect("invoice-list")


@require_http_methods(["GET", "POST"])
def invoice_new(request: HttpRequest) -> HttpResponse:
    form = InvoiceForm(request.POST or None, initial={"issue_date": timezone.localdate()})
    lines = lines_for(None, request.POST or None)
    if request.method == "POST" and all((form.is_valid(), lines.is_valid())):
        draft = draft_from(form, lines)
        try:
            invoice = services.create_invoice(draft=draft, actor=_person(request), now=timezone.now())
        except NumberRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("invoice-detail", invoice.pk)
    return _editor(request, form, lines, None)


@require_http_methods(["GET", "POST"])
def invoice_edit(request: HttpRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice, pk=pk)
    if request.method == "GET" and invoice.status != Invoice.Status.DRAFT:
        messages.info(request, "Only a draft can be changed.")
        return redirect("invoice-detail", pk)
    form = InvoiceForm(request.POST or None, instance=invoice, initial={"version": invoice.version})
    lines = lines_for(invoice, request.POST or None)
    if request.method == "POST" and all((form.is_valid(), lines.is_valid())):
        try:
            services.update_invoice(
                invoice_id=pk,
                version=form.cleaned_data["version"] or 0,
                draft=draft_from(form, lines),
                actor=_person(request),
                now=timezone.now(),
            )
        except services.Refused as refused:
            form.add_error(None, str(refused))
            form.data = {**form.data.dict(), "version": Invoice.objects.get(pk=pk).version}  # type: ignore[attr-defined]
        else:
            return redirect("invoice-detail", pk)
    return _editor(request, form, lines, Invoice.objects.get(pk=pk))


def _editor(request: HttpRequest, form: Any, lines: Any, invoice: Invoice | None) -> HttpResponse:
    context = {"form": form, "lines": lines, "invoice": invoice, "company": Company.ours()}
    return render(request, "invoices/edit.html", context, status=200 if request.method == "GET" else 422)


@require_safe
def invoice_detail(request: HttpRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice.objects.select_related("client", "site", "created_by"), pk=pk)
    context = {
        **_push_context(request, invoice),
        "lines": invoice.lines.select_related("tax_rate", "item"),
    }
    return render(request, "invoices/detail.html", context)


def _push_context(request: HttpRequest, invoice: Invoice) -> dict[str, Any]:
    """What the right-hand card shows: where the invoice stands, and what can be done about it by this person."""
    connection = live_connection()
    push = current_push(invoice, connection)
    stands = standing(push, connection, now=timezone.now())
    sendable = invoice.status in (Invoice.Status.DRAFT, Invoice.Status.APPROVED) and not stands.moving
    found = services.obstacles(invoice, connection) if sendable else []
    attempts = list(push.attempts.all()) if push else []
    subject = push.connection if push else connection
    return {
        "invoice": invoice,
        "push": push,
        "standing": stands,
        "platform_label": platform_of(subject).label if subject else "",
        "connection": subject,
        "obstacles": [(obstacle, _mend(request, invoice, obstacle.fix)) for obstacle in found],
        "problems": [(p, _mend(request, invoice, p["fix"])) for p in (push.problems if push else [])],
        "last_attempt": attempts[-1] if attempts else None,
        "attempts": attempts,
        "support_email": settings.SUPPORT_EMAIL,
        "events": invoice.events.select_related("actor"),
        "discard_form": DiscardForm(),
    }


def _mend(request: HttpRequest, invoice: Invoice, fix: str | None) -> dict[str, str] | None:
    """The link to where it is mended; for somebody who may not go there, whom to ask instead."""
    if fix not in FIXES:
        return None
    name, label, permission = FIXES[fix]
    if not request.user.has_perm(permission):
        return {"label": "Ask an admin to do this."}
    subject = {"client-edit": [invoice.client_id], "invoice-edit": [invoice.pk]}.get(name, [])
    return {"label": label, "url": reverse(name, args=subject)}


@require_http_methods(["GET", "POST"])
def invoice_push(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the right-hand card as it is now, or 204 where it still says what was seen. POST: Send to Sage."""
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            services.request_push(invoice_id=pk, actor=_person(request), now=timezone.now())
        except services.Refused as refused:
            refusal = str(refused)
        if not request.headers.get("HX-Request"):
            if refusal:
                messages.error(request, refusal)
            return redirect("invoice-detail", pk)
        invoice.refresh_from_db()
    context = {**_push_context(request, invoice), "refusal": refusal, "fragment": True}
    if request.GET.get("seen") == context["standing"].code + context["standing"].reason:
        return HttpResponse(status=204)
    return render(request, "invoices/_push.html", context)


@require_POST
def invoice_approve(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.approve)


@require_POST
def invoice_draft(request: HttpRequest, pk: int) -> HttpResponse:
    detail = _do(request, pk, services.return_to_draft)
    return redirect("invoice-edit", pk) if request.POST.get("then") == "edit" else detail


@require_POST
def invoice_discard(request: HttpRequest, pk: int) -> HttpResponse:
    form = DiscardForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say in a few words why the draft is discarded.")
        return redirect("invoice-detail", pk)
    return _do(request, pk, services.discard, reason=form.cleaned_data["reason"])


def _do(request: HttpRequest, pk: int, service: Any, **more: Any) -> HttpResponse:
    get_object_or_404(Invoice, pk=pk)
    try:
        service(invoice_id=pk, actor=_person(request), now=timezone.now(), **more)
    except services.Refused as refused:
        messages.error(request, str(refused))
    return redirect("invoice-detail", pk)
