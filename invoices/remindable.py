"""Which overdue invoices are to be reminded of, in which e-mail, and what keeps the others back."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from connectors.models import Connection
from invoices.balances import AWAITING
from invoices.models import Client, Invoice, Reminder, ReminderHold, ReminderStep, RemoteInvoice, Voiding

LEVELS = {1: "First", 2: "Second", 3: "Last"}
NO_REMINDERS = "The client gets no reminders"
NO_ADDRESS = "The client has no e-mail address"
HELD = "Held back"
VOIDING = "It is to be voided"
ELSEWHERE = "Not in the connected books, so nobody knows whether it is paid"
UNRELEASED = "A draft in Sage still, so nobody knows whether it is paid"
CREDITED = "A credit note of it is not set off in Sage yet"
MISSING = "Not found in Sage any more"
REASONS = (NO_REMINDERS, NO_ADDRESS, HELD, VOIDING, ELSEWHERE, UNRELEASED, CREDITED, MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One e-mail to be: all of a client's invoices that are due for a reminder; the highest step gives its text."""

    client: Client
    level: int
    invoices: tuple[Invoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The e-mails that are due, and the invoices that would be in one but for a reason."""

    bundles: tuple[Bundle, ...]
    kept: dict[str, tuple[Invoice, ...]]

    @property
    def invoices(self) -> int:
        return sum(len(bundle.invoices) for bundle in self.bundles)


def due(today: date) -> QuerySet[Invoice]:
    """The invoices that a step has come for, each with the newest such: `level`; older steps are never made up for.

    An invoice that had a reminder of that level or a higher one, or was left out then, waits for the next.
    """
    steps = list(ReminderStep.objects.all())
    if not steps:
        return Invoice.objects.none()
    come = [When(due_date__lte=today - timedelta(days=step.days), then=Value(step.level)) for step in reversed(steps)]
    overdue = Invoice.objects.filter(
        status__in=AWAITING, outstanding__gt=0, due_date__lte=today - timedelta(days=min(step.days for step in steps))
    ).annotate(level=Case(*come))
    had = Reminder.objects.filter(invoice=OuterRef("pk"), level__gte=OuterRef("level"))
    return overdue.filter(~Exists(had))


def plan(
    today: date,
    connection: Connection | None,
    *,
    missing: Collection[int] = (),
    among: Collection[Client] | None = None,
) -> Plan:
    """What would go out now, to all or to these; `missing` Sage was asked for and does not show any more."""
    found = due(today).annotate(why=_why(connection)).select_related("client").defer("frozen")
    if among is not None:
        found = found.filter(client__in=among)
    of_client: dict[int, list[Invoice]] = defaultdict(list)
    kept: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in found.order_by("client__name", "client", "due_date", "pk"):
        why = invoice.why or (MISSING if invoice.pk in missing else "")
        (kept[why] if why else of_client[invoice.client_id]).append(invoice)
    bundles = (_bundle(invoices) for invoices in of_client.values())
    return Plan(bundles=tuple(bundles), kept={why: tuple(kept[why]) for why in REASONS if why in kept})


def counted(today: date, connection: Connection | None) -> tuple[int, int]:
    """How many e-mails would go out now, and about how many invoices: all are looked at for it."""
    found = due(today).annotate(why=_why(connection)).filter(why="")
    counts = found.aggregate(mails=Count("client", distinct=True), invoices=Count("pk"))
    return counts["mails"], counts["invoices"]


def clients(today: date) -> QuerySet[Client]:
    """Those of whom an invoice is due for a reminder, whatever keeps it back."""
    return Client.objects.filter(Exists(due(today).filter(client=OuterRef("pk"))))


def _why(connection: Connection | None) -> Case:
    """The first reason that keeps an invoice back; empty where none does."""
    there = RemoteInvoice.objects.filter(invoice=OuterRef("pk"), connection=connection, gone_at=None)
    voiding = Voiding.objects.filter(remote__invoice=OuterRef("pk"), state__in=Voiding.OPEN)
    said = {
        NO_REMINDERS: Q(client__no_reminders=True),
        NO_ADDRESS: Q(client__email=""),
        HELD: Exists(ReminderHold.objects.filter(invoice=OuterRef("pk"))),
        VOIDING: Exists(voiding),
        ELSEWHERE: ~Exists(there),
        UNRELEASED: Exists(there.filter(is_draft=True)),
        CREDITED: Exists(_open_credit()),
    }
    return Case(*(When(so, then=Value(why)) for why, so in said.items()), default=Value(""))


def _open_credit() -> QuerySet[Invoice]:
    """Credit notes over an invoice of which something is left to be set off, drafts among them: less is owed."""
    return Invoice.objects.filter(credits=OuterRef("pk"), outstanding__lt=0).exclude(status=Invoice.Status.VOID)


def _bundle(invoices: list[Invoice]) -> Bundle:
    level = max(invoice.level for invoice in invoices)  # type: ignore[attr-defined]  # from the query
    return Bundle(client=invoices[0].client, level=level, invoices=tuple(invoices))


def changed_meanwhile(invoices: Iterable[int], since: datetime) -> str:
    """Why a reminder of these, written at that moment, must not go now; empty where it may."""
    rows = Invoice.objects.filter(pk__in=invoices)
    owed = rows.filter(Q(status__in=AWAITING), outstanding__gt=0)
    if other := rows.exclude(pk__in=owed).order_by("pk").first():
        return f"{other} is {other.get_status_display().lower()} by now, so this reminder was not sent."
    if other := rows.filter(Q(reminder_hold__isnull=False) | Q(client__no_reminders=True)).order_by("pk").first():
        return f"{other} is held back by now, so this reminder was not sent."
    less = rows.filter(Q(payments__seen_at__gt=since) | Exists(_open_credit()))
    if other := less.order_by("pk").first():
        return f"{other} is paid or credited in part by now, so this reminder was not sent."
    return ""


def next_step(invoice: Invoice, steps: Iterable[ReminderStep], had: Collection[int], today: date) -> date | None:
    """The day on which its next reminder comes, where nothing holds it back; None where there is none to come."""
    highest = max(had, default=0)
    to_come = [invoice.due_date + timedelta(days=step.days) for step in steps if step.level > highest]
    future = [day for day in to_come if day > today]
    return max((day for day in to_come if day <= today), default=min(future, default=None))
