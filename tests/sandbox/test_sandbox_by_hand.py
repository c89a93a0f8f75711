"""What a person, or a test in a person's place, does in the books of both platforms, and that each of it shows."""

import html
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.app import create_app
from sandbox.store import FILE_NAME
from tests.sandbox.intacct_visitor import intacct_at
from tests.sandbox.visitor import LETTINGS, MovableClock, Visitor, serve

MANY = 1_500
VERY_MANY = 100_000


def send(sandbox: Visitor, path: str, **body: Any) -> requests.Response:
    return requests.post(f"{sandbox.url}/_books{path}", json=body, timeout=300)


def enter(sandbox: Visitor, **entry: Any) -> dict[str, Any]:
    answer = send(sandbox, "/invoices", **{"contact_name": "Castle Hill", **entry})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def do(sandbox: Visitor, invoice: dict[str, Any], deed: str, **given: Any) -> dict[str, Any]:
    answer = send(sandbox, f"/invoices/{invoice['id']}/{deed}", **given)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


DEEDS: list[tuple[list[tuple[str, dict[str, Any]]], str, str]] = [
    # what is done with an invoice of 120.00, the status it then has, and what is outstanding
    ([("pay", {"amount": "50"})], "PART_PAID", "70.0"),
    ([("pay", {"amount": "50"}), ("pay", {})], "PAID", "0.0"),
    ([("pay", {}), ("unpay", {})], "UNPAID", "120.0"),
    ([("void", {})], "VOID", "0.0"),
    ([("edit", {"reference": "R", "lines": [{"unit_price": "10.00"}]})], "UNPAID", "12.0"),
]


@pytest.mark.parametrize(("deeds", "status", "outstanding"), DEEDS)
def test_each_deed_shows_in_the_books_and_in_the_moment_of_the_change(
    stranger: Visitor, deeds: list[tuple[str, dict[str, Any]]], status: str, outstanding: str
) -> None:
    invoice = enter(stranger)
    for deed, given in deeds:
        stranger.clock.pass_time(minutes=1)
        changed = do(stranger, invoice, deed, **given)
        assert changed["updated_at"] == stranger.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (changed["status"], changed["outstanding_amount"]) == (status, outstanding)


def test_a_draft_is_released_or_deleted_and_what_is_posted_is_not_deleted(stranger: Visitor) -> None:
    kept, gone = enter(stranger, status_id="DRAFT"), enter(stranger, status_id="DRAFT")
    assert do(stranger, kept, "release")["number"] == "SI-1"
    assert do(stranger, gone, "delete")["deleted_at"]
    assert send(stranger, f"/invoices/{kept['id']}/delete").status_code == 422
    assert send(stranger, f"/invoices/{gone['id']}/delete").status_code == 404
    assert send(stranger, f"/invoices/{kept['id']}/shred").status_code == 404
    assert send(stranger, "/invoices/unknown/pay").status_code == 404


def test_invoices_by_hand_are_found_by_number_and_reference_of_their_organisation(stranger: Visitor) -> None:
    enter(stranger, reference="A")
    enter(stranger, reference="B", business=LETTINGS)

    def found(**asked: str) -> list[str]:
        rows = requests.get(f"{stranger.url}/_books/invoices", params=asked, timeout=10).json()["invoices"]
        return [row["reference"] for row in rows]

    assert found() == found(number="SI-1") == found(reference="A") == ["A"]
    assert found(business=LETTINGS) == ["B"]
    assert found(reference="B") == []


LETTING = {
    "description-0": "Letting",
    "quantity-0": "1",
    "unit_price-0": "10.00",
    "tax_rate_id-0": "GB_STANDARD",
}


def test_a_person_enters_a_draft_on_the_page(stranger: Visitor) -> None:
    address = f"{stranger.url}/accounting/books/invoices/new"
    accounts = re.findall(r'<option value="([0-9a-f]{32})"', requests.get(address, timeout=10).text)
    form = {"contact_name": "Castle Hill", "status_id": "DRAFT", **LETTING, "ledger_account_id-0": accounts[-1]}
    answer = requests.post(address, data=form, timeout=10)
    assert "Delete the draft" in answer.text


def test_an_invoice_from_order_entry_is_another_record_once_its_document_is_changed(stranger: Visitor) -> None:
    form = {"customer": "CUST-001", "document": "Sales Invoice-0007", "entity": "LDN", "date": "2026-03-14"}
    line = {"due": "2026-04-13", "memo-0": "Gutters", "account-0": "4060", "amount-0": "37.50", "tax_detail-0": ""}
    pages = f"{stranger.url}/intacct/invoices"
    made = requests.post(f"{pages}/new", data={**form, **line}, timeout=10)
    key = made.url.rpartition("/")[2]
    assert "Sales Invoice-0007" in made.text and "written anew" in made.text
    changed = requests.post(f"{pages}/{key}/amend", data={**line, "amount-0": "40.00"}, timeout=10)
    anew = changed.url.rpartition("/")[2]
    assert anew != key and "40.00" in changed.text
    assert requests.get(f"{pages}/{key}", timeout=10).status_code == 404
    (held,) = requests.get(f"{stranger.url}/_books/intacct/invoices", timeout=10).json()["invoices"]
    assert (held["key"], held["moduleKey"], held["salesDocument"]["id"]) == (anew, "orderEntry", "Sales Invoice-0007")
    assert (held["entity"]["id"], held["invoiceNumber"]) == ("LDN", "SI-1001")


def fill(sandbox: Visitor, count: int) -> None:
    assert send(sandbox, "/invoices", contact_name="Castle Hill", count=count).json() == {"entered": count}
    assert send(sandbox, "/intacct/invoices", count=count, entity="LDN").json() == {"entered": count}


def test_many_are_all_there_each_with_a_number_of_its_own(client: Visitor) -> None:
    fill(client, MANY)
    last = client.get("/sales_invoices", page=str(MANY), items_per_page="1", attributes="reference").json()
    assert last["$total"] == MANY
    assert (last["$items"][0]["displayed_as"], last["$items"][0]["reference"]) == (f"SI-1/{MANY}", f"BULK-{MANY:06}")
    with sqlite3.connect(client.directory / FILE_NAME) as books:
        counted = "SELECT COUNT(DISTINCT json_extract(shown, '$.invoice_number')) FROM document WHERE status = 'UNPAID'"
        assert books.execute(counted).fetchone() == (MANY,)
        keys = "SELECT COUNT(DISTINCT json_extract(shown, '$.lines[0].key')) FROM intacct_record WHERE number <> ''"
        assert books.execute(keys).fetchone() == (MANY,)


def test_the_page_of_long_books_shows_the_newest_and_says_so(stranger: Visitor) -> None:
    fill(stranger, MANY)
    text = html.unescape(requests.get(f"{stranger.url}/accounting/books", timeout=10).text)
    assert re.search(rf"The newest 200 of {MANY} are shown", text)
    assert f"SI-1/{MANY}" in text and "SI-1/100<" not in text


def test_books_from_before_there_were_columns_are_opened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as books:
        books.execute(
            "CREATE TABLE document (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " business_id TEXT NOT NULL, kind TEXT NOT NULL, shown TEXT NOT NULL)"
        )
    for _ in range(2):
        create_app(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as books:
        assert books.execute("SELECT COUNT(updated) FROM document").fetchone()[0] > 0


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Books with very many invoices on either platform, in a sandbox of their own."""
    visitor = serve(tmp_path_factory.mktemp("full"), MovableClock())
    visitor.connect()
    fill(visitor, VERY_MANY)
    yield visitor
    visitor.stop()


def effort(work: Callable[[], Any]) -> float:
    """Seconds that it keeps a processor busy, its client's part included."""
    work()
    began = time.process_time()
    for _ in range(5):
        work()
    return (time.process_time() - began) / 5


def sorting() -> object:
    """What the work is measured by: on a slow machine both take longer."""
    return sorted(range(VERY_MANY), key=str)


LISTS: list[dict[str, str]] = [
    {"sort": "updated_at:asc", "updated_or_created_since": "2026-01-01", "from_date": "2026-01-01"},
    {"sort": "updated_at:asc", "page": "990", "items_per_page": "100"},
    {"status_id": "UNPAID", "page": "990", "items_per_page": "100"},
    {"sort": "created_at:desc"},
    {"search": "BULK-099999"},
    {"deleted_since": "2026-01-01"},
]


@pytest.mark.prove
@pytest.mark.parametrize("asked", LISTS, ids="-".join)
def test_a_page_of_a_very_long_list_is_little_work(full: Visitor, asked: dict[str, str]) -> None:
    assert effort(lambda: full.get("/sales_invoices", **asked).raise_for_status()) < 6 * effort(sorting)


@pytest.mark.prove
@pytest.mark.parametrize("start", [1, VERY_MANY - 50])
def test_a_page_of_a_very_long_query_is_little_work(full: Visitor, start: int) -> None:
    visitor = intacct_at(full)
    visitor.connect()
    query = {
        "object": "accounts-receivable/invoice",
        "fields": ["key", "id"],
        "filters": [
            {"$gte": {"audit.modifiedDateTime": "2026-01-01T00:00:00Z"}},
            {"$gte": {"invoiceDate": "2026-01-01"}},
        ],
        "orderBy": [{"audit.modifiedDateTime": "asc"}, {"key": "asc"}],
        "start": start,
    }

    def ask() -> Any:
        headers = {"X-IA-API-Param-Entity": "LDN"}
        return visitor.call("POST", "/services/core/query", json=query, headers=headers).json()

    assert ask()["ia::meta"]["totalCount"] == VERY_MANY
    assert effort(ask) < 6 * effort(sorting)
