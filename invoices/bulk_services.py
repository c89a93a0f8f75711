"""What a person can do with a bulk send: choose, begin, cancel what has not left, and send that again."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from connectors.services import live_connection
from invoices import tasks
from invoices.drafts import Refused
from invoices.models import BulkMember, BulkSend, Event, Invoice, Push
from invoices.obstacles import obstacles_of_all

STATE = BulkMember.State
CHOOSE = """
    INSERT INTO invoices_bulkmember (send_id, invoice_id, state, reason)
    SELECT %(send)s, pk, 'CHOSEN', '' FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS chosen (pk, place)
    ORDER BY place"""
CANCELLED = Q(state=STATE.CANCELLED, push=None) | Q(push__state=Push.State.CANCELLED)  # and not sent otherwise since
TAKEN_BACK = "It was taken back to draft: whoever did that sends it."


def choose(*, ids: Iterable[int], actor: User, now: datetime) -> BulkSend:
    """Puts on record what is to be sent together; nothing is sent yet."""
    with transaction.atomic():
        send = BulkSend.objects.create(chosen_by=actor, chosen_at=now)
        with database.cursor() as cursor:
            cursor.execute(CHOOSE, {"send": send.pk, "ids": list(ids)})
    return send


def keep_findings(send: BulkSend, reasons: Mapping[int, str]) -> None:
    """What the check before it found against each invoice, by its id; what goes is what a person was shown to go."""
    with transaction.atomic():
        if BulkSend.objects.select_for_update().get(pk=send.pk).started_at:
            return
        by_reason: dict[str, list[int]] = {}
        for pk, invoice_id, kept in send.members.values_list("pk", "invoice_id", "reason"):
            if (reason := reasons.get(invoice_id, "")[:300]) != kept:
                by_reason.setdefault(reason, []).append(pk)
        for reason, members in by_reason.items():
            BulkMember.objects.filter(pk__in=members).update(reason=reason)


def start(*, send_id: int, green: int, actor: User, now: datetime) -> BulkSend:
    """Begins it with those that nothing was found against; a second press is the same send. Raises Refused."""
    with transaction.atomic():
        send = BulkSend.objects.select_for_update().get(pk=send_id, chosen_by=actor)
        if send.started_at:
            return send
        connection = live_connection()
        if found := obstacles_of_all(connection):
            raise found[0]
        can_go = send.members.filter(reason="").count()
        if can_go != green:
            raise Refused(f"Nothing was sent, as something has changed: {can_go} can be sent now, not {green}.")
        if not can_go:
            raise Refused("Nothing was sent, as none of them can be.")
        send.members.exclude(reason="").update(state=STATE.LEFT_OUT)
        send.connection, send.started_at, send.pressed_by = connection, now, actor
        send.save()
        transaction.on_commit(lambda: tasks.hint_send(send_id), robust=True)
    return send


def cancel(*, send_id: int, actor: User, now: datetime) -> int:
    """Stops what has not left yet, and says how many; what a worker has in hand ends by itself."""
    with transaction.atomic():
        send = BulkSend.objects.select_for_update().get(pk=send_id, started_at__isnull=False)
        # Whoever queues a chunk has its members locked: those wait here, and are found among the waiting pushes then.
        unqueued = send.members.filter(state=STATE.CHOSEN).update(state=STATE.CANCELLED)
        ready = Push.objects.filter(state=Push.State.READY, pk__in=send.members.values("push"))
        pushes = list(ready.select_for_update().order_by("pk"))
        stopped = [push.pk for push in pushes]
        Push.objects.filter(pk__in=stopped).update(state=Push.State.CANCELLED)
        send.members.filter(push__in=stopped, state=STATE.QUEUED).update(state=STATE.CANCELLED)
        text = "Cancelled before it left."
        Event.objects.bulk_create(
            Event(invoice_id=push.invoice_id, happened_at=now, actor=actor, text=text) for push in pushes
        )
        send.queued_at = send.queued_at or now
        send.save(update_fields=["queued_at"])
    return unqueued + len(stopped)


def send_again(*, send_id: int, actor: User, now: datetime) -> int:
    """Those that were cancelled, and are not on their way by now, are queued after all; says how many.

    What somebody took back to draft after it was queued is being changed: that is left to them.
    """
    with transaction.atomic():
        send = BulkSend.objects.select_for_update().get(pk=send_id, started_at__isnull=False)
        if found := obstacles_of_all(live_connection()):
            raise found[0]
        _leave_drafts_alone(send)
        cancelled = list(send.members.filter(CANCELLED).values_list("pk", flat=True))
        rows = BulkMember.objects.filter(pk__in=cancelled)
        rows.update(state=STATE.CHOSEN, push=None, reason="")
        if cancelled:
            send.queued_at, send.pressed_by = None, actor
            send.save(update_fields=["queued_at", "pressed_by"])
            transaction.on_commit(lambda: tasks.hint_send(send_id), robust=True)
    return len(cancelled)


def _leave_drafts_alone(send: BulkSend) -> None:
    drafts = send.members.filter(CANCELLED, push__isnull=False, invoice__status=Invoice.Status.DRAFT)
    members = list(drafts.values_list("pk", flat=True))
    BulkMember.objects.filter(pk__in=members).update(state=STATE.LEFT_OUT, push=None, reason=TAKEN_BACK)
