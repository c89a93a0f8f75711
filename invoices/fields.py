"""Fields of forms in which one of many rows is chosen by typing, and those a line's figures are typed into."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from invoices.models import Client, Company, Item, Property, TaxRate

HINTS = {"client": "Name or reference", "property": "Name or address", "item": "Code"}
CHOSEN = mark_safe('<span class="box-chosen"><span class="sr">chosen</span></span>')  # shown while there is an id
AN_ID = re.compile(r"[0-9]{1,18}")
Row = Client | Property | Item


class Words(str):
    """What was typed where nothing was chosen from the list."""

    __slots__ = ()


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ChoiceBox(forms.TextInput):
    """A text box that offers rows while one types; it posts the id of the chosen one, and what was typed beside it."""

    def __init__(self, noun: str) -> None:
        super().__init__(attrs={"role": "combobox", "autocomplete": "off", "spellcheck": "false", "data-choose": noun})
        self.attrs |= {
            "placeholder": HINTS.get(noun, ""),
            "aria-autocomplete": "list",
            "aria-expanded": "false",
            "aria-controls": "choices-list",
        }
        self.noun = noun
        self.row: Any = lambda value: None
        """Gives the row that a value names, or None."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        chosen, words = data.get(name), (data.get(f"{name}-text") or "").strip()
        return Words(words) if words and not chosen else chosen

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-text" not in data

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        row = None if isinstance(value, Words) else self.row(value)
        told = {"data-terms": _terms(row)} if isinstance(row, Client) else {}
        text = shown(row) if row else value if isinstance(value, Words) else ""
        box = super().render(f"{name}-text", text, {**(attrs or {}), **told}, renderer)
        chosen = "" if isinstance(value, Words) or value is None else value
        tick = "" if self.noun == "item" else CHOSEN
        return format_html(
            '<span class="choose"><input type="hidden" name="{}" value="{}">{}{}</span>', name, chosen, box, tick
        )


def shown(row: Row) -> str:
    """What stands in the box once the row is chosen."""
    return row.code if isinstance(row, Item) else str(row)


def _terms(client: Client) -> int:
    return client.terms_days if client.terms_days is not None else Company.ours().terms_days


def _refused(value: Any, model: type[Row], row: Row | None) -> forms.ValidationError:
    """Why it can't be chosen: it is archived, or there is none of that name."""
    plural = str(model._meta.verbose_name_plural)
    if row and row.archived_at:
        text = f"{shown(row)} is archived: take it back under {plural.title()}, or choose another one."
    else:
        text = f"“{str(value)[:50]}” is none of the {plural}: choose one from the list."
    return forms.ValidationError(text, code="invalid_choice")


class ChosenField(forms.ModelChoiceField):
    """One of many rows: by its id, or by its exact name or reference where nothing was chosen from the list."""

    def __init__(self, model: type[Client | Property], *, has_now: int | None, **kwargs: Any) -> None:
        """`has_now` is the row that the invoice has already, which may have been archived since."""
        in_use = model._default_manager.filter(Q(archived_at=None) | Q(pk=has_now))
        super().__init__(in_use, widget=ChoiceBox(str(model._meta.verbose_name)), **kwargs)
        self.model = model
        self.widget.row = self.row

    def row(self, value: Any) -> Any:
        return self.model._default_manager.filter(pk=value).first() if AN_ID.fullmatch(str(value or "")) else None

    def to_python(self, value: Any) -> Any:
        self.validate_no_null_characters(value)
        if isinstance(value, Words):
            return self._named(value)
        try:
            return super().to_python(value)
        except forms.ValidationError:
            raise _refused(value, self.model, self.row(value)) from None

    def _named(self, words: Words) -> Any:
        names = Q(name__iexact=words) | (Q(reference__iexact=words) if self.model is Client else Q())
        found = list(self.queryset.filter(names)[:2])  # type: ignore[union-attr]
        if len(found) != 1:
            raise _refused(words, self.model, None)
        return found[0]


class ItemField(forms.Field):
    """An item among those that were read once for the whole grid, by its id or by its code as it was typed."""

    def __init__(self, rows: Mapping[str, Item], **kwargs: Any) -> None:
        super().__init__(widget=ChoiceBox("item"), **kwargs)
        self.rows = rows
        self.widget.row = lambda value: rows.get(key_of(value))

    def to_python(self, value: Any) -> Item | None:
        if isinstance(value, Item) or value in self.empty_values:
            return value or None
        row = self.rows.get(key_of(value))
        if row is None or (row.archived_at and not getattr(row, "is_mine", False)):
            raise _refused(value, Item, row)
        return row


def key_of(value: Any) -> str:
    """Of a row in the grid's mapping: words are codes, anything else is an id."""
    return f"code {value.upper()}" if isinstance(value, Words) else str(value)


def items_named(values: Iterable[Any], mine: Iterable[int]) -> dict[str, Item]:
    """The items that these values name, by each way to name them; `mine` may be archived."""
    asked = list(values)
    ids = {str(value) for value in asked if not isinstance(value, Words) and AN_ID.fullmatch(str(value))}
    codes = {value.upper() for value in asked if isinstance(value, Words) and "\x00" not in value}
    rows = Item.objects.annotate(upper=Upper("code")).filter(Q(pk__in=ids) | Q(upper__in=codes)) if ids or codes else []
    kept = set(mine)
    for row in rows:
        row.is_mine = row.pk in kept  # type: ignore[attr-defined]
    return {key: row for row in rows for key in (str(row.pk), f"code {row.code.upper()}")}


class RateSelect(forms.Select):
    """Options that carry what a line is counted with."""

    def __init__(self, rows: Mapping[str, TaxRate]) -> None:
        super().__init__()
        self.rows = rows

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if rate := self.rows.get(str(value)):
            option["attrs"]["data-percentage"] = str(rate.percentage)
        return option


class RateField(forms.TypedChoiceField):
    """A tax rate among rows read once for the whole grid, however many lines it has."""

    def __init__(self, rows: Mapping[str, TaxRate], **kwargs: Any) -> None:
        def row(key: str) -> TaxRate:
            if key not in rows:
                raise ValueError("Not one of the rows.")
            return rows[key]

        choices = [(key, str(rate)) for key, rate in rows.items()]
        super().__init__(choices=choices, coerce=row, empty_value=None, widget=RateSelect(rows), **kwargs)


class AmountField(forms.DecimalField):
    """A number that can be compared with: what is none is refused before anybody asks whether it has changed."""

    def to_python(self, value: Any) -> Any:
        amount = super().to_python(value)
        if amount is not None and not amount.is_finite():
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return amount
