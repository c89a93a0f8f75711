"""The pages of an invoice: each reads the request, makes one call, and answers."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from invoices import services
from invoices.forms import DiscardForm
from invoices.models import Invoice
from invoices.push_views import person, push_context
from invoices.reminder_views import context_of


@require_safe
def invoice_detail(request: HttpRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice.objects.select_related("client", "site", "created_by", "credits"), pk=pk)
    context = {
        **push_context(request, invoice),
        "lines": invoice.lines.select_related("tax_rate", "item"),
        **context_of(invoice),
        "credit_notes": [] if invoice.is_credit_note else invoice.credit_notes.order_by("pk"),
    }
    return render(request, "invoices/detail.html", context)


@require_POST
def invoice_approve(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.approve)


@require_POST
def invoice_ask(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.ask_for_approval)


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
        service(invoice_id=pk, actor=person(request), now=timezone.now(), **more)
    except services.Refused as refused:
        messages.error(request, str(refused))
    return redirect("invoice-detail", pk)
