"""Two people link the same invoice of Sage's, or one does while a page brings it in: it is of one invoice, always."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction

from connectors.interface import RemoteInvoice
from connectors.models import Connection
from invoices import intake, pull, services
from invoices.models import Invoice, Pull, Push
from invoices.models import RemoteInvoice as Row
from tests.invoices.books import LOST, Books, booked, carry, look, theirs

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
ROUNDS = 3


@pytest.fixture
def doubtful(push: Push, books: Books) -> Push:
    books.creates, books.finds = [LOST], [[{"total": Decimal(1)}]]
    return look(carry(push))


def both(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """At the same moment, each in a thread and a transaction of its own; what each gave or raised."""
    barrier = Barrier(2)

    def run(deed: Callable[[], object]) -> object:
        try:
            barrier.wait(10)
            return deed()
        except services.Refused as refused:
            return refused
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        return [future.result(30) for future in [pool.submit(run, first), pool.submit(run, second)]]


def linking(push: Push, remote: RemoteInvoice, staff: User, now: datetime) -> Callable[[], object]:
    return lambda: services.link_to_remote(invoice_id=push.invoice_id, remote=remote, actor=staff, now=now)


@pytest.mark.parametrize("reading", [True, False], ids=["books that are read", "books that are not"])
@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("n", range(ROUNDS))
def test_of_two_who_link_it_to_two_invoices_one_is_refused(
    doubtful: Push,
    books: Books,
    new_invoice: Callable[..., Invoice],
    wired: Connection,
    staff: User,
    now: datetime,
    imported: bool,
    reading: bool,
    n: int,
) -> None:
    other = services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now)
    books.creates, books.finds = [LOST], [[{"total": Decimal(1)}]]
    look(carry(other))
    remote = theirs(books.documents[0], id="k-9", reference="PO 17")
    if reading:
        pull.request(wired, now=now)
    if imported:
        wired.sync_settings = {"direction": "BOTH"}
        with transaction.atomic():
            intake.take(wired, [booked(books.documents[0], now, id="k-9", reference="PO 17")], now=now)
    came = both(linking(doubtful, remote, staff, now), linking(other, remote, staff, now))
    refused = [each for each in came if isinstance(each, services.Refused)]
    assert len(refused) == 1, came
    assert sorted(Push.objects.values_list("state", flat=True)) == ["ATTENTION", "SENT"]
    assert Row.objects.get().invoice == Push.objects.get(state="SENT").invoice
    assert Invoice.objects.filter(duplicate_of__isnull=False).count() == (1 if imported else 0)


@pytest.mark.parametrize("n", range(ROUNDS))
def test_a_page_that_brings_it_in_meanwhile_and_the_link_end_in_one_invoice(
    doubtful: Push, books: Books, wired: Connection, staff: User, now: datetime, n: int
) -> None:
    pull.request(wired, now=now)
    Connection.objects.update(sync_settings={"direction": "BOTH"})
    wired.refresh_from_db()
    twin = booked(books.documents[0], now, id="k-9", reference="PO 17", number="SI-9")

    def page() -> Any:
        """As the reading keeps it."""
        with transaction.atomic():
            Pull.objects.select_for_update().get(connection=wired)
            return intake.take(wired, [twin], now=now)

    both(linking(doubtful, twin.invoice, staff, now), page)
    doubtful.refresh_from_db()
    row = Row.objects.get()
    assert (doubtful.state, doubtful.remote, row.invoice_id) == ("SENT", row, doubtful.invoice_id)
    assert set(Invoice.objects.filter(origin="IMPORTED").values_list("status", flat=True)) <= {"VOID"}
