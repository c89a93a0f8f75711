"""What the invoices come to, kept by Postgres beside them, so that no page ever adds up the invoices themselves."""

from django.db import models

from invoices.models.invoice import Invoice


class InvoiceTotal(models.Model):
    """One change of what invoices of one kind come to; all rows of a kind together are what they come to now.

    Triggers on the invoices write the rows, in the transaction of the change, whoever makes it and however. They only
    ever add rows, so no two writers wait for each other; `balances.fold` makes one of many. `status` is ASKED for a
    draft that waits for approval; `month` the first day of the month it is dated in; `due_date` is kept for those
    that are to be paid; a credit note has none, and takes its amount off, as its sums are negative.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        ASKED = "ASKED", "To approve"
        APPROVED = "APPROVED", "Approved"
        SENT = "SENT", "Sent"
        PART_PAID = "PART_PAID", "Part paid"
        PAID = "PAID", "Paid"
        VOID = "VOID", "Void"

    origin = models.CharField(max_length=10, choices=Invoice.Origin)
    status = models.CharField(max_length=10, choices=Status)
    currency = models.CharField(max_length=3)
    month = models.DateField()
    due_date = models.DateField(null=True)
    invoices = models.BigIntegerField()
    total = models.DecimalField(max_digits=20, decimal_places=2)
    outstanding = models.DecimalField(max_digits=20, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.invoices} {self.status} in {self.month:%B %Y}"
