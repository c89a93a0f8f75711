"""The oldest of what is on its way to Sage, one of a kind: for how long, and what or whom it waits for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, QuerySet, Value, When
from django.utils.timesince import timesince

from connectors import epoch
from connectors.models import Connection
from invoices.models import Push
from invoices.standing import standing

KINDS = {
    "Oldest waiting": (Push.State.READY, Push.State.SENDING),
    "Oldest in doubt": (Push.State.UNKNOWN,),
    "Oldest for a person": (Push.State.ATTENTION,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Oldest:
    """The oldest of a kind, how long ago it was asked for, and what it waits for."""

    label: str
    push: Push
    age: str
    reason: str


def oldest_of(pushes: QuerySet[Push], connection: Connection | None, *, now: datetime) -> tuple[Oldest, ...]:
    """Of these, the oldest that waits or is being sent, is in doubt, and is for a person; what there is of each."""
    kind = Case(*(When(state__in=states, then=Value(n)) for n, states in enumerate(KINDS.values())))
    rows = pushes.prefetch_related("invoice", "remote").annotate(kind=kind).filter(kind__isnull=False)
    oldest = rows.order_by("kind", "requested_at", "pk").distinct("kind")
    found = [(list(KINDS)[push.kind], push) for push in oldest]
    held = bool(found) and epoch.is_held()
    return tuple(
        Oldest(
            label=label,
            push=push,
            age=age(now - push.requested_at),
            reason=standing(push, connection, now=now, held=held).reason or push.get_cause_display() + ".",
        )
        for label, push in found
    )


def age(age: timedelta) -> str:
    """In words, to the minute."""
    if age < timedelta(minutes=1):
        return "less than a minute"
    start = datetime(2000, 1, 1)  # noqa: DTZ001  # only its distance counts
    return timesince(start, start + age, depth=1).replace("\xa0", " ")
