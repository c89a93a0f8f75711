"""The page on which a person credits an invoice: what is left of each line, and how much of it is taken back."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors.services import live_connection
from incrementors.services import NumberRefused
from invoices import crediting
from invoices.crediting import CreditDraft, CreditLine, Left
from invoices.drafts import Refused
from invoices.fields import AmountField, DateInput
from invoices.models import Invoice
from invoices.push_views import mend, person
from invoices.standing import shown_number

FIGURES = ("quantity", "unit_price", "discount_percent")


class CreditForm(forms.ModelForm):
    """A credit note's head; `key` makes a second click the same one, `version` tells whether somebody else saved it."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Invoice
        fields = ("issue_date", "notes")
        labels = {"notes": "Reason"}
        widgets = {"issue_date": DateInput(), "notes": forms.Textarea(attrs={"rows": 2})}
        help_texts = {"notes": "Printed on the credit note, and kept with it in Sage."}


class CreditLineForm(forms.Form):
    """What is credited of one line; a quantity of 0, or none, leaves it out."""

    quantity = AmountField(min_value=0, max_digits=10, decimal_places=2)
    unit_price = AmountField(min_value=0, max_digits=14, decimal_places=2, label="Price")
    discount_percent = AmountField(min_value=0, max_value=100, max_digits=5, decimal_places=2, label="Discount %")

    def __init__(self, *args: Any, left: Left, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = left
        for field in self.fields.values():
            field.localize, field.required = True, False
            field.widget = forms.TextInput(attrs={"inputmode": "decimal", "aria-label": field.label})
            field.widget.is_localized = True
            field.error_messages |= {"min_value": "At least %(limit_value)s.", "max_value": "At most %(limit_value)s."}
        self.fields["quantity"].widget.attrs["aria-label"] = "Quantity"

    def clean_quantity(self) -> Decimal:
        quantity: Decimal = self.cleaned_data["quantity"] or Decimal(0)
        if quantity > max(self.left.line.quantity, self.left.quantity):
            raise forms.ValidationError(f"Only {self.left.line.quantity.normalize():f} was invoiced.")
        return quantity

    @property
    def credit(self) -> CreditLine:
        figures = {name: self.cleaned_data.get(name) or Decimal(0) for name in FIGURES}
        return CreditLine(line_id=self.left.line.pk, **figures)


class BaseCreditLines(forms.BaseFormSet):
    """A row for each line of the invoice, in its order."""

    def __init__(self, data: Any, *, left: dict[int, Left], initial: list[dict[str, Any]]) -> None:
        self.left = list(left.values())
        super().__init__(data, prefix="lines", initial=initial)

    def total_form_count(self) -> int:
        return len(self.left)

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {"left": self.left[index or 0]}

    @property
    def credits(self) -> list[CreditLine]:
        return [form.credit for form in self.forms if form.credit.quantity]


CreditLines = forms.formset_factory(CreditLineForm, formset=BaseCreditLines, extra=0)


@require_http_methods(["GET", "POST"])
def invoice_credit(request: HttpRequest, pk: int) -> HttpResponse:
    """A new credit note over what is left of this invoice, to be reduced; or why there can be none."""
    invoice = get_object_or_404(Invoice.objects.select_related("client"), pk=pk)
    refused = crediting.why_not(invoice)
    if refused and request.method == "GET":
        return _page(request, invoice, {"refused": refused, "mend": _mend(request, invoice, refused)})
    return _credit(request, invoice, None)


def credit_edit(request: HttpRequest, credit: Invoice) -> HttpResponse:
    """The same for a draft that is there already."""
    assert credit.credits is not None  # noqa: S101  # a constraint says so
    return _credit(request, credit.credits, credit)


def _credit(request: HttpRequest, invoice: Invoice, credit: Invoice | None) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    first = (
        {"key": credit.uuid, "version": credit.version, "issue_date": credit.issue_date}
        if credit
        else {"key": uuid4(), "issue_date": timezone.localdate()}
    )
    left = crediting.left_of(invoice, credit)
    form = CreditForm(data, instance=credit, initial=first)
    lines = CreditLines(data, left=left, initial=_first_figures(left, credit))  # type: ignore[call-arg]
    if data is not None and all((form.is_valid(), lines.is_valid())):
        try:
            return redirect("invoice-detail", _save(request, form, lines, invoice, credit).pk)
        except (Refused, NumberRefused) as refused:
            form.add_error(None, str(refused))
    return _page(request, invoice, {"form": form, "lines": lines, "credit": credit})


def _first_figures(left: dict[int, Left], credit: Invoice | None) -> list[dict[str, Any]]:
    """All that is left; in a draft, what it credits now."""
    if credit is None:
        return [{name: getattr(one, name) for name in FIGURES} for one in left.values()]
    now = {line.credits_id: line for line in credit.lines.all()}
    nothing = {"quantity": 0, "unit_price": None, "discount_percent": None}
    return [
        {name: getattr(now[pk], name) for name in FIGURES}
        if pk in now
        else {**nothing, "unit_price": one.unit_price, "discount_percent": one.discount_percent}
        for pk, one in left.items()
    ]


def _save(request: HttpRequest, form: CreditForm, lines: Any, invoice: Invoice, credit: Invoice | None) -> Invoice:
    given = form.cleaned_data
    draft = CreditDraft(issue_date=given["issue_date"], notes=given["notes"], lines=lines.credits)
    who, now = person(request), timezone.now()
    if credit is None:
        key = given["key"]
        return crediting.create_credit_note(invoice_id=invoice.pk, key=key, draft=draft, actor=who, now=now)
    version = given["version"] or 0
    return crediting.update_credit_note(credit_id=credit.pk, version=version, draft=draft, actor=who, now=now)


def _mend(request: HttpRequest, invoice: Invoice, refused: Refused) -> dict[str, str] | None:
    held = invoice.remotes.order_by("pk").last()
    return mend(request, invoice, refused.fix, held.url if held else "") if refused.fix else None


def _page(request: HttpRequest, invoice: Invoice, more: dict[str, Any]) -> HttpResponse:
    context = {"invoice": invoice, "number": shown_number(invoice, live_connection()), **more}
    return render(request, "invoices/credit.html", context, status=200 if request.method == "GET" else 422)
