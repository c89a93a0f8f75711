"""One cell of a file, as other programs write it, made into what a person would type into the field."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from django import forms

from invoices.models import Item, TaxRate

GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
CURRENCY = re.compile(r"^(-?)\s*(?:£|€|\$|GBP|EUR|USD)\s*", re.IGNORECASE)
DAYS = forms.DateField(
    input_formats=[
        *("%Y-%m-%d", "%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %b %Y", "%d %B %Y"),
        *("%d-%b-%Y", "%d-%b-%y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
    ]
)
COUNTRIES = {
    "GB": ("uk", "unitedkingdom", "greatbritain", "england", "scotland", "wales", "northernireland"),
    "IE": ("ireland", "eire", "republicofireland"),
}
SHOWN = 60


class Wrong(Exception):
    """The cell can't be read; the message says why."""


def amount(text: str) -> str:
    plain = CURRENCY.sub(r"\1", text).replace("\u00a0", "").replace(" ", "")
    if "," in plain:
        if not GROUPED.fullmatch(plain):
            raise Wrong("A comma may only stand before three digits; pence stand behind a full stop.")
        plain = plain.replace(",", "")
    return plain


def percent(text: str) -> str:
    return amount(text.removesuffix("%"))


def days(text: str) -> str:
    return re.sub(r"\s*days?$", "", text, flags=re.IGNORECASE)


def day(text: str) -> str:
    try:
        return str(DAYS.clean(text))
    except forms.ValidationError:
        raise Wrong("That is no date.") from None


def country(text: str) -> str:
    plain = re.sub(r"[\W_]+", "", text.casefold())
    return next((code for code, names in COUNTRIES.items() if plain in names), text.upper())


def sort(text: str) -> str:
    return text.upper()


def tax_reader(rates: Iterable[TaxRate]) -> Callable[[str], str]:
    """By its code, its name, or its percentage where only one rate has that."""
    known = {name.casefold(): rate.pk for rate in rates for name in (rate.pk, rate.name, str(rate))}
    by_percentage: dict[Decimal, list[str]] = {}
    for rate in rates:
        by_percentage.setdefault(rate.percentage, []).append(rate.name)
    choices = ", ".join(rate.name for rate in rates)

    def tax(text: str) -> str:
        if text.casefold() in known:
            return known[text.casefold()]
        plain = text.removesuffix("%").strip()
        number = Decimal(plain) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", plain) else None
        names = by_percentage.get(number, []) if number is not None else []
        if len(names) == 1:
            return known[names[0].casefold()]
        if names:
            raise Wrong(f"{', '.join(names)} have that percentage: write which.")
        raise Wrong(f"There is no such tax rate. Write one of: {choices}.")

    return tax


READERS: Mapping[str, Callable[[str], str]] = {
    "unit_price": amount,
    "quantity": amount,
    "discount_percent": percent,
    "terms_days": days,
    "country": country,
    "sort": sort,
    "issue_date": day,
    "due_date": day,
}
EMPTY = {"country": "GB", "sort": Item.Sort.SERVICE, "quantity": "1", "discount_percent": "0"}
"""What an empty cell means, as in a form that is left as it comes."""


def shown(text: str) -> str:
    """A cell as a message quotes it."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
