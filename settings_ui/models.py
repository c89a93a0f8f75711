"""What was done about who may sign in."""

from django.conf import settings
from django.db import models


class AccessChange(models.Model):
    """What was done to a person's access, and by whom; nothing here is changed or deleted.

    Without an actor it was asked for on the sign-in page, by somebody who was not signed in.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    happened_at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.CharField(max_length=300)

    class Meta:
        ordering = ["-happened_at", "-id"]

    def __str__(self) -> str:
        return self.text
