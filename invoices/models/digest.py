"""Who wants the daily digest of what Sage has not taken, and which mails of it have gone."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class DigestWish(models.Model):
    """Somebody who wants the digest, at this hour of the installation's own day; without a row none is sent."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="digest_wish")
    hour = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(hour__lte=23), name="digest_hour_is_of_a_day")]

    def __str__(self) -> str:
        return f"{self.person_id} at {self.hour}:00"


class DigestMail(models.Model):
    """A mail that went, or was not needed: `about` is a day, or a trouble that holds everything until it has healed.

    It is written before the mail leaves, so that of two senders only one sends.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    about = models.CharField(max_length=20)
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "about"], name="digest_once_about_each")]

    def __str__(self) -> str:
        return f"{self.about} to {self.person_id}"
