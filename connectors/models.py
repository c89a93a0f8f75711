"""A connection to one company's books, its tokens as ciphertext, what ours is called over there, and its lists."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from connectors.interface import Entry
from connectors.options import Options, options_of
from connectors.registry import PLATFORMS


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def live(self) -> "ConnectionQuerySet":
        return self.exclude(state=Connection.State.DISCONNECTED)


class Connection(models.Model):
    """One authorisation to work in one company's books; a different company is a different connection.

    With a `username` no person's sign-in stands behind it, but a user made for programs in the platform itself.
    `contact_at` is when the platform last answered a call as asked, to the minute.
    """

    class State(models.TextChoices):
        CHOOSING = "CHOOSING", "Organisation not chosen"
        ACTIVE = "ACTIVE", "Connected"
        RECONNECT = "RECONNECT", "Authorise again"
        DISCONNECTING = "DISCONNECTING", "Disconnecting"
        DISCONNECTED = "DISCONNECTED", "Disconnected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=30)
    state = models.CharField(max_length=15, choices=State)
    username = models.CharField(max_length=150, blank=True)
    company_id = models.CharField(max_length=100, blank=True)
    company_name = models.CharField(max_length=200, blank=True)
    sales_account_id = models.CharField(max_length=100, blank=True)
    sales_account_name = models.CharField(max_length=200, blank=True)
    purchase_account_id = models.CharField(max_length=100, blank=True)
    purchase_account_name = models.CharField(max_length=200, blank=True)
    sync_settings = models.JSONField(default=dict)
    authorised_at = models.DateTimeField()
    authorised_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    paused_until = models.DateTimeField(null=True)
    disconnected_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)
    contact_at = models.DateTimeField(null=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=~Q(state="DISCONNECTED"),
                name="connection_one_is_live",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["CHOOSING", "DISCONNECTED"]) | ~Q(company_id=""),
                name="connection_active_has_a_company",
            ),
            models.CheckConstraint(
                condition=Q(state="DISCONNECTED", disconnected_at__isnull=False)
                | ~Q(state="DISCONNECTED") & Q(disconnected_at__isnull=True),
                name="connection_disconnected_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["platform", "company_id"], condition=~Q(company_id=""), name="connection_one_for_each_company"
            ),
        ]

    def __str__(self) -> str:
        return self.company_name or self.platform

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def options(self) -> Options:
        return options_of(self.sync_settings, PLATFORMS[self.platform].settings)


class Credential(models.Model):
    """The tokens of a connection, encrypted; `generation` counts renewals, the lease lets one process renew."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True)
    generation = models.PositiveIntegerField(default=1)
    access = models.TextField()
    refresh = models.TextField()
    access_expires_at = models.DateTimeField()
    refresh_expires_at = models.DateTimeField(null=True)
    renewing_until = models.DateTimeField(null=True)
    renewing_fence = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"Credential of {self.connection_id}"


class Budget(models.Model):
    """When the calls to the platform of the last minute were made, all workers' together."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True)
    calls = ArrayField(models.DateTimeField(), default=list)

    def __str__(self) -> str:
        return f"{len(self.calls)} calls for {self.connection_id}"


class LiveDatabase(models.Model):
    """Which database an admin last called the live one; in a copy of it this row still names the original.

    Since `confirmed_at` it is this one instead of the one it was copied from, which went on alone after `copied_at`.
    Until `caught_up_at` nobody knows which numbers were given in the meantime. `missed` is what Sage holds from then
    that this database knows nothing of, each as [our number, client, total].
    """

    identity = models.CharField(max_length=100)
    copied_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    caught_up_at = models.DateTimeField(null=True)
    missed = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="live_database_is_one")]

    def __str__(self) -> str:
        return self.identity


class RemoteLink(models.Model):
    """What one of our clients, items, tax rates or properties is called in the connected books. `local_key` is ours."""

    class Kind(models.TextChoices):
        CLIENT = "CLIENT", "Client"
        ITEM = "ITEM", "Item"
        TAX_RATE = "TAX_RATE", "Tax rate"
        LOCATION = "LOCATION", "Location"
        DEPARTMENT = "DEPARTMENT", "Department"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="links")
    kind = models.CharField(max_length=10, choices=Kind)
    local_key = models.CharField(max_length=40)
    remote_id = models.CharField(max_length=100)
    remote_name = models.CharField(max_length=255)
    percentage = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    linked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "local_key"], name="link_one_for_each_of_ours"),
            models.UniqueConstraint(
                fields=["connection", "kind", "remote_id"],
                condition=Q(kind__in=["CLIENT", "ITEM"]),
                name="link_one_of_ours_for_each_of_theirs",
            ),
            models.CheckConstraint(condition=~Q(remote_id=""), name="link_names_something"),
        ]

    def __str__(self) -> str:
        return f"{self.local_key} is {self.remote_name}"


class Creation(models.Model):
    """A client or item being created over there: on record before its first byte, so that its key is never lost."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="creations")
    kind = models.CharField(max_length=10, choices=RemoteLink.Kind)
    local_key = models.CharField(max_length=40)
    generation = models.PositiveIntegerField(default=1)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "local_key"], name="creation_one_for_each_of_ours")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.local_key}"


class Catalogue(models.Model):
    """A list of the platform's as last read, so that a page that searches it asks Sage once, not at each key."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="catalogues")
    kind = models.CharField(max_length=20)
    entries = models.JSONField()
    read_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "kind"], name="catalogue_one_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.read_at:%H:%M}"

    @classmethod
    def keep(cls, *, connection: Connection, kind: str, entries: tuple[Entry, ...], now: datetime) -> None:
        rows = [{"id": e.id, "name": e.name, "code": e.code, "percentage": _text(e.percentage)} for e in entries]
        cls.objects.update_or_create(connection=connection, kind=kind, defaults={"entries": rows, "read_at": now})

    @classmethod
    def kept(cls, connection: Connection, kind: str) -> tuple[Entry, ...]:
        """The list as it was last read, however old; empty where it never was."""
        found = cls.objects.filter(connection=connection, kind=kind).first()
        return found.read() if found else ()

    def read(self) -> tuple[Entry, ...]:
        return tuple(_entry(row) for row in self.entries)


def _text(percentage: Decimal | None) -> str | None:
    return None if percentage is None else str(percentage)


def _entry(row: dict[str, Any]) -> Entry:
    percentage = row["percentage"]
    return Entry(
        id=row["id"],
        name=row["name"],
        code=row["code"],
        percentage=None if percentage is None else Decimal(percentage),
    )
