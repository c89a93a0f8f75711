"""What somebody is typing into an invoice's form and has not saved yet."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Cast, Length
from django.db.models.lookups import LessThanOrEqual

from invoices.models.invoice import Invoice

LARGEST_SCRATCH = 400_000  # characters: an invoice of the most lines, each as long as it may be, takes half of that


class Scratch(models.Model):
    """One person's unsaved typing, name by name as the form has it: never an invoice, and without a number."""

    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, null=True, related_name="+")
    """The draft that is being changed; none for a new invoice."""
    fields = models.JSONField()
    saved_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "scratches"
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length(Cast("fields", models.TextField())), LARGEST_SCRATCH),
                name="scratch_is_not_endless",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id}, {self.saved_at}"
