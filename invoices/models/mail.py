"""What is e-mailed to a client, an invoice, a statement or a reminder: on record before anything leaves."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from invoices.models.business import Client
from invoices.models.invoice import Invoice


class InvoiceMail(models.Model):
    """One e-mail: with one invoice, or to a client with a statement, which reminders carry too.

    `tries` counts and fences the senders: only the latest one's word is written down. `handed_at` is set before the
    mail server is given anything. A sender that died after it may have sent the e-mail, so nothing sends it again by
    itself.
    """

    class Kind(models.TextChoices):
        INVOICE = "INVOICE", "Invoice"
        STATEMENT = "STATEMENT", "Statement"
        REMINDER = "REMINDER", "Reminder"

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        SENDING = "SENDING", "Sending"
        SENT = "SENT", "Sent"
        UNKNOWN = "UNKNOWN", "May have gone out"
        FAILED = "FAILED", "Not sent"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.INVOICE)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="mails")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, related_name="mails")
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    to = models.TextField()
    copy_to = models.EmailField(max_length=254, blank=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    due_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="INVOICE", invoice__isnull=False, client__isnull=True)
                | Q(kind__in=["STATEMENT", "REMINDER"], invoice__isnull=True, client__isnull=False),
                name="mail_is_about_an_invoice_or_a_client",
            ),
            models.CheckConstraint(
                condition=Q(kind="REMINDER") | Q(requested_by__isnull=False), name="mail_is_asked_for_by_somebody"
            ),
            models.CheckConstraint(condition=~Q(to=""), name="mail_goes_to_somebody"),
            models.CheckConstraint(
                condition=~Q(state="SENDING") | Q(lease_until__isnull=False), name="mail_in_hand_has_a_lease"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["SENT", "UNKNOWN"]) | Q(handed_at__isnull=False),
                name="mail_that_may_have_left_was_handed_over",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "SENDING"], ended_at__isnull=True)
                | Q(state__in=["SENT", "UNKNOWN", "FAILED"], ended_at__isnull=False),
                name="mail_ends_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["UNKNOWN", "FAILED"]) | ~Q(trouble=""), name="mail_not_sent_says_why"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state__in=["WAITING", "SENDING"]), name="mail_open"),
            models.Index(fields=["-requested_at", "-id"], condition=Q(kind="REMINDER"), name="mail_reminders"),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}"

    @property
    def is_moving(self) -> bool:
        """It will still change by itself."""
        return self.state in (self.State.WAITING, self.State.SENDING)

    @property
    def recipients(self) -> list[str]:
        return [*self.to.split(", "), *([self.copy_to] if self.copy_to else [])]
