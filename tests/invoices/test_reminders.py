"""Reminders: which invoices, which step, what keeps them back, that Sage is asked first, and that none goes twice."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.test import Client as Browser
from django.utils import timezone
from django.utils.timezone import localdate, localtime

from connectors.interface import PlatformError, RemoteStatus, TryLater
from connectors.interface import RemoteInvoice as Remote
from connectors.models import Connection
from invoices import debt_services, mailing, remindable, reminder_views, reminding, services
from invoices.crediting import CreditDraft, CreditLine, create_credit_note
from invoices.debt_services import Step
from invoices.drafts import Refused
from invoices.models import (
    Client,
    Company,
    Event,
    Invoice,
    InvoiceMail,
    PaymentSeen,
    Reminder,
    ReminderHold,
    ReminderSettings,
    ReminderStep,
    RemoteInvoice,
)
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
TODAY = localdate()
Overdue = Callable[..., Invoice]


@dataclass
class Sage:
    """The books as they are now: what is left of each token, and what was asked."""

    left: dict[str, str] = field(default_factory=dict)
    trouble: PlatformError | None = None
    asked: list[list[str]] = field(default_factory=list)

    def read_invoices(self, tokens: list[str]) -> tuple[Remote, ...]:
        if self.trouble:
            raise self.trouble
        self.asked.append(list(tokens))
        return tuple(self._one(token) for token in tokens if self.left.get(token) != "gone")

    def _one(self, token: str) -> Remote:
        row = RemoteInvoice.objects.select_related("invoice").get(remote_id=token)
        left = Decimal(self.left.get(token, row.invoice.outstanding))
        status = RemoteStatus.OPEN if left else RemoteStatus.PAID
        given = {"number": row.number, "reference": str(row.invoice), "client_id": "c", "total": row.total}
        return Remote(id=token, issue_date=TODAY, status=status, outstanding=left, **given)


@pytest.fixture(autouse=True)
def set_up(settings: Any, db: None) -> None:
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "Reflow <billing@quayside.example>"
    Company.objects.create(pk=1, name="Quayside Property Care Ltd", payment_details="Account 12345678")


@pytest.fixture
def sage(monkeypatch: pytest.MonkeyPatch) -> Sage:
    books = Sage()
    monkeypatch.setattr(reminding, "open_connector", lambda connection: books)
    return books


@pytest.fixture
def overdue(new_invoice: Callable[..., Invoice], wired: Connection, staff: User, now: datetime) -> Overdue:
    """An invoice in the connected books, so many days past its due date; its figure was read just now."""

    def made(days: int, client: Client | None = None, *, read: timedelta = timedelta(), **changes: Any) -> Invoice:
        due = TODAY - timedelta(days=days)
        invoice = new_invoice(issue_date=due - timedelta(days=30), due_date=due, client=client)
        sent = {"status": "SENT", "frozen": {}, "approved_at": now, "approved_by": staff}
        Invoice.objects.filter(pk=invoice.pk).update(**{**sent, **changes})
        remote_of(invoice, wired, now, checked_at=now - read)
        invoice.refresh_from_db()
        return invoice

    return made


def switch_on(now: datetime, **changes: Any) -> ReminderSettings:
    return debt_services.set_reminders(**{"is_on": True, "copy_to": "", "steps": {}, "now": now, **changes})


def run(now: datetime) -> list[InvoiceMail]:
    """The next run, as if its time had come; what it wrote is sent too."""
    ReminderSettings.objects.filter(is_on=True).update(due_at=now)
    made = reminding.run(now=now)
    for pk in made:
        mailing.work(pk)
    return list(InvoiceMail.objects.filter(pk__in=made).order_by("pk"))


def planned(connection: Connection) -> list[tuple[int, list[str]]]:
    plan = remindable.plan(TODAY, connection)
    return [(bundle.level, [str(one) for one in bundle.invoices]) for bundle in plan.bundles]


# Which, and which step ------------------------------------------------------------------------------------------
def test_the_newest_step_only_and_all_of_a_client_in_one(overdue: Overdue, wired: Connection) -> None:
    other = Client.objects.create(name="Aldgate Dental", email="desk@aldgate.example")
    fresh, week, month = overdue(6), overdue(7), overdue(45)
    theirs = overdue(20, other)
    overdue(-5)
    assert planned(wired) == [(2, [str(theirs)]), (3, [str(month), str(week)])]
    assert {one.level for one in remindable.due(TODAY)} == {1, 2, 3}
    assert fresh not in remindable.due(TODAY)


def test_off_by_default_and_first_on_the_next_morning(overdue: Overdue, sage: Sage, now: datetime) -> None:
    overdue(45)
    assert reminding.run(now=now) == [] and not InvoiceMail.objects.exists()
    ours = switch_on(now)
    assert ours.due_at and localtime(ours.due_at).time().hour == 9
    assert localdate(ours.due_at) == TODAY + timedelta(days=1)
    assert reminding.run(now=now) == []
    assert len(reminding.run(now=ours.due_at)) == 1


def test_what_goes_out_and_that_it_goes_once(overdue: Overdue, sage: Sage, now: datetime, wired: Connection) -> None:
    first, second = overdue(45), overdue(8)
    switch_on(now, copy_to="accounts@quayside.example")
    (mail,) = run(now)
    assert run(now) == [] and reminding.run(now=now) == []
    (message,) = outbox.outbox
    assert message.subject == "Last reminder from Quayside Property Care Ltd: £408.00 is overdue"
    for words in (str(first), str(second), "(45 days ago): £204.00", "In all: £408.00", "Account 12345678"):
        assert words in message.body
    assert "{" not in message.body
    assert message.recipients() == ["accounts@bramley.example", "accounts@quayside.example"]
    assert message.reply_to == ["accounts@quayside.example"]
    assert message.attachments[0][0].startswith("Statement")
    assert mail.state == "SENT"
    told = Event.objects.filter(text="E-mailed with a reminder to accounts@bramley.example.")
    assert {event.invoice for event in told} == {first, second}
    assert set(Reminder.objects.values_list("invoice", "level")) == {(first.pk, 3), (second.pk, 1)}
    assert planned(wired) == []
    Invoice.objects.filter(pk=second.pk).update(due_date=TODAY - timedelta(days=14))
    assert planned(wired) == [(2, [str(second)])], "and its next step comes"


def test_two_beats_at_once_are_one_run(overdue: Overdue, sage: Sage, now: datetime) -> None:
    overdue(8)
    switch_on(now)
    ReminderSettings.objects.update(due_at=now)
    assert reminding._claim(now) is True
    assert reminding.run(now=now) == [], "somebody else has it in hand"
    later = now + reminding.LEASE
    assert len(reminding.run(now=later)) == 1, "and whoever died in between is followed"
    assert reminding._queue(Connection.objects.get(), set(), later) == [], "even one that went on late adds none"


def test_the_page_shows_some_clients_at_a_time_and_counts_once_it_is_there(
    overdue: Overdue, wired: Connection, desk: Browser, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder_views, "SHOWN", 2)
    clients = [Client.objects.create(name=f"Client {name}", email="a@b.example") for name in "ACB"]
    for client in clients:
        overdue(8, client)
    silent = Client.objects.create(name="Client D", no_reminders=True)
    overdue(8, silent)
    overdue(2, Client.objects.create(name="Client E", email="a@b.example"))
    switch_on(now)
    first = desk.get("/debtors/reminders/")
    assert [bundle.client.name for bundle, _, _ in first.context["bundles"]] == ["Client A", "Client B"]
    assert not first.context["kept"] and not first.context["before"]
    assert 'hx-get="/debtors/reminders/count/"' in first.text and "Send all that are due now?" in first.text
    counted = desk.get("/debtors/reminders/count/").text
    assert "<b>3 e-mails</b> about 3 invoices" in counted and "Send 3 e-mails now?" in counted
    second = desk.get(f"/debtors/reminders/{first.context['after']}")
    assert [bundle.client.name for bundle, _, _ in second.context["bundles"]] == ["Client C"]
    assert [why for why, _, _ in second.context["kept"]] == [remindable.NO_REMINDERS]
    assert not second.context["after"]
    back = desk.get(f"/debtors/reminders/{second.context['before']}")
    assert back.context["bundles"] == first.context["bundles"]
    assert desk.get("/debtors/reminders/?after=x&before=99999999999999999999").status_code == 200
    Invoice.objects.filter(client__in=clients[:2]).update(status="VOID", outstanding=0)
    whole = desk.get("/debtors/reminders/").text
    assert "<b>1 e-mail</b> about 1 invoice " in whole and 'hx-get="/debtors/reminders/count/' not in whole


# What keeps them back ----------------------------------------------------------------------------------------------
def test_what_keeps_an_invoice_back_is_said(
    overdue: Overdue, wired: Connection, staff: User, now: datetime, sage: Sage
) -> None:
    silent = Client.objects.create(name="Silent", email="a@silent.example", no_reminders=True)
    unreachable = Client.objects.create(name="Unreachable")
    kept = [overdue(8, silent), overdue(8, unreachable), overdue(8), overdue(8)]
    debt_services.hold(invoice_id=kept[2].pk, reason="Disputed", actor=staff, now=now)
    RemoteInvoice.objects.filter(invoice=kept[3]).update(gone_at=now)
    found = remindable.plan(TODAY, wired).kept
    reasons = (remindable.NO_REMINDERS, remindable.NO_ADDRESS, remindable.HELD, remindable.ELSEWHERE)
    assert found == {why: (invoice,) for why, invoice in zip(reasons, kept, strict=True)}
    switch_on(now)
    assert run(now) == []
    debt_services.let_go(invoice_id=kept[2].pk, actor=staff, now=now)
    assert len(run(now)) == 1
    assert [event.text for event in Event.objects.filter(invoice=kept[2]).order_by("pk")][1:3] == [
        "Reminders held back: Disputed",
        "Reminders are no longer held back.",
    ]


def test_what_is_credited_or_a_draft_in_sage_still_is_not_reminded_of(
    overdue: Overdue, wired: Connection, staff: User, now: datetime
) -> None:
    credited, unreleased, credited_in_vain = overdue(8), overdue(8), overdue(8)
    RemoteInvoice.objects.filter(invoice=unreleased).update(is_draft=True, number="")
    for one in (credited, credited_in_vain):
        credit(one, staff, now)
    services.discard(invoice_id=credited_in_vain.credit_notes.get().pk, reason="No.", actor=staff, now=now)
    found = remindable.plan(TODAY, wired)
    assert found.kept == {remindable.UNRELEASED: (unreleased,), remindable.CREDITED: (credited,)}
    assert [bundle.invoices for bundle in found.bundles] == [(credited_in_vain,)]
    Invoice.objects.filter(kind="CREDIT_NOTE").update(outstanding=0)  # set off: the invoice says itself what is left
    assert remindable.CREDITED not in remindable.plan(TODAY, wired).kept


def credit(invoice: Invoice, staff: User, now: datetime) -> Invoice:
    given = {"quantity": Decimal(1), "unit_price": Decimal(1), "discount_percent": Decimal(0)}
    draft = CreditDraft(issue_date=TODAY, notes="", lines=[CreditLine(line_id=invoice.lines.get().pk, **given)])
    return create_credit_note(invoice_id=invoice.pk, key=uuid4(), draft=draft, actor=staff, now=now)


@pytest.mark.parametrize("left", ["0", "gone"])
def test_an_old_figure_is_read_again_first(overdue: Overdue, sage: Sage, now: datetime, left: str) -> None:
    paid, fresh = overdue(45, read=timedelta(hours=3)), overdue(8)
    sage.left = {f"token-{paid.pk}": left}
    switch_on(now)
    (mail,) = run(now)
    assert sage.asked == [[f"token-{paid.pk}"]]
    assert list(mail.reminders.values_list("invoice", flat=True)) == [fresh.pk]
    paid.refresh_from_db()
    assert paid.status == ("PAID" if left == "0" else "SENT")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "RECONNECT"}, "no longer accepts"),
        ({"state": "DISCONNECTED", "disconnected_at": datetime.fromisoformat("2026-01-01T00:00Z")}, "not connected"),
        ({"sync_settings": {"read_back": "OFF"}}, "not read back"),
    ],
)
def test_when_sage_cannot_be_asked_none_goes_and_the_page_says_why(
    overdue: Overdue, sage: Sage, now: datetime, desk: Browser, wired: Connection, change: dict[str, Any], why: str
) -> None:
    overdue(8)
    switch_on(now)
    Connection.objects.filter(pk=wired.pk).update(**change)
    assert run(now) == [] and outbox.outbox == []
    assert why in ReminderSettings.objects.get().trouble
    assert why in desk.get("/debtors/reminders/").text


def test_when_sage_is_away_it_is_tried_again_later(overdue: Overdue, sage: Sage, now: datetime, desk: Browser) -> None:
    overdue(8, read=timedelta(hours=3))
    switch_on(now)
    sage.trouble = TryLater("Sage is not there.")
    assert run(now) == []
    ours = ReminderSettings.objects.get()
    assert ours.due_at and ours.due_at > now
    assert "Sage could not be asked what is paid: Sage is not there." in desk.get("/debtors/reminders/").text
    sage.trouble = None
    assert len(run(now)) == 1 and ReminderSettings.objects.get().trouble == ""


@pytest.mark.parametrize("meanwhile", ["paid", "part paid", "credited", "held", "void", "no reminders"])
def test_what_changed_before_it_left_is_not_sent(
    overdue: Overdue, sage: Sage, now: datetime, staff: User, meanwhile: str, wired: Connection
) -> None:
    changed, other = overdue(8), overdue(9)
    switch_on(now)
    ReminderSettings.objects.update(due_at=now)
    (pk,) = reminding.run(now=now)
    rows = Invoice.objects.filter(pk=changed.pk)
    if meanwhile == "held":
        debt_services.hold(invoice_id=changed.pk, reason="Disputed", actor=staff, now=now)
    elif meanwhile == "no reminders":
        Client.objects.update(no_reminders=True)
    elif meanwhile == "credited":
        credit(changed, staff, now)
    elif meanwhile == "part paid":
        rows.update(status="PART_PAID", outstanding=1)
        PaymentSeen.objects.update(seen_at=timezone.now())
    else:
        rows.update(status="PAID" if meanwhile == "paid" else "VOID", outstanding=0)
    mailing.work(pk)
    mail = InvoiceMail.objects.get(pk=pk)
    assert (mail.state, outbox.outbox) == ("FAILED", []) and str(changed) in mail.trouble
    assert not Reminder.objects.exists(), "the others may go with the next run"
    assert bool(planned(wired)) == (meanwhile != "no reminders")
    if meanwhile != "no reminders":
        still = [str(other), *([str(changed)] if meanwhile == "part paid" else [])]
        assert planned(wired) == [(1, still)]


# What a person does -------------------------------------------------------------------------------------------------
def test_switching_on_is_no_flood_the_page_says_before_what_would_go(
    overdue: Overdue, sage: Sage, now: datetime, desk: Browser, wired: Connection
) -> None:
    for n in range(3):
        client = Client.objects.create(name=f"Client {n}", email=f"{n}@example.com")
        overdue(45 + n, client)
        overdue(100 + n, client)
    page = desk.get("/debtors/reminders/").text
    assert "<b>3 e-mails</b> about 6 invoices would go out the next morning at 9:00" in page
    switch_on(now)
    desk.post("/debtors/reminders/leave-out/", {"client": Client.objects.get(name="Client 1").pk})
    assert "<b>2 e-mails</b> about 4 invoices" in desk.get("/debtors/reminders/").text
    desk.post("/debtors/reminders/leave-out/")
    assert "No reminder is due." in desk.get("/debtors/reminders/").text
    assert run(now) == [] and Reminder.objects.count() == 6
    assert Event.objects.filter(text="A reminder was left out.").count() == 6


def test_send_now(overdue: Overdue, sage: Sage, now: datetime, desk: Browser) -> None:
    overdue(8)
    assert "Reminders are switched off" in desk.post("/debtors/reminders/now/", follow=True).text
    switch_on(now)
    assert "The reminders go as soon as" in desk.post("/debtors/reminders/now/", follow=True).text
    assert len(reminding.run(now=now + timedelta(seconds=9))) == 1
    desk.post("/debtors/reminders/now/")
    assert reminding.run(now=now + timedelta(seconds=19)) == []


def test_one_that_the_mail_server_refused_is_planned_again_by_a_person(
    overdue: Overdue, sage: Sage, now: datetime, desk: Browser, wired: Connection
) -> None:
    invoice = overdue(8)
    switch_on(now)
    ReminderSettings.objects.update(due_at=now)
    (pk,) = reminding.run(now=now)
    refused = {"state": "FAILED", "handed_at": now, "ended_at": now, "trouble": "No such address.", "tries": 1}
    InvoiceMail.objects.filter(pk=pk).update(**refused)
    assert planned(wired) == []
    assert "Plan it again" in desk.get("/debtors/reminders/").text
    for _ in range(2):
        desk.post("/debtors/reminders/put-back/", {"mail": pk})
    assert planned(wired) == [(1, [str(invoice)])]
    with pytest.raises(Refused):
        debt_services.put_back(mail_id=pk)


def test_the_invoice_says_when_the_next_comes_and_holds_it_back(
    overdue: Overdue, sage: Sage, now: datetime, desk: Browser
) -> None:
    invoice = overdue(8)
    page = f"/invoices/{invoice.pk}/"
    assert "Reminders</h2>" not in desk.get(page).text
    switch_on(now)
    run(now)
    text = desk.get(page).text
    assert "Reminders</h2>" in text and f"<dt>Next</dt><dd>{TODAY + timedelta(days=6):%-d %b %Y}</dd>" in text
    assert "Say in a few words" in desk.post(f"{page}hold/", {"reason": " "}, follow=True).text
    assert "Held back" in desk.post(f"{page}hold/", {"reason": "They dispute it"}, follow=True).text
    assert ReminderHold.objects.get().reason == "They dispute it"
    desk.post(f"{page}hold/", {"go": "yes"})
    assert not ReminderHold.objects.exists()


def typed(**changes: str) -> dict[str, str]:
    said = {"is_on": "on", "copy_to": ""}
    for step in ReminderStep.objects.all():
        values = {"days": str(step.days), "subject": step.subject, "body": step.body}
        said |= {f"step-{step.level}-{name}": value for name, value in values.items()}
    return {**said, **changes}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"step-2-days": "7"}, "Choose more days than for the one before, 7."),
        ({"step-1-days": "0"}, "greater than or equal to 1"),
        ({"step-1-body": "Pay {invoices} {amount}"}, "There is no {amount}."),
        ({"step-3-subject": "{total.real}"}, "There is no {total.real}."),
        ({"step-1-body": "Pay."}, "Put {invoices} where"),
        ({"copy_to": "nobody"}, "valid email address"),
    ],
)
def test_texts_and_days_are_checked(client: Browser, admin: User, changes: dict[str, str], why: str) -> None:
    client.force_login(admin)
    before = list(ReminderStep.objects.values())
    answer = client.post("/debtors/reminders/set-up/", typed(**changes))
    assert answer.status_code == 422 and why in answer.text
    assert not ReminderSettings.ours().is_on and list(ReminderStep.objects.values()) == before


def test_setting_up_and_off_again(client: Browser, admin: User) -> None:
    client.force_login(admin)
    path = "/debtors/reminders/set-up/"
    assert client.post(path, typed(**{"step-1-days": "3"})).status_code == 302
    assert ReminderSettings.ours().is_on and ReminderStep.objects.get(level=1).days == 3
    assert client.post(path, {name: value for name, value in typed().items() if name != "is_on"}).status_code == 302
    assert (ReminderSettings.ours().is_on, ReminderSettings.ours().due_at) == (False, None)


def test_what_fills_a_placeholder_is_not_filled_in_itself() -> None:
    assert reminding.fill("Dear {client}", {"client": "{total}", "total": "1"}) == "Dear {total}"
    assert reminding.fill("a\r\n\r\n{payment_details}\r\n\r\nb", {"payment_details": ""}) == "a\n\nb"


def test_the_page_asks_the_same_however_many_there_are(
    overdue: Overdue, desk: Browser, django_assert_max_num_queries: Any
) -> None:
    for n in range(6):
        overdue(45, Client.objects.create(name=f"Client {n}", email=f"{n}@example.com"))
    with django_assert_max_num_queries(16):
        assert desk.get("/debtors/reminders/").status_code == 200


def test_a_step_is_what_an_admin_wrote(now: datetime) -> None:
    switch_on(now, steps={1: Step(days=5, subject="s", body="{invoices}")})
    assert ReminderStep.objects.get(level=1).days == 5


def test_days_are_those_of_the_calendar() -> None:
    assert (
        reminding.next_morning(datetime.fromisoformat("2026-07-01T23:30+00:00"))
        .isoformat()
        .startswith(str(date(2026, 7, 3)))
    ), "it is the second of July here already"
