"""A CSV file that somebody brings: kept until it is imported, checked before anything is written, undone whole."""

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from invoices.models.business import Client, Item
from invoices.models.invoice import STRETCH, Invoice

LARGEST_FILE = 20 * 1024 * 1024
MOST_ROWS = 50_000


class ImportQuerySet(models.QuerySet["Import"]):
    def due(self, now: datetime) -> "ImportQuerySet":
        """To be gone on with: nobody is at it, or whoever was has died."""
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        return self.filter(free, state__in=[Import.State.CHECKING, Import.State.IMPORTING])


class Import(models.Model):
    """One file. While a worker is at it, `fence` says which one, and `lease_until` how long it is believed to live."""

    class Kind(models.TextChoices):
        CLIENTS = "CLIENTS", "Clients"
        ITEMS = "ITEMS", "Items"
        INVOICES = "INVOICES", "Invoices"

    class State(models.TextChoices):
        CHECKING = "CHECKING", "Being checked"
        CHECKED = "CHECKED", "Checked"
        IMPORTING = "IMPORTING", "Being imported"
        DONE = "DONE", "Imported"
        UNDONE = "UNDONE", "Undone"
        FAILED = "FAILED", "Not read"

    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.CHECKING)
    file_name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    content = models.BinaryField(default=b"")
    """The very bytes that were checked; emptied once they are imported, can't be read, or nobody came back."""
    uploaded_at = models.DateTimeField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    read_as = models.CharField(max_length=200, blank=True)
    columns = models.JSONField(default=list)
    """For each column of the file its heading, its first value, and the field it is read into."""
    rows = models.PositiveIntegerField(default=0)
    bad_rows = models.PositiveIntegerField(default=0)
    found = models.JSONField(default=dict)
    """What the check found: errors and notices, each [row, column, message], examples, and what they come to."""
    to_create = models.PositiveIntegerField(default=0)
    already_here = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = ImportQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["-uploaded_at", "-id"], name="import_latest_first")]
        constraints = [
            models.CheckConstraint(condition=Q(size__lte=LARGEST_FILE), name="import_is_not_endless"),
            models.CheckConstraint(
                condition=~Q(state__in=["IMPORTING", "DONE", "UNDONE"])
                | Q(confirmed_at__isnull=False, confirmed_by__isnull=False, bad_rows=0),
                name="import_was_confirmed_without_errors",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["DONE", "UNDONE"], ended_at__isnull=False)
                | ~Q(state__in=["DONE", "UNDONE"]) & Q(ended_at__isnull=True),
                name="import_ends_once",
            ),
            models.CheckConstraint(condition=~Q(state="FAILED") | ~Q(trouble=""), name="import_failed_says_why"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_moving(self) -> bool:
        """It will change by itself."""
        return self.state in (self.State.CHECKING, self.State.IMPORTING)

    @property
    def may_confirm(self) -> bool:
        return bool(self.state == self.State.CHECKED and self.to_create and not self.bad_rows)


class ImportedRow(models.Model):
    """What an import made, by the key that the file names it with: the same key is never made twice."""

    brought_by = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="made")
    kind = models.CharField(max_length=10, choices=Import.Kind)
    key = models.CharField(max_length=250)
    digest = models.CharField(max_length=64)
    """Of what the file said of it, so that another content under the same key is noticed."""
    client = models.OneToOneField(Client, on_delete=models.PROTECT, null=True, related_name="brought")
    item = models.OneToOneField(Item, on_delete=models.PROTECT, null=True, related_name="brought")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, related_name="brought")

    class Meta:
        default_permissions = ()
        indexes = [
            GinIndex(
                OpClass(Upper("key"), "gin_trgm_ops"),
                F("invoice_id") / STRETCH,
                name="imported_words_by_stretch",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="imported_row_is_made_once"),
            models.CheckConstraint(
                condition=Q(kind="CLIENTS", client__isnull=False, item=None, invoice=None)
                | Q(kind="ITEMS", client=None, item__isnull=False, invoice=None)
                | Q(kind="INVOICES", client=None, item=None, invoice__isnull=False),
                name="imported_row_made_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.key
