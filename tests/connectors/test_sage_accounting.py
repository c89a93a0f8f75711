"""What we send to Sage Accounting, to the letter, and how what it answers is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from requests import PreparedRequest

from connectors.interface import (
    Entry,
    Fix,
    Misdirected,
    NewClient,
    NewInvoice,
    NewLine,
    OutcomeUnknown,
    RemoteClient,
    RemoteInvoice,
    TryLater,
)
from connectors.options import Kind
from connectors.sage_accounting import SageAccounting, complaints, contact_body, invoice_body, remote_invoice

KEY = "9b1f6a2e4c7d4e0f8a3b5c6d7e8f9012"
API = "https://api.sage.example/v3.1"
Served = tuple[int, dict[str, str], str]

CLIENT = NewClient(
    name="Bramley Stores Ltd",
    reference="BRAM1",
    email="accounts@bramley.example",
    address_line_1="4 Mill Lane",
    address_line_2="",
    city="Leeds",
    postal_code="LS1 4AB",
    country="GB",
)
LINE = NewLine(
    description="Gutter clearing",
    quantity=Decimal("2.50"),
    unit_price=Decimal("85.00"),
    discount=Decimal("10.63"),
    net=Decimal("201.87"),
    tax=Decimal("40.37"),
    total=Decimal("242.24"),
    account_id="acc-1",
    tax_rate_id="GB_STANDARD",
)
INVOICE = NewInvoice(
    reference="INV-00042",
    is_draft=False,
    prefix="INV-",
    number="00042",
    client_id="c-1",
    issue_date=date(2026, 11, 2),
    due_date=date(2026, 12, 2),
    notes="Client's reference: PO-7",
    currency="GBP",
    net=Decimal("201.87"),
    tax=Decimal("40.37"),
    total=Decimal("242.24"),
    lines=(LINE,),
)
ROW: dict[str, Any] = {
    "id": "0c9d",
    "invoice_number": "INV-00042",
    "reference": "INV-00042",
    "contact": {"id": "c-1", "displayed_as": "Bramley Stores Ltd"},
    "date": "2026-11-02",
    "total_amount": "242.24",
    "links": [{"href": "https://sage.example/invoicing/0c9d", "rel": "alternate", "type": "text/html"}],
}


@pytest.fixture
def sage() -> SageAccounting:
    return SageAccounting(
        api_url=API, bearer=lambda refused: "secret-token", deadline=timedelta(seconds=5), company_id="b-1"
    )


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def paged(count: int, total: int | None = None) -> Callable[[PreparedRequest], Served]:
    """A list of `count` rows as Sage pages it: a page past the end is the last one again."""
    rows = [{"id": f"r-{n}", "name": f"Row {n}"} for n in range(count)]

    def answer(request: PreparedRequest) -> Served:
        asked = parse_qs(urlsplit(str(request.url)).query)
        size, page = int(asked["items_per_page"][0]), int(asked["page"][0])
        page = min(page, max(-(-count // size), 1))
        shown = rows[(page - 1) * size : page * size]
        body = {"$total": count if total is None else total, "$page": page, "$items": shown}
        return 200, {"X-Business": "b-1"}, json.dumps(body)

    return answer


def test_an_invoice_is_sent_like_this_to_the_letter() -> None:
    assert invoice_body(INVOICE, KEY) == {
        "idempotency_id": KEY,
        "contact_id": "c-1",
        "date": "2026-11-02",
        "due_date": "2026-12-02",
        "invoice_number_prefix": "INV-",
        "invoice_number": "00042",
        "reference": "INV-00042",
        "notes": "Client's reference: PO-7",
        "currency_id": "GBP",
        "net_amount": "201.87",
        "tax_amount": "40.37",
        "total_amount": "242.24",
        "invoice_lines": [
            {
                "description": "Gutter clearing",
                "ledger_account_id": "acc-1",
                "quantity": "2.50",
                "unit_price": "85.00",
                "discount_amount": "10.63",
                "net_amount": "201.87",
                "tax_rate_id": "GB_STANDARD",
                "tax_amount": "40.37",
                "total_amount": "242.24",
            }
        ],
    }


def test_an_invoice_names_no_status_as_that_makes_it_final() -> None:
    assert "status_id" not in invoice_body(INVOICE, KEY)


def test_a_client_is_sent_like_this_to_the_letter() -> None:
    assert contact_body(CLIENT, KEY) == {
        "idempotency_id": KEY,
        "name": "Bramley Stores Ltd",
        "contact_type_ids": ["CUSTOMER"],
        "main_address": {
            "address_line_1": "4 Mill Lane",
            "address_line_2": "",
            "city": "Leeds",
            "postal_code": "LS1 4AB",
            "country_id": "GB",
        },
        "reference": "BRAM1",
        "main_contact_person": {"name": "Bramley Stores Ltd", "email": "accounts@bramley.example"},
    }


def test_a_client_without_reference_or_email_sends_neither() -> None:
    assert contact_body(replace(CLIENT, reference="", email=""), KEY).keys() == {
        "idempotency_id",
        "name",
        "contact_type_ids",
        "main_address",
    }


def test_a_reference_too_long_for_sage_is_left_out_and_never_cut() -> None:
    assert contact_body(replace(CLIENT, reference="A" * 10), KEY)["reference"] == "A" * 10
    assert "reference" not in contact_body(replace(CLIENT, reference="A" * 11), KEY)


def test_a_name_is_cut_to_what_sage_takes_of_a_contact_and_of_a_person() -> None:
    body = contact_body(replace(CLIENT, name="N" * 120), KEY)
    assert body["name"] == "N" * 100
    assert body["main_contact_person"]["name"] == "N" * 50


def test_an_invoice_of_theirs_is_read() -> None:
    assert remote_invoice(ROW) == RemoteInvoice(
        id="0c9d",
        number="INV-00042",
        reference="INV-00042",
        client_id="c-1",
        issue_date=date(2026, 11, 2),
        total=Decimal("242.24"),
        url="https://sage.example/invoicing/0c9d",
    )


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"links": None}, "url", ""),
        ({"links": []}, "url", ""),
        ({"links": [{"rel": "alternate"}]}, "url", ""),
        ({"links": [{"href": "javascript:alert(1)"}]}, "url", ""),
        ({"links": [{"href": "//sage.example/x"}]}, "url", ""),
        ({"invoice_number": None}, "number", ""),
        ({"reference": None}, "reference", ""),
        ({"contact": None}, "client_id", ""),
        ({"total_amount": "45.0"}, "total", Decimal(45)),
        ({"total_amount": 45}, "total", Decimal(45)),
        ({"total_amount": Decimal("45.10")}, "total", Decimal("45.1")),
    ],
)
def test_what_may_be_missing_from_an_invoice_may_be_missing(change: dict[str, Any], name: str, value: object) -> None:
    assert getattr(remote_invoice({**ROW, **change}), name) == value


@pytest.mark.parametrize(
    "change",
    [
        {"id": ...},
        {"date": ...},
        {"date": None},
        {"date": "02/11/2026"},
        {"date": 20261102},
        {"total_amount": ...},
        {"total_amount": None},
        {"total_amount": "a lot"},
        {"contact": "c-1"},
        {"links": ["https://sage.example"]},
        {"links": 5},
    ],
    ids=str,
)
def test_an_invoice_that_cannot_be_read_is_looked_up_and_never_guessed(change: dict[str, Any]) -> None:
    row = {name: value for name, value in {**ROW, **change}.items() if value is not ...}
    with pytest.raises(OutcomeUnknown) as unclear:
        remote_invoice(row)
    assert unclear.value.answered


@pytest.mark.parametrize(
    "body", [None, {}, "text", 5, {"error": "invalid_grant"}, [1], ["$message"], [{"$message": "x"}, {}], [[]], []]
)
def test_what_is_not_sages_error_shape_complains_of_nothing(body: Any) -> None:
    assert complaints(body) == ()


def test_each_complaint_keeps_sages_words_code_and_field() -> None:
    body = [
        {"$severity": "error", "$dataCode": "RecordInvalid", "$message": "is wrong", "$source": "line_items.quantity"},
        {"$message": "unheard of", "$dataCode": None, "$source": None},
    ]
    first, second = complaints(body)
    assert (first.message, first.code, first.field) == ("is wrong", "RecordInvalid", "line_items.quantity")
    assert (second.message, second.code, second.field, second.fix) == ("unheard of", "", "", Fix.SUPPORT)
    assert first.meaning
    assert second.meaning


MEANINGS = [
    # message, code, source -> where it is mended
    ("This invoice number has already been used.", "RecordInvalid", "invoice_number", Fix.NUMBER),
    ("has already been taken", "RecordInvalid", "invoice_number", Fix.NUMBER),
    ("The number is already in use.", "RecordInvalid", "base", Fix.NUMBER),
    ("This field is required.", "RecordInvalid", "line_items.ledger_account_id", Fix.SALES_ACCOUNT),
    (
        "is not a ledger account that is visible in sales",
        "RecordInvalid",
        "line_items.ledger_account_id",
        Fix.SALES_ACCOUNT,
    ),
    ("This field is required.", "RecordInvalid", "line_items.tax_rate_id", Fix.TAX_RATES),
    ("This field is required.", "RecordInvalid", "line_items.tax_amount", Fix.TAX_RATES),
    ("can't find customer", "RecordInvalid", "", Fix.CLIENT_LINK),
    ("has already been taken", "RecordInvalid", "contact.reference", Fix.CLIENT),
    ("is too long (maximum is 50 characters)", "RecordInvalid", "main_address.address_line_1", Fix.CLIENT),
    ("is too long (maximum is 10 characters)", "RecordInvalid", "main_address.postal_code", Fix.CLIENT),
    ("is too long (maximum is 50 characters)", "RecordInvalid", "main_contact_person.name", Fix.CLIENT),
    (
        "You cannot record entries prior to your Accounts Start Date of 01/04/2019.",
        "RecordInvalid",
        "date",
        Fix.DATE,
    ),
    ("must not be before the invoice date", "RecordInvalid", "due_date", Fix.INVOICE),
    ("is too long (maximum is 25 characters)", "RecordInvalid", "reference", Fix.INVOICE),
    ("is too long (maximum is 2000 characters)", "RecordInvalid", "notes", Fix.INVOICE),
    ("No active subscription. (MSE)", "AuthorizationFailure", "", Fix.PLATFORM),
    (
        "The current user is not allowed to access that resource with that method.",
        "MultiUserAccessDenied",
        "",
        Fix.PLATFORM,
    ),
    ("Something nobody has heard of.", "RecordInvalid", "base", Fix.SUPPORT),
]


@pytest.mark.parametrize(("message", "code", "source", "fix"), MEANINGS)
def test_a_complaint_names_where_it_is_mended(message: str, code: str, source: str, fix: Fix) -> None:
    (problem,) = complaints([{"$message": message, "$dataCode": code, "$source": source}])
    assert (problem.fix, problem.message) == (fix, message)


@pytest.mark.parametrize(
    ("count", "calls"), [(0, 1), (1, 1), (199, 1), (200, 1), (201, 2), (400, 2), (401, 3), (950, 5)]
)
def test_a_list_is_read_to_its_end_and_no_further(
    sage: SageAccounting, wire: responses.RequestsMock, count: int, calls: int
) -> None:
    wire.add_callback(responses.GET, f"{API}/ledger_accounts", paged(count))
    entries = sage.catalogue(Kind.SALES_ACCOUNTS)
    assert [entry.id for entry in entries] == [f"r-{n}" for n in range(count)]
    assert len(wire.calls) == calls


def test_a_list_that_claims_more_than_it_has_still_ends(
    sage: SageAccounting, wire: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sage_accounting.connector.MOST_PAGES", 4)
    wire.add_callback(responses.GET, f"{API}/ledger_accounts", paged(300, total=10_000_000))
    with pytest.raises(TryLater, match="no end"):
        sage.catalogue(Kind.SALES_ACCOUNTS)
    assert len(wire.calls) == 4


LISTS = [
    "[]",
    '"text"',
    "null",
    '{"$total": 1}',
    '{"$total": 1, "$items": {}}',
    '{"$total": 1, "$items": ["r-1"]}',
    '{"$total": 1, "$items": [{"name": "no id"}]}',
    '{"$total": "many", "$items": [{"id": "r-1"}]}',
    '{"$total": [], "$items": [{"id": "r-1"}]}',
]


@pytest.mark.parametrize("body", LISTS)
@pytest.mark.parametrize("read", ["catalogue", "companies", "clients", "invoices"])
def test_a_list_that_cannot_be_read_is_asked_for_later(
    sage: SageAccounting, wire: responses.RequestsMock, body: str, read: str
) -> None:
    wire.get(url=f"{API}/tax_rates", body=body)
    wire.get(url=f"{API}/businesses", body=body)
    wire.get(url=f"{API}/contacts", body=body)
    wire.get(url=f"{API}/sales_invoices", body=body)
    reads: dict[str, Callable[[], object]] = {
        "catalogue": lambda: sage.catalogue(Kind.TAX_RATES),
        "companies": sage.companies,
        "clients": lambda: sage.find_clients(CLIENT),
        "invoices": lambda: sage.find_invoices(INVOICE),
    }
    if read == "companies" and "$total" in body and '"id"' in body:
        assert [company.id for company in sage.companies()] == ["r-1"]  # all on one page: nobody asks for a total
    else:
        with pytest.raises(TryLater):
            reads[read]()


def test_a_percentage_that_is_none_is_asked_for_later(sage: SageAccounting, wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/tax_rates", json={"$total": 1, "$items": [{"id": "GB_X", "percentage": "a lot"}]})
    with pytest.raises(TryLater):
        sage.catalogue(Kind.TAX_RATES)


def test_accounts_and_rates_become_entries(sage: SageAccounting, wire: responses.RequestsMock) -> None:
    account = {"id": "a", "nominal_code": 4000, "name": "Sales", "displayed_as": "Sales (4000)"}
    rate = {"id": "GB_STANDARD", "name": "Standard", "percentage": "20.0"}
    bare = {"id": "GB_X", "displayed_as": "Odd 1.00%"}
    wire.get(f"{API}/ledger_accounts", json={"$total": 1, "$items": [account]})
    wire.get(f"{API}/tax_rates", json={"$total": 2, "$items": [rate, bare]})
    assert sage.catalogue(Kind.PURCHASE_ACCOUNTS) == (Entry(id="a", name="Sales", code="4000"),)
    assert sage.catalogue(Kind.TAX_RATES) == (
        Entry(id="GB_STANDARD", name="Standard", percentage=Decimal("20.0")),
        Entry(id="GB_X", name="Odd 1.00%"),
    )


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (Kind.SALES_ACCOUNTS, {"visible_in": ["sales"]}),
        (Kind.PURCHASE_ACCOUNTS, {"visible_in": ["expenses"]}),
        (Kind.TAX_RATES, {"usage": ["sales"]}),
    ],
)
def test_a_catalogue_asks_for_its_kind_in_the_largest_pages(
    sage: SageAccounting, wire: responses.RequestsMock, kind: Kind, asked: dict[str, list[str]]
) -> None:
    wire.add_callback(responses.GET, f"{API}/ledger_accounts", paged(1))
    wire.add_callback(responses.GET, f"{API}/tax_rates", paged(1))
    sage.catalogue(kind)
    sent = parse_qs(urlsplit(str(wire.calls[0].request.url)).query)
    assert sent["items_per_page"] == ["200"]
    assert asked.items() <= sent.items()


def test_every_call_names_the_business_and_its_token(sage: SageAccounting, wire: responses.RequestsMock) -> None:
    wire.add_callback(responses.GET, f"{API}/tax_rates", paged(1))
    wire.post(f"{API}/contacts", json={"id": "c-9", "name": "Bramley"}, status=201)
    wire.post(f"{API}/sales_invoices", json=ROW, status=201)
    sage.catalogue(Kind.TAX_RATES)
    assert sage.create_client(CLIENT, KEY) == RemoteClient(id="c-9", name="Bramley")
    sage.create_invoices([INVOICE], KEY)
    for call in wire.calls:
        assert call.request.headers["X-Business"] == "b-1"
        assert call.request.headers["Authorization"] == "Bearer secret-token"
    assert json.loads(wire.calls[2].request.body or "")["sales_invoice"] == invoice_body(INVOICE, KEY)


def test_the_wrong_echo_is_never_taken_for_an_answer(sage: SageAccounting, wire: responses.RequestsMock) -> None:
    elsewhere = {"X-Business": "b-2", "x-request-id": "r-5"}
    wire.post(f"{API}/sales_invoices", json=ROW, status=201, headers=elsewhere)
    wire.get(f"{API}/tax_rates", json={"$total": 0, "$items": []}, headers=elsewhere)
    with pytest.raises(Misdirected, match="b-2") as misdirected:
        sage.create_invoices([INVOICE], KEY)
    assert (misdirected.value.status, misdirected.value.request_id) == (201, "r-5")
    with pytest.raises(Misdirected):
        sage.catalogue(Kind.TAX_RATES)


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": ""}', '{"id": null}', "null", '{"id": "x"}'])
def test_an_invoice_made_but_not_shown_is_looked_up(
    sage: SageAccounting, wire: responses.RequestsMock, body: str
) -> None:
    wire.post(f"{API}/sales_invoices", body=body, status=201)
    with pytest.raises(OutcomeUnknown) as unknown:
        sage.create_invoices([INVOICE], KEY)
    assert unknown.value.answered


def test_an_invoice_is_found_by_its_reference_whole_and_in_its_own_case(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    others = [{**ROW, "id": f"o-{n}", "reference": text} for n, text in enumerate(("INV-000421", "inv-00042", None))]
    wire.get(f"{API}/sales_invoices", json={"$total": 4, "$items": [*others, ROW]})
    assert [found.id for found in sage.find_invoices(INVOICE)] == ["0c9d"]


def test_where_the_search_finds_nothing_the_clients_day_is_asked(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    def answer(request: PreparedRequest) -> Served:
        asked = parse_qs(urlsplit(str(request.url)).query)
        items = [] if "search" in asked else [ROW]
        return 200, {}, json.dumps({"$total": len(items), "$items": items})

    wire.add_callback(responses.GET, f"{API}/sales_invoices", answer)
    assert [found.id for found in sage.find_invoices(INVOICE)] == ["0c9d"]
    asked = parse_qs(urlsplit(str(wire.calls[1].request.url)).query)
    assert (asked["contact_id"], asked["from_date"], asked["to_date"]) == (["c-1"], ["2026-11-02"], ["2026-11-02"])


CONTACTS = [
    {"id": "by-name", "name": "Bramley Stores Ltd", "reference": "", "email": ""},
    {"id": "near-name", "name": "Bramley Stores Ltd (old)", "reference": "BRAM11", "email": ""},
]


def test_a_client_is_never_taken_for_one_that_is_only_like_it(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    wire.get(f"{API}/contacts", json={"$total": 1, "$items": CONTACTS[1:]})
    assert sage.find_clients(CLIENT) == ()


def test_a_clients_reference_counts_before_its_email_and_that_before_its_name(
    sage: SageAccounting, wire: responses.RequestsMock
) -> None:
    rows = [
        *CONTACTS,
        {"id": "by-email", "name": "Other", "reference": "X", "email": "Accounts@Bramley.example"},
        {"id": "by-reference", "name": "Another", "reference": "bram1 ", "email": ""},
    ]
    wire.get(f"{API}/contacts", json={"$total": 4, "$items": rows})
    assert [one.id for one in sage.find_clients(CLIENT)] == ["by-reference"]
    assert [one.id for one in sage.find_clients(replace(CLIENT, reference=""))] == ["by-email"]
    assert [one.id for one in sage.find_clients(replace(CLIENT, reference="", email=""))] == ["by-name"]


def test_a_connector_shows_no_secret(sage: SageAccounting) -> None:
    assert "secret-token" not in repr(sage)
    assert "bearer" not in repr(sage)
    assert "bearer" not in repr(sage.wire)
