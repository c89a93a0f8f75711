"""What a person can do with an invoice: create, edit, approve, take back, discard, send, try again.

Each is one transaction; `now` and the person are handed in, and Refused says what stands in the way and where to go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction

from connectors.interface import Fix
from connectors.models import Connection
from connectors.services import live_connection, platform_of, tax_links
from incrementors.models import Group
from incrementors.services import discard_number, take_number
from invoices import documents, tasks
from invoices.models import (
    Client,
    Company,
    Event,
    Invoice,
    InvoiceLine,
    Item,
    Property,
    Push,
    PushAttempt,
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
        _note(invoice, "Created.", actor, now)
        number = take_number(key=Group.INVOICES, holder=invoice.uuid, now=now, known_elsewhere=_is_a_platform_number)
        invoice.number, invoice.number_prefix = number.text, number.prefix
        invoice.save(update_fields=["number", "number_prefix"])
    return invoice


def _is_a_platform_number(text: str) -> bool:
    return RemoteInvoice.objects.filter(number__iexact=text).exists()


def update_invoice(*, invoice_id: int, version: int, draft: InvoiceDraft, actor: User, now: datetime) -> Invoice:
    """Changes a draft. Raises EditedMeanwhile when `version` is not the one now stored."""
    with transaction.atomic():
        invoice = _locked(invoice_id)
        _must_be(invoice, Invoice.Status.DRAFT, "changed")
        if invoice.version != version:
            raise EditedMeanwhile(
                "Somebody saved this invoice while you were editing it. Your changes are still below: compare them "
                "with the invoice as it is now, then save again to keep yours."
            )
        invoice.version += 1
        invoice.lines.all().delete()
        _fill(invoice, draft)
        _note(invoice, "Edited.", actor, now)
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
        )
        for position, line in enumerate(draft.lines, start=1)
    ]
    sums = invoice_sums(line.count() for line in lines)
    invoice.client, invoice.site = draft.client, draft.site
    invoice.issue_date, invoice.due_date = draft.issue_date, draft.due_date
    invoice.reference, invoice.notes = draft.reference, draft.notes
    invoice.net, invoice.tax, invoice.total = sums.net, sums.tax, sums.total
    invoice.save()
    for line in lines:
        line.invoice = invoice
    InvoiceLine.objects.bulk_create(lines)


def approve(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Draft to Approved; what will be sent is frozen from here on."""
    with transaction.atomic():
        invoice = _locked(invoice_id)
        _approve(invoice, actor, now)
    return invoice


def _approve(invoice: Invoice, actor: User, now: datetime) -> None:
    _must_be(invoice, Invoice.Status.DRAFT, "approved")
    if not invoice.lines.exists():
        raise Refused("An invoice without lines can't be approved.", Fix.INVOICE)
    invoice.status = Invoice.Status.APPROVED
    invoice.frozen = documents.freeze(invoice)
    invoice.approved_at, invoice.approved_by = now, actor
    invoice.save()
    _note(invoice, "Approved.", actor, now)


def return_to_draft(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Approved back to Draft, as long as nothing of it has left or may have left."""
    with transaction.atomic():
        invoice = _locked(invoice_id)
        _must_be(invoice, Invoice.Status.APPROVED, "taken back to draft")
        _cancel_pushes(invoice)
        invoice.status, invoice.frozen = Invoice.Status.DRAFT, None
        invoice.approved_at = invoice.approved_by = None
        invoice.version += 1
        invoice.save()
        _note(invoice, "Taken back to draft.", actor, now)
    return invoice


def discard(*, invoice_id: int, reason: str, actor: User, now: datetime) -> Invoice:
    """A draft that will not be used becomes void; its number stays taken, with the reason."""
    with transaction.atomic():
        invoice = _locked(invoice_id)
        _must_be(invoice, Invoice.Status.DRAFT, "discarded")
        invoice.status = Invoice.Status.VOID
        invoice.save()
        discard_number(holder=invoice.uuid, reason=reason)
        _note(invoice, f"Discarded: {reason}", actor, now)
    return invoice


def _cancel_pushes(invoice: Invoice) -> None:
    for push in invoice.pushes.select_for_update():
        left = push.attempts.filter(resolved_at=None).exists()
        if left or push.state in (Push.State.SENDING, Push.State.UNKNOWN, Push.State.SENT):
            raise Refused("It is on its way to Sage, or may be there already.")
        push.state, push.cause, push.problems = Push.State.CANCELLED, Push.Cause.NONE, []
        push.save()


def request_push(*, invoice_id: int, actor: User, now: datetime) -> Push:
    """Puts the invoice into the queue, approving it first where it is a draft; a second click is the same push.

    What Sage refused goes again with a new key; where it is not known what Sage holds, Reflow looks again.
    """
    with transaction.atomic():
        invoice = _locked(invoice_id)
        connection = live_connection()
        push = invoice.pushes.select_for_update().filter(connection=connection).first() if connection else None
        if push and (push.is_open or push.state == Push.State.SENT):
            return push
        if found := obstacles(invoice, connection):
            raise found[0]
        if invoice.status == Invoice.Status.DRAFT:
            _approve(invoice, actor, now)
        _must_be(invoice, Invoice.Status.APPROVED, "sent")
        return _queue(invoice, connection, push, actor, now)


def _queue(invoice: Invoice, connection: Connection | None, push: Push | None, actor: User, now: datetime) -> Push:
    """READY with a new key where the last attempt is settled, else UNKNOWN, so that we look and never send twice."""
    if push is None:
        push = Push(invoice=invoice, connection=connection)
        _note(invoice, "Queued for Sage.", actor, now)
    elif PushAttempt.objects.filter(push=push, resolved_at=None).exists():
        push.state = Push.State.UNKNOWN
        _note(invoice, "Sage is to be looked at again.", actor, now)
    else:
        # What was refused may have been mended where it comes from, as in the client's details.
        invoice.frozen = documents.freeze(invoice)
        invoice.save(update_fields=["frozen"])
        push.state, push.generation = Push.State.READY, push.generation + 1
        _note(invoice, "Queued for Sage again.", actor, now)
    push.cause, push.problems = Push.Cause.NONE, []
    push.due_at = push.requested_at = now
    push.requested_by = actor
    push.save()
    transaction.on_commit(lambda: tasks.hint(push.pk), robust=True)
    return push


def obstacles(invoice: Invoice, connection: Connection | None) -> list[Refused]:
    """What keeps this invoice from being sent, each with the place where it is changed; empty when it can go."""
    if connection is None:
        return [Refused("Reflow is not connected to Sage yet.", Fix.CONNECTION)]
    if connection.state == Connection.State.CHOOSING:
        return [Refused("The organisation in Sage is not chosen yet.", Fix.CONNECTION)]
    found = []
    if not connection.sales_account_id:
        found.append(Refused("The default nominal code is not chosen yet.", Fix.SALES_ACCOUNT))
    mapped = tax_links(connection)
    unmapped = TaxRate.objects.filter(pk__in=invoice.lines.values("tax_rate")).exclude(pk__in=mapped)
    if names := ", ".join(rate.name for rate in unmapped):
        found.append(Refused(f"No tax rate of Sage's is chosen yet for: {names}.", Fix.TAX_RATES))
    limit = platform_of(connection).prefix_limit
    if len(invoice.number_prefix) > limit:
        label = platform_of(connection).label
        found.append(
            Refused(f"The prefix of {invoice.number} is longer than the {limit} characters {label} takes.", Fix.NUMBER)
        )
    return found


def _locked(invoice_id: int) -> Invoice:
    return Invoice.objects.select_for_update(of=("self",)).get(pk=invoice_id)


def _must_be(invoice: Invoice, status: str, done: str) -> None:
    if invoice.status != status:
        wanted = "a draft" if status == Invoice.Status.DRAFT else "an approved"
        raise Refused(f"Only {wanted} invoice can be {done}; this one is {invoice.get_status_display().lower()}.")


def _note(invoice: Invoice, text: str, actor: User, now: datetime) -> None:
    Event.objects.create(invoice=invoice, happened_at=now, actor=actor, text=text)
