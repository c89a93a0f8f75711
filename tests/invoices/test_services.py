"""What a person can do with an invoice, and each thing that is refused: in words, and with nothing changed."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from connectors.interface import Fix
from connectors.models import Connection, RemoteLink
from incrementors.models import Group, Number
from invoices import services, tasks
from invoices.models import Client, Invoice, Push, PushAttempt
from invoices.services import EditedMeanwhile, Refused
from tests.conftest import draft_for, line
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
Deed = Callable[[Invoice, User, datetime], object]


def history(invoice: Invoice) -> list[str]:
    return [event.text for event in reversed(invoice.events.all())]


def approve(invoice: Invoice, actor: User, now: datetime) -> Invoice:
    return services.approve(invoice_id=invoice.pk, actor=actor, now=now)


def edit(invoice: Invoice, actor: User, now: datetime, version: int | None = None, **changes: Any) -> Invoice:
    draft = draft_for(invoice.client, line("Edited", unit_price=Decimal(10)), **changes)
    version = invoice.version if version is None else version
    return services.update_invoice(invoice_id=invoice.pk, version=version, draft=draft, actor=actor, now=now)


def back_to_draft(invoice: Invoice, actor: User, now: datetime) -> Invoice:
    return services.return_to_draft(invoice_id=invoice.pk, actor=actor, now=now)


def discard(invoice: Invoice, actor: User, now: datetime) -> Invoice:
    return services.discard(invoice_id=invoice.pk, reason="Raised twice", actor=actor, now=now)


def send(invoice: Invoice, actor: User, now: datetime) -> Push:
    return services.request_push(invoice_id=invoice.pk, actor=actor, now=now)


def test_a_new_invoice_is_a_numbered_draft_with_its_sums(invoice: Invoice, staff: User, now: datetime) -> None:
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number, invoice.number_prefix) == ("DRAFT", "INV-00001", "INV-")
    assert (invoice.net, invoice.tax, invoice.total) == (Decimal("170.00"), Decimal("34.00"), Decimal("204.00"))
    assert (invoice.created_by, invoice.created_at, invoice.currency, invoice.version) == (staff, now, "GBP", 1)
    assert history(invoice) == ["Created."]
    assert Number.objects.get(holder=invoice.uuid).text == "INV-00001"


def test_lines_keep_the_order_they_were_given_in(new_invoice: Callable[..., Invoice]) -> None:
    names = [f"Line {n}" for n in (3, 1, 2)]
    made = new_invoice(*map(line, names))
    assert list(made.lines.values_list("position", "description")) == list(enumerate(names, start=1))


def test_an_edit_replaces_lines_and_sums_and_keeps_the_number(invoice: Invoice, admin: User, now: datetime) -> None:
    edited = edit(invoice, admin, now, reference="PO-8", issue_date=date(2026, 11, 3))
    edited.refresh_from_db()
    assert (edited.number, edited.version, edited.reference) == ("INV-00001", 2, "PO-8")
    assert [row.description for row in edited.lines.all()] == ["Edited"]
    assert edited.total == Decimal("24.00")
    assert history(edited) == ["Created.", "Edited: 1 line, total 204.00 → 24.00."]
    assert edited.events.filter(actor=admin).count() == 1


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_an_edit_of_what_somebody_else_saved_meanwhile_is_refused(
    invoice: Invoice, staff: User, now: datetime, version: int
) -> None:
    with pytest.raises(EditedMeanwhile, match="Somebody saved this invoice while you were editing it"):
        edit(invoice, staff, now, version=version)
    invoice.refresh_from_db()
    assert (invoice.version, invoice.total) == (1, Decimal("204.00"))


def test_of_two_edits_of_one_version_the_second_is_refused(invoice: Invoice, staff: User, now: datetime) -> None:
    edit(invoice, staff, now, version=1, reference="first")
    with pytest.raises(EditedMeanwhile):
        edit(invoice, staff, now, version=1, reference="second")
    invoice.refresh_from_db()
    assert invoice.reference == "first"


def test_an_edit_that_began_before_an_approval_was_taken_back_is_refused(
    invoice: Invoice, staff: User, now: datetime
) -> None:
    approve(invoice, staff, now)
    back_to_draft(invoice, staff, now)
    with pytest.raises(EditedMeanwhile):
        edit(invoice, staff, now, version=1)


def test_approving_freezes_what_will_be_sent(invoice: Invoice, admin: User, now: datetime) -> None:
    done = approve(invoice, admin, now)
    assert (done.status, done.approved_by, done.approved_at) == ("APPROVED", admin, now)
    assert done.frozen
    assert done.frozen["total"] == "204.00"
    Client.objects.update(name="Renamed")
    done.refresh_from_db()
    assert done.frozen["client"]["name"] == "Bramley Stores Ltd"


def test_taking_back_to_draft_thaws_it(approved: Invoice, staff: User, now: datetime) -> None:
    draft = back_to_draft(approved, staff, now)
    assert (draft.status, draft.frozen, draft.approved_at, draft.approved_by) == ("DRAFT", None, None, None)
    assert edit(draft, staff, now).total == Decimal("24.00")
    assert approve(draft, staff, now).frozen["total"] == "24.00"  # type: ignore[index]


def test_a_discarded_draft_is_void_and_its_number_says_why(invoice: Invoice, staff: User, now: datetime) -> None:
    assert discard(invoice, staff, now).status == "VOID"
    number = Number.objects.get(holder=invoice.uuid)
    assert (number.outcome, number.reason, number.text) == ("DISCARDED", "Raised twice", "INV-00001")
    assert history(invoice)[-1] == "Discarded: Raised twice"


def in_status(invoice: Invoice, status: str) -> None:
    past = {"frozen": {"total": "204.00"}, "approved_at": invoice.created_at} if status in ("APPROVED", "SENT") else {}
    Invoice.objects.filter(pk=invoice.pk).update(status=status, **past)
    invoice.refresh_from_db()


REFUSALS: list[tuple[Deed, str, str]] = [
    (approve, "APPROVED", "Only a draft invoice can be approved; this one is approved."),
    (approve, "SENT", "Only a draft invoice can be approved; this one is sent."),
    (approve, "VOID", "Only a draft invoice can be approved; this one is void."),
    (edit, "APPROVED", "Only a draft invoice can be changed; this one is approved."),
    (edit, "SENT", "Only a draft invoice can be changed; this one is sent."),
    (edit, "VOID", "Only a draft invoice can be changed; this one is void."),
    (back_to_draft, "DRAFT", "Only an approved invoice can be taken back to draft; this one is draft."),
    (back_to_draft, "SENT", "Only an approved invoice can be taken back to draft; this one is sent."),
    (back_to_draft, "VOID", "Only an approved invoice can be taken back to draft; this one is void."),
    (discard, "APPROVED", "Only a draft invoice can be discarded; this one is approved."),
    (discard, "SENT", "Only a draft invoice can be discarded; this one is sent."),
    (discard, "VOID", "Only a draft invoice can be discarded; this one is void."),
    (send, "VOID", "Only an approved invoice can be sent; this one is void."),
    (send, "SENT", "Only an approved invoice can be sent; this one is sent."),
]


@pytest.mark.parametrize(
    ("deed", "status", "words"), REFUSALS, ids=[f"{deed.__name__}-{status}" for deed, status, _ in REFUSALS]
)
def test_what_a_status_does_not_allow_is_refused_in_words(
    invoice: Invoice, wired: Connection, staff: User, now: datetime, deed: Deed, status: str, words: str
) -> None:
    in_status(invoice, status)
    before = Invoice.objects.values().get(pk=invoice.pk), history(invoice), list(Number.objects.values())
    with pytest.raises(Refused) as refused:
        deed(invoice, staff, now)
    assert str(refused.value) == words
    assert (Invoice.objects.values().get(pk=invoice.pk), history(invoice), list(Number.objects.values())) == before
    assert Push.objects.count() == 0


def test_an_invoice_without_lines_is_not_approved(invoice: Invoice, staff: User, now: datetime) -> None:
    invoice.lines.all().delete()
    with pytest.raises(Refused, match="without lines") as refused:
        approve(invoice, staff, now)
    assert refused.value.fix is Fix.INVOICE


def test_sending_a_draft_approves_and_queues_it_in_one(
    invoice: Invoice, wired: Connection, admin: User, now: datetime
) -> None:
    push = send(invoice, admin, now)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.approved_by) == ("APPROVED", admin)
    assert (push.state, push.connection, push.due_at, push.requested_by) == ("READY", wired, now, admin)
    assert (push.generation, push.fence, push.attempts.count()) == (1, 0, 0)
    assert history(invoice) == ["Created.", "Approved.", "Queued for Sage."]


def test_what_cannot_be_sent_is_not_approved_either(invoice: Invoice, staff: User, now: datetime) -> None:
    with pytest.raises(Refused):
        send(invoice, staff, now)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.frozen) == ("DRAFT", None)


def test_the_worker_is_told_only_when_the_push_is_really_there(
    invoice: Invoice,
    wired: Connection,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[int] = []
    monkeypatch.setattr(tasks, "hint", told.append)
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        push = send(invoice, staff, now)
    assert told == []
    assert len(callbacks) == 1
    callbacks[0]()
    assert told == [push.pk]


@pytest.mark.parametrize("state", ["READY", "SENDING", "UNKNOWN", "SENT"])
def test_a_second_click_is_the_same_push_and_changes_nothing(
    new_push: NewPush, staff: User, now: datetime, state: str
) -> None:
    push = new_push(state)
    before = Push.objects.values().get()
    assert send(push.invoice, staff, now + timedelta(hours=1)) == push
    assert Push.objects.values().get() == before


@pytest.mark.parametrize("state", ["ATTENTION", "CANCELLED"])
def test_what_was_settled_goes_again_under_a_new_key(new_push: NewPush, admin: User, now: datetime, state: str) -> None:
    push = new_push(state, problems=[{"message": "no"}])
    later = now + timedelta(hours=1)
    again = send(push.invoice, admin, later)
    assert (again.pk, again.state, again.generation) == (push.pk, "READY", 2)
    assert (again.cause, again.problems, again.due_at, again.requested_by) == ("", [], later, admin)


def test_what_may_be_in_sage_is_looked_at_again_and_never_sent_by_a_click(
    new_push: NewPush, staff: User, now: datetime
) -> None:
    push = new_push("ATTENTION", cause="DIFFERENT")
    PushAttempt.objects.create(push=push, n=1, generation=1, key="k" * 32, started_at=now, document={})
    again = send(push.invoice, staff, now)
    assert (again.state, again.generation, again.cause) == ("UNKNOWN", 1, "")
    assert again.attempts.count() == 1


@pytest.mark.parametrize("state", ["READY", "ATTENTION", "CANCELLED"])
def test_an_approved_invoice_of_which_nothing_left_can_be_taken_back(
    new_push: NewPush, staff: User, now: datetime, state: str
) -> None:
    push = new_push(state)
    assert back_to_draft(push.invoice, staff, now).status == "DRAFT"
    push.refresh_from_db()
    assert (push.state, push.cause, push.problems) == ("CANCELLED", "", [])


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN"])
def test_an_invoice_that_left_or_may_have_left_cannot_be_taken_back(
    new_push: NewPush, staff: User, now: datetime, state: str
) -> None:
    push = new_push(state)
    with pytest.raises(Refused, match="on its way to Sage, or may be there already"):
        back_to_draft(push.invoice, staff, now)
    push.refresh_from_db()
    push.invoice.refresh_from_db()
    assert (push.state, push.invoice.status) == (state, "APPROVED")


def test_an_invoice_with_an_attempt_of_unknown_outcome_cannot_be_taken_back(
    new_push: NewPush, staff: User, now: datetime
) -> None:
    push = new_push("ATTENTION", cause="MISDIRECTED")
    PushAttempt.objects.create(push=push, n=1, generation=1, key="k" * 32, started_at=now, document={})
    with pytest.raises(Refused):
        back_to_draft(push.invoice, staff, now)


def not_connected(connection: Connection) -> None:
    connection.links.all().delete()
    connection.delete()


def disconnected(connection: Connection) -> None:
    Connection.objects.update(state="DISCONNECTED", disconnected_at=connection.authorised_at)


def no_company(connection: Connection) -> None:
    Connection.objects.update(state="CHOOSING", company_id="")


def no_nominal_code(connection: Connection) -> None:
    Connection.objects.update(sales_account_id="")


def no_rate(connection: Connection) -> None:
    RemoteLink.objects.filter(local_key="STANDARD").delete()


def a_long_prefix(connection: Connection) -> None:
    Invoice.objects.update(number_prefix="HARBOUR-", number="HARBOUR-00001")


OBSTACLES: list[tuple[Callable[[Connection], None], str, Fix]] = [
    (not_connected, "Reflow is not connected to Sage yet.", Fix.CONNECTION),
    (disconnected, "Reflow is not connected to Sage yet.", Fix.CONNECTION),
    (no_company, "The organisation in Sage is not chosen yet.", Fix.CONNECTION),
    (no_nominal_code, "The default nominal code is not chosen yet.", Fix.SALES_ACCOUNT),
    (no_rate, "No tax rate of Sage's is chosen yet for Standard.", Fix.TAX_RATES),
    (
        a_long_prefix,
        "The prefix of HARBOUR-00001 is longer than the 6 characters Sage Accounting takes. It can be sent under "
        "Sage numbers.",
        Fix.SYNC_SETTINGS,
    ),
]


@pytest.mark.parametrize(
    ("obstacle", "words", "fix"), OBSTACLES, ids=[obstacle.__name__ for obstacle, _, _ in OBSTACLES]
)
def test_each_obstacle_is_named_with_the_place_that_removes_it(
    invoice: Invoice,
    wired: Connection,
    staff: User,
    now: datetime,
    obstacle: Callable[[Connection], None],
    words: str,
    fix: Fix,
) -> None:
    assert services.obstacles(invoice, wired) == []
    obstacle(wired)
    with pytest.raises(Refused) as refused:
        send(invoice, staff, now)
    assert (str(refused.value), refused.value.fix) == (words, fix)
    assert Push.objects.count() == 0


def test_all_obstacles_are_named_at_once(invoice: Invoice, wired: Connection) -> None:
    for obstacle in (no_nominal_code, no_rate, a_long_prefix):
        obstacle(wired)
    wired.refresh_from_db()
    invoice.refresh_from_db()
    found = services.obstacles(invoice, wired)
    assert [one.fix for one in found] == [Fix.SALES_ACCOUNT, Fix.TAX_RATES, Fix.SYNC_SETTINGS]


def test_a_rate_that_the_invoice_does_not_use_is_no_obstacle(invoice: Invoice, wired: Connection) -> None:
    RemoteLink.objects.exclude(local_key="STANDARD").delete()
    assert services.obstacles(invoice, wired) == []


def test_an_authorisation_that_ran_out_lets_invoices_queue_up(
    invoice: Invoice, wired: Connection, staff: User, now: datetime
) -> None:
    Connection.objects.update(state="RECONNECT")
    assert send(invoice, staff, now).state == "READY"


def test_a_prefix_of_six_is_taken(client_of_ours: Client, wired: Connection, staff: User, now: datetime) -> None:
    Group.objects.update(prefix="ABCDE-")
    invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
    assert send(invoice, staff, now).state == "READY"
