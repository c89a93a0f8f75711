"""A draft's life: created with its number, edited, discarded; one transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction

from connectors import epoch
from connectors.interface import Fix
from incrementors.models import Group
from incrementors.services import NumberRefused, discard_number, take_number
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
from invoices.totals import invoice_sums


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


def create_invoice(*, draft: InvoiceDraft, actor: User, now: datetime) -> Invoice:
    """A new draft with its number, which is taken last so that the group is locked for a moment only.

    Raises NumberRefused when the group can't count on.
    """
    with transaction.atomic():
        invoice = Invoice(created_by=actor, created_at=now, currency=Company.ours().currency)
        _fill(invoice, draft)
        note(invoice, "Created.", actor, now)
        give_number(invoice, now=now)
    return invoice


def give_number(invoice: Invoice, *, now: datetime) -> None:
    """The next free number; the last thing in its transaction. Raises NumberRefused, as in a restored copy."""
    if epoch.is_held():
        raise NumberRefused(
            "This database was restored from a backup, and the numbers given since are not known yet. An admin "
            "confirms under Settings > Cloud Accounting Connector that it is the live one."
        )
    number = take_number(key=Group.INVOICES, holder=invoice.uuid, now=now, known_elsewhere=is_a_platform_number)
    invoice.number, invoice.number_prefix = number.text, number.prefix
    invoice.save(update_fields=["number", "number_prefix"])


def is_a_platform_number(text: str) -> bool:
    return RemoteInvoice.objects.filter(number__iexact=text).exists()


def update_invoice(*, invoice_id: int, version: int, draft: InvoiceDraft, actor: User, now: datetime) -> Invoice:
    """Changes a draft. Raises EditedMeanwhile when `version` is not the one now stored."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        must_be(invoice, Invoice.Status.DRAFT, "changed")
        if invoice.version != version:
            raise EditedMeanwhile(
                "Somebody saved this invoice while you were editing it. Your changes are still below: compare them "
                "with the invoice as it is now, then save again to keep yours."
            )
        invoice.version += 1
        invoice.lines.all().delete()
        _fill(invoice, draft)
        note(invoice, "Edited.", actor, now)
    return invoice


def _fill(invoice: Invoice, draft: InvoiceDraft) -> None:
    """Puts what a person gave on the invoice, counts its sums and saves both."""
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
    sums = invoice_sums(line.count() for line in lines)
    invoice.client, invoice.site = draft.client, draft.site
    invoice.issue_date, invoice.due_date = draft.issue_date, draft.due_date
    invoice.reference, invoice.notes = draft.reference, draft.notes
    invoice.net, invoice.tax, invoice.total = sums.net, sums.tax, sums.total
    invoice.outstanding = sums.total
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
        raise Refused(f"Only {wanted} invoice can be {done}; this one is {invoice.get_status_display().lower()}.")


def note(invoice: Invoice, text: str, actor: User, now: datetime) -> None:
    Event.objects.create(invoice=invoice, happened_at=now, actor=actor, text=text)
