"""What we ask Sage Accounting about changes, to the letter, and how its rows are read."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from requests import PreparedRequest

from connectors.interface import BookedInvoice, BookedLine, OutcomeUnknown, RemoteInvoice, RemoteStatus, TryLater
from connectors.sage_accounting import SageAccounting, remote_invoice

API = "https://api.sage.example/v3.1"
INVOICES = f"{API}/sales_invoices"
Json = dict[str, Any]

LINE: Json = {
    "description": "Gutter clearing",
    "ledger_account": {"id": "acc-1", "displayed_as": "Sales (UK) - Products (4000)"},
    "quantity": "2.5",
    "unit_price": "85.0",
    "net_amount": "212.5",
    "tax_amount": "42.5",
}
ROW: Json = {
    "id": "0c9d",
    "invoice_number": "SI-42",
    "reference": "PO-7",
    "contact": {"id": "c-1", "displayed_as": "Bramley Stores Ltd (BRAM1)"},
    "contact_name": "Bramley Stores Ltd",
    "date": "2026-11-02",
    "due_date": "2026-12-02",
    "total_amount": "255.0",
    "tax_amount": "42.5",
    "outstanding_amount": "100.0",
    "currency": {"id": "GBP"},
    "status": {"id": "PART_PAID"},
    "links": [{"href": "https://sage.example/0c9d"}],
    "invoice_lines": [LINE],
    "updated_at": "2026-11-03T09:00:00Z",
}
BOOKED = BookedInvoice(
    invoice=RemoteInvoice(
        id="0c9d",
        number="SI-42",
        reference="PO-7",
        client_id="c-1",
        client_name="Bramley Stores Ltd",
        lines=1,
        issue_date=date(2026, 11, 2),
        total=Decimal("255.0"),
        url="https://sage.example/0c9d",
        status=RemoteStatus.PART_PAID,
        outstanding=Decimal("100.0"),
    ),
    due_date=date(2026, 12, 2),
    currency="GBP",
    net=Decimal("212.5"),
    tax=Decimal("42.5"),
    lines=(
        BookedLine(
            description="Gutter clearing",
            account="4000",
            account_id="acc-1",
            quantity=Decimal("2.5"),
            unit_price=Decimal("85.0"),
            net=Decimal("212.5"),
            tax=Decimal("42.5"),
        ),
    ),
    changed_at=datetime(2026, 11, 3, 9, tzinfo=UTC),
)


@pytest.fixture
def sage() -> SageAccounting:
    return SageAccounting(api_url=API, bearer=lambda _: "token", deadline=timedelta(seconds=5), company_id="b-1")


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def listed(*rows: Json) -> Json:
    return {"$total": len(rows), "$items": list(rows)}


def asked(wire: responses.RequestsMock, call: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(str(wire.calls[call].request.url)).query)


def test_changes_are_asked_for_in_their_order_from_a_moment_on(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    wire.get(INVOICES, json=listed(ROW))
    changes = sage.changed_invoices("", date(2026, 4, 1))
    assert (changes.invoices, changes.is_last, changes.left) == ((BOOKED,), True, 0)
    first = asked(wire)
    sage.changed_invoices(changes.cursor, date(2026, 4, 1))
    attributes = first.pop("attributes")[0].split(",")
    assert {"updated_at", "invoice_lines", "outstanding_amount", "due_date", "status"} <= set(attributes)
    assert first == {
        "sort": ["updated_at:asc"],
        "from_date": ["2026-04-01"],
        "items_per_page": ["200"],
        "page": ["1"],
    }
    assert asked(wire)["updated_or_created_since"] == ["2026-11-03T08:59:55Z"]  # a little before its end


def test_an_offer_is_no_invoice_yet(sage: SageAccounting, wire: responses.RequestsMock) -> None:
    wire.get(INVOICES, json=listed({**ROW, "status": {"id": "PRO_FORMA"}}))
    changes = sage.changed_invoices("", None)
    assert (changes.invoices, changes.is_last) == ((), True)


STATUSES: list[tuple[str, str, RemoteStatus, str, Decimal | None]] = [
    # status in Sage, what it says is outstanding -> status, number, outstanding
    ("UNPAID", "255.0", RemoteStatus.OPEN, "SI-42", Decimal(255)),
    ("PART_PAID", "100.0", RemoteStatus.PART_PAID, "SI-42", Decimal(100)),
    ("PAID", "0.0", RemoteStatus.PAID, "SI-42", Decimal(0)),
    ("VOID", "0.0", RemoteStatus.VOID, "SI-42", Decimal(0)),
    ("DRAFT", "0.0", RemoteStatus.DRAFT, "", None),
    ("PRO_FORMA", "0.0", RemoteStatus.DRAFT, "", None),
    ("SOMETHING_NEW", "255.0", RemoteStatus.OPEN, "SI-42", Decimal(255)),
]


@pytest.mark.parametrize(("theirs", "amount", "status", "number", "outstanding"), STATUSES)
def test_each_status_is_read(
    theirs: str, amount: str, status: RemoteStatus, number: str, outstanding: Decimal | None
) -> None:
    found = remote_invoice({**ROW, "status": {"id": theirs}, "outstanding_amount": amount})
    assert (found.status, found.number, found.outstanding) == (status, number, outstanding)


def test_where_nothing_is_said_of_what_is_outstanding_nothing_is_told() -> None:
    found = remote_invoice({name: value for name, value in ROW.items() if name not in ("outstanding_amount", "status")})
    assert (found.status, found.outstanding) == (RemoteStatus.OPEN, None)


def test_what_is_outstanding_and_no_number_is_not_guessed() -> None:
    with pytest.raises(OutcomeUnknown):
        remote_invoice({**ROW, "outstanding_amount": "a lot"})


UNREADABLE = [
    {"updated_at": None},
    {"updated_at": "lately"},
    {"tax_amount": None},
    {"tax_amount": "some"},
    {"due_date": "soon"},
    {"total_amount": None},
    {"invoice_lines": [{**LINE, "net_amount": "some"}]},
    {"invoice_lines": ["a line"]},
]


@pytest.mark.parametrize("changes", UNREADABLE, ids=str)
def test_a_row_that_cannot_be_read_is_asked_for_later(
    sage: SageAccounting, wire: responses.RequestsMock, changes: Json
) -> None:
    wire.get(INVOICES, json=listed({**ROW, **changes}))
    with pytest.raises(TryLater):
        sage.changed_invoices("", None)


def test_an_account_without_a_code_goes_by_its_name_and_a_bare_line_is_nothing_once(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    bare: Json = {"ledger_account": {"id": "acc-9", "displayed_as": "Suspense"}}
    wire.get(INVOICES, json=listed({**ROW, "due_date": None, "invoice_lines": [bare, {}]}))
    (booked,) = sage.changed_invoices("", None).invoices
    assert [(line.account, line.account_id, line.quantity, line.net) for line in booked.lines] == [
        ("Suspense", "acc-9", Decimal(1), Decimal(0)),
        ("", "", Decimal(1), Decimal(0)),
    ]
    assert booked.due_date == date(2026, 11, 2)


def test_deletions_are_asked_for_a_little_further_back_and_a_void_invoice_is_none(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    rows = [{"id": "a", "status": {"id": "DRAFT"}}, {"id": "b", "status": {"id": "VOID"}}, {"id": "z"}]
    wire.get(INVOICES, json=listed(*rows))
    assert sage.gone(["a", "b", "c"], datetime(2026, 11, 3, 9, 30, tzinfo=UTC)) == {"a"}
    assert asked(wire)["deleted_since"] == ["2026-11-03T08:30:00Z"]


def test_many_are_looked_up_among_the_open_ones_and_the_rest_one_by_one(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    statuses = {f"u{n}": "UNPAID" for n in range(5)} | {"pp": "PART_PAID", "paid": "PAID"}

    def answer(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        wanted = parse_qs(urlsplit(str(request.url)).query)["status_id"][0]
        rows = [{**ROW, "id": id, "status": {"id": status}} for id, status in statuses.items() if status == wanted]
        return 200, {}, json.dumps(listed(*rows))

    wire.add_callback(responses.GET, INVOICES, answer)
    wire.get(f"{INVOICES}/paid", json={**ROW, "id": "paid", "status": {"id": "PAID"}})
    wire.get(f"{INVOICES}/gone", json=[{"$message": "Couldn't find record."}], status=404)
    found = {one.id: one.status for one in sage.read_invoices([*statuses, "gone", "paid"])}
    assert found == {
        **{f"u{n}": RemoteStatus.OPEN for n in range(5)},
        "pp": RemoteStatus.PART_PAID,
        "paid": RemoteStatus.PAID,
    }
    assert len(wire.calls) == 4


def test_a_long_list_of_open_ones_is_left_where_reading_one_by_one_is_less(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    wire.get(INVOICES, json={"$total": 100_000, "$items": [{**ROW, "id": "other"}]})
    ids = [f"i{n}" for n in range(6)]
    for id in ids:
        wire.get(f"{INVOICES}/{id}", json={**ROW, "id": id})
    assert [one.id for one in sage.read_invoices(ids)] == ids
    assert len(wire.calls) == 2 * 3 + 6
