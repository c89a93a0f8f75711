"""What a person can do about voiding an invoice in Sage: ask for it, have it tried again, or keep the invoice."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from connectors.services import live_connection, platform_of
from invoices import tasks, voiding
from invoices.drafts import Refused, locked, note
from invoices.models import Voiding
from invoices.voidable import PERMISSION, remote_in, why_not


def request_void(*, invoice_id: int, reason: str, actor: User, now: datetime) -> Voiding:
    """Puts it on record that this invoice is to be void; a worker has Sage do it first. A second click is the same."""
    _may(actor)
    with transaction.atomic():
        invoice = locked(invoice_id)
        asked_for = Voiding.objects.open().filter(remote__invoice=invoice).first()
        if asked_for:
            return asked_for
        connection = live_connection()
        refused, remote = why_not(invoice, connection), remote_in(invoice, connection)
        if refused or connection is None or remote is None:
            raise refused or Refused("It is not in the books that Reflow is connected to.")
        made = Voiding.objects.create(
            remote=remote,
            reason=_checked(reason, platform_of(connection).reason_limit),
            requested_at=now,
            requested_by=actor,
            due_at=now,
        )
        note(invoice, f"To be voided in Sage: {made.reason}", actor, now)
        _hint(made)
        return made


def _checked(reason: str, limit: int) -> str:
    reason = " ".join(reason.split())
    if not reason or len(reason) > limit:
        raise Refused(f"Say why it is voided, in at most {limit} characters: Sage keeps the reason.")
    return reason


def try_again(*, invoice_id: int, actor: User, now: datetime) -> Voiding:
    """What stood in the way is mended: another try, which looks first, as each does."""
    _may(actor)
    with transaction.atomic():
        row = _of_a_person(invoice_id)
        if row.remote.connection != live_connection():
            name = row.remote.connection.company_name
            raise Refused(f"Connect Reflow to {name} again first, or void the invoice in Sage.")
        row.state, row.problems, row.tries, row.due_at = Voiding.State.WAITING, [], 0, now
        row.save()
        note(row.remote.invoice, "Voiding in Sage is tried again.", actor, now)
        _hint(row)
        return row


def keep_invoice(*, invoice_id: int, actor: User, now: datetime) -> Voiding:
    """Nothing more is asked of Sage, and the invoice stays as it is."""
    _may(actor)
    with transaction.atomic():
        row = _of_a_person(invoice_id)
        voiding.give_up(row, "It is not to be voided any more.", actor, now)
        return row


def _of_a_person(invoice_id: int) -> Voiding:
    """The open one, where it needs a person, or waits and nothing of it has left. Raises Refused."""
    locked(invoice_id)
    found = Voiding.objects.open().filter(remote__invoice=invoice_id).first()
    row = voiding.held(found.pk) if found else None
    free = row and row.state == Voiding.State.WAITING and row.asked_at is None
    if row is None or not (free or row.state == Voiding.State.ATTENTION):
        raise Refused("Reflow is just voiding it, or that is settled already. Look at the invoice again.")
    return row


def _may(actor: User) -> None:
    if not actor.has_perm(PERMISSION):
        raise Refused("Only somebody who may approve invoices can void one.")


def _hint(row: Voiding) -> None:
    transaction.on_commit(lambda: tasks.hint_void(row.pk), robust=True)
