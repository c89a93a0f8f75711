"""Intacct is disconnected and connected again: whose numbers show, what stays on record, what is still fetched."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse
from django.utils.timezone import localtime

from connectors.models import Connection, RemoteLink
from connectors.services import live_connection
from invoices import claims, parting, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import INTACCT_INVOICES, Sandbox
from tests.conftest import draft_for
from tests.journeys.intacct import (
    QUERY,
    authorise,
    csv_rows,
    everywhere,
    fresh,
    link,
    numbers_shown,
    queue,
    send,
    trips,
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


def test_after_a_disconnect_every_invoice_shows_our_number_and_the_next_one_is_ours_too(
    linked: Client,
    intacct: Connection,
    sandbox: Sandbox,
    admin: User,
    staff: User,
    desk: Browser,
    raise_one: Callable[[], Invoice],
    now: datetime,
) -> None:
    pushes = queue(linked, 3, staff, now)
    worker.work(pushes[0].pk)
    sent = [push.invoice for push in pushes]
    theirs = {push.invoice_id: push.remote.number for push in fresh(pushes) if push.remote}
    for invoice in sent:
        assert numbers_shown(desk, invoice) == everywhere(theirs[invoice.pk])
    parting.disconnect(intacct, actor=admin, now=now)
    assert live_connection() is None
    day = f"{localtime(now).day} {localtime(now):%B %Y}"
    for invoice in sent:
        number = theirs[invoice.pk]
        assert numbers_shown(desk, invoice) == everywhere(str(invoice.number))
        page = desk.get(reverse("invoice-detail", args=[invoice.pk])).text
        assert f"<dt>Sage Intacct number</dt><dd>{number}, until {day}" in page
        assert [row["Own number"] for row in csv_rows(desk, q=number)] == [invoice.number]
        assert str(invoice.number) in desk.get(reverse("invoice-list"), {"q": number}).text
    following = raise_one()
    assert following.number == "INV-00004"
    assert numbers_shown(desk, following) == everywhere("INV-00004")
    assert len(sandbox.calls("POST", "/revoke")) == 1


def test_reconnected_to_the_same_entity_intacct_s_numbers_show_again_and_nothing_is_asked_for(
    linked: Client, intacct: Connection, sandbox: Sandbox, admin: User, staff: User, desk: Browser, now: datetime
) -> None:
    (push,) = queue(linked, 1, staff, now)
    worker.work(push.pk)
    parting.disconnect(intacct, actor=admin, now=now)
    again = authorise(sandbox, admin, now)
    assert (again.pk, again.sales_account_id, Connection.objects.count()) == (intacct.pk, "4000", 1)
    assert again.options == intacct.options
    assert numbers_shown(desk, push.invoice) == everywhere("SI-1001")
    assert "until" not in desk.get(reverse("invoice-push", args=[push.invoice_id])).text
    sandbox.clear_journal()
    (second,) = queue(linked, 1, staff, now)
    worker.work(second.pk)
    assert trips(sandbox) == ["composite"]
    assert numbers_shown(desk, second.invoice) == everywhere("SI-1002")


@pytest.mark.parametrize("other", ["HARBOUR|NTH", "HARBOUR"])
def test_another_entity_is_another_connection_and_shows_no_number_of_the_first(
    other: str,
    linked: Client,
    intacct: Connection,
    sandbox: Sandbox,
    admin: User,
    staff: User,
    desk: Browser,
    invoice: Invoice,
    now: datetime,
) -> None:
    send(invoice, staff, now)
    parting.disconnect(intacct, actor=admin, now=now)
    elsewhere = authorise(sandbox, admin, now, other)
    assert elsewhere.pk != intacct.pk
    assert not RemoteLink.objects.filter(connection=elsewhere).exists()
    assert numbers_shown(desk, invoice) == everywhere("INV-00001")
    assert "Sage Intacct number" in desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert found(desk, "SI-1001")


def test_a_number_that_is_still_to_come_is_fetched_before_the_connection_ends(
    linked: Client, intacct: Connection, sandbox: Sandbox, admin: User, staff: User, now: datetime
) -> None:
    """Nobody could ask for it afterwards, and the invoice would never be found by it."""
    pushes = queue(linked, 2, staff, now)
    hand = claims.claim(intacct, now=now)
    worker.deliver(hand)
    parting.disconnect(intacct, actor=admin, now=now)
    intacct.refresh_from_db()
    assert intacct.state == Connection.State.DISCONNECTING
    worker.read_numbers(now=now)
    parting.finish_if_drained(now=now)
    intacct.refresh_from_db()
    assert intacct.state == Connection.State.DISCONNECTED
    assert all(push.remote and push.remote.number for push in fresh(pushes))
    assert trips(sandbox) == ["invoice", "query", "revoke"]


def test_a_number_that_intacct_does_not_tell_does_not_hold_a_disconnect_up(
    linked: Client, intacct: Connection, sandbox: Sandbox, admin: User, staff: User, now: datetime
) -> None:
    queue(linked, 2, staff, now)
    worker.deliver(claims.claim(intacct, now=now))
    sandbox.fault("unavailable", on=QUERY, times=None)
    parting.disconnect(intacct, actor=admin, now=now)
    worker.read_numbers(now=now)
    parting.finish_if_drained(now=now)
    intacct.refresh_from_db()
    assert intacct.state == Connection.State.DISCONNECTED


def test_what_is_under_way_ends_before_the_connection_does(
    linked: Client, intacct: Connection, sandbox: Sandbox, admin: User, staff: User, desk: Browser, now: datetime
) -> None:
    pushes = queue(linked, 2, staff, now)
    sandbox.fault("lost", on=INTACCT_INVOICES)
    worker.work(pushes[0].pk)
    parting.disconnect(intacct, actor=admin, now=now)
    for push in fresh(pushes):
        worker.look(push.pk, now=push.due_at)
    parting.finish_if_drained(now=now)
    intacct.refresh_from_db()
    assert intacct.state == Connection.State.DISCONNECTED
    assert {push.state for push in fresh(pushes)} == {Push.State.SENT}
    assert {row["Number in Sage"] for row in csv_rows(desk)} == {"SI-1001", "SI-1002"}


def test_disconnecting_says_first_that_other_programs_lose_their_access_too(
    intacct: Connection, admin: User, client: Browser
) -> None:
    client.force_login(admin)
    page = client.get(reverse("connector-disconnect")).text
    assert "Revoking ends every token that Intacct has given to this user" in page
    intacct.refresh_from_db()
    assert intacct.is_active
