"""The next invoice, in words: what each choice would do to it, as chosen now or on a form that is not saved yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from connectors.interface import Connector, Entry
from connectors.models import Catalogue, Connection
from connectors.options import CREATE_ITEMS, SEND_ON_APPROVAL, Control, Kind, Options, Setting, options_of
from connectors.services import live_connection, platform_of
from invoices.ahead import Ahead, Choices, choices_of, next_invoice
from invoices.models import TaxRate

SYNC_FORM = "sync"  # what the form of the sync settings says it is, as a box that is not ticked isn't sent
PLACES = (
    ("Location", Kind.LOCATIONS, "location_id"),
    ("Department", Kind.DEPARTMENTS, "department_id"),
    ("Term", Kind.TERMS, "term_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the panel: what it is about, what it will be, and a word about that; `is_missing` where it can't."""

    label: str
    text: str
    note: str = ""
    is_missing: bool = False


def what_if(connection: Connection, typed: Mapping[str, str]) -> Choices:
    """The stored choices, with those of a form that is not saved yet; what is typed wrongly counts as not typed."""
    choices = choices_of(connection)
    if typed.get("form") == SYNC_FORM:
        choices = _with_settings(connection, choices, typed)
    if account := _kept(connection, Kind.SALES_ACCOUNTS).get(typed.get("account", "")):
        name = f"{account.code} {account.name}".strip()
        choices = replace(choices, account=replace(account, name=name))
    entries = _kept(connection, Kind.TAX_RATES)
    named = {name: entries[value] for name, value in typed.items() if name.startswith("rate-") and value in entries}
    rates = {name.removeprefix("rate-"): entry for name, entry in named.items()}
    return replace(choices, rates={**choices.rates, **rates})


def _kept(connection: Connection, kind: Kind) -> dict[str, Entry]:
    """The platform's list as it was last read, by id: a preview asks Sage for nothing."""
    return {entry.id: entry for entry in Catalogue.kept(connection, kind)}


def _with_settings(connection: Connection, choices: Choices, typed: Mapping[str, str]) -> Choices:
    settings, stored = platform_of(connection).settings, connection.sync_settings
    before = {one.name: stored.get(one.name, one.default) for one in settings}
    after = {one.name: _typed(one, typed.get(one.name), before[one.name]) for one in settings}
    cleared = {kind for one in settings if after[one.name] != before[one.name] for kind in one.clears}
    return Choices(
        options=options_of(after, settings),
        account=None if Kind.SALES_ACCOUNTS in cleared else choices.account,
        rates={} if Kind.TAX_RATES in cleared else choices.rates,
    )


def _typed(setting: Setting, value: str | None, stored: str) -> str:
    if setting.control is Control.SWITCH:
        return "ON" if value is not None else "OFF"
    if setting.control is Control.DATE:
        return value if value is not None and (not value or _day(value)) else stored
    if setting.control is Control.CHOICE:
        return value if value in dict(setting.choices) else stored
    return stored if value is None else value


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def rows(connection: Connection, ahead: Ahead) -> list[Row]:
    """What will be in the books, in the order in which a person meets it."""
    platform, options = platform_of(connection), ahead.choices.options
    found = [_number(ahead, options), _status(ahead), _account(ahead, options)]
    found += [_tax(rate, ahead.choices.rates.get(rate.pk)) for rate in ahead.rates]
    found += [*_places(connection, platform, ahead), *_ways(platform, options)]
    found.append(_back(options))
    return found


def _number(ahead: Ahead, options: Options) -> Row:
    if options.platform_numbers:
        note = "Sage gives its own, and that is what shows."
        return Row(label="Number", text=f"{ahead.number}, then Sage's", note=note)
    note = "Once it is released in Sage." if ahead.document.is_draft else "Ours: Sage takes it as it is."
    return Row(label="Number", text=ahead.number, note=note)


def _status(ahead: Ahead) -> Row:
    if ahead.document.is_draft:
        return Row(label="In Sage as", text="Draft", note="Somebody releases it there.")
    return Row(label="In Sage as", text="Created", note="It is in the books at once; what is wrong is put right there.")


def _account(ahead: Ahead, options: Options) -> Row:
    if ahead.choices.account is None:
        return Row(label="Lines on", text="Nominal code not chosen yet", is_missing=True)
    note = "A line with a code of its own goes there." if options.codes_per_line else "Every line."
    return Row(label="Lines on", text=ahead.choices.account.name, note=note)


def _tax(rate: TaxRate, entry: Entry | None) -> Row:
    label = f"{rate.name} {_percent(rate.percentage)}"
    if entry is None:
        return Row(label=label, text="Not mapped yet", is_missing=True)
    if entry.percentage is None:
        return Row(label=label, text=entry.name, note="" if not rate.percentage else "The tax is a line of its own.")
    differs = entry.percentage != rate.percentage
    note = f"{_percent(entry.percentage)} in Sage: it can't be sent with this rate." if differs else ""
    return Row(label=label, text=entry.name, note=note, is_missing=differs)


def _percent(figure: Decimal) -> str:
    return f"{figure.normalize():f} %"


def _places(connection: Connection, platform: type[Connector], ahead: Ahead) -> Iterator[Row]:
    for label, kind, name in PLACES:
        if kind in platform.lists:
            chosen = getattr(ahead.document, name)
            entry = _kept(connection, kind).get(chosen) if chosen else None
            yield Row(label=label, text=entry.name if entry else chosen or "None named")


def _ways(platform: type[Connector], options: Options) -> Iterator[Row]:
    if CREATE_ITEMS in platform.settings:
        made = "Added to Sage's products and services" if options.create_items else "Not created in Sage"
        yield Row(label="Items", text=made)
    if SEND_ON_APPROVAL in platform.settings:
        yield Row(label="Leaves", text="When it is approved" if options.send_on_approval else "On Send to Sage")
    if since := options.sync_from:
        yield Row(label="Dated", text=f"From {since.day} {since:%B %Y} on", note="An earlier one stays here.")


def _back(options: Options) -> Row:
    """What comes back, and how often."""
    back = "Payments and voids" if options.reads_back else ""
    theirs = "invoices raised in Sage" if options.imports else ""
    both = " and ".join(filter(None, (back, theirs)))
    if not both:
        return Row(label="Comes back", text="Nothing")
    return Row(label="Comes back", text=both[0].upper() + both[1:], note=_often(options.sync_every))


def _often(every: timedelta) -> str:
    minutes = every // timedelta(minutes=1)
    return {60: "Every hour.", 1440: "Once a day."}.get(minutes, f"Every {minutes} minutes.")


def panel(connection: Connection, choices: Choices, *, is_typed: bool = False) -> dict[str, Any]:
    ahead = next_invoice(choices, today=timezone.localdate())
    return {"ahead": ahead, "ahead_rows": rows(connection, ahead), "is_typed": is_typed}


@require_safe
def connector_preview(request: HttpRequest) -> HttpResponse:
    """The panel as it would be with what is on a form now; nothing is stored, and Sage isn't asked."""
    connection = live_connection()
    if connection is None:
        raise Http404("Nothing is connected.")
    choices = what_if(connection, request.GET.dict())
    is_typed = choices != choices_of(connection)
    return render(request, "settings/_next.html", panel(connection, choices, is_typed=is_typed))
