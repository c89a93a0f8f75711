"""An invoice leaves for its client: its PDF, the page that e-mails it, and how far the e-mail is."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import EmailValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from connectors.services import live_connection
from invoices import mailing, paper, services
from invoices.models import Company, Invoice
from invoices.push_views import mail_context, person, push_context
from invoices.standing import shown_number

MOST_ADDRESSES = 10
is_an_address = EmailValidator()


class MailForm(forms.Form):
    """Whom it goes to, and what it says; `key` makes a second click the same e-mail."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    to = forms.CharField(
        label="To", max_length=1000, help_text="One address, or several with a comma between them: ten at most."
    )
    subject = forms.CharField(max_length=200)
    message = forms.CharField(max_length=5000, widget=forms.Textarea(attrs={"rows": 11}))
    copy_to_me = forms.BooleanField(label="Send a copy to myself", required=False)

    def __init__(self, *args: Any, own_address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own_address = own_address
        self.fields["to"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "inputmode": "email"}
        if not own_address:
            del self.fields["copy_to_me"]

    def clean_to(self) -> str:
        typed = [part.strip() for part in self.cleaned_data["to"].replace(";", ",").split(",")]
        addresses = list(dict.fromkeys(part for part in typed if part))
        if len(addresses) > MOST_ADDRESSES:
            raise forms.ValidationError(f"These are {len(addresses)} addresses; {MOST_ADDRESSES} is the most.")
        for address in addresses:
            try:
                is_an_address(address)
            except forms.ValidationError:
                raise forms.ValidationError(
                    f"“{address}” is not an e-mail address. Write it as name@example.com."
                ) from None
        if not addresses:
            raise forms.ValidationError("Give at least one e-mail address.")
        return ", ".join(addresses)

    def clean_subject(self) -> str:
        return " ".join(self.cleaned_data["subject"].split())

    @property
    def letter(self) -> services.Letter:
        said = self.cleaned_data
        copy_to = self.own_address if said.get("copy_to_me") else ""
        return services.Letter(
            key=said["key"], to=said["to"], copy_to=copy_to, subject=said["subject"], body=said["message"]
        )


@require_safe
def invoice_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The invoice on paper, shown by the browser and saved under its own name."""
    invoice = _found(pk)
    connection = live_connection()
    name = paper.file_name(invoice, shown_number(invoice, connection))
    headers = {"Content-Disposition": content_disposition_header(False, name), "X-Content-Type-Options": "nosniff"}
    return HttpResponse(paper.pdf(invoice, connection), content_type="application/pdf", headers=headers)


@require_http_methods(["GET", "POST"])
def invoice_mail(request: HttpRequest, pk: int) -> HttpResponse:
    """The e-mail before it goes: prefilled, to be changed."""
    invoice, sender = _found(pk), person(request)
    data = request.POST if request.method == "POST" else None
    form = MailForm(data, own_address=sender.email, initial=_prefilled(request, invoice))
    if request.method == "POST" and form.is_valid():
        try:
            services.mail_invoice(invoice_id=pk, letter=form.letter, actor=sender, now=timezone.now())
        except services.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("invoice-detail", pk)
    number = shown_number(invoice, live_connection())
    context = {
        "invoice": invoice,
        "form": form,
        "number": number,
        "file_name": paper.file_name(invoice, number),
        "company": Company.ours(),
        "why_not": mailing.why_not(invoice),
        "is_set_up": settings.MAIL_IS_SET_UP,
        "not_set_up": mailing.NOT_SET_UP,
        "last": invoice.mails.filter(state="SENT").first(),
    }
    return render(request, "invoices/mail.html", context, status=422 if form.errors else 200)


def _prefilled(request: HttpRequest, invoice: Invoice) -> dict[str, Any]:
    """As usual; or, with `again`, as that e-mail was written."""
    key = {"key": uuid.uuid4()}
    again = request.GET.get("again", "")
    earlier = (
        invoice.mails.filter(pk=int(again)).first() if again.isdecimal() and len(again) < len(str(2**63)) else None
    )
    if earlier:
        return {
            **key,
            "to": earlier.to,
            "subject": earlier.subject,
            "message": earlier.body,
            "copy_to_me": bool(earlier.copy_to),
        }
    number, company = shown_number(invoice, live_connection()), Company.ours()
    about = {
        "invoice": invoice,
        "number": number,
        "company": company,
        "sender": person(request),
        "owed": paper.amount(invoice.outstanding, invoice.currency),
        "total": paper.amount(invoice.total * invoice.sign, invoice.currency),
        "credited": shown_number(invoice.credits, live_connection()) if invoice.credits else "",
    }
    body = render_to_string("invoices/mail_body.txt", about).strip()
    return {
        **key,
        "to": invoice.client.email,
        "subject": f"{invoice.get_kind_display()} {number} from {company.name}",
        "message": body,
    }


@require_safe
def invoice_mails(request: HttpRequest, pk: int) -> HttpResponse:
    """How far the latest e-mail is, or 204 where it still says what was seen."""
    invoice = _found(pk)
    mail = mail_context(request, invoice)["mail"]
    if mail is None or request.GET.get("seen") == mail.state + mail.trouble:
        return HttpResponse(status=204)
    return render(request, "invoices/_mail.html", {**push_context(request, invoice), "fragment": True})


def _found(pk: int) -> Invoice:
    return get_object_or_404(Invoice.objects.select_related("client", "site", "credits"), pk=pk)
