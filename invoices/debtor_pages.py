"""The debtors page by page, by key: whoever owes most first, or, of a day that is over, by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import connection as database
from django.db.models import Exists, OuterRef, Q

from invoices.balances import AWAITING
from invoices.debtors import Debtor, aged, end_of, named
from invoices.models import Invoice, PaymentSeen

PAGE_SIZE = 50
ORDER = "currency {way}, (outstanding * -1) {way}, client_id {way}"  # as the index has it
BEYOND = "(currency, outstanding * -1, client_id) {side} (%(currency)s, %(amount)s * -1, %(pk)s)"
MOST_FIRST = """
    WITH changed AS (
        SELECT client_id, currency, sum(outstanding) AS outstanding FROM invoices_clientowed
        WHERE (client_id, currency) IN (SELECT client_id, currency FROM invoices_clientowed WHERE NOT folded)
        GROUP BY client_id, currency HAVING sum(invoices) <> 0
    ), kept AS (
        SELECT client_id, currency, outstanding FROM invoices_clientowed
        WHERE folded AND {wanted} AND NOT EXISTS (
            SELECT FROM invoices_clientowed AS new WHERE NOT new.folded
            AND (new.client_id, new.currency) = (invoices_clientowed.client_id, invoices_clientowed.currency)
        ) ORDER BY {order} LIMIT {size}
    )
    SELECT currency, outstanding, client_id FROM (
        SELECT * FROM kept UNION ALL SELECT * FROM changed WHERE {wanted}
    ) AS found
    ORDER BY {order} LIMIT {size}"""
NAMED = " AND client_id IN (SELECT id FROM invoices_client WHERE upper(name) LIKE upper(%(name)s))"
Key = tuple[Any, ...]  # currency, amount and client, or name and client


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some debtors, and the keys of the pages before and after; "" where there is none."""

    debtors: list[Debtor]
    before: str
    after: str


def page(as_of: date, *, today: date, client: str = "", after: str = "", before: str = "") -> Page:
    """The debtors after or before a key such as GBP.1250.00.417; bad keys are ignored.

    What is owed today Postgres keeps by its amount. What was owed on a day that is over is only known once it is added
    up: then all who may have owed something come by name, and one who did not leaves a page shorter.
    """
    is_kept = as_of >= today
    read = _amount_key if is_kept else _name_key
    back = read(before)
    key = back or read(after)
    keys = _most_first(key, client, back is not None) if is_kept else _by_name(key, client, as_of, back is not None)
    further, keys = len(keys) > PAGE_SIZE, keys[:PAGE_SIZE]
    if back:
        keys.reverse()
    has_before, has_after = (further, True) if back else (bool(key), further)
    return Page(
        debtors=_in_order(keys, aged(as_of, today=today, clients={key[-1] for key in keys})),
        before=_text(keys[0]) if keys and has_before else "",
        after=_text(keys[-1]) if keys and has_after else "",
    )


def _in_order(keys: Sequence[Key], found: Sequence[Debtor]) -> list[Debtor]:
    """As the keys are, of which one with an amount is about a single currency of its client."""
    places = {(key[-1], "" if isinstance(key[1], int) else key[0]): place for place, key in enumerate(keys)}
    placed = [(places.get((one.client_id, one.currency), places.get((one.client_id, ""))), one) for one in found]
    wanted = [(place, one.currency, one) for place, one in placed if place is not None]
    return [one for _, _, one in sorted(wanted, key=lambda each: each[:2])]


def _most_first(key: Key | None, client: str, back: bool) -> list[Key]:
    """What is folded is read from an index; what has changed since is little, and added up."""
    currency, amount, pk = key or ("", Decimal(0), 0)
    given = {"currency": currency, "amount": amount, "pk": pk}
    given["name"] = f"%{database.ops.prep_for_like_query(client)}%"
    wanted = BEYOND.format(side="<" if back else ">") + (NAMED if client else "")
    order = ORDER.format(way="DESC" if back else "ASC")
    with database.cursor() as cursor:
        cursor.execute(MOST_FIRST.format(wanted=wanted, order=order, size=PAGE_SIZE + 1), given)
        return list(cursor.fetchall())


def _by_name(key: Key | None, client: str, as_of: date, back: bool) -> list[Key]:
    """Clients with an invoice of that day or before, and with one that is open or was paid since."""
    theirs = Invoice.objects.filter(client=OuterRef("pk"), issue_date__lte=as_of)
    paid_since = PaymentSeen.objects.filter(client=OuterRef("pk"), seen_at__gte=end_of(as_of))
    found = named(client).filter(Exists(theirs)).filter(Exists(theirs.filter(status__in=AWAITING)) | Exists(paid_since))
    if key:
        (name, pk), side = key, "lt" if back else "gt"
        found = found.filter(Q((f"name__{side}e", name)) & (Q((f"name__{side}", name)) | Q((f"pk__{side}", pk))))
    order = ("-name", "-pk") if back else ("name", "pk")
    return list(found.order_by(*order).values_list("name", "pk")[: PAGE_SIZE + 1])


def _text(key: Key) -> str:
    return ".".join(map(str, key))


def _amount_key(text: str) -> Key | None:
    currency, _, rest = text.partition(".")
    amount, _, pk = rest.rpartition(".")
    try:
        owed = Decimal(amount)
        return (currency, owed, int(pk)) if owed.is_finite() else None
    except (ValueError, InvalidOperation):
        return None


def _name_key(text: str) -> Key | None:
    name, _, pk = text.rpartition(".")
    return (name, int(pk)) if name and pk.isdecimal() else None
