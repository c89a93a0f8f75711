"""Tax and totals in Intacct: with a tax solution, without one, and never another total than ours."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection
from connectors.services import map_tax_rates
from invoices import push as worker
from invoices import services
from invoices.models import Client, Invoice, Push, TaxRate
from tests.books import Sandbox
from tests.conftest import draft_for, line, set_up_intacct
from tests.journeys import intacct as journey
from tests.journeys.intacct import held, link, places, postings, taxes

pytestmark = pytest.mark.django_db

Send = Callable[[Invoice], tuple[Push, dict[str, Any]]]
BY_ACCOUNT = {"STANDARD": "2200", "REDUCED": "2300", "ZERO": "none", "EXEMPT": "none", "NO_VAT": "none"}


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


@pytest.fixture
def send(linked: Client, sandbox: Sandbox, staff: User, now: datetime) -> Send:
    """Sends an invoice as a worker does, and gives its push and what the books hold of it."""

    def sent(invoice: Invoice) -> tuple[Push, dict[str, Any]]:
        push = journey.send(invoice, staff, now)
        found = [row for row in held(sandbox) if row["referenceNumber"] == invoice.number]
        return push, found[0] if found else {}

    return sent


@pytest.fixture
def raise_one(linked: Client, staff: User, now: datetime) -> Callable[..., Invoice]:
    def raised(*lines: Any, **changes: Any) -> Invoice:
        return services.create_invoice(draft=draft_for(linked, *lines, **changes), actor=staff, now=now)

    return raised


def rated(raise_one: Callable[..., Invoice]) -> Invoice:
    """A line at each of our rates, each with pennies that round."""
    price = {"quantity": Decimal(1), "unit_price": Decimal("10.03")}
    return raise_one(*(line(rate.pk, tax_rate=rate, **price) for rate in TaxRate.objects.order_by("position")))


def test_with_a_tax_solution_each_line_carries_its_tax_entry(send: Send, raise_one: Callable[..., Invoice]) -> None:
    invoice = rated(raise_one)
    push, theirs = send(invoice)
    start = "UK Sale Goods/Services"
    assert theirs["taxSolution"]["id"] == "United Kingdom - VAT"
    assert taxes(theirs)[:2] == [(f"{start} Standard Rate", "2.01"), (f"{start} Reduced Rate", "0.50")]
    assert [amount for _, amount in taxes(theirs)[2:]] == ["0.00"] * 3
    assert Decimal(theirs["totalTxnAmount"]) == invoice.total == Decimal("52.66")
    assert push.remote and push.remote.total == invoice.total


def test_without_one_the_tax_of_each_account_is_a_line_of_its_own(
    send: Send, raise_one: Callable[..., Invoice], intacct: Connection, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, tax_solution="")
    map_tax_rates(intacct, BY_ACCOUNT, now=now)
    invoice = rated(raise_one)
    _, theirs = send(invoice)
    assert theirs["taxSolution"] is None
    assert taxes(theirs) == []
    assert postings(theirs)[5:] == [("2200", "2.01", "Tax"), ("2300", "0.50", "Tax")]
    assert places(theirs) == {("LDN", "OPS")}
    assert Decimal(theirs["totalTxnAmount"]) == invoice.total


def test_rates_without_tax_make_no_tax_line(
    send: Send, raise_one: Callable[..., Invoice], intacct: Connection, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, tax_solution="")
    map_tax_rates(intacct, BY_ACCOUNT, now=now)
    free = [line(code, tax_rate=TaxRate.objects.get(pk=code)) for code in ("ZERO", "EXEMPT", "NO_VAT")]
    _, theirs = send(raise_one(*free))
    assert [account for account, _, _ in postings(theirs)] == ["4000"] * 3
    assert theirs["totalTxnAmount"] == "510.00"


def test_a_rate_with_tax_that_is_mapped_to_no_tax_line_keeps_the_invoice_here(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, tax_solution="")
    map_tax_rates(intacct, {**BY_ACCOUNT, "STANDARD": "none"}, now=now)
    sandbox.clear_journal()
    with pytest.raises(services.Refused, match=r"20 % here, but No tax line in Sage is 0 %"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert sandbox.calls() == []


def test_what_does_not_come_to_our_total_is_refused_before_anything_is_sent(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    """Frozen sums that disagree are a fault of ours: better none in the books than a wrong one."""
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    invoice.refresh_from_db()
    Invoice.objects.filter(pk=invoice.pk).update(frozen={**(invoice.frozen or {}), "total": "204.01"})
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.state == Push.State.ATTENTION
    assert "come to 204.00, the invoice to 204.01" in push.problems[0]["meaning"]
    assert sandbox.calls() == []


def test_one_such_invoice_in_a_batch_does_not_keep_the_others(
    linked: Client, intacct: Connection, sandbox: Sandbox, staff: User, now: datetime
) -> None:
    pushes = journey.queue(linked, 3, staff, now)
    bad = pushes[1].invoice
    bad.refresh_from_db()
    Invoice.objects.filter(pk=bad.pk).update(frozen={**(bad.frozen or {}), "total": "204.01"})
    worker.work(pushes[0].pk)
    assert [push.state for push in journey.fresh(pushes)] == ["SENT", "ATTENTION", "SENT"]
    assert len(held(sandbox)) == 2
