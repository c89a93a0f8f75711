"""Invoices raised in the books come in and follow what becomes of them there: one suite, tried on each platform."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from connectors.models import Connection, RemoteLink
from connectors.services import live_connection, set_sync_settings
from incrementors.models import Group, Number
from invoices import intake, parting, pull, services, tasks
from invoices import push as worker
from invoices.models import Client, Event, Invoice, InvoiceLine, Pull, Push, TaxRate
from invoices.models import RemoteInvoice as Row
from reflow.processes import wait_until
from tests.books import COMPOSITE, INTACCT, INVOICES, Sandbox
from tests.conftest import authorise, authorise_intacct, draft_for, line, set_up_intacct
from tests.invoices.test_pull import STEPS, Killed, dies
from tests.journeys.conftest import Crew
from tests.journeys.intacct import condition, csv_rows, everywhere, numbers_shown, send

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]
DAY = date(2026, 11, 2)
Deed = dict[str, Any]


# What differs between the platforms ---------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Platform:
    """How people there say it, and which calls of ours bring a page and send an invoice."""

    fixture: str
    path: str
    where: Deed
    customer: Deed
    draft: Deed
    token: str
    number: str
    words: tuple[str, str, str]  # a line's description, account and amount
    voids: str
    releases: str
    customer_of: Callable[[Deed], Deed]  # what to enter, so that another one has the same customer
    recoded: Callable[[Deed, str], Deed]  # its line, as a person puts it on another account
    account_of: Callable[[Deed], str]
    list_call: str
    page_size: int
    send_call: str
    authorise: Callable[[Sandbox, User, datetime], Connection]


PLATFORMS = {
    "sage_accounting": Platform(
        fixture="connection",
        path="/_books/invoices",
        where={},
        customer={"contact_name": "Bramley Stores"},
        draft={"status_id": "DRAFT"},
        token="id",
        number="number",
        words=("description", "nominal_code", "unit_price"),
        voids="void",
        releases="release",
        customer_of=lambda theirs: {"contact_name": None, "contact_id": theirs["contact_id"]},
        recoded=lambda line, code: {
            "description": line["description"],
            "quantity": "2",
            "unit_price": "85.00",
            "nominal_code": code,
        },
        account_of=lambda line: str(line["nominal_code"]),
        list_call="GET /accounting/v3.1/sales_invoices",
        page_size=200,
        send_call=INVOICES,
        authorise=authorise,
    ),
    "sage_intacct": Platform(
        fixture="intacct",
        path="/_books/intacct/invoices",
        where={"entity": "LDN"},
        customer={"customer": "CUST-001"},
        draft={"draft": True},
        token="key",
        number="invoiceNumber",
        words=("memo", "account", "amount"),
        voids="reverse",
        releases="submit",
        customer_of=lambda theirs: {"customer": theirs["customer"]["id"]},
        recoded=lambda line, code: {"key": line["key"], "account": code},
        account_of=lambda line: str(line["glAccount"]["id"]),
        list_call=f"POST {INTACCT}/services/core/query",
        page_size=500,
        send_call=COMPOSITE,
        authorise=authorise_intacct,
    ),
}


class Books:
    """The books of one platform: the person who works in them by hand, and the connection that reads them."""

    def __init__(self, platform: Platform, sandbox: Sandbox, connection: Connection) -> None:
        self.platform, self.sandbox, self.connection = platform, sandbox, connection

    def _post(self, path: str, **body: Any) -> Deed:
        posted: Deed = self.sandbox._call("POST", f"{self.platform.path}{path}", json={**self.platform.where, **body})
        return posted

    def enter(self, *lines: tuple[str, str, str], **entry: Any) -> Deed:
        """Of 120.00 where no lines are said: description, account and amount of each, taxed at the standard rate."""
        said = {"lines": [dict(zip(self.platform.words, line, strict=True)) for line in lines]} if lines else {}
        return self._post("", **{**self.platform.customer, "date": DAY.isoformat(), **said, **entry})

    def enter_many(self, count: int) -> None:
        self._post("", **self.platform.customer, date=DAY.isoformat(), count=count)

    def do(self, deed: str, theirs: Deed, **details: Any) -> Deed:
        return self._post(f"/{theirs[self.platform.token]}/{deed}", **details)

    def pay(self, theirs: Deed, amount: str) -> Deed:
        return self.do("pay", theirs, amount=amount)

    def token(self, theirs: Deed) -> str:
        return str(theirs[self.platform.token])

    def number(self, theirs: Deed) -> str:
        return str(theirs[self.platform.number])

    def all(self) -> dict[str, Deed]:
        """Every invoice that is in them, by its token."""
        is_intacct = self.platform.fixture == "intacct"
        held = self.sandbox.intacct()["invoices"] if is_intacct else self.sandbox.business()["invoices"]
        return {self.token(one): one for one in held}

    def settings(self, **changes: str) -> None:
        set_sync_settings(self.connection, {**self.connection.sync_settings, **changes})
        self.connection.refresh_from_db()

    def sync(self) -> Pull:
        """Sync now, and all that workers then do with it."""
        pull.request(self.connection, now=timezone.now())
        while pull.read(self.connection.pk, now=timezone.now()):
            pass
        ended = Pull.objects.get(connection=self.connection)
        assert (ended.trouble, ended.left, ended.is_running) == ("", 0, False)
        return ended

    def here(self, theirs: Deed) -> Invoice:
        return Invoice.objects.get(remotes__remote_id=self.token(theirs), remotes__connection=self.connection)

    def now(self, theirs: Deed) -> tuple[str, Decimal | int]:
        """What it is here, after a sync: status and what is outstanding."""
        self.sync()
        invoice = self.here(theirs)
        return invoice.status, invoice.outstanding


@pytest.fixture(params=sorted(PLATFORMS))
def books(request: pytest.FixtureRequest, sandbox: Sandbox) -> Books:
    platform = PLATFORMS[request.param]
    connected = Books(platform, sandbox, request.getfixturevalue(platform.fixture))
    connected.settings(direction="BOTH")
    return connected


@pytest.fixture
def desk(client: Browser, staff: User) -> Browser:
    client.force_login(staff)
    return client


def imported() -> int:
    return Invoice.objects.filter(origin=Invoice.Origin.IMPORTED).count()


def history(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(invoice=invoice).order_by("pk").values_list("text", flat=True))


# Raised there -------------------------------------------------------------------------------------------------
def test_an_invoice_raised_in_the_books_is_here_with_number_client_lines_currency_and_status(books: Books) -> None:
    theirs = books.enter(("Gutters", "4060", "30.00"), ("Ladder", "4050", "12.50"), reference="PO-7")
    ended = books.sync()
    assert (ended.seen, ended.imported) == (1, 1)
    invoice = books.here(theirs)
    assert (invoice.number, invoice.origin, invoice.status) == ("IMP-00001", "IMPORTED", "SENT")
    assert (invoice.client.name, invoice.reference, invoice.currency) == ("Bramley Stores", "PO-7", "GBP")
    assert (invoice.issue_date, invoice.due_date > DAY) == (DAY, True)
    assert (invoice.net, invoice.tax, invoice.total) == (Decimal("42.50"), Decimal("8.50"), Decimal("51.00"))
    assert invoice.outstanding == Decimal("51.00")
    lines = invoice.lines.order_by("position").values_list("description", "nominal_code", "net", "tax")
    assert list(lines) == [
        ("Gutters", "4060", Decimal("30.00"), Decimal("6.00")),
        ("Ladder", "4050", Decimal("12.50"), Decimal("2.50")),
    ]
    row = Row.objects.get()
    assert (row.remote_id, row.number) == (books.token(theirs), books.number(theirs))
    link = RemoteLink.objects.get(kind=RemoteLink.Kind.CLIENT)
    assert link.local_key == str(invoice.client.uuid)


def test_each_comes_once_however_often_the_books_are_read(books: Books) -> None:
    for n in range(5):
        books.enter(reference=f"PO-{n}")
    assert books.sync().imported == 5
    numbers = dict(Row.objects.values_list("remote_id", "invoice__number"))
    assert set(numbers) == set(books.all())
    assert {*numbers.values()} == {f"IMP-{n:05}" for n in range(1, 6)}
    assert books.sync().imported == 0
    pull.restart(books.connection, now=timezone.now())
    again = books.sync()
    assert (again.seen, again.imported, again.updated) == (5, 0, 0)
    assert dict(Row.objects.values_list("remote_id", "invoice__number")) == numbers
    assert Client.objects.filter(name="Bramley Stores").count() == 1
    assert Event.objects.count() == 5


def test_nobody_here_sends_or_changes_what_was_raised_there(
    books: Books, desk: Browser, staff: User, now: datetime
) -> None:
    theirs = books.enter()
    books.sync()
    invoice, before = books.here(theirs), books.all()
    with pytest.raises(services.Refused):
        services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    address = reverse("invoice-detail", args=[invoice.pk])
    page = desk.get(address).text
    assert "Imported" in page and "Send to Sage" not in page
    assert desk.get(reverse("invoice-edit", args=[invoice.pk])).headers["Location"] == address
    assert not Push.objects.exists()
    assert books.all() == before


def test_what_is_changed_there_is_changed_here(books: Books) -> None:
    theirs = books.enter(reference="PO-7")
    books.sync()
    first = books.here(theirs)
    books.do("edit", theirs, reference="PO-8")
    books.sync()
    invoice = books.here(theirs)
    assert (invoice.pk, invoice.number, invoice.reference) == (first.pk, first.number, "PO-8")
    assert imported() == 1


def test_a_draft_comes_once_it_is_released(books: Books) -> None:
    theirs = books.enter(**books.platform.draft)
    assert books.sync().imported == 0
    released = books.do(books.platform.releases, theirs)
    assert books.sync().imported == 1
    assert (imported(), Row.objects.get().number) == (1, books.number(released))
    assert books.number(released).startswith("SI-")


# Sent from here ------------------------------------------------------------------------------------------------
def test_one_of_ours_that_comes_back_is_followed_and_takes_no_number(
    books: Books, invoice: Invoice, staff: User, now: datetime
) -> None:
    push = send(invoice, staff, now)
    ended = books.sync()
    assert (ended.seen, ended.imported, imported()) == (1, 0, 0)
    assert Row.objects.get() == push.remote
    assert Group.objects.get(pk="IMPORTED").next_value == 1
    assert not Number.objects.filter(group="IMPORTED").exists()
    (theirs,) = books.all().values()
    books.pay(theirs, "204.00")
    assert books.now(theirs) == ("PAID", 0)
    assert history(invoice)[-1] == "Paid in Sage."


def test_one_of_ours_whose_answer_was_lost_is_linked_by_the_push_and_never_imported(
    books: Books, sandbox: Sandbox, invoice: Invoice, staff: User, now: datetime
) -> None:
    sandbox.fault("lost", on=books.platform.send_call)
    push = send(invoice, staff, now)
    assert push.state == Push.State.UNKNOWN
    assert len(books.all()) == 1
    assert books.sync().imported == 0
    while push.state == Push.State.UNKNOWN:
        worker.look(push.pk, now=push.due_at)
        push.refresh_from_db()
    assert push.state == Push.State.SENT
    assert books.sync().imported == 0
    assert Row.objects.get() == push.remote
    assert Invoice.objects.count() == 1


def test_a_line_of_ours_put_on_another_account_there_is_shown_and_stays_there(
    books: Books, sandbox: Sandbox, desk: Browser, invoice: Invoice, staff: User, now: datetime
) -> None:
    send(invoice, staff, now)
    (theirs,) = books.all().values()
    changed = books.do("edit", theirs, lines=[books.platform.recoded(theirs["lines"][0], "4060")])
    sandbox.clear_journal()
    books.sync()
    assert Row.objects.get().recoded == [[1, "4060"]]
    page = desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    assert "Re-coded in Sage: line 1 is on 4060." in page
    books.sync()
    (kept,) = books.all().values()
    assert books.platform.account_of(kept["lines"][0]) == "4060"
    assert kept == changed
    assert not [call for call in sandbox.calls() if call["method"] in ("PUT", "PATCH", "DELETE")]


@pytest.mark.parametrize("books", ["sage_intacct"], indirect=True)
@pytest.mark.parametrize(
    "changes", [{}, {"tax_solution": ""}, {"account_labels": "ON"}], ids=["", "tax-lines", "labels"]
)
def test_lines_of_ours_that_nobody_touched_are_never_said_to_be_re_coded(
    books: Books, client_of_ours: Client, staff: User, now: datetime, changes: dict[str, str]
) -> None:
    condition(books.sandbox, use_account_labels="account_labels" in changes)
    set_up_intacct(books.connection, now=now, **changes)
    lines = (line("Gutters"), line("Handbook", tax_rate=TaxRate.objects.get(pk="ZERO")), line("Ladder"))
    invoice = services.create_invoice(draft=draft_for(client_of_ours, *lines), actor=staff, now=now)
    assert send(invoice, staff, now).state == Push.State.SENT
    books.sync()
    assert Row.objects.get().recoded == []
    assert Invoice.objects.get().outstanding == invoice.total


def test_a_draft_of_ours_gets_its_number_once_it_is_released_there(
    books: Books, invoice: Invoice, staff: User, now: datetime
) -> None:
    books.settings(create_as="DRAFT")
    assert send(invoice, staff, now).state == Push.State.SENT
    books.sync()
    (theirs,) = books.all().values()
    assert (Row.objects.get().is_draft, Row.objects.get().number) == (True, "")
    released = books.do(books.platform.releases, theirs)
    assert books.now(theirs) == ("SENT", Decimal("204.00"))
    row = Row.objects.get()
    assert (row.is_draft, row.number, row.is_shown) == (False, books.number(released), True)


def test_one_raised_there_for_a_customer_of_ours_is_our_client_s(
    books: Books, invoice: Invoice, staff: User, now: datetime
) -> None:
    ours = sent_from_here(books, invoice, staff)
    theirs = books.enter(**books.platform.customer_of(ours))
    assert books.sync().imported == 1
    assert books.here(theirs).client == invoice.client
    assert Client.objects.count() == 1


def test_what_was_passed_over_comes_once_it_is_wanted_and_only_from_the_day_on_that_was_set(
    books: Books, invoice: Invoice, staff: User, now: datetime
) -> None:
    books.settings(direction="EXPORT")
    old, new = books.enter(date="2026-10-30"), books.enter()
    send(invoice, staff, now)
    ours = next(one for token, one in books.all().items() if token not in map(books.token, (old, new)))
    books.pay(ours, "204.00")
    assert books.now(ours) == ("PAID", 0)
    assert imported() == 0
    books.settings(direction="BOTH", sync_from="2026-11-01")
    pull.restart(books.connection, now=timezone.now())
    assert books.sync().imported == 1
    assert books.here(new).status == "SENT"
    books.settings(sync_from="")
    pull.restart(books.connection, now=timezone.now())
    assert books.sync().imported == 1
    assert books.here(old).status == "SENT"
    assert (imported(), Row.objects.count()) == (2, 3)


# What becomes of them ------------------------------------------------------------------------------------------
def raised_there(books: Books, _invoice: Invoice, _staff: User) -> Deed:
    return books.enter(("Letting", "4030", "170.00"))


def sent_from_here(books: Books, invoice: Invoice, staff: User) -> Deed:
    send(invoice, staff, timezone.now())
    (theirs,) = books.all().values()
    return theirs


Begun = Callable[[Books, Invoice, User], Deed]


@pytest.mark.parametrize("begun", [raised_there, sent_from_here])
def test_paid_in_parts_taken_back_and_voided_it_is_the_same_here(
    books: Books, invoice: Invoice, staff: User, begun: Begun
) -> None:
    theirs = begun(books, invoice, staff)
    assert books.now(theirs) == ("SENT", Decimal("204.00"))
    books.pay(theirs, "50.00")
    assert books.now(theirs) == ("PART_PAID", Decimal("154.00"))
    books.pay(theirs, "154.00")
    assert books.now(theirs) == ("PAID", 0)
    books.do("unpay", theirs)
    assert books.now(theirs) == ("PART_PAID", Decimal("154.00"))
    books.do("unpay", theirs)
    assert books.now(theirs) == ("SENT", Decimal("204.00"))
    books.do(books.platform.voids, theirs)
    assert books.now(theirs) == ("VOID", 0)
    told = [text for text in history(books.here(theirs)) if "in Sage" in text and text.startswith(("P", "N", "V"))]
    assert told == [
        "Part paid in Sage: 154.00 GBP is outstanding.",
        "Paid in Sage.",
        "Part paid in Sage: 154.00 GBP is outstanding.",
        "No longer paid in Sage: 204.00 GBP is outstanding.",
        "Voided in Sage.",
    ]


def test_a_draft_of_ours_that_is_deleted_there_is_void_here_with_the_reason(
    books: Books, desk: Browser, invoice: Invoice, staff: User, now: datetime
) -> None:
    books.settings(create_as="DRAFT")
    send(invoice, staff, now)
    (theirs,) = books.all().values()
    assert books.now(theirs) == ("SENT", Decimal("204.00"))
    books.do("delete", theirs)
    Pull.objects.update(compared_at=None)
    assert books.now(theirs) == ("VOID", 0)
    assert history(invoice)[-1].startswith("Deleted in Sage")
    assert "Deleted in Sage" in desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    Pull.objects.update(compared_at=None)
    events = history(invoice)
    assert books.now(theirs) == ("VOID", 0)
    assert history(invoice) == events


@pytest.mark.parametrize("books", ["sage_intacct"], indirect=True)  # Accounting deletes drafts alone
def test_an_invoice_that_is_deleted_there_is_void_here_and_keeps_its_numbers(books: Books, desk: Browser) -> None:
    theirs, other = books.enter(), books.enter()
    books.sync()
    invoice = books.here(theirs)
    books.do("delete", theirs)
    Pull.objects.update(compared_at=None)
    assert books.now(theirs) == ("VOID", 0)
    assert books.now(other) == ("SENT", 120)
    assert history(invoice)[-1] == f"Deleted in Sage, where it was {books.number(theirs)}."
    assert [row["Own number"] for row in csv_rows(desk, q=books.number(theirs))] == [invoice.number]


@pytest.mark.parametrize("books", ["sage_intacct"], indirect=True)  # only Intacct has Order Entry
def test_an_order_entry_invoice_that_is_written_anew_keeps_its_row_and_number(books: Books) -> None:
    theirs = books.enter(document="SI-DOC-1", reference="PO-7")
    books.sync()
    first = books.here(theirs)
    anew = books.do("edit", theirs, reference="PO-8")
    assert books.token(anew) != books.token(theirs)
    Pull.objects.update(compared_at=None)
    books.sync()
    invoice = books.here(anew)
    assert (invoice.pk, invoice.number, invoice.status, invoice.reference) == (first.pk, first.number, "SENT", "PO-8")
    assert (imported(), Row.objects.count()) == (1, 1)
    books.pay(anew, "120.00")
    assert books.now(anew) == ("PAID", 0)


# While it is read ----------------------------------------------------------------------------------------------
@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in PLATFORMS:
        monkeypatch.setattr(f"connectors.{platform}.changes.PAGE_SIZE", 3)


@pytest.mark.usefixtures("small_pages")
def test_books_that_change_while_they_are_read_lose_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each page somebody pays one, voids one, changes one and enters another."""
    held = [books.enter(reference=f"PO-{n}") for n in range(16)]
    waiting, take = iter(held), intake.take

    def busy(*args: Any, **kwargs: Any) -> intake.Brought:
        for deed, theirs in zip(("pay", books.platform.voids, "edit"), waiting, strict=False):
            books.do(deed, theirs, **({"reference": "changed"} if deed == "edit" else {}))
            if deed == "edit":
                books.enter(reference="late")
        return take(*args, **kwargs)

    monkeypatch.setattr(intake, "take", busy)
    books.sync()
    assert next(waiting, None) is None
    monkeypatch.setattr(intake, "take", take)
    books.sync()
    there, rows = books.all(), Row.objects.select_related("invoice")
    assert {row.remote_id for row in rows} >= {books.token(one) for one in held}
    assert {row.remote_id for row in rows} <= set(there)
    assert imported() == len(rows) == 21
    by_status = [Invoice.objects.filter(status=status).count() for status in ("PAID", "VOID", "SENT")]
    assert by_status == [6, 5, 10]
    assert Invoice.objects.filter(reference="changed").count() == 5
    assert Group.objects.get(pk="IMPORTED").next_value == 22


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(("target", "when"), STEPS, ids=[f"{when} {target}" for target, when in STEPS])
def test_a_reading_of_real_pages_that_dies_at_any_step_ends_with_the_same_rows(
    books: Books, monkeypatch: pytest.MonkeyPatch, target: str, when: str
) -> None:
    for n in range(8):
        books.enter(reference=f"PO-{n}")
    with monkeypatch.context() as deadly:
        dies(deadly, target, when, at=2 if target.startswith("invoices.strangers") else 1)
        with pytest.raises(Killed):
            books.sync()
    Pull.objects.update(lease_until=None)
    books.sync()
    assert dict(Row.objects.values_list("remote_id", "number")) == {
        token: books.number(theirs) for token, theirs in books.all().items()
    }
    assert sorted(str(one.number) for one in Invoice.objects.all()) == [f"IMP-{n:05}" for n in range(1, 9)]
    assert (InvoiceLine.objects.count(), Event.objects.count(), Client.objects.count()) == (8, 8, 1)
    assert Group.objects.get(pk="IMPORTED").next_value == 9


@pytest.mark.usefixtures("small_pages")
def test_a_disconnect_in_the_middle_of_a_reading_ends_it_and_reconnected_it_goes_on(
    books: Books, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, admin: User, now: datetime
) -> None:
    for n in range(8):
        books.enter(reference=f"PO-{n}")
    take = intake.take

    def meanwhile(*args: Any, **kwargs: Any) -> intake.Brought:
        brought = take(*args, **kwargs)
        monkeypatch.setattr(intake, "take", take)
        parting.disconnect(books.connection, actor=admin, now=now)
        return brought

    monkeypatch.setattr(intake, "take", meanwhile)
    pull.request(books.connection, now=timezone.now())
    assert pull.read(books.connection.pk, now=timezone.now()) is False
    books.connection.refresh_from_db()
    assert books.connection.state == Connection.State.DISCONNECTED
    assert imported() <= 3
    books.connection = books.platform.authorise(sandbox, admin, now)
    books.settings(direction="BOTH")
    books.sync()
    assert {*Row.objects.values_list("remote_id", flat=True)} == {*books.all()}
    assert imported() == 8


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def called(books: Books) -> bool:
    """A reading has reached the books and waits for their answer."""
    path = books.platform.list_call.partition(" ")[2]
    return any(call["path"] == path and call["status"] is None for call in books.sandbox.calls())


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_syncs_at_once_are_one(books: Books, sandbox: Sandbox, other_thread: ThreadPoolExecutor) -> None:
    for n in range(3):
        books.enter(reference=f"PO-{n}")
    sandbox.clear_journal()
    sandbox.fault("hold", on=books.platform.list_call)
    pull.request(books.connection, now=timezone.now())
    first = other_thread.submit(pull.read, books.connection.pk, now=timezone.now())
    assert wait_until(partial(called, books), 5)
    pull.request(books.connection, now=timezone.now())
    asked = len(sandbox.calls())
    assert pull.read(books.connection.pk, now=timezone.now()) is False
    assert (len(sandbox.calls()), imported()) == (asked, 0)
    sandbox.clear_faults()
    assert first.result() is False
    assert (imported(), Pull.objects.get().imported) == (3, 3)
    assert Group.objects.get(pk="IMPORTED").next_value == 4


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_killed_in_the_middle_of_an_import_leaves_the_rest_to_another_and_nothing_twice(
    crew: Crew, books: Books, sandbox: Sandbox
) -> None:
    """`kill -9` while it waits for a page: the answers are let go one by one until the first page is kept."""
    count = books.platform.page_size * 3 + 7
    books.enter_many(count)
    doomed = crew.worker("doomed")
    sandbox.clear_journal()
    sandbox.fault("hold", on=books.platform.list_call, times=None)
    pull.request(books.connection, now=timezone.now())
    tasks.hint_reading(books.connection.pk)

    def has_kept_a_page() -> bool:
        if imported():
            return True
        sandbox._call("POST", "/_release")
        return False

    assert wait_until(has_kept_a_page, 30)
    crew.kill(doomed)
    sandbox.clear_faults()
    halfway = Pull.objects.get()
    assert halfway.is_running and halfway.cursor
    assert 0 < imported() == halfway.imported < count
    before = dict(Row.objects.values_list("remote_id", "invoice__number"))
    Pull.objects.update(lease_until=datetime(2026, 1, 1, tzinfo=UTC))  # two minutes later
    crew.worker("heir")
    crew.beat()
    assert wait_until(lambda: not Pull.objects.get().is_running, 30)
    rows = dict(Row.objects.values_list("remote_id", "invoice__number"))
    assert set(rows) == set(books.all())
    assert before.items() <= rows.items()
    assert {*rows.values()} == {f"IMP-{n:05}" for n in range(1, count + 1)}
    assert (imported(), InvoiceLine.objects.count(), Event.objects.count()) == (count, count, count)
    assert Group.objects.get(pk="IMPORTED").next_value == count + 1
    assert Client.objects.count() == 1


# Out of the books again ----------------------------------------------------------------------------------------
def test_after_a_disconnect_our_number_shows_and_theirs_is_found_and_connected_again_theirs_shows(
    books: Books, desk: Browser, sandbox: Sandbox, admin: User, now: datetime
) -> None:
    theirs = books.enter()
    books.sync()
    invoice, number = books.here(theirs), books.number(theirs)
    assert numbers_shown(desk, invoice) == everywhere(number)
    parting.disconnect(books.connection, actor=admin, now=now)
    assert live_connection() is None
    assert numbers_shown(desk, invoice) == everywhere("IMP-00001")
    assert "IMP-00001" in desk.get(reverse("invoice-list"), {"q": number}).text
    assert [row["Own number"] for row in csv_rows(desk, q=number)] == ["IMP-00001"]
    again = books.platform.authorise(sandbox, admin, now)
    assert again.pk == books.connection.pk
    assert numbers_shown(desk, invoice) == everywhere(number)
    books.connection = again
    books.settings(direction="BOTH")
    books.pay(theirs, "120.00")
    assert books.now(theirs) == ("PAID", 0)
    assert imported() == 1
