"""The debtors page by page, by key: whoever owes most first, or, of a day that is over, by name."""

from datetime import date
from decimal import Decimal, InvalidOperation

from django.db import connection as database
from django.db.models import Exists, OuterRef, QuerySet

from invoices import paging
from invoices.balances import AWAITING
from invoices.debtors import aged, end_of, named
from invoices.models import Client, Invoice, PaymentSeen
from invoices.paging import Page

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
    ) AS found ORDER BY {order} LIMIT {size}"""
NAMED = " AND client_id IN (SELECT id FROM invoices_client WHERE upper(name) LIKE upper(%(name)s))"
Owing = tuple[str, Decimal, int]  # in that currency so much, by that client


def page(as_of: date, *, today: date, client: str = "", after: str = "", before: str = "") -> Page:
    """The debtors after or before a key; a bad key is ignored.

    What is owed today Postgres keeps by its amount. What was owed on a day that is over is only known once it is added
    up: then all who may have owed something come by name, and one who did not leaves a page shorter.
    """
    if as_of >= today:
        found = _most_first(client, after, before)
        owing = [(pk, currency) for currency, _, pk in found.rows]
        debtors = {
            (one.client_id, one.currency): one for one in aged(as_of, today=today, among={pk for pk, _ in owing})
        }
        rows = [debtors[key] for key in owing if key in debtors]
    else:
        found = paging.by_name(_maybe(as_of, client), "name", PAGE_SIZE, after=after, before=before)
        places = {one.pk: place for place, one in enumerate(found.rows)}
        rows = sorted(aged(as_of, today=today, among=places), key=lambda one: (places[one.client_id], one.currency))
    return Page(rows=rows, before=found.before, after=found.after)


def _maybe(as_of: date, client: str) -> QuerySet[Client]:
    """Those with an invoice of that day or before, and with one of these that is open or any that was paid since.

    One question for the two of them, asked of each client: of two joined by OR Postgres would ask all invoices first.
    """
    theirs = Invoice.objects.filter(client=OuterRef("pk"), issue_date__lte=as_of).order_by()
    paid_since = PaymentSeen.objects.filter(client=OuterRef("pk"), seen_at__gte=end_of(as_of)).order_by()
    either = theirs.filter(status__in=AWAITING).values("pk").union(paid_since.values("pk"), all=True)
    return named(client).filter(Exists(theirs), Exists(either))


def _most_first(client: str, after: str, before: str) -> Page:
    """What is folded is read from an index; what has changed since is little, and added up."""
    back = _key(before)
    key = back or _key(after)
    currency, amount, pk = key or ("", Decimal(0), 0)
    name = f"%{database.ops.prep_for_like_query(client)}%"
    wanted = BEYOND.format(side="<" if back else ">") + (NAMED if client else "")
    order = ORDER.format(way="DESC" if back else "ASC")
    with database.cursor() as cursor:
        cursor.execute(
            MOST_FIRST.format(wanted=wanted, order=order, size=PAGE_SIZE + 1),
            {"currency": currency, "amount": amount, "pk": pk, "name": name},
        )
        return paging.cut(list(cursor.fetchall()), PAGE_SIZE, _text, back=bool(back), begun=bool(key))


def _text(owing: Owing) -> str:
    return ".".join(map(str, owing))


def _key(text: str) -> Owing | None:
    """Such as GBP.1250.00.417."""
    currency, _, rest = text.partition(".")
    amount, _, pk = rest.rpartition(".")
    try:
        owed = Decimal(amount)
        return (currency, owed, int(pk)) if owed.is_finite() else None
    except (ValueError, InvalidOperation):
        return None
