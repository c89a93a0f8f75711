"""How far we have read in a connected company's books, and the reading under way."""

from django.db import models
from django.db.models import Q

from connectors.models import Connection


class Pull(models.Model):
    """The reading of one connection's books: its cursors, who reads now, and what the latest reading brought.

    Invoices and credit notes are lists of their own over there, each with its cursor, which moves in the transaction
    that keeps its page. `compared_at` is when deletions were last looked for.
    """

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, primary_key=True, related_name="pull")
    cursor = models.TextField(blank=True)
    credit_cursor = models.TextField(blank=True)
    due_at = models.DateTimeField()
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    is_stopping = models.BooleanField(default=False)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True)
    left = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    imported = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lease_until__isnull=True) | Q(began_at__isnull=False), name="pull_in_hand_has_begun"
            )
        ]

    def __str__(self) -> str:
        return f"pull of {self.connection_id}"

    @property
    def is_running(self) -> bool:
        """A reading has begun and not ended; between two of its tasks, or after a worker died, nobody holds it."""
        return self.began_at is not None and self.ended_at is None
