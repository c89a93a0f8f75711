"""A property's own location and department in the connected books, where its platform keeps such lists."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django import forms

from connectors.models import Connection, RemoteLink
from connectors.options import Kind
from connectors.services import live_connection, platform_of
from invoices.list_fields import Lists, kept_name
from invoices.models import Property


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One of them: what it is called on screen, the platform's list, and the sort of link that keeps it."""

    name: str
    listed: Kind
    linked: RemoteLink.Kind


DIMENSIONS = (
    Dimension(name="location", listed=Kind.LOCATIONS, linked=RemoteLink.Kind.LOCATION),
    Dimension(name="department", listed=Kind.DEPARTMENTS, linked=RemoteLink.Kind.DEPARTMENT),
)


def working_connection() -> Connection | None:
    connection = live_connection()
    return connection if connection and connection.is_active else None


def _of(connection: Connection) -> Iterator[Dimension]:
    return (one for one in DIMENSIONS if one.listed in platform_of(connection).lists)


def _links(connections: Iterable[Connection], sites: Iterable[Property]) -> dict[tuple[str, str], RemoteLink]:
    keys, kinds = [str(site.pk) for site in sites], [one.linked for one in DIMENSIONS]
    found = RemoteLink.objects.filter(connection__in=connections, kind__in=kinds, local_key__in=keys)
    return {(link.local_key, link.kind): link for link in found}


def fields(connection: Connection, site: Property) -> dict[str, forms.ChoiceField]:
    """A select for each of them, by name; empty where the platform keeps none of these lists."""
    lists, links = Lists(connection), _links([connection], [site] if site.pk else [])
    made = {}
    for one in _of(connection):
        link = links.get((str(site.pk), one.linked))
        made[one.name] = lists.field(
            one.listed,
            link.remote_id if link else "",
            name=link.remote_name if link else "",
            nothing="The connection's default",
            label=one.name.capitalize(),
            help_text="In Sage, lines of this property's invoices are posted to it.",
        )
    return made


def keep(connection: Connection, site: Property, chosen: Mapping[str, str], *, now: datetime) -> None:
    """Keeps what was chosen on these selects; "" is the connection's default, which is no link."""
    links = _links([connection], [site])
    for one in _of(connection):
        stored, remote_id = links.get((str(site.pk), one.linked)), chosen.get(one.name, "")
        if stored and not remote_id:
            stored.delete()
        elif remote_id and not (stored and stored.remote_id == remote_id):
            name = kept_name(connection, one.listed, remote_id)
            RemoteLink.objects.update_or_create(
                connection=connection,
                kind=one.linked,
                local_key=str(site.pk),
                defaults={"remote_id": remote_id, "remote_name": name, "linked_at": now},
            )


def show_on(sites: Iterable[Property]) -> None:
    """Puts what each property is posted to onto it, as `posted_to`: names, in the order they are chosen in."""
    links = _links(Connection.objects.filter(state=Connection.State.ACTIVE), sites)
    for site in sites:
        found = (links.get((str(site.pk), one.linked)) for one in DIMENSIONS)
        site.posted_to = [link.remote_name for link in found if link]  # type: ignore[attr-defined]
