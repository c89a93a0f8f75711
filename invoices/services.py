"""What a person can do with an invoice: approve it, take it back, send it, settle what Sage holds of it, e-mail it.

Each is one transaction; `now` and the person are handed in, and Refused says what stands in the way and where to go.
What happens to a draft before that is in `drafts`, and comes through this door too.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from connectors.services import live_connection
from incrementors.models import Group
from incrementors.services import give_up_number, next_free_text
from invoices import mailing, queueing, settling, tasks
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
from invoices.models import Invoice, InvoiceMail, Push
from invoices.obstacles import obstacles
from invoices.queueing import approver


def approve(*, invoice_id: int, actor: User, now: datetime) -> Invoice:
    """Draft to Approved; what will be sent is frozen from here on. Where the connection says so, it is queued too."""
    with transaction.atomic():
        invoice, rules = locked(invoice_id), queueing.rules()
        _approve(invoice, approver(actor, second=rules.second), actor, now)
        connection = live_connection() if rules.sends else None
        if connection and not obstacles(invoice, connection):
            push = invoice.pushes.select_for_update().filter(connection=connection).first()
            _queue(invoice, connection, push, actor, now)
    return invoice


def may_approve(invoice: Invoice, actor: User) -> bool:
    """Whether this person may approve this invoice: the company can ask for a second one."""
    return approver(actor)(invoice)


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


def _approve(invoice: Invoice, may_approve: Callable[[Invoice], bool], actor: User, now: datetime) -> None:
    queueing.approve(invoice, may_approve, actor, now)
    queueing.save_approval(invoice, actor, now)


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
        push.state, push.cause, push.problems, push.parked_because = Push.State.CANCELLED, Push.Cause.NONE, [], ""
        push.generation += 1  # its key goes with what it was
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
            _approve(invoice, approver(actor), actor, now)
        must_be(invoice, Invoice.Status.APPROVED, "sent")
        _must_not_be_elsewhere(invoice, connection)
        _must_not_be_misdirected(push)
        return _queue(invoice, connection, push, actor, now)


def _must_not_be_elsewhere(invoice: Invoice, connection: Connection | None) -> None:
    """What may be in the books of an organisation connected before is settled there first, and never sent twice."""
    if why := queueing.elsewhere([invoice.pk], connection).get(invoice.pk):
        raise Refused(why)


def _must_not_be_misdirected(push: Push | None) -> None:
    """A look into these books can't tell what another organisation has: what is absent here is not sent by itself."""
    if push and push.cause == Push.Cause.MISDIRECTED and settling.is_for_a_person(push):
        raise Refused("Another organisation answered, so it may be in its books. Open the invoice and decide.")


def _queue(invoice: Invoice, connection: Connection | None, push: Push | None, actor: User, now: datetime) -> Push:
    push = push or Push(connection=connection)
    push.invoice = invoice
    outcomes = queueing.outcomes_of([push.pk]).get(push.pk, set()) if push.pk else set()
    note(invoice, queueing.queue(push, outcomes=outcomes, actor=actor, now=now), actor, now)
    invoice.save(update_fields=["frozen"])
    push.save()
    transaction.on_commit(lambda: tasks.hint(push.pk), robust=True)
    return push


def take_next_number(*, invoice_id: int, actor: User, now: datetime, seen: Sequence[Remote] | None = None) -> Push:
    """Sage has our number for something else: the invoice takes the next free one and is sent under it.

    The old number stays on record as taken in Sage, and nobody gets it again. `seen` is what a look has just found,
    where it may have left under the old one.
    """
    with transaction.atomic():
        invoice, push = _undecided(invoice_id)
        settling.disown(push, seen, actor=actor, now=now)
        old = invoice.number
        give_up_number(holder=invoice.uuid, reason=f"Sage has this number for another {invoice.noun}.")
        give_number(invoice, now=now)
        note(invoice, f"{old} is taken in Sage; the {invoice.noun} is now {invoice.number}.", actor, now)
        return _queue(invoice, push.connection, push, actor, now)


def link_to_remote(*, invoice_id: int, remote: Remote, actor: User, now: datetime) -> Push:
    """What Sage holds is this very invoice: it is linked, and nothing is sent."""
    try:
        with transaction.atomic():
            settling.hold_reading(live_connection())
            invoice, push = _undecided(invoice_id)
            settling.link(push, remote, actor=actor, now=now)
            note(invoice, f"Linked to {remote.number or 'a draft'} in Sage.", actor, now)
            return push
    except IntegrityError:  # its token is of one invoice only, whoever else was linking it
        raise Refused("Somebody else has just linked that invoice. Look again.") from None


def send_again(*, invoice_id: int, seen: Sequence[Remote], actor: User, now: datetime) -> Push:
    """None of what Sage holds is it: it goes again with a new key. `seen` is what a look has just found."""
    with transaction.atomic():
        invoice, push = _undecided(invoice_id)
        if found := obstacles(invoice, push.connection):
            raise found[0]
        _must_not_be_elsewhere(invoice, push.connection)
        settling.disown(push, seen, actor=actor, now=now)
        names = ", ".join(one.number or one.id for one in seen)
        why = f"Not in Sage: {names} is something else." if seen else "Nothing in Sage is this invoice."
        note(invoice, f"{why[:250]} It is sent again.", actor, now)
        return _queue(invoice, push.connection, push, actor, now)


def next_number(key: str = Group.INVOICES) -> str:
    """What the next free number would be; only a promise, as somebody else may be quicker."""
    return next_free_text(key=key, known_elsewhere=is_a_platform_number)


def _undecided(invoice_id: int) -> tuple[Invoice, Push]:
    invoice = locked(invoice_id)
    push = invoice.pushes.select_for_update().filter(connection=live_connection()).first()
    if push is None or not settling.is_for_a_person(push) or push.connection.state == Connection.State.DISCONNECTING:
        raise Refused("There is no conflict any more that could be settled here. Look at the invoice again.")
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
    "approver",
    "create_invoice",
    "discard",
    "obstacles",
    "update_invoice",
]
