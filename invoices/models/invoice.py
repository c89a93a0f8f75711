"""The invoice, its lines and its history, and how a person likes to see the list."""

import uuid
from collections.abc import Collection
from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from connectors.records import DocumentKind
from invoices.models.business import NO_MARKUP, NOT_NEGATIVE, PERCENT, Client, Item, Property, TaxRate, money
from invoices.totals import Sums, line_sums

STRETCH = 100_000  # invoices, one stretch of their ids after another: what has a word is looked up in the newest first


class Invoice(models.Model):
    """An invoice or a credit note. From approval on, `frozen` is what will be sent, whatever is edited around it.

    A credit note's own sums are what it adds to what the client owes, so they are negative and every sum over many
    documents is right as it is; its lines say what is credited, as they are printed. Ours names the invoice that it
    `credits`, and Postgres refuses drafts that together credit more than its total. An imported invoice that turned out
    to be one of ours is void and names it as `duplicate_of`.
    """

    class Kind(models.TextChoices):
        INVOICE = DocumentKind.INVOICE.value, "Invoice"
        CREDIT_NOTE = DocumentKind.CREDIT_NOTE.value, "Credit note"

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        APPROVED = "APPROVED", "Approved"
        SENT = "SENT", "Sent"
        PART_PAID = "PART_PAID", "Part paid"
        PAID = "PAID", "Paid"
        VOID = "VOID", "Void"

    class Origin(models.TextChoices):
        OWN = "OWN", "Raised here"
        IMPORTED = "IMPORTED", "Imported"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=11, choices=Kind, default=Kind.INVOICE, editable=False)
    credits = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credit_notes", editable=False, db_index=False
    )
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.OWN, editable=False)
    number = models.CharField(max_length=25, null=True, unique=True, editable=False)
    number_prefix = models.CharField(max_length=12, blank=True, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    site = models.ForeignKey(
        Property, verbose_name="property", on_delete=models.PROTECT, null=True, blank=True, related_name="invoices"
    )
    issue_date = models.DateField("date")
    due_date = models.DateField("due")
    reference = models.CharField(
        "client's reference", max_length=50, blank=True, validators=[NO_MARKUP], help_text="Their order number, say."
    )
    notes = models.TextField(max_length=1500, blank=True, validators=[NO_MARKUP])
    currency = models.CharField(max_length=3, editable=False)
    net = money(default=0, editable=False)
    tax = money(default=0, editable=False)
    total = money(default=0, editable=False)
    outstanding = money(default=0, editable=False)
    frozen = models.JSONField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    asked_at = models.DateTimeField(null=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )

    duplicate_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="duplicates", editable=False, db_index=False
    )

    class Meta:
        permissions = [("approve_invoice", "Can approve invoices"), ("send_invoice", "Can send invoices to Sage")]
        indexes = [
            models.Index(fields=["-issue_date", "-id"], name="invoice_newest_first"),
            models.Index(fields=["status", "-issue_date", "-id"], name="invoice_by_status"),
            models.Index(fields=["due_date", "id", "issue_date", "status"], name="invoice_by_due_and_day"),
            models.Index(fields=["number", "id", "status", "origin", "issue_date"], name="invoice_in_order_of_number"),
            models.Index(fields=["currency"], name="invoice_by_currency"),
            *(
                models.Index(fields=[column, "id"], condition=Q(kind="CREDIT_NOTE"), name=f"invoice_credit_by_{name}")
                for column, name in (
                    ("issue_date", "date"),
                    ("due_date", "due"),
                    ("total", "total"),
                    ("number", "number"),
                )
            ),
            models.Index(fields=["number", "id"], condition=Q(origin="IMPORTED"), name="invoice_imported_by_number"),
            models.Index(fields=["total", "id", "due_date", "issue_date", "status"], name="invoice_by_total_and_day"),
            models.Index(fields=["id", "client", "status"], name="invoice_last_added"),
            models.Index(Upper("number"), name="invoice_by_number"),
            models.Index(
                fields=["due_date", "id"], condition=Q(status__in=["SENT", "PART_PAID"]), name="invoice_to_be_paid"
            ),
            models.Index(
                fields=["-issue_date", "-id", "due_date"],
                condition=Q(status__in=["SENT", "PART_PAID"]),
                name="invoice_awaited",
            ),
            models.Index(
                fields=["client", "due_date"],
                include=["currency", "outstanding", "issue_date", "kind"],
                condition=Q(status__in=["SENT", "PART_PAID"]),
                name="invoice_owed_by_client",
            ),
            models.Index(fields=["client", "issue_date"], name="invoice_of_client"),
            models.Index(fields=["client", "created_at"], condition=Q(origin="IMPORTED"), name="invoice_came_in"),
            models.Index(fields=["credits"], condition=Q(credits__isnull=False), name="invoice_credits"),
            models.Index(fields=["duplicate_of"], condition=Q(duplicate_of__isnull=False), name="invoice_duplicates"),
            GinIndex(
                OpClass(Upper("reference"), "gin_trgm_ops"),
                OpClass(Upper("number"), "gin_trgm_ops"),
                F("id") / STRETCH,
                name="invoice_words",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(total=F("net") + F("tax")), name="invoice_total_is_net_and_tax"),
            models.CheckConstraint(
                condition=Q(origin="IMPORTED")
                | Q(kind="INVOICE", net__gte=0, tax__gte=0)
                | Q(kind="CREDIT_NOTE", net__lte=0, tax__lte=0),
                name="invoice_of_ours_has_the_sign_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind="INVOICE", credits__isnull=True)
                | Q(kind="CREDIT_NOTE") & (Q(origin="IMPORTED", credits__isnull=True) | Q(credits__isnull=False)),
                name="invoice_is_credited_by_a_credit_note",
            ),
            models.CheckConstraint(
                condition=Q(origin="IMPORTED") | Q(due_date__gte=F("issue_date")),
                name="invoice_of_ours_is_not_due_before_its_date",
            ),
            models.CheckConstraint(
                condition=Q(origin="IMPORTED") | Q(created_by__isnull=False), name="invoice_of_ours_has_an_author"
            ),
            models.CheckConstraint(
                condition=Q(status="DRAFT") | Q(number__isnull=False), name="invoice_past_draft_has_a_number"
            ),
            models.CheckConstraint(
                condition=Q(origin="OWN", status="DRAFT", frozen__isnull=True, approved_at__isnull=True)
                | Q(status="VOID")
                | Q(origin="IMPORTED", status__in=["SENT", "PART_PAID", "PAID"])
                | Q(
                    origin="OWN",
                    status__in=["APPROVED", "SENT", "PART_PAID", "PAID"],
                    frozen__isnull=False,
                    approved_at__isnull=False,
                ),
                name="invoice_is_frozen_from_approval_on",
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True)
                | Q(origin="IMPORTED", status="VOID", outstanding=0) & ~Q(duplicate_of=F("id")),
                name="invoice_that_is_another_was_imported_and_is_void",
            ),
        ]

    def __str__(self) -> str:
        return self.number or "Unnumbered"

    @property
    def is_imported(self) -> bool:
        return self.origin == self.Origin.IMPORTED

    @property
    def is_credit_note(self) -> bool:
        return self.kind == self.Kind.CREDIT_NOTE

    @property
    def noun(self) -> str:
        """What it is called in a sentence."""
        return "credit note" if self.is_credit_note else "invoice"

    @property
    def sign(self) -> int:
        """What turns its sums into those on paper and in the platform's books, and back."""
        return -1 if self.is_credit_note else 1


class InvoiceLine(models.Model):
    """One line; its sums are stored as they were counted. One without a tax rate of ours was imported.

    A line of a credit note of ours names the line that it `credits`.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    credits = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credited_by", editable=False, db_index=False
    )
    item = models.ForeignKey(Item, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    description = models.CharField(max_length=1000, validators=[NO_MARKUP])
    quantity = models.DecimalField(
        max_digits=10, decimal_places=2, default=1, validators=[MinValueValidator(Decimal("0.01"))]
    )
    unit_price = money(validators=[NOT_NEGATIVE])
    discount_percent = models.DecimalField("discount %", max_digits=5, decimal_places=2, default=0, validators=PERCENT)
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    nominal_code = models.CharField(max_length=80, blank=True)
    discount = money(editable=False)
    net = money(editable=False)
    tax = money(editable=False)
    total = money(editable=False)

    class Meta:
        ordering = ["position"]
        indexes = [
            models.Index(fields=["credits"], condition=Q(credits__isnull=False), name="line_credits"),
            GinIndex(
                OpClass(Upper("description"), "gin_trgm_ops"), F("invoice_id") / STRETCH, name="line_words_by_stretch"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="line_one_at_each_position"),
            models.CheckConstraint(condition=Q(total=F("net") + F("tax")), name="line_total_is_net_and_tax"),
            models.CheckConstraint(
                condition=Q(tax_rate__isnull=True) | Q(quantity__gt=0), name="line_of_ours_has_a_quantity"
            ),
            models.CheckConstraint(
                condition=Q(tax_rate__isnull=True) | Q(unit_price__gte=0, discount_percent__range=(0, 100)),
                name="line_of_ours_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.description

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Postgres is not asked about each line of a form: the validators say the same, and it refuses by itself."""

    def count(self) -> Sums:
        """Works out the line's sums and keeps them on it."""
        sums = line_sums(
            quantity=self.quantity,
            unit_price=self.unit_price,
            discount_percent=self.discount_percent,
            tax_percent=self.tax_rate.percentage if self.tax_rate else Decimal(0),
        )
        self.discount, self.net, self.tax, self.total = sums.discount, sums.net, sums.tax, sums.total
        return sums


class Event(models.Model):
    """What happened to an invoice, and who did it; nothing here is changed or deleted."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="events")
    happened_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    text = models.CharField(max_length=300)

    class Meta:
        ordering = ["-happened_at", "-id"]

    def __str__(self) -> str:
        return self.text


class ViewChoice(models.Model):
    """Which columns a person left out of a list, and the order they have them in."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=30)
    left_out = models.JSONField(default=list)
    in_order = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "page"], name="view_choice_one_a_page")]

    def __str__(self) -> str:
        return f"{self.page} of {self.user_id}"
