"""A void is written down while a page of the books is: whichever is first, it stays void, and nobody is stopped."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from time import sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.interface import RemoteStatus
from connectors.models import Connection
from invoices import intake, void_services, voiding
from invoices.models import Invoice, Voiding
from invoices.models import RemoteInvoice as Row
from tests.invoices.conftest import NewPush
from tests.invoices.test_pull import booked
from tests.invoices.test_voiding import Books, assert_void_once

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def asked(new_push: NewPush, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Voiding:
    invoice = new_push("SENT").invoice
    held = Books(booked(1, id=f"token-{invoice.pk}", number=invoice.number, total=invoice.total).invoice)
    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: held)
    row = void_services.request_void(invoice_id=invoice.pk, reason="Raised twice", actor=staff, now=now)
    row.books = held  # type: ignore[attr-defined]
    return row


def keep_a_page_from_before(wired: Connection, invoice: Invoice) -> None:
    """It says that some of it was paid, and was read before the void."""
    theirs = booked(1, id=f"token-{invoice.pk}", status=RemoteStatus.PART_PAID, outstanding=Decimal(1))
    try:
        with transaction.atomic():
            intake.take(wired, [theirs], now=timezone.now())
    finally:
        database.close()


def test_a_page_kept_while_the_void_is_written_down_waits_for_it_and_gives_way(
    asked: Voiding, wired: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, kept = voiding._end, []

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(*given: Any) -> None:
            kept.append(pool.submit(keep_a_page_from_before, wired, asked.remote.invoice))
            sleep(0.3)
            end(*given)

        monkeypatch.setattr(voiding, "_end", meanwhile)
        voiding.work(asked.pk)
        kept[0].result(10)
    assert_void_once(asked, asked.books)  # type: ignore[attr-defined]


def test_a_void_written_down_while_a_page_is_kept_comes_after_it(
    asked: Voiding, wired: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, carried = intake.Kept.write, []

    def carry() -> None:
        try:
            voiding.work(asked.pk)
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(self: intake.Kept) -> None:
            carried.append(pool.submit(carry))
            sleep(0.3)
            write(self)

        monkeypatch.setattr(intake.Kept, "write", meanwhile)
        keep_a_page_from_before(wired, asked.remote.invoice)
        carried[0].result(10)
    assert_void_once(asked, asked.books)  # type: ignore[attr-defined]
    assert Row.objects.get().status == "VOID"
