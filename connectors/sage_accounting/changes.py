"""What changed in the books of Sage Accounting: the pages that tell it, and what their rows become."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from connectors.interface import BookedInvoice, Changes, OutcomeUnknown, TryLater
from connectors.sage_accounting.shapes import INVOICE, Shape, booked_invoice
from connectors.watermark import Listed, Mark, moment_of, step

Json = dict[str, Any]
Page = Callable[[Mapping[str, str], int, int], tuple[list[Json], int]]
"""Parameters of the list, the page and its size -> its rows, and how many there are in all."""

PAGE_SIZE = 200  # the most `items_per_page` takes
PRO_FORMA = "PRO_FORMA"  # an offer; it is an invoice once it is released


def attributes(shape: Shape) -> str:
    """What tells one from another, and how it stands."""
    return f"{shape.number},reference,contact,contact_name,date,total_amount,outstanding_amount,status,links"


def changed(page: Page, shape: Shape, cursor: str, since: date | None) -> Changes:
    """`updated_or_created_since` is inclusive, and `sort` goes by `updated_at` (Swagger getSalesInvoices,
    getSalesCreditNotes).

    Raises TryLater where an answer can't be read.
    """
    whole = f"{attributes(shape)},{'due_date,' if shape is INVOICE else ''}currency,tax_amount,{shape.lines},updated_at"
    wanted = {"attributes": whole, "sort": "updated_at:asc"}
    wanted |= {"from_date": since.isoformat()} if since else {}

    def ask(moment: str, number: int, size: int) -> Listed:
        rows, total = page({**wanted, **({"updated_or_created_since": moment} if moment else {})}, number, size)
        return Listed(rows=[(_moment(row), row) for row in rows], total=total)

    found = step(Mark.read(cursor), ask, PAGE_SIZE)
    invoices = tuple(_booked(row, shape) for row in found.rows if (row.get("status") or {}).get("id") != PRO_FORMA)
    return Changes(invoices=invoices, cursor=str(found.mark), is_last=found.is_last, left=found.left)


def _moment(row: Json) -> str:
    try:
        return moment_of(row.get("updated_at"))
    except ValueError:
        raise TryLater("Sage's list of sales invoices does not say when they changed.") from None


def _booked(row: Json, shape: Shape) -> BookedInvoice:
    try:
        return booked_invoice(row, shape)
    except (ValueError, OutcomeUnknown):
        raise TryLater("A sales invoice in Sage's answer can't be read.") from None
