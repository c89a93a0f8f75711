"""An invoice on its way to being void in a company's books: asked for by a person, done there first, then here."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from connectors.interface import RemoteStatus
from connectors.models import Connection
from invoices.models.push import RemoteInvoice


class VoidingQuerySet(models.QuerySet["Voiding"]):
    def open(self) -> "VoidingQuerySet":
        return self.filter(state__in=Voiding.OPEN)

    def due(self, now: datetime) -> "VoidingQuerySet":
        """To be tried now, or left behind by a worker whose lease ran out."""
        free = Q(remote__connection__paused_until=None) | Q(remote__connection__paused_until__lte=now)
        waiting = Q(state=Voiding.State.WAITING, due_at__lte=now)
        left_behind = Q(state=Voiding.State.WORKING, lease_until__lt=now)
        able = [Connection.State.ACTIVE, Connection.State.DISCONNECTING]
        return self.filter(waiting | left_behind, free, remote__connection__state__in=able)

    def claim_among(self, rows: Collection[RemoteInvoice], *, now: datetime) -> set[int]:
        """Of what a reading of the books would write, what is ours to record, once: a void of an invoice that is on its
        way here, which is woken by it; and whatever was read before we voided it ourselves, for that stays. What was
        only found to be deleted follows again, should it come back."""
        void = [row.pk for row in rows if row.status == RemoteStatus.VOID]
        asleep = self.filter(remote__in=void, state__in=[Voiding.State.WAITING, Voiding.State.ATTENTION])
        asleep.update(state=Voiding.State.WAITING, problems=[], due_at=now)
        done = Q(remote__in=rows, state=Voiding.State.DONE) & ~Q(outcome=Voiding.Outcome.WAS_GONE)
        return set(self.filter(done | Q(remote__in=void, state__in=Voiding.OPEN)).values_list("remote_id", flat=True))


class Voiding(models.Model):
    """One person's wish to have one invoice voided over there.

    `asked_at` is set from before the first byte of a call that voids until it is known what came of it: where its
    answer was lost, or its worker died, a look tells. Every try begins with one.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        WORKING = "WORKING", "Voiding"
        ATTENTION = "ATTENTION", "Needs attention"
        DONE = "DONE", "Done"
        GIVEN_UP = "GIVEN_UP", "Given up"

    class Outcome(models.TextChoices):
        NONE = "", "None"
        VOIDED = "VOIDED", "Voided"
        REMOVED = "REMOVED", "Its draft was removed"
        WAS_VOID = "WAS_VOID", "It was void already"
        WAS_GONE = "WAS_GONE", "It was deleted already"

    OPEN = (State.WAITING, State.WORKING, State.ATTENTION)

    remote = models.ForeignKey(RemoteInvoice, on_delete=models.PROTECT, related_name="voidings")
    reason = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.NONE, blank=True)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)
    problems = models.JSONField(default=list)
    ended_at = models.DateTimeField(null=True)

    objects = VoidingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["remote"],
                condition=Q(state__in=["WAITING", "WORKING", "ATTENTION"]),
                name="voiding_one_open_for_each_invoice",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="voiding_has_a_reason"),
            models.CheckConstraint(
                condition=Q(state="WORKING", lease_until__isnull=False)
                | ~Q(state="WORKING") & Q(lease_until__isnull=True),
                name="voiding_in_hand_has_a_lease",
            ),
            models.CheckConstraint(
                condition=Q(state="ATTENTION") & ~Q(problems=[]) | ~Q(state="ATTENTION") & Q(problems=[]),
                name="voiding_needs_attention_for_a_problem",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["DONE", "GIVEN_UP"], ended_at__isnull=False)
                | Q(state__in=["WAITING", "WORKING", "ATTENTION"], ended_at__isnull=True),
                name="voiding_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(state="DONE") & ~Q(outcome="") | ~Q(state="DONE") & Q(outcome=""),
                name="voiding_is_done_with_an_outcome",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(state__in=["WAITING", "WORKING"]), name="voiding_due")]

    def __str__(self) -> str:
        return f"voiding {self.pk}"

    @property
    def is_moving(self) -> bool:
        """Something will still happen to it by itself."""
        return self.state in (self.State.WAITING, self.State.WORKING)
