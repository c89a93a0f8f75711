"""A restored copy becomes the live database: first it finds out which numbers were given since it was copied.

Whoever goes on from a backup has forgotten what was sent after it. So nothing is numbered or sent until Sage was asked
what it was told in the meantime; and each invoice that was there when the copy was made is looked for before it is
sent for the first time (`claims`, `push`).
"""

import logging
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from connectors import epoch
from connectors import services as connectors
from connectors.interface import BookedInvoice, PlatformError, Reconnect
from connectors.models import Connection
from incrementors.models import Group, Number
from incrementors.services import OWN_GROUPS, skip_past
from invoices import mailing
from invoices.looks import CLOCKS_APART, changed_since
from invoices.models import Event, Invoice

log = logging.getLogger(__name__)

MEANWHILE = "It was or may have been given before this database was restored from a backup."
MOST_MISSED = 1000  # that are shown


def last_known(now: datetime) -> datetime:
    """The last moment of which this database knows anything."""
    moments = (
        Event.objects.aggregate(last=Max("happened_at"))["last"],
        Number.objects.aggregate(last=Max("given_at"))["last"],
    )
    return max((moment for moment in moments if moment), default=now)


def confirm(*, actor: User, now: datetime) -> None:
    """An admin says that this copy is the live one; a worker then asks Sage what it missed."""
    with transaction.atomic():
        confirmed = epoch.confirm(copied_at=last_known(now), actor=actor, now=now)
        if confirmed:
            mailing.doubt_all(now=now)
    if confirmed:
        log.warning("A restored copy was confirmed as the live database.")


def catch_up(*, now: datetime) -> None:
    """Asks Sage, where that was not done since the confirmation; while Sage can't be asked, all goes on waiting."""
    row = epoch.confirmed()
    if row is None or row.caught_up_at or epoch.is_copy():
        return
    connection = connectors.live_connection()
    if connection is None or not connection.company_id:
        epoch.caught_up()
    elif connection.state != Connection.State.RECONNECT:
        _ask(connection, since=(row.copied_at or now) - CLOCKS_APART, now=now)


def _ask(connection: Connection, *, since: datetime, now: datetime) -> None:
    try:
        changed = [
            one
            for kind in connectors.platform_of(connection).kinds
            for one in changed_since(connectors.open_connector(connection, kind=kind), since)
        ]
    except PlatformError as error:
        log.warning("Could not find out what was given before the restore: %s", error.message)
        if isinstance(error, Reconnect):
            connectors.needs_reconnect(connection)
        return
    with transaction.atomic():
        texts = [text for one in changed for text in (one.invoice.number, one.invoice.reference)]
        passed = sum(skip_past(texts, key=key, reason=MEANWHILE, now=now) for key in OWN_GROUPS)
        epoch.caught_up(_missed(changed))
    log.warning("Caught up with Sage after a restore: %s numbers were given meanwhile.", passed)


def _missed(changed: list[BookedInvoice]) -> list[list[str]]:
    """What carries a number of our patterns that no invoice or credit note here has."""
    patterns = [group.pattern for group in Group.objects.filter(pk__in=OWN_GROUPS)]
    references = {one.invoice.reference: one for one in changed}
    ours = {text: one for text, one in references.items() if any(p.value(text) is not None for p in patterns)}
    known = set(Invoice.objects.filter(number__in=ours).values_list("number", flat=True))
    missing = sorted(ours.keys() - known)[:MOST_MISSED]
    return [[text, ours[text].invoice.client_name, str(ours[text].invoice.total)] for text in missing]
