"""Idempotency keys at the pretend Intacct: an answer is repeated for 48 hours, and a key is remembered for 60 days."""

import pytest

from tests.sandbox.intacct_application import (
    COMPOSITE,
    INVOICE,
    QUERY,
    WORKFLOWS,
    Application,
    create_and_read,
    error_in,
    invoice,
)


def test_the_same_key_and_body_repeat_the_answer_and_make_nothing_new(application: Application) -> None:
    first = application.send(invoice(), "key-1")
    application.clock.pass_time(hours=47)
    application.connect_as()
    again = application.send(invoice(), "key-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Key"] == "key-1"
    assert again.headers["x-ia-idempotency-cached-date"] == "Sat, 14 Mar 2026 09:00:00 GMT"
    assert "x-ia-idempotency-cached-date" not in first.headers
    assert len(application.held()) == 1


def test_a_refusal_is_repeated_though_the_books_have_changed(application: Application) -> None:
    held = invoice(customer={"id": "CUST-010"})
    first = application.send(held, "key-1")
    application.set_books(customer={"id": "CUST-010", "isOnHold": False})
    again = application.send(held, "key-1")
    assert (again.status_code, again.json()) == (422, first.json())
    assert application.send(held, "key-2").status_code == 201


def test_a_payload_error_is_repeated_too(application: Application) -> None:
    assert application.send(invoice(state="posted"), "key-1").status_code == 400
    assert "x-ia-idempotency-cached-date" in application.send(invoice(state="posted"), "key-1").headers


def test_the_same_key_with_another_body_is_409(application: Application) -> None:
    application.send(invoice(), "key-1")
    answer = application.send(invoice(description="changed"), "key-1")
    assert (answer.status_code, error_in(answer)["code"]) == (409, "conflict")
    assert application.post(f"{WORKFLOWS}/submit", {"key": "5001"}, Idempotency_Key="key-1").status_code == 409
    assert application.send(invoice(), "key-1", X_IA_API_Param_Entity="LDN").status_code == 409


@pytest.mark.parametrize(("days", "status", "count"), [(2, 409, 1), (59, 409, 1), (60, 201, 2)])
def test_after_48_hours_a_key_is_refused_until_60_days_are_over(
    application: Application, days: int, status: int, count: int
) -> None:
    application.send(invoice(), "key-1")
    application.clock.pass_time(days=days)
    application.connect_as()
    assert application.send(invoice(), "key-1").status_code == status
    assert len(application.held()) == count


def test_a_key_that_is_in_use_is_409_and_does_nothing(application: Application) -> None:
    application.fault("key_in_use", on=f"POST /intacct/ia/api/v1{INVOICE}")
    assert application.send(invoice(), "key-1").status_code == 409
    assert application.held() == []
    assert application.send(invoice(), "key-1").status_code == 201


def test_a_key_in_use_meets_the_part_of_a_composite_that_has_it(application: Application) -> None:
    application.fault("key_in_use", on=f"POST /intacct/ia/api/v1{COMPOSITE}")
    items = application.post(COMPOSITE, create_and_read(invoice(), "key-1")).json()["ia::result"]
    assert [each["ia::status"] for each in items] == [409, 422]


def test_of_a_batch_the_key_covers_the_whole(application: Application) -> None:
    batch = [invoice(), invoice(customer={"id": "CUST-404"})]
    first = application.send(batch, "key-1")
    again = application.send(batch, "key-1")
    assert (again.status_code, again.json()) == (207, first.json())
    assert application.send(batch[:1], "key-1").status_code == 409
    assert len(application.held()) == 1


def test_patches_and_workflows_heed_a_key(application: Application) -> None:
    key = application.create()
    headers = {"Idempotency-Key": "change-1"}
    for _ in range(2):
        answer = application.call("PATCH", f"{INVOICE}/{key}", json={"description": "x"}, headers=headers)
    assert "x-ia-idempotency-cached-date" in answer.headers
    body = {"key": key, "reversedDate": "2026-03-15"}
    for _ in range(2):
        answer = application.post(f"{WORKFLOWS}/reverse", body, Idempotency_Key="reverse-1")
        assert answer.status_code == 200


def test_queries_reads_and_deletions_do_not(application: Application) -> None:
    key = application.create()
    query = {"object": "accounts-receivable/invoice", "fields": ["key"]}
    for _ in range(2):
        answer = application.post(QUERY, query, Idempotency_Key="q")
        assert "x-ia-idempotency-cached-date" not in answer.headers
    headers = {"Idempotency-Key": "d"}
    assert application.call("DELETE", f"{INVOICE}/{key}", headers=headers).status_code == 204
    assert application.call("DELETE", f"{INVOICE}/{key}", headers=headers).status_code == 404


def test_with_idempotency_off_every_call_makes_an_invoice(application: Application) -> None:
    application.setting("idempotency", "off")
    for _ in range(2):
        assert application.send(invoice(), "key-1").status_code == 201
    assert len(application.held()) == 2


def test_two_companies_may_use_one_key(application: Application) -> None:
    application.send(invoice(), "key-1")
    application.connect_as("xml_reflow@QUAY")
    assert application.send(invoice(), "key-1").json()["ia::result"]["key"] == "5002"


def test_a_key_has_at_most_256_characters(application: Application) -> None:
    assert application.send(invoice(), "k" * 257).status_code == 400
    assert application.send(invoice(), "k" * 256).status_code == 201


def test_an_answer_that_was_lost_is_repeated(application: Application) -> None:
    application.fault("error", on=f"POST /intacct/ia/api/v1{INVOICE}")
    assert application.send(invoice(), "key-1").status_code == 500
    assert application.send(invoice(), "key-1").json()["ia::result"]["key"] == "5001"
    assert len(application.held()) == 1
