"""A backup put back: it is a copy that does nothing; once it is the live one, nothing is sent or numbered twice."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from connectors import epoch, lifecycle, tokens
from connectors.authorising import begin, complete
from connectors.interface import Reconnect, TryLater
from connectors.models import Connection, Credential, LiveDatabase
from connectors.oauth import AuthorisationFailed
from connectors.registry import endpoints
from incrementors.models import Group, Number
from incrementors.services import NumberRefused
from invoices import mailing, restoring, services, tasks
from invoices import push as worker
from invoices.models import Client, Invoice, InvoiceMail, Push
from tests.books import Sandbox
from tests.conftest import CALLBACK, draft_for, line
from tests.journeys.intacct import held, link

pytestmark = pytest.mark.django_db
PLATFORMS = ["connection", "intacct"]


@pytest.fixture
def live(request: pytest.FixtureRequest, client_of_ours: Client, now: datetime) -> Connection:
    connection: Connection = request.getfixturevalue(request.param)
    if request.param == "intacct":
        link(client_of_ours, connection, now)
    return connection


@pytest.fixture
def raise_one(client_of_ours: Client, staff: User) -> Callable[..., Invoice]:
    def raised(*lines: Any) -> Invoice:
        return services.create_invoice(draft=draft_for(client_of_ours, *lines), actor=staff, now=timezone.now())

    return raised


def send(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    return push


def references(sandbox: Sandbox, connection: Connection) -> list[str]:
    if connection.platform == "sage_intacct":
        return sorted(row["referenceNumber"] for row in held(sandbox))
    return sorted(row["reference"] for row in sandbox.invoices())


def forget(name: str) -> None:
    """Everything since this savepoint is as if it had never been; what is in the books stays there."""
    transaction.savepoint_rollback(name)
    LiveDatabase.objects.update(identity="another cluster, as the dump remembers it")


@pytest.mark.parametrize("live", PLATFORMS, indirect=True)
def test_nothing_that_was_sent_after_the_backup_is_sent_again_and_no_number_is_given_again(
    live: Connection, sandbox: Sandbox, raise_one: Callable[..., Invoice], admin: User, staff: User, now: datetime
) -> None:
    sent_before, draft, approved, waiting = (raise_one() for _ in range(4))
    send(sent_before, staff, now)
    services.approve(invoice_id=approved.pk, actor=staff, now=now)
    services.request_push(invoice_id=waiting.pk, actor=staff, now=now)
    backup = transaction.savepoint()
    for invoice in (draft, approved, waiting):
        send(invoice, staff, now)
    forgotten = [raise_one(line("Raised after the backup")) for _ in range(2)]
    send(forgotten[1], staff, now)
    in_the_books = references(sandbox, live)
    assert in_the_books == ["INV-00001", "INV-00002", "INV-00003", "INV-00004", "INV-00006"]

    forget(backup)
    tasks.sweep_pushes()
    tasks.push_invoice(push_id=waiting.pushes.get().pk)
    with pytest.raises(NumberRefused):
        raise_one()
    assert references(sandbox, live) == in_the_books

    restoring.confirm(actor=admin, now=timezone.now())
    restoring.catch_up(now=timezone.now())
    assert [row[0] for row in LiveDatabase.objects.get().missed] == ["INV-00006"]
    assert str(raise_one()) == "INV-00007"
    passed = Number.objects.filter(outcome=Number.Outcome.SKIPPED, group=Group.INVOICES)
    assert list(passed.order_by("value").values_list("text", "reason")) == [
        (f"INV-0000{n}", restoring.MEANWHILE) for n in (5, 6)
    ]

    worker.work(waiting.pushes.get().pk)
    pushes = [waiting.pushes.get(), *(send(invoice, staff, timezone.now()) for invoice in (draft, approved))]
    assert [push.state for push in pushes] == ["SENT"] * 3
    assert {push.attempts.get().outcome for push in pushes} == {"FOUND"}
    assert references(sandbox, live) == in_the_books
    new = send(raise_one(), staff, timezone.now())
    assert (new.state, new.attempts.get().outcome) == ("SENT", "SENT"), "what began here needs no look"


def test_what_was_changed_after_the_backup_and_then_sent_is_for_a_person(
    connection: Connection, sandbox: Sandbox, raise_one: Callable[..., Invoice], admin: User, staff: User, now: datetime
) -> None:
    invoice = raise_one()
    backup = transaction.savepoint()
    dearer = draft_for(invoice.client, line("Something dearer", unit_price=Decimal("900.00")))
    services.update_invoice(invoice_id=invoice.pk, version=1, draft=dearer, actor=staff, now=now)
    send(invoice, staff, now)
    forget(backup)
    restoring.confirm(actor=admin, now=timezone.now())
    restoring.catch_up(now=timezone.now())
    push = send(Invoice.objects.get(pk=invoice.pk), staff, timezone.now())
    assert (push.state, push.cause) == ("ATTENTION", "DIFFERENT")
    assert references(sandbox, connection) == ["INV-00001"]


@pytest.fixture
def copy(connection: Connection, invoice: Invoice) -> Connection:
    LiveDatabase.objects.update(identity="another cluster")
    return connection


def test_a_copy_says_nothing_to_sage(copy: Connection, sandbox: Sandbox, now: datetime) -> None:
    sandbox.clear_journal()
    with pytest.raises(TryLater, match="restored copy"):
        tokens.bearer(copy, endpoints(copy.platform), renew=True)
    with pytest.raises(AuthorisationFailed, match="restored copy"):
        begin("sage_accounting", redirect_uri=CALLBACK)
    assert not lifecycle.begin_disconnect(copy)
    Connection.objects.update(state=Connection.State.DISCONNECTING)
    lifecycle.finish_disconnect(copy, now=now)
    assert sandbox.calls() == [], "not even to revoke, as the live one needs the authorisation"


def test_every_task_of_the_queue_waits(
    invoice: Invoice, copy: Connection, staff: User, sandbox: Sandbox, now: datetime
) -> None:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    sandbox.clear_journal()
    tasks.push_invoice(push_id=push.pk)
    tasks.read_changes(connection_id=str(copy.pk))
    for task in (tasks.sweep_pushes, tasks.read_numbers, tasks.pull_changes, tasks.keep_alive):
        task()
    push.refresh_from_db()
    assert (push.state, push.attempts.count(), sandbox.calls()) == ("READY", 0, [])


def test_until_sage_was_asked_all_goes_on_waiting(
    copy: Connection, admin: User, sandbox: Sandbox, now: datetime
) -> None:
    restoring.confirm(actor=admin, now=now)
    sandbox.fault("error", on="GET /accounting/v3.1/sales_invoices", status=503)
    restoring.catch_up(now=now)
    assert (epoch.is_copy(), epoch.is_held()) == (False, True)
    restoring.catch_up(now=now)
    assert not epoch.is_held()


def test_where_the_refresh_token_was_spent_since_an_admin_authorises_again_and_it_goes_on(
    copy: Connection,
    invoice: Invoice,
    admin: User,
    sandbox: Sandbox,
    now: datetime,
    authorise_again: Callable[[], None],
) -> None:
    Credential.objects.update(refresh=tokens.seal("spent", connection=copy), access=tokens.seal("old", connection=copy))
    restoring.confirm(actor=admin, now=now)
    restoring.catch_up(now=now)
    copy.refresh_from_db()
    assert (copy.state, epoch.is_held()) == ("RECONNECT", True)
    restoring.catch_up(now=now)
    authorise_again()
    restoring.catch_up(now=now)
    assert not epoch.is_held()


@pytest.fixture
def authorise_again(sandbox: Sandbox, admin: User, now: datetime) -> Callable[[], None]:
    def authorised() -> None:
        journey = begin("sage_accounting", redirect_uri=CALLBACK)
        complete(journey, sandbox.allow(journey.url), redirect_uri=CALLBACK, actor=admin, now=now)

    return authorised


def test_without_a_connection_there_is_nobody_to_ask(admin: User, now: datetime) -> None:
    LiveDatabase.objects.update(identity="another cluster")
    restoring.confirm(actor=admin, now=now)
    restoring.catch_up(now=now)
    assert not epoch.is_held()


def test_what_has_always_been_live_cannot_be_confirmed(admin: User, now: datetime) -> None:
    restoring.confirm(actor=admin, now=now)
    assert epoch.confirmed() is None


def test_every_page_says_that_it_is_a_copy_and_an_admin_confirms_it(
    copy: Connection, admin: User, viewer: User, client: Browser
) -> None:
    client.force_login(viewer)
    assert "Ask an admin to confirm" in client.get(reverse("invoice-list")).text
    client.force_login(admin)
    page = reverse("live-database")
    assert page in client.get(reverse("invoice-list")).text
    assert "Tick the box first" in client.post(page, follow=True).text
    assert epoch.is_copy()
    assert "Asking Sage" in client.post(page, {"stopped": "on"}, follow=True).text
    restoring.catch_up(now=timezone.now())
    assert "Sage held nothing that was forgotten here" in client.get(page).text
    assert "Restored from a backup" not in client.get(reverse("invoice-list")).text


def test_a_token_that_is_refused_in_between_is_an_error_like_any(copy: Connection, admin: User, now: datetime) -> None:
    restoring.confirm(actor=admin, now=now)
    Credential.objects.all().delete()
    with pytest.raises(Reconnect):
        tokens.bearer(copy, endpoints(copy.platform))


def test_what_waited_to_be_mailed_may_have_gone_out_meanwhile(
    connection: Connection, invoice: Invoice, admin: User, now: datetime
) -> None:
    mail = InvoiceMail.objects.create(
        invoice=invoice, to="a@b.example", subject="S", body="B", requested_at=now, requested_by=admin, due_at=now
    )
    LiveDatabase.objects.update(identity="another cluster")
    tasks.sweep_mails()
    tasks.send_mail(mail_id=mail.pk)
    restoring.confirm(actor=admin, now=now)
    mail.refresh_from_db()
    assert (mail.state, mail.trouble) == ("UNKNOWN", mailing.FORGOTTEN)
