"""What a person is typing and has not saved: kept as it is, offered again, and forgotten once it is saved or old."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from invoices.models import Client, Invoice, Scratch
from invoices.models.scratch import LARGEST_SCRATCH

KEPT_FOR = timedelta(days=90)
MOST_SCRATCHES = 20  # a person; of more, the oldest go


class ScratchRefused(Exception):
    """It can't be kept; the message says why."""


@transaction.atomic
def keep(key: UUID, fields: Mapping[str, str], *, invoice: Invoice | None, person: User, now: datetime) -> Scratch:
    """Keeps what this person has typed under the key of their form, in place of what was kept under it before."""
    typed = {name: text.replace("\x00", "") for name, text in fields.items() if text}
    if len(json.dumps(typed, ensure_ascii=False)) > LARGEST_SCRATCH:
        raise ScratchRefused("This is more than a scratch takes. Save the invoice.")
    if Scratch.objects.filter(pk=key).exclude(person=person, invoice=invoice).exists():
        raise ScratchRefused("This form belongs to something else. Load the page again.")
    values = {"person": person, "invoice": invoice, "fields": typed, "saved_at": now}
    scratch, _ = Scratch.objects.update_or_create(pk=key, defaults=values)
    too_many = Scratch.objects.filter(person=person).order_by("-saved_at", "pk")[MOST_SCRATCHES:]
    Scratch.objects.filter(pk__in=[old.pk for old in too_many]).delete()
    return scratch


def of(person: User, invoice: Invoice | None) -> QuerySet[Scratch]:
    """This person's scratches of an invoice, or of new ones; the latest first."""
    return Scratch.objects.filter(person=person, invoice=invoice).order_by("-saved_at", "pk")


def is_for(scratch: Scratch) -> str:
    """Whom it was to bill, as far as that was typed."""
    chosen = scratch.fields.get("client", "")
    client = Client.objects.filter(pk=chosen).first() if chosen.isascii() and chosen.isdecimal() else None
    return client.name if client else str(scratch.fields.get("client-text", ""))


def forget(person: User, *, invoice: Invoice | None, key: UUID | None) -> None:
    """What was saved needs no scratch: of a new invoice that of its form, of a draft all of this person's."""
    scratches = Scratch.objects.filter(person=person, invoice=invoice)
    if invoice is None:
        scratches = scratches.filter(pk__in=[key] if key else [])
    scratches.delete()


def expire(*, now: datetime) -> int:
    """Removes what nobody came back to."""
    _, removed = Scratch.objects.filter(saved_at__lt=now - KEPT_FOR).delete()
    return removed.get("invoices.Scratch", 0)
