"""Our tax rates beside the platform's: what each is mapped to, or what fits it, and how the two compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.interface import Entry, PlatformError
from connectors.models import Catalogue, Connection
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody chose, by our rates' codes, and why it could not be kept."""

    chosen: Mapping[str, str]
    error: str


def rows(connection: Connection, *, now: datetime, typed: Typed | None = None) -> list[Row]:
    """Raises PlatformError where the list can't be read now; what was `typed` is shown on the one that was."""
    links = tax_links(connection)
    remote_ids = {code: link.remote_id for code, link in links.items()} if typed is None else typed.chosen
    entries = _entries(connection, now, kept_will_do=typed is not None)
    by_id = {entry.id: entry for entry in entries}
    found: list[Row] = []
    for rate in TaxRate.objects.all():
        remote_id = remote_ids.get(rate.pk)
        mapped = by_id.get(remote_id) if remote_id else None
        chosen = mapped or (_suggested(rate, entries) if typed is None else None)
        badge = "gone" if remote_id and not mapped else _badge(rate, chosen, is_mapped=mapped is not None)
        shared = _shared(rate, chosen, found) if chosen else ""
        found.append(Row(rate=rate, entries=entries, chosen=chosen, badge=badge, shared=shared))
    return found


def _entries(connection: Connection, now: datetime, *, kept_will_do: bool) -> Sequence[Entry]:
    try:
        return catalogue(connection, Kind.TAX_RATES, now=now)
    except PlatformError:
        if kept_will_do and (kept := Catalogue.kept(connection, Kind.TAX_RATES)):
            return kept
        raise


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
