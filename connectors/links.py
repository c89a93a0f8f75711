"""What ours is called over there: linked once, by finding it or by creating it, and never by guessing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from connectors.interface import Fix, OutcomeUnknown, Problem, Rejected, TryLater
from connectors.models import Connection, Creation, RemoteLink

QUIET = timedelta(seconds=330) / settings.CLOCK_DIVISOR  # from a call whose answer says nothing to its proven absence


class Theirs(Protocol):
    """A client or an item as the platform keeps it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """One of ours that needs its counterpart: how it is found and how it is created over there."""

    kind: RemoteLink.Kind
    local_key: str
    name: str
    fix: Fix
    find: Callable[[], Sequence[Theirs]]
    create: Callable[[str], Theirs]
    key: Callable[[int], str]


def ensure(connection: Connection, ours: Ours, *, now: datetime) -> str:
    """The id over there: linked before, else the only one found, else created.

    Raises Rejected when several could be it, as which one is for a person to say; TryLater when it isn't known
    whether it was created: then the next try looks first.
    """
    links = RemoteLink.objects.filter(connection=connection, kind=ours.kind)
    if link := links.filter(local_key=ours.local_key).first():
        return link.remote_id
    taken = set(links.values_list("remote_id", flat=True))
    found = [one for one in ours.find() if one.id not in taken]
    if len(found) > 1:
        raise Rejected((_question(ours, found),))
    if not found:
        return create(connection, ours, now=now)
    return link_to(connection, ours.kind, ours.local_key, found[0].id, found[0].name, now=now)


def _question(ours: Ours, found: Sequence[Theirs]) -> Problem:
    names = ", ".join(one.name for one in found[:5])
    return Problem(
        message=f"In Sage there are: {names}.",
        code="SEVERAL",
        meaning=f"Several in Sage could be {ours.name}. Say which one it is.",
        fix=ours.fix,
        subject=ours.local_key,
    )


def create(connection: Connection, ours: Ours, *, now: datetime) -> str:
    """Creates and links. On record first, with its key; an answer that says nothing may have spent the key.

    And what it answered may still come, as where a gateway gives up and the platform goes on: for a while it is only
    looked for, and nothing new is created. Raises TryLater then.
    """
    creation, _ = Creation.objects.get_or_create(
        connection=connection, kind=ours.kind, local_key=ours.local_key, defaults={"began_at": now}
    )
    if creation.generation > 1 and creation.ended_at is None and now < creation.began_at + QUIET:
        raise TryLater(f"Sage may be taking {ours.name} yet; it is looked for again.", alone=True)
    mine = Creation.objects.filter(pk=creation.pk)
    try:
        theirs = ours.create(ours.key(creation.generation))
    except OutcomeUnknown as error:
        if error.answered:
            mine.update(generation=F("generation") + 1, began_at=now, ended_at=None)
        raise TryLater(f"Sage did not say whether it took {ours.name}.", status=error.status) from None
    except Rejected:
        mine.update(generation=F("generation") + 1, ended_at=now)
        raise
    mine.update(ended_at=now)
    return link_to(connection, ours.kind, ours.local_key, theirs.id, theirs.name, now=now)


def link_to(
    connection: Connection, kind: str, local_key: str, remote_id: str, remote_name: str, *, now: datetime
) -> str:
    """Links ours to theirs; where somebody was quicker, theirs is what that person chose.

    Raises Rejected when theirs is another one of ours already.
    """
    try:
        with transaction.atomic():
            RemoteLink.objects.create(
                connection=connection,
                kind=kind,
                local_key=local_key,
                remote_id=remote_id,
                remote_name=remote_name,
                linked_at=now,
            )
    except IntegrityError:
        quicker = RemoteLink.objects.filter(connection=connection, kind=kind, local_key=local_key).first()
        if quicker is None:
            message = f"{remote_name} in Sage belongs to another one of ours already."
            raise Rejected((Problem(message=message, meaning=message, subject=local_key),)) from None
        return quicker.remote_id
    return remote_id


def unlink(connection: Connection, kind: str, local_key: str, *, seen: int | None = None) -> None:
    """Forgets a link whose other end is gone, so that the next send finds or creates it anew.

    With the generation a person has `seen`, a second click on the same page is the same creation, under the same key.
    """
    RemoteLink.objects.filter(connection=connection, kind=kind, local_key=local_key).delete()
    created = Creation.objects.filter(connection=connection, kind=kind, local_key=local_key)
    (created if seen is None else created.filter(generation=seen)).update(generation=F("generation") + 1)


def generation(connection: Connection, kind: str, local_key: str) -> int:
    """Of its latest creation; 0 where there was none."""
    created = Creation.objects.filter(connection=connection, kind=kind, local_key=local_key)
    return created.values_list("generation", flat=True).first() or 0


def key_for(company_id: str, subject: str, generation: int) -> str:
    """An idempotency key: 32 hex digits shaped as a version 4 GUID, the same again after any restore."""
    digest = hashlib.sha256(f"{company_id}/{subject}/{generation}".encode()).digest()
    return UUID(bytes=digest[:16], version=4).hex
