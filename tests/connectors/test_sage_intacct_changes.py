"""What we ask Sage Intacct about changes, to the letter, and how its rows are read."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import responses
from requests import PreparedRequest

from connectors.interface import BookedLine, RemoteStatus, TryLater
from connectors.sage_intacct import remote_invoice
from tests.connectors.test_sage_intacct_calls import API, QUERY, intacct, sent

Json = dict[str, Any]
INVOICE, LINE = "accounts-receivable/invoice", "accounts-receivable/invoice-line"

ROW: Json = {
    "key": "5001",
    "id": "5001",
    "invoiceNumber": "SI-1001",
    "referenceNumber": "PO-7",
    "customer.id": "CUST-001",
    "customer.name": "Bramley Stores",
    "invoiceDate": "2026-11-02",
    "dueDate": "2026-12-02",
    "totalTxnAmount": "120.00",
    "totalTxnAmountDue": "50.00",
    "state": "partiallyPaid",
    "webURL": "https://intacct.example/5001",
    "currency.txnCurrency": "GBP",
    "currency.baseCurrency": "GBP",
    "moduleKey": "accountsReceivable",
    "salesDocument.key": None,
    "audit.modifiedDateTime": "2026-11-03T09:00:00Z",
}


def line(n: int, **changes: Any) -> Json:
    return {
        "key": str(n),
        "id": str(n),
        "invoice.key": "5001",
        "lineNumber": n,
        "txnAmount": "50.00",
        "memo": f"Line {n}",
        "isSubtotal": None,
        "glAccount.id": "4000",
        "accountLabel.id": None,
        **changes,
    }


def booked(n: int, tax: str, **changes: Any) -> BookedLine:
    given: Json = {
        "description": f"Line {n}",
        "account": "4000",
        "account_id": "4000",
        "quantity": Decimal(1),
        "unit_price": Decimal("50.00"),
        "net": Decimal("50.00"),
        "tax": Decimal(tax),
    }
    return BookedLine(**{**given, **changes})


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def books(rows: list[Json], lines: list[Json]) -> Callable[[PreparedRequest], tuple[int, dict[str, str], str]]:
    def answer(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        found = lines if json.loads(request.body or "")["object"] == LINE else rows
        return 200, {}, json.dumps({"ia::result": found, "ia::meta": {"totalCount": len(found), "next": None}})

    return answer


def read(wire: responses.RequestsMock, row: Json, *lines: Json) -> Any:
    wire.add_callback(responses.POST, QUERY, books([row], list(lines)))
    (found,) = intacct("HARBOUR|LDN").changed_invoices("", None).invoices
    return found


def test_changes_are_asked_for_in_their_order_and_their_lines_by_one_query(wire: responses.RequestsMock) -> None:
    wire.add_callback(responses.POST, QUERY, books([ROW], [line(2), line(1, memo="")]))
    wire.get(f"{API}/objects/{INVOICE}/5001", json={"ia::result": {"key": "5001", "lines": []}})
    changes = intacct().changed_invoices("", date(2026, 4, 1))
    intacct().changed_invoices(changes.cursor, None)
    invoices, lines, again = sent(wire, 0), sent(wire, 1), sent(wire, 3)
    assert invoices["object"] == INVOICE
    assert invoices["filters"] == [{"$gte": {"invoiceDate": "2026-04-01"}}]
    assert invoices["orderBy"] == [{"audit.modifiedDateTime": "asc"}, {"key": "asc"}]
    assert (invoices["start"], invoices["size"]) == (1, 500)
    assert invoices["filterParameters"]["includePrivate"] is True
    assert lines["object"] == LINE
    assert lines["filters"] == [{"$in": {"invoice.key": ["5001"]}}]
    assert again["filters"] == [{"$gte": {"audit.modifiedDateTime": "2026-11-03T08:59:55Z"}}]
    (found,) = changes.invoices
    assert [row.description for row in found.lines] == ["", "Line 2", "Tax"]
    assert (found.due_date, found.currency, found.document_id) == (date(2026, 12, 2), "GBP", "")
    assert found.changed_at == datetime(2026, 11, 3, 9, tzinfo=UTC)


def test_the_tax_of_a_single_line_is_what_the_total_has_more(wire: responses.RequestsMock) -> None:
    found = read(wire, ROW, line(1, txnAmount="100.00"))
    amounts = {"unit_price": Decimal("100.00"), "net": Decimal("100.00")}
    assert found.lines == (booked(1, "20.00", **amounts),)
    assert (found.net, found.tax) == (Decimal(100), Decimal(20))
    assert len(wire.calls) == 2


def test_tax_entries_of_several_lines_are_read_from_the_invoice_whole(wire: responses.RequestsMock) -> None:
    entry = {"key": "1", "taxEntries": [{"txnTaxAmount": "15.00"}, {"txnTaxAmount": "5.00"}]}
    wire.get(f"{API}/objects/{INVOICE}/5001", json={"ia::result": {"key": "5001", "lines": [entry, {"key": "2"}]}})
    found = read(wire, ROW, line(1), line(2))
    assert found.lines == (booked(1, "20.00"), booked(2, "0"))


def test_where_no_tax_is_hidden_no_invoice_is_read_whole(wire: responses.RequestsMock) -> None:
    tax = line(3, txnAmount="20.00", isSubtotal="tax")
    total = line(4, txnAmount="100.00", isSubtotal="subtotal")
    found = read(wire, ROW, line(1), line(2), tax, total)
    assert [(row.description, row.net, row.tax) for row in found.lines] == [
        ("Line 1", Decimal(50), Decimal(0)),
        ("Line 2", Decimal(50), Decimal(0)),
        ("Tax", Decimal(0), Decimal(20)),
    ]
    assert (found.net, found.tax, found.net + found.tax) == (Decimal(100), Decimal(20), found.invoice.total)
    assert len(wire.calls) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"ia::result": {"ia::error": {"code": "notFound", "message": "Not there", "details": []}}}),
        (200, {"ia::result": None}),
        (200, []),
    ],
)
def test_an_invoice_that_has_just_gone_keeps_no_other_from_being_read(
    wire: responses.RequestsMock, status: int, body: Any
) -> None:
    wire.get(f"{API}/objects/{INVOICE}/5001", json=body, status=status)
    found = read(wire, ROW, line(1), line(2))
    assert [row.tax for row in found.lines] == [Decimal(0), Decimal(0), Decimal(20)]


def test_an_invoice_without_lines_is_all_net(wire: responses.RequestsMock) -> None:
    found = read(wire, {**ROW, "dueDate": None, "currency.txnCurrency": None})
    assert (found.net, found.tax, found.lines) == (Decimal(120), Decimal(0), ())
    assert (found.due_date, found.currency) == (date(2026, 11, 2), "GBP")


def test_a_line_by_its_label_is_known_by_that(wire: responses.RequestsMock) -> None:
    found = read(wire, ROW, line(1, **{"accountLabel.id": "Services"}))
    assert [(row.account, row.account_id) for row in found.lines] == [("Services", "label/Services")]


def test_the_document_behind_an_invoice_is_named(wire: responses.RequestsMock) -> None:
    found = read(wire, {**ROW, "moduleKey": "orderEntry", "salesDocument.key": "77"}, line(1))
    assert found.document_id == "77"


def test_a_document_that_takes_another_back_is_no_invoice(wire: responses.RequestsMock) -> None:
    wire.add_callback(responses.POST, QUERY, books([{**ROW, "state": "reversal"}], []))
    changes = intacct().changed_invoices("", None)
    assert (changes.invoices, changes.is_last) == ((), True)
    assert len(wire.calls) == 1


STATES: list[tuple[str, str, str, RemoteStatus, Decimal | None]] = [
    # state, total, what is due -> status, outstanding
    ("posted", "120.00", "120.00", RemoteStatus.OPEN, Decimal(120)),
    ("partiallyPaid", "120.00", "50.00", RemoteStatus.PART_PAID, Decimal(50)),
    ("paid", "120.00", "0.00", RemoteStatus.PAID, Decimal(0)),
    ("reversed", "120.00", "0.00", RemoteStatus.VOID, Decimal(0)),
    ("draft", "120.00", "120.00", RemoteStatus.DRAFT, None),
    ("selected", "120.00", "120.00", RemoteStatus.OPEN, Decimal(120)),
    ("selected", "120.00", "50.00", RemoteStatus.PART_PAID, Decimal(50)),
    ("selected", "120.00", "0.00", RemoteStatus.PAID, Decimal(0)),
    ("noValue", "0.00", "0.00", RemoteStatus.PAID, Decimal(0)),
    ("somethingNew", "120.00", "", RemoteStatus.OPEN, None),
]


@pytest.mark.parametrize(("state", "total", "due", "status", "outstanding"), STATES)
def test_each_state_is_read(
    state: str, total: str, due: str, status: RemoteStatus, outstanding: Decimal | None
) -> None:
    found = remote_invoice({**ROW, "state": state, "totalTxnAmount": total, "totalTxnAmountDue": due})
    assert (found.status, found.outstanding) == (status, outstanding)


UNREADABLE: list[tuple[Json, Json]] = [
    ({"audit.modifiedDateTime": None}, {}),
    ({"audit.modifiedDateTime": "lately"}, {}),
    ({"totalTxnAmount": "a lot"}, {}),
    ({"totalTxnAmountDue": "a lot"}, {}),
    ({"dueDate": "soon"}, {}),
    ({}, {"txnAmount": "some"}),
    ({}, {"txnAmount": None}),
    ({}, {"lineNumber": "first"}),
]


@pytest.mark.parametrize(("changes", "line_changes"), UNREADABLE, ids=str)
def test_what_cannot_be_read_is_asked_for_later(
    wire: responses.RequestsMock, changes: Json, line_changes: Json
) -> None:
    wire.add_callback(responses.POST, QUERY, books([{**ROW, **changes}], [line(1, **line_changes)]))
    with pytest.raises(TryLater):
        intacct().changed_invoices("", None)


@pytest.mark.parametrize("meta", [{}, {"totalCount": "many"}, None])
def test_a_page_that_does_not_say_how_many_there_are_is_asked_for_later(
    wire: responses.RequestsMock, meta: Json | None
) -> None:
    wire.post(QUERY, json={"ia::result": [ROW], "ia::meta": meta})
    with pytest.raises(TryLater):
        intacct().changed_invoices("", None)


def test_those_are_gone_that_a_query_does_not_find(wire: responses.RequestsMock) -> None:
    wire.add_callback(responses.POST, QUERY, books([{"key": "5001", "id": "5001"}], []))
    keys = [str(5001 + n) for n in range(2001)]
    assert intacct().gone(keys, datetime(2026, 11, 3, tzinfo=UTC)) == set(keys) - {"5001"}
    assert [len(sent(wire, call)["filters"][0]["$in"]["key"]) for call in range(2)] == [2000, 1]


def test_two_thousand_are_read_by_a_query(wire: responses.RequestsMock) -> None:
    wire.add_callback(responses.POST, QUERY, books([ROW, {**ROW, "key": "9", "id": "9", "state": "reversal"}], []))
    found = intacct().read_invoices([str(n) for n in range(2000)])
    assert [(one.id, one.status, one.outstanding) for one in found] == [("5001", RemoteStatus.PART_PAID, Decimal(50))]
    assert len(wire.calls) == 1
