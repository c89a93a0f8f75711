"""A person decides what Sage holds of an invoice: this one is it, or none of them is.

What came in meanwhile as if it had been raised over there gives way: what Sage holds becomes ours, and the imported
invoice stays on record as void, with its number, its history and its e-mails.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils.timezone import localtime

from connectors.interface import RemoteInvoice
from connectors.models import Connection
from incrementors.services import discard_number
from invoices import documents, intake, record
from invoices.drafts import Refused, locked, note
from invoices.models import Invoice, InvoiceMail, Pull, Push, PushAttempt, Voiding
from invoices.models import RemoteInvoice as RemoteRow

DOUBTFUL = (Push.Cause.DIFFERENT, Push.Cause.SEVERAL, Push.Cause.MISDIRECTED)
LEAVING = (InvoiceMail.State.WAITING, InvoiceMail.State.SENDING)


def is_for_a_person(push: Push) -> bool:
    """Sage may hold it, or something in its place: our number is taken, or it left and what came of it is in doubt."""
    if push.state != Push.State.ATTENTION:
        return False
    return push.cause == Push.Cause.NUMBER_TAKEN or (push.cause in DOUBTFUL and open_attempt(push) is not None)


def open_attempt(push: Push) -> PushAttempt | None:
    """The attempt of which nobody knows yet what came of it."""
    return push.attempts.filter(resolved_at=None).first()


def absent_from(push: Push) -> datetime | None:
    """From when on Sage can't be at work any more on what left; None where nothing is in doubt."""
    attempt = open_attempt(push)
    return (attempt.may_leave_until or attempt.started_at) + record.ABSENCE if attempt else None


def owner_of(push: Push, remote: RemoteInvoice) -> Invoice | None:
    """Which invoice it is here already: by its token, else another one of ours whose number it carries."""
    row = RemoteRow.objects.filter(connection=push.connection, remote_id=remote.id).select_related("invoice").first()
    if row or not remote.reference:
        return row.invoice if row else None
    ours = Invoice.objects.filter(origin=Invoice.Origin.OWN, number__iexact=remote.reference)
    return ours.filter(pushes__connection=push.connection).exclude(pk=push.invoice_id).first()


def hold_reading(connection: Connection | None) -> None:
    """Keeps pages of the books from coming in until the transaction ends; call it first, as a page's keeping does."""
    Pull.objects.select_for_update().filter(connection=connection).first()


def link(push: Push, remote: RemoteInvoice, *, actor: User, now: datetime) -> None:
    """It is this one: linked, with its status and what is outstanding as they are there. Raises Refused."""
    owner = owner_of(push, remote)
    if owner and not owner.is_imported:
        raise Refused(f"That invoice in Sage belongs to another one of ours already: {owner}.")
    row = _take_over(push, owner, remote, actor, now) if owner else None
    record.link_by_hand(push, remote, row=row, now=now)
    intake.refresh([*RemoteRow.objects.filter(push=push).select_related("invoice")], [remote], now=now)


def _take_over(push: Push, imported: Invoice, remote: RemoteInvoice, actor: User, now: datetime) -> RemoteRow:
    """What had come in for it, as a row of ours; its invoice is void from now on, and nothing of it is lost."""
    imported = locked(imported.pk)
    row = RemoteRow.objects.select_for_update().get(connection=push.connection, remote_id=remote.id)
    if row.invoice_id != imported.pk:
        raise Refused("Somebody else has just linked that invoice. Look again.")
    _must_be_free(imported, row)
    row.invoice, row.recoded = push.invoice, []
    row.save(update_fields=["invoice", "recoded"])
    imported.status, imported.outstanding, imported.duplicate_of = Invoice.Status.VOID, Decimal(0), push.invoice
    imported.save(update_fields=["status", "outstanding", "duplicate_of"])
    discard_number(holder=imported.uuid, reason=f"What Sage holds is {push.invoice.number}, which left from here.")
    note(imported, f"Void here: what Sage holds is {push.invoice.number}, which left from here.", actor, now)
    note(push.invoice, f"It had come in from Sage as {imported.number}, which is void here now.", actor, now)
    return row


def _must_be_free(imported: Invoice, row: RemoteRow) -> None:
    if row.voidings.exclude(state=Voiding.State.GIVEN_UP).exists():
        raise Refused(f"{imported} is being voided in Sage from here, or was. Settle that first.")
    if imported.mails.filter(state__in=LEAVING).exists():
        raise Refused(f"An e-mail with {imported} is just leaving. Wait until it is gone, then link.")


def disown(push: Push, seen: Sequence[RemoteInvoice] | None, *, actor: User, now: datetime) -> None:
    """None of what a look has just `seen` is it: the open attempt is settled as absent, and stays on record.

    Raises Refused while one of them is the same as ours under our reference, and while Sage may still be at work on it.
    """
    attempt, until = open_attempt(push), absent_from(push)
    if attempt is None or until is None:
        return
    ours = documents.from_json(attempt.document or {})
    if seen is None:
        raise Refused("It may be in Sage already. Open the invoice and decide.")
    if now < until:
        raise Refused(f"Sage may be at work on it until {localtime(until):%H:%M:%S}. Look again after that.")
    for one in seen:
        if one.reference == ours.reference and record.is_the_same(ours, one) and _nobody_of_ours_has(push, one):
            name = one.number or one.id
            raise Refused(f"{name} in Sage carries {ours.reference}, with the same client, date and total: link it.")
    attempt.outcome, attempt.resolved_at = PushAttempt.Outcome.ABSENT, now
    said = f"{actor.get_full_name() or actor.username} said that nothing in Sage is it."
    attempt.message = f"{attempt.message} {said}".strip()
    attempt.save(update_fields=["outcome", "resolved_at", "message"])


def _nobody_of_ours_has(push: Push, remote: RemoteInvoice) -> bool:
    owner = owner_of(push, remote)
    return owner is None or owner.is_imported
