"""A worker writes down what came of a push while people click: neither stops the other, no number is shown twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Event as Signal
from time import sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction

from invoices import record, services
from invoices.models import Invoice, Push
from tests.invoices.books import Books, carry

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_a_click_while_the_answer_is_written_down_stops_neither(
    push: Push, books: Books, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lock the invoice first and its push then; the other way round Postgres would throw one of them out."""
    link = record._link

    def click() -> str:
        try:
            return services.request_push(invoice_id=push.invoice_id, actor=staff, now=now).state
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        clicks = []

        def meanwhile(*arguments: Any) -> None:
            clicks.append(pool.submit(click))
            sleep(0.3)
            link(*arguments)

        monkeypatch.setattr(record, "_link", meanwhile)
        carry(push)
        assert clicks[0].result(10) == push.state == Push.State.SENT


def test_a_number_of_sages_that_an_invoice_is_just_being_given_is_not_shown(
    push: Push, books: Books, new_invoice: Callable[..., Invoice]
) -> None:
    given = Signal()

    def create() -> str | None:
        try:
            with transaction.atomic():
                created = new_invoice()
                given.set()
                sleep(0.3)
            return created.number
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(create)
        assert given.wait(10)
        books.creates = [{"number": "INV-00002"}]
        carry(push)
        assert creating.result(10) == "INV-00002"
    assert push.remote
    assert not push.remote.is_shown
