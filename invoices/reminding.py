"""What a worker does about reminders: asks Sage what is still owed, and puts one e-mail a client on record.

One run at a time: it takes the settings' row by moving its time on, so that of two only one does, and a dead one's turn
comes again. Which invoice had which reminder is a row under a unique constraint, written with the e-mail. Knows no
Celery.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.timezone import localdate, localtime, make_aware

from connectors.interface import PlatformError, Reconnect
from connectors.models import Connection
from connectors.services import live_connection, needs_reconnect, open_connector
from invoices import intake, paper, remindable
from invoices.models import Company, Invoice, InvoiceMail, Reminder, ReminderSettings, ReminderStep
from invoices.models import RemoteInvoice as Row
from invoices.remindable import Bundle
from invoices.standing import shown_number

log = logging.getLogger(__name__)

MORNING, EVENING = time(9), time(17)
FRESH = timedelta(hours=1) / settings.CLOCK_DIVISOR  # how old a figure of Sage's may be when a reminder goes by it
LEASE = timedelta(minutes=15) / settings.CLOCK_DIVISOR
AGAIN = timedelta(hours=1) / settings.CLOCK_DIVISOR
PAGE = 500
MOST_LISTED = 200
PLACEHOLDERS = {
    "client": "the client's name",
    "company": "our name",
    "invoices": "the invoices, one a line: number, date, due date, days overdue, what is owed",
    "total": "what is owed of them",
    "payment_details": "how to pay, from the company's settings",
}
HOLDER = re.compile(r"\{([^{}]*)\}")


def next_morning(now: datetime) -> datetime:
    """Nine o'clock here, tomorrow."""
    return make_aware(datetime.combine(localdate(now) + timedelta(days=1), MORNING))


def why_none(connection: Connection | None) -> str:
    """What keeps all reminders back, in words and with what to do; empty where nothing does."""
    if not settings.MAIL_IS_SET_UP:
        return "E-mail is not set up on this installation: whoever runs it sets EMAIL_URL."
    if connection is None or connection.state == Connection.State.CHOOSING:
        return "Sage is not connected, so nobody knows what has been paid since. Connect it under Settings."
    if connection.state != Connection.State.ACTIVE:
        return "Sage no longer accepts our authorisation, so it can't be asked what is paid. Authorise Reflow again."
    if not connection.options.reads_back:
        return "Payments are not read back from Sage. Switch that on in the sync settings."
    return ""


def run(*, now: datetime) -> list[int]:
    """Does what is due now; gives the e-mails that are to be sent."""
    if not _claim(now):
        return []
    connection = live_connection()
    why = why_none(connection)
    if why or connection is None:
        _put_off(why, now)
        return []
    try:
        missing = _ask_sage(connection, now)
    except PlatformError as error:
        if isinstance(error, Reconnect):
            needs_reconnect(connection)
        log.warning("No reminders: %s", error.message)
        _put_off(f"Sage could not be asked what is paid: {error.message}", now)
        return []
    return _queue(connection, missing, now)


def _claim(now: datetime) -> bool:
    ours = ReminderSettings.objects.filter(pk=1, is_on=True, due_at__lte=now)
    return bool(ours.update(due_at=now + LEASE))


def _put_off(why: str, now: datetime) -> None:
    """Within the hour again; in the evening, tomorrow."""
    due_at = next_morning(now) if localtime(now).time() >= EVENING else now + AGAIN
    ReminderSettings.objects.filter(pk=1, is_on=True).update(due_at=due_at, trouble=why[:300])


def _ask_sage(connection: Connection, now: datetime) -> set[int]:
    """Reads each invoice that is due again where its figure is old; the invoices that Sage does not show any more."""
    old = Q(checked_at=None) | Q(checked_at__lt=now - FRESH)
    wanted = Row.objects.filter(old, connection=connection, gone_at=None)
    rows = list(wanted.filter(invoice__in=remindable.due(localdate(now))).select_related("invoice").order_by("pk"))
    connector, missing = open_connector(connection), set()
    for first in range(0, len(rows), PAGE):
        page = rows[first : first + PAGE]
        found = {one.id: one for one in connector.read_invoices([row.remote_id for row in page])}
        with transaction.atomic():
            intake.refresh(page, found.values(), now=now)
        missing |= {row.invoice_id for row in page if row.remote_id not in found}
    return missing


def _queue(connection: Connection, missing: set[int], now: datetime) -> list[int]:
    with transaction.atomic():
        ours = ReminderSettings.objects.select_for_update().get(pk=1)
        if not ours.is_on:
            return []
        plan = remindable.plan(localdate(now), connection, missing=missing)
        made = [_put_on_record(bundle, connection, ours, now) for bundle in plan.bundles]
        ours.due_at, ours.ran_at, ours.trouble = next_morning(now), now, ""
        ours.save()
    return made


def _put_on_record(bundle: Bundle, connection: Connection, ours: ReminderSettings, now: datetime) -> int:
    step = ReminderStep.objects.get(pk=bundle.level)
    said = sayings(bundle.client.name, bundle.invoices, connection, today=localdate(now))
    mail = InvoiceMail.objects.create(
        kind=InvoiceMail.Kind.REMINDER,
        client=bundle.client,
        to=bundle.client.email,
        copy_to=ours.copy_to,
        subject=" ".join(fill(step.subject, said).split())[:200],
        body=fill(step.body, said),
        requested_at=timezone.now(),  # after Sage was asked: what is paid from here on it does not say
        due_at=now,
    )
    Reminder.objects.bulk_create(
        Reminder(invoice=invoice, level=invoice.level, mail=mail, made_at=now)  # type: ignore[attr-defined]
        for invoice in bundle.invoices
    )
    return mail.pk


def sayings(client: str, invoices: Sequence[Invoice], connection: Connection | None, *, today: date) -> dict[str, str]:
    """What stands for each placeholder."""
    company, sums = Company.ours(), defaultdict[str, Decimal](Decimal)
    for invoice in invoices:
        sums[invoice.currency] += invoice.outstanding
    numbered = Invoice.objects.prefetch_related("remotes").in_bulk([invoice.pk for invoice in invoices[:MOST_LISTED]])
    listed = [_listed(numbered[one.pk], connection, today) for one in invoices[:MOST_LISTED]]
    if left := len(invoices) - len(listed):
        listed.append(f"and {left} more: see the statement.")
    return {
        "client": client,
        "company": company.name,
        "invoices": "\n".join(listed),
        "total": " and ".join(paper.amount(amount, currency) for currency, amount in sorted(sums.items())),
        "payment_details": f"How to pay:\n{company.payment_details.strip()}" if company.payment_details.strip() else "",
    }


def _listed(invoice: Invoice, connection: Connection | None, today: date) -> str:
    late = (today - invoice.due_date).days
    return (
        f"{shown_number(invoice, connection)} of {paper.day(invoice.issue_date)}, due {paper.day(invoice.due_date)} "
        f"({late} day{'' if late == 1 else 's'} ago): {paper.amount(invoice.outstanding, invoice.currency)}"
    )


def fill(text: str, said: dict[str, str]) -> str:
    """The text with its placeholders filled in; three empty lines and more become one."""
    filled = HOLDER.sub(lambda found: said.get(found[1], found[0]), text)
    return re.sub(r"\n{3,}", "\n\n", filled.replace("\r\n", "\n")).strip()


def unknown_in(text: str) -> Iterable[str]:
    """What stands in braces and is no placeholder."""
    return [found for found in HOLDER.findall(text) if found not in PLACEHOLDERS]
