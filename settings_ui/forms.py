"""What an admin sets, checked before anything is done with it."""

from typing import Any

from django import forms

from incrementors.models import Group
from incrementors.patterns import Pattern
from invoices.models import Company


class CompanyForm(forms.ModelForm):
    class Meta:
        model = Company
        fields = ["name", "address", "vat_number", "currency", "terms_days"]
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "currency": "Three letters, such as GBP. New invoices are made out in it.",
            "terms_days": "Used where a client has no terms of its own.",
        }


class GroupForm(forms.ModelForm):
    """How a group counts; whether its numbers would repeat is for `change_group` to say."""

    starting_position = forms.IntegerField(min_value=1, max_value=10**12, help_text="The number the next invoice gets.")

    class Meta:
        model = Group
        fields = ["prefix", "suffix", "digits"]
        help_texts = {
            "prefix": "Comes before the number, such as INV-.",
            "suffix": "Comes after the number.",
            "digits": "Shorter numbers are filled up with zeros.",
        }

    field_order = ["starting_position", "prefix", "suffix", "digits"]

    def __init__(self, *args: Any, prefix_limit: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix_limit = prefix_limit
        self.fields["starting_position"].initial = self.instance.next_value

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"]
        if self.prefix_limit is not None and len(prefix) > self.prefix_limit:
            raise forms.ValidationError(
                f"The connected platform takes {self.prefix_limit} characters at most; this has {len(prefix)}."
            )
        return prefix

    @property
    def pattern(self) -> Pattern:
        chosen = {name: self.cleaned_data[name] for name in ("prefix", "suffix", "digits")}
        return Pattern(**chosen)
