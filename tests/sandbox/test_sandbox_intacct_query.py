"""The query service: flat rows, filters, order, pages, and what is private to an entity."""

from typing import Any

import pytest

from tests.sandbox.intacct_application import CUSTOMER, QUERY, Application, error_in, invoice, line, told

INVOICES, LINES = "accounts-receivable/invoice", "accounts-receivable/invoice-line"
ACCOUNTS = "general-ledger/account"


@pytest.fixture
def three(application: Application) -> list[str]:
    """Three invoices, a minute apart, of 12.00, 120.00 and 1200.00."""
    keys = []
    for n, amount in enumerate(("10.00", "100.00", "1000.00"), 1):
        application.clock.pass_time(minutes=1)
        more = {"customer": {"id": f"CUST-00{n}"}, "referenceNumber": f"Inv-{n}", "lines": [line(txnAmount=amount)]}
        keys.append(application.create(**more))
    return keys


def found(application: Application, *filters: Any, **more: Any) -> list[str]:
    return [each["key"] for each in application.rows(INVOICES, ["key"], *filters, **more)]


def test_rows_are_flat_with_dotted_names(application: Application, three: list[str]) -> None:
    fields = ["key", "invoiceNumber", "customer.id", "term.id", "entity.id", "href", "audit.modifiedDateTime"]
    assert application.rows(INVOICES, fields, {"$eq": {"key": three[0]}}) == [
        {
            "key": three[0],
            "invoiceNumber": "SI-1001",
            "customer.id": "CUST-001",
            "term.id": None,
            "entity.id": None,
            "href": f"/objects/{INVOICES}/{three[0]}",
            "audit.modifiedDateTime": "2026-03-14T09:01:00Z",
        }
    ]


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        ({"$gte": {"audit.modifiedDateTime": "2026-03-14T09:02:00Z"}}, [1, 2]),
        ({"$gt": {"audit.modifiedDateTime": "2026-03-14T09:02:00+00:00"}}, [2]),
        ({"$lt": {"audit.modifiedDateTime": "2026-03-14T10:02:00+01:00"}}, [0]),
        ({"$eq": {"referenceNumber": "Inv-2"}}, [1]),
        ({"$eq": {"referenceNumber": "INV-2"}}, []),
        ({"$ne": {"customer.id": "CUST-002"}}, [0, 2]),
        ({"$in": {"customer.id": ["CUST-001", "CUST-003"]}}, [0, 2]),
        ({"$notIn": {"customer.id": ["CUST-001", "CUST-003"]}}, [1]),
        ({"$contains": {"referenceNumber": "v-3"}}, [2]),
        ({"$notContains": {"referenceNumber": "v-3"}}, [0, 1]),
        ({"$startsWith": {"referenceNumber": "Inv"}}, [0, 1, 2]),
        ({"$startsWith": {"referenceNumber": "INV"}}, []),
        ({"$endsWith": {"customer.name": "Cafe"}}, [2]),
        ({"$notEndsWith": {"customer.name": "Cafe"}}, [0, 1]),
        ({"$gt": {"totalTxnAmount": "20"}}, [1, 2]),
        ({"$lte": {"totalTxnAmount": "120.00"}}, [0, 1]),
        ({"$between": {"totalTxnAmount": ["12.00", "120.00"]}}, [0, 1]),
        ({"$notBetween": {"totalTxnAmount": ["12.00", "120.00"]}}, [2]),
        ({"$eq": {"totalTxnAmountDue": "1200"}}, [2]),
        ({"$eq": {"term.id": None}}, [0, 1, 2]),
        ({"$ne": {"term.id": None}}, []),
        ({"$eq": {"state": "posted"}}, [0, 1, 2]),
        ({"$eq": {"id": "5002"}}, [1]),
    ],
)
def test_every_filter_finds_what_it_says(
    application: Application, three: list[str], condition: dict[str, Any], places: list[int]
) -> None:
    assert found(application, condition) == [three[place] for place in places]


def test_case_is_heeded_unless_told_otherwise(application: Application, three: list[str]) -> None:
    loose = {"filterParameters": {"caseSensitiveComparison": False}}
    assert found(application, {"$eq": {"referenceNumber": "INV-2"}}, **loose) == [three[1]]
    assert found(application, {"$startsWith": {"referenceNumber": "iNV"}}, **loose) == three
    assert found(application, {"$in": {"referenceNumber": ["INV-1", "inv-3"]}}, **loose) == [three[0], three[2]]


@pytest.mark.parametrize(
    ("expression", "places"),
    [("", []), ("and", []), ("or", [0, 1, 2]), ("(1 and 2) or 3", [2]), ("1 or 2 and 3", [0]), ("1 OR 3", [0, 2])],
)
def test_filters_are_joined_by_an_expression(
    application: Application, three: list[str], expression: str, places: list[int]
) -> None:
    filters = [{"$eq": {"customer.id": f"CUST-00{n}"}} for n in (1, 2, 3)]
    assert found(application, *filters, filterExpression=expression) == [three[place] for place in places]


@pytest.mark.parametrize("expression", ["4", "1 and", "(1", "1 2", "1 xor 2", "0", "1)", "; drop"])
def test_an_expression_that_cannot_be_read_is_400(application: Application, expression: str) -> None:
    filters = [{"$eq": {"customer.id": "CUST-001"}}] * 3
    answer = application.query(INVOICES, ["key"], *filters, filterExpression=expression)
    assert answer.status_code == 400


def test_rows_are_sorted_and_the_key_decides_among_equals(application: Application, three: list[str]) -> None:
    newest = [{"audit.modifiedDateTime": "desc"}]
    assert found(application, orderBy=newest) == three[::-1]
    assert found(application, orderBy=[{"state": "asc"}]) == three
    assert found(application, orderBy=[{"state": "asc"}, {"customer.id": "desc"}]) == three[::-1]


def test_pages_tell_where_the_next_one_starts(application: Application, three: list[str]) -> None:
    first = application.query(INVOICES, ["key"], size=2).json()
    assert first["ia::meta"] == {"totalCount": 3, "start": 1, "pageSize": 2, "next": 3, "previous": None}
    last = application.query(INVOICES, ["key"], size=2, start=3).json()
    assert last["ia::meta"] == {"totalCount": 3, "start": 3, "pageSize": 2, "next": None, "previous": 1}
    assert [each["key"] for each in first["ia::result"] + last["ia::result"]] == three


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"includePrivate": True}, "Unrecognized key includePrivate in query payload"),
        ({"filterParameters": []}, "filterParameters is an object"),
        ({"filterParameters": {"fuzzy": True}}, "Unrecognized key fuzzy in query payload"),
        ({"object": "accounts-receivable/unicorn"}, "accounts-receivable/unicorn is not a valid object"),
        ({"fields": []}, "fields is an array of names"),
        ({"fields": ["*"]}, "* is not a valid field"),
        ({"fields": ["colour"]}, "colour is not a valid field"),
        ({"fields": ["lines.txnAmount"]}, "lines.txnAmount is not a valid field"),
        ({"fields": ["customer"]}, "customer is not a valid field"),
        ({"fields": ["x') FROM sqlite_master --"]}, "x') FROM sqlite_master -- is not a valid field"),
        ({"filters": [{"$eq": {"href": "x"}}]}, "href can't be used in filters or orderBy"),
        ({"orderBy": [{"webURL": "asc"}]}, "webURL can't be used in filters or orderBy"),
        ({"orderBy": [{"key": "up"}]}, "orderBy is an array of objects such as {“invoiceDate”: “asc”}"),
        ({"filters": [{"$near": {"key": "1"}}]}, "$near is not a valid operator"),
        ({"filters": [{"$in": {"key": "1"}}]}, "$in takes an array of values"),
        ({"filters": [{"$between": {"key": ["1"]}}]}, "$between takes two values"),
        ({"filters": [{"$eq": {"key": "1", "id": "1"}}]}, "$eq takes one field and its value"),
        ({"filters": [{}]}, "A filter is an object with one operator"),
        ({"filters": {"$eq": {"key": "1"}}}, "filters is an array"),
        ({"filters": [{"$gt": {"totalTxnAmount": "much"}}]}, "totalTxnAmount is compared with an amount"),
        ({"size": 4001}, "size is a whole number from 1 and at most 4000"),
        ({"start": 0}, "start is a whole number from 1"),
    ],
)
def test_a_query_that_makes_no_sense_is_400(application: Application, changes: dict[str, Any], message: str) -> None:
    answer = application.post(QUERY, {"object": INVOICES, "fields": ["key"], **changes})
    assert (answer.status_code, told(answer)[0][0]) == (400, message)


def test_a_moment_that_is_none_is_400(application: Application) -> None:
    answer = application.query(INVOICES, ["key"], {"$gte": {"audit.modifiedDateTime": "yesterday"}})
    assert error_in(answer)["details"][0]["message"].startswith("audit.modifiedDateTime is compared with a moment")


def test_lines_are_found_by_their_invoice_and_show_its_fields(application: Application, three: list[str]) -> None:
    fields = ["key", "txnAmount", "glAccount.id", "dimensions.location.id", "invoice.key", "invoice.customer.id"]
    rows = application.rows(LINES, fields, {"$in": {"invoice.key": three[:2]}})
    assert [(each["txnAmount"], each["invoice.key"]) for each in rows] == [("10.00", three[0]), ("100.00", three[1])]
    assert (rows[0]["glAccount.id"], rows[0]["dimensions.location.id"]) == ("4000", None)
    assert rows[0]["invoice.customer.id"] == "CUST-001"
    dear = application.rows(LINES, ["invoice.id"], {"$gt": {"txnAmount": "99.99"}}, orderBy=[{"invoice.id": "desc"}])
    assert [each["invoice.id"] for each in dear] == [three[2], three[1]]
    one = application.get(f"/objects/{LINES}/{rows[0]['key']}").json()["ia::result"]
    assert (one["txnAmount"], one["invoice"]["key"]) == ("10.00", three[0])


def test_a_subtotal_line_is_seen_by_query_alone(application: Application) -> None:
    key = application.create()
    application.by_hand(f"/{key}/subtotal", kind="tax", amount="6.00", memo="Levy")
    read = application.read(key)
    assert (len(read["lines"]), read["totalTxnAmount"]) == (1, "126.00")
    rows = application.rows(LINES, ["isSubtotal", "memo"], {"$eq": {"invoice.key": key}})
    assert [each["isSubtotal"] for each in rows] == [None, "tax"]


def test_an_entitys_own_records_are_hidden_from_the_top_level(application: Application) -> None:
    top = application.create()
    ours = application.send(invoice(), X_IA_API_Param_Entity="LDN").json()["ia::result"]["key"]
    assert found(application) == [top]
    assert found(application, filterParameters={"includePrivate": True}) == [top, ours]
    query = {"object": INVOICES, "fields": ["key", "entity.id"]}
    in_london = application.post(QUERY, query, X_IA_API_Param_Entity="LDN").json()["ia::result"]
    assert [each["entity.id"] for each in in_london] == [None, "LDN"]
    in_north = application.post(QUERY, query, X_IA_API_Param_Entity="NTH").json()["ia::result"]
    assert [each["key"] for each in in_north] == [top]


def test_the_wrong_header_for_an_entity_is_silently_ignored(application: Application) -> None:
    application.send(invoice(), Sage_Param_Entity="LDN")
    assert application.held()[0]["entity"]["id"] is None


@pytest.mark.parametrize(
    ("kind", "fields", "count"),
    [
        ("accounts-receivable/customer", ["id", "name", "status", "isOnHold", "term.id"], 10),
        ("accounts-receivable/term", ["id", "due.days", "status"], 3),
        ("accounts-receivable/account-label", ["id", "glAccount.id", "isTax", "isSubtotal"], 6),
        (ACCOUNTS, ["id", "name", "status", "requireDimensions.location", "disallowDirectPosting"], 27),
        ("company-config/entity", ["id", "name", "baseCurrency", "openBooksStartDate"], 2),
        ("company-config/location", ["id", "name", "parent.id"], 4),
        ("company-config/department", ["id", "name"], 3),
        ("tax/tax-solution", ["id"], 2),
        ("tax/order-entry-tax-detail", ["id", "taxPercent", "taxSolution.id"], 5),
    ],
)
def test_every_kind_of_record_can_be_queried(
    application: Application, kind: str, fields: list[str], count: int
) -> None:
    rows = application.rows(kind, fields)
    assert (len(rows), set(rows[0])) == (count, set(fields))


def test_true_and_false_are_values_too(application: Application) -> None:
    held = application.rows("accounts-receivable/customer", ["id"], {"$eq": {"isOnHold": True}})
    assert held == [{"id": "CUST-010"}]
    direct = application.rows(ACCOUNTS, ["id"], {"$eq": {"disallowDirectPosting": True}}, orderBy=[{"id": "asc"}])
    assert [each["id"] for each in direct] == ["1200", "2000", "2210"]


def test_a_customer_changed_since_is_found(application: Application) -> None:
    application.clock.pass_time(hours=1)
    application.post(CUSTOMER, {"id": "C-NEW", "name": "New"})
    since = {"$gte": {"audit.modifiedDateTime": "2026-03-14T10:00:00Z"}}
    assert application.rows("accounts-receivable/customer", ["id"], since) == [{"id": "C-NEW"}]


def test_a_page_of_many_invoices_is_read_by_an_index(application: Application) -> None:
    assert application.by_hand(count=300, reference="OLD").json() == {"entered": 300}
    order = [{"audit.modifiedDateTime": "asc"}, {"key": "asc"}]
    since = {"$gte": {"audit.modifiedDateTime": "2026-01-01T00:00:00Z"}}
    page = application.query(INVOICES, ["key", "referenceNumber"], since, orderBy=order, start=201, size=100).json()
    assert (len(page["ia::result"]), page["ia::meta"]["next"]) == (100, None)
    assert page["ia::result"][-1]["referenceNumber"] == "OLD-000300"


def test_queries_lag_with_the_lists(application: Application) -> None:
    application.create(referenceNumber="INV-7")
    application.setting("lag", 60)
    assert application.rows(INVOICES, ["key"]) == []
    application.clock.pass_time(seconds=61)
    assert len(application.rows(INVOICES, ["key"])) == 1
