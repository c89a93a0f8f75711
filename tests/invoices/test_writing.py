"""Rows in plain statements: as given, in order, and never cut to fit."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from connectors.models import LiveDatabase
from incrementors.services import NumberRefused
from invoices import drafts, services, writing
from invoices.models import Client, Event, Invoice
from tests.conftest import draft_for, line

pytestmark = pytest.mark.django_db
NASTY = "{\"a\", 'b'} \\ 100 % \n é NULL"


def test_texts_stay_as_they_are_over_several_statements(
    invoice: Invoice, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 2)
    rows = [(invoice.pk, now, None, f"{NASTY}{n}") for n in range(5)]
    writing.insert(Event, drafts.EVENT, rows)
    kept = Event.objects.filter(actor=None).order_by("pk").values_list("invoice_id", "happened_at", "actor_id", "text")
    assert list(kept) == rows
    writing.insert(Event, drafts.EVENT, [])


def test_a_text_that_is_too_long_is_refused_and_not_cut(invoice: Invoice, now: datetime) -> None:
    with pytest.raises(DataError, match=r"too long for type character varying\(300\)"):
        writing.insert(Event, drafts.EVENT, [(invoice.pk, now, None, "x" * 301)])


def test_documents_are_updated_as_json_or_null(approved: Invoice) -> None:
    frozen = {"notes": NASTY, "lines": []}
    writing.update(Invoice, ("id", "frozen"), [(approved.pk, frozen)])
    approved.refresh_from_db()
    assert approved.frozen == frozen
    Invoice.objects.update(status="DRAFT", approved_at=None, frozen=None)
    writing.update(Invoice, ("id", "frozen", "reference"), [(approved.pk, None, "PO-1")])
    assert Invoice.objects.filter(frozen__isnull=True, reference="PO-1").count() == 1


@pytest.mark.parametrize("count", [1, 7])
def test_an_invoice_is_created_and_approved_in_three_statements_and_four_however_many_lines(
    client_of_ours: Client, staff: User, now: datetime, count: int
) -> None:
    draft = draft_for(client_of_ours, *[line()] * count)
    services.approve(invoice_id=services.create_invoice(draft=draft, actor=staff, now=now).pk, actor=staff, now=now)
    with CaptureQueriesContext(connection) as seen:
        invoice = services.create_invoice(draft=draft, actor=staff, now=now)
    assert len([query for query in seen if "SAVEPOINT" not in query["sql"]]) == 3
    with CaptureQueriesContext(connection) as seen:
        services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    assert len([query for query in seen if "SAVEPOINT" not in query["sql"]]) == 4


def test_each_of_many_begins_with_its_own_note_and_has_its_own_id_and_number(
    client_of_ours: Client, staff: User, now: datetime
) -> None:
    notes = [f"Created from {n}, {NASTY}" for n in range(30)]
    made = drafts.create_invoices(drafts=[draft_for(client_of_ours)] * 30, notes=notes, actor=staff, now=now)
    told = Event.objects.order_by("pk").values_list("invoice_id", "text", "actor_id", "happened_at")
    assert list(told) == [(one.pk, text, staff.pk, now) for one, text in zip(made, notes, strict=True)]
    kept = Invoice.objects.order_by("pk").values_list("pk", "uuid", "number", "created_by_id")
    assert list(kept) == [(one.pk, one.uuid, f"INV-{n:05}", staff.pk) for n, one in enumerate(made, start=1)]
    assert len({one.uuid for one in made}) == 30


def test_in_a_restored_copy_nothing_of_an_invoice_is_begun(client_of_ours: Client, staff: User, now: datetime) -> None:
    LiveDatabase.objects.update(identity="another cluster")
    with pytest.raises(NumberRefused, match="restored from a backup"):
        drafts.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    assert not Event.objects.exists() and not Invoice.objects.exists()
