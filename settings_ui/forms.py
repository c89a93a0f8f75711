"""What an admin sets, checked before anything is done with it."""

from typing import Any

from django import forms

from connectors.models import Connection
from connectors.options import NUMBERS, Control, Setting
from connectors.services import platform_of
from incrementors.models import Group
from incrementors.patterns import Pattern
from invoices.models import Company


class CompanyForm(forms.ModelForm):
    class Meta:
        model = Company
        fields = ["name", "address", "vat_number", "currency", "terms_days", "second_person_approves"]
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "currency": "Three letters, such as GBP. New invoices are made out in it.",
            "terms_days": "Used where a client has no terms of its own.",
        }


class SyncForm(forms.Form):
    """The sync settings that the connected platform can use, each with what it does to the next invoice."""

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = connection
        for setting in platform_of(connection).settings:
            self.fields[setting.name] = self._field(setting)

    def _field(self, setting: Setting) -> forms.Field:
        stored = self.connection.sync_settings.get(setting.name, setting.default)
        shown: dict[str, Any] = {"label": setting.label, "help_text": setting.effect, "required": False}
        if setting.control is Control.SWITCH:
            return forms.BooleanField(initial=stored == "ON", **shown)
        if setting.control is Control.DATE:
            return forms.DateField(initial=stored or None, widget=forms.DateInput({"type": "date"}), **shown)
        if setting is NUMBERS and (why := self._prefix_is_too_long()):
            choices = [choice for choice in setting.choices if choice[0] == "PLATFORM"]
            shown = {**shown, "help_text": why, "required": True}
            return forms.ChoiceField(choices=choices, initial="PLATFORM", widget=forms.RadioSelect, **shown)
        return forms.ChoiceField(
            choices=setting.choices, initial=stored, widget=forms.RadioSelect, **{**shown, "required": True}
        )

    def _prefix_is_too_long(self) -> str:
        platform, group = platform_of(self.connection), Group.objects.get(pk=Group.INVOICES)
        if len(group.prefix) <= platform.prefix_limit:
            return ""
        return (
            f"Only Sage numbers: the prefix {group.prefix} is longer than the {platform.prefix_limit} characters "
            f"{platform.label} takes. A shorter one can be set under Incrementor Groups."
        )

    def stored(self) -> dict[str, str]:
        """What was chosen, as it is kept on the connection."""
        return {name: _as_text(value) for name, value in self.cleaned_data.items()}

    def shown(self) -> list[tuple[str, str]]:
        """Each setting and what it is now, in words."""
        return [(str(field.label), _in_words(field)) for field in self.fields.values()]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return "" if value is None else str(value)


def _in_words(field: forms.Field) -> str:
    if isinstance(field, forms.BooleanField):
        return "On" if field.initial else "Off"
    if isinstance(field, forms.ChoiceField):
        return str(dict(field.choices)[field.initial])  # type: ignore[arg-type]
    return str(field.initial or "Any date")


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
                f"The connected platform takes {self.prefix_limit} characters at most; this has {len(prefix)}. A "
                "longer one works with Sage numbers, under Cloud Accounting Connector > Sync settings."
            )
        return prefix

    @property
    def pattern(self) -> Pattern:
        chosen = {name: self.cleaned_data[name] for name in ("prefix", "suffix", "digits")}
        return Pattern(**chosen)
