"""What people type, checked field by field before anything is done with it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.functional import cached_property

from connectors.services import live_connection
from invoices import dimensions
from invoices.drafts import InvoiceDraft, LineDraft
from invoices.fields import AmountField, ChoiceBox, ChosenField, DateInput, ItemField, RateField, items_named
from invoices.models import Client, Company, Invoice, InvoiceLine, Item, Property, TaxRate
from invoices.models.business import LARGEST
from invoices.totals import invoice_sums, line_sums

MOST_LINES = 200
HEAD = ("client", "site", "reference", "issue_date", "due_date", "notes")
LINE_FIELDS = ("item", "description", "quantity", "unit_price", "discount_percent", "tax_rate", "nominal_code")
TEXT_LIMITS = {"description": 200, "nominal_code": 20}  # of what is typed here; what is imported may be longer
AMOUNTS = ("quantity", "unit_price", "discount_percent")


class InvoiceForm(forms.ModelForm):
    """An invoice's head. An empty due date follows from the client's terms, else the company's."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Invoice
        fields = HEAD
        labels = {"site": "Property", "issue_date": "Date", "due_date": "Due"}
        widgets = {"issue_date": DateInput(), "due_date": DateInput(), "notes": forms.Textarea(attrs={"rows": 1})}
        help_texts = {"due_date": "Leave empty for their terms.", "notes": "Kept with the invoice in Sage."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["due_date"].required = False
        self.fields["client"] = ChosenField(Client, has_now=self.instance.client_id, label="Client")
        self.fields["site"] = ChosenField(Property, has_now=self.instance.site_id, label="Property", required=False)

    @cached_property
    def company_terms(self) -> int:
        return Company.ours().terms_days

    def clean_issue_date(self) -> date:
        issued: date = self.cleaned_data["issue_date"]
        if not 2000 <= issued.year < 2100:  # noqa: PLR2004  # a slip of the keyboard, such as the year 0026
            raise forms.ValidationError("Check the year of this date.")
        return issued

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        issued, due, client = (cleaned.get(name) for name in ("issue_date", "due_date", "client"))
        if issued and client and not due:
            terms = client.terms_days if client.terms_days is not None else self.company_terms
            cleaned["due_date"] = issued + timedelta(days=terms)
        elif issued and due and due < issued:
            self.add_error("due_date", "This is before the invoice's date.")
        return cleaned


class LineForm(forms.ModelForm):
    """One line of the grid; its cells have no visible labels, so each carries its own."""

    class Meta:
        model = InvoiceLine
        fields = LINE_FIELDS
        field_classes = dict.fromkeys(AMOUNTS, AmountField)
        labels = {"unit_price": "Price", "discount_percent": "Discount %"}

    def __init__(
        self,
        *args: Any,
        items: Mapping[str, Item],
        rates: Mapping[str, TaxRate],
        with_codes: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, limit in TEXT_LIMITS.items():
            label = name.replace("_", " ").capitalize()
            self.fields[name] = forms.CharField(max_length=limit, required=name == "description", label=label)
        if not with_codes:
            del self.fields["nominal_code"]
        self.fields["item"] = ItemField(items, required=False, label="Item")
        self.fields["tax_rate"] = RateField(rates, label="Tax rate", initial=next(iter(rates), None))
        for name, field in self.fields.items():
            if name in AMOUNTS:
                field.localize = True
                field.widget = forms.TextInput(attrs={"inputmode": "decimal"})
                field.widget.is_localized = True
                field.error_messages |= {
                    "min_value": "At least %(limit_value)s.",
                    "max_value": "At most %(limit_value)s.",
                }
            field.widget.attrs["aria-label"] = field.label

    def _get_validation_exclusions(self) -> set[str]:
        """What was chosen among rows just read is not looked for again."""
        return {*super()._get_validation_exclusions(), "item", "tax_rate"}  # type: ignore[misc]  # no stub has it

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            amounts = {name: cleaned[name] for name in AMOUNTS}
            self.sums = line_sums(**amounts, tax_percent=cleaned["tax_rate"].percentage)
            if max(self.sums.total, self.sums.net + self.sums.discount) > LARGEST:
                self.add_error("unit_price", f"The line comes to more than {LARGEST:,}.")
        return cleaned

    def draft(self) -> LineDraft:
        return LineDraft(**{name: self.cleaned_data[name] for name in LINE_FIELDS if name in self.fields})


def codes_per_line() -> bool:
    """Items and lines carry nominal codes of their own only where the sync settings say so."""
    connection = live_connection()
    return bool(connection and connection.options.codes_per_line)


class BaseLines(forms.BaseFormSet):
    """The grid: at least one line, in the order shown; a line left as it came is no line."""

    default_error_messages = {
        **forms.BaseFormSet.default_error_messages,
        "too_many_forms": "An invoice takes at most %(num)d lines.",
    }
    invoice: Invoice | None = None

    def initial_form_count(self) -> int:
        """Of what is posted every line is as good as a new one: they may stand in any order by then."""
        return 0 if self.is_bound else super().initial_form_count()

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        shared = {"items": self._items, "rates": self.rates, "with_codes": self.with_codes}
        return {**super().get_form_kwargs(index), **shared}

    @cached_property
    def with_codes(self) -> bool:
        return codes_per_line()

    @cached_property
    def _items(self) -> dict[str, Item]:
        """Those that the lines name; nobody reads all items for that."""
        box = ChoiceBox("item")
        if self.is_bound:
            names = (f"{self.add_prefix(n)}-item" for n in range(self.total_form_count()))
            asked = [box.value_from_datadict(self.data, {}, name) for name in names]
        else:
            asked = [row["item"] for row in self.initial or ()]
        mine = self.invoice.lines.exclude(item=None).values_list("item", flat=True) if self.invoice else ()
        return items_named(asked, mine)

    @cached_property
    def rates(self) -> dict[str, TaxRate]:
        return {rate.pk: rate for rate in TaxRate.objects.all()}

    @property
    def kept(self) -> list[LineForm]:
        return [form for form in self.forms if form not in self.deleted_forms and form.has_changed()]

    def clean(self) -> None:
        if any(self.errors):
            return
        if not self.kept:
            raise forms.ValidationError("An invoice needs at least one line.")
        if invoice_sums(line.sums for line in self.kept).total > LARGEST:
            raise forms.ValidationError(f"The invoice comes to more than {LARGEST:,}.")


Lines = forms.formset_factory(
    LineForm,
    formset=BaseLines,
    extra=1,
    can_delete=True,
    max_num=MOST_LINES,
    validate_max=True,
    absolute_max=2 * MOST_LINES,
)


def lines_for(
    invoice: Invoice | None, data: Any = None, *, typed: Mapping[str, str] | None = None, copied: Invoice | None = None
) -> BaseLines:
    """The grid for an invoice, or an empty one; `data` is what was posted, `typed` what a scratch has kept, `copied`
    another invoice whose lines a new one begins with."""
    names = ("item_id", "description", "quantity", "unit_price", "discount_percent", "tax_rate_id", "nominal_code")
    if typed is not None:
        initial = _typed_lines(typed)
    elif copied is not None:
        initial = _copied_lines(copied)
    else:
        shown = invoice.lines.values_list(*names) if invoice and data is None else ()
        initial = [dict(zip(LINE_FIELDS, row, strict=True)) for row in shown]
    lines: BaseLines = Lines(data, prefix="lines", initial=initial)  # type: ignore[assignment]
    lines.invoice = invoice
    return lines


def _copied_lines(copied: Invoice) -> list[dict[str, Any]]:
    """Its lines; one whose item is archived stays as text, and one that was imported takes the usual tax rate."""
    rows = []
    for line in copied.lines.select_related("item"):
        row = {name: getattr(line, name) for name in LINE_FIELDS if name not in ("item", "tax_rate")}
        row["item"] = line.item_id if line.item and not line.item.archived_at else None
        rows.append(row | ({"tax_rate": line.tax_rate_id} if line.tax_rate_id else {}))
    return rows


def typed_head(typed: Mapping[str, str]) -> dict[str, Any]:
    """What a scratch has kept of an invoice's head, as it was typed."""
    return {name: ChoiceBox("").value_from_datadict(typed, {}, name) for name in (*HEAD, "version")}


def _typed_lines(typed: Mapping[str, str]) -> list[dict[str, Any]]:
    """The lines that a scratch has kept, as they were typed, without those removed and those nobody touched."""
    rows = []
    for n in range(MOST_LINES):
        key = f"lines-{n}"
        row = {name: ChoiceBox("").value_from_datadict(typed, {}, f"{key}-{name}") for name in LINE_FIELDS}
        if f"{key}-DELETE" not in typed and any(row[name] for name in ("item", "description", "unit_price")):
            rows.append({name: value for name, value in row.items() if value is not None} | {"item": row["item"]})
    return rows


def draft_from(form: InvoiceForm, lines: BaseLines) -> InvoiceDraft:
    """Both valid forms as one draft."""
    fields = {name: form.cleaned_data[name] for name in HEAD}
    return InvoiceDraft(**fields, lines=[line.draft() for line in lines.kept])


class PropertyForm(forms.ModelForm):
    """A property, and what its lines are posted to in the connected books where the platform keeps such lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].empty_label = "None"  # type: ignore[attr-defined]
        self.fields["address"].widget.attrs["rows"] = 3
        self.connection = dimensions.working_connection()
        self.own = dimensions.fields(self.connection, self.instance) if self.connection else {}
        self.fields.update(self.own)

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        site = super().save(commit)
        if self.connection:
            chosen = {name: self.cleaned_data[name] for name in self.own}
            dimensions.keep(self.connection, site, chosen, now=timezone.now())
        return site


class DiscardForm(forms.Form):
    reason = forms.CharField(
        max_length=150, help_text="Its number stays on record with this reason, so that the sequence is whole."
    )
