"""What the invoices come to, kept by Postgres beside them, so that no page ever adds up the invoices themselves."""

from django.db import models
from django.db.models import F

from invoices.models.business import Client
from invoices.models.invoice import Invoice


class InvoiceTotal(models.Model):
    """One change of what invoices of one kind come to; all rows of a kind together are what they come to now.

    Triggers on the invoices write the rows, in the transaction of the change, whoever makes it and however. They only
    ever add rows, so no two writers wait for each other; `balances.fold` makes one of many. `status` is ASKED for a
    draft that waits for approval; `month` the first day of the month it is dated in; `due_date` is kept for those
    that are to be paid, by the month once it is long past; a credit note has none, and takes its amount off, as its
    sums are negative.
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


class ClientOwed(models.Model):
    """One change of what a client owes in a currency; all rows of both together are what is owed now.

    A trigger on the invoices writes the rows, as with InvoiceTotal. Those that `balances.fold` has made one of are
    `folded`, and an index has them in the order of the amounts: so the largest debts are found without adding up all.
    """

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )  # no constraint: the invoice's own is one, and each change would be checked against it once more
    currency = models.CharField(max_length=3)
    invoices = models.BigIntegerField()
    outstanding = models.DecimalField(max_digits=20, decimal_places=2)
    folded = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["client", "currency"], name="owed_by_client"),
            models.Index(fields=["client", "currency"], condition=models.Q(folded=False), name="owed_to_be_folded"),
            models.Index(
                F("currency"), -F("outstanding"), F("client"), condition=models.Q(folded=True), name="owed_most_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outstanding:+} {self.currency}"
