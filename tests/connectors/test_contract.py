"""What every platform promises, tried on each registered connector against the sandbox."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from connectors import tokens
from connectors.interface import (
    BearerRefused,
    Connector,
    Fix,
    Misdirected,
    NewClient,
    NewInvoice,
    NewLine,
    OutcomeUnknown,
    PlatformError,
    Reconnect,
    Rejected,
    RemoteInvoice,
    RemoteStatus,
    TryLater,
)
from connectors.models import Connection
from connectors.options import Kind
from connectors.registry import PLATFORMS, endpoints
from connectors.services import open_connector
from tests.books import COMPOSITE, INTACCT, INTACCT_INVOICES, INVOICES, Sandbox

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
Fault = tuple[str, Json, type[PlatformError], type[PlatformError], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    text: str
    account: str
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An invoice as the sandbox's books hold it, the same from every platform."""

    id: str
    number: str
    reference: str
    client_name: str
    notes: str
    total: Decimal
    state: str
    lines: tuple[HeldLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What differs: where calls go, how the sandbox is read, and what it can do to this platform alone."""

    fixture: str
    creates: str
    lists: str
    batches: str = ""
    held: Callable[[Sandbox], list[Held]]
    clients: Callable[[Sandbox], list[str]]
    void: Callable[[Sandbox, str], object]
    books: str  # where the journal names the books that a call is for
    name: Callable[[str], str]  # our company's id -> their name there
    key: str
    posted: str
    draft: str
    faults: tuple[Fault, ...] = ()
    searches: tuple[str, ...] = ()
    refuse_whole: Callable[[Sandbox], object] = lambda sandbox: None
    voids: str
    deletes: str
    by_hand: str  # where a person's deeds go
    lock_out: Json  # what takes the right to void away
    close: Json  # what closes the books for the invoice's date
    lose_client: Callable[[Sandbox, str], object]
    open_later: Json  # what opens them from 3 November 2026 on only
    trace: Callable[[Json], object]  # the reason, as the books keep it


def sage_accounting_held(sandbox: Sandbox) -> list[Held]:
    def line_of(row: Json) -> HeldLine:
        net, tax = Decimal(row["net_amount"]), Decimal(row["tax_amount"])
        return HeldLine(text=row["description"], account=str(row["nominal_code"]), net=net, tax=tax)

    return [
        Held(
            id=row["id"],
            number=row["number"] or "",
            reference=row["reference"],
            client_name=row["contact_name"],
            notes=row["notes"],
            total=Decimal(row["total_amount"]),
            state=row["status_shown"],
            lines=tuple(map(line_of, row["lines"])),
        )
        for row in sandbox.invoices()
    ]


def sage_intacct_held(sandbox: Sandbox) -> list[Held]:
    def line_of(row: Json) -> HeldLine:
        tax = sum((Decimal(entry["txnTaxAmount"]) for entry in row["taxEntries"]), Decimal(0))
        return HeldLine(text=row["memo"], account=row["glAccount"]["id"], net=Decimal(row["txnAmount"]), tax=tax)

    return [
        Held(
            id=row["key"],
            number=row["invoiceNumber"] or "",
            reference=row["referenceNumber"],
            client_name=row["customer"]["name"],
            notes=row["description"],
            total=Decimal(row["totalTxnAmount"]),
            state=row["state"],
            lines=tuple(map(line_of, row["lines"])),
        )
        for row in sandbox.intacct()["invoices"]
    ]


def void_in_sage_accounting(sandbox: Sandbox, remote_id: str) -> None:
    page = f"{sandbox.url}/accounting/books/invoices/{remote_id}/void"
    requests.post(page, data={"void_reason": "Twice"}, timeout=10).raise_for_status()


FACTS: Mapping[str, Facts] = {
    "sage_accounting": Facts(
        fixture="connection",
        creates=INVOICES,
        lists="GET /accounting/v3.1",
        held=sage_accounting_held,
        clients=lambda sandbox: [row["name"] for row in sandbox.contacts()],
        void=void_in_sage_accounting,
        books="business",
        name=str,
        key="idempotency_id",
        posted="Created",
        draft="Draft",
        faults=(("wrong_business", {}, Misdirected, Misdirected, 1),),
        searches=("substring", "prefix", "exact", "off", "none"),
        voids="DELETE /accounting/v3.1/sales_invoices",
        deletes="DELETE /accounting/v3.1/sales_invoices",
        by_hand="/_books/invoices",
        lock_out={"access": "restricted"},
        close={"year_end_lockdown_date": "2026-11-03"},
        lose_client=lambda sandbox, id: sandbox.set_books(contacts={id: "deleted"}),
        open_later={"year_end_lockdown_date": "2026-11-03"},
        trace=lambda row: row["void_reason"],
    ),
    "sage_intacct": Facts(
        fixture="intacct",
        creates=COMPOSITE,
        lists=f"POST {INTACCT}/services/core/query",
        batches=INTACCT_INVOICES,
        held=sage_intacct_held,
        clients=lambda sandbox: [row["name"] for row in sandbox.intacct()["customers"]],
        void=lambda sandbox, key: sandbox.set_books(intacct={"invoice": {"key": key, "reverse": True}}),
        books="entity",
        name=lambda company_id: company_id.partition("|")[2],
        key="idempotency_key",
        posted="posted",
        draft="draft",
        refuse_whole=lambda sandbox: sandbox.switch("batch_refusal", "whole"),
        voids=f"POST {INTACCT}/workflows/accounts-receivable/invoice/reverse",
        deletes=f"DELETE {INTACCT}/objects/accounts-receivable/invoice",
        by_hand="/_books/intacct/invoices",
        lock_out={"intacct": {"may_change": False}},
        close={"intacct": {"open_books_start": {"date": "2027-01-01"}}},
        lose_client=lambda sandbox, id: sandbox.set_books(intacct={"customer": {"id": id, "status": "inactive"}}),
        open_later={"intacct": {"open_books_start": {"entity": "LDN", "date": "2026-11-03"}}},
        trace=lambda row: row["reversed"]["memo"],
    ),
}
FAULTS: tuple[Fault, ...] = (
    # the fault and its options, what a creating call raises, what a reading call raises, what the books then hold
    ("busy", {"retry_after": 7}, TryLater, TryLater, 0),
    ("busy", {}, TryLater, TryLater, 0),
    ("unavailable", {}, OutcomeUnknown, TryLater, 0),
    ("refused", {"message": "no", "source": "date"}, Rejected, Rejected, 0),
    ("dropped", {}, OutcomeUnknown, TryLater, 0),
    ("lost", {}, OutcomeUnknown, TryLater, 1),
    ("error", {"commit": False}, OutcomeUnknown, TryLater, 0),
    ("error", {"commit": True}, OutcomeUnknown, TryLater, 1),
    ("garbage", {"commit": False}, OutcomeUnknown, TryLater, 0),
    ("garbage", {"commit": True}, OutcomeUnknown, TryLater, 1),
)
BATCHING = [name for name in sorted(PLATFORMS) if PLATFORMS[name].batch_size > 1]
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
OTHER = replace(CLIENT, name="Castle View", reference="CASTLE", email="office@castleview.example")


def key() -> str:
    return uuid.uuid4().hex


def fault_name(fault: object) -> str:
    """The id of a test over a fault."""
    if not isinstance(fault, tuple):
        return str(fault)
    kind, options, *_ = fault
    return "-".join([kind, *map(str, options.values())])


@pytest.fixture(params=sorted(PLATFORMS))
def connected(request: pytest.FixtureRequest) -> Connection:
    """Each platform in turn, its sandbox connected and set up."""
    found: Connection = request.getfixturevalue(FACTS[request.param].fixture)
    assert found.platform == request.param
    return found


@pytest.fixture
def facts(connected: Connection) -> Facts:
    return FACTS[connected.platform]


@pytest.fixture
def connector(connected: Connection) -> Connector:
    return open_connector(connected)


def create(connector: Connector, invoice: NewInvoice, once: str) -> RemoteInvoice:
    (made,) = connector.create_invoices([invoice], once)
    if isinstance(made, PlatformError):
        raise made
    return made


def line(connector: Connector, **changes: Any) -> NewLine:
    rates = {rate.percentage: rate.id for rate in connector.catalogue(Kind.TAX_RATES)}
    account = next(entry for entry in connector.catalogue(Kind.SALES_ACCOUNTS) if entry.code == "4000")
    given: Json = {
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
def invoice(connector: Connector, connected: Connection) -> NewInvoice:
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
        location_id=connected.options.location_id,
        department_id=connected.options.department_id,
        tax_solution_id=connected.options.tax_solution_id,
    )


def alike(invoice: NewInvoice, count: int) -> list[NewInvoice]:
    """Invoices that differ in their numbers only."""
    return [replace(invoice, reference=f"INV-{n:05}", number=f"{n:05}") for n in range(101, 101 + count)]


def test_a_platform_says_who_it_is(connector: Connector) -> None:
    assert connector.platform in PLATFORMS
    assert connector.brand
    assert connector.label.startswith(connector.brand)
    assert connector.scope
    assert connector.prefix_limit > 0
    assert connector.key_life > timedelta(hours=1)
    assert connector.lanes >= 1
    assert connector.batch_size >= 1


def test_the_connected_company_is_among_those_it_lists(connector: Connector, connected: Connection) -> None:
    companies = {company.id: company.name for company in connector.companies()}
    assert companies[connected.company_id] == connected.company_name


@pytest.mark.parametrize(
    ("connected", "kind"),
    [(name, kind) for name in sorted(PLATFORMS) for kind in sorted(PLATFORMS[name].lists)],
    indirect=["connected"],
)
def test_every_list_it_keeps_has_entries_a_person_can_tell_apart(connector: Connector, kind: Kind) -> None:
    entries = connector.catalogue(kind)
    assert len(entries) > 1
    assert len({entry.id for entry in entries}) == len(entries)
    assert len({(entry.code, entry.name) for entry in entries}) == len(entries)
    assert all(entry.id and entry.name for entry in entries)


def test_it_tells_from_which_day_on_its_books_are_open(connector: Connector, sandbox: Sandbox, facts: Facts) -> None:
    opened = connector.open_from()
    assert opened and opened < date(2026, 1, 1)
    sandbox.set_books(**facts.open_later)
    assert connector.open_from() == date(2026, 11, 3)


def test_a_client_that_takes_no_invoice_any_more_is_gone(connector: Connector, sandbox: Sandbox, facts: Facts) -> None:
    made, other = connector.create_client(CLIENT, key()), connector.create_client(OTHER, key())
    since = datetime.now(UTC)
    assert connector.gone_clients([made.id, other.id], since) == frozenset()
    facts.lose_client(sandbox, made.id)
    assert connector.gone_clients([made.id, other.id], since) == {made.id}
    assert connector.gone_clients([other.id], since) == frozenset()


def test_our_rates_find_theirs_by_percentage_and_accounts_by_nominal_code(connector: Connector) -> None:
    assert {Decimal(0), Decimal(5), Decimal(20)} <= {rate.percentage for rate in connector.catalogue(Kind.TAX_RATES)}
    for kind in {Kind.SALES_ACCOUNTS, Kind.PURCHASE_ACCOUNTS} & connector.lists:
        codes = [entry.code for entry in connector.catalogue(kind)]
        assert all(codes)
        assert len(set(codes)) == len(codes)


def test_a_client_is_absent_then_made_then_found_by_each_of_its_traits(connector: Connector) -> None:
    assert connector.find_clients(CLIENT) == ()
    made = connector.create_client(CLIENT, key())
    for changes in ({}, {"reference": ""}, {"reference": "", "email": ""}):
        assert [one.id for one in connector.find_clients(replace(CLIENT, **changes))] == [made.id]
    stranger = replace(CLIENT, name="Bramley Store", reference="BRAM11", email="a@bramley.example")
    assert connector.find_clients(stranger) == ()


def test_the_same_key_again_is_the_same_client(connector: Connector, sandbox: Sandbox, facts: Facts) -> None:
    once = key()
    first, second = connector.create_client(CLIENT, once), connector.create_client(CLIENT, once)
    assert first.id == second.id
    assert facts.clients(sandbox).count(CLIENT.name) == 1


def test_clients_of_one_name_are_all_named_and_none_is_chosen(connector: Connector) -> None:
    made = {connector.create_client(replace(CLIENT, reference=f"B{n}", email=""), key()).id for n in range(2)}
    same = connector.find_clients(replace(CLIENT, reference="", email=""))
    assert {one.id for one in same} == made


def test_a_search_for_a_part_of_a_name_offers_the_client(connector: Connector) -> None:
    made = connector.create_client(CLIENT, key())
    assert made.id in {one.id for one in connector.search_clients("Bramley Stores L")}


def test_an_invoice_stands_in_the_books_as_it_was_sent(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    made = create(connector, invoice, key())
    (held,) = facts.held(sandbox)
    assert made.id == held.id
    assert made.number == held.number == invoice.reference == made.reference == held.reference
    assert (made.client_id, made.issue_date, made.total) == (invoice.client_id, invoice.issue_date, invoice.total)
    assert made.is_read
    assert made.url.startswith("http")
    assert (held.state, held.client_name, held.notes) == (facts.posted, CLIENT.name, invoice.notes)
    assert held.total == invoice.total
    (row,) = held.lines
    assert row.text.startswith(invoice.lines[0].description)
    assert (row.account, row.net, row.tax) == ("4000", invoice.net, invoice.tax)


def test_an_invoice_without_a_number_of_ours_is_given_one_by_the_platform(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    made = create(connector, replace(invoice, prefix="", number=""), key())
    (held,) = facts.held(sandbox)
    assert made.number == held.number != ""
    assert made.reference == held.reference == invoice.reference
    assert [one.id for one in connector.find_number(held.number, invoice.client_id)] == [held.id]


def test_a_draft_has_no_number_yet_and_is_found_as_any_other(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    made = create(connector, replace(invoice, is_draft=True), key())
    (held,) = facts.held(sandbox)
    assert (made.id, made.number, made.is_read, held.state) == (held.id, "", True, facts.draft)
    (found,) = connector.find_invoices(invoice)
    assert (found.id, found.number) == (held.id, "")


def test_the_same_key_again_is_the_same_invoice(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    once = key()
    assert create(connector, invoice, once) == create(connector, invoice, once)
    assert len(facts.held(sandbox)) == 1


def test_a_number_that_is_taken_is_refused_and_its_place_is_named(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    create(connector, invoice, key())
    with pytest.raises(Rejected) as rejected:
        create(connector, invoice, key())
    assert [problem.fix for problem in rejected.value.problems] == [Fix.NUMBER]
    assert len(facts.held(sandbox)) == 1


def test_whoever_holds_a_number_is_found_by_it(connector: Connector, invoice: NewInvoice) -> None:
    made = create(connector, invoice, key())
    assert [one.id for one in connector.find_number(made.number, invoice.client_id)] == [made.id]
    assert [one.id for one in connector.find_number(made.number.lower(), invoice.client_id)] == [made.id]
    assert connector.find_number("INV-0004", invoice.client_id) == ()


def test_an_invoice_is_found_by_its_reference_and_is_the_one_that_was_made(
    connector: Connector, invoice: NewInvoice
) -> None:
    assert connector.find_invoices(invoice) == ()
    made = create(connector, invoice, key())
    assert [one.id for one in connector.find_invoices(invoice)] == [made.id]
    assert connector.find_invoices(replace(invoice, reference="INV-0004")) == ()


def test_a_void_invoice_is_found_as_well(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    made = create(connector, invoice, key())
    facts.void(sandbox, made.id)
    assert facts.held(sandbox)[0].state != facts.posted
    assert [one.id for one in connector.find_invoices(invoice)] == [made.id]


@pytest.mark.parametrize(
    ("connected", "way"), [(name, way) for name in FACTS for way in FACTS[name].searches], indirect=["connected"]
)
def test_an_invoice_is_found_however_the_platform_searches(
    connector: Connector, sandbox: Sandbox, invoice: NewInvoice, way: str
) -> None:
    made = create(connector, invoice, key())
    create(connector, replace(invoice, reference="INV-000421", number="000421"), key())
    sandbox.switch("search", way)
    assert [one.id for one in connector.find_invoices(invoice)] == [made.id]


def test_invoices_are_read_as_they_are_now_and_those_not_there_are_left_out(
    connector: Connector, invoice: NewInvoice
) -> None:
    made = [create(connector, one, key()) for one in alike(invoice, 2)]
    read = connector.read_invoices([made[0].id, "404", made[1].id])
    assert {one.id: (one.number, one.reference, one.total) for one in read} == {
        one.id: (one.number, one.reference, one.total) for one in made
    }
    assert all(one.is_read for one in read)
    assert connector.read_invoices(["404"]) == connector.read_invoices([]) == ()


WRONG: list[tuple[Json, Json, Fix]] = [
    # what is wrong with the invoice, with its line, and where a person is sent
    ({"client_id": "0" * 32}, {}, Fix.CLIENT_LINK),
    ({}, {"account_id": "0" * 32}, Fix.SALES_ACCOUNT),
    ({}, {"tax_rate_id": "GB_NOWHERE"}, Fix.TAX_RATES),
    ({"issue_date": date(2001, 1, 1)}, {}, Fix.DATE),
    ({"notes": "n" * 2001}, {}, Fix.INVOICE),
    ({"reference": "0" * 130}, {}, Fix.INVOICE),
]


@pytest.mark.parametrize(("changes", "line_changes", "fix"), WRONG)
def test_what_the_platform_refuses_is_named_with_the_place_that_mends_it(
    connector: Connector,
    sandbox: Sandbox,
    facts: Facts,
    invoice: NewInvoice,
    changes: Json,
    line_changes: Json,
    fix: Fix,
) -> None:
    wrong = replace(invoice, **changes, lines=(replace(invoice.lines[0], **line_changes),))
    with pytest.raises(Rejected) as rejected:
        create(connector, wrong, key())
    assert fix in {problem.fix for problem in rejected.value.problems}
    assert all(problem.message and problem.meaning for problem in rejected.value.problems)
    assert facts.held(sandbox) == []


@pytest.mark.parametrize(
    ("connected", "fault"),
    [(name, fault) for name in sorted(PLATFORMS) for fault in (*FAULTS, *FACTS[name].faults)],
    indirect=["connected"],
    ids=fault_name,
)
def test_each_fault_is_the_error_that_says_what_comes_next(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice, fault: Fault
) -> None:
    kind, options, creating, reading, held = fault
    sandbox.fault(kind, on=facts.creates, **options)
    with pytest.raises(creating) as failed:
        create(connector, invoice, key())
    assert type(failed.value) is creating
    assert len(facts.held(sandbox)) == held
    sandbox.fault(kind, on=facts.lists, **options)
    with pytest.raises(reading) as failed:
        connector.catalogue(Kind.TAX_RATES)
    assert type(failed.value) is reading
    if kind == "busy":
        assert isinstance(failed.value, TryLater)
        assert failed.value.after == options.get("retry_after")


def hasty(connected: Connection, bearer: Callable[[str], str] | None = None) -> Connector:
    """A connector that waits for nothing, with the connection's own token if none is given."""
    where = endpoints(connected.platform)
    return PLATFORMS[connected.platform](
        api_url=where.api_url,
        bearer=bearer or (lambda refused: tokens.bearer(connected, where, refused)),
        deadline=timedelta(seconds=0.3),
        company_id=connected.company_id,
        options=connected.options,
    )


def test_a_slow_answer_is_lost_at_the_deadline_though_the_invoice_is_written(
    connected: Connection, connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    sandbox.fault("hold", on=facts.creates)
    with pytest.raises(OutcomeUnknown) as unknown:
        create(hasty(connected), invoice, key())
    assert not unknown.value.answered
    sandbox.clear_faults()
    assert [found.reference for found in connector.find_invoices(invoice)] == ["INV-00042"]


def test_a_token_that_stays_refused_after_a_renewal_is_for_a_person(connected: Connection, sandbox: Sandbox) -> None:
    sandbox.clear_journal()
    with pytest.raises(BearerRefused):
        hasty(connected, lambda _: "never-given").search_clients("Bramley")
    assert [call["status"] for call in sandbox.calls()] == [401, 401]


def test_every_call_stands_in_the_journal_with_its_books_and_key(
    connector: Connector, connected: Connection, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    once = key()
    create(connector, invoice, once)
    connector.find_invoices(invoice), connector.find_number("INV-00042", invoice.client_id)
    connector.read_invoices(["404"]), connector.search_clients("Bramley")
    assert {row[facts.books] for row in sandbox.calls()} == {facts.name(connected.company_id)}
    method, _, path = facts.creates.partition(" ")
    assert [call[facts.key] for call in sandbox.calls(method, path)] == [once]


@pytest.fixture
def batch(invoice: NewInvoice) -> list[NewInvoice]:
    return alike(invoice, 3)


by_batches = pytest.mark.parametrize("connected", BATCHING, indirect=True)


@by_batches
def test_a_batch_becomes_invoices_in_its_own_order(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    made = connector.create_invoices(batch, key())
    by_reference = {held.reference: held for held in facts.held(sandbox)}
    assert len(by_reference) == 3
    for sent, one in zip(batch, made, strict=True):
        assert isinstance(one, RemoteInvoice)
        assert (one.id, one.reference, one.total) == (by_reference[sent.reference].id, sent.reference, sent.total)


@by_batches
def test_what_a_batch_does_not_tell_is_read_after_it(connector: Connector, batch: list[NewInvoice]) -> None:
    made = connector.create_invoices(batch, key())
    ids = [one.id for one in made if isinstance(one, RemoteInvoice)]
    read = {one.id: one for one in connector.read_invoices(ids)}
    assert [read[each].number for each in ids] == [sent.reference for sent in batch]
    assert all(one.is_read for one in read.values())


@by_batches
def test_as_many_as_the_platform_takes_go_in_one_call(
    connector: Connector, sandbox: Sandbox, facts: Facts, invoice: NewInvoice
) -> None:
    sandbox.clear_journal()
    made = connector.create_invoices(alike(invoice, connector.batch_size), key())
    assert all(isinstance(one, RemoteInvoice) for one in made)
    assert len(facts.held(sandbox)) == connector.batch_size
    assert len(sandbox.calls()) == 1


@by_batches
@pytest.mark.parametrize("place", range(3))
def test_one_bad_among_good_is_named_and_the_others_are_written(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice], place: int
) -> None:
    batch[place] = replace(batch[place], client_id="0" * 32)
    made = connector.create_invoices(batch, key())
    assert [type(one) for one in made] == [Rejected if n == place else RemoteInvoice for n in range(3)]
    bad = made[place]
    assert isinstance(bad, Rejected)
    assert [problem.fix for problem in bad.problems] == [Fix.CLIENT_LINK]
    assert len(facts.held(sandbox)) == 2


@by_batches
def test_the_same_key_with_the_same_batch_again_is_the_same_batch(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    once = key()
    batch[1] = replace(batch[1], client_id="0" * 32)
    first, second = connector.create_invoices(batch, once), connector.create_invoices(batch, once)
    assert (first[0], first[2]) == (second[0], second[2])
    assert [type(one) for one in second] == [RemoteInvoice, Rejected, RemoteInvoice]
    assert len(facts.held(sandbox)) == 2


@by_batches
def test_numbers_that_are_taken_are_refused_each_for_itself(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    create(connector, batch[1], key())
    _, taken, _ = connector.create_invoices(batch, key())
    assert isinstance(taken, Rejected)
    assert [problem.fix for problem in taken.problems] == [Fix.NUMBER]
    assert len(facts.held(sandbox)) == 3


@by_batches
def test_a_batch_refused_as_a_whole_wrote_nothing(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    facts.refuse_whole(sandbox)
    batch[1] = replace(batch[1], client_id="0" * 32)
    with pytest.raises(Rejected) as rejected:
        connector.create_invoices(batch, key())
    assert Fix.CLIENT_LINK in {problem.fix for problem in rejected.value.problems}
    assert facts.held(sandbox) == []


@by_batches
@pytest.mark.parametrize("fault", FAULTS, ids=fault_name)
def test_each_fault_of_a_batch_is_raised_for_all_of_it(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice], fault: Fault
) -> None:
    kind, options, creating, _, held = fault
    sandbox.fault(kind, on=facts.batches, **options)
    with pytest.raises(creating) as failed:
        connector.create_invoices(batch, key())
    assert type(failed.value) is creating
    assert len(facts.held(sandbox)) == held * len(batch)
    assert [len(connector.find_invoices(each)) for each in batch] == [held] * len(batch)


@by_batches
def test_a_batch_whose_answer_was_lost_is_the_same_again_under_its_key(
    connector: Connector, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    once = key()
    sandbox.fault("lost", on=facts.batches)
    with pytest.raises(OutcomeUnknown):
        connector.create_invoices(batch, once)
    made = connector.create_invoices(batch, once)
    by_reference = {held.reference: held.id for held in facts.held(sandbox)}
    assert [one.id for one in made if isinstance(one, RemoteInvoice)] == [by_reference[one.reference] for one in batch]
    assert len(by_reference) == len(facts.held(sandbox)) == 3


@by_batches
def test_a_batch_stands_in_the_journal_with_its_books_and_key(
    connector: Connector, connected: Connection, sandbox: Sandbox, facts: Facts, batch: list[NewInvoice]
) -> None:
    once = key()
    connector.create_invoices(batch, once)
    method, _, path = facts.batches.partition(" ")
    (call,) = sandbox.calls(method, path)
    assert (call[facts.books], call[facts.key]) == (facts.name(connected.company_id), once)


# Void ---------------------------------------------------------------------------------------------------------
REASON = "Raised twice: “no job” & nobody's fault"
TODAY = date(2026, 11, 22)


@pytest.fixture
def booked(connector: Connector, invoice: NewInvoice) -> RemoteInvoice:
    """An open invoice in the books, as a reading has just shown it."""
    made = create(connector, invoice, key())
    (seen,) = connector.read_invoices([made.id])
    return seen


@pytest.fixture
def drafted(connector: Connector, invoice: NewInvoice) -> RemoteInvoice:
    made = create(connector, replace(alike(invoice, 1)[0], is_draft=True), key())
    (seen,) = connector.read_invoices([made.id])
    return seen


def deed(sandbox: Sandbox, facts: Facts, remote_id: str, name: str, **given: Any) -> None:
    """What a person does with it in the platform."""
    sandbox._call("POST", f"{facts.by_hand}/{remote_id}/{name}", json=given)


def as_in_books(sandbox: Sandbox, facts: Facts, remote_id: str) -> Json:
    rows = sandbox.invoices() if facts.fixture == "connection" else sandbox.intacct()["invoices"]
    found: Json = next(row for row in rows if remote_id in (row.get("key"), row["id"]))
    return found


def status_of(connector: Connector, remote_id: str) -> str:
    seen = next(iter(connector.read_invoices([remote_id])), None)
    return seen.status.value if seen else "GONE"


def refused_void(connector: Connector, seen: RemoteInvoice) -> tuple[Fix, str]:
    with pytest.raises(Rejected) as rejected:
        connector.void_invoice(seen, REASON, TODAY)
    problem = rejected.value.problems[-1]
    assert problem.message and problem.meaning
    return problem.fix, problem.meaning


def test_an_open_invoice_is_void_there_afterwards_with_the_reason_and_keeps_its_number(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    connector.void_invoice(booked, REASON, TODAY)
    (seen,) = connector.read_invoices([booked.id])
    assert (seen.status, seen.number, seen.outstanding) == (RemoteStatus.VOID, booked.number, 0)
    assert facts.trace(as_in_books(sandbox, facts, booked.id)) == REASON
    assert connector.find_number(booked.number, booked.client_id), "its number stays taken"


def test_the_longest_reason_is_kept_whole(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    longest = "é" * connector.reason_limit
    assert connector.reason_limit <= 200, "ours has room for no more"
    connector.void_invoice(booked, longest, TODAY)
    assert facts.trace(as_in_books(sandbox, facts, booked.id)) == longest


def test_no_invoice_is_taken_back_before_its_own_date(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    connector.void_invoice(booked, REASON, date(2026, 1, 1))
    assert status_of(connector, booked.id) == "VOID"
    taken_back = as_in_books(sandbox, facts, booked.id).get("reversed")
    assert taken_back is None or taken_back["date"] == booked.issue_date.isoformat()


def test_a_draft_is_removed_and_known_to_be_gone(connector: Connector, drafted: RemoteInvoice, now: datetime) -> None:
    assert drafted.status is RemoteStatus.DRAFT
    connector.void_invoice(drafted, REASON, TODAY)
    assert connector.read_invoices([drafted.id]) == ()
    assert connector.gone([drafted.id], now - timedelta(minutes=1)) == {drafted.id}


@pytest.mark.parametrize("connected", ["sage_accounting"], indirect=True)
def test_a_removed_draft_may_be_answered_with_nothing(
    connector: Connector, sandbox: Sandbox, drafted: RemoteInvoice
) -> None:
    """Sage Accounting's pages don't say which; Intacct says 204."""
    sandbox.switch("draft_deletion", 204)
    connector.void_invoice(drafted, REASON, TODAY)
    assert connector.read_invoices([drafted.id]) == ()


@pytest.mark.parametrize("amount", ["54.40", "254.40"])
def test_what_is_paid_is_refused_until_the_money_is_taken_off(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice, amount: str
) -> None:
    deed(sandbox, facts, booked.id, "pay", amount=amount)
    fix, meaning = refused_void(connector, booked)
    assert fix is Fix.REMOTE
    assert "Money is recorded against this invoice" in meaning
    assert status_of(connector, booked.id) == ("PAID" if amount == "254.40" else "PART_PAID")
    deed(sandbox, facts, booked.id, "unpay")
    connector.void_invoice(booked, REASON, TODAY)
    assert status_of(connector, booked.id) == "VOID"


def test_one_that_is_void_already_is_refused_and_a_look_says_so(connector: Connector, booked: RemoteInvoice) -> None:
    connector.void_invoice(booked, REASON, TODAY)
    refused_void(connector, booked)
    assert status_of(connector, booked.id) == "VOID"


def test_one_that_is_gone_already_is_refused_and_a_look_says_so(connector: Connector, drafted: RemoteInvoice) -> None:
    connector.void_invoice(drafted, REASON, TODAY)
    refused_void(connector, drafted)
    assert status_of(connector, drafted.id) == "GONE"


def test_closed_books_are_refused_in_words_that_lead_into_the_platform(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    sandbox.set_books(**facts.close)
    fix, meaning = refused_void(connector, booked)
    assert fix is Fix.REMOTE
    assert "books are closed" in meaning
    assert status_of(connector, booked.id) == "OPEN"


def test_a_user_without_the_right_to_void_is_refused_in_words_with_the_place_that_mends_it(
    connector: Connector, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice, drafted: RemoteInvoice
) -> None:
    sandbox.set_books(**facts.lock_out)
    for seen in (booked, drafted):
        fix, meaning = refused_void(connector, seen)
        assert fix is Fix.PLATFORM
        assert "Give " in meaning and " user" in meaning
    assert (status_of(connector, booked.id), status_of(connector, drafted.id)) == ("OPEN", "DRAFT")


VOID_FAULTS = [
    # the fault and its options, what it raises, what the books hold then of an open one
    ("busy", {"retry_after": 7}, TryLater, "OPEN"),
    ("unavailable", {}, OutcomeUnknown, "OPEN"),
    ("dropped", {}, OutcomeUnknown, "OPEN"),
    ("lost", {}, OutcomeUnknown, "VOID"),
    ("error", {"commit": False}, OutcomeUnknown, "OPEN"),
    ("error", {"commit": True}, OutcomeUnknown, "VOID"),
    ("garbage", {"commit": False}, OutcomeUnknown, "OPEN"),
    ("garbage", {"commit": True}, OutcomeUnknown, "VOID"),
]


@pytest.mark.parametrize("fault", VOID_FAULTS, ids=fault_name)
def test_each_fault_on_the_way_to_a_void_says_whether_a_look_is_needed(
    connector: Connector,
    sandbox: Sandbox,
    facts: Facts,
    booked: RemoteInvoice,
    drafted: RemoteInvoice,
    fault: tuple[str, Json, type[PlatformError], str],
) -> None:
    kind, options, raised, state = fault
    for seen, path in ((booked, facts.voids), (drafted, facts.deletes)):
        sandbox.fault(kind, on=path, **options)
        with pytest.raises(raised) as failed:
            connector.void_invoice(seen, REASON, TODAY)
        assert type(failed.value) is raised
    assert status_of(connector, booked.id) == state
    assert status_of(connector, drafted.id) == ("DRAFT" if state == "OPEN" else "GONE")


def test_a_dead_access_token_is_renewed_once_on_the_way_to_a_void(
    connector: Connector, connected: Connection, sandbox: Sandbox, booked: RemoteInvoice
) -> None:
    sandbox._call(
        "POST", "/_faults", json={"kind": "expired" if connected.platform == "sage_accounting" else "intacct_expired"}
    )
    connector.void_invoice(booked, REASON, TODAY)
    assert status_of(connector, booked.id) == "VOID"


def test_a_dead_authorisation_asks_for_a_person_and_voids_nothing(
    connector: Connector, connected: Connection, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    sandbox._call(
        "POST", "/_faults", json={"kind": "revoked" if connected.platform == "sage_accounting" else "intacct_revoked"}
    )
    with pytest.raises(Reconnect):
        connector.void_invoice(booked, REASON, TODAY)
    assert as_in_books(sandbox, facts, booked.id).get("state", "Created") in ("posted", "Created")


def test_a_void_stands_in_the_journal_with_its_books_and_its_reason(
    connector: Connector, connected: Connection, sandbox: Sandbox, facts: Facts, booked: RemoteInvoice
) -> None:
    connector.void_invoice(booked, "Twice", TODAY)
    method, _, path = facts.voids.partition(" ")
    (call,) = [row for row in sandbox.calls(method) if row["path"].startswith(path)]
    assert call[facts.books] == facts.name(connected.company_id)
    assert call["query"] == ("void_reason=Twice" if connected.platform == "sage_accounting" else "")


def test_a_worker_that_may_not_write_any_more_voids_nothing(
    connected: Connection, connector: Connector, booked: RemoteInvoice
) -> None:
    frozen = open_connector(connected, may_leave=lambda: False)
    with pytest.raises(TryLater):
        frozen.void_invoice(booked, REASON, TODAY)
    assert status_of(connector, booked.id) == "OPEN"
