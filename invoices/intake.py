"""What a page read from the books becomes here: our own invoices follow it, others are kept beside them, read-only.

Called inside the transaction that also moves the cursor, so that a page is kept whole or not at all. Each invoice of
the books is known by its token, so that one that comes again changes nothing, or by the document behind it, where the
platform writes that anew under another token.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

from django.db.models import Q, prefetch_related_objects
from django.db.models.functions import Upper

from connectors.interface import BookedInvoice, BookedLine, RemoteInvoice, RemoteStatus
from connectors.models import Connection
from incrementors.services import OWN_GROUPS, hold_numbers
from invoices.models import Event, Invoice, Push, PushAttempt, Voiding
from invoices.models import RemoteInvoice as Row
from invoices.strangers import STATUS, bring_in, shown_once, write_lines
from invoices.unchanged import what_differs

INVOICE = Invoice.Kind.INVOICE
HAPPENED = {
    Invoice.Status.SENT: "No longer {paid} in Sage: {due} is {left}.",
    Invoice.Status.PART_PAID: "Part {paid} in Sage: {due} is {left}.",
    Invoice.Status.PAID: "{paid} in Sage.",
    Invoice.Status.VOID: "Voided in Sage.",
}
WORDS: dict[str, tuple[str, str]] = {INVOICE: ("paid", "outstanding"), Invoice.Kind.CREDIT_NOTE: ("allocated", "open")}


@dataclass(slots=True, kw_only=True)
class Brought:
    """How many invoices a page brought, and how many it changed."""

    imported: int = 0
    updated: int = 0


@dataclass(slots=True)
class Kept:
    """What is to be written in a few queries, once the whole page has been gone through."""

    now: datetime
    invoices: list[Invoice] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def note(self, invoice: Invoice, text: str) -> None:
        self.events.append(Event(invoice=invoice, happened_at=self.now, actor=None, text=text[:300]))

    def leave_to_voidings(self) -> None:
        """Locks what is to be written, and leaves out what a voiding records."""
        pks = [invoice.pk for invoice in self.invoices]
        locked = Invoice.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=pks).order_by("pk")
        theirs = Voiding.objects.claim_among(self.rows, now=self.now) if locked.values_list("pk") else set()
        self.rows = [row for row in self.rows if row.pk not in theirs]
        kept = {row.invoice_id for row in self.rows}
        self.invoices = [invoice for invoice in self.invoices if invoice.pk in kept]
        self.events = [event for event in self.events if event.invoice_id in kept]

    def write(self) -> None:
        Invoice.objects.bulk_update(self.invoices, ["status", "outstanding", *MIRRORED])
        Row.objects.bulk_update(self.rows, ROW_FIELDS)
        Event.objects.bulk_create(self.events)


MIRRORED = ("issue_date", "due_date", "reference", "currency", "net", "tax", "total")
LINE = ("description", "quantity", "discount", "net", "tax", "nominal_code")
ROW_FIELDS = [
    *("remote_id", "number", "url", "total", "checked_at", "is_draft", "is_shown", "status", "recoded", "gone_at"),
]


def take(connection: Connection, page: Sequence[BookedInvoice], *, now: datetime, kind: str = INVOICE) -> Brought:
    """A page of changes of one kind: what is linked follows, what is not is imported where the connection says so."""
    options, kept, strangers = connection.options, Kept(now), list[BookedInvoice]()
    page = list({booked.document_id or booked.invoice.id: booked for booked in page}.values())  # the latest of each
    under_way = _under_way(connection, page)  # asked first: a push that ends between the two is then a row we know
    page, tokens = what_differs(connection, page, kind)
    known = _known(connection, page, tokens)
    sent = _sent_accounts(row for row in known.values() if not row.invoice.is_imported)
    prefetch_related_objects([row.invoice for row in known.values() if row.invoice.is_imported], "lines")
    for booked in page:
        row = known.get(booked.invoice.id) or known.get(("document", booked.document_id))
        if row is not None:
            if options.reads_back or row.invoice.is_imported:
                _follow(row, booked, sent.get(row.pk, []), kept)
        elif options.imports and _is_to_come(booked, under_way):
            strangers.append(booked)
    kept.leave_to_voidings()
    _settle_numbers(kept.rows)
    kept.write()
    bring_in(connection, strangers, kind, now)
    return Brought(imported=len(strangers), updated=len(kept.rows))


def _is_to_come(booked: BookedInvoice, under_way: set[str]) -> bool:
    """A draft comes once it is released; what may be our own push just arriving is linked by the push."""
    return booked.invoice.status is not RemoteStatus.DRAFT and booked.invoice.reference.upper() not in under_way


def _known(connection: Connection, page: Sequence[BookedInvoice], tokens: set[str]) -> dict[object, Row]:
    """The rows of what this page tells of, by token, of those that are known, and by document."""
    rows = Row.objects.filter(connection=connection).select_related("invoice")
    documents = [booked.document_id for booked in page if booked.document_id]
    known: dict[object, Row] = {("document", row.document_id): row for row in rows.filter(document_id__in=documents)}
    changed = tokens.intersection(booked.invoice.id for booked in page)
    return known | {row.remote_id: row for row in rows.filter(remote_id__in=changed)}


def _under_way(connection: Connection, page: Sequence[BookedInvoice]) -> set[str]:
    """Our numbers among its references that may just be arriving there: the push itself links them."""
    references = {booked.invoice.reference.upper() for booked in page if booked.invoice.reference}
    again = Q(outcome=PushAttempt.Outcome.ABSENT, push__state=Push.State.READY)  # a late one would come under its key
    attempts = PushAttempt.objects.filter(Q(resolved_at=None) | again, push__connection=connection)
    numbers = attempts.alias(upper=Upper("push__invoice__number")).filter(upper__in=references)
    return {str(number).upper() for number in numbers.values_list("push__invoice__number", flat=True)}


def _sent_accounts(rows: Iterable[Row]) -> dict[int, list[str]]:
    """The account of each line as it was sent, by the row that it became."""
    attempts = PushAttempt.objects.filter(push__remote__in=[row.pk for row in rows]).exclude(document=None)
    sent = attempts.order_by("n").values_list("push__remote", "document__lines")
    return {int(remote): [line["account_id"] for line in lines or ()] for remote, lines in sent}  # the latest of each


def _follow(row: Row, booked: BookedInvoice, sent: Sequence[str], kept: Kept) -> None:
    """One we know, as it now stands there; nothing is written for one that has not changed."""
    before = _state(row)
    invoice, theirs = row.invoice, booked.invoice
    row.remote_id = theirs.id
    if invoice.is_imported:
        _mirror(invoice, booked)
    else:
        row.recoded = _recoded(sent, booked.lines)
    follow_status(row, theirs, kept)
    if _state(row) != before or row.checked_at is None:
        row.checked_at = kept.now
        kept.rows.append(row)
        kept.invoices.append(invoice)


def _state(row: Row) -> tuple[object, ...]:
    fields = [name for name in ROW_FIELDS if name != "checked_at"]
    invoice = row.invoice
    mirrored = (invoice.status, invoice.outstanding, *(getattr(invoice, name) for name in MIRRORED))
    return (*(getattr(row, name) for name in fields), *mirrored)


def follow_status(row: Row, theirs: RemoteInvoice, kept: Kept) -> None:
    """Status, what is outstanding, number and total as the platform tells them; a change of status is noted."""
    invoice = row.invoice
    row.status, row.total, row.url, row.gone_at = theirs.status, theirs.total, theirs.url or row.url, None
    row.is_draft = theirs.status is RemoteStatus.DRAFT
    if theirs.number and theirs.number != row.number:
        kept.note(invoice, f"Sage's number is {theirs.number}.")
        row.number = theirs.number
    status = STATUS[theirs.status]
    due = theirs.outstanding * invoice.sign if theirs.outstanding is not None else invoice.outstanding
    invoice.outstanding = Decimal(0) if status == Invoice.Status.VOID else due
    if status != invoice.status:
        due_text, (paid, left) = f"{invoice.outstanding * invoice.sign:,.2f} {invoice.currency}", WORDS[invoice.kind]
        text = HAPPENED[status].format(due=due_text, paid=paid, left=left)
        kept.note(invoice, text[0].upper() + text[1:])
        invoice.status = status


def _recoded(sent: Sequence[str], lines: Sequence[BookedLine]) -> list[list[object]]:
    """The lines that a person there put on another account; that is theirs to do, so it is shown and no more."""
    pairs = zip(sent, lines, strict=False)
    return [[place, line.account] for place, (ours, line) in enumerate(pairs, start=1) if line.account_id != ours]


def as_kept(lines: Iterable[BookedLine]) -> list[tuple[object, ...]]:
    """What of lines tells whether they have changed, as LINE names it."""
    return [
        (line.description[:1000], line.quantity, line.discount, line.net, line.tax, line.account[:80]) for line in lines
    ]


def _mirror(invoice: Invoice, booked: BookedInvoice) -> None:
    """An imported invoice is what the books hold, nothing else."""
    if as_kept(booked.lines) != [*map(attrgetter(*LINE), invoice.lines.all())]:
        invoice.lines.all().delete()
        write_lines([(invoice.pk, booked)])
    invoice.issue_date, invoice.due_date = booked.invoice.issue_date, booked.due_date
    invoice.reference, invoice.currency = booked.invoice.reference[:50], booked.currency
    invoice.net, invoice.tax = booked.net * invoice.sign, booked.tax * invoice.sign
    invoice.total = invoice.net + invoice.tax


def _settle_numbers(rows: Sequence[Row]) -> None:
    """Rows whose number has come or changed show it only where nobody else does."""
    if any(row.number and not row.is_draft for row in rows):
        hold_numbers(*OWN_GROUPS)
        shown = shown_once([(row.invoice_id, row.number) for row in rows])
        for row, is_shown in zip(rows, shown, strict=True):
            row.is_shown = is_shown


def refresh(rows: Sequence[Row], found: Iterable[RemoteInvoice], *, now: datetime) -> int:
    """Open invoices read again: what became of each; how many changed."""
    kept, by_id = Kept(now), {row.remote_id: row for row in rows}
    for theirs in found:
        row = by_id.get(theirs.id)
        if row is not None:
            before = _state(row)
            follow_status(row, theirs, kept)
            if _state(row) != before:
                kept.rows.append(row)
                kept.invoices.append(row.invoice)
    kept.leave_to_voidings()
    _settle_numbers(kept.rows)
    for row in kept.rows:
        row.checked_at = now
    kept.write()
    Row.objects.filter(pk__in=[row.pk for row in rows]).update(checked_at=now)
    return len(kept.rows)


def mark_gone(rows: Sequence[Row], *, now: datetime) -> int:
    """Deleted over there: void here, with the reason; its token and number stay on record."""
    kept = Kept(now)
    for row in rows:
        row.gone_at, row.status = now, RemoteStatus.VOID
        row.invoice.status, row.invoice.outstanding = Invoice.Status.VOID, Decimal(0)
        kept.note(row.invoice, f"Deleted in Sage, where it was {row.number or row.remote_id}.")
        kept.rows.append(row)
        kept.invoices.append(row.invoice)
    kept.leave_to_voidings()
    kept.write()
    return len(kept.rows)
