"""What becomes of the invoices under way when a connection ends: shown first, then done, and nothing is lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from connectors import lifecycle
from connectors.models import Connection
from invoices import voiding
from invoices.models import Event, Push, RemoteInvoice, Voiding

PATIENCE = timedelta(minutes=15) / settings.CLOCK_DIVISOR  # for an outcome that Sage may never tell us any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How many invoices wait, are under way, need a person, and are in the books of this connection; how many of those
    are to be voided there yet."""

    waiting: int
    under_way: int
    attention: int
    sent: int
    voidings: int


def forecast(connection: Connection) -> Forecast:
    def count(*states: str) -> int:
        return Push.objects.filter(connection=connection, state__in=states).count()

    return Forecast(
        waiting=count(Push.State.READY),
        under_way=count(Push.State.SENDING, Push.State.UNKNOWN),
        attention=count(Push.State.ATTENTION),
        sent=RemoteInvoice.objects.filter(connection=connection).count(),
        voidings=Voiding.objects.open().filter(remote__connection=connection).count(),
    )


def disconnect(connection: Connection, *, actor: User, now: datetime) -> None:
    """Stops the queue; waiting invoices go back to Approved. What is under way ends first, then it is revoked."""
    if connection.state == Connection.State.CHOOSING:
        lifecycle.give_up_choosing(connection)
        return
    with transaction.atomic():
        if lifecycle.begin_disconnect(connection):
            _cancel_waiting(connection, actor, now)
            voiding.part(actor=actor, now=now)
    finish_if_drained(now=now)


def _cancel_waiting(connection: Connection, actor: User | None, now: datetime) -> None:
    text = "Not sent: Reflow was disconnected from Sage."
    with transaction.atomic():
        for push in Push.objects.select_for_update().filter(connection=connection, state=Push.State.READY):
            push.state = Push.State.CANCELLED
            push.save()
            Event.objects.create(invoice_id=push.invoice_id, happened_at=now, actor=actor, text=text)


def finish_if_drained(*, now: datetime) -> None:
    """Ends a disconnection once nothing is under way any more, and cancels what was queued while it ended.

    An outcome that can't be learnt, as where the authorisation is dead, does not hold it up for ever: it stays unknown,
    and is looked up when the same books are connected again.
    """
    voiding.part(now=now)
    for connection in Connection.objects.filter(state=Connection.State.DISCONNECTING):
        _cancel_waiting(connection, None, now)
        if not _worth_waiting_for(connection, now):
            lifecycle.finish_disconnect(connection, now=now)
    ended = Connection.objects.filter(state=Connection.State.DISCONNECTED, pushes__state=Push.State.READY)
    for connection in ended.distinct():
        _cancel_waiting(connection, None, now)


def _worth_waiting_for(connection: Connection, now: datetime) -> bool:
    """What is being sent or checked, and numbers that were not asked for yet: nobody can ask afterwards."""
    since = now - PATIENCE
    unsettled = Q(state=Push.State.UNKNOWN, attempts__resolved_at=None, attempts__started_at__gt=since)
    unnumbered = Q(state=Push.State.SENT, remote__number="", remote__checked_at=None, remote__linked_at__gt=since)
    under_way = Q(state=Push.State.SENDING) | unsettled | unnumbered
    pushes = Push.objects.filter(under_way, connection=connection)
    return pushes.exists() or voiding.is_under_way(connection, since=since)
