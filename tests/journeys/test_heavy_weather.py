"""Sage away for hours, invoices as long as they get, texts from everywhere, and one invoice like another."""

import unicodedata
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection
from invoices import push as worker
from invoices import services
from invoices.models import Client, Invoice, Push
from tests.books import Sandbox
from tests.conftest import draft_for, line

pytestmark = pytest.mark.django_db
TEXTS = {
    "emoji of four bytes": "Gutters 🏠🧰",
    "right to left": "تنظيف المزاريب",
    "combining": unicodedata.normalize("NFD", "Crème brûlée Ltd"),
    "a look-alike": "ІNV-00001",  # its first letter is Cyrillic  # noqa: RUF001
    "signs": 'O\'Neil & Söhne; 100 % "off"',
}


def raised(client: Client, staff: User, now: datetime, *lines: services.LineDraft, **head: object) -> Invoice:
    return services.create_invoice(draft=draft_for(client, *lines, **head), actor=staff, now=now)


def sent(invoice: Invoice, staff: User, now: datetime) -> Push:
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    return push


def go_on(push: Push) -> None:
    """Its next step, at the moment for which it is due."""
    push.refresh_from_db()
    if push.state == Push.State.UNKNOWN:
        worker.look(push.pk, now=push.due_at)
    elif push.state == Push.State.READY:
        push.connection.refresh_from_db()
        due = max(push.due_at, push.connection.paused_until or push.due_at)
        for hand in filter(None, [worker.claim(push.connection, now=due, push_id=push.pk)]):
            worker.deliver(hand)


def test_after_hours_of_maintenance_everything_arrives_once(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    sandbox.fault("unavailable", on="GET /accounting/v3.1", times=None)
    sandbox.fault("unavailable", on="POST /accounting/v3.1", times=None)
    pushes = [sent(raised(client_of_ours, staff, now), staff, now) for _ in range(3)]
    for push in pushes * 5:
        go_on(push)
        assert push.state in (Push.State.READY, Push.State.UNKNOWN)
    assert sandbox.invoices() == []
    sandbox.clear_faults()
    for push in pushes * 5:
        go_on(push)
    assert set(Push.objects.values_list("state", flat=True)) == {Push.State.SENT}
    assert len(sandbox.invoices()) == 3


@pytest.mark.parametrize("platform", ["connection", "intacct"])
def test_the_longest_invoice_there_can_be_arrives_whole(
    platform: str,
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    client_of_ours: Client,
    staff: User,
    now: datetime,
) -> None:
    request.getfixturevalue(platform)
    one = Decimal(1)
    lines = [line(f"{n} ".ljust(1000, "x"), quantity=one, unit_price=Decimal(n)) for n in range(1, 201)]
    invoice = raised(client_of_ours, staff, now, *lines)
    push = sent(invoice, staff, now)
    assert push.state == Push.State.SENT, push.problems
    assert push.remote
    assert push.remote.total == invoice.total == Decimal("24120.00")


def test_a_line_that_intacct_finds_too_long_with_its_quantity_and_price_is_refused_in_words_and_never_cut(
    intacct: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    push = sent(raised(client_of_ours, staff, now, line("x" * 1000)), staff, now)
    assert (push.state, push.cause) == (Push.State.ATTENTION, Push.Cause.REJECTED)
    assert "longer" in push.problems[0]["meaning"]
    assert sandbox.intacct()["invoices"] == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_of_any_script_arrive_as_they_were_typed_and_are_found_again(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime, text: str
) -> None:
    Client.objects.update(name=text)
    client_of_ours.refresh_from_db()
    sandbox.fault("lost")
    push = sent(raised(client_of_ours, staff, now, line(text), reference=text), staff, now)
    go_on(push)
    push.refresh_from_db()
    (held,) = sandbox.invoices()
    assert push.state == Push.State.SENT
    assert held["reference"] == push.invoice.number == "INV-00001"
    assert held["contact_name"] == text
    assert text in held["lines"][0]["description"]


def test_invoices_that_are_the_same_in_everything_but_their_number_are_all_sent_lost_answers_or_not(
    connection: Connection, sandbox: Sandbox, client_of_ours: Client, staff: User, now: datetime
) -> None:
    pushes = []
    for fault in ("lost", "none", "dropped", "none"):
        if fault != "none":
            sandbox.fault(fault)
        pushes.append(sent(raised(client_of_ours, staff, now), staff, now))
    for push in pushes * 4:
        go_on(push)
    assert set(Push.objects.values_list("state", flat=True)) == {Push.State.SENT}
    assert sorted(row["reference"] for row in sandbox.invoices()) == [f"INV-0000{n}" for n in range(1, 5)]
    assert len(set(Push.objects.values_list("remote__remote_id", flat=True))) == 4


@pytest.mark.parametrize(
    ("issued", "due"),
    [(date(2028, 2, 29), date(2029, 2, 28)), (date(2026, 12, 31), date(2027, 1, 1)), (date(2026, 3, 29),) * 2],
    ids=["a leap day", "the end of a year", "the night the clocks change"],
)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_a_date_is_the_same_day_in_the_books_wherever_the_company_is(
    connection: Connection,
    sandbox: Sandbox,
    client_of_ours: Client,
    staff: User,
    now: datetime,
    settings: pytest.FixtureRequest,
    issued: date,
    due: date,
    zone: str,
) -> None:
    settings.TIME_ZONE = zone  # type: ignore[attr-defined]
    sent(raised(client_of_ours, staff, now, issue_date=issued, due_date=due), staff, now)
    (held,) = sandbox.invoices()
    assert (held["date"], held["due_date"]) == (issued.isoformat(), due.isoformat())
