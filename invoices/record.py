"""What came of an attempt, written back in one transaction, and only while the fence is still ours."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from connectors import services as connectors
from connectors.interface import (
    Fix,
    Misdirected,
    NewInvoice,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Reconnect,
    Rejected,
    RemoteInvoice,
    TryLater,
)
from incrementors.services import OWN_GROUPS, hold_numbers
from invoices import causes
from invoices.claims import LOOK_GAP, Claim, ours
from invoices.models import Event, Invoice, Push, PushAttempt
from invoices.models import RemoteInvoice as RemoteRow

log = logging.getLogger(__name__)

QUIET = timedelta(seconds=60) / settings.CLOCK_DIVISOR  # from the end of the lease to the first look
ABSENCE = timedelta(seconds=300) / settings.CLOCK_DIVISOR  # from the last byte to the look that proves absence
FIRST_WAIT = timedelta(seconds=5) / settings.CLOCK_DIVISOR
LONGEST_WAIT = timedelta(seconds=600) / settings.CLOCK_DIVISOR
STOPPED = "The worker stopped before an answer came."
TOO_OFTEN = 5  # workers in a row that stopped over one push


class Split(TryLater):
    """A batch was refused as a whole and nothing of it was written: its members go alone."""

    def __init__(self, refused: Rejected) -> None:
        super().__init__(refused.message, after=0, status=refused.status, request_id=refused.request_id)


def sent(claimed: Claim, remote: RemoteInvoice, *, now: datetime) -> None:
    """The platform has it: its token and number come back onto the invoice."""
    with transaction.atomic():
        push = ours(claimed)
        if push is None:
            log.warning("A late answer: %s exists; the look will find it.", remote.id, extra={"push": claimed.push.pk})
            PushAttempt.objects.filter(pk=claimed.attempt.pk).update(message=f"A late answer: {remote.id} was created.")
        elif _belongs_to_another(push, remote):  # a key that is sent again is answered with what it made once
            claimed.attempt.save()
            _to_a_person(push, Push.Cause.DIFFERENT, f"Sage answered with {remote.id}, which is another one here.", now)
        else:
            _link(push, claimed.attempt, remote, PushAttempt.Outcome.SENT, now)


def found(claimed: Claim, invoice: NewInvoice, remotes: Sequence[RemoteInvoice], *, now: datetime) -> None:
    """A look found it: linked when there is one and it is the same, else a person decides."""
    with transaction.atomic():
        if (push := ours(claimed)) is None:
            return
        remote, what = remotes[0], push.invoice.noun
        if len(remotes) > 1:
            _to_a_person(push, Push.Cause.SEVERAL, f"{len(remotes)} {what}s in Sage carry {invoice.reference}.", now)
        elif not is_the_same(invoice, remote) or _belongs_to_another(push, remote):
            text = f"{remote.number or remote.id} in Sage carries {invoice.reference} but differs from this {what}."
            _to_a_person(push, Push.Cause.DIFFERENT, text, now)
        else:
            _link(push, claimed.attempt, remote, PushAttempt.Outcome.FOUND, now)


def looks_the_same(claimed: Claim, invoice: NewInvoice, remote: RemoteInvoice, *, now: datetime) -> None:
    """Nothing carries our reference, but one that nobody owns is the same in all else: a person decides."""
    with transaction.atomic():
        push = ours(claimed)
        if push is not None:
            name, what = remote.number or remote.id, push.invoice.noun
            text = f"{name} in Sage is the same as this {what} but for its reference, "
            text += f"{remote.reference or 'which is empty'}; nothing there carries {invoice.reference}."
            _to_a_person(push, Push.Cause.DIFFERENT, text, now)


def is_the_same(ours: NewInvoice, theirs: RemoteInvoice) -> bool:
    """Client, date and total: what nobody changes in the minutes between a lost answer and the look."""
    return (ours.client_id, ours.issue_date, ours.total) == (theirs.client_id, theirs.issue_date, theirs.total)


def _belongs_to_another(push: Push, remote: RemoteInvoice) -> bool:
    return RemoteRow.objects.filter(connection=push.connection, remote_id=remote.id).exists()


def _link(
    push: Push, attempt: PushAttempt, remote: RemoteInvoice, outcome: str, now: datetime, row: RemoteRow | None = None
) -> None:
    row = row or RemoteRow(connection=push.connection, remote_id=remote.id)
    row.invoice, row.number, row.url, row.total = push.invoice, remote.number, remote.url, remote.total
    row.linked_at, row.checked_at, row.status = now, now if remote.is_read else None, remote.status
    row.is_draft = remote.is_read and not remote.number
    row.is_shown = _nobody_else_has(remote.number, push.invoice)
    row.save()
    push.remote = row
    push.state, push.sent_at, push.lease_until = Push.State.SENT, now, None
    push.cause, push.problems = Push.Cause.NONE, []
    push.save()
    _resolve(attempt, outcome, now)
    Invoice.objects.filter(pk=push.invoice_id, status=Invoice.Status.APPROVED).update(status=Invoice.Status.SENT)
    how = "Found in Sage" if outcome == PushAttempt.Outcome.FOUND else "Sent to Sage"
    name = remote.number or ("a draft" if remote.is_read else "an invoice whose number is still to come")
    _note(push, f"{how} as {name}, token {remote.id}.", now)
    if remote.total != (ours := abs(push.invoice.total)):
        _note(push, f"Sage's total is {remote.total}, ours is {ours}.", now)


def link_by_hand(push: Push, remote: RemoteInvoice, *, row: RemoteRow | None, now: datetime) -> None:
    """A person says that this is the invoice: the attempt is settled as found, the push is Sent.

    `row` is the one that came in for it as for an invoice raised over there, where one did.
    """
    attempt = push.attempts.order_by("-n")[0]
    _link(push, attempt, remote, PushAttempt.Outcome.FOUND, now, row)


def _nobody_else_has(number: str, invoice: Invoice) -> bool:
    """No two invoices show one number: where another one was given it, this one goes on showing its own."""
    if number and number != invoice.number:
        hold_numbers(*OWN_GROUPS)  # an invoice just being created may be given this very number
    ours = Invoice.objects.filter(number__iexact=number).exclude(pk=invoice.pk)
    theirs = RemoteRow.objects.filter(number__iexact=number, is_shown=True).exclude(invoice=invoice)
    return not (number and (ours.exists() or theirs.exists()))


def number_came(row: RemoteRow, remote: RemoteInvoice, *, now: datetime) -> None:
    """An invoice without a number was looked at in the platform's books: what it is called comes back, if it has one.

    Of a batch the platform tells tokens in the order of its members; a number is taken only from what carries ours.
    """
    attempt = row.push.attempts.order_by("-n")[0]
    with transaction.atomic():
        row.checked_at, row.url = now, remote.url or row.url
        if attempt.batch_id and remote.reference != (attempt.document or {}).get("reference"):
            log.error("%s in the books carries %s.", remote.id, remote.reference, extra={"push": row.push.pk})
        elif remote.number:
            row.number, row.is_shown = remote.number, _nobody_else_has(remote.number, row.invoice)
            text = f"Released in Sage as {remote.number}." if row.is_draft else f"Sage's number is {remote.number}."
            Event.objects.create(invoice=row.invoice, happened_at=now, actor=None, text=text)
        row.is_draft = not remote.number
        row.save(update_fields=["checked_at", "url", "number", "is_shown", "is_draft"])


def failed(claimed: Claim, error: PlatformError, *, now: datetime) -> None:
    """No invoice came of it, or it isn't known; the kind of error says what is next."""
    attempt = claimed.attempt
    attempt.http_status, attempt.request_id, attempt.message = error.status, error.request_id, error.message
    with transaction.atomic():
        push = ours(claimed)
        if push is None:
            log.warning("A late failure: %s", error.message, extra={"push": claimed.push.pk})
            return
        push.lease_until = None
        if attempt.document and _may_have_been_written(attempt, error):
            _unknown(push, attempt, error, now)
        elif isinstance(error, Rejected):
            _resolve(attempt, PushAttempt.Outcome.REJECTED, now)
            _refused(push, error, now)
        elif isinstance(error, Misdirected):
            _misdirected(push, attempt, error, now)
        else:
            _later(push, attempt, error, now)
    if isinstance(error, Reconnect):
        connectors.needs_reconnect(claimed.push.connection)


def _refused(push: Push, error: Rejected, now: datetime) -> None:
    push.problems = [asdict(problem) for problem in error.problems]
    is_number = any(problem.fix is Fix.NUMBER for problem in error.problems)
    cause = Push.Cause.NUMBER_TAKEN if is_number else Push.Cause.REJECTED
    _to_a_person(push, cause, f"Sage refused it: {error.message}", now)


def _may_have_been_written(attempt: PushAttempt, error: PlatformError) -> bool:
    """A lost answer; or "that number exists", where an earlier attempt with this key may be what holds it."""
    if isinstance(error, Rejected) and any(problem.fix is Fix.NUMBER for problem in error.problems):
        earlier = PushAttempt.objects.filter(push=attempt.push, generation=attempt.generation, n__lt=attempt.n)
        return earlier.filter(outcome=PushAttempt.Outcome.ABSENT).exists()
    return isinstance(error, OutcomeUnknown)


def _unknown(push: Push, attempt: PushAttempt, error: PlatformError, now: datetime) -> None:
    """The attempt stays open until a look closes it. An answer that says nothing may have spent the key."""
    attempt.answered = error.status is not None
    attempt.save()
    push.state, push.looked_at = Push.State.UNKNOWN, None
    push.due_at = (attempt.may_leave_until or now) + QUIET
    push.save()
    _note(push, "Sage's answer was lost; Reflow will look before sending again.", now)


def _misdirected(push: Push, attempt: PushAttempt, error: PlatformError, now: datetime) -> None:
    if attempt.document:
        attempt.save()
    else:
        _resolve(attempt, PushAttempt.Outcome.NOT_SENT, now)
    _to_a_person(push, Push.Cause.MISDIRECTED, error.message, now)


def _later(push: Push, attempt: PushAttempt, error: PlatformError, now: datetime) -> None:
    """Nothing was written: it waits, with the whole connection where it is the platform that is busy or away."""
    split = isinstance(error, Split)
    _resolve(attempt, PushAttempt.Outcome.SPLIT if split else PushAttempt.Outcome.NOT_SENT, now)
    push.state, push.due_at = Push.State.READY, now
    if not (split or isinstance(error, Reconnect)):
        push.due_at = now + _wait(push, error)
        if not (isinstance(error, TryLater) and error.alone):
            connectors.pause(push.connection, until=push.due_at)
    push.save()


def _wait(push: Push, error: PlatformError) -> timedelta:
    if isinstance(error, TryLater) and error.after:
        return timedelta(seconds=error.after) / settings.CLOCK_DIVISOR
    again = max(push.attempts.filter(generation=push.generation).count() - 1, 0)
    return min(FIRST_WAIT * (1 << min(again, 10)), LONGEST_WAIT)


def number_is_taken(claimed: Claim, *, now: datetime) -> None:
    """A look found our number, but not our invoice: the conflict was over the number, and nothing was written."""
    problem = Problem(message=claimed.attempt.message, meaning="Sage has this invoice number already.", fix=Fix.NUMBER)
    with transaction.atomic():
        push = ours(claimed)
        if push is not None:
            _resolve(claimed.attempt, PushAttempt.Outcome.REJECTED, now)
            _refused(push, Rejected((problem,)), now)


def not_seen(claimed: Claim, error: PlatformError, *, now: datetime) -> None:
    """A look that failed proves nothing: we look again."""
    log.warning("Could not look: %s", error.message, extra={"push": claimed.push.pk})
    Push.objects.filter(pk=claimed.push.pk, fence=claimed.fence).update(due_at=now + LOOK_GAP)
    if isinstance(error, Reconnect):
        connectors.needs_reconnect(claimed.push.connection)


def absent(claimed: Claim, *, now: datetime) -> None:
    """A look found nothing. Two of them, apart and late enough, prove that nothing was written: then it is sent again.

    With the same key where no answer ever came, so that even a platform that wakes up late keeps one of the two; with a
    new one where an answer may have spent the key.
    """
    with transaction.atomic():
        push = ours(claimed)
        if push is None:
            return
        last_byte = claimed.attempt.may_leave_until or claimed.attempt.started_at
        proven_from = max((push.looked_at or now) + LOOK_GAP, last_byte + ABSENCE)
        if push.looked_at and now >= proven_from:
            _resolve(claimed.attempt, PushAttempt.Outcome.ABSENT, now)
            push.state, push.due_at = Push.State.READY, now
            push.generation += 1 if claimed.attempt.answered else 0
            _note(push, "Sage does not have it: it is sent again.", now)
        else:
            push.looked_at = push.looked_at or now
            push.due_at = max(push.looked_at + LOOK_GAP, last_byte + ABSENCE)
        push.save()


def abandoned(push_id: int, *, now: datetime) -> None:
    """A worker died or froze: where a byte may have left we look first, else it just waits for another worker."""
    with transaction.atomic():
        push = Push.objects.abandoned(now).select_for_update(skip_locked=True).filter(pk=push_id).first()
        attempt = push.attempts.filter(resolved_at=None).first() if push else None
        if push is None or attempt is None:
            return
        attempt.message = STOPPED
        if attempt.document:
            _unknown(push, attempt, OutcomeUnknown(attempt.message), now)
        else:
            push.fence += 1
            _later(push, attempt, TryLater(attempt.message, alone=True), now)
            if _stops_everybody(push):
                _to_a_person(push, Push.Cause.STOPPED, f"Nothing was sent: {TOO_OFTEN} workers stopped over it.", now)
    log.warning("A worker left it behind: now %s", push.state, extra={"push": push_id})


def _stops_everybody(push: Push) -> bool:
    latest = push.attempts.filter(generation=push.generation).order_by("-n").values_list("message", flat=True)
    return [*latest[:TOO_OFTEN]] == [STOPPED] * TOO_OFTEN


def _to_a_person(push: Push, cause: str, text: str, now: datetime) -> None:
    push.state, push.cause, push.lease_until = Push.State.ATTENTION, cause, None
    push.cause_key, push.held_at = causes.key_of(push), now
    push.save()
    _note(push, text, now)


def _resolve(attempt: PushAttempt, outcome: str, now: datetime) -> None:
    attempt.outcome, attempt.resolved_at = outcome, now
    attempt.save()


def _note(push: Push, text: str, now: datetime) -> None:
    Event.objects.create(invoice=push.invoice, happened_at=now, actor=None, text=text[:300])
