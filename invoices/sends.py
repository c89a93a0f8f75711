"""How far a bulk send is: counts, money, what it waits for, how long it takes yet, and the rows that have changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import connection as database
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils.timezone import localtime

from connectors import epoch
from connectors.models import Connection
from connectors.services import platform_of
from invoices import bulk_services
from invoices.models import BulkMember, BulkSend, Push
from invoices.standing import NOT_SENT, Standing, standing

WINDOW = timedelta(minutes=2)  # in which the pace is seen
WARM = timedelta(seconds=20)  # before which there is no pace to be seen
ROWS = 50
STATE = BulkMember.State
OPEN = ("WAITING", "SENDING", "CHECKING")
STANDS = Case(
    When(state=STATE.LEFT_OUT, then=Value("LEFT_OUT")),
    When(bulk_services.CANCELLED, then=Value("CANCELLED")),
    When(Q(state=STATE.CHOSEN) | Q(push__state=Push.State.READY), then=Value("WAITING")),
    When(push__state=Push.State.UNKNOWN, then=Value("CHECKING")),
    default=F("push__state"),
)
LABELS = {
    "WAITING": "Waiting",
    "SENDING": "Sending",
    "CHECKING": "Checking",
    "SENT": "Sent",
    "ATTENTION": "Needs attention",
    "PARKED": "Parked",
    "CANCELLED": "Cancelled",
    "LEFT_OUT": "Left out",
}
LEFT_OUT = Standing(code="LEFT_OUT", label="Left out", tone="neutral", icon="slash-circle")
CANCELLED = Standing(code="CANCELLED", label="Cancelled", tone="neutral", icon="slash-circle")
QUEUING = Standing(code="WAITING", label="Waiting", tone="busy", icon="clock", moving=True)
CHANGED = """
SELECT member.id FROM invoices_bulkmember member LEFT JOIN invoices_push push ON push.id = member.push_id
  LEFT JOIN invoices_remoteinvoice remote ON remote.id = push.remote_id
WHERE member.send_id = %(send)s AND member.id = ANY(%(ids)s)
  AND LEAST(age(member.xmin), age(push.xmin), age(remote.xmin)) <= age(%(cursor)s::text::xid8::xid)
"""
TALLIES = """
SELECT member.send_id, member.stands, invoice.currency, count(*), sum(invoice.total)
FROM ({members}) AS member (send_id, stands, invoice_id)
CROSS JOIN LATERAL (SELECT currency, total FROM invoices_invoice WHERE id = member.invoice_id OFFSET 0) AS invoice
GROUP BY member.send_id, member.stands, invoice.currency ORDER BY invoice.currency"""
"""With OFFSET 0 each invoice is looked up: of some thousand of a hundred thousand Postgres would read all."""
CURSOR = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"


class Counted(NamedTuple):
    """Members of a send that stand alike, with what they come to in one currency."""

    send_id: int
    stands: str
    currency: str
    members: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many members stand so, and what they come to in each currency."""

    code: str
    label: str
    count: int
    sums: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A bulk send as it is now; `words` say what it waits for, `ahead` how long it takes yet, "" where nobody knows."""

    tallies: dict[str, Tally]
    words: str
    ahead: str

    def count(self, *codes: str) -> int:
        return sum(self.tallies[code].count for code in codes)

    @property
    def total(self) -> int:
        """Of those that were to be sent."""
        return self.count(*LABELS) - self.count("LEFT_OUT")

    @property
    def left(self) -> int:
        return self.count(*OPEN)

    @property
    def ended(self) -> int:
        return self.total - self.left

    @property
    def waiting(self) -> int:
        return self.count("WAITING")

    @property
    def cancelled(self) -> int:
        return self.count("CANCELLED")

    @property
    def parked(self) -> int:
        return self.count("PARKED")

    @property
    def shown(self) -> list[Tally]:
        """Those that are always said, and the others where there are some."""
        always = ("WAITING", "SENDING", "SENT", "ATTENTION", "CANCELLED")
        return [tally for code, tally in self.tallies.items() if tally.count or code in always]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of its invoices, where it stands, and what is to be known about that."""

    member: BulkMember
    stands: Standing
    about: str


def progress(send: BulkSend, live: Connection | None, *, now: datetime) -> Progress:
    counted = tallies([send])[send.pk]
    left = sum(counted[code].count for code in OPEN)
    words = _words(send, live, now) if left else ""
    if live is None or live.pk != send.connection_id or not live.is_active or epoch.is_held() or not left:
        return Progress(tallies=counted, words=words, ahead="")
    return Progress(tallies=counted, words=words, ahead=_in_words(_time_left(send, live, left, now)))


def tallies(sends: Sequence[BulkSend]) -> dict[int, dict[str, Tally]]:
    """By send; one query, whatever their number and that of their members."""
    counted: list[Counted] = []
    if sends:
        rows = BulkMember.objects.filter(send__in=[send.pk for send in sends]).annotate(stands=STANDS)
        members, given = rows.values_list("send", "stands", "invoice").query.sql_with_params()
        with database.cursor() as cursor:
            cursor.execute(TALLIES.format(members=members), given)
            counted = [Counted(*row) for row in cursor.fetchall()]
    return {send.pk: _tallies([row for row in counted if row.send_id == send.pk]) for send in sends}


def _tallies(counted: Sequence[Counted]) -> dict[str, Tally]:
    return {
        code: Tally(
            code=code,
            label=label,
            count=sum(row.members for row in counted if row.stands == code),
            sums=tuple((row.currency, row.amount) for row in counted if row.stands == code),
        )
        for code, label in LABELS.items()
    }


def _words(send: BulkSend, live: Connection | None, now: datetime) -> str:
    """Why nothing leaves just now, or that it is being queued."""
    if live is None or live.pk != send.connection_id:
        return f"Reflow is not connected to {send.connection} any more."
    if epoch.is_held():
        return "This database was restored from a backup: nothing is sent until an admin confirms that it is live."
    if live.state == Connection.State.RECONNECT:
        return "Sage no longer accepts our authorisation. What waits is sent once an admin has authorised Reflow again."
    if live.state == Connection.State.DISCONNECTING:
        return "Reflow is being disconnected from Sage."
    if live.paused_until and live.paused_until > now:
        return f"Sage is busy or can't be reached. Next try at {localtime(live.paused_until):%H:%M:%S}."
    return "" if send.queued_at else "It is being queued."


def _time_left(send: BulkSend, live: Connection, left: int, now: datetime) -> timedelta:
    """At the pace seen in the last minutes, else at the one that the calls of a minute allow; after any pause.

    What was queued over this connection before it goes first.
    """
    began = send.started_at or now
    allowed = settings.CALLS_A_MINUTE * settings.CLOCK_DIVISOR * platform_of(live).batch_size
    before = Push.objects.filter(connection=live, state=Push.State.READY, requested_at__lt=began).count()
    seen_for = min(WINDOW, now - began)
    sent = Push.objects.filter(connection=live, state=Push.State.SENT, sent_at__gt=now - seen_for).count()
    pace = min(sent * (timedelta(minutes=1) / seen_for), allowed) if sent and seen_for > WARM else allowed
    pause = max((live.paused_until or now) - now, timedelta())
    return pause + timedelta(minutes=(before + left) / pace)


def _in_words(left: timedelta) -> str:
    minutes = round(left / timedelta(minutes=1))
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:  # noqa: PLR2004  # an hour
        return f"about {minutes} minute{'s' * (minutes > 1)}"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes:02} min"


def rows(members: Iterable[BulkMember], live: Connection | None, *, now: datetime) -> list[Row]:
    return [Row(member=member, stands=stands, about=about) for member, stands, about in _told(members, live, now)]


def _told(
    members: Iterable[BulkMember], live: Connection | None, now: datetime
) -> Iterable[tuple[BulkMember, Standing, str]]:
    for member in members:
        if member.state == STATE.LEFT_OUT:
            yield member, LEFT_OUT, member.reason
        elif member.push is None:
            yield member, QUEUING if member.state == STATE.CHOSEN else CANCELLED, ""
        else:
            stands = standing(member.push, live, now=now)
            problems = member.push.problems if stands.code == "ATTENTION" else []
            reason = "" if stands.code == "WAITING" else stands.reason  # the head of the page says why, once
            about = problems[0].get("meaning") or problems[0].get("message", "") if problems else reason
            yield member, CANCELLED if stands is NOT_SENT else stands, about


def shown(send: BulkSend) -> QuerySet[BulkMember]:
    """Its members with what is shown of each, in the order in which they were chosen."""
    found = send.members.select_related("invoice__client", "push__remote").defer("invoice__frozen")
    return found.annotate(stands=STANDS).order_by("pk")


def cursor() -> str:
    """Where in the changes of this database we are: taken before what is shown is read, it misses none of them.

    The oldest transaction that is not over; whatever a later look does not know yet was written by it or a later one.
    """
    with database.cursor() as sql:
        sql.execute(CURSOR)
        return str(sql.fetchone()[0])


def changed(send: BulkSend, ids: list[int], since: str) -> list[int]:
    """Those of these members that were written since the cursor, or whose push was."""
    with database.cursor() as sql:
        sql.execute(CHANGED, {"send": send.pk, "ids": ids, "cursor": since})
        return [pk for (pk,) in sql.fetchall()]


def running() -> QuerySet[BulkSend]:
    """Bulk sends of which something will still happen by itself, the latest first."""
    under_way = [Push.State.READY, Push.State.SENDING, Push.State.UNKNOWN]
    pushes = Push.objects.exclude(state__in=[Push.State.SENT, Push.State.CANCELLED]).filter(state__in=under_way)
    moving = BulkMember.objects.filter(state=STATE.QUEUED, push__in=pushes.values("pk")).values("send")
    begun = BulkSend.objects.filter(Q(queued_at=None) | Q(pk__in=moving), started_at__isnull=False)
    return begun.order_by("-started_at")


def latest() -> QuerySet[BulkSend]:
    """Those that were begun, the latest first."""
    begun = BulkSend.objects.filter(started_at__isnull=False).select_related("pressed_by", "connection")
    return begun.order_by("-started_at")
