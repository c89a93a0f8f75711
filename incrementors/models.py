"""Groups that count, the numbers they gave, and the changes made to how they count."""

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, GinIndex, OpClass
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Upper

from incrementors.patterns import MAX_LENGTH, Pattern

PLAIN_TEXT = RegexValidator(
    r"^[A-Za-z0-9/_.-]*$", "Use letters, digits and / _ . - only, so that every accounting platform takes it."
)


class Group(models.Model):
    """One sequence of numbers; its row is the lock that makes two of them impossible."""

    INVOICES = "INVOICES"
    CREDIT_NOTES = "CREDIT_NOTES"
    IMPORTED = "IMPORTED"

    key = models.CharField(max_length=20, primary_key=True, editable=False)
    name = models.CharField(max_length=40, editable=False)
    prefix = models.CharField(max_length=12, blank=True, validators=[PLAIN_TEXT])
    suffix = models.CharField(max_length=12, blank=True, validators=[PLAIN_TEXT])
    digits = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(12)])
    next_value = models.BigIntegerField(
        "starting position", validators=[MinValueValidator(1), MaxValueValidator(10**12)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(next_value__gte=1), name="group_counts_from_one"),
            models.CheckConstraint(condition=models.Q(digits__range=(1, 12)), name="group_digits_in_range"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def pattern(self) -> Pattern:
        return Pattern(prefix=self.prefix, suffix=self.suffix, digits=self.digits)


class Number(models.Model):
    """A number that was given or skipped: who holds it, and why it stays when nobody does."""

    class Outcome(models.TextChoices):
        GIVEN = "GIVEN", "In use"
        DISCARDED = "DISCARDED", "Discarded"
        SKIPPED = "SKIPPED", "Skipped"
        TAKEN = "TAKEN", "Taken in Sage"

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="numbers", db_index=False)
    value = models.BigIntegerField()
    text = models.CharField(max_length=MAX_LENGTH)
    prefix = models.CharField(max_length=12, blank=True)
    suffix = models.CharField(max_length=12, blank=True)
    holder = models.UUIDField(null=True, default=None)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.GIVEN)
    reason = models.CharField(max_length=200, blank=True)
    given_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("text"), condition=~models.Q(outcome="SKIPPED"), name="number_text_is_given_once"
            ),
            models.UniqueConstraint("holder", condition=models.Q(outcome="GIVEN"), name="number_one_in_use_a_holder"),
            models.CheckConstraint(
                condition=models.Q(outcome="SKIPPED") | models.Q(holder__isnull=False),
                name="number_given_has_a_holder",
            ),
            models.CheckConstraint(
                condition=models.Q(outcome="GIVEN") | ~models.Q(reason=""), name="number_unused_has_a_reason"
            ),
        ]
        indexes = [
            models.Index(
                fields=["group", "prefix", "suffix", "value"], include=["outcome", "given_at"], name="number_in_series"
            ),
            models.Index(fields=["value"], name="number_by_value"),
            BrinIndex(fields=["given_at"], name="number_given_at", autosummarize=True),
            models.Index(fields=["holder"], name="number_by_holder"),
            GinIndex(
                OpClass(Upper("text"), "gin_trgm_ops"), condition=models.Q(outcome="TAKEN"), name="number_taken_words"
            ),
        ]

    def __str__(self) -> str:
        return self.text


class GroupChange(models.Model):
    """What an admin changed in how a group counts; explains jumps in its sequence."""

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="changes")
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    before = models.CharField(max_length=40)
    after = models.CharField(max_length=40)

    class Meta:
        ordering = ["-changed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"
