"""The numbers to come against what Sage holds or will hold: said before they collide, from what was last read there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Upper

from connectors.interface import Entry, PlatformError
from connectors.models import Catalogue, Connection
from connectors.services import open_connector
from incrementors.models import Group
from incrementors.services import given_among, texts_ahead
from invoices.models import RemoteInvoice

LOOK = 100  # numbers ahead
SHOWN = 8
AGE = timedelta(minutes=15)  # of what was read, when a page is opened
HOURLY = timedelta(hours=1)  # of what was read, when nobody looks
KIND = "NUMBERS"
NEXT = "next"  # the id of the entry whose code is the number that Sage would give by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """A number to come that is held already: by what, after how many invoices, and what will happen."""

    text: str
    away: int
    holder: str
    then: str

    @property
    def when(self) -> str:
        if not self.away:
            return "with the next invoice"
        return f"in about {self.away} invoice{'' if self.away == 1 else 's'}"

    @property
    def words(self) -> str:
        return f"{self.text} is {self.holder}; {self.when}. {self.then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A group's next numbers, those of the next hundred that are held, and when Sage was last asked."""

    texts: tuple[str, ...]
    collisions: tuple[Collision, ...]
    read_at: datetime | None
    asks_sage: bool


PASSED = "Reflow passes over it, and says so in the register."
STOPS = "Sage would refuse it: choose another start or prefix before."
SHARED = "Whoever is second is refused: give Reflow a prefix of its own."


def asks_sage(connection: Connection | None, key: str) -> bool:
    """Whether the numbers of this group are given to Sage, so that Sage can tell whether they are free."""
    ours = connection and connection.is_active and not connection.options.platform_numbers
    return bool(ours) and key == Group.INVOICES


def forecast(connection: Connection | None, key: str) -> Forecast:
    """From the rows and what was last read; Sage is not asked."""
    group = Group.objects.get(pk=key)
    texts = texts_ahead(group, count=LOOK)
    kept = _kept(connection) if connection and asks_sage(connection, key) else None
    entries = kept.read() if kept else ()
    found = {**_in_sage(texts, entries), **_known(texts)}
    ahead = [one for n, text in enumerate(texts) if (one := _collision(text, n, found.get(text.upper())))]
    shared = next((_shared(group, entry.code) for entry in entries if entry.id == NEXT), None)
    return Forecast(
        texts=tuple(texts[:SHOWN]),
        collisions=tuple(ahead + ([shared] if shared else [])),
        read_at=kept.read_at if kept else None,
        asks_sage=asks_sage(connection, key),
    )


def _kept(connection: Connection) -> Catalogue | None:
    return Catalogue.objects.filter(connection=connection, kind=KIND).first()


Held = tuple[str, str]  # what holds it, and what will happen


def _in_sage(texts: list[str], entries: tuple[Entry, ...]) -> dict[str, Held]:
    wanted = {text.upper() for text in texts}
    return {
        entry.code.upper(): (f"held in Sage by {entry.name or 'another invoice'}", STOPS)
        for entry in entries
        if entry.id != NEXT and entry.code.upper() in wanted
    }


def _known(texts: list[str]) -> dict[str, Held]:
    """Those that Reflow itself knows, and so passes over."""
    upper = [text.upper() for text in texts]
    remote = RemoteInvoice.objects.alias(upper=Upper("number")).filter(upper__in=upper)
    clients = remote.values_list("number", "invoice__client__name")
    found = {number.upper(): (f"held in Sage by {client}", PASSED) for number, client in clients}
    return {text: ("given already here", PASSED) for text in given_among(texts)} | found


def _collision(text: str, away: int, held: Held | None) -> Collision | None:
    return Collision(text=text, away=away, holder=held[0], then=held[1]) if held else None


def _shared(group: Group, next_over_there: str) -> Collision | None:
    """Sage counts in the same series: invoices raised there by hand get numbers that Reflow comes to, or has given."""
    figures = next_over_there[len(group.prefix) :]
    if group.suffix or next_over_there[: len(group.prefix)].upper() != group.prefix.upper() or not figures.isdecimal():
        return None
    holder = "what Sage gives the next invoice that is raised there by hand"
    away = max(0, int(figures) - group.next_value)
    return Collision(text=group.pattern.text(int(figures)), away=away, holder=holder, then=SHARED)


def is_old(connection: Connection, now: datetime, age: timedelta = AGE) -> bool:
    return not Catalogue.objects.filter(connection=connection, kind=KIND, read_at__gt=now - age).exists()


def refresh(connection: Connection, *, now: datetime) -> None:
    """Asks Sage which of the next numbers it holds, and which it would give next. Raises PlatformError."""
    texts = texts_ahead(Group.objects.get(pk=Group.INVOICES), count=LOOK)
    connector = open_connector(connection)
    entries = [Entry(id=one.id, name=one.client_name, code=one.number) for one in connector.find_numbers(texts)]
    if coming := connector.next_number():
        entries.append(Entry(id=NEXT, name="", code=coming))
    Catalogue.keep(connection=connection, kind=KIND, entries=tuple(entries), now=now)


def look_ahead(connection: Connection | None, *, now: datetime) -> None:
    """What a worker does now and then, so that the warning is there before anybody opens the page."""
    if connection and asks_sage(connection, Group.INVOICES) and is_old(connection, now, HOURLY):
        refresh(connection, now=now)


def forget(connection: Connection | None) -> None:
    """The group counts otherwise from now on: what was read is about other numbers."""
    Catalogue.objects.filter(connection=connection, kind=KIND).delete()


__all__ = ["Collision", "Forecast", "PlatformError", "forecast", "forget", "is_old", "look_ahead", "refresh"]
