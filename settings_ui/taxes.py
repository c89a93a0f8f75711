"""Our tax rates beside the platform's: what each is mapped to, or what fits it, and how the two compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.interface import Entry
from connectors.models import Connection
from connectors.options import Kind
from connectors.services import catalogue, tax_links
from invoices.models import TaxRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of our rates, the entries to choose from, and the one that is chosen or suggested, if any.

    `badge` says how they compare; `shared` names another rate of ours that would be told from this one no more.
    """

    rate: TaxRate
    entries: Sequence[Entry]
    chosen: Entry | None
    badge: str
    shared: str = ""


def rows(connection: Connection, *, now: datetime) -> list[Row]:
    links, entries = tax_links(connection), catalogue(connection, Kind.TAX_RATES, now=now)
    by_id = {entry.id: entry for entry in entries}
    found: list[Row] = []
    for rate in TaxRate.objects.all():
        link = links.get(rate.pk)
        mapped = by_id.get(link.remote_id) if link else None
        chosen = mapped or _suggested(rate, entries)
        badge = "gone" if link and not mapped else _badge(rate, chosen, is_mapped=mapped is not None)
        shared = _shared(rate, chosen, found) if chosen else ""
        found.append(Row(rate=rate, entries=entries, chosen=chosen, badge=badge, shared=shared))
    return found


def _suggested(rate: TaxRate, entries: Sequence[Entry]) -> Entry | None:
    """One of the same percentage, first one whose name has the first word of ours."""
    same = [entry for entry in entries if entry.percentage == rate.percentage]
    named = [entry for entry in same if rate.name.split()[0].lower() in entry.name.lower()]
    return next(iter(named or same), None)


def _badge(rate: TaxRate, chosen: Entry | None, *, is_mapped: bool) -> str:
    """An account that tax is posted to has no percentage, so there is nothing to compare."""
    if chosen is None:
        return "choose"
    if not is_mapped:
        return "suggested"
    if chosen.percentage is None:
        return "account"
    return "same" if chosen.percentage == rate.percentage else "differs"


def _shared(rate: TaxRate, chosen: Entry, before: Sequence[Row]) -> str:
    """Another of ours on the same entry, where they are not the same in Sage's eyes: one of them is mapped wrongly."""
    twin = next((row for row in before if row.chosen == chosen), None)
    if twin is None or chosen.percentage is None:
        return ""
    others = [one for one in twin.entries if one.percentage == rate.percentage and one != chosen]
    return twin.rate.name if others or twin.rate.percentage != rate.percentage else ""
