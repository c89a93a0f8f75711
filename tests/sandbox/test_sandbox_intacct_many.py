"""Many at once: batches, each member for itself or all or none, and composites that stop at the first failure."""

import pytest

from tests.sandbox.intacct_application import (
    COMPOSITE,
    CUSTOMER,
    INVOICE,
    QUERY,
    WORKFLOWS,
    Application,
    create_and_read,
    error_in,
    invoice,
)

GOOD, BAD = invoice(), invoice(customer={"id": "CUST-404"})


def statuses(items: list[dict[str, object]]) -> list[object]:
    return [each["ia::status"] for each in items]


def test_a_good_batch_is_201_with_a_reference_for_each_in_order(application: Application) -> None:
    answer = application.send([invoice(referenceNumber=f"INV-{n}") for n in range(3)])
    assert answer.status_code == 201
    items = answer.json()["ia::result"]
    assert statuses(items) == [201, 201, 201]
    assert [application.read(each["key"])["referenceNumber"] for each in items] == ["INV-0", "INV-1", "INV-2"]
    assert answer.json()["ia::meta"] == {"totalCount": 3, "totalSuccess": 3, "totalError": 0}


def test_a_mixed_batch_is_207_and_the_good_ones_stand(application: Application) -> None:
    answer = application.send([GOOD, BAD, GOOD])
    assert answer.status_code == 207
    items = answer.json()["ia::result"]
    assert statuses(items) == [201, 422, 201]
    assert items[1]["ia::error"]["details"][-1]["message"] == "Customer 'CUST-404' specified is not valid."
    assert answer.json()["ia::meta"] == {"totalCount": 3, "totalSuccess": 2, "totalError": 1}
    assert [each["invoiceNumber"] for each in application.held()] == ["SI-1001", "SI-1002"]


def test_two_of_one_number_in_a_batch_are_one_good_and_one_bad(application: Application) -> None:
    answer = application.send([invoice(invoiceNumber="INV-1"), invoice(invoiceNumber="INV-1")])
    assert statuses(answer.json()["ia::result"]) == [201, 422]


def test_a_batch_can_be_all_or_nothing(application: Application) -> None:
    answer = application.send([GOOD, BAD], X_IA_API_Param_Transaction="true")
    assert answer.status_code == 207
    items = answer.json()["ia::result"]
    assert [each["ia::error"]["code"] for each in items] == ["unprocessed", "operationFailed"]
    assert application.held() == []


def test_a_bad_member_can_refuse_the_whole_batch(application: Application) -> None:
    application.setting("batch_refusal", "whole")
    answer = application.send([GOOD, BAD])
    assert answer.status_code == 400
    assert error_in(answer)["details"][-1]["target"] == "/1/customer"
    assert application.held() == []
    assert application.send([GOOD, GOOD]).status_code == 201


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_from_1_to_500_members(application: Application, count: int) -> None:
    assert application.send([{}] * count).status_code == 400


def test_a_member_that_is_not_an_object_is_refused_alone(application: Application) -> None:
    assert statuses(application.send([GOOD, "x"]).json()["ia::result"]) == [201, 400]


def test_customers_come_in_batches_too(application: Application) -> None:
    answer = application.post(CUSTOMER, [{"name": "One"}, {"name": "Two"}])
    assert statuses(answer.json()["ia::result"]) == [201, 201]


# Composites


def test_a_composite_makes_an_invoice_and_learns_its_number(application: Application) -> None:
    answer = application.post(COMPOSITE, create_and_read(GOOD, "key-1"))
    assert answer.status_code == 200
    made, read = answer.json()["ia::result"]
    assert made["ia::result"] == {"key": "5001", "id": "5001", "href": f"{INVOICE}/5001"}
    assert (made["ia::status"], made["ia::headers"]) == (201, {})
    assert (read["ia::status"], read["ia::result"]["invoiceNumber"]) == (200, "SI-1001")
    assert answer.json()["ia::meta"] == {"totalCount": 2, "totalSuccess": 2, "totalError": 0}
    assert application.held()[0]["idempotency_key"] == "key-1"


def test_a_composite_sent_again_replays_the_creation_and_reads_anew(application: Application) -> None:
    application.post(COMPOSITE, create_and_read(GOOD, "key-1"))
    made, read = application.post(COMPOSITE, create_and_read(GOOD, "key-1")).json()["ia::result"]
    assert made["ia::headers"]["Idempotency-Key"] == "key-1"
    assert read["ia::result"]["invoiceNumber"] == "SI-1001"
    assert len(application.held()) == 1


def test_after_a_failure_the_rest_is_skipped_and_what_was_done_stands(application: Application) -> None:
    parts = [
        {"method": "POST", "path": INVOICE, "body": GOOD},
        {"method": "POST", "path": INVOICE, "body": BAD},
        {"method": "POST", "path": INVOICE, "body": GOOD},
    ]
    answer = application.post(COMPOSITE, parts)
    assert answer.status_code == 207
    items = answer.json()["ia::result"]
    assert statuses(items) == [201, 422, 422]
    assert items[2]["ia::error"]["code"] == "unprocessed"
    assert items[2]["ia::error"]["message"] == "Operation skipped due to atomic transaction failure"
    assert answer.json()["ia::meta"] == {"totalCount": 3, "totalSuccess": 1, "totalError": 2}
    assert len(application.held()) == 1


def test_a_composite_may_query_change_and_delete(application: Application) -> None:
    search = {"object": "accounts-receivable/invoice", "fields": ["key"], "filters": []}
    parts = [
        {"method": "POST", "path": INVOICE, "body": [GOOD, GOOD], "resultReference": "two"},
        {"method": "PATCH", "path": f"{INVOICE}/@{{two.1.key}}", "body": {"description": "of @{two.2.id}"}},
        {"method": "DELETE", "path": f"{INVOICE}/@{{two.2.key}}"},
        {"method": "POST", "path": QUERY, "body": search},
        {"method": "GET", "path": f"{INVOICE}/5001", "resultReference": "read"},
        {"method": "PATCH", "path": f"{INVOICE}/5001", "body": {"referenceNumber": "@{read.customer.id}"}},
    ]
    answer = application.post(COMPOSITE, parts)
    assert statuses(answer.json()["ia::result"]) == [201, 200, 204, 200, 200, 200]
    assert answer.json()["ia::result"][3]["ia::result"] == [{"key": "5001"}]
    read = application.read("5001")
    assert (read["description"], read["referenceNumber"]) == ("of 5002", "CUST-001")


def test_the_number_can_stay_unread_though_the_invoice_is_made(application: Application) -> None:
    application.fault("number_unread", on=f"POST /intacct/ia/api/v1{COMPOSITE}")
    answer = application.post(COMPOSITE, create_and_read(GOOD))
    assert answer.status_code == 207
    assert statuses(answer.json()["ia::result"]) == [201, 500]
    assert len(application.held()) == 1


@pytest.mark.parametrize(
    "parts",
    [
        {},
        [{"method": "GET", "path": f"{INVOICE}/5001"}],
        [{"method": "GET", "path": f"{INVOICE}/5001"}] * 11,
        [{"method": "GET", "path": f"{INVOICE}/5001"}, {"method": "POST", "path": f"{WORKFLOWS}/submit"}],
        [{"method": "GET", "path": f"{INVOICE}/5001"}, {"method": "PUT", "path": INVOICE}],
        [{"method": "GET", "path": f"{INVOICE}/5001"}, "x"],
        [{"method": "GET", "path": f"{INVOICE}/5001"}, {"method": "GET", "path": INVOICE, "headers": 1}],
    ],
)
def test_a_composite_that_makes_no_sense_is_400(application: Application, parts: object) -> None:
    assert application.post(COMPOSITE, parts).status_code == 400


@pytest.mark.parametrize("place", ["@{nobody.1.key}", "@{inv.2.key}", "@{inv.1.colour}"])
def test_a_place_that_refers_to_nothing_fails_its_part(application: Application, place: str) -> None:
    parts = create_and_read(GOOD)
    parts[1]["path"] = f"{INVOICE}/{place}"
    assert statuses(application.post(COMPOSITE, parts).json()["ia::result"]) == [201, 400]


def test_a_composite_holds_no_other(application: Application) -> None:
    parts = [{"method": "POST", "path": COMPOSITE, "body": []}, {"method": "GET", "path": INVOICE}]
    assert statuses(application.post(COMPOSITE, parts).json()["ia::result"]) == [404, 422]
