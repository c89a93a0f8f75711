"""What changed in the books of Sage Intacct: the queries that tell it, and what their rows become."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from connectors.interface import BookedInvoice, BookedLine, Changes, TryLater
from connectors.sage_intacct.query import Query
from connectors.sage_intacct.shapes import LABEL, Json, remote_invoice, required, word
from connectors.watermark import Listed, Mark, moment_of, step, time_of

PAGE_SIZE = 500  # as many objects as one read takes (guide "Bulk requests")
REVERSAL = "reversal"  # the document that takes another one back; it is no invoice of ours
INVOICES = Query(
    object="accounts-receivable/invoice",
    fields=(
        "key",
        "id",
        "invoiceNumber",
        "referenceNumber",
        "customer.id",
        "customer.name",
        "invoiceDate",
        "totalTxnAmount",
        "totalTxnAmountDue",
        "state",
        "webURL",
    ),
)
MODIFIED = "audit.modifiedDateTime"
BOOKED = replace(
    INVOICES,
    fields=(
        *INVOICES.fields,
        "dueDate",
        "currency.txnCurrency",
        "currency.baseCurrency",
        "moduleKey",
        "salesDocument.key",
        MODIFIED,
    ),
    order=(MODIFIED, "key"),
)
LINES = Query(
    object="accounts-receivable/invoice-line",
    fields=(
        "key",
        "id",
        "invoice.key",
        "lineNumber",
        "txnAmount",
        "memo",
        "isSubtotal",
        "glAccount.id",
        "accountLabel.id",
    ),
)
Lines = Mapping[str, Sequence[Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The three ways of asking: a page of a query with its total, all rows of one, and objects whole, by their keys."""

    page: Callable[[Query, int, int], tuple[list[Json], int]]
    rows: Callable[[Query], list[Json]]
    objects: Callable[[Sequence[str]], list[Json]]


def changed(books: Books, cursor: str, since: date | None) -> Changes:
    """A query of the invoices in the order of their change, and one of their lines.

    The lines are asked for by themselves, as an invoice that is read comes without its subtotal lines. Raises TryLater
    where an answer can't be read.
    """
    dated = ({"$gte": {"invoiceDate": since.isoformat()}},) if since else ()

    def ask(moment: str, page: int, size: int) -> Listed:
        filters = (*dated, *(({"$gte": {MODIFIED: moment}},) if moment else ()))
        rows, total = books.page(replace(BOOKED, filters=filters), (page - 1) * size + 1, size)
        return Listed(rows=[(_moment(row), row) for row in rows], total=total)

    found = step(Mark.read(cursor), ask, PAGE_SIZE)
    rows = [row for row in found.rows if row.get("state") != REVERSAL]
    try:
        invoices = tuple(_booked(books, rows))
    except (ValueError, ArithmeticError):
        raise TryLater("An invoice in Intacct's answer can't be read.") from None
    return Changes(invoices=invoices, cursor=str(found.mark), is_last=found.is_last, left=found.left)


def _moment(row: Json) -> str:
    try:
        return moment_of(row.get(MODIFIED))
    except ValueError:
        raise TryLater("Intacct's list of invoices does not say when they changed.") from None


def _booked(books: Books, rows: Sequence[Json]) -> Iterator[BookedInvoice]:
    if not rows:
        return
    lines = _lines(books, [row["key"] for row in rows])
    taxes = _line_taxes(books, [row["key"] for row in rows if _has_hidden_tax(row, lines[row["key"]])])
    for row in rows:
        yield _invoice(row, _with_tax(row, lines[row["key"]], taxes))


def _lines(books: Books, keys: Sequence[str]) -> Lines:
    """Every line of these invoices, in their order; a subtotal is a sum of others, and no line."""
    found = books.rows(replace(LINES, filters=({"$in": {"invoice.key": list(keys)}},)))
    lines: dict[str, list[Json]] = defaultdict(list)
    for line in sorted(found, key=lambda line: int(word(line, "lineNumber") or 0)):
        if word(line, "isSubtotal") != "subtotal":
            lines[word(line, "invoice.key")].append(line)
    return lines


def _has_hidden_tax(row: Json, lines: Sequence[Json]) -> bool:
    """Several lines, with tax entries that a query of lines does not show."""
    return len(lines) > 1 and sum(map(_amount, lines)) != Decimal(word(row, "totalTxnAmount"))


def _line_taxes(books: Books, keys: Sequence[str]) -> Mapping[str, Decimal]:
    """Tax by line, from the invoices whole: tax entries stand nowhere else."""
    lines = [line for invoice in (books.objects(keys) if keys else ()) for line in invoice.get("lines") or ()]
    entries = [(word(line, "key"), entry) for line in lines for entry in line.get("taxEntries") or ()]
    taxes: dict[str, Decimal] = defaultdict(Decimal)
    for key, entry in entries:
        taxes[key] += Decimal(word(entry, "txnTaxAmount") or 0)
    return taxes


def _with_tax(row: Json, lines: Sequence[Json], taxes: Mapping[str, Decimal]) -> tuple[BookedLine, ...]:
    """Lines that come to the invoice's total: tax that belongs to none of several is a line of its own."""
    own = [line for line in lines if _is_own(line)]
    rest = Decimal(word(row, "totalTxnAmount")) - sum(map(_amount, own)) if own else Decimal(0)
    if len(own) == 1:
        return (_line(own[0], rest),)
    booked = [_line(line, taxes.get(word(line, "key"), Decimal(0))) for line in own]
    rest -= sum(line.tax for line in booked)
    return (*booked, *((_tax_line(rest),) if rest else ()))


def _tax_line(tax: Decimal) -> BookedLine:
    nothing = Decimal(0)
    return BookedLine(
        description="Tax", account="", account_id="", quantity=Decimal(1), unit_price=nothing, net=nothing, tax=tax
    )


def _amount(line: Json) -> Decimal:
    return Decimal(word(line, "txnAmount"))


def _invoice(row: Json, lines: Sequence[BookedLine]) -> BookedInvoice:
    """An invoice as a query shows it, with its lines -> ours; Intacct tells neither net nor tax of it.

    Raises ValueError or ArithmeticError where it can't be read.
    """
    invoice = remote_invoice(row)
    tax = sum((line.tax for line in lines), Decimal(0))
    return BookedInvoice(
        invoice=invoice,
        due_date=date.fromisoformat(word(row, "dueDate") or required(row, "invoiceDate")),
        currency=word(row, "currency.txnCurrency") or word(row, "currency.baseCurrency"),
        net=invoice.total - tax,
        tax=tax,
        lines=tuple(lines),
        changed_at=time_of(moment_of(word(row, "audit.modifiedDateTime"))),
        document_id=word(row, "salesDocument.key") if word(row, "moduleKey") == "orderEntry" else "",
    )


def _is_own(row: Json) -> bool:
    """A line that somebody entered: not the sum of others, nor the tax on them."""
    return word(row, "isSubtotal") not in {"subtotal", "tax"}


def _line(row: Json, tax: Decimal) -> BookedLine:
    """A line has an amount only. One posted by its label names the account behind it too."""
    net, label, account = Decimal(required(row, "txnAmount")), word(row, "accountLabel.id"), word(row, "glAccount.id")
    return BookedLine(
        description=word(row, "memo"),
        account=label or account,
        account_id=f"{LABEL}{label}" if label else account,
        quantity=Decimal(1),
        unit_price=net,
        net=net,
        tax=tax,
    )
