"""The live connection: its connector, its lists and what is chosen of them, its settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors import lifecycle, links, tokens
from connectors.heard import Said
from connectors.interface import (
    Connector,
    DocumentKind,
    Entry,
    Fix,
    ItemBook,
    NewClient,
    NewItem,
    Problem,
    Reconnect,
    Rejected,
)
from connectors.links import Ours
from connectors.models import Catalogue, Connection, Credential, RemoteLink
from connectors.options import SEND_ON_APPROVAL, Kind
from connectors.registry import PLATFORMS, endpoints

CATALOGUE_AGE = timedelta(minutes=1)
DEADLINE = timedelta(seconds=25) / settings.CLOCK_DIVISOR  # of one call; below the 40 s lease of a push


class NoCall(Exception):
    """A call to the platform would be needed where none may be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What goes on beside the calls of a connector.

    `heard` is told what each call that writes was answered; `meanwhile` is done while it is on its way. Without `calls`
    NoCall is raised where one would be made.
    """

    heard: Callable[[Said], None] = lambda said: None
    meanwhile: Callable[[], None] | None = None
    calls: bool = True


NOTHING = Beside()
SENDS_ON_APPROVAL = f"""EXISTS (
    SELECT FROM connectors_connection WHERE state <> '{Connection.State.DISCONNECTED}'
    AND coalesce(sync_settings->>'{SEND_ON_APPROVAL.name}', '{SEND_ON_APPROVAL.default}') = 'ON')"""


class ChoiceRefused(Exception):
    """What was chosen is not, or no longer, in the platform's list; the message says so."""


def live_connection() -> Connection | None:
    return next(iter(Connection.objects.raw(*_live())), None)


@cache
def _live() -> tuple[str, tuple[object, ...]]:
    """Put into SQL once, as every page asks it."""
    asked, given = Connection.objects.live().order_by("pk")[:1].query.sql_with_params()
    return f"/* planned: live */ {asked}", given


def platform_of(connection: Connection) -> type[Connector]:
    """What the platform is by itself: its names, limits and lanes."""
    return PLATFORMS[connection.platform]


def open_connector(
    connection: Connection,
    *,
    push: str = "",
    may_leave: Callable[[], bool] = lambda: True,
    deadline: timedelta = DEADLINE,
    beside: Beside = NOTHING,
    kind: str = DocumentKind.INVOICE,
) -> Connector:
    """The platform's side of a connection, for one kind of document, with tokens that renew themselves.

    `push` marks its log lines; `may_leave` is asked before the first byte of what writes; `deadline` is of one call.
    """
    where = endpoints(connection.platform)
    return PLATFORMS[connection.platform](
        api_url=where.api_url,
        bearer=lambda refused: tokens.bearer(connection, where, refused) if beside.calls else _no_call(),
        deadline=deadline,
        company_id=connection.company_id,
        options=connection.options,
        push=push,
        may_leave=may_leave,
        answered=lambda: lifecycle.keep_contact(connection, now=timezone.now()),
        heard=beside.heard,
        meanwhile=beside.meanwhile,
        kind=DocumentKind(kind),
    )


def _no_call() -> str:
    raise NoCall


def catalogue(
    connection: Connection, kind: Kind, *, now: datetime, max_age: timedelta = CATALOGUE_AGE
) -> tuple[Entry, ...]:
    """The platform's list, at most a minute old unless an older one will do."""
    kept = Catalogue.objects.filter(connection=connection, kind=kind, read_at__gt=now - max_age).first()
    if kept:
        return kept.read()
    entries = open_connector(connection).catalogue(kind)
    Catalogue.keep(connection=connection, kind=kind, entries=entries, now=now)
    return entries


def _chosen(connection: Connection, kind: Kind, entry_id: str, now: datetime) -> Entry:
    for entry in catalogue(connection, kind, now=now):
        if entry.id == entry_id:
            return entry
    raise ChoiceRefused("That is not, or no longer, in Sage's list. Choose another.")


def choose_account(connection: Connection, kind: Kind, entry_id: str, *, now: datetime) -> Entry:
    """Sets the default nominal code (sales) or the default purchase ledger account, from the platform's list."""
    entry = _chosen(connection, kind, entry_id, now)
    side = "sales" if kind is Kind.SALES_ACCOUNTS else "purchase"
    Connection.objects.filter(pk=connection.pk).update(
        **{f"{side}_account_id": entry.id, f"{side}_account_name": f"{entry.code} {entry.name}".strip()}
    )
    return entry


def map_tax_rates(connection: Connection, choices: Mapping[str, str], *, now: datetime) -> None:
    """Our rates' codes -> ids of the platform's rates, all or none."""
    entries = {code: _chosen(connection, Kind.TAX_RATES, chosen, now) for code, chosen in choices.items()}
    with transaction.atomic():
        for code, entry in entries.items():
            RemoteLink.objects.update_or_create(
                connection=connection,
                kind=RemoteLink.Kind.TAX_RATE,
                local_key=code,
                defaults={
                    "remote_id": entry.id,
                    "remote_name": entry.name,
                    "percentage": entry.percentage,
                    "linked_at": now,
                },
            )


def tax_links(connection: Connection) -> dict[str, RemoteLink]:
    """Our tax rates' codes -> their links."""
    links = RemoteLink.objects.filter(connection=connection, kind=RemoteLink.Kind.TAX_RATE)
    return {link.local_key: link for link in links}


def client_ours(connector: Connector, connection: Connection, client: NewClient, local_key: UUID) -> Ours:
    """How a client of ours is found and created over there."""
    return Ours(
        kind=RemoteLink.Kind.CLIENT,
        local_key=str(local_key),
        name=client.name,
        fix=Fix.CLIENT_LINK,
        find=lambda: connector.find_clients(client),
        create=lambda key: connector.create_client(client, key),
        key=lambda generation: links.key_for(connection.company_id, str(local_key), generation),
    )


def item_ours(items: ItemBook, connection: Connection, item: NewItem, local_key: UUID) -> Ours:
    """How an item of ours is found and created over there."""
    return Ours(
        kind=RemoteLink.Kind.ITEM,
        local_key=str(local_key),
        name=item.code,
        fix=Fix.ITEM_LINK,
        find=lambda: items.find_items(item),
        create=lambda key: items.create_item(item, key),
        key=lambda generation: links.key_for(connection.company_id, str(local_key), generation),
    )


def account_ids(connection: Connection, codes: set[str], *, now: datetime) -> dict[str, str]:
    """Nominal codes -> the platform's accounts. The list is read again only when a code is not in it as last read.

    Raises Rejected for a code that the platform's sales accounts do not have.
    """
    known = {entry.code: entry.id for entry in Catalogue.kept(connection, Kind.SALES_ACCOUNTS)}
    if codes - known.keys():
        known = {entry.code: entry.id for entry in catalogue(connection, Kind.SALES_ACCOUNTS, now=now)}
    if missing := codes - known.keys():
        message = f"Sage has no sales account with the nominal code {', '.join(sorted(missing))}."
        raise Rejected((Problem(message=message, meaning=message, fix=Fix.INVOICE),))
    return {code: known[code] for code in codes}


def set_sync_settings(connection: Connection, chosen: Mapping[str, str]) -> None:
    """Keeps the settings this platform has; they hold from the next invoice that is sent.

    Where one of them makes another list be offered than before, what was chosen from that list is chosen anew.
    """
    settings = platform_of(connection).settings
    kept = {setting.name: chosen[setting.name] for setting in settings if setting.name in chosen}
    before = connection.sync_settings
    changed = [one for one in settings if kept.get(one.name, one.default) != before.get(one.name, one.default)]
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(sync_settings=kept)
        _forget(connection, {kind for setting in changed for kind in setting.clears})


def _forget(connection: Connection, kinds: set[Kind]) -> None:
    Catalogue.objects.filter(connection=connection, kind__in=kinds).delete()
    if Kind.SALES_ACCOUNTS in kinds:
        Connection.objects.filter(pk=connection.pk).update(sales_account_id="", sales_account_name="")
    if Kind.TAX_RATES in kinds:
        RemoteLink.objects.filter(connection=connection, kind=RemoteLink.Kind.TAX_RATE).delete()


def refresh_expires_at(connection: Connection) -> datetime | None:
    """When the authorisation dies if nobody uses it; None where the platform does not say."""
    return Credential.objects.filter(connection=connection).values_list("refresh_expires_at", flat=True).first()


def pause(connection: Connection, *, until: datetime) -> None:
    """Nothing more is sent over this connection until then; a longer pause that holds already goes on."""
    shorter = Q(paused_until=None) | Q(paused_until__lt=until)
    Connection.objects.filter(shorter, pk=connection.pk).update(paused_until=until)


def needs_reconnect(connection: Connection) -> None:
    """The queue waits, and one banner asks an admin to authorise again, unless one has done so since we read it."""
    same = Connection.objects.filter(pk=connection.pk, authorised_at=connection.authorised_at)
    same.filter(state=Connection.State.ACTIVE).update(state=Connection.State.RECONNECT)


__all__ = ["ChoiceRefused", "Reconnect"]
