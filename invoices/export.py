"""Lists as CSV, that of the invoices by its page's own rules; no cell is one that a spreadsheet takes for a formula."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.timezone import localtime

from connectors.models import Connection
from invoices.balances import AWAITING
from invoices.models import Invoice
from invoices.standing import held_as, latest_push, shown_number, standing_of

CHUNK = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: full width
COLUMNS = (
    *(
        "Number",
        "Own number",
        "Number in Sage",
        "Client",
        "Property",
        "Reference",
        "Date",
        "Due",
        "Net",
        "Tax",
        "Total",
        "Outstanding",
    ),
    *("Currency", "Status", "Origin", "Sage state", "Sent to Sage", "Sage token", "Kind"),
)


class Line:
    """What csv.writer writes to: each row comes back from `writerow`, ready to be sent."""

    def write(self, text: str) -> str:
        return text


def rows(invoices: QuerySet[Invoice], connection: Connection | None, *, now: datetime) -> Iterator[str]:
    """The file row by row, whatever the number of invoices; the mark at its start says UTF-8 to Excel."""
    yield from written(COLUMNS, (_cells(invoice, connection, now) for invoice in invoices.iterator(CHUNK)))


def written(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Any rows as such a file."""
    writer = csv.writer(Line())
    yield "\ufeff" + str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow(safe(cell) for cell in row))


def _cells(invoice: Invoice, connection: Connection | None, now: datetime) -> tuple[object, ...]:
    push = latest_push(invoice, connection)
    remote = held_as(invoice, push, connection)
    return (
        shown_number(invoice, connection),
        invoice.number or "",
        remote.number if remote else "",
        invoice.client.name,
        invoice.site.name if invoice.site else "",
        invoice.reference,
        invoice.issue_date.isoformat(),
        "" if invoice.is_credit_note else invoice.due_date.isoformat(),
        *(invoice.net, invoice.tax, invoice.total),
        invoice.outstanding if invoice.status in AWAITING else "",
        invoice.currency,
        invoice.get_status_display(),
        invoice.get_origin_display(),
        standing_of(invoice, push, connection, now=now).label,
        f"{localtime(push.sent_at):%Y-%m-%d %H:%M}" if push and push.sent_at else "",
        remote.remote_id if remote else "",
        invoice.get_kind_display(),
    )


def safe(cell: object) -> str:
    """Text that begins as a formula does is marked as text (OWASP, "CSV Injection"); an amount below zero is none."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(cell, Decimal) else text
