"""The editor of an invoice, new or a draft, and the scratch that keeps what is being typed."""

from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from incrementors.services import NumberRefused
from invoices import scratches, services
from invoices.credit_views import credit_edit
from invoices.differences import Difference, differences
from invoices.drafts import draft_of
from invoices.fields import AN_ID
from invoices.forms import HEAD, MOST_LINES, BaseLines, InvoiceForm, draft_from, lines_for, typed_head
from invoices.models import Company, Invoice, Scratch
from invoices.push_views import person
from invoices.scratches import ScratchRefused

MOST_OFFERED = 5
KEPT = (*HEAD, "version", "client-text", "site-text")


@require_http_methods(["GET", "POST"])
def invoice_new(request: HttpRequest) -> HttpResponse:
    key, scratch = _scratch(request, None)
    form, lines = _forms(request, None, scratch)
    if request.method == "POST" and all((form.is_valid(), lines.is_valid())):
        draft = draft_from(form, lines)
        try:
            invoice = services.create_invoice(draft=draft, actor=person(request), now=timezone.now(), scratch=key)
        except NumberRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("invoice-detail", invoice.pk)
    return _editor(request, form, lines, {"key": key, "scratch": scratch})


@require_http_methods(["GET", "POST"])
def invoice_edit(request: HttpRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice, pk=pk)
    if invoice.is_imported:
        messages.info(request, "It was raised in Sage: it is changed there, and follows here with the next sync.")
        return redirect("invoice-detail", pk)
    if request.method == "GET" and invoice.status != Invoice.Status.DRAFT:
        messages.info(request, "Only a draft can be changed.")
        return redirect("invoice-detail", pk)
    if invoice.is_credit_note:
        return credit_edit(request, invoice)
    key, scratch = _scratch(request, invoice)
    form, lines = _forms(request, invoice, scratch)
    difference = None
    if request.method == "POST" and all((form.is_valid(), lines.is_valid())):
        try:
            services.update_invoice(
                invoice_id=pk,
                version=form.cleaned_data["version"] or 0,
                draft=draft_from(form, lines),
                actor=person(request),
                now=timezone.now(),
            )
        except services.EditedMeanwhile as edited:
            difference = _meanwhile(request, form, lines, key)
            form.add_error(None, str(edited))
        except services.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("invoice-detail", pk)
    stored = Invoice.objects.get(pk=pk)
    more = {"key": key, "scratch": scratch, "invoice": stored, "difference": difference}
    return _editor(request, form, lines, more)


def _meanwhile(request: HttpRequest, form: InvoiceForm, lines: BaseLines, key: UUID) -> Difference:
    """What differs; yours becomes a scratch, so that taking theirs loses nothing, and saving again keeps yours."""
    stored = Invoice.objects.select_related("client", "site").get(pk=form.instance.pk)
    with suppress(ScratchRefused):  # it is on the page all the same
        scratches.keep(key, _typed(request), invoice=stored, person=person(request), now=timezone.now())
    form.data = {**request.POST.dict(), "version": stored.version}
    return differences(draft_of(stored), draft_from(form, lines))


def _scratch(request: HttpRequest, invoice: Invoice | None) -> tuple[UUID, Scratch | None]:
    """The key that this form keeps its scratch under, and the scratch that is to be gone on with."""
    try:
        key = UUID(request.GET.get("scratch", ""))
    except ValueError:
        return uuid4(), None
    return key, scratches.of(person(request), invoice).filter(pk=key).first()


def _forms(request: HttpRequest, invoice: Invoice | None, scratch: Scratch | None) -> tuple[InvoiceForm, BaseLines]:
    data = request.POST if request.method == "POST" else None
    first = {"version": invoice.version} if invoice else {"issue_date": timezone.localdate()}
    copied = _copied(request) if invoice is None and data is None and not scratch else None
    if scratch:
        first |= typed_head(scratch.fields)
    elif copied:
        first |= _copied_head(request, copied)
    form = InvoiceForm(data, instance=invoice, initial=first)
    return form, lines_for(invoice, data, typed=scratch.fields if scratch and data is None else None, copied=copied)


def _copied(request: HttpRequest) -> Invoice | None:
    """The invoice that a new one is to be like."""
    asked = request.GET.get("copy", "")
    return (
        get_object_or_404(Invoice.objects.select_related("client", "site"), pk=asked)
        if AN_ID.fullmatch(asked)
        else None
    )


def _copied_head(request: HttpRequest, copied: Invoice) -> dict[str, Any]:
    """All but the dates; what has been archived since is named and left out."""
    lines = copied.lines.select_related("item")
    archived = [row for row in (copied.client, copied.site) if row and row.archived_at]
    named = [*map(str, archived), *(line.item.code for line in lines if line.item and line.item.archived_at)]
    left_out = f" Left out, as they are archived: {', '.join(dict.fromkeys(named))}." if named else ""
    messages.info(request, f"Copied from {copied}. Nothing is saved yet.{left_out}")
    kept = {name: getattr(copied, name) for name in ("client", "site") if getattr(copied, name) not in archived}
    return {"reference": copied.reference, "notes": copied.notes, **{name: row.pk for name, row in kept.items() if row}}


def _editor(request: HttpRequest, form: InvoiceForm, lines: BaseLines, more: dict[str, Any]) -> HttpResponse:
    mine = scratches.of(person(request), more.get("invoice"))[:MOST_OFFERED]
    offered = () if more["scratch"] or request.method == "POST" else mine
    if not (offered or more["scratch"] or more.get("invoice") or request.method == "POST"):
        form.fields["client"].widget.attrs["data-focus"] = ""
    context = {
        "form": form,
        "lines": lines,
        "company": Company.ours(),
        "offers": [(offer, scratches.is_for(offer)) for offer in offered],
        "most_lines": MOST_LINES,
        **more,
    }
    return render(request, "invoices/edit.html", context, status=200 if request.method == "GET" else 422)


def _typed(request: HttpRequest) -> dict[str, str]:
    typed = request.POST.dict()
    return {name: str(text) for name, text in typed.items() if name in KEPT or name.startswith("lines-")}


@require_POST
def scratch_keep(request: HttpRequest, key: UUID) -> HttpResponse:
    """Keeps the form as it is being typed; answers with when, or why it can't be kept."""
    number = request.GET.get("invoice", "")
    invoice = get_object_or_404(Invoice, pk=int(number)) if AN_ID.fullmatch(number) else None
    try:
        scratch = scratches.keep(key, _typed(request), invoice=invoice, person=person(request), now=timezone.now())
    except ScratchRefused as refused:
        return JsonResponse({"message": str(refused)}, status=422)
    return JsonResponse({"at": f"{timezone.localtime(scratch.saved_at):%H:%M}"})


@require_POST
def scratch_discard(request: HttpRequest, key: UUID) -> HttpResponse:
    scratch = get_object_or_404(Scratch, pk=key, person=person(request))
    there = reverse("invoice-edit", args=[scratch.invoice_id]) if scratch.invoice_id else reverse("invoice-new")
    scratch.delete()
    return redirect(there)
