"""A connection that is set up but was never on the wire, and pushes in any state, for tests that need no platform."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection, RemoteLink
from invoices import services
from invoices.models import Client, Invoice, Push, PushAttempt, RemoteInvoice, TaxRate
from tests.conftest import draft_for
from tests.invoices.books import Books

NewPush = Callable[..., Push]


@pytest.fixture
def wired(admin: User, now: datetime) -> Connection:
    """Connected and set up, in the database only."""
    connection = Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour",
        sales_account_id="acc-4000",
        sales_account_name="4000 Sales",
        authorised_at=now,
        authorised_by=admin,
    )
    for rate in TaxRate.objects.all():
        RemoteLink.objects.create(
            connection=connection,
            kind=RemoteLink.Kind.TAX_RATE,
            local_key=rate.pk,
            remote_id=f"GB_{rate.pk}",
            remote_name=rate.name,
            percentage=rate.percentage,
            linked_at=now,
        )
    return connection


@pytest.fixture
def approved(invoice: Invoice, staff: User, now: datetime) -> Invoice:
    return services.approve(invoice_id=invoice.pk, actor=staff, now=now)


@pytest.fixture
def new_invoice(client_of_ours: Client, staff: User, now: datetime) -> Callable[..., Invoice]:
    def made(*lines: Any, client: Client | None = None, **changes: Any) -> Invoice:
        draft = draft_for(client or client_of_ours, *lines, **changes)
        return services.create_invoice(draft=draft, actor=staff, now=now)

    return made


@pytest.fixture
def new_push(wired: Connection, approved: Invoice, staff: User, now: datetime) -> NewPush:
    """A push of the approved invoice in the state asked for, with an attempt where that state has one."""

    def made(state: str, **changes: Any) -> Push:
        push = services.request_push(invoice_id=approved.pk, actor=staff, now=now)
        values: dict[str, Any] = {"state": state}
        if state in ("SENDING", "UNKNOWN"):
            PushAttempt.objects.create(push=push, n=1, generation=1, key="k" * 32, started_at=now)
        if state == "SENDING":
            values["lease_until"] = now + timedelta(seconds=4)
        if state == "ATTENTION":
            values["cause"] = "REJECTED"
        if state == "SENT":
            values |= {"remote": remote_of(approved, wired, now), "sent_at": now}
            Invoice.objects.filter(pk=approved.pk).update(status="SENT")
        Push.objects.filter(pk=push.pk).update(**{**values, **changes})
        push.refresh_from_db()
        return push

    return made


def remote_of(invoice: Invoice, connection: Connection, now: datetime, **changes: Any) -> RemoteInvoice:
    given = {"remote_id": f"token-{invoice.pk}", "number": invoice.number, "total": Decimal(1), "linked_at": now}
    return RemoteInvoice.objects.create(invoice=invoice, connection=connection, **{**given, **changes})


@pytest.fixture
def books(wired: Connection, approved: Invoice, monkeypatch: pytest.MonkeyPatch, now: datetime) -> Books:
    RemoteLink.objects.create(
        connection=wired,
        kind="CLIENT",
        local_key=str(approved.client.uuid),
        remote_id="c-1",
        remote_name="Bramley",
        linked_at=now,
    )
    held = Books()
    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: held)
    return held


@pytest.fixture
def push(books: Books, approved: Invoice, staff: User, now: datetime) -> Push:
    return services.request_push(invoice_id=approved.pk, actor=staff, now=now)


@pytest.fixture
def desk(client: Browser, staff: User) -> Browser:
    client.force_login(staff)
    return client
