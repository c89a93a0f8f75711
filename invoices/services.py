"""What a person can do with an invoice: approve it, take it back, send it, settle a conflict of numbers, e-mail it.

Each is one transaction; `now` and the person are handed in, and Refused says what stands in the way and where to go.
What happens to a draft before that is in `drafts`, and comes through this door too.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from connectors.interface import Fix
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from connectors.services import live_connection
from incrementors.models import Group
from incrementors.services import give_up_number, next_free_text
from invoices import documents, mailing, record, tasks
from invoices.drafts import (
    EditedMeanwhile,
    InvoiceDraft,
    LineDraft,
    Refused,
    create_invoice,
    discard,
    give_number,
    is_a_platform_number,
    locked,
    must_be,
    note,
    update_invoice,
)
from invoices.models import Company, Invoice, InvoiceMail, Push, PushAttempt, RemoteInvoice
from invoices.obstacles import obstacles


def approve(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Draft to Approved; what will be sent is frozen from here on. Where the connection says so, it is queued too."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        _approve(invoice, actor, now)
        connection = live_connection()
        if connection and connection.options.send_on_approval and not obstacles(invoice, connection):
            push = invoice.pushes.select_for_update().filter(connection=connection).first()
            _queue(invoice, connection, push, actor, now)
    return invoice


def may_approve(invoice: Invoice, actor: User) -> bool:
    """Whether this person may approve this invoice: the company can ask for a second one."""
    return approver(actor)(invoice)


def approver(actor: User) -> Callable[[Invoice], bool]:
    """Which invoices this person may approve, for many of them at once."""
    second, may = Company.ours().second_person_approves, actor.has_perm("invoices.approve_invoice")
    return lambda invoice: may and not (second and invoice.created_by_id == actor.pk)


def ask_for_approval(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Puts a draft among those that wait for somebody's approval."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        must_be(invoice, Invoice.Status.DRAFT, "put up for approval")
        if invoice.asked_at is None:
            invoice.asked_at = now
            invoice.save(update_fields=["asked_at"])
            note(invoice, "Asked for approval.", actor, now)
    return invoice


def _approve(invoice: Invoice, actor: User, now: datetime) -> None:
    must_be(invoice, Invoice.Status.DRAFT, "approved")
    if not may_approve(invoice, actor):
        raise Refused("A second person approves here: whoever raised an invoice asks somebody else to approve it.")
    if not invoice.lines.exists():
        raise Refused("An invoice without lines can't be approved.", Fix.INVOICE)
    if invoice.credits_id and (credited := locked(invoice.credits_id)).status == Invoice.Status.VOID:
        raise Refused(f"{credited} is void, so there is nothing of it to credit. Discard this draft.")
    invoice.status = Invoice.Status.APPROVED
    invoice.frozen = documents.freeze(invoice)
    invoice.approved_at, invoice.approved_by, invoice.asked_at = now, actor, None
    invoice.save()
    note(invoice, "Approved.", actor, now)


def return_to_draft(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Approved back to Draft, as long as nothing of it has left or may have left."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        must_be(invoice, Invoice.Status.APPROVED, "taken back to draft")
        _cancel_pushes(invoice)
        invoice.status, invoice.frozen = Invoice.Status.DRAFT, None
        invoice.approved_at = invoice.approved_by = None
        invoice.version += 1
        invoice.save()
        note(invoice, "Taken back to draft.", actor, now)
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
        invoice = locked(invoice_id)
        connection = live_connection()
        push = invoice.pushes.select_for_update().filter(connection=connection).first() if connection else None
        if push and (push.is_open or push.state == Push.State.SENT):
            return push
        if found := obstacles(invoice, connection):
            raise found[0]
        if invoice.status == Invoice.Status.DRAFT:
            _approve(invoice, actor, now)
        must_be(invoice, Invoice.Status.APPROVED, "sent")
        _must_not_be_elsewhere(invoice, connection)
        return _queue(invoice, connection, push, actor, now)


def _must_not_be_elsewhere(invoice: Invoice, connection: Connection | None) -> None:
    """What may be in the books of an organisation connected before is settled there first, and never sent twice."""
    open_attempts = PushAttempt.objects.filter(push__invoice=invoice, resolved_at=None)
    attempt = open_attempts.exclude(push__connection=connection).select_related("push__connection").first()
    if attempt:
        name = attempt.push.connection.company_name
        raise Refused(f"It may be in the books of {name} already. Connect Reflow to {name} again to find out.")


def _queue(invoice: Invoice, connection: Connection | None, push: Push | None, actor: User, now: datetime) -> Push:
    """READY with a new key where the last attempt is settled, else UNKNOWN, so that we look and never send twice."""
    if push is None:
        push = Push(invoice=invoice, connection=connection)
        note(invoice, "Queued for Sage.", actor, now)
    elif PushAttempt.objects.filter(push=push, resolved_at=None).exists():
        push.state, push.looked_at = Push.State.UNKNOWN, None
        note(invoice, "Sage is to be looked at again.", actor, now)
    else:
        # What was refused may have been mended where it comes from, as in the client's details.
        invoice.frozen = documents.freeze(invoice)
        invoice.save(update_fields=["frozen"])
        push.state, push.generation = Push.State.READY, push.generation + 1
        note(invoice, "Queued for Sage again.", actor, now)
    push.cause, push.problems = Push.Cause.NONE, []
    push.due_at = push.requested_at = now
    push.requested_by = actor
    push.save()
    transaction.on_commit(lambda: tasks.hint(push.pk), robust=True)
    return push


def take_next_number(*, invoice_id: int, actor: User, now: datetime) -> Push:
    """Sage has our number for something else: the invoice takes the next free one and is sent under it.

    The old number stays on record as taken in Sage, and nobody gets it again.
    """
    with transaction.atomic():
        invoice, push = _conflict(invoice_id)
        old = invoice.number
        give_up_number(holder=invoice.uuid, reason=f"Sage has this number for another {invoice.noun}.")
        give_number(invoice, now=now)
        note(invoice, f"{old} is taken in Sage; the {invoice.noun} is now {invoice.number}.", actor, now)
        return _queue(invoice, push.connection, push, actor, now)


def link_to_remote(*, invoice_id: int, remote: Remote, actor: User, now: datetime) -> Push:
    """What Sage holds under our number is this very invoice: it is linked, and nothing is sent."""
    with transaction.atomic():
        invoice, push = _conflict(invoice_id)
        if RemoteInvoice.objects.filter(connection=push.connection, remote_id=remote.id).exists():
            raise Refused("That invoice in Sage belongs to another one of ours already.")
        record.link_by_hand(push, remote, now=now)
        note(invoice, f"Linked to {remote.number or 'a draft'} in Sage.", actor, now)
        return push


def next_number(key: str = Group.INVOICES) -> str:
    """What the next free number would be; only a promise, as somebody else may be quicker."""
    return next_free_text(key=key, known_elsewhere=is_a_platform_number)


def _conflict(invoice_id: int) -> tuple[Invoice, Push]:
    invoice = locked(invoice_id)
    in_conflict = invoice.pushes.select_for_update().filter(
        connection=live_connection(), state=Push.State.ATTENTION, cause=Push.Cause.NUMBER_TAKEN
    )
    push = in_conflict.first()
    if push is None or push.connection.state == Connection.State.DISCONNECTING:
        raise Refused("There is no conflict of numbers any more. Look at the invoice again.")
    return invoice, push


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An e-mail as a person wrote it, checked field by field already; its key is its form's, so two clicks are one."""

    key: uuid.UUID
    to: str
    copy_to: str
    subject: str
    body: str


def mail_invoice(*, invoice_id: int, letter: Letter, actor: User, now: datetime) -> InvoiceMail:
    """Puts an e-mail with the invoice on record; a worker sends it with the PDF as it is then."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        found = invoice.mails.filter(key=letter.key).first()
        if found:
            return found
        if why := mailing.why_not(invoice):
            raise Refused(why)
        if not settings.MAIL_IS_SET_UP:
            raise Refused(mailing.NOT_SET_UP)
        mail = InvoiceMail.objects.create(
            invoice=invoice,
            key=letter.key,
            to=letter.to,
            copy_to=letter.copy_to,
            subject=letter.subject,
            body=letter.body,
            requested_at=now,
            requested_by=actor,
            due_at=now,
        )
        transaction.on_commit(lambda: tasks.hint_mail(mail.pk), robust=True)
        return mail


__all__ = [
    "EditedMeanwhile",
    "InvoiceDraft",
    "LineDraft",
    "Refused",
    "create_invoice",
    "discard",
    "obstacles",
    "update_invoice",
]
