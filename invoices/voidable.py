"""Whether an invoice can be voided in Sage from here, and how far that has got: what the pages say of it."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.utils import timezone

from connectors.interface import Fix
from connectors.models import Connection
from invoices.drafts import Refused
from invoices.models import Invoice, PushAttempt, RemoteInvoice, Voiding

PERMISSION = "invoices.approve_invoice"
PAID = (
    "It is paid or allocated in Sage, all or in part. Take the payments and credits off it there first, then press "
    "Sync now: once it is Sent again it can be voided."
)
NOT_IN_SAGE: dict[str, str] = {
    Invoice.Status.DRAFT: "It was never sent: a draft is discarded, not voided. Its number stays on record.",
    Invoice.Status.APPROVED: "It was never sent, so there is nothing to void in Sage. Take it back to draft; there it "
    "can be discarded, and its number stays on record.",
    Invoice.Status.VOID: "It is void already.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where an invoice stands on its way to being void: the latest wish that is open, if there is one, in words.

    `offered`: this person may ask for it, and the page that asks says whether it can be done.
    """

    voiding: Voiding | None = None
    offered: bool = False
    may_settle: bool = False
    label: str = ""
    reason: str = ""

    @property
    def moving(self) -> bool:
        return self.voiding is not None and self.voiding.is_moving


def shown(invoice: Invoice, connection: Connection | None, user: User) -> Shown:
    """What the invoice's page says of it; `connection` is the live one."""
    may = user.has_perm(PERMISSION)
    voiding = Voiding.objects.open().filter(remote__invoice=invoice).select_related("remote", "requested_by").last()
    if voiding is None or invoice.status == Invoice.Status.VOID:
        in_sage = invoice.status in (Invoice.Status.SENT, Invoice.Status.PART_PAID, Invoice.Status.PAID)
        return Shown(offered=may and in_sage and not invoice.is_imported)
    label, reason = _in_words(voiding, connection, timezone.now())
    return Shown(voiding=voiding, may_settle=may, label=label, reason=reason)


def _in_words(voiding: Voiding, connection: Connection | None, now: datetime) -> tuple[str, str]:
    """A word for where it is, and why it waits."""
    again = f"{timezone.localtime(voiding.due_at):%H:%M:%S}"
    if voiding.state == Voiding.State.WORKING:
        return "Voiding in Sage", ""
    dead = connection is not None and connection.state == Connection.State.RECONNECT
    if voiding.asked_at is not None and dead:
        reason = "Sage's answer was lost. Reflow looks once an admin has authorised it again."
        return "Checking with Sage", reason
    if voiding.asked_at is not None:
        return "Checking with Sage", f"Sage's answer was lost. Reflow looks before it asks again: next look at {again}."
    if dead:
        reason = "Sage no longer accepts our authorisation. It is voided once an admin has authorised Reflow again."
    else:
        reason = f"Sage is busy or can't be reached. Next try at {again}." if voiding.due_at > now else ""
    return "Waiting to be voided", reason


def why_not(invoice: Invoice, connection: Connection | None) -> Refused | None:
    """What keeps this invoice from being voided in Sage from here, and where to go instead."""
    if invoice.is_imported:
        return Refused("It was raised in Sage: void it there, and it follows here with the next sync.", Fix.REMOTE)
    if unsettled := _unsettled(invoice):
        return Refused(unsettled)
    if invoice.status in NOT_IN_SAGE:
        return Refused(NOT_IN_SAGE[invoice.status])
    if connection is None or remote_in(invoice, connection) is None:
        return Refused(_elsewhere(invoice), Fix.CONNECTION)
    if connection.state == Connection.State.DISCONNECTING:
        return Refused("Reflow is just being disconnected from Sage. Void it in Sage.", Fix.CONNECTION)
    return None if invoice.status == Invoice.Status.SENT else Refused(PAID, Fix.REMOTE)


def _unsettled(invoice: Invoice) -> str:
    """What comes first; "" where nothing does."""
    if _is_on_its_way(invoice):
        return "It is on its way to Sage, or may be there already. Wait until that is settled."
    credit = invoice.credit_notes.exclude(status=Invoice.Status.VOID).order_by("pk").first()
    return f"{credit} credits it. Void or discard that credit note first." if credit else ""


def _is_on_its_way(invoice: Invoice) -> bool:
    """Over any connection: what was lost on the way to books connected before counts too."""
    lost = PushAttempt.objects.filter(push__invoice=invoice, resolved_at=None).exists()
    return lost or any(push.is_open for push in invoice.pushes.all())


def remote_in(invoice: Invoice, connection: Connection | None) -> RemoteInvoice | None:
    """It, as the connected books hold it."""
    rows = invoice.remotes.filter(connection=connection, gone_at=None) if connection else RemoteInvoice.objects.none()
    return rows.order_by("pk").last()


def _elsewhere(invoice: Invoice) -> str:
    held = invoice.remotes.select_related("connection").order_by("pk").last()
    name = held.connection.company_name if held else "Sage"
    return f"It is in the books of {name}, and Reflow is not connected to them now. Connect again, or void it in Sage."
