"""What workers, people and a colleague in Sage do until all has come to rest, under a clock that is handed in."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Min
from django.utils import timezone

from connectors.models import Connection, Credential
from invoices import pull
from invoices import push as worker
from invoices.models import Pull, Push, RemoteInvoice
from tests.crash import reader
from tests.crash.steps import Answer, Cell

REAL = timezone.now
ROUNDS = 60
OPEN = [Push.State.READY, Push.State.SENDING, Push.State.UNKNOWN]


class Stuck(Exception):
    """It did not come to rest, or something was without a wake-up on the way."""


class Clock:
    """The time of day, moved on at will; all code asks `timezone.now`."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return REAL() + self.ahead

    def move_to(self, moment: datetime) -> None:
        self.ahead += max(moment - self.now(), timedelta(0)) + timedelta(milliseconds=2)


class Life:
    """One worker and all around it; `authorise` is what an admin does when Sage wants to see a person again."""

    def __init__(self, cell: Cell, clock: Clock, sandbox: Any, authorise: Callable[[], None]) -> None:
        self.cell, self.clock, self.sandbox, self.authorise = cell, clock, sandbox, authorise
        self.is_over: Callable[[], bool] = lambda: False
        self.patient = True  # others may hold a lock: what can't be had now is for the next round

    def until_rest(self, *, rounds: int = ROUNDS) -> bool:
        """True once nothing is left to be done."""
        for _ in range(rounds):
            if self.round():
                return True
            if self.is_over():
                return False
            self._wait()
        return False

    def round(self) -> bool:
        """What beat and the workers do at one moment; True when all rests after it."""
        self._people()
        now = timezone.now()
        if limbo := reader.without_a_wake_up(now + timedelta(minutes=2)):
            raise Stuck("; ".join(limbo))
        for push_id in self._try(worker.sweep, now=now) or ():
            self._try(worker.work, push_id)
        self._try(worker.read_numbers, now=timezone.now())
        for connection_id in pull.due(now=timezone.now()) if self.cell.step.left == "page" else ():
            while not self.is_over() and self._try(pull.read, connection_id, now=timezone.now()):
                pass
        return self.rests()

    def _try(self, done: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.is_over():
            return None
        try:
            return done(*given, **named)
        except OperationalError as error:
            if not (self.patient and "lock timeout" in str(error)):
                raise
            return None

    def _people(self) -> None:
        if Connection.objects.filter(state=Connection.State.RECONNECT).exists():
            self.authorise()
        if self.cell.answer is Answer.TWIN and Push.objects.filter(state=Push.State.UNKNOWN).exists():
            rename(self.sandbox, self.cell.scene)

    @staticmethod
    def rests() -> bool:
        unread = RemoteInvoice.objects.filter(number="", is_draft=False)
        reading = Pull.objects.filter(ended_at=None)
        return not (Push.objects.filter(state__in=OPEN).exists() or unread.exists() or reading.exists())

    def _wait(self) -> None:
        """The clock goes to the next moment at which somebody is woken."""
        now = timezone.now()
        renewing = Credential.objects.aggregate(at=Min("renewing_until"))["at"]
        if renewing and renewing >= now:  # nobody can do anything before
            self.clock.move_to(renewing)
            return
        open_pushes, connected = Push.objects.exclude(state=Push.State.SENDING), Connection.objects
        moments = [
            open_pushes.filter(state__in=OPEN, due_at__gt=now).aggregate(at=Min("due_at"))["at"],
            Push.objects.filter(state=Push.State.SENDING).aggregate(at=Min("lease_until"))["at"],
            connected.aggregate(at=Min("paused_until"))["at"],
            Pull.objects.filter(ended_at=None).aggregate(at=Min("lease_until"))["at"],
            Pull.objects.filter(ended_at=None).aggregate(at=Min("due_at"))["at"],
        ]
        unread = RemoteInvoice.objects.filter(number="").aggregate(at=Min("checked_at"))["at"]
        moments.append(unread and unread + worker.DRAFT_AGE)
        self.clock.move_to(min((moment for moment in moments if moment and moment >= now), default=now))


def rename(sandbox: Any, scene: str) -> None:
    """A colleague in Sage gives the first of ours another reference."""
    path, where = ("invoices", {}) if scene == "accounting" else ("intacct/invoices", {"entity": "LDN"})
    for held in reader.documents(sandbox, scene):
        if held["reference"] == "INV-00001":
            sandbox._call("POST", f"/_books/{path}/{held['token']}/edit", json={**where, "reference": "BY-HAND"})
