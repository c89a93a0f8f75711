"""The queue hop: Celery carries a push's id and nothing else, and may lose it."""

import logging
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors import lifecycle
from invoices import parting, pull, push, voiding

log = logging.getLogger(__name__)


def hint(push_id: int) -> None:
    """Tells a worker that there is something to do; when the broker is away the sweep finds it instead."""
    try:
        push_invoice.delay(push_id=push_id)
    except OperationalError:
        log.warning("The broker is away; the sweep will find it.", extra={"push": push_id})


def hint_reading(connection_id: UUID) -> None:
    """Sync now reaches a worker at once; when the broker is away it begins with the next look at what is due."""
    try:
        read_changes.delay(connection_id=str(connection_id))
    except OperationalError:
        log.warning("The broker is away; the next look at what is due will find it.")


def hint_void(voiding_id: int) -> None:
    """Tells a worker that an invoice is to be voided; when the broker is away the sweep finds it instead."""
    try:
        void_invoice.delay(voiding_id=voiding_id)
    except OperationalError:
        log.warning("The broker is away; the sweep will find it.", extra={"push": f"void-{voiding_id}"})


@shared_task
def void_invoice(voiding_id: int, **_: object) -> None:
    voiding.work(voiding_id)


@shared_task
def push_invoice(push_id: int, **_: object) -> None:
    left = push.work(push_id)
    if left is not None:
        hint(left)


@shared_task
def sweep_pushes(**_: object) -> None:
    for push_id in push.sweep(now=timezone.now()):
        hint(push_id)
    for voiding_id in voiding.due(now=timezone.now()):
        hint_void(voiding_id)
    parting.finish_if_drained(now=timezone.now())


@shared_task
def read_numbers(**_: object) -> None:
    push.read_numbers(now=timezone.now())


@shared_task
def pull_changes(**_: object) -> None:
    for connection_id in pull.due(now=timezone.now()):
        read_changes.delay(connection_id=str(connection_id))


@shared_task
def read_changes(connection_id: str, **_: object) -> None:
    if pull.read(UUID(connection_id), now=timezone.now()):
        read_changes.delay(connection_id=connection_id)


@shared_task
def keep_alive(**_: object) -> None:
    lifecycle.keep_alive(now=timezone.now())
