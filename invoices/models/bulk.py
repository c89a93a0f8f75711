"""Invoices that a person sends together: which they chose, and what became of each."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from connectors.models import Connection
from invoices.models.invoice import Invoice
from invoices.models.push import Push


class BulkSend(models.Model):
    """What a person chose to send together; nothing of it is sent before they press Send (`started_at`).

    What waits to be queued is queued in the name of whoever `pressed_by`, the last to press Send or Send again.
    `queued_at` is when nothing waited for that any more.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="+")
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField()
    pressed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    started_at__isnull=True, connection__isnull=True, pressed_by__isnull=True, queued_at__isnull=True
                )
                | Q(started_at__isnull=False, connection__isnull=False, pressed_by__isnull=False),
                name="bulk_send_begins_over_a_connection",
            )
        ]
        indexes = [
            models.Index(
                fields=["started_at"], condition=Q(started_at__isnull=False, queued_at=None), name="bulk_send_to_queue"
            )
        ]

    def __str__(self) -> str:
        return f"send {self.pk}"


class BulkMember(models.Model):
    """One invoice of a bulk send. Before it begins `reason` is what was found against it, then why it was left out."""

    class State(models.TextChoices):
        CHOSEN = "CHOSEN", "Chosen"
        QUEUED = "QUEUED", "Queued"
        LEFT_OUT = "LEFT_OUT", "Left out"
        CANCELLED = "CANCELLED", "Cancelled"

    send = models.ForeignKey(BulkSend, on_delete=models.CASCADE, related_name="members", db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="+", db_index=False)
    push = models.ForeignKey(Push, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.CHOSEN)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["send", "invoice"], name="bulk_member_once_in_a_send"),
            models.CheckConstraint(
                condition=Q(state="QUEUED", push__isnull=False)
                | Q(state__in=["CHOSEN", "LEFT_OUT"], push__isnull=True)
                | Q(state="CANCELLED"),
                name="bulk_member_is_queued_with_a_push",
            ),
            models.CheckConstraint(
                condition=~Q(state="LEFT_OUT") | ~Q(reason=""), name="bulk_member_is_left_out_for_a_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["send", "state", "id"], name="bulk_member_by_state"),
            models.Index(fields=["push"], condition=Q(push__isnull=False), name="bulk_member_push"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} of send {self.send_id}"
