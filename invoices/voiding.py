"""What a worker does with an invoice that is to be void: look, have it voided in Sage, and only then void it here.

Each try begins with a look, so that it is never asked for again where it is done already, and a lost answer costs no
more than another look. What it took in hand has a lease and a fence; we talk with no transaction open, and what came of
it is written only while the fence is still ours. Knows no Celery; `work` can be called from a shell.
"""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors import services as connectors
from connectors.interface import (
    Connector,
    Fix,
    Misdirected,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Reconnect,
    Rejected,
    RemoteStatus,
    TryLater,
)
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from invoices.claims import LEASE
from invoices.drafts import locked
from invoices.models import Event, Invoice, Voiding

log = logging.getLogger(__name__)

State, Outcome = Voiding.State, Voiding.Outcome
MOVING = (State.WAITING, State.WORKING)
FIRST_WAIT = timedelta(seconds=5) / settings.CLOCK_DIVISOR
LONGEST_WAIT = timedelta(seconds=600) / settings.CLOCK_DIVISOR
MOST_LOST = 8  # tries in which no answer said anything: then a person looks too
HINTS = 50  # that one sweep gives
ENDING = (Connection.State.DISCONNECTING, Connection.State.DISCONNECTED)
PARTED = "Not voided: Reflow was disconnected from Sage."


def _ours_to_say(text: str, fix: Fix, code: str = "") -> Problem:
    """A problem in our own words; Sage said nothing."""
    return Problem(message=text, code=code, meaning=text, fix=fix)


PAID = _ours_to_say(
    "This invoice is paid in Sage, all or in part. Take the payments and credits off it there, then try again.",
    Fix.REMOTE,
    "PAID",
)
UNSEEN = _ours_to_say(
    "Sage does not show this invoice, nor says that it was deleted. The Sage user who authorised Reflow may not see it "
    "any more.",
    Fix.PLATFORM,
    "UNSEEN",
)
ELSEWHERE = _ours_to_say(
    "Another organisation answered. Look in Sage whether this invoice is void, then try again.", Fix.REMOTE
)
LOST = _ours_to_say(
    "Sage gives no clear answer when asked to void this invoice. Look in Sage whether it is void, then try again.",
    Fix.REMOTE,
)
UNSETTLED = _ours_to_say(
    "Reflow was disconnected before it knew whether Sage voided this invoice. Connect to the same organisation and try "
    "again, or look in Sage.",
    Fix.CONNECTION,
    "PARTED",
)


def due(*, now: datetime) -> list[int]:
    """Whatever is to be tried now, what dead workers left among it."""
    return list(Voiding.objects.due(now).order_by("due_at").values_list("pk", flat=True)[:HINTS])


def work(voiding_id: int) -> None:
    """One try, from the claim to what came of it."""
    voiding = _claim(voiding_id, timezone.now())
    if voiding is None:
        return
    connector = connectors.open_connector(
        voiding.remote.connection,
        push=f"void-{voiding.pk}",
        may_leave=lambda: _may_leave(voiding),
        kind=voiding.remote.invoice.kind,
    )
    try:
        outcome = _carry(voiding, connector)
    except PlatformError as error:
        _failed(voiding, error, now=timezone.now())
    else:
        if outcome:
            _done(voiding, outcome, now=timezone.now())


def _claim(voiding_id: int, now: datetime) -> Voiding | None:
    with transaction.atomic():
        rows = Voiding.objects.due(now).filter(pk=voiding_id).select_related("remote__connection", "remote__invoice")
        voiding = rows.select_for_update(of=("self",), skip_locked=True).first()
        if voiding is not None:
            voiding.state, voiding.lease_until = State.WORKING, now + LEASE
            voiding.fence, voiding.tries = voiding.fence + 1, voiding.tries + 1
            voiding.save()
        return voiding


def _may_leave(voiding: Voiding) -> bool:
    """Asked before the first byte of the call that voids: a worker that froze before it wakes up and sends nothing."""
    return voiding.lease_until is not None and timezone.now() < voiding.lease_until


def _carry(voiding: Voiding, connector: Connector) -> str:
    """What became of it; "" where it is not ours to void any more."""
    asked = voiding.asked_at is not None
    seen = _look(voiding, connector)
    if outcome := _is_over(seen, asked=asked):
        return outcome
    assert seen is not None  # noqa: S101  # for the type checker: what is gone is over
    if seen.status in (RemoteStatus.PART_PAID, RemoteStatus.PAID):
        raise Rejected((PAID,))
    if not _intend(voiding, now=timezone.now()):
        return ""
    try:
        connector.void_invoice(seen, voiding.reason, timezone.localdate())
    except Rejected:  # perhaps because somebody was quicker since we looked
        if outcome := _is_over(_look(voiding, connector), asked=asked):
            return outcome
        raise
    return Outcome.REMOVED if seen.status is RemoteStatus.DRAFT else Outcome.VOIDED


def _look(voiding: Voiding, connector: Connector) -> Remote | None:
    """The invoice as it stands there; None where it is deleted."""
    remote = voiding.remote
    seen = next(iter(connector.read_invoices([remote.remote_id])), None)
    if seen is None and remote.remote_id not in connector.gone([remote.remote_id], remote.linked_at):
        raise Rejected((UNSEEN,))
    return seen


def _is_over(seen: Remote | None, *, asked: bool) -> str:
    """What it became, if it is void or gone: by our own call where one of ours may have got there."""
    if seen is None:
        return Outcome.REMOVED if asked else Outcome.WAS_GONE
    if seen.status is RemoteStatus.VOID:
        return Outcome.VOIDED if asked else Outcome.WAS_VOID
    return ""


def held(voiding_id: int) -> Voiding:
    """Its row, locked; the invoice first, as everybody locks them."""
    locked(Voiding.objects.values_list("remote__invoice_id", flat=True).get(pk=voiding_id))
    rows = Voiding.objects.select_for_update(of=("self",)).select_related("remote__connection")
    return rows.get(pk=voiding_id)


def _ours(voiding: Voiding) -> Voiding | None:
    """As `held`; None when somebody took it over since."""
    mine = held(voiding.pk)
    return mine if mine.state == State.WORKING and mine.fence == voiding.fence else None


def _intend(voiding: Voiding, *, now: datetime) -> bool:
    """Puts on record that Sage is about to be asked, unless it is overtaken, or the connection is being ended."""
    with transaction.atomic():
        mine = _ours(voiding)
        if mine is None:
            log.warning("Overtaken before a byte left.", extra={"push": f"void-{voiding.pk}"})
            return False
        if mine.remote.connection.state in ENDING:
            give_up(mine, PARTED, None, now)
            return False
        mine.asked_at, mine.lease_until = now, now + LEASE
        mine.save()
        voiding.lease_until = mine.lease_until
        return True


def _done(voiding: Voiding, outcome: str, *, now: datetime) -> None:
    """It is void there: now here. Number and token stay on record."""
    with transaction.atomic():
        mine = _ours(voiding)
        if mine is None:
            log.warning("A late answer: %s; the next look will see it.", outcome, extra={"push": f"void-{voiding.pk}"})
            return
        remote = mine.remote
        remote.status, remote.checked_at = RemoteStatus.VOID, now
        remote.gone_at = now if outcome in (Outcome.REMOVED, Outcome.WAS_GONE) else None
        remote.save(update_fields=["status", "checked_at", "gone_at"])
        Invoice.objects.filter(pk=remote.invoice_id).update(status=Invoice.Status.VOID, outstanding=0)
        mine.outcome = outcome
        _end(mine, State.DONE, now)
        by_us = outcome in (Outcome.VOIDED, Outcome.REMOVED)
        _note(mine, HISTORY[outcome].format(mine.reason), mine.requested_by if by_us else None, now)


HISTORY: dict[str, str] = {
    Outcome.VOIDED: "Voided in Sage: {}",
    Outcome.REMOVED: "Voided in Sage, where it was a draft and is removed: {}",
    Outcome.WAS_VOID: "Voided in Sage before Reflow asked for it. Asked for here: {}",
    Outcome.WAS_GONE: "Deleted in Sage before Reflow asked for it. Asked for here: {}",
}


def _failed(voiding: Voiding, error: PlatformError, *, now: datetime) -> None:
    """Nothing is void yet, or it isn't known; the kind of error says what is next."""
    log.warning("Not voided: %s", error.message, extra={"push": f"void-{voiding.pk}"})
    with transaction.atomic():
        mine = _ours(voiding)
        if mine is None:
            return
        if not isinstance(error, OutcomeUnknown | Misdirected):
            mine.asked_at = None if isinstance(error, Rejected) else voiding.asked_at
        if problems := _for_a_person(mine, error):
            _to_a_person(mine, problems, now)
        else:
            _put_off(mine, error, now)
    if isinstance(error, Reconnect):
        connectors.needs_reconnect(mine.remote.connection)
    elif isinstance(error, TryLater):
        connectors.pause(mine.remote.connection, until=mine.due_at)


def _for_a_person(voiding: Voiding, error: PlatformError) -> tuple[Problem, ...]:
    """What only a person can mend; nothing where the next try may well do."""
    if isinstance(error, Rejected):
        return error.problems
    if isinstance(error, Misdirected):
        return (ELSEWHERE,)
    if isinstance(error, OutcomeUnknown) and voiding.tries >= MOST_LOST:
        return (LOST,)
    return ()


def _to_a_person(voiding: Voiding, problems: tuple[Problem, ...], now: datetime) -> None:
    voiding.state, voiding.lease_until = State.ATTENTION, None
    voiding.problems = [asdict(problem) for problem in problems]
    voiding.save()
    _note(voiding, f"Not voided in Sage: {problems[0].message}", None, now)


def _put_off(voiding: Voiding, error: PlatformError, now: datetime) -> None:
    """Tried again later, when the platform says or after a while that grows."""
    asked = error.after if isinstance(error, TryLater) else None
    doublings: int = 2 ** min(voiding.tries - 1, 10)
    wait = timedelta(seconds=asked) / settings.CLOCK_DIVISOR if asked else FIRST_WAIT * doublings
    voiding.state, voiding.lease_until = State.WAITING, None
    voiding.due_at = now + min(wait, LONGEST_WAIT)
    voiding.save()


def _end(voiding: Voiding, state: str, now: datetime) -> None:
    voiding.state, voiding.ended_at = state, now
    voiding.lease_until, voiding.asked_at, voiding.problems = None, None, []
    voiding.save()


def give_up(voiding: Voiding, text: str, actor: User | None, now: datetime) -> None:
    """The invoice stays as it is. The caller holds the invoice's lock."""
    _end(voiding, State.GIVEN_UP, now)
    _note(voiding, text, actor, now)


def _note(voiding: Voiding, text: str, actor: User | None, now: datetime) -> None:
    Event.objects.create(invoice_id=voiding.remote.invoice_id, happened_at=now, actor=actor, text=text[:300])


# When a connection ends ---------------------------------------------------------------------------------------
def part(*, actor: User | None = None, now: datetime) -> None:
    """What nobody has begun over a connection that ends is given up; what Sage may have done already is looked at
    while it still can be, and left to a person after that."""
    rows = Voiding.objects.filter(state__in=MOVING, remote__connection__state__in=ENDING)
    for voiding_id in rows.values_list("pk", flat=True):
        with transaction.atomic():
            voiding = held(voiding_id)
            if voiding.state == State.WAITING and voiding.asked_at is None:
                give_up(voiding, PARTED, actor, now)
            elif voiding.is_moving and voiding.remote.connection.state == Connection.State.DISCONNECTED:
                _to_a_person(voiding, (UNSETTLED,), now)


def is_under_way(connection: Connection, *, since: datetime) -> bool:
    """Whether something is being voided, or may have been since then: worth waiting for before a connection ends."""
    rows = Voiding.objects.filter(remote__connection=connection)
    return rows.filter(Q(state=State.WORKING) | Q(state=State.WAITING, asked_at__gt=since)).exists()
