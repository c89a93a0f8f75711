"""The page on which a person has an invoice voided in Sage, its consequence first, and what follows a failure."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from connectors.services import live_connection, platform_of
from invoices import void_services
from invoices.drafts import Refused
from invoices.models import Invoice
from invoices.models.business import NO_MARKUP
from invoices.push_views import mend, person
from invoices.standing import held_as, shown_number
from invoices.voidable import remote_in, shown, why_not


class VoidForm(forms.Form):
    """Why; as long as the platform keeps it."""

    def __init__(self, data: object, *, limit: int) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["reason"] = forms.CharField(
            max_length=limit,
            validators=[NO_MARKUP],
            help_text=f"Sage keeps it with the invoice, and the history here shows it. {limit} characters at most.",
        )


@require_http_methods(["GET", "POST"])
def invoice_void(request: HttpRequest, pk: int) -> HttpResponse:
    """What will happen, in Sage and here, and the reason; or why it can't be done from here, and where to go."""
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    connection = live_connection()
    if shown(invoice, connection, person(request)).voiding:
        return redirect("invoice-detail", pk)
    remote, refused = remote_in(invoice, connection), why_not(invoice, connection)
    held = remote or held_as(invoice, None, connection) or invoice.remotes.order_by("pk").last()
    context = {
        "invoice": invoice,
        "number": shown_number(invoice, connection),
        "paper_total": invoice.total * invoice.sign,
        "remote": held,
        "connection": connection,
        "refused": refused,
        "mend": mend(request, invoice, refused.fix, held.url if held else "") if refused and refused.fix else None,
    }
    if refused or connection is None:
        return render(request, "invoices/void.html", context, status=200 if request.method == "GET" else 422)
    platform = platform_of(connection)
    form = VoidForm(request.POST or None, limit=platform.reason_limit)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        return _do(
            request,
            pk,
            lambda who: void_services.request_void(invoice_id=pk, reason=reason, actor=who, now=timezone.now()),
        )
    context |= {"form": form, "platform_label": platform.label, "effect": platform.void_effect}
    return render(request, "invoices/void.html", context, status=200 if request.method == "GET" else 422)


@require_POST
def invoice_void_again(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, lambda who: void_services.try_again(invoice_id=pk, actor=who, now=timezone.now()))


@require_POST
def invoice_void_stop(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, lambda who: void_services.keep_invoice(invoice_id=pk, actor=who, now=timezone.now()))


def _do(request: HttpRequest, pk: int, service: Callable[[User], object]) -> HttpResponse:
    get_object_or_404(Invoice, pk=pk)
    try:
        service(person(request))
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("invoice-detail", pk)
