"""The tiles above the list: each counts and sums what it filters by, from the kept totals and the open pushes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection as database

from connectors.models import Connection
from invoices import paper
from invoices.balances import Tally
from invoices.filtering import NEWEST, SAGE, STATUSES, Asked

COUNTED = """
SELECT status, currency, sum(invoices)::bigint, sum(total), sum(outstanding),
    coalesce(sum(invoices) FILTER (WHERE due_date < {today}), 0)::bigint,
    coalesce(sum(outstanding) FILTER (WHERE due_date < {today}), 0)
FROM invoices_invoicetotal GROUP BY status, currency HAVING sum(invoices) > 0
UNION ALL
SELECT push.state, invoice.currency, count(*), sum(invoice.total), 0, 0, 0
FROM invoices_push AS push JOIN invoices_invoice AS invoice ON invoice.id = push.invoice_id
WHERE push.state NOT IN ('SENT', 'CANCELLED') AND push.state <> 'PARKED' AND (
    (push.connection_id = {live}) IS TRUE OR NOT EXISTS (
        SELECT FROM invoices_push AS other WHERE other.invoice_id = push.invoice_id AND (
            (other.connection_id = {live}) IS TRUE OR other.requested_at > push.requested_at)))
GROUP BY push.state, invoice.currency ORDER BY 2"""
"""By status or state and currency: how many, their totals, what is outstanding, how many are late, and how much of it.

Of the pushes those that `filtering.latest` finds."""
TOLD = """(SELECT json_agg(json_build_array(status, currency, invoices, total, outstanding, late, owed))::text
    FROM ({counted}) AS told (status, currency, invoices, total, outstanding, late, owed))"""
"""The same as one text, so that another question can have it beside what it asks."""
LATE_ONLY: dict[str, Any] = {"overdue": True}
ALL, OWED, LATE = (2, 3), (2, 4), (5, 6)  # which columns of it
ON_TILES = {
    # by status or state: the tiles it is counted on, and which of its figures
    "DRAFT": (("DRAFT", ALL),),
    "ASKED": (("DRAFT", ALL), ("ASKED", ALL)),
    "APPROVED": (("APPROVED", ALL),),
    "SENT": (("AWAITING", OWED), ("OVERDUE", LATE)),
    "PART_PAID": (("AWAITING", OWED), ("OVERDUE", LATE)),
    "PAID": (("PAID", ALL),),
    **dict.fromkeys(("READY", "SENDING", "UNKNOWN"), (("MOVING", ALL),)),
    "ATTENTION": (("ATTENTION", ALL),),
}
Tallies = dict[str, list[Tally]]
TILES = ("DRAFT", "ASKED", "APPROVED", "AWAITING", "OVERDUE", "PAID", "MOVING", "ATTENTION")


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

    @property
    def amounts(self) -> list[str]:
        return [paper.amount(tally.amount, tally.currency) for tally in self.tallies]


def tiles(asked: Asked, connection: Connection | None, by_name: Tallies) -> list[Tile]:
    """To approve only where somebody asked; Sage's only where it is connected, or there is anything of it."""
    unless_found = ("ASKED",) if connection else ("ASKED", "MOVING", "ATTENTION")
    shown = {name: found for name, found in by_name.items() if found or name not in unless_found}
    plain = replace(asked, sort=NEWEST)
    return [_tile(plain, asked.sort, name, found) for name, found in shown.items()]


def currencies(shown: list[Tile]) -> list[str]:
    return sorted({tally.currency for tile in shown for tally in tile.tallies})


def _tile(plain: Asked, sort: str, name: str, tallies: list[Tally]) -> Tile:
    """`plain` is what is asked for, whatever the order."""
    filters: dict[str, Any] = {"status": name} if name in STATUSES else {"sage": name} if name in SAGE else LATE_ONLY
    current = plain == Asked(**filters)
    there = Asked(sort=sort) if current else Asked(sort=sort, **filters)
    label = STATUSES.get(name) or SAGE.get(name) or "Overdue"
    return Tile(name=name, label=label, address=there.address(), current=current, tallies=tallies)


def counted(connection: Connection | None, *, today: date) -> Tallies:
    """Asked by itself."""
    live = connection.pk if connection else None
    with database.cursor() as cursor:
        cursor.execute(COUNTED.format(today="%s", live="%s"), [today, today, live, live])
        return summed(cursor.fetchall())


def told(text: str) -> Tallies:
    """From what `TOLD` gives."""
    return summed(json.loads(text or "[]", parse_float=Decimal))


def summed(rows: Iterable[Sequence[Any]]) -> Tallies:
    """By the names in TILES, per currency: what is awaited and overdue is what is outstanding, else the totals.

    Draft counts those that wait for approval too; Overdue is a part of Awaiting.
    """
    found: dict[str, dict[str, tuple[int, Decimal]]] = {name: {} for name in TILES}
    for row in rows:
        for name, (count, amount) in ON_TILES.get(row[0], ()):
            invoices, sum_of_it = found[name].get(row[1], (0, Decimal(0)))
            found[name][row[1]] = invoices + row[count], sum_of_it + row[amount]
    return {
        name: [Tally(currency=currency, invoices=n, amount=amount) for currency, (n, amount) in sums.items() if n]
        for name, sums in found.items()
    }
