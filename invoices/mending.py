"""What a person can do with many invoices that are held: send them again once mended, change them, park them.

Each is done in chunks of one transaction until there is no time left in a click; what is left is said, and done by the
next click. Nothing goes twice: an attempt that is not settled is looked at first, as with one invoice.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from connectors.interface import PlatformError
from connectors.models import Connection
from incrementors.services import NumberRefused
from invoices import conflicts, crediting, drafts, queueing, services, tasks
from invoices.documents import contents_of
from invoices.models import Event, Invoice, Push
from invoices.models.push import PushQuerySet
from invoices.obstacles import Ground, obstacles_of_all, of_one
from invoices.services import InvoiceDraft, Refused

CHUNK = 500
SECONDS = 15  # of one click
PARKABLE = (Push.State.READY, Push.State.ATTENTION)
Change = Callable[[InvoiceDraft], InvoiceDraft]


@dataclass(slots=True)
class Outcome:
    """What came of it: how many were done, those left out by reason, and whether time ran out before the end."""

    done: int = 0
    left_out: dict[str, list[Invoice]] = field(default_factory=dict)
    more: bool = False

    def leave_out(self, invoice: Invoice, reason: str) -> None:
        self.left_out.setdefault(reason, []).append(invoice)


def _chunks(pushes: PushQuerySet, outcome: Outcome) -> Iterator[list[tuple[int, int]]]:
    """The ids of pushes and their invoices, as long as there is time."""
    last, until = 0, time.monotonic() + SECONDS
    while ids := list(pushes.filter(pk__gt=last).order_by("pk").values_list("pk", "invoice_id")[:CHUNK]):
        if time.monotonic() > until:
            outcome.more = True
            return
        yield ids
        last = ids[-1][0]


def _locked(pushes: PushQuerySet, ids: Sequence[tuple[int, int]]) -> list[Push]:
    """Those that are still so, each with its invoice whole; the invoices are locked first, as a click does."""
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("client", "credits")
    found = rows.filter(pk__in=[invoice_id for _, invoice_id in ids]).order_by("pk")
    invoices = {invoice.pk: invoice for invoice in found}
    locked = pushes.select_for_update(of=("self",)).filter(pk__in=[pk for pk, _ in ids]).order_by("pk")
    held = list(locked.select_related(None))
    for push in held:
        push.invoice = invoices[push.invoice_id]
    return held


def send_again(pushes: PushQuerySet, connection: Connection, *, actor: User, now: datetime) -> Outcome:
    """All of these that need a person or are parked go into the queue again, by the same rules as one does."""
    outcome, held = Outcome(), pushes.filter(connection=connection, state__in=[Push.State.ATTENTION, Push.State.PARKED])
    for ids in _chunks(held, outcome):
        with transaction.atomic():
            locked = _locked(held, ids)
            able = list(_able(locked, connection, outcome))
            _queue(able, actor, now)
            outcome.done += len(able)
    return outcome


def _able(held: Sequence[Push], connection: Connection, outcome: Outcome) -> Iterator[Push]:
    ids = [push.invoice_id for push in held]
    in_the_way, ground, elsewhere = (
        obstacles_of_all(connection),
        Ground.of(connection, ids),
        queueing.elsewhere(ids, connection),
    )
    for push in held:
        if push.invoice.status != Invoice.Status.APPROVED:
            outcome.leave_out(push.invoice, f"{push.invoice.get_status_display().lower()}, not approved")
        elif push.invoice_id in elsewhere:
            outcome.leave_out(push.invoice, "they may be in the books connected before")
        elif push.cause == Push.Cause.MISDIRECTED:
            outcome.leave_out(push.invoice, "another organisation answered: each is decided on its own page")
        elif found := [*in_the_way, *(refused for _, refused in of_one(push.invoice, ground))]:
            outcome.leave_out(push.invoice, str(found[0]))
        else:
            yield push


def _queue(held: Sequence[Push], actor: User, now: datetime) -> None:
    outcomes, events = queueing.outcomes_of(push.pk for push in held), []
    contents = contents_of([push.invoice_id for push in held])
    for push in held:
        known, told = outcomes.get(push.pk, set()), contents[push.invoice_id]
        said = queueing.queue(push, outcomes=known, actor=actor, now=now, contents=told)
        events.append(Event(invoice=push.invoice, happened_at=now, actor=actor, text=said))
    Invoice.objects.bulk_update([push.invoice for push in held], ["frozen"])
    Push.objects.bulk_update(held, queueing.OF_A_PUSH)
    Event.objects.bulk_create(events)
    if held:  # one hint is enough: a worker goes on with whatever waits
        transaction.on_commit(partial(tasks.hint, held[0].pk), robust=True)


def park(pushes: PushQuerySet, *, reason: str, actor: User, now: datetime) -> Outcome:
    """They are not sent until somebody unparks them, which is `send_again`. What is being sent can't be parked.

    Nor what may be in another organisation's books: parked, it would be forgotten that a look into ours tells nothing.
    """
    outcome = Outcome()
    waiting = pushes.filter(state__in=PARKABLE).exclude(cause=Push.Cause.MISDIRECTED)
    text = f"Parked: {reason}"
    for ids in _chunks(waiting, outcome):
        with transaction.atomic():
            held = _locked(waiting, ids)
            Push.objects.filter(pk__in=[push.pk for push in held]).update(
                state=Push.State.PARKED, cause=Push.Cause.NONE, parked_because=reason, held_at=now
            )
            events = [Event(invoice=push.invoice, happened_at=now, actor=actor, text=text[:300]) for push in held]
            Event.objects.bulk_create(events)
            outcome.done += len(held)
    return outcome


def _each(held: PushQuerySet, deed: Callable[[Push], object]) -> Outcome:
    """One transaction for each, so that none keeps another back."""
    outcome, until = Outcome(), time.monotonic() + SECONDS
    for push in held.select_related("invoice__client", "connection").order_by("pk").iterator(CHUNK):
        if time.monotonic() > until:
            outcome.more = True
            break
        try:
            deed(push)
            outcome.done += 1
        except (Refused, NumberRefused) as refused:
            outcome.leave_out(push.invoice, str(refused))
    return outcome


def amend(pushes: PushQuerySet, change: Change, *, actor: User, now: datetime) -> Outcome:
    """Each is taken back to draft, changed, approved and sent, as this person could do one by one."""
    held = pushes.filter(state=Push.State.ATTENTION, cause=Push.Cause.REJECTED)
    return _each(held, lambda push: _amend(held.filter(pk=push.pk), push.invoice_id, change, actor, now))


def _amend(held: PushQuerySet, invoice_id: int, change: Change, actor: User, now: datetime) -> None:
    with transaction.atomic():
        drafts.locked(invoice_id)
        if not held.exists():
            raise Refused("somebody has just settled them otherwise")
        invoice = services.return_to_draft(invoice_id=invoice_id, actor=actor, now=now)
        if not services.may_approve(invoice, actor):
            raise Refused("they are for somebody else to approve")
        _change(invoice, change(drafts.draft_of(invoice)), actor, now)
        services.approve(invoice_id=invoice_id, actor=actor, now=now)
        services.request_push(invoice_id=invoice_id, actor=actor, now=now)


def _change(invoice: Invoice, draft: InvoiceDraft, actor: User, now: datetime) -> None:
    if invoice.is_credit_note:
        crediting.redate_and_recode(invoice, draft, actor=actor, now=now)
    else:
        services.update_invoice(invoice_id=invoice.pk, version=invoice.version, draft=draft, actor=actor, now=now)


def dated(day: date) -> Change:
    """The invoice on that day, with as many days until it is due as before."""
    return lambda draft: replace(draft, issue_date=day, due_date=day + (draft.due_date - draft.issue_date))


def recoded(old: str, new: str) -> Change:
    """Its lines on that nominal code moved to another one."""

    def change(draft: InvoiceDraft) -> InvoiceDraft:
        lines = (
            replace(line, nominal_code=new)
            if (line.nominal_code or (line.item.nominal_code if line.item else "")) == old
            else line
            for line in draft.lines
        )
        return replace(draft, lines=list(lines))

    return change


def settle_numbers(pushes: PushQuerySet, *, actor: User, now: datetime) -> Outcome:
    """Sage is asked what holds each number: the same invoice is linked, else ours takes the next number."""
    held = pushes.filter(state=Push.State.ATTENTION, cause=Push.Cause.NUMBER_TAKEN)
    return _each(held, lambda push: _settle_number(push, actor, now))


def _settle_number(push: Push, actor: User, now: datetime) -> None:
    try:
        candidates = conflicts.candidates(push.invoice, push)
    except PlatformError as error:
        raise Refused(error.message) from None
    same = [one.remote for one in candidates if one.can_be_linked and not one.differences]
    if len(same) > 1:
        raise Refused("Sage holds several that are the same: settle these on their own pages")
    if same:
        services.link_to_remote(invoice_id=push.invoice_id, remote=same[0], actor=actor, now=now)
    else:
        services.take_next_number(invoice_id=push.invoice_id, actor=actor, now=now)


def numbers(invoices: Iterable[Invoice]) -> str:
    """The first few by name."""
    named = [str(invoice) for invoice in invoices]
    return ", ".join(named[:10]) + (f" and {len(named) - 10} more" if len(named) > 10 else "")  # noqa: PLR2004
