"""Whose number an invoice shows, on list, page and CSV alike: before, while and after Intacct is connected."""

from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from incrementors.models import Group, Number
from invoices import push as worker
from invoices import services
from invoices.models import Client, Invoice, RemoteInvoice
from tests.books import COMPOSITE, Sandbox
from tests.conftest import draft_for, set_up_intacct
from tests.journeys.intacct import (
    QUERY,
    csv_rows,
    do,
    everywhere,
    held,
    link,
    numbers_shown,
    queue,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Browser, staff: User) -> Browser:
    client.force_login(staff)
    return client


@pytest.fixture
def linked(intacct: Connection, client_of_ours: Client, now: datetime) -> Client:
    return link(client_of_ours, intacct, now)


@pytest.fixture
def raise_one(client_of_ours: Client, staff: User, now: datetime) -> Callable[[], Invoice]:
    return lambda: services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)


def found(desk: Browser, q: str) -> bool:
    """Whether both the list and the CSV find INV-00001 by it."""
    in_list = desk.get(reverse("invoice-list"), {"q": q}).text
    return "No invoice matches" not in in_list and [row["Own number"] for row in csv_rows(desk, q=q)] == ["INV-00001"]


# Moment by moment ---------------------------------------------------------------------------------------------
def test_until_intacct_s_number_is_back_the_invoice_shows_ours_then_intacct_s(
    linked: Client, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    sandbox.fault("number_unread", on=COMPOSITE)
    sandbox.fault("unavailable", on=QUERY)
    worker.work(push.pk)
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    assert "Sage's number is to come" in unescape(desk.get(reverse("invoice-list")).text)
    worker.read_numbers(now=now + timedelta(hours=1))
    assert numbers_shown(desk, invoice) == everywhere("SI-1001")


def test_a_draft_in_intacct_shows_ours_until_it_is_submitted(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    sandbox.switch("draft_number", "yes")
    set_up_intacct(intacct, now=now, create_as="DRAFT")
    send(invoice, staff, now)
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    assert "draft in Sage" in desk.get(reverse("invoice-list")).text
    do(sandbox, held(sandbox)[0]["key"], "submit")
    worker.read_numbers(now=now + timedelta(hours=1))
    assert numbers_shown(desk, invoice) == everywhere("SI-1001")


def test_under_our_numbers_the_invoice_goes_on_showing_ours(
    linked: Client, intacct: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, numbers="OURS")
    sandbox.switch("supplied_number", "ignore")
    send(invoice, staff, now)
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    assert "SI-1001 in Sage" in desk.get(reverse("invoice-list")).text
    assert found(desk, "SI-1001")


def test_both_numbers_stand_on_the_page_and_both_find_the_invoice(
    linked: Client, invoice: Invoice, raise_one: Callable[[], Invoice], staff: User, desk: Browser, now: datetime
) -> None:
    send(invoice, staff, now)
    send(raise_one(), staff, now)
    page = desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert "SI-1001" in page and "INV-00001" in page
    for q in ("SI-1001", "si-1001", "INV-00001"):
        assert found(desk, q)


def test_an_open_page_goes_on_asking_until_the_number_is_there(
    linked: Client, sandbox: Sandbox, staff: User, desk: Browser, now: datetime
) -> None:
    """Of a batch the token comes first and the number a moment later: nobody has to load the page again for it."""
    pushes = queue(linked, 2, staff, now)
    sandbox.fault("unavailable", on=QUERY)
    worker.work(pushes[0].pk)
    card = reverse("invoice-push", args=[pushes[0].invoice_id])
    shown = desk.get(card).text
    assert 'hx-trigger="every 1s"' in shown and "Sent to Sage" in shown
    seen = shown.partition("?seen=")[2].partition('"')[0]
    assert desk.get(f"{card}?seen={seen}").status_code == 204
    worker.read_numbers(now=now + timedelta(hours=1))
    answer = desk.get(f"{card}?seen={seen}")
    assert '<span id="number" hx-swap-oob="true">SI-1001</span>' in answer.text
    assert "hx-trigger" not in answer.text


def test_a_page_of_a_draft_in_intacct_does_not_wait_for_somebody_to_submit_it(
    linked: Client, intacct: Connection, invoice: Invoice, staff: User, desk: Browser, now: datetime
) -> None:
    set_up_intacct(intacct, now=now, create_as="DRAFT")
    send(invoice, staff, now)
    assert "hx-trigger" not in desk.get(reverse("invoice-push", args=[invoice.pk])).text


# One number, one invoice --------------------------------------------------------------------------------------
def test_a_number_of_intacct_s_that_another_invoice_was_given_is_not_shown_twice(
    linked: Client, raise_one: Callable[[], Invoice], staff: User, desk: Browser, now: datetime
) -> None:
    Group.objects.filter(pk=Group.INVOICES).update(prefix="SI-", digits=4, next_value=1001)
    first, second = raise_one(), raise_one()
    assert [first.number, second.number] == ["SI-1001", "SI-1002"]
    send(second, staff, now)
    assert RemoteInvoice.objects.get(invoice=second).number == "SI-1001"
    assert numbers_shown(desk, second) == everywhere("SI-1002")
    assert "Also ours of another invoice" in desk.get(reverse("invoice-detail", args=[second.pk])).text


def test_a_number_known_as_intacct_s_is_skipped_by_our_own_sequence_and_on_record(
    linked: Client, invoice: Invoice, raise_one: Callable[[], Invoice], staff: User, now: datetime
) -> None:
    send(invoice, staff, now)
    Group.objects.filter(pk=Group.INVOICES).update(prefix="SI-", digits=4, next_value=1001)
    assert raise_one().number == "SI-1002"
    assert Number.objects.get(text="SI-1001").outcome == Number.Outcome.SKIPPED
