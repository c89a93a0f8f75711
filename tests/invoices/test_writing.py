"""Rows in plain statements: as given, in order, and never cut to fit."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

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
def test_an_invoice_is_created_and_approved_in_five_statements_and_six_however_many_lines(
    client_of_ours: Client, staff: User, now: datetime, count: int
) -> None:
    draft = draft_for(client_of_ours, *[line()] * count)
    services.approve(invoice_id=services.create_invoice(draft=draft, actor=staff, now=now).pk, actor=staff, now=now)
    with CaptureQueriesContext(connection) as seen:
        invoice = services.create_invoice(draft=draft, actor=staff, now=now)
    assert len([query for query in seen if "SAVEPOINT" not in query["sql"]]) == 5
    with CaptureQueriesContext(connection) as seen:
        services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    assert len([query for query in seen if "SAVEPOINT" not in query["sql"]]) == 6
