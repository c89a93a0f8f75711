"""How the connection is: one word for the whole and what to do about it, computed from the rows, never stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from connectors.models import Connection
from connectors.services import live_connection, refresh_expires_at
from invoices.models import Push
from invoices.standing import standing
from settings_ui.checklist import Step, steps
from settings_ui.syncing import Sync, sync_of

STUCK = timedelta(minutes=5)  # after which a waiting invoice that could go is nobody's
LAST_DAYS = 7  # of an authorisation that should have been renewed long before
QUEUE = (
    # what it says here, and which filter of the invoice list has them
    ("Waiting", "MOVING"),
    ("Sending", "MOVING"),
    ("Checking", "MOVING"),
    ("Need attention", "ATTENTION"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rows say now. `undone` is the first step of the set-up that is not done; `pause` is over when None."""

    state: str
    undone: Step | None = None
    waiting: int = 0
    sending: int = 0
    checking: int = 0
    attention: int = 0
    stuck_for: timedelta | None = None
    pause: datetime | None = None
    days_left: int | None = None
    trouble: datetime | None = None
    is_syncing: bool = False

    @property
    def under_way(self) -> int:
        return self.waiting + self.sending + self.checking


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One word for the whole, why, and the one thing to do, if there is any: what its link says and leads to."""

    word: str
    tone: str
    icon: str
    text: str
    action: str = ""
    address: str = ""


HEALTHY = Verdict(
    word="Healthy", tone="good", icon="check-circle-fill", text="Nothing waits, and nothing needs anybody."
)
BUSY = Verdict(word="Busy", tone="busy", icon="clock", text="")
SLOW = replace(BUSY, tone="warn", icon="pause-circle")
NEEDS_YOU = Verdict(word="Needs you", tone="warn", icon="exclamation-triangle", text="")
DISCONNECTED = Verdict(word="Disconnected", tone="bad", icon="plug", text="")


def verdict(facts: Facts) -> Verdict:
    """The first of the rules that has something to say, the gravest first; pure."""
    return next(filter(None, (rule(facts) for rule in RULES)), HEALTHY)


def _connection(facts: Facts) -> Verdict | None:
    if facts.state == Connection.State.RECONNECT:
        text = "Sage no longer accepts our authorisation. Invoices wait safely until somebody authorises again."
        return replace(DISCONNECTED, text=text, action="Authorise again", address="#authorise")
    if facts.state == Connection.State.DISCONNECTING:
        return replace(BUSY, text="Reflow is being disconnected. What is under way ends first.")
    if facts.state == Connection.State.DISCONNECTED:
        return replace(DISCONNECTED, tone="neutral", text="No books are connected. Invoices stay here.")
    return None


def _set_up(facts: Facts) -> Verdict | None:
    if facts.undone is None:
        return None
    text, address = f"Not set up yet: {facts.undone.title}.", f"#{facts.undone.anchor}"
    return replace(NEEDS_YOU, text=text, action="Go to this step", address=address)


def _stuck(facts: Facts) -> Verdict | None:
    """Nobody works on the queue, which no press on any button here mends."""
    if facts.stuck_for is None:
        return None
    minutes = facts.stuck_for // timedelta(minutes=1)
    text = (
        f"Work has been due for {minutes} minutes, but nothing takes it. Whoever runs this server should see whether "
        "its workers run."
    )
    return replace(NEEDS_YOU, tone="bad", text=text)


def _attention(facts: Facts) -> Verdict | None:
    if not facts.attention:
        return None
    one = facts.attention == 1
    text = f"{facts.attention} invoice{' needs' if one else 's need'} somebody to look at {'it' if one else 'them'}."
    return replace(NEEDS_YOU, tone="bad", text=text, action="See which", address=_listed("ATTENTION"))


def _dying(facts: Facts) -> Verdict | None:
    if facts.days_left is None or facts.days_left > LAST_DAYS:
        return None
    text = f"The authorisation ends in {_days(facts.days_left)} and could not be renewed."
    return replace(NEEDS_YOU, text=text, action="Authorise again", address="#authorise")


def _slow(facts: Facts) -> Verdict | None:
    if facts.pause:
        text = f"Sage is busy or can't be reached. Reflow tries again at {_clock(facts.pause)}; nothing is lost."
        return replace(SLOW, text=text)
    if facts.trouble:
        text = f"The books could not be read to their end. The next try is at {_clock(facts.trouble)}."
        return replace(SLOW, text=text)
    return None


def _moving(facts: Facts) -> Verdict | None:
    if facts.under_way:
        their = "is on its" if facts.under_way == 1 else "are on their"
        return replace(BUSY, text=f"{facts.under_way} invoice{'' if facts.under_way == 1 else 's'} {their} way.")
    return replace(BUSY, text="The books are being read.") if facts.is_syncing else None


RULES: tuple[Callable[[Facts], Verdict | None], ...] = (
    _connection,
    _set_up,
    _stuck,
    _attention,
    _dying,
    _slow,
    _moving,
)


def _days_until(end: datetime, now: datetime) -> int:
    """By the calendar, as people count; nothing on the last day itself."""
    return (localtime(end).date() - localtime(now).date()).days


def _days(count: int) -> str:
    return "less than a day" if count < 1 else f"{count} day{'' if count == 1 else 's'}"


def _clock(moment: datetime) -> str:
    return f"{localtime(moment):%H:%M:%S}"


def _listed(code: str) -> str:
    return f"{reverse('invoice-list')}?{urlencode({'sage': code})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The card: its verdict, and the figures beneath it."""

    verdict: Verdict
    facts: Facts
    queue: tuple[tuple[str, int, str], ...]
    oldest: Push | None
    oldest_age: str
    oldest_reason: str
    contact_at: datetime | None
    dies_at: datetime | None
    lasts: str

    @property
    def is_moving(self) -> bool:
        """Whether something here will change by itself soon."""
        live = self.facts.state in (Connection.State.ACTIVE, Connection.State.DISCONNECTING)
        return live and bool(self.facts.under_way or self.facts.pause)

    @property
    def mark(self) -> str:
        """Changes with whatever the card shows."""
        counts = (str(count) for _, count, _ in self.queue)
        oldest = str(self.oldest.pk) if self.oldest else ""
        contact = f"{self.contact_at:%d%H%M}" if self.contact_at else ""
        shown = (self.verdict.text, *counts, oldest, self.oldest_age, self.oldest_reason, contact, self.lasts)
        return "|".join(shown)


def health_of(connection: Connection, found: Sequence[Step], sync: Sync, *, now: datetime) -> Health:
    """From the rows, the steps of the checklist and where the sync stands, all as they are now."""
    dies_at = refresh_expires_at(connection)
    facts = replace(
        _facts(connection, sync, now),
        undone=next((step for step in found if step.is_set_up and step.state != "done"), None),
        days_left=_days_until(dies_at, now) if dies_at else None,
    )
    oldest, counts = _oldest(connection), (facts.waiting, facts.sending, facts.checking, facts.attention)
    return Health(
        verdict=verdict(facts),
        facts=facts,
        queue=tuple((label, count, _listed(code)) for (label, code), count in zip(QUEUE, counts, strict=True)),
        oldest=oldest,
        oldest_age=age(now - oldest.requested_at) if oldest else "",
        oldest_reason=_reason(oldest, connection, now) if oldest else "",
        contact_at=connection.contact_at,
        dies_at=dies_at,
        lasts=_lasts(connection, dies_at, now),
    )


def _facts(connection: Connection, sync: Sync, now: datetime) -> Facts:
    states = {"waiting": "READY", "sending": "SENDING", "checking": "UNKNOWN", "attention": "ATTENTION"}
    could_go = Q(state=Push.State.READY, due_at__lte=now)
    counted = _open(connection).aggregate(
        **{name: Count("pk", filter=Q(state=state)) for name, state in states.items()},
        could_go=Min("due_at", filter=could_go),
    )
    due = [counted.pop("could_go"), sync.pull.due_at if sync.pull and sync.code == "BEGINNING" else None]
    pause = connection.paused_until if connection.paused_until and connection.paused_until > now else None
    return Facts(
        state=connection.state,
        stuck_for=None if pause else _stuck_for(connection, min(filter(None, due), default=None), now),
        pause=pause,
        trouble=sync.pull.due_at if sync.pull and sync.code == "TROUBLE" else None,
        is_syncing=sync.is_moving,
        **counted,
    )


def _open(connection: Connection) -> QuerySet[Push]:
    return Push.objects.filter(connection=connection).exclude(state__in=[Push.State.SENT, Push.State.CANCELLED])


def _stuck_for(connection: Connection, due_at: datetime | None, now: datetime) -> timedelta | None:
    """What waits goes in the order of its time: if it is old, nobody works, unless Sage just answered somebody."""
    heard_at = connection.contact_at or connection.authorised_at
    if due_at is None or not connection.is_active or now - max(due_at, heard_at) < STUCK:
        return None
    return now - due_at


def _oldest(connection: Connection) -> Push | None:
    waiting = _open(connection).filter(state__in=[Push.State.READY, Push.State.UNKNOWN])
    return waiting.select_related("invoice", "remote").order_by("requested_at").first()


def _reason(push: Push, connection: Connection, now: datetime) -> str:
    return standing(push, connection, now=now).reason or "It goes as soon as a worker is free."


def age(age: timedelta) -> str:
    if age < timedelta(minutes=1):
        return "less than a minute"
    start = datetime(2000, 1, 1, tzinfo=timezone.get_current_timezone())
    return timesince(start, start + age, depth=1).replace("\xa0", " ")


def _lasts(connection: Connection, dies_at: datetime | None, now: datetime) -> str:
    """How long the authorisation lasts if nobody used it, in words."""
    if connection.state == Connection.State.RECONNECT:
        return "Sage no longer accepts it."
    if connection.username:
        return f"As {connection.username}: it does not end by itself."
    if dies_at is None:
        return "Sage names no end; it is renewed as it is used."
    return f"{_days(_days_until(dies_at, now)).capitalize()} left; renewed by itself while Reflow runs."


@require_safe
def connector_health(request: HttpRequest) -> HttpResponse:
    """The card as it is now, or 204 where it still says what was seen; once disconnected, the whole page is another."""
    connection, now = live_connection(), timezone.now()
    if connection is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    health = health_of(connection, steps(connection), sync_of(connection, now=now), now=now)
    if request.GET.get("seen") == health.mark:
        return HttpResponse(status=204)
    return render(request, "settings/_health.html", {"health": health})
