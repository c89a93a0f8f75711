"""Our company, who we bill, where work is done, what we sell and its tax."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

COUNTRY = RegexValidator(r"^[A-Z]{2}$", "Use the two-letter code, such as GB or IE.")
NO_MARKUP = RegexValidator(r"^[^<>\x00]*$", "The signs < and > can't be used here: accounting platforms refuse them.")
NOT_NEGATIVE = MinValueValidator(0)
PERCENT = [NOT_NEGATIVE, MaxValueValidator(100)]
LARGEST = Decimal("999999999999.99")  # that fits into `money`


def money(**kwargs: Any) -> "models.DecimalField[Decimal, Decimal]":
    """Amounts in the company's currency, two places."""
    return models.DecimalField(max_digits=14, decimal_places=2, **kwargs)


class Company(models.Model):
    """The one business this installation invoices for."""

    name = models.CharField(max_length=100, validators=[NO_MARKUP])
    address = models.TextField(max_length=500, blank=True)
    vat_number = models.CharField("VAT number", max_length=20, blank=True)
    currency = models.CharField(max_length=3, default="GBP", validators=[RegexValidator(r"^[A-Z]{3}$")])
    terms_days = models.PositiveSmallIntegerField(
        "payment terms in days", default=30, validators=[MaxValueValidator(365)]
    )
    second_person_approves = models.BooleanField(
        default=False, help_text="Whoever raised an invoice then can't approve it; somebody else does."
    )
    logo = models.BinaryField(default=b"", blank=True)
    payment_details = models.TextField("how to pay", max_length=600, blank=True)
    invoice_terms = models.TextField("terms on invoices", max_length=2000, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="company_is_one")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def ours(cls) -> "Company":
        company, _ = cls.objects.defer("logo").get_or_create(pk=1, defaults={"name": "Our company"})
        return company


class Client(models.Model):
    """Somebody we bill."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, validators=[NO_MARKUP])
    reference = models.CharField(
        max_length=10,
        blank=True,
        validators=[NO_MARKUP],
        help_text="Up to 10 characters; also finds the client in Sage.",
    )
    email = models.EmailField(max_length=100, blank=True)
    address_line_1 = models.CharField("address", max_length=100, blank=True, validators=[NO_MARKUP])
    address_line_2 = models.CharField("address, second line", max_length=100, blank=True, validators=[NO_MARKUP])
    city = models.CharField("town or city", max_length=60, blank=True, validators=[NO_MARKUP])
    postal_code = models.CharField("postcode", max_length=15, blank=True, validators=[NO_MARKUP])
    country = models.CharField(max_length=2, default="GB", validators=[COUNTRY])
    terms_days = models.PositiveSmallIntegerField(
        "payment terms in days",
        null=True,
        blank=True,
        validators=[MaxValueValidator(365)],
        help_text="Empty: the company's own terms.",
    )
    no_reminders = models.BooleanField(
        "no reminders", default=False, help_text="Overdue invoices of this client are never reminded of by e-mail."
    )
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["name", "id"], name="client_by_name"),
            GinIndex(
                *(
                    OpClass(Upper(name), "gin_trgm_ops")
                    for name in ("name", "reference", "email", "city", "postal_code")
                ),
                name="client_words",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                Upper("reference"),
                condition=~Q(reference=""),
                name="client_reference_is_one",
                violation_error_message="Another client has this reference.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.reference})" if self.reference else self.name


class Property(models.Model):
    """A building or site that work is done at."""

    name = models.CharField(max_length=100, validators=[NO_MARKUP])
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, blank=True, related_name="properties")
    address = models.TextField(max_length=300, blank=True, validators=[NO_MARKUP])
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "properties"
        ordering = ["name", "pk"]
        indexes = [models.Index(fields=["name", "id"], name="property_by_name")]

    def __str__(self) -> str:
        return self.name


class TaxRate(models.Model):
    """One of our tax rates; each is mapped to one of the platform's in the connection's settings."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=40)
    percentage = models.DecimalField(max_digits=5, decimal_places=2, validators=PERCENT)
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.CheckConstraint(condition=Q(percentage__range=(0, 100)), name="tax_rate_is_a_percentage")]

    def __str__(self) -> str:
        return f"{self.name} ({self.percentage.normalize():f} %)"


class Item(models.Model):
    """Something we sell again and again; choosing it fills a line."""

    class Sort(models.TextChoices):
        SERVICE = "SERVICE", "Service"
        PRODUCT = "PRODUCT", "Product"

    code = models.CharField(max_length=20, validators=[NO_MARKUP])
    description = models.CharField(max_length=200, validators=[NO_MARKUP])
    sort = models.CharField("kind", max_length=10, choices=Sort, default=Sort.SERVICE)
    unit_price = money(validators=[NOT_NEGATIVE])
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, related_name="+")
    nominal_code = models.CharField(max_length=20, blank=True, help_text="Empty: the default nominal code.")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                Upper("code"), name="item_code_is_one", violation_error_message="Another item has this code."
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="item_price_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.description}"
