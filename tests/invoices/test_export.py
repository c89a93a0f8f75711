"""The invoice list as CSV: every page of it, the same numbers, nothing that a spreadsheet would run, steady queries."""

import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from connectors.models import Connection
from invoices import export, listing
from invoices.models import Client, Invoice, Property, Push
from invoices.services import request_push
from tests.conftest import line
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db

Row = dict[str, str]
NewInvoice = Callable[..., Invoice]
Sent = Callable[..., Push]


def text(desk: Browser, **asked: str) -> str:
    answer = desk.get("/invoices/csv/", asked)
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def rows(desk: Browser, **asked: str) -> list[Row]:
    return list(csv.DictReader(StringIO(text(desk, **asked).removeprefix("\ufeff"))))


@pytest.fixture
def intacct(wired: Connection) -> Connection:
    """Connected to a platform that numbers invoices itself."""
    wired.platform, wired.company_id = "sage_intacct", "HARBOUR"
    wired.save()
    return wired


@pytest.fixture
def sent(wired: Connection, staff: User, now: datetime) -> Sent:
    """An invoice of ours that is in the books, under this number there."""

    def in_the_books(invoice: Invoice, number: str, **changes: Any) -> Push:
        push = request_push(invoice_id=invoice.pk, actor=staff, now=now)
        remote = remote_of(invoice, wired, now, number=number, **changes)
        Push.objects.filter(pk=push.pk).update(state="SENT", sent_at=now, remote=remote)
        Invoice.objects.filter(pk=invoice.pk).update(status="SENT")
        push.refresh_from_db()
        return push

    return in_the_books


def disconnect(connection: Connection, now: datetime) -> None:
    connection.state, connection.disconnected_at = Connection.State.DISCONNECTED, now
    connection.save()


def test_a_row_says_all_that_the_list_and_the_page_say(
    desk: Browser, new_invoice: NewInvoice, intacct: Connection, sent: Sent
) -> None:
    site = Property.objects.create(name="12 Fell Road")
    moment = datetime.fromisoformat("2026-11-21T14:02:00+00:00")
    invoice = new_invoice(site=site, reference="PO-7741")
    push = sent(invoice, "SI-1009", remote_id="5120")
    Push.objects.filter(pk=push.pk).update(sent_at=moment)
    assert rows(desk) == [
        {
            "Number": "SI-1009",
            "Own number": "INV-00001",
            "Number in Sage": "SI-1009",
            "Client": "Bramley Stores Ltd",
            "Property": "12 Fell Road",
            "Reference": "PO-7741",
            "Date": "2026-11-02",
            "Due": "2026-12-02",
            "Net": "170.00",
            "Tax": "34.00",
            "Total": "204.00",
            "Outstanding": "204.00",
            "Currency": "GBP",
            "Status": "Sent",
            "Origin": "Raised here",
            "Sage state": "Sent",
            "Sent to Sage": "2026-11-21 14:02",
            "Sage token": "5120",
            "Kind": "Invoice",
        }
    ]


def test_it_is_a_file_for_excel_named_after_today(desk: Browser, invoice: Invoice) -> None:
    answer = desk.get("/invoices/csv/")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="invoices-2')
    assert text(desk).startswith("\ufeffNumber,Own number,")
    assert text(desk).endswith("\r\n")


def test_without_any_invoice_there_is_a_heading_only(desk: Browser, db: None) -> None:
    assert text(desk) == "\ufeff" + ",".join(export.COLUMNS) + "\r\n"


@pytest.mark.parametrize(
    "typed",
    [
        '=HYPERLINK("http://evil.example","Total")',
        "=1+1",
        "+44 20 7946 0000",
        "-2+3",
        "@SUM(A1:A9)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "＝1+1",  # noqa: RUF001
        "＋1",  # noqa: RUF001
        "－1",  # noqa: RUF001
        "＠SUM(A1)",  # noqa: RUF001
    ],
)
def test_no_cell_is_taken_for_a_formula(desk: Browser, new_invoice: NewInvoice, typed: str) -> None:
    client = Client.objects.create(name=typed, reference="EVIL")
    new_invoice(client=client, reference=typed, site=Property.objects.create(name=typed))
    (row,) = rows(desk)
    assert {row["Client"], row["Reference"], row["Property"]} == {f"'{typed}"}


def test_what_a_platform_or_a_group_calls_an_invoice_is_no_formula_either(
    desk: Browser, invoice: Invoice, intacct: Connection, sent: Sent
) -> None:
    sent(invoice, "=SI+1", remote_id="@token")
    (row,) = rows(desk)
    assert (row["Number"], row["Number in Sage"], row["Sage token"]) == ("'=SI+1", "'=SI+1", "'@token")


@pytest.mark.parametrize(
    "typed", ['Smith, "Jones" & Co', "Zoë's Café", "Two\nlines", "a;b", "1,000", "Müller & Søn", "🏠"]
)
def test_every_other_text_comes_back_as_it_was_typed(desk: Browser, new_invoice: NewInvoice, typed: str) -> None:
    new_invoice(client=Client.objects.create(name=typed, reference="ODD"))
    assert rows(desk)[0]["Client"] == typed


@pytest.fixture
def many(client_of_ours: Client, staff: User, now: datetime) -> Callable[[int], list[Invoice]]:
    def made(count: int) -> list[Invoice]:
        day = datetime(2026, 1, 1).date()  # noqa: DTZ001
        return Invoice.objects.bulk_create(
            Invoice(
                client=client_of_ours,
                number=f"INV-{n:05}",
                issue_date=day + timedelta(days=n // 3),
                due_date=day + timedelta(days=400),
                currency="GBP",
                created_at=now,
                created_by=staff,
            )
            for n in range(1, count + 1)
        )

    return made


def test_all_pages_of_the_list_are_in_it_in_the_order_of_the_list(
    desk: Browser, many: Callable[[int], list[Invoice]]
) -> None:
    many(listing.PAGE_SIZE * 2 + 7)
    newest_first = Invoice.objects.order_by("-issue_date", "-pk").values_list("number", flat=True)
    assert [row["Number"] for row in rows(desk)] == list(newest_first)


@pytest.mark.parametrize("chunk", [1, 2, 5, 7, 8])
def test_it_comes_in_chunks_and_none_is_lost_or_repeated_between_them(
    desk: Browser, many: Callable[[int], list[Invoice]], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(export, "CHUNK", chunk)
    many(7)
    assert sorted(row["Number"] for row in rows(desk)) == [f"INV-{n:05}" for n in range(1, 8)]


def test_the_search_and_the_filter_of_the_list_are_kept(desk: Browser, new_invoice: NewInvoice, now: datetime) -> None:
    other = Client.objects.create(name="Castle Hill", reference="CAST")
    new_invoice()
    new_invoice(client=other)
    discarded = new_invoice(client=other)
    Invoice.objects.filter(pk=discarded.pk).update(status="VOID")
    assert [row["Number"] for row in rows(desk, q="castle", status="VOID")] == ["INV-00003"]
    assert [row["Number"] for row in rows(desk, q="castle")] == ["INV-00003", "INV-00002"]
    assert [row["Number"] for row in rows(desk, status="DRAFT")] == ["INV-00002", "INV-00001"]
    assert len(rows(desk, status="NONSENSE")) == 3


def test_the_list_s_button_asks_for_what_the_list_shows(desk: Browser, new_invoice: NewInvoice) -> None:
    new_invoice(reference="A&B 1")
    page = desk.get("/invoices/", {"status": "DRAFT", "q": "A&B 1"}).text
    assert 'href="/invoices/csv/?q=A%26B+1&amp;status=DRAFT"' in page
    assert len(rows(desk, status="DRAFT", q="A&B 1")) == 1


def test_an_invoice_with_several_lines_that_match_is_in_it_once(desk: Browser, new_invoice: NewInvoice) -> None:
    new_invoice(line("Alarm one"), line("Alarm two"))
    assert len(rows(desk, q="alarm")) == 1


def shown_in_list(desk: Browser) -> list[str]:
    """The first cell of each row of the list."""
    page = desk.get("/invoices/").text
    return [cell.partition('">')[2].partition("</a>")[0] for cell in page.split('<td class="lead">')[1:]]


def test_its_numbers_are_those_of_the_list_whatever_stands_behind_them(
    desk: Browser, new_invoice: NewInvoice, intacct: Connection, sent: Sent, now: datetime
) -> None:
    known, draft, twin = new_invoice(), new_invoice(), new_invoice()
    new_invoice()
    sent(known, "SI-1001")
    sent(draft, "", is_draft=True, checked_at=now)
    sent(twin, "INV-00001", is_shown=False)
    numbers = [row["Number"] for row in rows(desk)]
    assert numbers == shown_in_list(desk) == ["INV-00004", "INV-00003", "INV-00002", "SI-1001"]
    intacct.sync_settings = {"numbers": "OURS"}
    intacct.save()
    numbers = [row["Number"] for row in rows(desk)]
    assert numbers == shown_in_list(desk) == [f"INV-0000{n}" for n in (4, 3, 2, 1)]


def test_after_a_disconnect_every_number_is_ours_and_the_former_one_stands_beside_it(
    desk: Browser, new_invoice: NewInvoice, intacct: Connection, sent: Sent, now: datetime
) -> None:
    for number in ("SI-1001", "SI-1002"):
        sent(new_invoice(), number)
    disconnect(intacct, now)
    assert [(row["Number"], row["Number in Sage"]) for row in rows(desk)] == [
        ("INV-00002", "SI-1002"),
        ("INV-00001", "SI-1001"),
    ]
    assert [row["Number"] for row in rows(desk, q="si-1002")] == ["INV-00002"]


def test_a_viewer_may_have_it_and_a_stranger_may_not(client: Browser, viewer: User, invoice: Invoice) -> None:
    assert client.get("/invoices/csv/").status_code == 302
    client.force_login(viewer)
    assert len(rows(client)) == 1


def test_a_chunk_of_rows_asks_the_database_no_more_often_than_one_row(
    desk: Browser,
    many: Callable[[int], list[Invoice]],
    intacct: Connection,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "CHUNK", 20)
    invoices = many(60)
    for n, invoice in enumerate(invoices):
        remote = remote_of(invoice, intacct, now, number=f"SI-{n}")
        Push.objects.create(
            invoice=invoice,
            connection=intacct,
            state="SENT",
            remote=remote,
            requested_by=staff,
            requested_at=now,
            due_at=now,
            sent_at=now,
        )
    desk.get("/invoices/")
    asked = {}
    for count in (1, 20, 60):
        Invoice.objects.update(status="VOID")
        Invoice.objects.filter(pk__in=[one.pk for one in invoices[:count]]).update(status="DRAFT")
        with CaptureQueriesContext(database) as seen:
            assert len(rows(desk, status="DRAFT")) == count
        asked[count] = len(seen)
    assert asked[20] == asked[1]
    assert asked[60] <= asked[1] + 4, "what belongs to the rows of a chunk is asked for once a chunk"


def test_it_starts_to_come_before_the_last_row_is_read(
    desk: Browser, many: Callable[[int], list[Invoice]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    many(10)
    answer = desk.get("/invoices/csv/")
    with CaptureQueriesContext(database) as asked:
        first = next(iter(answer.streaming_content))  # type: ignore[attr-defined]
    assert first.startswith(b"\xef\xbb\xbfNumber")
    assert len(asked) == 0


def test_amounts_are_plain_figures_that_a_spreadsheet_adds_up(desk: Browser, new_invoice: NewInvoice) -> None:
    new_invoice(line(unit_price=Decimal("1234.50"), quantity=Decimal(1)))
    (row,) = rows(desk)
    assert (row["Net"], row["Tax"], row["Total"]) == ("1234.50", "246.90", "1481.40")
