"""The digest by e-mail: once a day what is held and why, and at once, but once, what holds everything.

A row is written before a mail leaves, so that of two senders one sends; where the mail server can't be reached the row
goes again, and the next round tries anew.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import localtime

from connectors.models import Connection
from connectors.services import live_connection
from invoices import trouble
from invoices.models import DigestMail, DigestWish, Push
from invoices.trouble import Group

log = logging.getLogger(__name__)

RECONNECT, AWAY = "RECONNECT", "AWAY"
LONG = timedelta(hours=1) / settings.CLOCK_DIVISOR  # without an answer, while something waits
SUBJECTS = {
    RECONNECT: "Sage no longer accepts our authorisation: no invoice goes",
    AWAY: "Sage has not answered for an hour: no invoice goes",
}
MAY = "connectors.change_connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What is held, as the mail says it."""

    groups: list[Group]
    more: int
    attention: int
    waiting: int
    parked: int
    oldest_parked: datetime | None

    @property
    def says_nothing(self) -> bool:
        return not (self.groups or self.parked)


def digest_of(connection: Connection | None) -> Digest:
    found, counts = trouble.groups(connection), trouble.counts(connection)
    parked = trouble.held(connection).filter(state=Push.State.PARKED).order_by("held_at")
    return Digest(
        groups=trouble.shown(found[: trouble.MOST_GROUPS]),
        more=len(found[trouble.MOST_GROUPS :]),
        attention=counts[Push.State.ATTENTION],
        waiting=counts[Push.State.READY],
        parked=counts[Push.State.PARKED],
        oldest_parked=parked.values_list("held_at", flat=True).first(),
    )


def send_due(*, now: datetime) -> None:
    """Today's digest to whoever wants it by now, and what holds everything to all of them."""
    if not settings.MAIL_IS_SET_UP:
        return
    connection, local = live_connection(), localtime(now)
    holding = holds_everything(connection, now)
    _forget_what_healed(connection, holding)
    if holding and connection:
        waiting = trouble.counts(connection)[Push.State.READY]
        for wish in _wishes(holding):
            _send(wish, holding, SUBJECTS[holding], "held", {"waiting": waiting, "kind": holding}, now)
    day = local.date().isoformat()
    due = [wish for wish in _wishes(day) if wish.hour <= local.hour]
    if due:
        told = digest_of(connection)
        count = f"{told.attention} invoice{' needs' if told.attention == 1 else 's need'} attention"
        subject = count if told.attention else f"{told.parked} parked"
        for wish in due:
            _send(wish, day, f"Sage: {subject}", "digest", {"digest": told}, now)


def _wishes(about: str) -> Iterator[DigestWish]:
    """Who has not been told of it, wants to be, and still may."""
    told = DigestMail.objects.filter(person=OuterRef("person"), about=about)
    wishes = DigestWish.objects.filter(~Exists(told), person__is_active=True).exclude(person__email="")
    return (wish for wish in wishes.select_related("person") if wish.person.has_perm(MAY))


def _send(wish: DigestWish, about: str, subject: str, name: str, context: dict[str, object], now: datetime) -> None:
    """Nothing where somebody else has just sent it, or where there is nothing to say that day."""
    try:
        with transaction.atomic():
            row = DigestMail.objects.create(person=wish.person, about=about, sent_at=now)
    except IntegrityError:
        return
    told = context.get("digest")
    if isinstance(told, Digest) and told.says_nothing:
        return
    address = settings.SITE_URL + reverse("sync-centre")
    body = render_to_string(f"sync/mail_{name}.txt", {**context, "person": wish.person, "address": address, "now": now})
    server = get_connection()
    try:
        server.open()
    except OSError as error:  # smtplib's own are OSErrors, too; nothing has left
        log.warning("The mail server can't be reached for a digest: %s", type(error).__name__)
        row.delete()
        return
    try:
        EmailMessage(subject, body, to=[wish.person.email], connection=server).send()
    except OSError as error:
        log.warning("The mail server did not take a digest: %s", type(error).__name__)
    finally:
        server.close()


def holds_everything(connection: Connection | None, now: datetime) -> str:
    """The one kind of trouble that keeps every invoice from going; "" where none does."""
    if connection is None:
        return ""
    if connection.state == Connection.State.RECONNECT:
        return RECONNECT
    waiting = _waiting(connection, now)
    heard_at = connection.contact_at or connection.authorised_at
    return AWAY if connection.is_active and heard_at < now - LONG and waiting.exists() else ""


def _waiting(connection: Connection, now: datetime) -> QuerySet[Push]:
    """What has been tried for as long, and would go by now."""
    waiting = Push.objects.filter(connection=connection, state=Push.State.READY, requested_at__lt=now - LONG)
    return waiting.filter(attempts__isnull=False)


def _forget_what_healed(connection: Connection | None, holding: str) -> None:
    """So that it is told anew when it comes again; Sage is back once it has answered."""
    told = DigestMail.objects.filter(about__in=[RECONNECT, AWAY])
    if holding != RECONNECT:
        told.filter(about=RECONNECT).delete()
    if connection is None:
        told.delete()
    elif connection.contact_at:
        told.filter(about=AWAY, sent_at__lt=connection.contact_at).delete()
