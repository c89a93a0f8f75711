"""The queue hop: Celery carries the id of a push or an e-mail and nothing else, and may lose it."""

import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors import epoch, lifecycle
from connectors.services import live_connection
from invoices import (
    balances,
    bulk,
    digest,
    forecast,
    importing,
    mailing,
    parting,
    pull,
    push,
    reminding,
    restoring,
    scratches,
    voiding,
)

log = logging.getLogger(__name__)

AHEAD = timedelta(minutes=2)  # a hint is given; what is to wait longer does not wait notably longer for a sweep


def live_only(task: Callable[..., None]) -> Callable[..., None]:
    """In a restored copy nothing is done until an admin says that it is the live one, and what it missed is known."""

    @wraps(task)
    def guarded(**given: Any) -> None:
        if not epoch.is_held():
            task(**given)

    return guarded


def hint(push_id: int, at: datetime | None = None) -> None:
    """Tells a worker that there is something to do, or will be; when the broker is away the sweep finds it instead."""
    if at is not None and at > timezone.now() + AHEAD:
        return
    try:
        push_invoice.apply_async(kwargs={"push_id": push_id}, eta=at)
    except OperationalError:
        log.warning("The broker is away; the sweep will find it.", extra={"push": push_id})


def hint_send(send_id: int) -> None:
    """Tells a worker that a bulk send is to be queued; when the broker is away the sweep finds it instead."""
    try:
        queue_send.delay(send_id=send_id)
    except OperationalError:
        log.warning("The broker is away; the sweep will find bulk send %s.", send_id)


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


def _leave() -> None:
    """Celery's threads can't be ended one by one: the process goes, is started again, and others look what it sent."""
    log.critical("A call to Sage outlived every limit: this worker stops, so that its lane comes free.")
    os._exit(os.EX_TEMPFAIL)


def hint_mail(mail_id: int) -> None:
    """An e-mail leaves at once; when the broker is away the next look at what is due finds it."""
    try:
        send_mail.delay(mail_id=mail_id)
    except OperationalError:
        log.warning("The broker is away; the next look at what is due will find mail %s.", mail_id)


def hint_import(import_id: int) -> None:
    """A file is checked at once; when the broker is away the next look at what is due finds it."""
    try:
        import_file.delay(import_id=import_id)
    except OperationalError:
        log.warning("The broker is away; the next look at what is due will find import %s.", import_id)


def hint_reminders() -> None:
    """Send now reaches a worker at once; when the broker is away it begins with the next look at what is due."""
    try:
        remind.delay()
    except OperationalError:
        log.warning("The broker is away; the next look at what is due will find the reminders.")


@shared_task
@live_only
def import_file(import_id: int, **_: object) -> None:
    importing.work(import_id)


@shared_task
@live_only
def sweep_imports(**_: object) -> None:
    for import_id in importing.due(now=timezone.now()):
        hint_import(import_id)


@shared_task
@live_only
def remind(**_: object) -> None:
    for mail_id in reminding.run(now=timezone.now()):
        hint_mail(mail_id)


@shared_task
@live_only
def void_invoice(voiding_id: int, **_: object) -> None:
    voiding.work(voiding_id)


@shared_task
@live_only
def push_invoice(push_id: int, **_: object) -> None:
    left = push.work(push_id, overtime=_leave)
    if left is not None:
        hint(*left)


@shared_task
@live_only
def queue_send(send_id: int, **_: object) -> None:
    for push_id in bulk.queue_all(send_id, now=timezone.now()):
        hint(push_id)


@shared_task
def sweep_pushes(**_: object) -> None:
    restoring.catch_up(now=timezone.now())
    if epoch.is_held():
        return
    for push_id in push.sweep(now=timezone.now()):
        hint(push_id)
    for send_id in bulk.due():
        hint_send(send_id)
    for voiding_id in voiding.due(now=timezone.now()):
        hint_void(voiding_id)
    parting.finish_if_drained(now=timezone.now())


@shared_task
@live_only
def send_mail(mail_id: int, **_: object) -> None:
    mailing.work(mail_id)


@shared_task
@live_only
def sweep_mails(**_: object) -> None:
    for mail_id in mailing.sweep(now=timezone.now()):
        hint_mail(mail_id)


@shared_task
@live_only
def read_numbers(**_: object) -> None:
    push.read_numbers(now=timezone.now())


@shared_task
@live_only
def look_ahead(**_: object) -> None:
    try:
        forecast.look_ahead(live_connection(), now=timezone.now())
    except forecast.PlatformError as error:
        log.warning("The numbers ahead could not be looked up: %s", error.message)


@shared_task
@live_only
def pull_changes(**_: object) -> None:
    for connection_id in pull.due(now=timezone.now()):
        read_changes.delay(connection_id=str(connection_id))


@shared_task
@live_only
def read_changes(connection_id: str, **_: object) -> None:
    if pull.read(UUID(connection_id), now=timezone.now()):
        read_changes.delay(connection_id=connection_id)


@shared_task
@live_only
def send_digests(**_: object) -> None:
    digest.send_due(now=timezone.now())


@shared_task
def fold_totals(**_: object) -> None:
    balances.fold(timezone.localdate())


@shared_task
@live_only
def keep_alive(**_: object) -> None:
    lifecycle.keep_alive(now=timezone.now())
    scratches.expire(now=timezone.now())
    importing.forget_old(now=timezone.now())
    bulk.expire(now=timezone.now())
