"""A connection ends, and comes back: nothing is lost, nothing is sent twice, nothing old is pointed at other books."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors import lifecycle, oauth
from connectors.authorising import begin, choose_company, complete
from connectors.models import Connection, Credential, RemoteLink
from connectors.services import live_connection
from invoices import parting, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push, RemoteInvoice
from tests.books import Sandbox
from tests.conftest import CALLBACK, draft_for

pytestmark = pytest.mark.django_db


def send(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    return push


def authorise(sandbox: Sandbox, admin: User, now: datetime, *, which: str = "Harbour & Vale") -> Connection:
    journey = begin("sage_accounting", redirect_uri=CALLBACK)
    answer = sandbox.allow(journey.url, all_organisations=True)
    connection = complete(journey, answer, redirect_uri=CALLBACK, actor=admin, now=now)
    if connection.state != Connection.State.CHOOSING:
        return connection
    (chosen,) = [row["id"] for row in sandbox.books()["businesses"] if row["name"].startswith(which)]
    return choose_company(connection, chosen)


def test_it_says_first_what_will_happen(
    connection: Connection, invoice: Invoice, staff: User, admin: User, client: Browser, now: datetime
) -> None:
    services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    client.force_login(admin)
    page = client.get(reverse("connector-disconnect")).text
    assert "<b>1</b> waiting invoice will not be sent" in page
    connection.refresh_from_db()
    assert connection.is_active


def test_disconnecting_revokes_forgets_the_tokens_and_keeps_every_link_and_number(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    send(invoice, staff, now)
    parting.disconnect(connection, actor=admin, now=now)
    connection.refresh_from_db()
    assert connection.state == Connection.State.DISCONNECTED
    assert not Credential.objects.exists()
    assert RemoteInvoice.objects.count() == 1
    assert RemoteLink.objects.filter(kind=RemoteLink.Kind.CLIENT).count() == 1
    assert len(sandbox.calls("POST", "/revoke")) == 1
    assert live_connection() is None


def test_a_waiting_invoice_goes_back_to_approved_and_says_why(
    connection: Connection, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    parting.disconnect(connection, actor=admin, now=now)
    push.refresh_from_db()
    invoice.refresh_from_db()
    assert (push.state, invoice.status) == (Push.State.CANCELLED, Invoice.Status.APPROVED)
    assert invoice.events.first().text == "Not sent: Reflow was disconnected from Sage."  # type: ignore[union-attr]


def test_what_is_under_way_ends_first(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    sandbox.fault("lost")
    push = send(invoice, staff, now)
    parting.disconnect(connection, actor=admin, now=now)
    connection.refresh_from_db()
    assert connection.state == Connection.State.DISCONNECTING
    worker.look(push.pk, now=push.due_at)
    parting.finish_if_drained(now=now)
    push.refresh_from_db()
    connection.refresh_from_db()
    assert push.state == Push.State.SENT
    assert connection.state == Connection.State.DISCONNECTED


def test_the_same_organisation_resumes_with_its_links_and_settings(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    send(invoice, staff, now)
    parting.disconnect(connection, actor=admin, now=now)
    again = authorise(sandbox, admin, now)
    assert again.pk == connection.pk
    assert again.sales_account_id == connection.sales_account_id
    assert Connection.objects.count() == 1
    assert services.request_push(invoice_id=invoice.pk, actor=staff, now=now).state == Push.State.SENT
    assert len(sandbox.invoices()) == 1


def test_an_invoice_cancelled_by_the_disconnect_is_sent_after_it_once(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    parting.disconnect(connection, actor=admin, now=now)
    authorise(sandbox, admin, now)
    assert send(invoice, staff, now).state == Push.State.SENT
    assert len(sandbox.invoices()) == 1


def test_another_organisation_is_a_new_connection_and_nothing_old_is_pointed_at_it(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    push = send(invoice, staff, now)
    parting.disconnect(connection, actor=admin, now=now)
    other = authorise(sandbox, admin, now, which="Harbour Lettings")
    push.refresh_from_db()
    assert other.pk != connection.pk
    assert push.connection_id == connection.pk
    assert other.sales_account_id == ""
    assert not RemoteLink.objects.filter(connection=other).exists()


def test_each_page_says_until_when_a_former_number_held(
    connection: Connection, invoice: Invoice, staff: User, admin: User, client: Browser, now: datetime
) -> None:
    connection.sync_settings = {"numbers": "PLATFORM"}
    connection.save()
    push = send(invoice, staff, now)
    assert push.remote
    parting.disconnect(connection, actor=admin, now=now)
    client.force_login(staff)
    page = client.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert f"<dt>Sage Accounting number</dt><dd>{push.remote.number}, until" in page
    assert "INV-00001" in client.get(reverse("invoice-list"), {"q": push.remote.number}).text


def test_giving_up_before_an_organisation_is_chosen_leaves_nothing(
    sandbox: Sandbox, admin: User, now: datetime
) -> None:
    journey = begin("sage_accounting", redirect_uri=CALLBACK)
    answer = sandbox.allow(journey.url, all_organisations=True)
    connection = complete(journey, answer, redirect_uri=CALLBACK, actor=admin, now=now)
    assert connection.state == Connection.State.CHOOSING
    parting.disconnect(connection, actor=admin, now=now)
    assert not Connection.objects.exists()
    assert not Credential.objects.exists()


def test_an_authorisation_that_nobody_uses_is_renewed_long_before_it_dies(
    connection: Connection, sandbox: Sandbox, now: datetime
) -> None:
    Credential.objects.update(refresh_expires_at=now + timedelta(days=16))
    lifecycle.keep_alive(now=now)
    credential = Credential.objects.get()
    assert credential.generation == 2
    assert credential.refresh_expires_at and credential.refresh_expires_at > now + timedelta(days=30)


def test_a_fresh_authorisation_is_left_alone(connection: Connection, sandbox: Sandbox, now: datetime) -> None:
    lifecycle.keep_alive(now=now)
    assert sandbox.calls("POST", "/token") == []


def test_the_admins_get_a_mail_a_day_before_it_dies(
    connection: Connection, sandbox: Sandbox, admin: User, now: datetime, mailoutbox: list[object]
) -> None:
    User.objects.filter(pk=admin.pk).update(email="ada@quayside.example")
    Credential.objects.update(refresh_expires_at=now + timedelta(days=6))
    sandbox.fault("revoked", on="POST /accounting/token")
    lifecycle.keep_alive(now=now)
    lifecycle.keep_alive(now=now + timedelta(hours=1))
    assert len(mailoutbox) == 1


def test_clients_that_were_linked_are_not_asked_for_again_after_a_reconnect(
    connection: Connection,
    sandbox: Sandbox,
    client_of_ours: Client,
    invoice: Invoice,
    staff: User,
    admin: User,
    now: datetime,
) -> None:
    send(invoice, staff, now)
    parting.disconnect(connection, actor=admin, now=now)
    authorise(sandbox, admin, now)
    sandbox.clear_journal()
    send(services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now), staff, now)
    assert [row["path"].rpartition("/")[2] for row in sandbox.calls()] == ["sales_invoices"]


def test_an_authorisation_that_is_dead_does_not_hold_up_a_disconnect_for_ever(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    sandbox.fault("lost")
    push = send(invoice, staff, now)
    Credential.objects.update(access_expires_at=now)
    Connection.objects.update(state=Connection.State.RECONNECT)
    sandbox.fault("revoked", on="POST /accounting/token")
    connection.refresh_from_db()
    parting.disconnect(connection, actor=admin, now=now)
    worker.look(push.pk, now=push.due_at)
    parting.finish_if_drained(now=push.due_at)
    connection.refresh_from_db()
    assert connection.state == Connection.State.DISCONNECTING, "it may be mended yet"
    parting.finish_if_drained(now=now + parting.PATIENCE * 2)
    connection.refresh_from_db()
    assert connection.state == Connection.State.DISCONNECTED
    authorise(sandbox, admin, now)
    worker.look(push.pk, now=now + parting.PATIENCE * 3)
    push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert len(sandbox.invoices()) == 1


def test_a_click_that_crosses_a_disconnect_leaves_nothing_waiting(
    connection: Connection, invoice: Invoice, staff: User, admin: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The click read the connection as alive, and queued after the disconnect had cancelled what waited."""
    queue = services._queue

    def late(*arguments: Any) -> Push:
        parting.disconnect(connection, actor=admin, now=now)
        return queue(*arguments)

    monkeypatch.setattr(services, "_queue", late)
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    parting.finish_if_drained(now=now)
    push.refresh_from_db()
    assert push.state == Push.State.CANCELLED


def test_what_may_be_in_the_books_of_a_former_organisation_is_not_sent_to_another(
    connection: Connection, sandbox: Sandbox, invoice: Invoice, staff: User, admin: User, now: datetime
) -> None:
    sandbox.fault("wrong_business")
    assert send(invoice, staff, now).cause == Push.Cause.MISDIRECTED
    parting.disconnect(connection, actor=admin, now=now)
    other = authorise(sandbox, admin, now, which="Harbour Lettings")
    Connection.objects.filter(pk=other.pk).update(sales_account_id=connection.sales_account_id)
    RemoteLink.objects.filter(kind=RemoteLink.Kind.TAX_RATE).update(connection=other)
    with pytest.raises(services.Refused, match="may be in the books of Harbour & Vale"):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)


def test_the_slower_of_two_who_end_a_connection_leaves_a_new_authorisation_alone(
    connection: Connection, sandbox: Sandbox, admin: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep and the page both end it; while the first waits for Sage an admin has authorised again."""
    Connection.objects.update(state=Connection.State.DISCONNECTING)
    connection.refresh_from_db()
    revoke = oauth.revoke

    def slow(where: oauth.Endpoints, *, token: str) -> bool:
        monkeypatch.setattr(oauth, "revoke", revoke)
        lifecycle.finish_disconnect(connection, now=now)
        authorise(sandbox, admin, now)
        return True

    monkeypatch.setattr(oauth, "revoke", slow)
    lifecycle.finish_disconnect(connection, now=now)
    connection.refresh_from_db()
    assert connection.is_active
    assert Credential.objects.filter(connection=connection).exists()
