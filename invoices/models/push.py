"""An invoice's way into the books: what the platform holds, the outbox row, and every attempt."""

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from connectors.interface import RemoteStatus
from connectors.models import Connection
from invoices.models.business import money
from invoices.models.invoice import STRETCH, Invoice

STATUSES = [(status.value, status.value.replace("_", " ").capitalize()) for status in RemoteStatus]


class RemoteInvoice(models.Model):
    """An invoice of ours, or one imported, as a connected company's books hold it; `remote_id` is the platform's token.

    `number` is empty while it is a draft there, or not read yet: `checked_at` is empty until somebody has looked.
    `is_shown` is false where another invoice was given that number first. `recoded` lists the lines that are on another
    account there than they were sent to, each as [position, account]. What was deleted there is gone since `gone_at`.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="remotes")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    remote_id = models.CharField(max_length=100)
    number = models.CharField(max_length=50, blank=True)
    url = models.URLField(max_length=500, blank=True)
    total = money()
    linked_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)
    is_draft = models.BooleanField(default=False)
    is_shown = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=STATUSES, default=RemoteStatus.OPEN)
    document_id = models.CharField(max_length=100, blank=True)
    recoded = models.JSONField(default=list)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "remote_id"], name="remote_invoice_is_of_one_invoice"),
            models.UniqueConstraint(
                fields=["connection", "document_id"],
                condition=~Q(document_id=""),
                name="remote_invoice_one_for_each_document",
            ),
            models.CheckConstraint(condition=~Q(remote_id=""), name="remote_invoice_has_a_token"),
        ]
        indexes = [
            GinIndex(
                OpClass(Upper("number"), "gin_trgm_ops"), F("invoice_id") / STRETCH, name="remote_words_by_stretch"
            ),
            models.Index(Upper("remote_id"), name="remote_invoice_by_token"),
            models.Index(Upper("number"), name="remote_by_number"),
            models.Index(fields=["connection", "id"], condition=Q(number=""), name="remote_number_to_come"),
        ]

    def __str__(self) -> str:
        return self.number or self.remote_id


class PushQuerySet(models.QuerySet["Push"]):
    def ready(self, now: datetime) -> "PushQuerySet":
        """Due to be sent over a connection that can send."""
        return self.filter(
            Q(connection__paused_until=None) | Q(connection__paused_until__lte=now),
            state=Push.State.READY,
            due_at__lte=now,
            connection__state=Connection.State.ACTIVE,
        )

    def to_look_up(self, now: datetime) -> "PushQuerySet":
        """Of unknown outcome, and quiet for long enough that a look tells something."""
        able = [Connection.State.ACTIVE, Connection.State.DISCONNECTING]
        return self.filter(state=Push.State.UNKNOWN, due_at__lte=now, connection__state__in=able)

    def abandoned(self, now: datetime) -> "PushQuerySet":
        """Their worker's lease ran out without a word."""
        return self.filter(state=Push.State.SENDING, lease_until__lt=now)


class Push(models.Model):
    """An invoice's way into one connection's books: the outbox row, of which there is one, ever.

    `cause_key` names what keeps it from going, the same for all that one mend lets go (see `causes`). It and `held_at`,
    since when it needs a person or is parked, are of the latest time that it was held.
    """

    class State(models.TextChoices):
        READY = "READY", "Waiting"
        SENDING = "SENDING", "Sending"
        UNKNOWN = "UNKNOWN", "Checking"
        ATTENTION = "ATTENTION", "Needs attention"
        PARKED = "PARKED", "Parked"
        CANCELLED = "CANCELLED", "Not sent"
        SENT = "SENT", "Sent"

    class Cause(models.TextChoices):
        NONE = "", "None"
        REJECTED = "REJECTED", "Sage refused it"
        NUMBER_TAKEN = "NUMBER_TAKEN", "Sage has this number already"
        DIFFERENT = "DIFFERENT", "Sage holds something else under this reference"
        SEVERAL = "SEVERAL", "Sage holds several under this reference"
        MISDIRECTED = "MISDIRECTED", "Another organisation answered"
        STOPPED = "STOPPED", "Reflow itself stopped over it"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="pushes", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="pushes")
    state = models.CharField(max_length=10, choices=State, default=State.READY)
    cause = models.CharField(max_length=12, choices=Cause, default=Cause.NONE, blank=True)
    cause_key = models.CharField(max_length=200, blank=True)
    problems = models.JSONField(default=list)
    held_at = models.DateTimeField(null=True)
    parked_because = models.CharField(max_length=200, blank=True)
    generation = models.PositiveIntegerField(default=1)
    fence = models.PositiveBigIntegerField(default=0)
    lane = models.PositiveSmallIntegerField(null=True)
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    remote = models.OneToOneField(RemoteInvoice, on_delete=models.PROTECT, null=True, related_name="push")
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sent_at = models.DateTimeField(null=True)

    objects = PushQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "pushes"
        constraints = [
            models.UniqueConstraint(fields=["invoice", "connection"], name="push_one_for_each_connection"),
            models.UniqueConstraint(
                fields=["connection", "lane"], condition=Q(state="SENDING"), name="push_one_at_a_time_in_a_lane"
            ),
            models.CheckConstraint(
                condition=Q(state="SENT", remote__isnull=False, sent_at__isnull=False)
                | ~Q(state="SENT") & Q(remote__isnull=True, sent_at__isnull=True),
                name="push_is_sent_with_a_token_only",
            ),
            models.CheckConstraint(
                condition=~Q(state="SENDING") | Q(lease_until__isnull=False), name="push_in_hand_has_a_lease"
            ),
            models.CheckConstraint(
                condition=Q(state="ATTENTION") & ~Q(cause="") | ~Q(state="ATTENTION") & Q(cause=""),
                name="push_needs_attention_for_a_cause",
            ),
            models.CheckConstraint(
                condition=Q(state="PARKED", held_at__isnull=False) & ~Q(parked_because="")
                | ~Q(state="PARKED") & Q(parked_because=""),
                name="push_is_parked_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=~Q(state__in=["SENT", "CANCELLED"]), name="push_open"),
            models.Index(fields=["sent_at"], condition=Q(state="SENT"), name="push_sent"),
            models.Index(
                fields=["connection", "cause_key", "id"], condition=Q(state="ATTENTION"), name="push_by_cause"
            ),
            models.Index(fields=["connection", "held_at", "id"], condition=Q(state="PARKED"), name="push_parked"),
        ]

    def __str__(self) -> str:
        return f"push {self.pk}"

    @property
    def is_open(self) -> bool:
        """Something will still happen to it by itself."""
        return self.state in (self.State.READY, self.State.SENDING, self.State.UNKNOWN)


class PushBatch(models.Model):
    """One creating call for several invoices: its members in order are its attempts, under one key."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=32)
    payload_hash = models.CharField(max_length=64)
    began_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "push batches"

    def __str__(self) -> str:
        return f"batch {self.pk}"


class PushAttempt(models.Model):
    """One attempt, on record before its first byte leaves; without a document nothing of the invoice ever left.

    `answer` is what the platform said to the call, without secrets, as far as anybody wants to read.
    """

    class Outcome(models.TextChoices):
        OPEN = "", "Not known yet"
        SENT = "SENT", "Sent"
        FOUND = "FOUND", "Found in Sage"
        ABSENT = "ABSENT", "Not in Sage"
        NOT_SENT = "NOT_SENT", "Not sent"
        REJECTED = "REJECTED", "Refused"
        SPLIT = "SPLIT", "Refused with its batch"

    push = models.ForeignKey(Push, on_delete=models.PROTECT, related_name="attempts")
    n = models.PositiveIntegerField()
    generation = models.PositiveIntegerField()
    key = models.CharField(max_length=32)
    batch = models.ForeignKey(PushBatch, on_delete=models.PROTECT, null=True, related_name="attempts")
    position = models.PositiveSmallIntegerField(default=0)
    document = models.JSONField(null=True)
    started_at = models.DateTimeField()
    may_leave_until = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OPEN, blank=True)
    answered = models.BooleanField(default=False)
    http_status = models.PositiveSmallIntegerField(null=True)
    request_id = models.CharField(max_length=100, blank=True)
    message = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["n"]
        constraints = [
            models.UniqueConstraint(fields=["push", "n"], name="attempt_is_counted_once"),
            models.UniqueConstraint(
                fields=["batch", "position"],
                condition=Q(resolved_at__isnull=True),
                name="attempt_has_a_place_of_its_own",
            ),
            models.UniqueConstraint(
                fields=["push"], condition=Q(resolved_at__isnull=True), name="attempt_one_unresolved_at_most"
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, outcome="") | Q(resolved_at__isnull=False) & ~Q(outcome=""),
                name="attempt_is_resolved_with_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.n} of push {self.push_id}"
