"""A draft's life: created with its number, edited, discarded; one transaction each."""

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connection, transaction

from connectors import epoch
from connectors.interface import Fix
from incrementors.models import Group
from incrementors.services import NumberRefused, discard_numbers, take_number, take_numbers, use_kept
from incrementors.services import keep_numbers as keep
from invoices import scratches
from invoices.models import (
    Client,
    Company,
    Event,
    Invoice,
    InvoiceLine,
    Item,
    Property,
    TaxRate,
)
from invoices.totals import Sums, invoice_sums, line_sums
from invoices.writing import insert

BEGUN = f"""/* planned: begun */
    WITH noted AS (
        INSERT INTO invoices_event (invoice_id, happened_at, actor_id, text)
        SELECT nextval('invoices_invoice_id_seq'), %s::timestamptz, %s::int, text FROM unnest(%s::text[]) AS text
        RETURNING invoice_id
    )
    SELECT {epoch.HOLDS}, (SELECT currency FROM invoices_company WHERE id = 1),
        ARRAY(SELECT invoice_id FROM noted ORDER BY invoice_id)"""  # noqa: S608  # our own constant
WHOLE = ", ".join(field.attname for field in Invoice._meta.concrete_fields)
LOCK = f"/* planned: lock */ SELECT {WHOLE} FROM invoices_invoice WHERE id = %s FOR NO KEY UPDATE"  # noqa: S608
NUMBERED_THERE = "EXISTS (SELECT FROM invoices_remoteinvoice WHERE upper(number) = upper(written.text))"
GIVEN_THERE = "/* planned: there */ SELECT upper(number) FROM invoices_remoteinvoice WHERE upper(number) = ANY(%s)"
HEAD = (
    *("id", "uuid", "kind", "origin", "number", "number_prefix", "status", "client_id", "site_id"),
    *("issue_date", "due_date", "reference", "notes", "currency", "net", "tax", "total", "outstanding"),
    *("version", "created_at", "created_by_id"),
)
UNNUMBERED = tuple(name for name in HEAD if name not in ("number", "number_prefix"))
WRITE = f"""
    INSERT INTO invoices_invoice (number, number_prefix, {", ".join(UNNUMBERED)})
    SELECT text, prefix, {", ".join(["%s"] * len(UNNUMBERED))} FROM given"""  # noqa: S608
LINE = (
    *("invoice_id", "position", "item_id", "description", "quantity", "unit_price", "discount_percent"),
    *("tax_rate_id", "nominal_code", "discount", "net", "tax", "total"),
)
EVENT = ("invoice_id", "happened_at", "actor_id", "text")


class Refused(Exception):
    """It can't be done as things stand; the message says why, `fix` where that is changed."""

    def __init__(self, message: str, fix: Fix | None = None) -> None:
        super().__init__(message)
        self.fix = fix


class EditedMeanwhile(Refused):
    """Somebody else saved the invoice since this person opened it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraft:
    """One line as a person gave it."""

    item: Item | None
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    tax_rate: TaxRate
    nominal_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDraft:
    """An invoice as a person gave it, checked field by field already."""

    client: Client
    site: Property | None
    issue_date: date
    due_date: date
    reference: str
    notes: str
    lines: Sequence[LineDraft]


def create_invoice(*, draft: InvoiceDraft, actor: User, now: datetime, scratch: UUID | None = None) -> Invoice:
    """A new draft with its number, which is taken last so that the group is locked for a moment only.

    The row itself comes after its lines, under a key taken for it: written once, with its number, as writing it again
    would cost as much. The `scratch` that it was typed into goes. Raises NumberRefused when the group can't count on.
    """
    with transaction.atomic():
        (invoice,) = _begun(["Created."], actor, now)
        insert(InvoiceLine, LINE, _put(invoice, draft))
        if scratch:
            scratches.forget(actor, invoice=None, key=scratch)
        _take_number(invoice, now, write=WRITE, values=[getattr(invoice, name) for name in UNNUMBERED])
        _is_written(invoice)
    return invoice


def _begun(notes: Sequence[str], actor: User, now: datetime) -> list[Invoice]:
    """Invoices to be written last, under keys taken for them, of which a note each is in the history already.

    Postgres looks whether they are there as it commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(BEGUN, [now, actor.pk, [text[:300] for text in notes]])
        held, currency, keys = cursor.fetchone()
    _must_be_live(held=held)
    currency = currency or Company.ours().currency
    blank = Invoice(created_by=actor, created_at=now, currency=currency)
    invoices = [copy(blank) for _ in keys]  # at a third of what another one of them costs
    for invoice, key in zip(invoices, keys, strict=True):
        invoice.pk, invoice.uuid = key, uuid4()
    return invoices


def _write(invoices: Sequence[Invoice]) -> None:
    insert(Invoice, HEAD, [[getattr(invoice, name) for name in HEAD] for invoice in invoices])
    for invoice in invoices:
        _is_written(invoice)


def _is_written(invoice: Invoice) -> None:
    invoice._state.adding, invoice._state.db = False, DEFAULT_DB_ALIAS


def give_number(invoice: Invoice, *, now: datetime) -> None:
    """The next free number; the last thing in its transaction. Raises NumberRefused, as in a restored copy."""
    _must_be_live(held=epoch.is_held())
    _take_number(invoice, now)
    invoice.save(update_fields=["number", "number_prefix"])


def _take_number(invoice: Invoice, now: datetime, **row: Any) -> None:
    """With `write` and `values` its row is written by the way; see `take_number`."""
    number = take_number(key=group_of(invoice), holder=invoice.uuid, now=now, elsewhere=NUMBERED_THERE, **row)
    invoice.number, invoice.number_prefix = number.text, number.prefix


def group_of(invoice: Invoice) -> str:
    """The key of the group that it gets its number from."""
    return Group.CREDIT_NOTES if invoice.is_credit_note else Group.INVOICES


def keep_numbers(*, holders: Sequence[UUID], reason: str, now: datetime) -> None:
    """Numbers for invoices to come, as `incrementors.services.keep_numbers`. Raises NumberRefused."""
    _must_be_live(held=epoch.is_held())
    keep(key=Group.INVOICES, holders=holders, reason=reason, now=now, known_elsewhere=platform_numbers)


def create_invoices(
    *, drafts: Sequence[InvoiceDraft], notes: Sequence[str], actor: User, now: datetime, kept: Sequence[UUID] = ()
) -> list[Invoice]:
    """Many new drafts, each with its number in their order and a note of where it comes from, in a few queries.

    `kept` are the ids of the invoices where their numbers were kept by `keep_numbers`: then nobody waits for this one.
    Call it inside a transaction, and last in it. Raises NumberRefused.
    """
    invoices = _begun(notes, actor, now)
    for invoice, holder in zip(invoices, kept, strict=False):
        invoice.uuid = holder
    lines = [line for invoice, draft in zip(invoices, drafts, strict=True) for line in _put(invoice, draft)]
    insert(InvoiceLine, LINE, lines)
    holders = [invoice.uuid for invoice in invoices]
    if kept:
        given = use_kept(holders=holders)
    else:
        given = take_numbers(key=Group.INVOICES, holders=holders, now=now, known_elsewhere=platform_numbers)
    for invoice, number in zip(invoices, given, strict=True):
        invoice.number, invoice.number_prefix = number.text, number.prefix
    _write(invoices)
    return invoices


def _must_be_live(*, held: bool) -> None:
    if held:
        raise NumberRefused(
            "This database was restored from a backup, and the numbers given since are not known yet. An admin "
            "confirms under Settings > Cloud Accounting Connector that it is the live one."
        )


def is_a_platform_number(text: str) -> bool:
    return bool(platform_numbers([text.upper()]))


def platform_numbers(texts: Collection[str]) -> set[str]:
    """Which of these, in upper case, a platform has given to any invoice."""
    with connection.cursor() as cursor:
        cursor.execute(GIVEN_THERE, [list(texts)])
        return {number for (number,) in cursor.fetchall()}


def update_invoice(*, invoice_id: int, version: int, draft: InvoiceDraft, actor: User, now: datetime) -> Invoice:
    """Changes a draft. Raises EditedMeanwhile when `version` is not the one now stored."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        must_be(invoice, Invoice.Status.DRAFT, "changed")
        if invoice.version != version:
            raise EditedMeanwhile(
                "Somebody saved this invoice while you were editing it. Nothing that you typed is lost: look at what "
                "differs, then keep yours, take theirs, or change yours below and save."
            )
        invoice.version += 1
        before = invoice.total
        invoice.lines.all().delete()
        lines = _put(invoice, draft)
        invoice.save()
        insert(InvoiceLine, LINE, lines)
        total = f"{before:,.2f}" if before == invoice.total else f"{before:,.2f} → {invoice.total:,.2f}"
        note(invoice, f"Edited: {len(draft.lines)} line{'s' * (len(draft.lines) > 1)}, total {total}.", actor, now)
        scratches.forget(actor, invoice=invoice, key=None)
    return invoice


def draft_of(invoice: Invoice) -> InvoiceDraft:
    """An invoice of ours as it is stored now."""
    lines = [
        LineDraft(
            item=line.item,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            tax_rate=line.tax_rate,
            nominal_code=line.nominal_code,
        )
        for line in invoice.lines.select_related("item", "tax_rate")
        if line.tax_rate
    ]
    names = ("client", "site", "issue_date", "due_date", "reference", "notes")
    return InvoiceDraft(**{name: getattr(invoice, name) for name in names}, lines=lines)


def fill(invoice: Invoice, draft: InvoiceDraft, lines: Sequence[InvoiceLine]) -> None:
    """Puts what a person gave on the invoice and saves it with these lines, which are counted already."""
    _put_head(invoice, draft, [Sums(discount=line.discount, net=line.net, tax=line.tax) for line in lines])
    invoice.save()
    for line in lines:
        line.invoice = invoice
    InvoiceLine.objects.bulk_create(lines)


def _put(invoice: Invoice, draft: InvoiceDraft) -> list[tuple[Any, ...]]:
    """Puts what a person gave on the invoice and counts it; its lines are still to be written, as LINE has them."""
    counted = [
        line_sums(
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            tax_percent=line.tax_rate.percentage,
        )
        for line in draft.lines
    ]
    _put_head(invoice, draft, counted)
    return [
        (
            *(invoice.pk, position, line.item.pk if line.item else None, line.description, line.quantity),
            *(line.unit_price, line.discount_percent, line.tax_rate.pk, line.nominal_code),
            *(sums.discount, sums.net, sums.tax, sums.total),
        )
        for position, (line, sums) in enumerate(zip(draft.lines, counted, strict=True), start=1)
    ]


def _put_head(invoice: Invoice, draft: InvoiceDraft, counted: Sequence[Sums]) -> None:
    sums = invoice_sums(counted)
    invoice.client, invoice.site = draft.client, draft.site
    invoice.issue_date, invoice.due_date = draft.issue_date, draft.due_date
    invoice.reference, invoice.notes = draft.reference, draft.notes
    invoice.net, invoice.tax, invoice.total = (each * invoice.sign for each in (sums.net, sums.tax, sums.total))
    invoice.outstanding = invoice.total


def discard(*, invoice_id: int, reason: str, actor: User, now: datetime) -> Invoice:
    """A draft that will not be used becomes void; its number stays taken, with the reason."""
    with transaction.atomic():
        must_be(locked(invoice_id), Invoice.Status.DRAFT, "discarded")
        discard_all([invoice_id], reason=reason, actor=actor, now=now)
    return Invoice.objects.get(pk=invoice_id)


def discard_all(ids: Collection[int], *, reason: str, actor: User, now: datetime) -> int:
    """Those of them that are drafts still, or Refused where one has gone further; how many were discarded."""
    with transaction.atomic():
        rows = Invoice.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids).order_by("pk")
        further = [row for row in rows if row.status not in (Invoice.Status.DRAFT, Invoice.Status.VOID)]
        if further:
            named = ", ".join(str(row) for row in further[:5]) + (" and others" if len(further) > 5 else "")  # noqa: PLR2004
            raise Refused(f"Nothing was undone: {named} {'is' if len(further) == 1 else 'are'} no draft any more.")
        drafts = [row for row in rows if row.status == Invoice.Status.DRAFT]
        Invoice.objects.filter(pk__in=[row.pk for row in drafts]).update(
            status=Invoice.Status.VOID, outstanding=Decimal(0)
        )
        discard_numbers(holders=[row.uuid for row in drafts], reason=reason)
        insert(Event, EVENT, [(row.pk, now, actor.pk, f"Discarded: {reason}"[:300]) for row in drafts])
    return len(drafts)


def locked(invoice_id: int) -> Invoice:
    """For what a transaction does with it; nobody else changes it meanwhile."""
    for invoice in Invoice.objects.raw(LOCK, [invoice_id]):
        return invoice
    raise Invoice.DoesNotExist


def must_be(invoice: Invoice, status: str, done: str) -> None:
    if invoice.status != status:
        wanted = "a draft" if status == Invoice.Status.DRAFT else "an approved"
        raise Refused(
            f"Only {wanted} {invoice.noun} can be {done}; this one is {invoice.get_status_display().lower()}."
        )


def note(invoice: Invoice, text: str, actor: User, now: datetime) -> None:
    insert(Event, EVENT, [(invoice.pk, now, actor.pk, text[:300])])
