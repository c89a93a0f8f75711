"""Each sync setting, seen by what it changes in the sandbox's books."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User

from connectors.interface import Fix
from connectors.models import Connection, RemoteLink
from connectors.services import live_connection, set_sync_settings
from invoices import push as worker
from invoices import queueing, services
from invoices.models import Client, Company, Invoice, Item, Push, RemoteInvoice
from invoices.standing import shown_number
from tests.books import Sandbox
from tests.conftest import draft_for, line, person

pytestmark = pytest.mark.django_db

Send = Callable[..., tuple[Push, dict[str, Any]]]


@pytest.fixture
def send(sandbox: Sandbox, staff: User, now: datetime) -> Send:
    """Sends an invoice as a worker does, and gives its push and what the books hold of it."""

    def sent(invoice: Invoice) -> tuple[Push, dict[str, Any]]:
        push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
        worker.work(push.pk)
        push.refresh_from_db()
        invoice.refresh_from_db()
        held = [row for row in sandbox.invoices() if row["reference"] == invoice.number]
        return push, held[0] if held else {}

    return sent


def choose(connection: Connection, **settings: str) -> None:
    set_sync_settings(connection, settings)
    connection.refresh_from_db()


def test_created_is_final_with_our_number(connection: Connection, invoice: Invoice, send: Send) -> None:
    push, held = send(invoice)
    assert (held["status_shown"], held["number"]) == ("Created", "INV-00001")
    assert push.remote and push.remote.number == "INV-00001"


def test_a_draft_has_no_number_until_it_is_released_in_sage(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, send: Send, now: datetime
) -> None:
    choose(connection, create_as="DRAFT")
    push, held = send(invoice)
    assert held["status_shown"] == "Draft"
    assert push.state == Push.State.SENT
    assert push.remote and push.remote.number == ""
    release = f"{sandbox.url}/accounting/books/invoices/{held['id']}/release"
    assert requests.post(release, timeout=10).ok
    worker.read_numbers(now=now + timedelta(hours=1))
    remote = RemoteInvoice.objects.get(pk=push.remote.pk)
    (held,) = sandbox.invoices()
    assert held["status_shown"] == "Created"
    assert remote.number == held["number"] != ""


def test_sage_numbers_are_sages_own_and_are_what_shows(connection: Connection, invoice: Invoice, send: Send) -> None:
    choose(connection, numbers="PLATFORM")
    push, held = send(invoice)
    assert held["number"].startswith("SI-")
    assert push.remote and push.remote.number == held["number"]
    assert shown_number(invoice, connection) == held["number"]
    assert held["reference"] == invoice.number == "INV-00001"


def test_after_a_disconnect_our_own_number_shows(connection: Connection, invoice: Invoice, send: Send) -> None:
    choose(connection, numbers="PLATFORM")
    send(invoice)
    assert shown_number(invoice, None) == "INV-00001"


def test_a_number_of_sages_that_another_invoice_was_given_is_not_shown(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, send: Send, now: datetime
) -> None:
    first, second = (services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now) for _ in range(2))
    choose(connection, numbers="PLATFORM")
    Invoice.objects.filter(pk=second.pk).update(number=f"SI-{sandbox.business()['next_invoice_number']}")
    push, held = send(first)
    assert push.remote and push.remote.number == held["number"]
    assert shown_number(first, connection) == first.number


def test_items_are_created_as_products_and_services_on_both_default_accounts(
    connection: Connection,
    sandbox: Sandbox,
    client_of_ours: Client,
    item: Item,
    staff: User,
    send: Send,
    now: datetime,
) -> None:
    choose(connection, create_items="ON")
    for _ in range(2):
        draft = draft_for(client_of_ours, line(item=item))
        send(services.create_invoice(draft=draft, actor=staff, now=now))
    (service,) = sandbox.business()["services"]
    assert service["item_code"] == "LABOUR"
    assert service["sales_nominal_code"] == 4000
    assert str(service["purchase_nominal_code"]) == connection.purchase_account_name.split()[0]
    assert {row["service_id"] for held in sandbox.invoices() for row in held["lines"]} == {service["id"]}


def test_with_the_setting_off_no_item_appears(
    connection: Connection,
    sandbox: Sandbox,
    client_of_ours: Client,
    item: Item,
    staff: User,
    send: Send,
    now: datetime,
) -> None:
    send(services.create_invoice(draft=draft_for(client_of_ours, line(item=item)), actor=staff, now=now))
    business = sandbox.business()
    assert (business["products"], business["services"]) == ([], [])


def test_creating_items_without_a_purchase_account_is_refused_before_anything_is_sent(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    choose(connection, create_items="ON")
    Connection.objects.update(purchase_account_id="")
    with pytest.raises(services.Refused) as refused:
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert refused.value.fix is Fix.PURCHASE_ACCOUNT
    assert sandbox.calls() == []


def test_send_on_approval_needs_no_press_on_send(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    choose(connection, send_on_approval="ON")
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(Push.objects.get(invoice=invoice).pk)
    assert len(sandbox.invoices()) == 1


def test_without_it_approving_sends_nothing(
    connection: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    assert not Push.objects.exists()


@pytest.mark.parametrize("state", [Connection.State.ACTIVE, Connection.State.RECONNECT, Connection.State.DISCONNECTED])
@pytest.mark.parametrize("stored", [{}, {"send_on_approval": "ON"}, {"send_on_approval": "OFF"}])
def test_what_an_approval_asks_is_what_the_connection_says(
    connection: Connection, stored: dict[str, str], state: str, now: datetime
) -> None:
    gone = now if state == Connection.State.DISCONNECTED else None
    Connection.objects.update(sync_settings=stored, state=state, disconnected_at=gone)
    live = live_connection()
    assert queueing.rules().sends == bool(live and live.options.send_on_approval)


def test_a_line_carries_its_own_nominal_code_only_where_the_setting_says_so(
    connection: Connection, client_of_ours: Client, item: Item, staff: User, send: Send, now: datetime
) -> None:
    Item.objects.update(nominal_code="4010")
    item.refresh_from_db()
    lines = [line(), line(nominal_code="4020"), line(item=item)]
    off, on = (services.create_invoice(draft=draft_for(client_of_ours, *lines), actor=staff, now=now) for _ in range(2))
    _, held = send(off)
    assert [row["nominal_code"] for row in held["lines"]] == [4000, 4000, 4000]
    choose(connection, codes_per_line="ON")
    _, held = send(on)
    assert [row["nominal_code"] for row in held["lines"]] == [4000, 4020, 4010]


def test_a_nominal_code_that_sage_does_not_have_is_refused_in_words(
    connection: Connection, client_of_ours: Client, staff: User, send: Send, now: datetime
) -> None:
    choose(connection, codes_per_line="ON")
    draft = draft_for(client_of_ours, line(nominal_code="9999"))
    push, held = send(services.create_invoice(draft=draft, actor=staff, now=now))
    assert held == {}
    assert push.state == Push.State.ATTENTION
    assert "9999" in push.problems[0]["meaning"]


def test_an_invoice_older_than_sync_from_is_not_sent(
    connection: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    choose(connection, sync_from="2026-11-03")
    with pytest.raises(services.Refused, match="before 3 November 2026"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    choose(connection, sync_from="2026-11-02")
    assert services.request_push(invoice_id=invoice.pk, actor=staff, now=now)


def test_a_second_person_approves_where_the_company_says_so(
    connection: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    Company.objects.update_or_create(pk=1, defaults={"name": "Ours", "second_person_approves": True})
    with pytest.raises(services.Refused, match="second person"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    services.ask_for_approval(invoice_id=invoice.pk, actor=staff, now=now)
    second = person("tess", "Staff")
    assert services.approve(invoice_id=invoice.pk, actor=second, now=now).approved_by == second


def test_a_rate_that_differs_from_sages_keeps_the_invoice_from_being_sent(
    connection: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    connection.links.filter(local_key="STANDARD").update(percentage=Decimal("17.5"))
    with pytest.raises(services.Refused, match=r"20 % here.*17\.5 %"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)


def test_a_client_abroad_is_refused_in_plain_words(
    connection: Connection, invoice: Invoice, staff: User, now: datetime
) -> None:
    Client.objects.update(country="FR")
    with pytest.raises(services.Refused, match="outside the United Kingdom"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)


def test_an_item_whose_own_tax_rate_is_not_mapped_is_told_and_not_tried_for_ever(
    connection: Connection, item: Item, client_of_ours: Client, staff: User, now: datetime
) -> None:
    Connection.objects.update(sync_settings={"create_items": "ON"})
    Item.objects.update(tax_rate_id="ZERO")
    RemoteLink.objects.filter(kind=RemoteLink.Kind.TAX_RATE, local_key="ZERO").delete()
    lines = line(item=Item.objects.get())
    invoice = services.create_invoice(draft=draft_for(client_of_ours, lines), actor=staff, now=now)
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    assert push.state == Push.State.ATTENTION
    assert push.problems[0]["fix"] == "TAX_RATES"
