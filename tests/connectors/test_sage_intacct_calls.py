"""The calls we make to Sage Intacct, and what becomes of an invoice whatever it answers."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses
from requests import PreparedRequest

from connectors.interface import (
    Company,
    Entry,
    Fix,
    NewInvoice,
    OutcomeUnknown,
    PlatformError,
    Reconnect,
    Rejected,
    RemoteClient,
    RemoteInvoice,
    TryLater,
)
from connectors.options import Kind, Options
from connectors.sage_intacct import SageIntacct, invoice_body
from tests.connectors.test_sage_intacct import CLIENT, INVOICE, KEY, LINE, OBJECT, PLAIN_LINE, READ, ROW, jwt

API = "https://api.intacct.example/ia/api/v1"
QUERY, COMPOSITE = f"{API}/services/core/query", f"{API}/services/core/composite"
INVOICES, CUSTOMERS = f"{API}/objects/accounts-receivable/invoice", f"{API}/objects/accounts-receivable/customer"
OTHER = replace(INVOICE, reference="INV-00043")
UNREAD = replace(READ, number="", url="", client_name="", is_read=False)
Served = tuple[int, dict[str, str], str]
Json = dict[str, Any]


def intacct(company_id: str = "HARBOUR", **options: Any) -> SageIntacct:
    return SageIntacct(
        api_url=API,
        bearer=lambda refused: "secret-token",
        deadline=timedelta(seconds=5),
        company_id=company_id,
        options=Options(**options),
    )


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def sent(wire: responses.RequestsMock, call: int = 0) -> Any:
    return json.loads(wire.calls[call].request.body or "")


def paged(rows: list[Json], claimed: int | None = None) -> Callable[[PreparedRequest], Served]:
    """A query's rows as Intacct pages them: counted from 1, with where the next page starts."""

    def answer(request: PreparedRequest) -> Served:
        asked = json.loads(request.body or "")
        start, size = asked["start"], asked["size"]
        following = start + size if start + size <= (claimed or len(rows)) else None
        body = {"ia::result": rows[start - 1 : start - 1 + size], "ia::meta": {"start": start, "next": following}}
        return 200, {}, json.dumps(body)

    return answer


def rows(*found: Json) -> Json:
    return {"ia::result": list(found), "ia::meta": {"totalCount": len(found), "start": 1, "next": None}}


def refusal(message: str, code: str = "") -> Json:
    return {"code": "operationFailed", "message": "Unsuccessful", "details": [{"message": message, "errorId": code}]}


MADE: Json = {"ia::result": {"key": "5001", "id": "5001", "href": "/x/5001"}, "ia::status": 201}
SHOWN: Json = {"ia::result": OBJECT, "ia::status": 200}
SKIPPED: Json = {"ia::error": {"code": "unprocessed", "message": "Operation skipped"}, "ia::status": 422}
REFUSED: Json = {"ia::error": refusal("Term 'X' is not valid."), "ia::status": 422}
TAKEN: Json = {"ia::error": refusal("Another Invoice … already exists", "BL34000061"), "ia::status": 409}
KEY_USED: Json = {"ia::error": refusal("This idempotency key is in use."), "ia::status": 409}
BROKEN: Json = {"ia::error": refusal("Internal error"), "ia::status": 500}
REPLAY = {"ia::headers": {"X-IA-Idempotency-Cached-Date": "2026-11-02", "Idempotency-Key": KEY}}


def test_one_invoice_is_created_and_read_in_one_round_trip(wire: responses.RequestsMock) -> None:
    wire.post(COMPOSITE, json={"ia::result": [MADE, SHOWN], "ia::meta": {"totalSuccess": 2}})
    assert intacct().create_invoices([INVOICE], KEY) == (READ,)
    assert sent(wire) == [
        {
            "method": "POST",
            "path": "/objects/accounts-receivable/invoice",
            "headers": {"Idempotency-Key": KEY},
            "body": invoice_body(INVOICE),
            "resultReference": "inv",
        },
        {"method": "GET", "path": "/objects/accounts-receivable/invoice/@{inv.1.key}", "headers": {}},
    ]


ONE: list[tuple[str, int, Any, RemoteInvoice | type[PlatformError]]] = [
    # what, status, the parts, what becomes of the invoice
    ("ok", 200, [MADE, SHOWN], READ),
    ("ok, without statuses", 200, [{"ia::result": MADE["ia::result"]}, {"ia::result": OBJECT}], READ),
    ("a success repeated", 200, [{**MADE, **REPLAY}, SHOWN], READ),
    ("created, not read", 207, [MADE, BROKEN], UNREAD),
    ("created, not allowed to read", 207, [MADE, {**BROKEN, "ia::status": 403}], UNREAD),
    ("created, half shown", 200, [MADE, {"ia::result": {"key": "5001"}, "ia::status": 200}], UNREAD),
    ("created, nothing shown", 200, [MADE, {"ia::status": 200}], UNREAD),
    ("created, another shown", 200, [MADE, {**SHOWN, "ia::result": {**OBJECT, "key": "6"}}], UNREAD),
    ("refused", 207, [REFUSED, SKIPPED], Rejected),
    ("the number is taken", 207, [TAKEN, SKIPPED], Rejected),
    ("the key is taken", 207, [KEY_USED, SKIPPED], OutcomeUnknown),
    ("a refusal repeated", 207, [{**REFUSED, **REPLAY}, SKIPPED], Rejected),
    ("broken", 207, [BROKEN, SKIPPED], OutcomeUnknown),
    ("too fast", 207, [{**REFUSED, "ia::status": 429}, SKIPPED], TryLater),
    ("a dead token", 207, [{**REFUSED, "ia::status": 401}, SKIPPED], TryLater),
    ("an error that claims to be well", 200, [{**REFUSED, "ia::status": 201}, SKIPPED], OutcomeUnknown),
    ("an error without a status", 207, [{"ia::error": refusal("x")}, SKIPPED], OutcomeUnknown),
    ("no key", 200, [{"ia::result": {"id": "5001"}, "ia::status": 201}, SHOWN], OutcomeUnknown),
    ("no object", 200, ["5001", SHOWN], OutcomeUnknown),
    ("a status that is none", 200, [{**MADE, "ia::status": "fine"}, SHOWN], OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "parts", "becomes"), [row[1:] for row in ONE], ids=[row[0] for row in ONE])
def test_what_becomes_of_one_invoice(
    wire: responses.RequestsMock, status: int, parts: Any, becomes: RemoteInvoice | type[PlatformError]
) -> None:
    wire.post(COMPOSITE, json={"ia::result": parts}, status=status)
    (made,) = intacct().create_invoices([INVOICE], KEY)
    assert made == becomes if isinstance(becomes, RemoteInvoice) else type(made) is becomes
    if isinstance(made, OutcomeUnknown):
        assert made.answered


GARBAGE = ["null", "[]", "{}", '"text"', "half a {", '{"ia::result": {}}', '{"ia::result": "5001"}']


@pytest.mark.parametrize("body", [*GARBAGE, json.dumps({"ia::result": [MADE]}), json.dumps({"ia::result": [MADE] * 3})])
@pytest.mark.parametrize("several", [False, True])
def test_an_answer_that_does_not_tell_what_became_of_each_says_nothing(
    wire: responses.RequestsMock, body: str, several: bool
) -> None:
    wire.post(COMPOSITE, body=body)
    wire.post(INVOICES, body=body, status=201)
    with pytest.raises(OutcomeUnknown) as unknown:
        intacct().create_invoices([INVOICE, OTHER] if several else [INVOICE], KEY)
    assert unknown.value.answered


def test_a_whole_composite_that_is_refused_wrote_nothing(wire: responses.RequestsMock) -> None:
    wire.post(COMPOSITE, json={"ia::error": refusal("You do not have permission.")}, status=403)
    with pytest.raises(Rejected):
        intacct().create_invoices([INVOICE], KEY)


def test_a_refused_composite_in_which_something_was_created_says_nothing(wire: responses.RequestsMock) -> None:
    wire.post(COMPOSITE, json={"ia::result": [MADE, BROKEN]}, status=422)
    with pytest.raises(OutcomeUnknown):
        intacct().create_invoices([INVOICE], KEY)


def test_several_invoices_go_as_an_array_under_one_key(wire: responses.RequestsMock) -> None:
    references = [{"key": "5001", "id": "5001"}, {"key": "5002", "id": "5002"}]
    wire.post(INVOICES, json={"ia::result": references, "ia::meta": {"totalSuccess": 2}}, status=201)
    made = intacct().create_invoices([INVOICE, OTHER], KEY)
    assert made == (UNREAD, replace(UNREAD, id="5002", reference="INV-00043"))
    assert sent(wire) == [invoice_body(INVOICE), invoice_body(OTHER)]
    assert wire.calls[0].request.headers["Idempotency-Key"] == KEY


def test_each_of_several_is_told_what_became_of_it(wire: responses.RequestsMock) -> None:
    parts = [{"ia::status": 201, "key": "5001", "id": "5001"}, REFUSED, TAKEN, BROKEN, MADE]
    wire.post(INVOICES, json={"ia::result": parts}, status=207)
    made = intacct().create_invoices([INVOICE] * 5, KEY)
    assert [type(one) for one in made] == [RemoteInvoice, Rejected, Rejected, OutcomeUnknown, RemoteInvoice]
    assert isinstance(made[2], Rejected) and made[2].problems[0].fix is Fix.NUMBER


def test_what_is_repeated_of_several_is_read_as_it_was_said_first(wire: responses.RequestsMock) -> None:
    replay = {"x-ia-idempotency-cached-date": "2026-11-02"}
    wire.post(INVOICES, json={"ia::result": [MADE, REFUSED]}, status=207, headers=replay)
    made = intacct().create_invoices([INVOICE, OTHER], KEY)
    assert [type(one) for one in made] == [RemoteInvoice, Rejected]


@pytest.mark.parametrize("status", [400, 422])
def test_a_whole_array_that_is_refused_wrote_nothing(wire: responses.RequestsMock, status: int) -> None:
    wire.post(INVOICES, json={"ia::result": {"ia::error": refusal("Term 'X' is not valid.")}}, status=status)
    with pytest.raises(Rejected):
        intacct().create_invoices([INVOICE, OTHER], KEY)


def test_an_invoice_whose_sums_differ_is_kept_back_and_the_others_go(wire: responses.RequestsMock) -> None:
    wire.post(INVOICES, json={"ia::result": [MADE, MADE]}, status=201)
    wrong = replace(INVOICE, total=Decimal("1.00"))
    made = intacct().create_invoices([INVOICE, wrong, OTHER], KEY)
    assert [type(one) for one in made] == [RemoteInvoice, Rejected, RemoteInvoice]
    assert len(sent(wire)) == 2


def test_where_none_can_go_nothing_is_sent(wire: responses.RequestsMock) -> None:
    wrong = replace(INVOICE, total=Decimal("1.00"))
    untaxed = replace(INVOICE, lines=(replace(LINE, tax_rate_id="none"),))
    made = intacct().create_invoices([wrong, untaxed], KEY)
    assert [type(one) for one in made] == [Rejected, Rejected]
    assert len(wire.calls) == 0


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, {"errorId": "GW-0040", "message": "Expired token"}), (400, {"errorId": "REST-1206", "message": "Dead"})],
)
def test_a_dead_token_is_renewed_once(wire: responses.RequestsMock, status: int, error: Json) -> None:
    tokens = {"": "old", "old": "new", "new": "newer"}
    sage = intacct()
    sage.bearer = lambda refused: tokens[refused]
    sage.__post_init__()
    dead = {"ia::result": {"ia::error": error}}
    wire.post(QUERY, json=dead, status=status)
    wire.post(QUERY, json=rows())
    assert sage.search_clients("x") == ()
    assert [call.request.headers["Authorization"] for call in wire.calls] == ["Bearer old", "Bearer new"]
    wire.replace(responses.POST, QUERY, json=dead, status=status)
    with pytest.raises(Reconnect):
        sage.search_clients("x")


@pytest.mark.parametrize("company_id", ["HARBOUR", "HARBOUR|LDN", ""])
def test_every_call_names_the_entity_and_shows_what_is_its_own(wire: responses.RequestsMock, company_id: str) -> None:
    wire.post(QUERY, json=rows(ROW))
    wire.post(COMPOSITE, json={"ia::result": [MADE, SHOWN]})
    wire.post(INVOICES, json={"ia::result": [MADE, MADE]}, status=201)
    wire.post(CUSTOMERS, json={"ia::result": {"key": "3", "id": "BRAM1"}}, status=201)
    sage = intacct(company_id)
    for kind in sage.lists:
        sage.catalogue(kind)
    sage.find_clients(CLIENT), sage.search_clients("b"), sage.create_client(CLIENT, KEY)
    sage.find_invoices(INVOICE), sage.find_number("SI-1001", "CUST-001"), sage.read_invoices(["5001"])
    sage.create_invoices([INVOICE, OTHER], KEY)
    sage.create_invoices([INVOICE], KEY)
    entity = company_id.partition("|")[2] or None
    assert {call.request.headers.get("X-IA-API-Param-Entity") for call in wire.calls} == {entity}
    assert {part["headers"].get("X-IA-API-Param-Entity") for part in sent(wire, -1)} == {entity}
    queries = [json.loads(call.request.body) for call in wire.calls if call.request.url == QUERY]
    assert {query["filterParameters"]["includePrivate"] for query in queries} == {entity is None}


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 1), (2000, 1), (2001, 2), (4000, 2), (4001, 3)])
def test_a_list_is_read_to_its_end_and_no_further(wire: responses.RequestsMock, count: int, calls: int) -> None:
    wire.add_callback(responses.POST, QUERY, paged([{"id": f"{n}", "name": f"Place {n}"} for n in range(count)]))
    entries = intacct().catalogue(Kind.LOCATIONS)
    assert [entry.id for entry in entries] == [f"{n}" for n in range(count)]
    assert len(wire.calls) == calls


def test_a_list_that_has_no_end_is_left(wire: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sage_intacct.query.MOST_PAGES", 4)
    wire.add_callback(responses.POST, QUERY, paged([{"id": "1"}], claimed=10**9))
    with pytest.raises(TryLater, match="no end"):
        intacct().catalogue(Kind.LOCATIONS)
    assert len(wire.calls) == 4


UNREADABLE = [
    *GARBAGE,
    '{"ia::result": [], "ia::meta": {"next": "soon"}}',
    '{"ia::result": []}',
    '{"ia::result": ["text"], "ia::meta": {"next": null}}',
    '{"ia::result": [{"name": "no id"}], "ia::meta": {"next": null}}',
]


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("read", ["catalogue", "companies", "clients", "invoices", "read"])
def test_a_list_that_cannot_be_read_is_asked_for_later(wire: responses.RequestsMock, body: str, read: str) -> None:
    wire.post(QUERY, body=body)
    sage = intacct()
    sage.bearer = lambda refused: jwt({"companyId": "HARBOUR"})
    reads: dict[str, Callable[[], object]] = {
        "catalogue": lambda: sage.catalogue(Kind.TERMS),
        "companies": sage.companies,
        "clients": lambda: sage.find_clients(CLIENT),
        "invoices": lambda: sage.find_invoices(INVOICE),
        "read": lambda: sage.read_invoices(["5001"]),
    }
    with pytest.raises(TryLater):
        reads[read]()


@pytest.mark.parametrize("change", [{"invoiceDate": None}, {"totalTxnAmount": "a lot"}, {"key": None}])
def test_an_invoice_that_cannot_be_read_is_asked_for_later(wire: responses.RequestsMock, change: Json) -> None:
    wire.post(QUERY, json=rows({**ROW, **change}))
    with pytest.raises(TryLater):
        intacct().find_invoices(INVOICE)


def test_a_percentage_that_is_none_is_asked_for_later(wire: responses.RequestsMock) -> None:
    wire.post(QUERY, json=rows({"id": "UK", "taxPercent": "a lot"}))
    with pytest.raises(TryLater):
        intacct(tax_solution_id="UK VAT").catalogue(Kind.TAX_RATES)


SALES = Entry(id="4000", name="Sales", code="4000")
NO_TAX = Entry(id="none", name="No tax line", percentage=Decimal(0))
LISTED: list[tuple[Kind, Json, str, list[Json], tuple[Entry, ...]]] = [
    # kind, options, the object asked for, its rows, what a person chooses from
    (
        Kind.SALES_ACCOUNTS,
        {},
        "general-ledger/account",
        [
            {"id": "4000", "name": "Sales", "status": "active", "disallowDirectPosting": False},
            {"id": "1200", "name": "Debtors", "status": "active", "disallowDirectPosting": True},
            {"id": "4100", "name": "Old", "status": "inactive", "disallowDirectPosting": False},
        ],
        (SALES,),
    ),
    (Kind.TAX_RATES, {}, "general-ledger/account", [{"id": "4000", "name": "Sales"}], (NO_TAX, SALES)),
    (
        Kind.SALES_ACCOUNTS,
        {"account_labels": True},
        "accounts-receivable/account-label",
        [
            {"id": "Rent", "description": "Rent for flats"},
            {"id": "VAT", "isTax": True},
            {"id": "Sum", "isSubtotal": "true"},
            {"id": "Old", "status": "inactive"},
        ],
        (Entry(id="label/Rent", name="Rent for flats", code="Rent"),),
    ),
    (
        Kind.TAX_RATES,
        {"account_labels": True},
        "accounts-receivable/account-label",
        [{"id": "Rent"}, {"id": "VAT", "isTax": True}],
        (NO_TAX, Entry(id="label/VAT", name="VAT", code="VAT")),
    ),
    (
        Kind.TAX_RATES,
        {"tax_solution_id": "UK VAT", "account_labels": True},
        "tax/order-entry-tax-detail",
        [
            {"id": "UK Standard", "taxPercent": "20.00", "reverseCharge": False, "status": "active"},
            {"id": "UK Odd", "taxPercent": None},
            {"id": "UK Reverse", "taxPercent": 20, "reverseCharge": True},
            {"id": "UK Old", "taxPercent": 17.5, "status": "inactive"},
        ],
        (Entry(id="UK Standard", name="UK Standard", percentage=Decimal(20)), Entry(id="UK Odd", name="UK Odd")),
    ),
    (Kind.TAX_SOLUTIONS, {}, "tax/tax-solution", [{"id": "UK VAT"}], (Entry(id="UK VAT", name="UK VAT"),)),
    (
        Kind.LOCATIONS,
        {},
        "company-config/location",
        [{"id": "LDN", "name": "London"}],
        (Entry(id="LDN", name="London"),),
    ),
    (Kind.DEPARTMENTS, {}, "company-config/department", [{"id": "OPS"}], (Entry(id="OPS", name="OPS"),)),
    (Kind.TERMS, {}, "accounts-receivable/term", [{"id": "Net 30"}], (Entry(id="Net 30", name="Net 30"),)),
]


@pytest.mark.parametrize(("kind", "options", "asked", "found", "entries"), LISTED)
def test_a_list_offers_what_can_be_posted_to(
    wire: responses.RequestsMock, kind: Kind, options: Json, asked: str, found: list[Json], entries: tuple[Entry, ...]
) -> None:
    wire.post(QUERY, json=rows(*found))
    assert intacct(**options).catalogue(kind) == entries
    assert sent(wire)["object"] == asked


def test_the_tax_details_are_those_of_the_solution(wire: responses.RequestsMock) -> None:
    wire.post(QUERY, json=rows())
    intacct(tax_solution_id="UK VAT").catalogue(Kind.TAX_RATES)
    assert sent(wire)["filters"] == [{"$eq": {"taxSolution.id": "UK VAT"}}]


def test_the_company_and_its_entities_are_offered(wire: responses.RequestsMock) -> None:
    sage = intacct("")
    sage.bearer = lambda refused: jwt({"companyId": "HARBOUR"})
    sage.__post_init__()
    found = [{"id": "TOP", "name": "All", "isRoot": True}, {"id": "LDN", "name": "Harbour London", "isRoot": False}]
    wire.post(QUERY, json=rows(*found))
    assert sage.companies() == (
        Company(id="HARBOUR", name="HARBOUR (top level)"),
        Company(id="HARBOUR|LDN", name="Harbour London (LDN)"),
    )
    wire.replace(responses.POST, QUERY, json=rows())
    assert sage.companies() == (Company(id="HARBOUR", name="HARBOUR"),)


def test_a_token_of_one_entity_offers_that_one_alone(wire: responses.RequestsMock) -> None:
    sage = intacct("")
    sage.bearer = lambda refused: jwt({"companyId": "HARBOUR", "entityId": "LDN"})
    assert [company.id for company in sage.companies()] == ["HARBOUR|LDN"]
    assert len(wire.calls) == 0


def test_a_token_that_names_no_company_goes_no_further() -> None:
    with pytest.raises(Rejected, match="which company"):
        intacct("").companies()


def test_a_client_is_found_by_its_id_before_its_name_whatever_the_case(wire: responses.RequestsMock) -> None:
    by_id, by_name = {"id": "bram1", "name": "Another"}, {"id": "C-9", "name": "BRAMLEY Stores Ltd "}
    near = {"id": "C-10", "name": "Bramley Stores Ltd (old)"}
    wire.post(QUERY, json=rows(near, by_name, by_id))
    assert [one.id for one in intacct().find_clients(CLIENT)] == ["bram1"]
    assert [one.id for one in intacct().find_clients(replace(CLIENT, reference=""))] == ["C-9"]
    assert intacct().find_clients(replace(CLIENT, reference="", name="Bramley")) == ()
    asked = sent(wire)
    assert (asked["filters"], asked["filterParameters"]["caseSensitiveComparison"]) == (
        [{"$eq": {"id": "BRAM1"}}],
        False,
    )


def test_a_search_goes_by_name_or_id(wire: responses.RequestsMock) -> None:
    wire.post(QUERY, json=rows({"id": "C-9", "name": "Bramley"}))
    assert intacct().search_clients("bram") == (RemoteClient(id="C-9", name="Bramley", reference="C-9"),)
    asked = sent(wire)
    assert asked["filters"] == [{"$contains": {"name": "bram"}}, {"$contains": {"id": "bram"}}]
    assert asked["filterExpression"] == "or"


def test_a_client_is_created_under_its_key_and_has_the_id_that_intacct_says(wire: responses.RequestsMock) -> None:
    wire.post(CUSTOMERS, json={"ia::result": {"key": "31", "id": "CUST-00031"}}, status=201)
    assert intacct().create_client(CLIENT, KEY) == RemoteClient(id="CUST-00031", name="Bramley Stores Ltd")
    assert wire.calls[0].request.headers["Idempotency-Key"] == KEY
    assert sent(wire) == {"id": "BRAM1", "name": "Bramley Stores Ltd"}


@pytest.mark.parametrize("body", GARBAGE)
def test_a_client_made_but_not_shown_is_looked_up(wire: responses.RequestsMock, body: str) -> None:
    wire.post(CUSTOMERS, body=body, status=201)
    with pytest.raises(OutcomeUnknown):
        intacct().create_client(CLIENT, KEY)


def test_an_invoice_is_found_by_its_reference_whole_and_in_its_own_case(wire: responses.RequestsMock) -> None:
    others = [{**ROW, "id": f"o-{n}", "referenceNumber": text} for n, text in enumerate(("INV-000421", "inv-00042"))]
    reversal = {**ROW, "id": "r-1", "state": "reversal"}
    wire.post(QUERY, json=rows(*others, reversal, ROW))
    assert intacct().find_invoices(INVOICE) == (READ,)
    assert sent(wire)["filters"] == [{"$eq": {"referenceNumber": "INV-00042"}}]
    assert sent(wire)["filterParameters"]["caseSensitiveComparison"] is True


def test_whoever_holds_a_number_is_found_a_draft_too(wire: responses.RequestsMock) -> None:
    held = [{**ROW, "key": str(n), "id": str(n), **more} for n, more in enumerate(({"state": "draft"}, {}), start=1)]
    wire.post(QUERY, json=rows(*held, {**ROW, "id": "3", "invoiceNumber": "SI-10011"}))
    found = intacct().find_number("si-1001", "CUST-001")
    assert [(one.id, one.number) for one in found] == [("1", ""), ("2", "SI-1001")]
    assert sent(wire)["filterParameters"]["caseSensitiveComparison"] is False


def test_many_invoices_are_read_by_one_query(wire: responses.RequestsMock) -> None:
    wire.post(QUERY, json=rows(ROW, {**ROW, "key": "5003", "id": "5003", "state": "draft"}))
    read = intacct().read_invoices(["5001", "5002", "5003"])
    assert [(one.id, one.number) for one in read] == [("5001", "SI-1001"), ("5003", "")]
    assert sent(wire)["filters"] == [{"$in": {"key": ["5001", "5002", "5003"]}}]
    assert intacct().read_invoices([]) == ()
    assert len(wire.calls) == 1


@pytest.mark.parametrize("change", [{}, {"lines": (PLAIN_LINE,), "total": Decimal("50.00")}])
def test_nothing_is_objected_to_before_a_send(change: Json) -> None:
    invoice: NewInvoice = replace(INVOICE, **change)
    assert SageIntacct.objections(CLIENT, {line.tax_rate_id for line in invoice.lines}) == ()


def test_a_connector_shows_no_secret() -> None:
    assert "secret-token" not in repr(intacct())
    assert "bearer" not in repr(intacct().wire)
