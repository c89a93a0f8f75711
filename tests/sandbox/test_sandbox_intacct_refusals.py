"""What the pretend Intacct refuses, in its own words: payloads that are wrong in themselves, and books that say no."""

from typing import Any

import pytest

from tests.sandbox.intacct_application import (
    CUSTOMER,
    INVOICE,
    STANDARD,
    WORKFLOWS,
    Application,
    error_in,
    invoice,
    line,
    told,
)

REFUSED_PAYLOADS: list[tuple[dict[str, Any], str, str]] = [
    ({"invoiceDate": None}, "invoiceDate is a required field", "/invoiceDate"),
    ({"dueDate": None}, "dueDate is a required field", "/dueDate"),
    ({"customer": None}, "customer is a required field", "/customer"),
    ({"lines": []}, "lines is a required field", "/lines"),
    ({"lines": [{"glAccount": {"id": "4000"}}]}, "txnAmount is a required field", "/lines/0/txnAmount"),
    ({"postingDate": "2026-03-14"}, "postingDate is not a valid field", "/postingDate"),
    ({"totalTxnAmount": "1.00"}, "/totalTxnAmount is a read-only field", "/totalTxnAmount"),
    ({"state": "posted"}, "Not a valid state", "/state"),
    ({"invoiceDate": "14/03/2026"}, "/invoiceDate must be a date, such as 2026-10-01", "/invoiceDate"),
    ({"term": {"id": ""}}, "/term/id must not be blank. Leave the object out.", "/term/id"),
    ({"term": "Net 30"}, "/term must be an object", "/term"),
    ({"lines": {"a": 1}}, "/lines must be an array of objects", "/lines"),
    ({"description": "x" * 1001}, "/description must have at most 1000 characters", "/description"),
    ({"description": 7}, "/description must be a string", "/description"),
    ({"currency": {"txnCurrency": "euro"}}, "/currency/txnCurrency must be a currency code, such as GBP", ""),
    ({"currency": {"exchangeRate": {"rate": "0.86"}}}, "/currency/exchangeRate/rate must be a number", ""),
]
REFUSED_BY_THE_BOOKS: list[tuple[dict[str, Any], str, str]] = [
    ({"customer": {"id": "CUST-404"}}, "Customer 'CUST-404' specified is not valid.", "/customer"),
    ({"customer": {"id": "CUST-009"}}, "Customer 'CUST-009' specified is not valid. It is inactive.", "/customer"),
    ({"customer": {"id": "CUST-010"}}, "Customer 'CUST-010' is on hold.", "/customer"),
    ({"term": {"id": "Net 90"}}, "Term 'Net 90' is not valid.", "/term"),
    ({"taxSolution": {"id": "Mars"}}, "Tax solution 'Mars' is not valid.", "/taxSolution"),
    ({"taxSolution": None}, "Tax solution is required when there is more than one tax jurisdiction.", "/taxSolution"),
    ({"currency": {"txnCurrency": "EUR"}}, "An exchange rate is required for EUR.", "/currency/exchangeRate"),
]
REFUSED_LINES: list[tuple[dict[str, Any], str, str]] = [
    ({"glAccount": {"id": "9999"}}, "Account 9999 is not valid.", "/lines/0/glAccount"),
    ({"glAccount": {"id": "4100"}}, "Account 4100 is not valid. It is inactive.", "/lines/0/glAccount"),
    ({"glAccount": {"id": "1200"}}, "Account 1200 does not allow direct posting.", "/lines/0/glAccount"),
    ({"glAccount": None}, "GL account is required on every line.", "/lines/0/glAccount"),
    (
        {"glAccount": {"id": "4010"}},
        "This transaction is missing the Location dimension for the Account 4010",
        "/lines/0/dimensions/location",
    ),
    (
        {"glAccount": {"id": "4020"}},
        "This transaction is missing the Department dimension for the Account 4020",
        "/lines/0/dimensions/department",
    ),
    ({"dimensions": {"location": {"id": "MARS"}}}, "Location 'MARS' is not valid.", "/lines/0/dimensions/location"),
    ({"dimensions": {"department": {"id": "X"}}}, "Department 'X' is not valid.", "/lines/0/dimensions/department"),
    ({"dimensions": {"project": {"id": "P-88"}}}, "Invalid Project 'P-88' specified.", "/lines/0/dimensions/project"),
    ({"accountLabel": {"id": "Services"}}, "Account labels are not enabled for this company.", "/lines/0/accountLabel"),
    (
        {"taxEntries": [{"orderEntryTaxDetail": {"id": "No such rate"}}]},
        "Tax detail 'No such rate' is not valid.",
        "/lines/0/taxEntries/0/orderEntryTaxDetail",
    ),
    (
        {"taxEntries": [{"orderEntryTaxDetail": {"id": "IE Sale Goods/Services Standard Rate"}}]},
        "Tax detail 'IE Sale Goods/Services Standard Rate' does not belong to the tax solution 'United Kingdom - VAT'.",
        "/lines/0/taxEntries/0/orderEntryTaxDetail",
    ),
    (
        {"taxEntries": [{"txnTaxAmount": "1.00"}]},
        "Tax detail is required in every tax entry.",
        "/lines/0/taxEntries/0/orderEntryTaxDetail",
    ),
]


@pytest.mark.parametrize(("changes", "message", "target"), REFUSED_PAYLOADS)
def test_a_payload_that_is_not_as_it_should_be_is_400(
    application: Application, changes: dict[str, Any], message: str, target: str
) -> None:
    answer = application.send(invoice(**changes))
    assert answer.status_code == 400
    assert (error_in(answer)["errorId"], error_in(answer)["message"]) == ("REST-1064", "Payload contains errors")
    assert [text for text, _ in told(answer)] == [message]
    assert told(answer)[0][1].startswith(target)
    assert application.held() == []


@pytest.mark.parametrize("amount", [100, 100.5, "100.005", "1,250.00", "ten", ""])
def test_money_is_a_string_with_at_most_two_decimals(application: Application, amount: object) -> None:
    answer = application.send(invoice(lines=[line(txnAmount=amount)]))
    assert answer.status_code == 400
    assert told(answer)[0][1] == "/lines/0/txnAmount"


def test_ids_of_errors_tell_unknown_from_read_only_fields(application: Application) -> None:
    answer = application.send(invoice(lines=[line(), line(isSubtotal="tax", colour="red")], action="submit"))
    assert [each["errorId"] for each in error_in(answer)["details"]] == ["REST-1050", "REST-1043", "REST-1043"]
    assert told(answer)[0] == ("/lines/1/isSubtotal is a read-only field", "/lines/1/isSubtotal")
    assert error_in(answer)["details"][0]["additionalInfo"]["messageId"] == "IA.READ_ONLY_FIELD"


def test_a_posted_state_comes_with_its_correction(application: Application) -> None:
    detail = error_in(application.send(invoice(state="posted")))["details"][0]
    assert detail["code"] == "invalidParameter"
    assert detail["correction"] == "State must be draft or not included in the request."


@pytest.mark.parametrize(("changes", "message", "target"), REFUSED_BY_THE_BOOKS)
def test_what_the_books_do_not_allow_is_422(
    application: Application, changes: dict[str, Any], message: str, target: str
) -> None:
    answer = application.send(invoice(**changes))
    assert (answer.status_code, told(answer)) == (422, [(message, target)])


@pytest.mark.parametrize(("changes", "message", "target"), REFUSED_LINES)
def test_what_the_books_do_not_allow_on_a_line_is_422(
    application: Application, changes: dict[str, Any], message: str, target: str
) -> None:
    answer = application.send(invoice(lines=[line(**changes)]))
    assert (answer.status_code, told(answer)) == (422, [(message, target)])
    assert application.held() == []


def test_a_business_refusal_starts_with_a_generic_detail(application: Application) -> None:
    error = error_in(application.send(invoice(customer={"id": "CUST-404"})))
    assert (error["code"], error["errorId"]) == ("operationFailed", "REST-7001")
    assert error["message"] == "POST request on objects/accounts-receivable/invoice object was unsuccessful"
    assert error["additionalInfo"]["placeholders"]["OPERATION"] == "POST"
    assert error["details"][0]["message"] == "Could not create Invoice record."
    assert len(error["details"]) == 2


def test_texts_can_end_in_a_support_id(application: Application) -> None:
    application.setting("support_ids", "on")
    message = error_in(application.send(invoice(customer={"id": "CUST-404"})))["details"][-1]["message"]
    assert message.startswith("Customer 'CUST-404' specified is not valid. [Support ID: ")


def test_every_problem_is_told_at_once(application: Application) -> None:
    answer = application.send(invoice(customer={"id": "CUST-404"}, lines=[line(), line(glAccount={"id": "9999"})]))
    assert [target for _, target in told(answer)] == ["/customer", "/lines/1/glAccount"]


def test_a_draft_may_lack_an_account_and_a_dimension_until_it_is_submitted(application: Application) -> None:
    key = application.create(state="draft", lines=[line(glAccount=None), line(glAccount={"id": "4010"})])
    answer = application.post(f"{WORKFLOWS}/submit", {"key": key})
    assert answer.status_code == 422
    assert application.read(key)["state"] == "draft"


@pytest.mark.parametrize(("body", "error_id"), [(None, "REST-1028"), ({}, "REST-1028"), ("text", "REST-1028")])
def test_a_call_without_a_payload_is_400(application: Application, body: object, error_id: str) -> None:
    answer = application.post(INVOICE, body)
    assert (answer.status_code, error_in(answer)["errorId"]) == (400, error_id)


def test_a_body_that_is_not_json_is_refused(application: Application) -> None:
    json = {"Content-Type": "application/json"}
    assert application.call("POST", INVOICE, data="{", headers=json).status_code == 400
    assert application.call("POST", INVOICE, data="a=1", headers={"Content-Type": "text/plain"}).status_code == 415


# Conditions of the books


def test_closed_books_refuse_the_posting_date(application: Application) -> None:
    application.set_books(open_books_start={"entity": None, "date": "2026-03-01"})
    answer = application.send(invoice(invoiceDate="2026-02-28"))
    assert answer.status_code == 422
    text = "Periods are closed. Your transaction date (02/28/2026) is within a period that's been closed."
    assert told(answer) == [(text, "/invoiceSummary/glPostingDate")]
    later = {"glPostingDate": "2026-03-02"}
    assert application.send(invoice(invoiceDate="2026-02-28", invoiceSummary=later)).status_code == 201
    assert application.send(invoice(invoiceDate="2026-02-28", state="draft")).status_code == 201


def test_an_entity_closes_its_own_books(application: Application) -> None:
    application.set_books(open_books_start={"entity": "LDN", "date": "2026-03-01"})
    old = invoice(invoiceDate="2026-02-28")
    assert application.send(old, X_IA_API_Param_Entity="LDN").status_code == 422
    assert application.send(old, X_IA_API_Param_Entity="NTH").status_code == 201
    shown = application.rows("company-config/entity", ["openBooksStartDate"], {"$eq": {"id": "LDN"}})
    assert shown == [{"openBooksStartDate": "2026-03-01"}]


def test_an_entity_takes_only_its_own_locations(application: Application) -> None:
    def send(location: str) -> Any:
        lines = [line(dimensions={"location": {"id": location}})]
        return application.send(invoice(lines=lines), X_IA_API_Param_Entity="LDN")

    assert send("LDN-DOCK").status_code == 201
    assert told(send("NTH"))[0][0] == "Location must be LDN. This value is auto-filled."


def test_a_company_with_account_labels_takes_no_gl_account(application: Application) -> None:
    application.set_books(use_account_labels=True)
    answer = application.send(invoice())
    last = error_in(answer)["details"][-1]
    assert (answer.status_code, last["errorId"]) == (422, "AR-0279")
    assert last["message"] == "Currently, we cannot create the transaction."
    assert "enable GL account override" in last["correction"]
    key = application.create(lines=[line(glAccount=None, accountLabel={"id": "Services"})])
    first = application.read(key)["lines"][0]
    assert (first["accountLabel"]["id"], first["glAccount"]["id"]) == ("Services", "4000")


def test_a_subtotal_label_is_refused(application: Application) -> None:
    application.set_books(use_account_labels=True)
    answer = application.send(invoice(lines=[line(glAccount=None, accountLabel={"id": "Subtotal"})]))
    last = error_in(answer)["details"][-1]
    assert (answer.status_code, last["errorId"]) == (422, "AR-0148")
    assert last["message"].startswith("Choose or enter another account label.")


def test_a_label_asks_for_the_dimensions_of_its_account(application: Application) -> None:
    application.set_books(use_account_labels=True)
    answer = application.send(invoice(lines=[line(glAccount=None, accountLabel={"id": "Rent"})]))
    assert told(answer)[0][0] == "This transaction is missing the Location dimension for the Account 4010"


def test_conditions_of_a_customer_and_an_account_are_heeded(application: Application) -> None:
    application.set_books(customer={"id": "CUST-001", "isOnHold": True})
    assert told(application.send(invoice()))[0][0] == "Customer 'CUST-001' is on hold."
    application.set_books(customer={"id": "CUST-001", "isOnHold": False, "status": "inactive"})
    assert "inactive" in told(application.send(invoice()))[0][0]
    application.set_books(customer={"id": "CUST-001", "status": "active"})
    application.set_books(account={"id": "4000", "requireDimensions": {"department": True}})
    assert "Department" in told(application.send(invoice()))[0][0]
    application.set_books(account={"id": "4000", "requireDimensions": {"department": False}, "status": "inactive"})
    assert "inactive" in told(application.send(invoice()))[0][0]
    application.set_books(account={"id": "4000", "status": "active", "disallowDirectPosting": True})
    assert "direct posting" in told(application.send(invoice()))[0][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"weather": "fine"},
        {"company": "NOWHERE"},
        {"customer": {"id": "CUST-001", "colour": "red"}},
        {"customer": {"id": "CUST-001", "isOnHold": "yes"}},
        {"account": {"id": "4000", "requireDimensions": {"mood": True}}},
        {"open_books_start": {"date": "soon"}},
        {"use_account_labels": "yes"},
        {"invoice": {"key": "5001", "frame": {}}},
    ],
)
def test_a_condition_that_makes_no_sense_is_400(application: Application, changes: dict[str, Any]) -> None:
    application.create()
    assert application.set_books(**changes).status_code == 400


# Customers


def test_a_customer_is_made_and_changed(application: Application) -> None:
    answer = application.post(CUSTOMER, {"id": "C-NEW", "name": "New Client", "term": {"id": "Net 14"}})
    assert answer.status_code == 201
    href = answer.json()["ia::result"]["href"]
    assert application.call("PATCH", href, json={"name": "Renamed", "status": "inactive"}).status_code == 200
    read = application.get(href).json()["ia::result"]
    assert (read["id"], read["name"], read["status"], read["term"]["id"]) == ("C-NEW", "Renamed", "inactive", "Net 14")


def test_a_customer_without_an_id_is_given_one(application: Application) -> None:
    href = application.post(CUSTOMER, {"name": "New Client"}).json()["ia::result"]["href"]
    assert application.get(href).json()["ia::result"]["id"] == "CUST-011"


def test_a_customer_that_is_there_already_or_has_no_name_is_refused(application: Application) -> None:
    answer = application.post(CUSTOMER, {"id": "CUST-001", "name": "Again"})
    assert answer.status_code == 422
    assert told(answer)[0][0] == "Another Customer with the given value(s) CUST-001 already exists"
    assert application.post(CUSTOMER, {"id": "C-NEW"}).status_code == 400
    assert application.post(CUSTOMER, {"name": "X", "term": {"id": "Net 90"}}).status_code == 422
    assert application.call("PATCH", f"{CUSTOMER}/999", json={"name": "X"}).status_code == 404
    assert application.call("PATCH", f"{CUSTOMER}/101", json={"id": "X"}).status_code == 400


def test_a_standard_rate_is_in_the_books(application: Application) -> None:
    shown = application.rows("tax/order-entry-tax-detail", ["id", "taxSolution.id"], {"$eq": {"taxPercent": 20}})
    assert shown == [{"id": STANDARD, "taxSolution.id": "United Kingdom - VAT"}]
