"""The pages of an invoice: each reads the request, makes one call, and answers."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from incrementors.services import NumberRefused
from invoices import services
from invoices.forms import DiscardForm, InvoiceForm, draft_from, lines_for
from invoices.models import Company, Invoice
from invoices.push_views import person, push_context


@require_http_methods(["GET", "POST"])
def invoice_new(request: HttpRequest) -> HttpResponse:
    form = InvoiceForm(request.POST or None, initial={"issue_date": timezone.localdate()})
    lines = lines_for(None, request.POST or None)
    if request.method == "POST" and all((form.is_valid(), lines.is_valid())):
        draft = draft_from(form, lines)
        try:
            invoice = services.create_invoice(draft=draft, actor=person(request), now=timezone.now())
        except NumberRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("invoice-detail", invoice.pk)
    return _editor(request, form, lines, None)


@require_http_methods(["GET", "POST"])
def invoice_edit(request: HttpRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice, pk=pk)
    if invoice.is_imported:
        messages.info(request, "It was raised in Sage: it is changed there, and follows here with the next sync.")
        return redirect("invoice-detail", pk)
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
                actor=person(request),
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
        **push_context(request, invoice),
        "lines": invoice.lines.select_related("tax_rate", "item"),
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
