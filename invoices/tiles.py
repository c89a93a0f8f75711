"""The tiles above the list: each counts and sums what it filters by, from the kept totals and the open pushes."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Count, Sum

from connectors.models import Connection
from invoices import balances
from invoices.balances import Tally
from invoices.filtering import NEWEST, SAGE, STATES, STATUSES, Asked, latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One of them: what it is called, where it leads, and what there is of it."""

    name: str
    label: str
    address: str
    current: bool
    tallies: list[Tally]

    @property
    def invoices(self) -> int:
        return sum(tally.invoices for tally in self.tallies)


def tiles(asked: Asked, connection: Connection | None, *, today: date) -> list[Tile]:
    """To approve only where somebody asked; Sage's only where it is connected, or there is anything of it."""
    counted = balances.tiles(today)
    if not counted["ASKED"]:
        del counted["ASKED"]
    by_state = _by_state(connection)
    shown = [_tile(asked, name, tallies) for name, tallies in counted.items()]
    return shown + [_tile(asked, name, by_state[name]) for name in by_state if connection or by_state[name]]


def currencies(shown: list[Tile]) -> list[str]:
    return sorted({tally.currency for tile in shown for tally in tile.tallies})


def _tile(asked: Asked, name: str, tallies: list[Tally]) -> Tile:
    only: dict[str, Any] = {"status": name} if name in STATUSES else {"sage": name} if name in SAGE else {}
    filters = Asked(**only) if only else Asked(overdue=True)
    current = replace(asked, sort=NEWEST) == filters
    there = replace(Asked() if current else filters, sort=asked.sort)
    label = STATUSES.get(name) or SAGE.get(name) or "Overdue"
    return Tile(name=name, label=label, address=there.address(), current=current, tallies=tallies)


def _by_state(connection: Connection | None) -> dict[str, list[Tally]]:
    """What is on its way to Sage, and what needs somebody's attention."""
    moving, stuck = STATES["MOVING"], STATES["ATTENTION"]
    rows = (
        latest(connection, [*moving, *stuck])
        .values("state", "invoice__currency")
        .annotate(count=Count("pk"), amount=Sum("invoice__total"))
        .order_by("invoice__currency")
    )
    found: dict[str, list[Tally]] = {"MOVING": [], "ATTENTION": []}
    sums: dict[tuple[str, str], Tally] = {}
    for row in rows:
        key = "ATTENTION" if row["state"] in stuck else "MOVING", row["invoice__currency"]
        before = sums.get(key, Tally(currency=key[1], invoices=0, amount=row["amount"] * 0))
        sums[key] = replace(before, invoices=before.invoices + row["count"], amount=before.amount + row["amount"])
    for (name, _), tally in sums.items():
        found[name].append(tally)
    return found
