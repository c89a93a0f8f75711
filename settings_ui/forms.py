"""What an admin sets, checked before anything is done with it."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html

from connectors.interface import Connector
from connectors.models import Connection
from connectors.options import NUMBERS, Control, Setting
from connectors.services import platform_of
from incrementors.models import Group
from incrementors.patterns import Pattern
from incrementors.services import OWN_GROUPS
from invoices.list_fields import Lists, kept_name
from invoices.models import Company

NONE = "None"


class CompanyForm(forms.ModelForm):
    class Meta:
        model = Company
        fields = [
            "name",
            "address",
            "vat_number",
            "currency",
            "terms_days",
            "payment_details",
            "invoice_terms",
            "second_person_approves",
        ]
        widgets = {
            "address": forms.Textarea(attrs={"rows": 4}),
            "payment_details": forms.Textarea(attrs={"rows": 4}),
            "invoice_terms": forms.Textarea(attrs={"rows": 4}),
        }
        help_texts = {
            "currency": "Three letters, such as GBP. New invoices are made out in it.",
            "terms_days": "Used where a client has no terms of its own.",
            "payment_details": "Bank, sort code and account number, say. Printed on invoices, and in the e-mail, "
            "while there is something to pay.",
            "invoice_terms": "Printed at the end of every invoice.",
        }


class UsernameForm(forms.Form):
    """The user that programs sign in as, made for Reflow in the platform itself."""

    username = forms.CharField(label="Web Services user", max_length=150)

    def __init__(self, data: Any = None, *, platform: type[Connector], username: str = "") -> None:
        super().__init__(data, auto_id=f"{platform.platform}-%s", initial={"username": username})
        self.platform = platform
        field = self.fields["username"]
        field.help_text = f"In the form {platform.username_form}, small and capital letters as in Sage."
        field.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}


class SyncForm(forms.Form):
    """The sync settings that the connected platform can use, each with what it does to the next invoice."""

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection, self.lists = connection, Lists(connection)
        for setting in platform_of(connection).settings:
            self.fields[setting.name] = self._field(setting)

    def _field(self, setting: Setting) -> forms.Field:
        stored = self.connection.sync_settings.get(setting.name, setting.default)
        shown: dict[str, Any] = {"label": setting.label, "help_text": setting.effect}
        if setting.control is Control.SWITCH:
            return forms.BooleanField(initial=stored == "ON", required=False, **shown)
        if setting.control is Control.DATE:
            day = forms.DateInput({"type": "date"})
            return forms.DateField(initial=stored or None, widget=day, required=False, **shown)
        if setting.control is Control.LIST and setting.kind:
            name = kept_name(self.connection, setting.kind, stored)
            return self.lists.field(setting.kind, stored, name=name, nothing=NONE, **shown)
        choices = setting.choices
        if setting.name == NUMBERS.name and (why := self._prefix_is_too_long()):
            choices, stored, shown["help_text"] = tuple(c for c in choices if c[0] == "PLATFORM"), "PLATFORM", why
        return forms.ChoiceField(choices=choices, initial=stored, widget=forms.RadioSelect, **shown)

    def clean(self) -> dict[str, Any]:
        """A list that Sage does not show now can't be chosen from: what was chosen comes back, and nothing is saved."""
        for setting in platform_of(self.connection).settings:
            field, typed = self.fields[setting.name], self.data.get(setting.name, "")
            if setting.kind and field.disabled and setting.name in self.data and typed != field.initial:
                name = kept_name(self.connection, setting.kind, typed) if typed else NONE
                field.disabled, field.widget.choices = False, [*field.widget.choices, (typed, name)]
                self.add_error(setting.name, "Sage does not show its list now. What you chose stands here: save again.")
        return self.cleaned_data

    def _prefix_is_too_long(self) -> str:
        platform, groups = platform_of(self.connection), Group.objects.filter(pk__in=OWN_GROUPS).order_by("-pk")
        group = next((one for one in groups if len(one.prefix) > platform.prefix_limit), None)
        if group is None:
            return ""
        return (
            f"Only Sage numbers: the prefix {group.prefix} is longer than the {platform.prefix_limit} characters "
            f"{platform.label} takes. A shorter one can be set under Incrementor Groups."
        )

    def stored(self) -> dict[str, str]:
        """What was chosen, as it is kept on the connection."""
        return {name: _as_text(value) for name, value in self.cleaned_data.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return "" if value is None else str(value)


def settings_in_words(connection: Connection) -> list[tuple[str, str]]:
    """Each sync setting of the platform and what it is now; Sage isn't asked."""
    stored = connection.sync_settings
    settings = platform_of(connection).settings
    return [(one.label, _in_words(one, stored.get(one.name, one.default), connection)) for one in settings]


def _in_words(setting: Setting, stored: str, connection: Connection) -> str:
    if setting.control is Control.SWITCH:
        return "On" if stored == "ON" else "Off"
    if setting.control is Control.CHOICE:
        return dict(setting.choices).get(stored, stored)
    if setting.kind:
        return kept_name(connection, setting.kind, stored) if stored else NONE
    return stored or "Any date"


COUNTED = {Group.IMPORTED: "the next imported invoice", Group.CREDIT_NOTES: "the next credit note"}


def counted(group: Group) -> str:
    """What the group gives its next number to."""
    return COUNTED.get(group.pk, "the next invoice")


class GroupForm(forms.ModelForm):
    """How a group counts; whether its numbers would repeat is for `change_group` to say."""

    starting_position = forms.IntegerField(min_value=1, max_value=10**12)

    class Meta:
        model = Group
        fields = ["prefix", "suffix", "digits"]
        help_texts = {
            "prefix": "Comes before the number, such as INV-.",
            "suffix": "Comes after the number.",
            "digits": "Shorter numbers are filled up with zeros.",
        }

    field_order = ["starting_position", "prefix", "suffix", "digits"]

    def __init__(self, *args: Any, platform: type[Connector] | None, **kwargs: Any) -> None:
        """`platform` is the one that takes this group's numbers as they are, if there is one."""
        super().__init__(*args, **kwargs)
        self.platform = platform
        start, prefix = self.fields["starting_position"], self.fields["prefix"]
        start.initial, start.help_text = self.instance.next_value, f"The number {counted(self.instance)} gets."
        if platform:
            prefix.help_text += f" {platform.label} takes {platform.prefix_limit} characters at most."

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"]
        if self.platform and len(prefix) > self.platform.prefix_limit:
            raise forms.ValidationError(
                format_html(
                    "{} takes {} characters at most; this has {}. A longer one works with Sage numbers: "
                    '<a href="{}">choose them in the sync settings</a>.',
                    self.platform.label,
                    self.platform.prefix_limit,
                    len(prefix),
                    reverse("connector-sync"),
                )
            )
        return prefix

    @property
    def pattern(self) -> Pattern:
        chosen = {name: self.cleaned_data[name] for name in ("prefix", "suffix", "digits")}
        return Pattern(**chosen)
