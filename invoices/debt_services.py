"""What a person can do about what is owed: e-mail a statement, set up reminders, send, hold or leave them out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import localdate

from connectors.services import live_connection
from invoices import mailing, remindable, tasks
from invoices.drafts import Refused, locked, note
from invoices.models import (
    Client,
    Event,
    InvoiceMail,
    Reminder,
    ReminderHold,
    ReminderSettings,
    ReminderStep,
)
from invoices.reminding import next_morning, why_none
from invoices.services import Letter
from invoices.statements import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reminder as an admin wrote it, checked already."""

    days: int
    subject: str
    body: str


def mail_statement(*, client: Client, asked: Asked, letter: Letter, actor: User, now: datetime) -> InvoiceMail:
    """Puts an e-mail with the statement on record; a worker sends it with the PDF as it is then."""
    if not settings.MAIL_IS_SET_UP:
        raise Refused(mailing.NOT_SET_UP)
    with transaction.atomic():
        mail, is_new = InvoiceMail.objects.get_or_create(
            key=letter.key,
            defaults={
                "kind": InvoiceMail.Kind.STATEMENT,
                "client": client,
                "since": asked.since,
                "until": asked.until,
                "to": letter.to,
                "copy_to": letter.copy_to,
                "subject": letter.subject,
                "body": letter.body,
                "requested_at": now,
                "requested_by": actor,
                "due_at": now,
            },
        )
        if is_new:
            transaction.on_commit(lambda: tasks.hint_mail(mail.pk), robust=True)
        return mail


def set_reminders(*, is_on: bool, copy_to: str, steps: Mapping[int, Step], now: datetime) -> ReminderSettings:
    """Switches them on or off, and says what each step is; the first ones go on the next morning, not at once."""
    with transaction.atomic():
        ReminderSettings.ours()
        ours = ReminderSettings.objects.select_for_update().get(pk=1)
        if is_on and not ours.is_on:
            ours.due_at = next_morning(now)
        ours.is_on, ours.copy_to = is_on, copy_to
        if not is_on:
            ours.due_at, ours.trouble = None, ""
        ours.save()
        for level, step in steps.items():
            ReminderStep.objects.update_or_create(
                level=level, defaults={"days": step.days, "subject": step.subject, "body": step.body}
            )
    return ours


def send_now(*, now: datetime) -> None:
    """What is planned for the next morning goes at once; a second press finds nothing left."""
    with transaction.atomic():
        ours = ReminderSettings.objects.select_for_update().filter(pk=1, is_on=True)
        if not ours.update(due_at=now):
            raise Refused("Reminders are switched off.")
        if why := why_none(live_connection()):
            raise Refused(why)
        transaction.on_commit(tasks.hint_reminders, robust=True)


def leave_out(*, client: Client | None, actor: User, now: datetime) -> int:
    """Those planned, of one client or of all, do not go; each invoice waits for its next step. How many they were."""
    with transaction.atomic():
        ReminderSettings.ours()
        ReminderSettings.objects.select_for_update().get(pk=1)
        bundles = remindable.plan(localdate(now), live_connection()).bundles
        invoices = [one for bundle in bundles if client in (None, bundle.client) for one in bundle.invoices]
        Reminder.objects.bulk_create(
            Reminder(invoice=one, level=one.level, made_at=now, left_out_by=actor)  # type: ignore[attr-defined]
            for one in invoices
        )
        text = "A reminder was left out."
        Event.objects.bulk_create(Event(invoice=one, happened_at=now, actor=actor, text=text) for one in invoices)
    return len(invoices)


def put_back(*, mail_id: int) -> None:
    """A reminder that the mail server refused for good is planned again, as when the address has been corrected."""
    with transaction.atomic():
        failed = InvoiceMail.objects.select_for_update().filter(
            pk=mail_id, kind=InvoiceMail.Kind.REMINDER, state=InvoiceMail.State.FAILED
        )
        mail = failed.first()
        if mail is None or not mail.reminders.exists():
            raise Refused("It was put back already, or has gone out after all.")
        mail.reminders.all().delete()


def hold(*, invoice_id: int, reason: str, actor: User, now: datetime) -> None:
    """No reminder of this invoice goes out until that is taken back, as while the client disputes it."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        _, is_new = ReminderHold.objects.get_or_create(
            invoice=invoice, defaults={"reason": reason, "held_at": now, "held_by": actor}
        )
        if is_new:
            note(invoice, f"Reminders held back: {reason}"[:300], actor, now)


def let_go(*, invoice_id: int, actor: User, now: datetime) -> None:
    """Reminders of this invoice go out again."""
    with transaction.atomic():
        invoice = locked(invoice_id)
        if ReminderHold.objects.filter(invoice=invoice).delete()[0]:
            note(invoice, "Reminders are no longer held back.", actor, now)
