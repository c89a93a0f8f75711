"""How an invoice is approved and queued: the rules for one that a person pressed for and for many at once alike.

What is here changes the rows it is handed and says what goes into their history; whoever calls has locked them, and
saves them.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.contrib.auth.models import User

from connectors.interface import Fix
from connectors.models import Connection
from invoices import documents
from invoices.drafts import Refused, must_be
from invoices.models import Company, Invoice, Push, PushAttempt

APPROVED = "Approved."
AGAIN = (Push.Cause.REJECTED, Push.Cause.STOPPED)  # what may just be sent once more


def approver(actor: User) -> Callable[[Invoice], bool]:
    """Which invoices this person may approve, for many of them at once."""
    second, may = Company.ours().second_person_approves, actor.has_perm("invoices.approve_invoice")
    return lambda invoice: may and not (second and invoice.created_by_id == actor.pk)


def approve(invoice: Invoice, may_approve: Callable[[Invoice], bool], actor: User, now: datetime) -> None:
    """Draft to Approved, with what will be sent frozen. Raises Refused."""
    must_be(invoice, Invoice.Status.DRAFT, "approved")
    if not may_approve(invoice):
        raise Refused("A second person approves here: whoever raised an invoice asks somebody else to approve it.")
    if not invoice.lines.exists():
        raise Refused("An invoice without lines can't be approved.", Fix.INVOICE)
    invoice.status = Invoice.Status.APPROVED
    invoice.frozen = documents.freeze(invoice)
    invoice.approved_at, invoice.approved_by, invoice.asked_at = now, actor, None


def queue(push: Push, *, is_unsettled: bool, actor: User, now: datetime) -> str:
    """READY with a new key where the last attempt is settled, else UNKNOWN, so that we look and never send twice.

    What Sage refused is frozen anew: it may have been mended where it comes from, as in the client's details.
    """
    if push.pk is None:
        said = "Queued for Sage."
    elif is_unsettled:
        push.state, push.looked_at = Push.State.UNKNOWN, None
        said = "Sage is to be looked at again."
    else:
        push.invoice.frozen = documents.freeze(push.invoice)
        push.state, push.generation = Push.State.READY, push.generation + 1
        said = "Queued for Sage again."
    push.cause, push.problems = Push.Cause.NONE, []
    push.due_at = push.requested_at = now
    push.requested_by = actor
    return said


def unsettled(ids: Iterable[int]) -> set[int]:
    """Those of these pushes with an attempt whose outcome is not known."""
    attempts = PushAttempt.objects.filter(push__in=ids, resolved_at=None)
    return set(attempts.values_list("push_id", flat=True))


def elsewhere(ids: Iterable[int], connection: Connection | None) -> dict[int, str]:
    """Invoices that may be in the books of an organisation connected before, with why they are settled there first."""
    attempts = PushAttempt.objects.filter(push__invoice__in=ids, resolved_at=None)
    found = attempts.exclude(push__connection=connection).values_list("push__invoice", "push__connection__company_name")
    text = "It may be in the books of {0} already. Connect Reflow to {0} again to find out."
    return {invoice_id: text.format(name) for invoice_id, name in found}
