"""A select on a form with one of the platform's own lists, live; while it isn't shown, what was chosen stays."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html

from connectors.interface import Entry, PlatformError, Rejected
from connectors.models import Catalogue, Connection
from connectors.options import Kind
from connectors.services import catalogue

REFUSED = "That is not, or no longer, in Sage's list. Choose another."


@dataclass(slots=True)
class Lists:
    """One connection's lists, for one page: a platform that does not answer is asked once, not for each of them."""

    connection: Connection
    away: str = ""

    def _read(self, kind: Kind) -> tuple[Entry, ...] | str:
        """The list as it is now, or why it can't be shown."""
        if self.away:
            return self.away
        try:
            return catalogue(self.connection, kind, now=timezone.now())
        except Rejected as refused:
            return refused.message
        except PlatformError as error:
            self.away = error.message
            return self.away

    def field(self, kind: Kind, chosen: str, *, name: str, nothing: str, **shown: Any) -> forms.ChoiceField:
        """A select whose first entry is `nothing`; `name` is what the chosen one was called when it was chosen."""
        entries = self._read(kind)
        if isinstance(entries, str):
            stays = format_html("Sage does not show its list now; what is chosen stays. {}", entries)
            choices = [(chosen, name if chosen else nothing)]
            shown = {**shown, "help_text": stays, "disabled": True, "required": False}
            return forms.ChoiceField(choices=choices, initial=chosen, **shown)
        offered = [("", nothing), *((entry.id, entry.name or entry.id) for entry in entries)]
        field = forms.ChoiceField(choices=offered, initial=chosen, required=False, **shown)
        field.error_messages["invalid_choice"] = REFUSED
        if chosen not in dict(offered):
            field.widget.choices = [*offered, (chosen, f"{name} (no longer in Sage)")]
        return field


def kept_name(connection: Connection, kind: Kind, entry_id: str) -> str:
    """What an entry is called, by the list as it was last read; else its id."""
    names = {entry.id: entry.name for entry in Catalogue.kept(connection, kind)}
    return names.get(entry_id) or entry_id
