"""How an invoice is approved and queued: the rules for one that a person pressed for and for many at once alike.

What is here changes the rows it is handed and says what goes into their history; whoever calls has locked them, and
saves them.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F, Q

from connectors.interface import Fix
from connectors.models import Connection
from connectors.services import SENDS_ON_APPROVAL
from invoices.documents import Contents, freeze
from invoices.drafts import Refused, locked, must_be
from invoices.models import Invoice, Push, PushAttempt
from invoices.standing import Document
from invoices.writing import update

APPROVED = "Approved."
AGAIN = (Push.Cause.REJECTED, Push.Cause.STOPPED)  # what may just be sent once more
OF_AN_APPROVAL = ("id", "status", "frozen", "approved_at", "approved_by_id", "asked_at")
OF_A_PUSH = (  # what `queue` writes
    *("state", "cause", "problems", "parked_because", "generation"),
    *("looked_at", "due_at", "requested_at", "requested_by"),
)
RULES = f"""/* planned: rules */
    SELECT EXISTS (SELECT FROM invoices_company WHERE id = 1 AND second_person_approves), {SENDS_ON_APPROVAL}"""  # noqa: S608
SAVE = f"""/* planned: approved */
    WITH noted AS (
        INSERT INTO invoices_event (invoice_id, happened_at, actor_id, text) VALUES (%s, %s, %s, '{APPROVED}'))
    UPDATE invoices_invoice SET status = %s, frozen = %s, approved_at = %s, approved_by_id = %s, asked_at = NULL
    WHERE id = %s"""  # noqa: S608  # our own constants


class Rules(NamedTuple):
    """What is set about approval: whether a second person gives it, and whether what is approved leaves at once."""

    second: bool
    sends: bool


def rules() -> Rules:
    with connection.cursor() as cursor:
        cursor.execute(RULES)
        return Rules(*cursor.fetchone())


def approver(actor: User, *, second: bool | None = None) -> Callable[[Document], bool]:
    """Which invoices this person may approve, for many of them at once; `second`: a second person approves here."""
    may = actor.has_perm("invoices.approve_invoice")
    if second is None:
        second = rules().second
    return lambda invoice: may and not (second and invoice.created_by_id == actor.pk)


def approve(
    invoice: Invoice,
    may_approve: Callable[[Invoice], bool],
    actor: User,
    now: datetime,
    contents: Contents | None = None,
) -> None:
    """Draft to Approved, with what will be sent frozen; `contents` as `freeze` takes them. Raises Refused."""
    must_be(invoice, Invoice.Status.DRAFT, "approved")
    if not may_approve(invoice):
        raise Refused("A second person approves here: whoever raised an invoice asks somebody else to approve it.")
    frozen = freeze(invoice, contents)
    if not frozen["lines"]:
        raise Refused("An invoice without lines can't be approved.", Fix.INVOICE)
    if invoice.credits_id and (credited := locked(invoice.credits_id)).status == Invoice.Status.VOID:
        raise Refused(f"{credited} is void, so there is nothing of it to credit. Discard this draft.")
    invoice.status = Invoice.Status.APPROVED
    invoice.frozen = frozen
    invoice.approved_at, invoice.approved_by, invoice.asked_at = now, actor, None


def save_approval(invoice: Invoice, actor: User, now: datetime) -> None:
    """What `approve` has changed on it, with its note, in one statement."""
    by, frozen = (now, actor.pk), json.dumps(invoice.frozen)
    with connection.cursor() as cursor:
        cursor.execute(SAVE, [invoice.pk, *by, invoice.status, frozen, *by, invoice.pk])


def save_approved(invoices: Sequence[Invoice]) -> None:
    """What `approve` and `queue` have changed on them."""
    update(Invoice, OF_AN_APPROVAL, [[getattr(invoice, name) for name in OF_AN_APPROVAL] for invoice in invoices])


def queue(
    push: Push, *, outcomes: Collection[str], actor: User, now: datetime, contents: Contents | None = None
) -> str:
    """READY with a new key where the last attempt is settled, else UNKNOWN, so that we look and never send twice.

    What Sage refused is frozen anew: it may have been mended where it comes from, as in the client's details. What was
    parked or cancelled while it was to go again under the same key goes under that one. `outcomes` as `outcomes_of`
    tells them, `contents` as `freeze` takes them.
    """
    said = "Queued for Sage." if push.pk is None else _put_back(push, outcomes, contents)
    push.cause, push.problems, push.parked_because = Push.Cause.NONE, [], ""
    push.due_at = push.requested_at = now
    push.requested_by = actor
    return said


def _put_back(push: Push, outcomes: Collection[str], contents: Contents | None) -> str:
    proven_absent = PushAttempt.Outcome.ABSENT in outcomes and PushAttempt.Outcome.REJECTED not in outcomes
    keeps_its_key = push.state in (Push.State.PARKED, Push.State.CANCELLED) and proven_absent
    if PushAttempt.Outcome.OPEN in outcomes:
        push.state, push.looked_at = Push.State.UNKNOWN, None
        return "Sage is to be looked at again."
    push.state = Push.State.READY
    if not keeps_its_key:
        push.invoice.frozen = freeze(push.invoice, contents)
        push.generation += 1
    return "Queued for Sage again."


def outcomes_of(ids: Iterable[int]) -> dict[int, set[str]]:
    """By push: what came of its attempts under its present key, and "" where any attempt is not settled."""
    counts = Q(resolved_at=None) | Q(generation=F("push__generation"))
    found: dict[int, set[str]] = {}
    for push_id, outcome in PushAttempt.objects.filter(counts, push__in=ids).values_list("push_id", "outcome"):
        found.setdefault(push_id, set()).add(outcome)
    return found


def elsewhere(ids: Iterable[int], live: Connection | None) -> dict[int, str]:
    """Invoices that may be in the books of an organisation connected before, with why they are settled there first."""
    attempts = PushAttempt.objects.filter(push__invoice__in=ids, resolved_at=None)
    found = attempts.exclude(push__connection=live).values_list("push__invoice", "push__connection__company_name")
    text = "It may be in the books of {0} already. Connect Reflow to {0} again to find out."
    return {invoice_id: text.format(name) for invoice_id, name in found}
