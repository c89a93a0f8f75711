"""Where an invoice stands on its way to Sage: one function of push and connection says what every page shows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db.models import Q
from django.utils.timezone import localtime

from connectors.interface import Fix
from connectors.models import Connection
from connectors.services import platform_of
from invoices.models import Event, Invoice, Push, RemoteInvoice

FIXES: dict[str, tuple[str, str, str]] = {
    # where a person mends it: URL name, what the link says, the permission to go there
    Fix.CONNECTION: ("connector", "Open Cloud Accounting Connector", "connectors.change_connection"),
    Fix.SALES_ACCOUNT: ("connector", "Choose the default nominal code", "connectors.change_connection"),
    Fix.TAX_RATES: ("connector", "Map the tax rates", "connectors.change_connection"),
    Fix.PLATFORM: ("connector", "Open Cloud Accounting Connector", "connectors.change_connection"),
    Fix.NUMBER: ("incrementor-list", "Open Incrementor Groups", "incrementors.change_group"),
    Fix.SYNC_SETTINGS: ("connector-sync", "Open the sync settings", "connectors.change_connection"),
    Fix.PURCHASE_ACCOUNT: (
        "connector",
        "Choose the default purchase ledger account",
        "connectors.change_connection",
    ),
    Fix.CLIENT_LINK: ("client-sage", "Say which customer it is", "invoices.send_invoice"),
    Fix.ITEM_LINK: ("item-sage", "Say which item it is", "invoices.send_invoice"),
    Fix.CLIENT: ("client-edit", "Open the client", "invoices.change_client"),
    Fix.DATE: ("invoice-edit", "Change the invoice's date", "invoices.change_invoice"),
    Fix.INVOICE: ("invoice-edit", "Change the invoice", "invoices.change_invoice"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people see: a word, its tone and icon, what it waits for, and whether it will still change by itself.

    `brief` is the reason in a few words, for a list.
    """

    code: str
    label: str
    tone: str
    icon: str
    reason: str = ""
    brief: str = ""
    moving: bool = False


class There(Protocol):
    """What a platform holds of an invoice, as a model or as the list reads it."""

    @property
    def connection_id(self) -> UUID: ...
    @property
    def number(self) -> str: ...
    @property
    def is_draft(self) -> bool: ...
    @property
    def is_shown(self) -> bool: ...


class OnItsWay(Protocol):
    """A push, as far as it says where the invoice stands; a model, or as the list reads it."""

    @property
    def connection_id(self) -> UUID: ...
    @property
    def state(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def parked_because(self) -> str: ...
    @property
    def lease_until(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def remote(self) -> There | None: ...


class Document(Protocol):
    """An invoice, as far as it says where it stands and what can be done with it; a model, or as the list reads it."""

    @property
    def status(self) -> str: ...
    @property
    def is_imported(self) -> bool: ...
    @property
    def created_by_id(self) -> int | None: ...


NOT_SENT = Standing(code="NOT_SENT", label="Not sent", tone="neutral", icon="dash-circle")
SENT = Standing(code="SENT", label="Sent", tone="good", icon="check-circle-fill")
IMPORTED = Standing(code="IMPORTED", label="Imported", tone="neutral", icon="link-45deg")
NUMBER_TO_COME = replace(SENT, reason="Sage's number is still to come.", moving=True)
VOIDED = Standing(code="VOID", label="Void in Sage", tone="neutral", icon="slash-circle")
WAITING = Standing(code="WAITING", label="Waiting", tone="busy", icon="clock", moving=True)
CHECKING = Standing(code="CHECKING", label="Checking", tone="warn", icon="spinner", moving=True)
SENDING = Standing(code="SENDING", label="Sending", tone="busy", icon="spinner", moving=True)
PARKED = Standing(code="PARKED", label="Parked", tone="warn", icon="pause-circle")
ATTENTION = Standing(code="ATTENTION", label="Needs attention", tone="bad", icon="exclamation-triangle")

VOIDING = (
    Q(text__startswith="Voided in Sage")
    | Q(text__startswith="Void here")
    | Q(text__startswith="Deleted in Sage")
    | Q(text__startswith="Discarded")
)

STUCK = timedelta(minutes=5)  # after which what could go on is nobody's
LOST = "Sage's answer was lost. "
GONE = "until Reflow is connected to the same organisation in Sage again."
HELD = "This database was restored from a backup: nothing goes on until an admin has confirmed that it is the live one."
DEAD = "Sage no longer accepts our authorisation. "
PARTING = "Reflow is being disconnected from Sage: "
LOOKS_FIRST = "Reflow looks into Sage before it sends anything again"
STOPPED = f"The worker that was sending it has stopped. {LOOKS_FIRST}."
SERVER = "whoever runs this server should see whether its workers and its broker run."


def standing(push: OnItsWay | None, connection: Connection | None, *, now: datetime, held: bool = False) -> Standing:
    """The whole table: what a push in each state, over a connection in each state, is called on screen, what it waits
    for and until when or for whom. `held`: the database is a restored copy."""
    if push is None or push.state == Push.State.CANCELLED:
        return NOT_SENT
    if push.state == Push.State.SENT:
        return _sent(push, connection, held)
    kind, why = IN_WORDS[push.state]
    reason, brief = (HELD, "restored copy") if held else why(push, connection, now)
    return replace(kind, reason=reason, brief=brief)


def _sent(push: OnItsWay, connection: Connection | None, held: bool) -> Standing:
    """Its number comes by itself, and soon; that of a draft over there only once somebody releases it."""
    remote = push.remote
    if connection is None or not remote or remote.number or remote.is_draft or _is_gone(push, connection):
        return SENT
    if held or connection.state == Connection.State.RECONNECT:
        waits = HELD if held else f"{DEAD}Sage's number comes once an admin has authorised Reflow again."
        return replace(NUMBER_TO_COME, reason=waits)
    return NUMBER_TO_COME


def _is_gone(push: OnItsWay, connection: Connection | None) -> bool:
    return connection is None or connection.pk != push.connection_id


Why = tuple[str, str]  # what it waits for in a sentence, and in a few words


def _why_waiting(push: OnItsWay, connection: Connection | None, now: datetime) -> Why:
    if connection is None or _is_gone(push, connection):
        return f"It waits {GONE}", "not connected"
    if connection.state == Connection.State.RECONNECT:
        return f"{DEAD}It is sent once an admin has authorised Reflow again.", "not authorised"
    if connection.state != Connection.State.ACTIVE:
        return f"{PARTING}it goes back to Approved, and is not sent.", "being disconnected"
    paused = connection.paused_until
    if paused and paused > now:
        due = _clock(max(push.due_at, paused))
        return f"Sage is busy or can't be reached. Next try at {due}.", f"next try {due}"
    if push.due_at > now:
        due = _clock(push.due_at)
        return f"The last try came to nothing. Next try at {due}.", f"next try {due}"
    return _nobody(push.due_at, connection, now) or ("It goes as soon as a worker is free.", "")


def _why_sending(push: OnItsWay, connection: Connection | None, now: datetime) -> Why:
    until = push.lease_until
    if until is None or until > now:
        return (f"Sage has until {_clock(until)} to answer." if until else "", "")
    return _nobody(until, connection, now) or (STOPPED, "its worker stopped")


def _why_checking(push: OnItsWay, connection: Connection | None, now: datetime) -> Why:
    if connection is None or _is_gone(push, connection):
        return f"{LOST}Whether Sage has it can't be seen {GONE}", "not connected"
    if connection.state == Connection.State.RECONNECT:
        return f"{LOST}{DEAD}Reflow looks once an admin has authorised it again.", "not authorised"
    if push.due_at > now:
        due = _clock(push.due_at)
        return f"{LOST}{LOOKS_FIRST}: next look at {due}.", f"next look {due}"
    reason, brief = _nobody(push.due_at, connection, now) or (f"{LOOKS_FIRST}: it is due now.", "")
    return f"{LOST}{reason}", brief


def _why_not_settled(push: OnItsWay, connection: Connection | None, now: datetime) -> Why:
    """What keeps a person from settling it now; empty where nothing does: what was refused can go to other books."""
    if push.cause in (Push.Cause.REJECTED, Push.Cause.STOPPED) and connection and _is_gone(push, connection):
        return "", ""
    if connection is None or _is_gone(push, connection):
        return f"It can't be settled {GONE}", "not connected"
    if connection.state == Connection.State.RECONNECT:
        return f"{DEAD}It can be settled once an admin has authorised Reflow again.", "not authorised"
    if not connection.is_active:
        return f"{PARTING}it can be settled once the two are connected again.", "being disconnected"
    return "", ""


def _why_parked(push: OnItsWay, _: Connection | None, __: datetime) -> Why:
    return f"It is not sent until somebody unparks it: {push.parked_because}", push.parked_because


def _nobody(due_at: datetime, connection: Connection | None, now: datetime) -> Why | None:
    age = stuck_for(due_at, connection, now)
    return (
        (f"Due for {age // timedelta(minutes=1)} minutes, but nothing takes it: {SERVER}", "no worker") if age else None
    )


def stuck_for(due_at: datetime, connection: Connection | None, now: datetime) -> timedelta | None:
    """What waits goes in the order of its time: if it is old, nobody works, unless Sage just answered somebody."""
    heard_at = (connection.contact_at or connection.authorised_at) if connection else due_at
    return now - due_at if now - max(due_at, heard_at or due_at) >= STUCK else None


IN_WORDS: dict[str, tuple[Standing, Callable[[OnItsWay, Connection | None, datetime], Why]]] = {
    # what a push that is open is called, and what says why it is so
    Push.State.READY: (WAITING, _why_waiting),
    Push.State.SENDING: (SENDING, _why_sending),
    Push.State.UNKNOWN: (CHECKING, _why_checking),
    Push.State.ATTENTION: (ATTENTION, _why_not_settled),
    Push.State.PARKED: (PARKED, _why_parked),
}


def _clock(moment: datetime) -> str:
    return f"{localtime(moment):%H:%M:%S}"


def standing_of(
    invoice: Document, push: OnItsWay | None, connection: Connection | None, *, now: datetime, held: bool = False
) -> Standing:
    """As `standing`; one that was raised in Sage stands there from the start, and one that is void does not count."""
    if invoice.is_imported:
        return IMPORTED
    if push and push.state == Push.State.SENT and invoice.status == Invoice.Status.VOID:
        return VOIDED
    return standing(push, connection, now=now, held=held)


def remote_of(invoice: Invoice, connection: Connection | None) -> RemoteInvoice | None:
    """What the connected books hold of it, the latest; from what was fetched with the invoice, where it was."""
    held = [row for row in _remotes(invoice) if connection and row.connection_id == connection.pk]
    return max(held, key=lambda row: (row.gone_at is None, row.pk), default=None)


def held_as(invoice: Invoice, push: Push | None, connection: Connection | None) -> RemoteInvoice | None:
    """What a platform holds of it, as pages show it: as it was sent, as the connected books have it, or, where it was
    raised in books we are not connected to any more, as it was there."""
    if push and push.remote:
        return push.remote
    found = remote_of(invoice, connection)
    if found is None and invoice.is_imported:
        return max(_remotes(invoice), key=lambda row: row.pk, default=None)
    return found


def pushes_of(invoice: Invoice) -> Iterable[Push]:
    """From what a list fetched with the invoice, where it did: fifty related managers cost as much as fifty rows."""
    fetched: list[Push] | None = getattr(invoice, "fetched_pushes", None)
    return invoice.pushes.all() if fetched is None else fetched


def _remotes(invoice: Invoice) -> Iterable[RemoteInvoice]:
    fetched: list[RemoteInvoice] | None = getattr(invoice, "fetched_remotes", None)
    return invoice.remotes.all() if fetched is None else fetched


def why_void(invoice: Invoice) -> Event | None:
    """What made it void, from its history."""
    return invoice.events.filter(VOIDING).first() if invoice.status == Invoice.Status.VOID else None


def shown_number(invoice: Invoice, connection: Connection | None) -> str:
    """The number people see, by the one rule: the platform's while it is connected, its number is known, and it
    numbers or the invoice was raised there; else our own. Where another invoice was given that number first, our own
    as well."""
    return number_of(invoice, remote_of(invoice, connection), connection)


def number_of(invoice: Document, remote: There | None, connection: Connection | None) -> str:
    """As `shown_number`, where it is known what the connected books hold of it."""
    if connection is None or remote is None or not (remote.number and remote.is_shown):
        return str(invoice)
    return remote.number if connection.options.platform_numbers or invoice.is_imported else str(invoice)


def former_numbers(invoice: Invoice, connection: Connection | None) -> list[tuple[str, RemoteInvoice]]:
    """What it was called in books we are not connected to any more, with whose number it is: they stay on record."""
    found = invoice.remotes.select_related("connection").exclude(number="")
    former = found.exclude(connection=connection) if connection else found
    return [(platform_of(remote.connection).label, remote) for remote in former]


LOOKS = (
    # how what happened begins, its icon and its tone in the history
    (("Sent to Sage", "Found in Sage", "Released in Sage"), "send", "good"),
    (("Linked", "Imported"), "link-45deg", "info"),
    (("E-mailed",), "envelope", "good"),
    (("The e-mail", "Sage's answer was lost"), "question-circle", "warn"),
    (("Not e-mailed", "Sage refused", "Sage did not"), "exclamation-triangle", "bad"),
    (("Approved",), "check-circle", "info"),
    (("Created",), "plus-lg", "neutral"),
    (("Edited",), "pencil", "neutral"),
    (("Taken back",), "arrow-counterclockwise", "neutral"),
    (("Discarded", "Void", "Deleted"), "slash-circle", "neutral"),
    (("Paid",), "check-circle-fill", "good"),
    (("Part paid",), "circle-half", "info"),
)


def look_of(event: Event) -> tuple[str, str]:
    """Its icon and tone in the history, by what it begins with."""
    found = ((icon, tone) for beginnings, icon, tone in LOOKS if event.text.startswith(beginnings))
    return next(found, ("clock", "neutral"))


def latest_push(invoice: Invoice, connection: Connection | None) -> Push | None:
    """As `current_push`, from what a list of invoices has fetched already."""
    live = connection.pk if connection else None
    return max(
        pushes_of(invoice), key=lambda push: (push.connection_id == live, push.requested_at, push.pk), default=None
    )


def current_push(invoice: Invoice, connection: Connection | None) -> Push | None:
    """The push over the live connection, else the latest that got somewhere."""
    pushes = list(invoice.pushes.select_related("remote", "connection", "requested_by").order_by("-requested_at"))
    live = [push for push in pushes if connection and push.connection_id == connection.pk]
    return next(iter(live or pushes), None)
