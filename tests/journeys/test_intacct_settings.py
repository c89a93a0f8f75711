"""Each sync setting of Intacct's, places of a property, and texts: seen by what they change in the pretend books."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection, RemoteLink
from invoices import push as worker
from invoices import services
from invoices.models import Client, Invoice, Item, Property, Push
from tests.books import Sandbox
from tests.conftest import draft_for, line, set_up_intacct
from tests.journeys import intacct as journey
from tests.journeys.intacct import condition, do, held, link, places, postings

pytestmark = pytest.mark.django_db

Send = Callable[[Invoice], tuple[Push, dict[str, Any]]]


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


# Created or Draft ---------------------------------------------------------------------------------------------
def test_created_is_posted_and_final(send: Send, invoice: Invoice) -> None:
    _, theirs = send(invoice)
    assert theirs["state"] == "posted"


@pytest.mark.parametrize("has_its_number_already", ["no", "yes"])
def test_a_draft_gets_its_number_when_somebody_submits_it_there(
    has_its_number_already: str, send: Send, intacct: Connection, sandbox: Sandbox, invoice: Invoice, now: datetime
) -> None:
    sandbox.switch("draft_number", has_its_number_already)
    set_up_intacct(intacct, now=now, create_as="DRAFT")
    push, theirs = send(invoice)
    assert (theirs["state"], push.state) == ("draft", Push.State.SENT)
    assert push.remote and (push.remote.number, push.remote.is_draft) == ("", True)
    worker.read_numbers(now=now + timedelta(hours=1))
    push.remote.refresh_from_db()
    assert push.remote.number == "", "it is a draft still"
    do(sandbox, theirs["key"], "submit")
    worker.read_numbers(now=now + timedelta(hours=2))
    push.remote.refresh_from_db()
    assert (push.remote.number, push.remote.is_draft) == ("SI-1001", False)
    assert invoice.events.filter(text="Released in Sage as SI-1001.").count() == 1


# Whose number -------------------------------------------------------------------------------------------------
def test_intacct_numbers_by_default_and_our_number_goes_as_its_reference(send: Send, invoice: Invoice) -> None:
    push, theirs = send(invoice)
    assert (theirs["invoiceNumber"], theirs["referenceNumber"]) == ("SI-1001", "INV-00001")
    assert push.remote and push.remote.number == "SI-1001"


def test_our_number_is_intacct_s_too_where_the_setting_says_ours(
    send: Send, intacct: Connection, invoice: Invoice, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, numbers="OURS")
    push, theirs = send(invoice)
    assert (theirs["invoiceNumber"], theirs["referenceNumber"]) == ("INV-00001", "INV-00001")
    assert push.remote and push.remote.number == "INV-00001"


def test_a_sequence_that_ignores_our_number_is_known_and_found_by(
    send: Send, intacct: Connection, sandbox: Sandbox, invoice: Invoice, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, numbers="OURS")
    sandbox.switch("supplied_number", "ignore")
    push, theirs = send(invoice)
    assert push.state == Push.State.SENT
    assert push.remote and push.remote.number == theirs["invoiceNumber"] == "SI-1001"


@pytest.mark.parametrize(
    ("switch", "value", "numbers", "words"),
    [
        ("supplied_number", "reject", "OURS", "Choose Sage numbers"),
        ("sequence", "off", "PLATFORM", "or choose Our numbers"),
    ],
)
def test_a_setting_that_intacct_s_own_numbering_contradicts_is_named(
    switch: str,
    value: str,
    numbers: str,
    words: str,
    send: Send,
    intacct: Connection,
    sandbox: Sandbox,
    invoice: Invoice,
    now: datetime,
) -> None:
    set_up_intacct(intacct, now=now, numbers=numbers)
    sandbox.switch(switch, value)
    push, theirs = send(invoice)
    assert theirs == {}
    assert words in push.problems[0]["meaning"]
    assert push.problems[0]["fix"] == "SYNC_SETTINGS"


# Places and term ----------------------------------------------------------------------------------------------
def test_every_line_is_posted_to_the_default_location_and_department(
    send: Send, raise_one: Callable[..., Invoice]
) -> None:
    _, theirs = send(raise_one(line(), line("Second"), line("Third")))
    assert len(theirs["lines"]) == 3
    assert places(theirs) == {("LDN", "OPS")}


def test_without_defaults_the_entity_is_the_location_and_no_department_is_named(
    send: Send, intacct: Connection, invoice: Invoice, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, location="", department="")
    _, theirs = send(invoice)
    assert places(theirs) == {("LDN", "")}


@pytest.mark.parametrize(
    ("own", "posted_to"),
    [
        ({"LOCATION": "LDN-DOCK", "DEPARTMENT": "PROP"}, ("LDN-DOCK", "PROP")),
        ({"LOCATION": "LDN-DOCK"}, ("LDN-DOCK", "OPS")),
        ({"DEPARTMENT": "PROP"}, ("LDN", "PROP")),
        ({}, ("LDN", "OPS")),
    ],
)
def test_a_property_s_own_places_come_before_the_defaults(
    own: dict[str, str],
    posted_to: tuple[str, str],
    send: Send,
    raise_one: Callable[..., Invoice],
    intacct: Connection,
    now: datetime,
) -> None:
    site = Property.objects.create(name="12 Fell Road", address="12 Fell Road, Kendal")
    for kind, remote_id in own.items():
        RemoteLink.objects.create(
            connection=intacct, kind=kind, local_key=str(site.pk), remote_id=remote_id, linked_at=now
        )
    _, theirs = send(raise_one(site=site))
    assert places(theirs) == {posted_to}
    assert "Property: 12 Fell Road" in theirs["description"]


def test_the_term_is_named_and_our_due_date_stays(
    send: Send, intacct: Connection, invoice: Invoice, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, term="Net 14")
    _, theirs = send(invoice)
    assert (theirs["term"]["id"], theirs["dueDate"]) == ("Net 14", "2026-12-02")


# Accounts -----------------------------------------------------------------------------------------------------
def test_every_line_goes_to_the_default_account_and_says_what_it_is_for(
    send: Send, raise_one: Callable[..., Invoice]
) -> None:
    one = line("Key safe", quantity=Decimal("1.5"), unit_price=Decimal("39.99"), discount_percent=Decimal("10"))
    _, theirs = send(raise_one(line("Survey", quantity=Decimal(1)), one))
    assert postings(theirs) == [
        ("4000", "85.00", "Survey"),
        ("4000", "53.99", "Key safe (1.5 × 39.99, less 6.00)"),  # noqa: RUF001
    ]


def test_account_labels_go_in_place_of_accounts_where_the_company_uses_them(
    send: Send, intacct: Connection, sandbox: Sandbox, invoice: Invoice, now: datetime
) -> None:
    condition(sandbox, use_account_labels=True)
    set_up_intacct(intacct, now=now, account_labels="ON")
    _, theirs = send(invoice)
    (row,) = theirs["lines"]
    assert (row["accountLabel"]["id"], row["glAccount"]["id"]) == ("Services", "4000")
    assert theirs["totalTxnAmount"] == "204.00"


def test_with_account_labels_and_no_tax_solution_the_tax_goes_to_a_tax_label(
    send: Send, intacct: Connection, sandbox: Sandbox, invoice: Invoice, now: datetime
) -> None:
    condition(sandbox, use_account_labels=True)
    set_up_intacct(intacct, now=now, account_labels="ON", tax_solution="")
    _, theirs = send(invoice)
    assert [(row["accountLabel"]["id"], row["txnAmount"]) for row in theirs["lines"]] == [
        ("Services", "170.00"),
        ("VAT", "34.00"),
    ]


def test_a_line_goes_to_its_own_account_only_where_the_setting_says_so(
    send: Send, raise_one: Callable[..., Invoice], intacct: Connection, item: Item, now: datetime
) -> None:
    Item.objects.update(nominal_code="4010")
    item.refresh_from_db()
    off, on = (raise_one(line(), line(nominal_code="4020"), line(item=item)) for _ in range(2))
    _, theirs = send(off)
    assert [account for account, _, _ in postings(theirs)] == ["4000"] * 3
    set_up_intacct(intacct, now=now, codes_per_line="ON")
    _, theirs = send(on)
    assert [account for account, _, _ in postings(theirs)] == ["4000", "4020", "4010"]


# When -----------------------------------------------------------------------------------------------------------
def test_send_on_approval_needs_no_press_on_send(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, send_on_approval="ON")
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(Push.objects.get(invoice=invoice).pk)
    assert len(held(sandbox)) == 1


def test_an_invoice_older_than_sync_from_is_not_sent(
    linked: Client, intacct: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, sync_from="2026-11-03")
    with pytest.raises(services.Refused, match="before 3 November 2026"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)


# Texts ----------------------------------------------------------------------------------------------------------
def test_a_line_that_costs_nothing_goes_too(send: Send, raise_one: Callable[..., Invoice]) -> None:
    _, theirs = send(raise_one(line(), line("Free of charge", discount_percent=Decimal(100))))
    assert [amount for _, amount, _ in postings(theirs)] == ["170.00", "0.00"]


def test_the_client_s_reference_property_and_notes_stand_in_the_description(
    send: Send, raise_one: Callable[..., Invoice]
) -> None:
    _, theirs = send(raise_one(reference="PO-7741", notes="Ring the second bell."))
    assert theirs["description"] == "Client's reference: PO-7741\nRing the second bell."


def test_notes_longer_than_intacct_takes_are_told_and_never_cut(send: Send, raise_one: Callable[..., Invoice]) -> None:
    push, theirs = send(raise_one(notes="x" * 1400))
    assert theirs == {}
    assert push.problems[0]["fix"] == "INVOICE"
    assert "longer than Intacct takes" in push.problems[0]["meaning"]
