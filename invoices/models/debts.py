"""What is known of payments, and the reminders of what is overdue: when they go, what they say, and which have gone."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from invoices.models.business import Client, money
from invoices.models.invoice import Invoice
from invoices.models.mail import InvoiceMail


class PaymentSeen(models.Model):
    """More of an invoice was paid than before, or less, as of the moment at which Reflow learned of it from Sage.

    A trigger on the invoices writes it, whoever changes what is outstanding and however. What was paid before an
    invoice was imported has no row: it is what is not outstanding and not in any.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="payments")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False)
    seen_at = models.DateTimeField(db_index=True)
    amount = money()

    class Meta:
        verbose_name_plural = "payments seen"
        ordering = ["seen_at", "pk"]
        indexes = [models.Index(fields=["client", "seen_at"], name="payment_by_client")]

    def __str__(self) -> str:
        return f"{self.amount} of {self.invoice_id}"


class ReminderSettings(models.Model):
    """Whether reminders go out, when they go next, and why the last ones did not; its row is the lock of a run."""

    is_on = models.BooleanField("send reminders of overdue invoices", default=False)
    copy_to = models.EmailField(
        "copy to", max_length=254, blank=True, help_text="Gets a copy of each, and the clients' answers."
    )
    due_at = models.DateTimeField(null=True, editable=False)
    ran_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "reminder settings"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="reminder_settings_are_one"),
            models.CheckConstraint(
                condition=Q(is_on=True, due_at__isnull=False) | Q(is_on=False, due_at__isnull=True),
                name="reminders_that_are_on_are_due",
            ),
        ]

    def __str__(self) -> str:
        return "on" if self.is_on else "off"

    @classmethod
    def ours(cls) -> "ReminderSettings":
        found, _ = cls.objects.get_or_create(pk=1)
        return found


class ReminderStep(models.Model):
    """One of the reminders, the first, the second and the last: how many days after the due date, and its text."""

    level = models.PositiveSmallIntegerField(primary_key=True)
    days = models.PositiveSmallIntegerField(
        "days after the due date", validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    subject = models.CharField(max_length=150)
    body = models.TextField("text", max_length=3000)

    class Meta:
        ordering = ["level"]
        constraints = [models.CheckConstraint(condition=Q(days__gte=1), name="reminder_goes_after_the_due_date")]

    def __str__(self) -> str:
        return f"reminder {self.level}"


class Reminder(models.Model):
    """One invoice's reminder of one level: in an e-mail, or left out by a person. Never twice."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="reminders")
    level = models.PositiveSmallIntegerField()
    mail = models.ForeignKey(InvoiceMail, on_delete=models.PROTECT, null=True, related_name="reminders")
    made_at = models.DateTimeField()
    left_out_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "level"], name="reminder_once_for_each_step"),
            models.CheckConstraint(
                condition=Q(mail__isnull=False, left_out_by__isnull=True)
                | Q(mail__isnull=True, left_out_by__isnull=False),
                name="reminder_goes_out_or_is_left_out",
            ),
        ]

    def __str__(self) -> str:
        return f"reminder {self.level} of {self.invoice_id}"


class ReminderHold(models.Model):
    """A person holds back the reminders of an invoice, as when the client disputes it; deleted when that is settled."""

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, primary_key=True, related_name="reminder_hold")
    reason = models.CharField(max_length=200)
    held_at = models.DateTimeField()
    held_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="reminder_is_held_for_a_reason")]

    def __str__(self) -> str:
        return self.reason
