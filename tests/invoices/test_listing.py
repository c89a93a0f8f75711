"""The invoice list: pages that lose and repeat nothing, a search over all that is known, a steady count of queries."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from incrementors.models import Group
from invoices import listing
from invoices.models import Client, Invoice, InvoiceLine, Push, RemoteInvoice, ViewChoice
from invoices.services import request_push
from tests.conftest import line
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)


def page(q: str = "", status: str = "", after: str = "", before: str = "") -> listing.Page:
    return listing.page(q=q, status=status, after=after, before=before)


def follow(address: str) -> listing.Page:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return page(**asked)


@pytest.fixture
def many(client_of_ours: Client, staff: User, now: datetime) -> Callable[[int, int], list[Invoice]]:
    """Drafts over a few days, several on each."""

    def made(count: int, on_each_day: int) -> list[Invoice]:
        rows = [
            Invoice(
                client=client_of_ours,
                number=f"INV-{n:05}",
                issue_date=DAY + timedelta(days=n // on_each_day),
                due_date=DAY + timedelta(days=60),
                currency="GBP",
                created_at=now,
                created_by=staff,
            )
            for n in range(1, count + 1)
        ]
        return Invoice.objects.bulk_create(rows)

    return made


@pytest.mark.parametrize(("count", "on_each_day"), [(0, 1), (1, 1), (7, 7), (20, 1), (21, 4), (23, 23), (40, 3)])
def test_pages_both_ways_lose_and_repeat_nothing(
    many: Callable[[int, int], list[Invoice]], monkeypatch: pytest.MonkeyPatch, count: int, on_each_day: int
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(count, on_each_day)
    newest_first = list(Invoice.objects.order_by("-issue_date", "-pk").values_list("pk", flat=True))
    shown, forwards = page(), []
    forwards.append(shown)
    while shown.older and len(forwards) <= count:
        shown = follow(shown.older)
        forwards.append(shown)
    assert [invoice.pk for one in forwards for invoice in one.invoices] == newest_first
    assert all(len(one.invoices) == 5 for one in forwards[:-1])
    backwards = [shown]
    while shown.newer and len(backwards) <= count:
        shown = follow(shown.newer)
        backwards.append(shown)
    assert [invoice.pk for one in reversed(backwards) for invoice in one.invoices] == newest_first


def test_the_first_page_has_nothing_newer_and_the_last_nothing_older(
    many: Callable[[int, int], list[Invoice]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(10, 2)
    first = page()
    last = follow(first.older)
    assert (first.newer, bool(first.older), bool(last.newer), last.older) == ("", True, True, "")
    assert follow(last.newer).newer == ""


def test_an_invoice_raised_meanwhile_moves_nothing_on_the_older_pages(
    many: Callable[[int, int], list[Invoice]], monkeypatch: pytest.MonkeyPatch, new_invoice: Callable[..., Invoice]
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    Group.objects.update(next_value=100)
    many(10, 3)
    first = page()
    new_invoice(issue_date=date(2026, 12, 24), due_date=date(2026, 12, 24))
    second = follow(first.older)
    assert not {invoice.pk for invoice in first.invoices} & {invoice.pk for invoice in second.invoices}
    assert len(second.invoices) == 5


BAD_KEYS = [
    "",
    ".",
    "x",
    "2026-11-02",
    "2026-11-02.",
    "2026-02-31.5",
    "2026-11-02.x",
    "1.2.3",
    "\x00",
    "2026-11-02.1e3",
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_bad_key_is_ignored(desk: Browser, invoice: Invoice, side: str, key: str) -> None:
    assert page(**{side: key}).invoices == [invoice]
    assert desk.get("/invoices/", {side: key}).status_code == 200


@pytest.mark.parametrize("key", ["2026-11-02." + "9" * 60, "0001-01-01.1", "9999-12-31.-" + "9" * 60, "2026-11-02.-1"])
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_key_of_nowhere_is_no_accident(desk: Browser, invoice: Invoice, side: str, key: str) -> None:
    assert desk.get("/invoices/", {side: key}).status_code == 200


@pytest.mark.parametrize("status", ["DRAFT", "APPROVED", "SENT", "VOID"])
def test_a_status_shows_its_own_only(new_invoice: Callable[..., Invoice], now: datetime, status: str) -> None:
    for one in ("DRAFT", "APPROVED", "SENT", "VOID"):
        past = {"frozen": {}, "approved_at": now} if one in ("APPROVED", "SENT") else {}
        Invoice.objects.filter(pk=new_invoice().pk).update(status=one, **past)
    assert [invoice.status for invoice in page(status=status).invoices] == [status]
    assert len(page(status="").invoices) == len(page(status="NONSENSE").invoices) == 4


@pytest.fixture
def known(new_invoice: Callable[..., Invoice], wired: Connection, now: datetime) -> Invoice:
    """One to be found by everything it has, among others that have none of it."""
    for n in range(3):
        other = Client.objects.create(name=f"Somebody {n}", reference=f"S{n}")
        new_invoice(line("Nothing special"), client=other, reference="none")
    found = new_invoice(line("Smoke alarm, mains"), line("Labour & travel"), reference="PO-7788")
    remote_of(found, wired, now, number="SI-1009", remote_id="0c9d41f2")
    return found


@pytest.mark.parametrize(
    "q",
    [
        *("INV-00004", "inv-00004", "00004", "SI-1009", "si-1009", "0c9d41f2", "0C9D41F2"),
        *("bramley", "PO-7788", "po-77", "smoke", "ALARM", "travel", "&"),
        *("bramley smoke", "smoke bramley 00004", "  smoke   mains  "),
    ],
)
def test_a_search_finds_by_every_number_client_reference_and_line(known: Invoice, q: str) -> None:
    assert page(q=q).invoices == [known]


@pytest.mark.parametrize("q", ["SI-2000", "0c9d", "bramley nothing", "%", "_", "\\", "'", "smoke SI-2000", "<b>", "🏠"])
def test_a_search_for_what_is_not_there_finds_nothing(known: Invoice, desk: Browser, q: str) -> None:
    assert page(q=q).invoices == []
    answer = desk.get("/invoices/", {"q": q})
    assert answer.status_code == 200
    assert "No invoice matches" in answer.content.decode()


@pytest.mark.parametrize("q", ["\x00", "smoke\x00", "a " * 5000, "q" * 100_000])
def test_an_absurd_search_is_no_accident(known: Invoice, desk: Browser, q: str) -> None:
    assert desk.get("/invoices/", {"q": q}).status_code == 200


def test_an_invoice_with_several_lines_that_match_is_found_once(new_invoice: Callable[..., Invoice]) -> None:
    new_invoice(line("Alarm one"), line("Alarm two"), line("Alarm three"))
    assert len(page(q="alarm").invoices) == 1


def test_a_search_goes_on_over_its_pages(
    many: Callable[[int, int], list[Invoice]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(20, 3)
    first = page(q=["bram", "&", "co", "ltd"][0], status="DRAFT")
    assert "q=bram" in first.older
    assert "status=DRAFT" in first.older
    assert len(follow(first.older).invoices) == 5


@pytest.mark.parametrize("count", [1, 50])
def test_the_page_asks_the_database_as_often_for_fifty_as_for_one(
    desk: Browser,
    many: Callable[[int, int], list[Invoice]],
    wired: Connection,
    staff: User,
    now: datetime,
    django_assert_max_num_queries: Any,
    count: int,
) -> None:
    invoices = many(count, 3)
    nothing = dict.fromkeys(("unit_price", "discount", "net", "tax", "total"), Decimal(0))
    InvoiceLine.objects.bulk_create(
        InvoiceLine(invoice=one, position=1, description="x", tax_rate_id="STANDARD", **nothing) for one in invoices
    )
    for one in invoices:
        push = request_push(invoice_id=one.pk, actor=staff, now=now)
        Push.objects.filter(pk=push.pk).update(state="SENT", sent_at=now, remote=remote_of(one, wired, now))
    desk.get("/invoices/")
    with django_assert_max_num_queries(12):  # one more than pushes alone: what books hold of imported ones
        page_shown = desk.get("/invoices/").content.decode()
    assert page_shown.count('data-label="Sent to Sage"') == count


def test_the_list_says_when_each_was_sent_and_under_which_other_number(
    desk: Browser, invoice: Invoice, wired: Connection, staff: User
) -> None:
    moment = datetime.fromisoformat("2026-11-21T14:02:00+00:00")
    push = request_push(invoice_id=invoice.pk, actor=staff, now=moment)
    remote = remote_of(invoice, wired, moment, number="SI-1009")
    Push.objects.filter(pk=push.pk).update(state="SENT", sent_at=moment, remote=remote)
    shown = desk.get("/invoices/").content.decode()
    assert "21 Nov 2026, 14:02" in shown
    assert "SI-1009 in Sage" in shown


def test_a_column_that_was_left_out_stays_out_for_this_person_only(
    desk: Browser, invoice: Invoice, admin: User, staff: User
) -> None:
    assert "Sent to Sage</th>" in desk.get("/invoices/").content.decode()
    desk.post("/invoices/columns/", {"columns": ["property", "reference", "due", "status", "sage"]})
    assert "Sent to Sage</th>" not in desk.get("/invoices/").content.decode()
    assert listing.columns_of(admin)["sent"] is True
    desk.post("/invoices/columns/", {"columns": ["sent", "nonsense", "\x00"]})
    assert ViewChoice.objects.count() == 1
    assert listing.columns_of(staff) == {name: name == "sent" for name in listing.COLUMNS}


def test_a_total_is_shown_to_the_penny_with_its_thousands(desk: Browser, new_invoice: Callable[..., Invoice]) -> None:
    new_invoice(line(unit_price=Decimal("1234.50"), quantity=Decimal(1)))
    assert "1,481.40" in desk.get("/invoices/").content.decode()


def test_one_that_belongs_to_no_invoice_is_never_found(known: Invoice) -> None:
    RemoteInvoice.objects.all().delete()
    assert page(q="SI-1009").invoices == []
