"""A draft's life: created with its number, edited, discarded; one transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from connectors import epoch
from connectors.interface import Fix
from incrementors.models import Group
from incrementors.services import NumberRefused, discard_number, take_number
from invoices import scratches
from invoices.models import (
    Client,
    Company,
    Event,
    Invoice,
    InvoiceLine,
    Item,
    Property,
    RemoteInvoice,
    TaxRate,
)
from invoices.totals import Sums, invoice_sums


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

    The `scratch` that it was typed into goes. Raises NumberRefused when the group can't count on.
    """
    with transaction.atomic():
        invoice = Invoice(created_by=actor, created_at=now, currency=Company.ours().currency)
        fill(invoice, draft, _lines(draft))
        note(invoice, "Created.", actor, now)
        scratches.forget(actor, invoice=None, key=scratch)
        give_number(invoice, now=now)
    return invoice


def give_number(invoice: Invoice, *, now: datetime) -> None:
    """The next free number; the last thing in its transaction. Raises NumberRefused, as in a restored copy."""
    if epoch.is_held():
        raise NumberRefused(
            "This database was restored from a backup, and the numbers given since are not known yet. An admin "
            "confirms under Settings > Cloud Accounting Connector that it is the live one."
        )
    number = take_number(key=group_of(invoice), holder=invoice.uuid, now=now, known_elsewhere=is_a_platform_number)
    invoice.number, invoice.number_prefix = number.text, number.prefix
    invoice.save(update_fields=["number", "number_prefix"])


def group_of(invoice: Invoice) -> str:
    """The key of the group that it gets its number from."""
    return Group.CREDIT_NOTES if invoice.is_credit_note else Group.INVOICES


def is_a_platform_number(text: str) -> bool:
    return RemoteInvoice.objects.filter(number__iexact=text).exists()


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
        fill(invoice, draft, _lines(draft))
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


def _lines(draft: InvoiceDraft) -> list[InvoiceLine]:
    """As a person gave them, each counted."""
    lines = [
        InvoiceLine(
            position=position,
            item=line.item,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            tax_rate=line.tax_rate,
            nominal_code=line.nominal_code,
        )
        for position, line in enumerate(draft.lines, start=1)
    ]
    for line in lines:
        line.count()
    return lines


def fill(invoice: Invoice, draft: InvoiceDraft, lines: Sequence[InvoiceLine]) -> None:
    """Puts what a person gave on the invoice with these lines, counts its sums and saves both."""
    sums = invoice_sums(Sums(discount=line.discount, net=line.net, tax=line.tax) for line in lines)
    invoice.client, invoice.site = draft.client, draft.site
    invoice.issue_date, invoice.due_date = draft.issue_date, draft.due_date
    invoice.reference, invoice.notes = draft.reference, draft.notes
    invoice.net, invoice.tax, invoice.total = (each * invoice.sign for each in (sums.net, sums.tax, sums.total))
    invoice.outstanding = invoice.total
    invoice.save()
    for line in lines:
        line.invoice = invoice
    InvoiceLine.objects.bulk_create(lines)


def discard(*, invoice_id: int, reason: str, actor: User, now: datetime) -> Invoice:
    """A draft that will not be used becomes void; its number stays taken, with the reason."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        must_be(invoice, Invoice.Status.DRAFT, "discarded")
        invoice.status, invoice.outstanding = Invoice.Status.VOID, Decimal(0)
        invoice.save()
        discard_number(holder=invoice.uuid, reason=reason)
        note(invoice, f"Discarded: {reason}", actor, now)
    return invoice


def locked(invoice_id: int) -> Invoice:
    return Invoice.objects.select_for_update(of=("self",), no_key=True).get(pk=invoice_id)


def must_be(invoice: Invoice, status: str, done: str) -> None:
    if invoice.status != status:
        wanted = "a draft" if status == Invoice.Status.DRAFT else "an approved"
        raise Refused(
            f"Only {wanted} {invoice.noun} can be {done}; this one is {invoice.get_status_display().lower()}."
        )


def note(invoice: Invoice, text: str, actor: User, now: datetime) -> None:
    Event.objects.create(invoice=invoice, happened_at=now, actor=actor, text=text)
