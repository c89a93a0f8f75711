"""What of a page is here already just as the books tell it: most of one that is read again.

It is told from plain values, as thousands of models that end in nothing to write are most of what such a page would
cost. Amounts are compared as texts of two places, as it takes longer to make a Decimal than to write one: what is told
with more goes the general way. Only imported invoices are left at that, and only where all that a page can change is as
it would make it: our own, what was gone, and what was never looked at go the general way.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection as database

from connectors.interface import BookedInvoice, BookedLine, RemoteStatus
from connectors.models import Connection
from invoices.models import Invoice
from invoices.strangers import STATUS

NO_CENTS = Decimal("0.00")
# Each by its token, however many there are: of thousands Postgres thinks that all rows are looked through sooner.
HELD = """
    SELECT held.* FROM unnest(%s::text[]) AS token, LATERAL (
        SELECT remote_id, invoice.id, checked_at IS NULL, remote.number, url, outstanding::text,
            concat_ws(' ', remote.total, net, tax), is_draft, remote.status, gone_at, origin, kind, invoice.status,
            issue_date, due_date, reference, currency
        FROM invoices_remoteinvoice AS remote JOIN invoices_invoice AS invoice ON invoice.id = invoice_id
        WHERE connection_id = %s AND remote_id = token OFFSET 0) AS held"""
LINES = """
    SELECT invoice_id, description, concat_ws(' ', quantity, discount, net, tax), nominal_code
    FROM invoices_invoiceline WHERE invoice_id = ANY(%s) ORDER BY invoice_id, position"""


def what_differs(
    connection: Connection, page: Sequence[BookedInvoice], kind: str
) -> tuple[list[BookedInvoice], set[str]]:
    """Of the page, what is not here just so; and the tokens that are known here, whatever became of them."""
    told, tokens, alike = {booked.invoice.id: booked for booked in page}, set(), {}
    with database.cursor() as cursor:
        cursor.execute(HELD, [list(told), connection.pk])
        for row in cursor:
            tokens.add(row[0])
            if _is_held(told[row[0]], row, kind):
                alike[row[1]] = told[row[0]]
        cursor.execute(LINES, [list(alike)])
        others = {pk for pk, booked in alike.items() if booked.lines}
        for pk, lines in groupby(cursor, itemgetter(0)):
            is_same = [line[1:] for line in lines] == _as_kept(alike[pk].lines)
            (others.discard if is_same else others.add)(pk)
    same = {booked.invoice.id for pk, booked in alike.items() if pk not in others}
    return [booked for booked in page if booked.invoice.id not in same], tokens


def _as_kept(lines: Iterable[BookedLine]) -> list[tuple[str, str, str]]:
    """As LINES has them."""
    return [
        (
            line.description[:1000],
            f"{line.quantity + NO_CENTS!s} {line.discount + NO_CENTS!s}"
            f" {line.net + NO_CENTS!s} {line.tax + NO_CENTS!s}",
            line.account[:80],
        )
        for line in lines
    ]


def _is_held(booked: BookedInvoice, row: Sequence[Any], kind: str) -> bool:
    """Whether all but its lines is what the general way would make of it."""
    _, _, is_unread, number, url, outstanding, *rest = row
    theirs, sign = booked.invoice, -1 if kind == Invoice.Kind.CREDIT_NOTE else 1
    status, net, tax = STATUS[theirs.status], booked.net * sign, booked.tax * sign
    due = outstanding if theirs.outstanding is None else str(theirs.outstanding * sign + NO_CENTS)
    return (
        not is_unread
        and theirs.number in ("", number)
        and theirs.url in ("", url)
        and outstanding == ("0.00" if status == Invoice.Status.VOID else due)
        and rest
        == [
            f"{theirs.total + NO_CENTS!s} {net + NO_CENTS!s} {tax + NO_CENTS!s}",
            *(theirs.status is RemoteStatus.DRAFT, theirs.status, None, Invoice.Origin.IMPORTED, kind, status),
            *(theirs.issue_date, booked.due_date, theirs.reference[:50], booked.currency),
        ]
    )
