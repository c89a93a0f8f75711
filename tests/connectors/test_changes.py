"""What every platform promises of what changed in its books, tried against the sandbox while its books change."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.interface import BookedInvoice, Changes, Connector, RemoteStatus
from connectors.models import Connection
from connectors.registry import PLATFORMS
from connectors.services import open_connector
from tests.books import Sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

DAY = date(2026, 11, 2)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@dataclass
class Colleague:
    """Somebody who works in the books of a platform by hand: the same deeds on each."""

    sandbox: Sandbox
    path: str
    where: dict[str, str]
    id: str
    voids: str
    releases: str
    own: dict[str, Any] = field(default_factory=dict)

    def post(self, path: str, **body: Any) -> Any:
        return self.sandbox._call("POST", f"{self.path}{path}", json={**self.where, **body})

    def enter(self, **entry: Any) -> str:
        return str(self.post("", **{**self.own, "date": DAY.isoformat(), **entry})[self.id])

    def enter_many(self, count: int, **entry: Any) -> None:
        self.post("", **{**self.own, "date": DAY.isoformat(), "count": count, **entry})

    def do(self, deed: str, id: str, **given: Any) -> str:
        return str(self.post(f"/{id}/{deed}", **given)[self.id])


@dataclass
class Books:
    """A platform as a test has it: its connector, and the colleague at the other end."""

    connector: Connector
    colleague: Colleague

    def pages(self, cursor: str = "", since: date | None = None) -> Iterator[Changes]:
        for _ in range(400):
            changes = self.connector.changed_invoices(cursor, since)
            yield changes
            cursor = changes.cursor
            if changes.is_last:
                return
        raise AssertionError("the reading does not end")

    def read(self, cursor: str = "", since: date | None = None) -> tuple[dict[str, BookedInvoice], str]:
        """What a reading tells, the latest of each invoice, and where the next reading begins."""
        pages = list(self.pages(cursor, since))
        return {one.invoice.id: one for page in pages for one in page.invoices}, pages[-1].cursor

    def settled(self) -> str:
        """A cursor behind which there is nothing new: two readings after the last change."""
        return self.read(self.read()[1])[1]


@pytest.fixture(params=sorted(PLATFORMS))
def books(request: pytest.FixtureRequest, sandbox: Sandbox) -> Books:
    is_intacct = request.param == "sage_intacct"
    connection: Connection = request.getfixturevalue("intacct" if is_intacct else "connection")
    colleague = Colleague(
        sandbox=sandbox,
        path="/_books/intacct/invoices" if is_intacct else "/_books/invoices",
        where={"entity": "LDN"} if is_intacct else {},
        id="key" if is_intacct else "id",
        voids="reverse" if is_intacct else "void",
        releases="submit" if is_intacct else "release",
        own={"customer": "CUST-001"} if is_intacct else {"contact_name": "Bramley Stores"},
    )
    return Books(connector=open_connector(connection), colleague=colleague)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def shrink(size: int) -> None:
        for platform in PLATFORMS:
            monkeypatch.setattr(f"connectors.{platform}.changes.PAGE_SIZE", size)

    return shrink


def draft(books: Books) -> dict[str, Any]:
    return {"draft": True} if books.connector.platform == "sage_intacct" else {"status_id": "DRAFT"}


def another_second() -> None:
    """Both platforms tell moments in whole seconds."""
    time.sleep(1.05 - time.time() % 1)


def test_empty_books_end_at_once(books: Books) -> None:
    changes = books.connector.changed_invoices("", None)
    assert (changes.invoices, changes.is_last, changes.left) == ((), True, 0)


def test_an_invoice_comes_whole(books: Books) -> None:
    lines: list[dict[str, Any]]
    if books.connector.platform == "sage_intacct":
        rate = "UK Sale Goods/Services Standard Rate"
        lines = [
            {"memo": "Gutters", "account": "4060", "amount": "30.00", "tax_detail": rate},
            {"memo": "Ladder", "account": "4050", "amount": "12.50", "tax_detail": ""},
        ]
    else:
        lines = [
            {"description": "Gutters", "nominal_code": 4060, "quantity": "3", "unit_price": "10.00"},
            {"description": "Ladder", "nominal_code": 4050, "unit_price": "12.50", "tax_rate_id": "GB_ZERO"},
        ]
    id = books.colleague.enter(reference="PO-7", lines=lines)
    read, _ = books.read()
    booked = read[id]
    assert booked.invoice == books.connector.read_invoices([id])[0]
    assert (booked.invoice.reference, booked.invoice.issue_date) == ("PO-7", DAY)
    assert booked.invoice.client_name == "Bramley Stores"
    assert booked.invoice.number.startswith("SI-")
    assert (booked.invoice.status, booked.invoice.outstanding) == (RemoteStatus.OPEN, Decimal("48.50"))
    assert (booked.net, booked.tax, booked.invoice.total) == (Decimal("42.50"), Decimal("6.00"), Decimal("48.50"))
    assert booked.due_date == DAY + timedelta(days=30) or booked.due_date > DAY
    assert booked.currency == "GBP"
    assert [(line.description, line.account, line.net, line.tax) for line in booked.lines] == [
        ("Gutters", "4060", Decimal("30.00"), Decimal("6.00")),
        ("Ladder", "4050", Decimal("12.50"), Decimal(0)),
    ]
    assert datetime.now(UTC) - booked.changed_at < timedelta(minutes=1)
    assert booked.document_id == ""


LIFE: list[tuple[list[tuple[str, dict[str, Any]]], RemoteStatus, str | None]] = [
    # what a colleague does with an invoice of 120.00, what it then is, and what is outstanding
    ([], RemoteStatus.OPEN, "120.00"),
    ([("pay", {"amount": "50.00"})], RemoteStatus.PART_PAID, "70.00"),
    ([("pay", {"amount": "50.00"}), ("pay", {"amount": "70.00"})], RemoteStatus.PAID, "0.00"),
    ([("pay", {}), ("unpay", {})], RemoteStatus.OPEN, "120.00"),
    ([("pay", {"amount": "50.00"}), ("pay", {"amount": "70.00"}), ("unpay", {})], RemoteStatus.PART_PAID, "70.00"),
    ([("void", {})], RemoteStatus.VOID, "0.00"),
    ([("edit", {"reference": "PO-8"})], RemoteStatus.OPEN, "120.00"),
]


@pytest.mark.parametrize(("deeds", "status", "outstanding"), LIFE)
def test_what_happens_to_an_invoice_comes_with_its_status(
    books: Books, deeds: list[tuple[str, dict[str, Any]]], status: RemoteStatus, outstanding: str | None
) -> None:
    id = books.colleague.enter()
    cursor = books.settled()
    for deed, given in deeds:
        books.colleague.do(books.colleague.voids if deed == "void" else deed, id, **given)
    read, _ = books.read(cursor)
    assert (read[id].invoice.status, read[id].invoice.outstanding) == (status, Decimal(outstanding or 0))
    (found,) = books.connector.read_invoices([id])
    assert (found.status, found.outstanding) == (status, Decimal(outstanding or 0))


def test_a_draft_has_no_number_and_nothing_outstanding_until_it_is_released(books: Books) -> None:
    id = books.colleague.enter(**draft(books))
    read, cursor = books.read()
    assert (read[id].invoice.status, read[id].invoice.number) == (RemoteStatus.DRAFT, "")
    assert read[id].invoice.outstanding is None
    books.colleague.do(books.colleague.releases, id)
    read, _ = books.read(cursor)
    assert (read[id].invoice.status, read[id].invoice.outstanding) == (RemoteStatus.OPEN, Decimal("120.00"))
    assert read[id].invoice.number.startswith("SI-")


def test_a_deleted_draft_is_gone_and_a_void_invoice_is_not(books: Books) -> None:
    gone, void, kept = books.colleague.enter(**draft(books)), books.colleague.enter(), books.colleague.enter()
    books.colleague.do("delete", gone)
    books.colleague.do(books.colleague.voids, void)
    assert books.connector.gone([gone, void, kept], YESTERDAY) == {gone}
    assert books.connector.gone([void, kept], YESTERDAY) == frozenset()
    assert {one.id for one in books.connector.read_invoices([gone, void, kept])} == {void, kept}
    assert gone not in books.read()[0]


def test_only_those_dated_from_a_day_on_come(books: Books) -> None:
    old = books.colleague.enter(date="2026-10-31")
    new = books.colleague.enter(date="2026-11-01")
    assert set(books.read(since=date(2026, 11, 1))[0]) == {new}
    assert set(books.read()[0]) == {old, new}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 500])
def test_many_of_one_moment_come_once_each_and_the_count_of_what_is_left_falls(
    books: Books, small: Callable[[int], None], size: int
) -> None:
    small(size)
    books.colleague.enter_many(13)
    pages = list(books.pages())
    ids = [one.invoice.id for page in pages for one in page.invoices]
    assert len(set(ids)) == 13
    assert all(len(page.invoices) <= size for page in pages)
    left = [page.left for page in pages]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


@pytest.mark.parametrize("size", [2, 5, 13])
def test_a_reading_of_books_that_rest_brings_only_a_handful_again_and_never_a_page(
    books: Books, small: Callable[[int], None], size: int
) -> None:
    small(size)
    books.colleague.enter_many(13)
    cursor = books.settled()
    again, same = books.read(cursor)
    assert len(again) < size
    assert books.read(same)[1] == same
    another_second()
    added = books.colleague.enter()
    read, after = books.read(same)
    assert added in read
    assert added in books.read(after)[0]  # once more, for what may be seen late


MEANWHILE = ["edit", "pay", "delete", "enter", "enter and delete", "all"]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("what", MEANWHILE)
def test_none_is_passed_over_though_the_books_change_between_any_two_pages(
    books: Books, small: Callable[[int], None], what: str, size: int
) -> None:
    small(size)
    colleague = books.colleague
    ids = [colleague.enter(reference=f"R-{n}", **draft(books)) for n in range(12)]
    waiting, gone, read, cursor, reads = list(ids), set[str](), dict[str, str](), "", 0
    while True:
        changes = books.connector.changed_invoices(cursor, None)
        read |= {one.invoice.id: one.invoice.reference for one in changes.invoices}
        cursor = changes.cursor
        if changes.is_last and (not waiting or reads > 12):
            break
        reads += 1
        if waiting and what in ("edit", "all"):
            colleague.do("edit", waiting.pop(0), reference=f"N-{reads}")
        if waiting and what == "pay":
            id = waiting.pop(0)
            colleague.do(colleague.releases, id)
            colleague.do("pay", id, amount="1.00")
        if waiting and what in ("delete", "enter and delete", "all"):
            gone.add(id := waiting.pop(0))
            colleague.do("delete", id)
        if reads <= 6 and what in ("enter", "enter and delete", "all"):
            ids.append(colleague.enter(reference=f"E-{reads}", **draft(books)))
    another_second()
    ids.append(colleague.enter(reference="later", **draft(books)))
    later, _ = books.read(cursor)
    read |= {id: one.invoice.reference for id, one in later.items()}
    held = {one.id: one.reference for one in books.connector.read_invoices(ids)}
    assert set(held) == set(ids) - gone
    assert {id: read.get(id) for id in held} == held


def test_rows_that_join_the_last_moment_after_it_was_read_come_too(books: Books, small: Callable[[int], None]) -> None:
    small(2)
    known: set[str] = set()
    cursor = ""
    for _ in range(12):
        added = books.colleague.enter()
        read, cursor = books.read(cursor)
        known |= set(read)
        assert added in known


def test_a_cursor_that_is_none_of_ours_begins_at_the_start(books: Books) -> None:
    id = books.colleague.enter()
    for cursor in ("nonsense", "[]", '{"moments": 1}', '"text"'):
        assert id in books.read(cursor)[0]


@pytest.mark.parametrize("count", [3, 20])
def test_many_are_read_in_few_calls_and_those_not_there_are_missing(books: Books, count: int) -> None:
    ids = [books.colleague.enter() for _ in range(count)]
    books.colleague.do("pay", ids[0])
    books.colleague.do("pay", ids[1], amount="20.00")
    books.colleague.sandbox.clear_journal()
    found = {one.id: one.outstanding for one in books.connector.read_invoices([*ids, "0" * 7])}
    assert found == dict.fromkeys(ids, Decimal("120.00")) | {ids[0]: Decimal(0), ids[1]: Decimal("100.00")}
    assert len(books.colleague.sandbox.calls()) <= 4
    assert books.connector.read_invoices([]) == ()
    assert books.connector.gone([], YESTERDAY) == frozenset()


def test_an_invoice_of_a_document_is_known_again_under_its_new_token(intacct: Connection, sandbox: Sandbox) -> None:
    connector = open_connector(intacct)
    path, where = "/_books/intacct/invoices", {"entity": "LDN"}
    made = sandbox._call("POST", path, json={**where, "document": "Sales Invoice-0007", "reference": "A"})
    first = connector.changed_invoices("", None)
    (before,) = first.invoices
    anew = sandbox._call("POST", f"{path}/{made['key']}/edit", json={"reference": "B"})
    (after,) = connector.changed_invoices(first.cursor, None).invoices
    assert before.document_id == after.document_id != ""
    assert (before.invoice.id, after.invoice.id) == (made["key"], anew["key"])
    assert before.invoice.number == after.invoice.number
    assert after.invoice.reference == "B"
    assert connector.gone([made["key"]], YESTERDAY) == {made["key"]}


def test_tax_that_no_line_bears_is_a_line_of_its_own_and_a_subtotal_is_none(
    intacct: Connection, sandbox: Sandbox
) -> None:
    connector, path = open_connector(intacct), "/_books/intacct/invoices"
    lines = [{"memo": memo, "amount": "50.00", "tax_detail": ""} for memo in ("One", "Two")]
    made = sandbox._call("POST", path, json={"entity": "LDN", "lines": lines})
    for kind, amount in (("subtotal", "100.00"), ("tax", "20.00")):
        sandbox._call("POST", f"{path}/{made['key']}/subtotal", json={"kind": kind, "amount": amount})
    (booked,) = connector.changed_invoices("", None).invoices
    assert (booked.net, booked.tax, booked.invoice.total) == (Decimal(100), Decimal(20), Decimal(120))
    assert [(line.description, line.net, line.tax) for line in booked.lines] == [
        ("One", Decimal(50), Decimal(0)),
        ("Two", Decimal(50), Decimal(0)),
        ("Tax", Decimal(0), Decimal(20)),
    ]


def test_a_reading_of_many_takes_a_call_a_page(connection: Connection, sandbox: Sandbox) -> None:
    connector = open_connector(connection)
    sandbox._call("POST", "/_books/invoices", json={"contact_name": f"C {uuid.uuid4().hex[:4]}", "count": 450})
    sandbox.clear_journal()
    books = Books(connector=connector, colleague=None)  # type: ignore[arg-type]
    assert len(books.read()[0]) == 450
    assert len(sandbox.calls()) <= 8
