"""What the list stands on but its rows: connection, rule of approval, columns, what each page says, and the tiles."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from django.contrib.auth.models import User

from connectors.epoch import BROKEN, HOLDS
from connectors.models import Connection
from invoices import columns, queueing, sends, tiles
from invoices.choosing import Chooser
from invoices.columns import Column
from invoices.models import ViewChoice
from invoices.tiles import Tallies
from invoices.trouble import HELD

HEAD = """/* planned: head */
SELECT {whole}, company.second_person_approves AS second, choice.left_out AS left_out, choice.in_order AS in_order,
    ({running}) AS running, {tallies} AS tallies,
    {holds} AS restored_copy, {broken} AS broken_connection, {held} AS held_invoices
FROM (SELECT) AS one LEFT JOIN connectors_connection AS live ON live.state <> 'DISCONNECTED'
LEFT JOIN invoices_company AS company ON company.id = 1
LEFT JOIN invoices_viewchoice AS choice ON choice.user_id = %s AND choice.page = %s"""
ON_EVERY_PAGE = ("restored_copy", "broken_connection", "held_invoices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`running` is a send under way, `banner` what `settings_ui.banner` would ask for each page by itself, and
    `tallies` what the tiles say."""

    connection: Connection | None
    chooser: Chooser
    columns: list[Column]
    running: int | None
    tallies: Tallies
    banner: dict[str, Any]

    @property
    def is_held(self) -> bool:
        """The database is a restored copy."""
        return bool(self.banner["restored_copy"])


def head_for(actor: User, *, today: date | None = None) -> Head:
    """All of it in one question; the tallies only for a day."""
    days = [today, today] if today else []
    found = next(iter(Connection.objects.raw(_question(tiled=today is not None), [*days, actor.pk, columns.PAGE])))
    told: dict[str, Any] = vars(found)
    connection = found if found.pk else None
    kept = {name: json.loads(told[name] or "[]") for name in ("left_out", "in_order")}
    return Head(
        connection=connection,
        chooser=Chooser(may_approve=queueing.approver(actor, second=bool(told["second"])), connection=connection),
        columns=columns.columns_of(ViewChoice(**kept)),
        running=told["running"],
        tallies=tiles.told(told["tallies"]),
        banner={name: told[name] for name in ON_EVERY_PAGE},
    )


@cache
def _question(*, tiled: bool) -> str:
    """Its SQL, which is always the same."""
    asked, states = sends.running().values("pk")[:1].query.sql_with_params()
    running = asked % tuple(f"'{state}'" for state in states)  # as they stand, an index of what is open is found
    whole = ", ".join(f"live.{field.column}" for field in Connection._meta.concrete_fields)
    tallies = tiles.TOLD.format(counted=tiles.COUNTED.format(today="%s", live="live.id")) if tiled else "NULL"
    return HEAD.format(whole=whole, running=running, tallies=tallies, holds=HOLDS, broken=BROKEN, held=HELD)
