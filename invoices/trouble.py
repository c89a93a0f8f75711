"""What is held on its way into the books: counted, and grouped by root cause, for as many invoices as there are."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Min, Sum
from django.db.models.functions import Coalesce

from connectors.interface import Fix
from connectors.models import Connection
from invoices import causes
from invoices.models import Client, Event, Item, Push, TaxRate
from invoices.models.push import PushQuerySet

State = Push.State
MOST_GROUPS = 50
KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONFLICTS = (Push.Cause.DIFFERENT, Push.Cause.SEVERAL, Push.Cause.MISDIRECTED)

# How many need somebody, counted no further than people do.
HELD = """(SELECT count(*) FROM (SELECT FROM invoices_push JOIN connectors_connection AS over ON over.id = connection_id
    WHERE invoices_push.state = 'ATTENTION' AND over.state <> 'DISCONNECTED' LIMIT 1000) AS held)"""


@dataclass(slots=True, kw_only=True)
class Group:
    """Invoices that are held for one reason; `sample` is one of them, `name` ours that it is about, if it is."""

    key: str
    sample_id: int
    since: datetime
    count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    name: str = ""
    told: str = ""
    sample: Push = field(init=False)

    @property
    def kind(self) -> str:
        return causes.kind_of(self.key)

    @property
    def subject(self) -> str:
        return causes.subject_of(self.key)

    @property
    def title(self) -> str:
        """What is wrong, about what."""
        wrong = self.meaning.partition(". ")[0].rstrip(".")
        return f"{self.name}: {wrong}" if self.name and self.name not in wrong else wrong

    @property
    def meaning(self) -> str:
        problem = next(iter(self.sample.problems), None)
        if self.sample.cause == Push.Cause.NUMBER_TAKEN:
            return "Sage has these numbers already."
        return str(problem["meaning"] or problem["message"]) if problem else self.sample.get_cause_display()

    @property
    def advice(self) -> str:
        """What the meaning says after what is wrong."""
        return self.meaning.partition(". ")[2]

    @property
    def words(self) -> str:
        """Sage's own."""
        problem = next(iter(self.sample.problems), None)
        return str(problem["message"]) if problem else self.told

    @property
    def has_words(self) -> bool:
        return bool(self.words) and self.words != self.meaning


def held(connection: Connection | None) -> PushQuerySet:
    """What this connection's pushes are, or all where none is connected."""
    return Push.objects.filter(connection=connection) if connection else Push.objects.all()


def counts(connection: Connection | None) -> dict[str, int]:
    """By state, of what is not sent yet."""
    under_way = held(connection).exclude(state__in=[State.SENT, State.CANCELLED])
    rows = under_way.order_by().values("state").annotate(n=Count("pk")).values_list("state", "n")
    found = dict(rows)
    return {state: found.get(state, 0) for state in State.values}


def in_group(connection: Connection, key: str) -> PushQuerySet:
    return Push.objects.filter(connection=connection, state=State.ATTENTION, cause_key=key)


def groups(connection: Connection | None, key: str | None = None) -> list[Group]:
    """Those with most invoices first; only the one with this key, where one is named."""
    pushes = held(connection).filter(state=State.ATTENTION)
    if key is not None:
        pushes = pushes.filter(cause_key=key)
    rows = pushes.order_by().values_list("cause_key", "invoice__currency")
    counted = rows.annotate(
        n=Count("pk"),
        stake=Sum("invoice__total"),
        since=Min(Coalesce("held_at", "requested_at")),
        sample=Min("pk"),
    )
    found: dict[str, Group] = {}
    for cause, currency, count, total, since, sample in counted:
        group = found.setdefault(cause, Group(key=cause, sample_id=sample, since=since))
        group.count, group.sums[currency] = group.count + count, total
        group.since = min(group.since, since)
    return sorted(found.values(), key=lambda group: (-group.count, group.key))


def shown(found: Iterable[Group]) -> list[Group]:
    """These with what is told of each: a sample, the name of what it is about, and what happened."""
    rows = list(found)
    samples = Push.objects.select_related("invoice__client", "connection").in_bulk([group.sample_id for group in rows])
    names = _names(rows)
    for group in rows:
        group.sample = samples[group.sample_id]
        group.name = names.get(group.subject, "")
    untold = [group.sample.invoice_id for group in rows if not group.sample.problems]
    latest = Event.objects.filter(invoice__in=untold).order_by("invoice", "-happened_at", "-id").distinct("invoice")
    events = dict(latest.values_list("invoice", "text")) if untold else {}
    for group in rows:
        group.told = events.get(group.sample.invoice_id, "")
    return rows


def _names(found: Iterable[Group]) -> Mapping[str, str]:
    """Our own names of what the groups are about."""
    about: dict[str, list[str]] = {}
    for group in found:
        about.setdefault(group.kind, []).append(group.subject)
    names: dict[str, str] = {}
    if clients := _keys([*about.get(Fix.CLIENT, []), *about.get(Fix.CLIENT_LINK, [])]):
        names |= {str(uuid): name for uuid, name in Client.objects.filter(uuid__in=clients).values_list("uuid", "name")}
    if items := _keys(about.get(Fix.ITEM_LINK, [])):
        names |= {str(uuid): code for uuid, code in Item.objects.filter(uuid__in=items).values_list("uuid", "code")}
    if taxes := about.get(Fix.TAX_RATES):
        rates = dict(TaxRate.objects.values_list("code", "name"))
        names |= {text: ", ".join(rates.get(code, code) for code in text.split(causes.SEVERAL)) for text in taxes}
    return names


def _keys(subjects: Iterable[str]) -> list[str]:
    """Those that are keys of ours; Sage's own words may stand there, too."""
    return [subject for subject in subjects if KEY.fullmatch(subject)]
