"""What every platform promises, tried on each registered connector against the sandbox."""

import uuid
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors import tokens
from connectors.interface import (
    BearerRefused,
    Connector,
    Fix,
    Kind,
    Misdirected,
    NewClient,
    NewInvoice,
    NewLine,
    OutcomeUnknown,
    PlatformError,
    Rejected,
    TryLater,
)
from connectors.models import Connection
from connectors.registry import PLATFORMS, endpoints
from connectors.services import open_connector
from tests.books import Sandbox

pytestmark = pytest.mark.django_db

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


def key() -> str:
    return uuid.uuid4().hex


@pytest.fixture(params=sorted(PLATFORMS))
def connector(request: pytest.FixtureRequest, connection: Connection, sandbox: Sandbox) -> Connector:
    assert connection.platform == request.param, "each platform's sandbox is to be connected here"
    return open_connector(connection)


def line(connector: Connector, **changes: Any) -> NewLine:
    rates = {rate.percentage: rate.id for rate in connector.catalogue(Kind.TAX_RATES)}
    account = next(entry for entry in connector.catalogue(Kind.SALES_ACCOUNTS) if entry.code == "4000")
    given: dict[str, Any] = {
        "description": "Gutter clearing & “making good”",
        "quantity": Decimal("2.50"),
        "unit_price": Decimal("85.01"),
        "discount": Decimal("0.53"),
        "net": Decimal("212.00"),
        "tax": Decimal("42.40"),
        "total": Decimal("254.40"),
        "account_id": account.id,
        "tax_rate_id": rates[Decimal(20)],
    }
    return NewLine(**{**given, **changes})


@pytest.fixture
def invoice(connector: Connector) -> NewInvoice:
    client = connector.create_client(CLIENT, key())
    return NewInvoice(
        reference="INV-00042",
        is_draft=False,
        prefix="INV-",
        number="00042",
        client_id=client.id,
        issue_date=date(2026, 11, 2),
        due_date=date(2026, 12, 2),
        notes="Client's reference: PO-7",
        currency="GBP",
        net=Decimal("212.00"),
        tax=Decimal("42.40"),
        total=Decimal("254.40"),
        lines=(line(connector),),
    )


def test_a_platform_says_who_it_is(connector: Connector) -> None:
    assert connector.platform in PLATFORMS
    assert connector.brand
    assert connector.label.startswith(connector.brand)
    assert connector.scope
    assert connector.prefix_limit > 0
    assert connector.key_life > timedelta(hours=1)
    assert connector.lanes >= 1


def test_the_connected_company_is_among_those_it_lists(connector: Connector, connection: Connection) -> None:
    companies = {company.id: company.name for company in connector.companies()}
    assert companies[connection.company_id] == connection.company_name


@pytest.mark.parametrize("kind", list(Kind))
def test_every_catalogue_has_entries_a_person_can_tell_apart(connector: Connector, kind: Kind) -> None:
    entries = connector.catalogue(kind)
    assert len(entries) > 1
    assert len({entry.id for entry in entries}) == len(entries)
    assert all(entry.id and entry.name for entry in entries)
    if kind is Kind.TAX_RATES:
        assert {Decimal(0), Decimal(5), Decimal(20)} <= {entry.percentage for entry in entries}
    else:
        assert len({entry.code for entry in entries}) == len(entries)
        assert all(entry.code for entry in entries)


def test_a_client_is_absent_then_made_then_found_by_each_of_its_traits(connector: Connector) -> None:
    assert connector.find_clients(CLIENT) == ()
    made = connector.create_client(CLIENT, key())
    for changes in ({}, {"reference": ""}, {"reference": "", "email": ""}):
        assert [one.id for one in connector.find_clients(replace(CLIENT, **changes))] == [made.id]
    stranger = replace(CLIENT, name="Bramley Stores", reference="BRAM11", email="a@bramley.example")
    assert connector.find_clients(stranger) == ()


def test_the_same_key_again_is_the_same_client(connector: Connector, sandbox: Sandbox) -> None:
    once = key()
    first, second = connector.create_client(CLIENT, once), connector.create_client(CLIENT, once)
    assert first.id == second.id
    assert [row["name"] for row in sandbox.contacts()].count(CLIENT.name) == 1


def test_clients_of_one_name_are_all_named_and_none_is_chosen(connector: Connector) -> None:
    made = {connector.create_client(replace(CLIENT, reference=f"B{n}", email=""), key()).id for n in range(2)}
    alike = connector.find_clients(replace(CLIENT, reference="", email=""))
    assert {one.id for one in alike} == made


def test_an_invoice_stands_in_the_books_as_it_was_sent(
    connector: Connector, sandbox: Sandbox, invoice: NewInvoice
) -> None:
    made = connector.create_invoice(invoice, key())
    (held,) = sandbox.invoices()
    assert made.id == held["id"]
    assert made.number == held["number"] == invoice.reference == made.reference == held["reference"]
    assert (made.client_id, made.issue_date, made.total) == (invoice.client_id, invoice.issue_date, invoice.total)
    assert made.url.startswith("http")
    assert (held["status_shown"], held["contact_name"], held["notes"]) == ("Created", CLIENT.name, invoice.notes)
    assert [Decimal(held[f"{name}_amount"]) for name in ("net", "tax", "total")] == [
        Decimal("212.00"),
        Decimal("42.40"),
        Decimal("254.40"),
    ]
    (row,) = held["lines"]
    assert (row["description"], row["nominal_code"]) == (invoice.lines[0].description, 4000)


def test_the_same_key_again_is_the_same_invoice(connector: Connector, sandbox: Sandbox, invoice: NewInvoice) -> None:
    once = key()
    assert connector.create_invoice(invoice, once) == connector.create_invoice(invoice, once)
    assert len(sandbox.invoices()) == 1


def test_a_number_that_is_taken_is_refused_and_its_place_is_named(
    connector: Connector, sandbox: Sandbox, invoice: NewInvoice
) -> None:
    connector.create_invoice(invoice, key())
    with pytest.raises(Rejected) as rejected:
        connector.create_invoice(invoice, key())
    assert [problem.fix for problem in rejected.value.problems] == [Fix.NUMBER]
    assert len(sandbox.invoices()) == 1


def test_an_invoice_is_found_by_its_reference_and_is_the_one_that_was_made(
    connector: Connector, invoice: NewInvoice
) -> None:
    assert connector.find_invoices(invoice) == ()
    made = connector.create_invoice(invoice, key())
    assert [one.id for one in connector.find_invoices(invoice)] == [made.id]
    assert connector.find_invoices(replace(invoice, reference="INV-0004")) == ()


@pytest.mark.parametrize("way", ["substring", "prefix", "exact", "off", "none"])
def test_an_invoice_is_found_however_the_platform_searches(
    connector: Connector, sandbox: Sandbox, invoice: NewInvoice, way: str
) -> None:
    made = connector.create_invoice(invoice, key())
    connector.create_invoice(replace(invoice, reference="INV-000421", number="000421"), key())
    sandbox.fault("setting", name="search", value=way)
    assert [one.id for one in connector.find_invoices(invoice)] == [made.id]


WRONG = [
    # what is wrong with the invoice, and where a person is sent
    ({"client_id": "0" * 32}, {}, Fix.CLIENT_LINK),
    ({}, {"account_id": "0" * 32}, Fix.SALES_ACCOUNT),
    ({}, {"tax_rate_id": "GB_NOWHERE"}, Fix.TAX_RATES),
    ({"issue_date": date(2001, 1, 1)}, {}, Fix.INVOICE),
    ({"notes": "n" * 2001}, {}, Fix.INVOICE),
    ({"reference": "0" * 30}, {}, Fix.INVOICE),
]


@pytest.mark.parametrize(("changes", "line_changes", "fix"), WRONG)
def test_what_the_platform_refuses_is_named_with_the_place_that_mends_it(
    connector: Connector,
    sandbox: Sandbox,
    invoice: NewInvoice,
    changes: dict[str, Any],
    line_changes: dict[str, Any],
    fix: Fix,
) -> None:
    wrong = replace(invoice, **changes, lines=(replace(invoice.lines[0], **line_changes),))
    with pytest.raises(Rejected) as rejected:
        connector.create_invoice(wrong, key())
    assert fix in {problem.fix for problem in rejected.value.problems}
    assert sandbox.invoices() == []


Fault = tuple[str, dict[str, Any], type[PlatformError], type[PlatformError], int]
FAULTS: list[Fault] = [
    # the fault and its options, what a creating call raises, what a reading call raises, what the books then hold
    ("busy", {"retry_after": 7}, TryLater, TryLater, 0),
    ("busy", {}, TryLater, TryLater, 0),
    ("unavailable", {}, OutcomeUnknown, TryLater, 0),
    ("refused", {"message": "no", "source": "date"}, Rejected, Rejected, 0),
    ("dropped", {}, OutcomeUnknown, TryLater, 0),
    ("lost", {}, OutcomeUnknown, TryLater, 1),
    ("error", {"commit": False}, OutcomeUnknown, TryLater, 0),
    ("error", {"commit": True}, OutcomeUnknown, TryLater, 1),
    ("garbage", {"commit": True}, OutcomeUnknown, TryLater, 1),
    ("wrong_business", {}, Misdirected, Misdirected, 1),
]
NAMES = [f"{kind}-{'-'.join(map(str, options.values()))}" for kind, options, *_ in FAULTS]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_each_fault_is_the_error_that_says_what_comes_next(
    connector: Connector,
    sandbox: Sandbox,
    invoice: NewInvoice,
    fault: Fault,
) -> None:
    kind, options, creating, reading, held = fault
    sandbox.fault(kind, **options)
    with pytest.raises(creating) as failed:
        connector.create_invoice(invoice, key())
    assert type(failed.value) is creating
    assert len(sandbox.invoices()) == held
    sandbox.fault(kind, on="GET /accounting/v3.1", **options)
    with pytest.raises(reading) as failed:
        connector.catalogue(Kind.TAX_RATES)
    assert type(failed.value) is reading
    if kind == "busy":
        assert isinstance(failed.value, TryLater)
        assert failed.value.after == options.get("retry_after")


def test_a_slow_answer_is_lost_at_the_deadline_though_the_invoice_is_written(
    connection: Connection, connector: Connector, sandbox: Sandbox, invoice: NewInvoice
) -> None:
    where = endpoints(connection.platform)
    hasty = PLATFORMS[connection.platform](
        api_url=where.api_url,
        bearer=lambda refused: tokens.bearer(connection, where, refused),
        deadline=timedelta(seconds=0.3),
        company_id=connection.company_id,
    )
    sandbox.fault("hold")
    with pytest.raises(OutcomeUnknown) as unknown:
        hasty.create_invoice(invoice, key())
    assert not unknown.value.answered
    sandbox.clear_faults()
    assert [found.reference for found in connector.find_invoices(invoice)] == ["INV-00042"]


def test_a_token_that_stays_refused_after_a_renewal_is_for_a_person(connection: Connection, sandbox: Sandbox) -> None:
    refused = PLATFORMS[connection.platform](
        api_url=endpoints(connection.platform).api_url,
        bearer=lambda _: "never-given",
        deadline=timedelta(seconds=5),
        company_id=connection.company_id,
    )
    with pytest.raises(BearerRefused):
        refused.companies()
    assert len(sandbox.calls("GET", "/businesses")) == 2


def test_every_call_stands_in_the_journal_with_its_business_and_key(
    connector: Connector, connection: Connection, sandbox: Sandbox, invoice: NewInvoice
) -> None:
    once = key()
    connector.create_invoice(invoice, once)
    (call,) = sandbox.calls("POST", "/sales_invoices")
    assert (call["business"], call["idempotency_id"]) == (connection.company_id, once)
    assert {row["business"] for row in sandbox.calls()} == {connection.company_id}
