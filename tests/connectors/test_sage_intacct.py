"""What we send to Sage Intacct, to the letter, and how its records are read."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.interface import Fix, NewClient, NewInvoice, NewLine, Rejected, RemoteInvoice
from connectors.sage_intacct import customer_body, invoice_body, remote_invoice
from connectors.sage_intacct.shapes import claimed, claims

KEY = "9b1f6a2e4c7d4e0f8a3b5c6d7e8f9012"

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
    account_id="4050",
    tax_rate_id="2200",
)
PLAIN_LINE = replace(
    LINE,
    description="Ladder hire",
    quantity=Decimal("1.00"),
    unit_price=Decimal("50.00"),
    discount=Decimal(0),
    net=Decimal("50.00"),
    tax=Decimal("0.00"),
    total=Decimal("50.00"),
    tax_rate_id="none",
)
INVOICE = NewInvoice(
    reference="INV-00042",
    is_draft=False,
    prefix="",
    number="",
    client_id="CUST-001",
    issue_date=date(2026, 11, 2),
    due_date=date(2026, 12, 2),
    notes="Client's reference: PO-7",
    currency="GBP",
    net=Decimal("201.87"),
    tax=Decimal("40.37"),
    total=Decimal("242.24"),
    lines=(LINE,),
)
ROW: dict[str, Any] = {  # as a query shows it
    "key": "5001",
    "id": "5001",
    "invoiceNumber": "SI-1001",
    "referenceNumber": "INV-00042",
    "customer.id": "CUST-001",
    "customer.name": "Bramley Stores Ltd",
    "invoiceDate": "2026-11-02",
    "totalTxnAmount": "242.24",
    "state": "posted",
    "webURL": "https://intacct.example/5001",
}
OBJECT = {  # as a read shows it
    **{name: value for name, value in ROW.items() if "." not in name},
    "customer": {"key": "3", "id": "CUST-001", "name": "Bramley Stores Ltd"},
    "lines": [{"key": "9", "txnAmount": "201.87"}],
}
READ = RemoteInvoice(
    id="5001",
    number="SI-1001",
    reference="INV-00042",
    client_id="CUST-001",
    client_name="Bramley Stores Ltd",
    issue_date=date(2026, 11, 2),
    total=Decimal("242.24"),
    url="https://intacct.example/5001",
)


def test_an_invoice_is_sent_like_this_to_the_letter() -> None:
    assert invoice_body(INVOICE) == {
        "customer": {"id": "CUST-001"},
        "invoiceDate": "2026-11-02",
        "dueDate": "2026-12-02",
        "referenceNumber": "INV-00042",
        "description": "Client's reference: PO-7",
        "currency": {"txnCurrency": "GBP"},
        "lines": [
            {
                "txnAmount": "201.87",
                "glAccount": {"id": "4050"},
                "memo": "Gutter clearing (2.5 × 85.00, less 10.63)",  # noqa: RUF001
            },
            {"txnAmount": "40.37", "glAccount": {"id": "2200"}, "memo": "Tax"},
        ],
    }


OPTIONS: list[tuple[dict[str, Any], str, Any]] = [
    # what is changed of the invoice, a key of its body, what stands there (... = the key is left out)
    ({}, "state", ...),
    ({"is_draft": True}, "state", "draft"),
    ({}, "invoiceNumber", ...),
    ({"prefix": "INV-", "number": "00042"}, "invoiceNumber", "INV-00042"),
    ({"number": "42"}, "invoiceNumber", "42"),
    ({"prefix": "INV-"}, "invoiceNumber", ...),
    ({}, "term", ...),
    ({"term_id": "Net 30"}, "term", {"id": "Net 30"}),
    ({}, "taxSolution", ...),
    ({"tax_solution_id": "United Kingdom - VAT"}, "taxSolution", {"id": "United Kingdom - VAT"}),
    ({"notes": ""}, "description", ...),
    ({"currency": "EUR"}, "currency", {"txnCurrency": "EUR"}),
]


@pytest.mark.parametrize(("change", "name", "value"), OPTIONS, ids=str)
def test_each_option_is_in_the_body_or_left_out(change: dict[str, Any], name: str, value: object) -> None:
    assert invoice_body(replace(INVOICE, **change)).get(name, ...) == value


@pytest.mark.parametrize(
    ("change", "dimensions"),
    [
        ({}, ...),
        ({"location_id": "LDN"}, {"location": {"id": "LDN"}}),
        ({"department_id": "OPS"}, {"department": {"id": "OPS"}}),
        ({"location_id": "LDN", "department_id": "OPS"}, {"location": {"id": "LDN"}, "department": {"id": "OPS"}}),
    ],
)
def test_every_line_carries_location_and_department_the_tax_too(change: dict[str, Any], dimensions: object) -> None:
    lines = invoice_body(replace(INVOICE, **change))["lines"]
    assert [line.get("dimensions", ...) for line in lines] == [dimensions, dimensions]


def test_with_a_tax_solution_each_line_carries_its_tax() -> None:
    rated = replace(LINE, tax_rate_id="UK Standard")
    zero = replace(PLAIN_LINE, tax_rate_id="UK Zero")
    invoice = replace(INVOICE, lines=(rated, zero), total=Decimal("292.24"), tax_solution_id="United Kingdom - VAT")
    assert [line["taxEntries"] for line in invoice_body(invoice)["lines"]] == [
        [{"orderEntryTaxDetail": {"id": "UK Standard"}, "txnTaxAmount": "40.37"}],
        [{"orderEntryTaxDetail": {"id": "UK Zero"}, "txnTaxAmount": "0.00"}],
    ]


def test_without_one_the_tax_is_a_line_for_each_account_in_order() -> None:
    lines = (
        replace(LINE, tax_rate_id="2210"),
        PLAIN_LINE,
        replace(LINE, tax_rate_id="2200"),
        replace(LINE, tax_rate_id="2210"),
    )
    body = invoice_body(replace(INVOICE, lines=lines, total=Decimal("776.72")))
    assert [(line["glAccount"]["id"], line["txnAmount"], line["memo"]) for line in body["lines"][4:]] == [
        ("2210", "80.74", "Tax"),
        ("2200", "40.37", "Tax"),
    ]


def test_an_account_label_is_named_as_one_for_the_tax_too() -> None:
    labelled = replace(LINE, account_id="label/Repairs", tax_rate_id="label/VAT")
    lines = invoice_body(replace(INVOICE, lines=(labelled,)))["lines"]
    assert [line["accountLabel"] for line in lines] == [{"id": "Repairs"}, {"id": "VAT"}]
    assert not any("glAccount" in line for line in lines)


def test_a_line_of_one_at_full_price_is_its_description_alone() -> None:
    body = invoice_body(replace(INVOICE, lines=(PLAIN_LINE,), total=Decimal("50.00")))
    assert [(line["txnAmount"], line["memo"]) for line in body["lines"]] == [("50.00", "Ladder hire")]


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"total": Decimal("242.25")}, Fix.SUPPORT),
        ({"total": Decimal("201.87")}, Fix.SUPPORT),
        ({"total": Decimal("242.25"), "tax_solution_id": "United Kingdom - VAT"}, Fix.SUPPORT),
        ({"lines": (replace(LINE, tax_rate_id="none"),)}, Fix.TAX_RATES),
    ],
)
def test_what_does_not_come_to_the_total_is_refused(change: dict[str, Any], fix: Fix) -> None:
    with pytest.raises(Rejected) as refused:
        invoice_body(replace(INVOICE, **change))
    assert [problem.fix for problem in refused.value.problems] == [fix]


def test_a_client_is_sent_like_this_to_the_letter() -> None:
    assert customer_body(CLIENT, KEY) == {"id": "BRAM1", "name": "Bramley Stores Ltd"}


@pytest.mark.parametrize(
    ("reference", "sent"), [("", "RF-9B1F6A2E4C7D"), ("A" * 20, "A" * 20), ("A" * 21, "RF-9B1F6A2E4C7D")]
)
def test_a_reference_intacct_does_not_take_is_never_cut(reference: str, sent: str) -> None:
    assert customer_body(replace(CLIENT, reference=reference), KEY)["id"] == sent


@pytest.mark.parametrize("row", [ROW, OBJECT], ids=["flat", "nested"])
def test_an_invoice_of_theirs_is_read(row: dict[str, Any]) -> None:
    assert remote_invoice(row) == READ


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"state": "draft"}, "number", ""),
        ({"state": "reversed"}, "number", "SI-1001"),
        ({"state": None}, "number", "SI-1001"),
        ({"invoiceNumber": None}, "number", ""),
        ({"referenceNumber": None}, "reference", ""),
        ({"customer.id": None}, "client_id", ""),
        ({"webURL": None}, "url", ""),
        ({"webURL": "javascript:alert(1)"}, "url", ""),
        ({"webURL": "//intacct.example/x"}, "url", ""),
        ({"webURL": "https://" + "x" * 500}, "url", ""),
        ({"totalTxnAmount": "45.0"}, "total", Decimal(45)),
        ({"totalTxnAmount": Decimal("45.10")}, "total", Decimal("45.1")),
        ({"key": 5001}, "id", "5001"),
    ],
    ids=str,
)
def test_what_may_be_missing_from_an_invoice_may_be_missing(change: dict[str, Any], name: str, value: object) -> None:
    assert getattr(remote_invoice({**ROW, **change}), name) == value


@pytest.mark.parametrize(
    "change",
    [
        {"key": ...},
        {"key": ""},
        {"invoiceDate": ...},
        {"invoiceDate": "11/02/2026"},
        {"invoiceDate": True},
        {"totalTxnAmount": ...},
        {"totalTxnAmount": "a lot"},
        {"totalTxnAmount": {}},
    ],
    ids=str,
)
def test_an_invoice_that_cannot_be_read_is_never_guessed(change: dict[str, Any]) -> None:
    row = {name: value for name, value in {**ROW, **change}.items() if value is not ...}
    with pytest.raises(ValueError, match=r"."):
        remote_invoice(row)


def jwt(said: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, said)]
    return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "signature"])


@pytest.mark.parametrize(
    ("said", "company", "entity"),
    [
        ({"companyId": "HARBOUR", "userId": "xml"}, "HARBOUR", ""),
        ({"companyId": "HARBOUR", "entityId": "LDN"}, "HARBOUR", "LDN"),
        ({"companyName": "Harbour Estates", "company_id": "HARBOUR"}, "HARBOUR", ""),
        ({"COMPANY": "HARBOUR"}, "HARBOUR", ""),
        ({"companyKey": 7, "company": "HARBOUR", "entity": None}, "HARBOUR", ""),
        ({"companyId": "", "userId": "xml@HARBOUR"}, "", ""),
        ({}, "", ""),
        ([], "", ""),
        ("HARBOUR", "", ""),
    ],
)
def test_a_token_says_which_company_and_entity_it_is_for(said: object, company: str, entity: str) -> None:
    read = claims(jwt(said))
    assert (claimed(read, "company"), claimed(read, "entity")) == (company, entity)


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b", "a.b.c", "a.####.c", "..", "a.eyJ9.c", "a.\u00e9.c", "a." + "x" * 4]
)
def test_a_token_that_is_no_jwt_says_nothing(token: str) -> None:
    assert claims(token) == {}
