"""The next period's invoices raised from the last period's, together: which from which, and never one of them twice."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from invoices.models.invoice import Invoice


class PeriodRun(models.Model):
    """The invoices that somebody chose to raise the next period of, and what came of it. Its key is its address."""

    class Step(models.TextChoices):
        WEEK = "WEEK", "A week"
        MONTH = "MONTH", "A month"
        QUARTER = "QUARTER", "A quarter"
        YEAR = "YEAR", "A year"

    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sources = models.JSONField()
    """The ids of what was chosen."""
    step = models.CharField(max_length=10, choices=Step, default=Step.MONTH)
    begun_at = models.DateTimeField(db_index=True)
    begun_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    raised_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(undone_at=None) | Q(raised_at__isnull=False), name="period_run_undone_was_raised"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} on, {self.begun_at:%d %b %Y}"


class RaisedInvoice(models.Model):
    """One invoice raised from another one for the period that begins on `issue_date`.

    `issue_day` and `due_day` are the days of the month that the dates began with: what a short month cut off comes
    back in the next one.
    """

    run = models.ForeignKey(PeriodRun, on_delete=models.PROTECT, related_name="raised")
    source = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="raised_from")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="raised_as")
    issue_date = models.DateField()
    issue_day = models.PositiveSmallIntegerField()
    due_day = models.PositiveSmallIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["source", "issue_date"], name="raised_once_for_a_period"),
            models.CheckConstraint(
                condition=Q(issue_day__range=(1, 31), due_day__range=(1, 31)), name="raised_days_are_of_a_month"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} from {self.source_id}"
