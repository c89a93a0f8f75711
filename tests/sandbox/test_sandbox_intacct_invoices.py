"""An invoice at the pretend Intacct: made, read, numbered, changed, submitted, reversed and deleted."""

import pytest

from tests.sandbox.intacct_application import (
    INVOICE,
    STANDARD,
    UK_VAT,
    WORKFLOWS,
    Application,
    error_in,
    invoice,
    line,
    told,
)


def test_an_invoice_is_answered_with_a_reference_alone(application: Application) -> None:
    answer = application.send(invoice())
    assert answer.status_code == 201
    assert answer.json() == {
        "ia::result": {"key": "5001", "id": "5001", "href": "/objects/accounts-receivable/invoice/5001"},
        "ia::meta": {"totalCount": 1, "totalSuccess": 1, "totalError": 0},
    }


def test_an_invoice_is_read_whole(application: Application) -> None:
    read = application.read(application.create(description="October", term={"id": "Net 30"}))
    assert (read["key"], read["id"], read["invoiceNumber"], read["state"]) == ("5001", "5001", "SI-1001", "posted")
    assert (read["referenceNumber"], read["description"], read["term"]["id"]) == ("INV-00042", "October", "Net 30")
    assert read["customer"] == {"key": "101", "id": "CUST-001", "name": "Bramley Stores"}
    assert (read["totalTxnAmount"], read["totalTxnAmountDue"], read["totalBaseAmount"]) == ("120.00",) * 3
    assert read["currency"]["txnCurrency"] == "GBP"
    assert read["moduleKey"] == "accountsReceivable"
    assert read["webURL"] == f"{application.url}/intacct/invoices/5001"
    assert read["audit"] == {"createdDateTime": "2026-03-14T09:00:00Z", "modifiedDateTime": "2026-03-14T09:00:00Z"}
    assert read["paymentInformation"]["totalTxnAmountPaid"] == "0.00"
    assert not any(name.startswith("_") for name in read)


def test_a_line_shows_its_account_dimensions_and_tax(application: Application) -> None:
    dimensions = {"location": {"id": "NTH-MILL"}, "department": {"id": "OPS"}}
    key = application.create(lines=[line(dimensions=dimensions), line(txnAmount="12.35")])
    first, second = application.read(key)["lines"]
    assert (first["glAccount"]["id"], first["glAccount"]["name"]) == ("4000", "Sales - services")
    assert (first["dimensions"]["location"]["id"], first["dimensions"]["department"]["id"]) == ("NTH-MILL", "OPS")
    tax = first["taxEntries"][0]
    assert (tax["txnTaxAmount"], tax["taxRate"], tax["orderEntryTaxDetail"]["id"]) == ("20.00", 20, STANDARD)
    assert second["taxEntries"][0]["txnTaxAmount"] == "2.47"
    assert (first["lineNumber"], second["lineNumber"]) == (1, 2)
    assert first["key"] != second["key"]


def test_tax_that_is_sent_is_kept_as_it_was_sent(application: Application) -> None:
    taxes = [{"orderEntryTaxDetail": {"id": STANDARD}, "txnTaxAmount": "19.99"}]
    assert application.read(application.create(lines=[line(taxEntries=taxes)]))["totalTxnAmount"] == "119.99"


def test_another_currency_goes_by_its_rate(application: Application) -> None:
    currency = {"txnCurrency": "EUR", "exchangeRate": {"date": "2026-03-14", "rate": 0.86}}
    read = application.read(application.create(currency=currency))
    assert (read["totalTxnAmount"], read["totalBaseAmount"]) == ("120.00", "103.20")
    assert read["currency"]["exchangeRate"]["rate"] == 0.86


def test_several_invoices_are_read_at_once_and_missing_ones_left_out(application: Application) -> None:
    keys = [application.create(), application.create()]
    found = application.get(f"{INVOICE}/{keys[0]},{keys[1]},99").json()
    assert [each["key"] for each in found["ia::result"]] == keys
    assert found["ia::meta"]["totalCount"] == 2


def test_a_list_has_references_alone(application: Application) -> None:
    key = application.create()
    listed = application.get(INVOICE).json()["ia::result"]
    assert listed == [{"key": key, "id": key, "href": f"{INVOICE}/{key}"}]


def test_what_is_not_there_is_404(application: Application) -> None:
    for path in (f"{INVOICE}/1", "/objects/accounts-receivable/unicorn", "/objects/x", "/services/core/magic"):
        answer = application.get(path)
        assert (answer.status_code, error_in(answer)["code"]) == (404, "notFound")


def test_a_method_that_is_not_offered_is_405(application: Application) -> None:
    account = application.get("/objects/general-ledger/account").json()["ia::result"][0]["href"]
    assert application.call("DELETE", account).status_code == 405
    assert application.post("/objects/general-ledger/account", {"id": "9"}).status_code == 405
    assert application.call("PATCH", INVOICE, json={"description": "x"}).status_code == 405


# Numbers


def test_a_number_that_is_sent_is_used_ignored_or_rejected(application: Application) -> None:
    assert application.read(application.create(invoiceNumber="INV-7"))["invoiceNumber"] == "INV-7"
    application.setting("supplied_number", "ignore")
    assert application.read(application.create(invoiceNumber="INV-8"))["invoiceNumber"] == "SI-1001"
    application.setting("supplied_number", "reject")
    answer = application.send(invoice(invoiceNumber="INV-9"))
    assert answer.status_code == 422
    assert told(answer) == [("Invoice number is assigned by the document sequence.", "/invoiceNumber")]


def test_without_a_sequence_a_number_must_be_sent(application: Application) -> None:
    application.setting("sequence", "off")
    answer = application.send(invoice())
    assert (answer.status_code, told(answer)[0][0]) == (422, "Invoice number is required.")
    assert application.read(application.create(invoiceNumber="INV-00001"))["invoiceNumber"] == "INV-00001"


@pytest.mark.parametrize("status", [422, 409])
def test_a_number_in_use_is_refused(application: Application, status: int) -> None:
    application.setting("duplicate_number", status)
    application.create(invoiceNumber="INV-00001")
    answer = application.send(invoice(invoiceNumber="INV-00001"))
    assert answer.status_code == status
    last = error_in(answer)["details"][-1]
    assert last["message"] == "Another Invoice with the given value(s) INV-00001 already exists"
    assert (last["errorId"], last["correction"]) == ("BL34000061", "Use a unique value instead.")
    assert len(application.held()) == 1


def test_numbers_are_unique_in_a_company_or_for_a_customer(application: Application) -> None:
    application.create(invoiceNumber="INV-1")
    other = invoice(invoiceNumber="INV-1", customer={"id": "CUST-002"})
    assert application.send(other).status_code == 422
    application.setting("number_scope", "customer")
    assert application.send(other).status_code == 201
    assert application.send(other).status_code == 422


def test_the_sequence_passes_over_a_number_that_was_entered(application: Application) -> None:
    application.create(invoiceNumber="SI-1001")
    assert application.read(application.create())["invoiceNumber"] == "SI-1002"


def test_a_refused_invoice_takes_no_number(application: Application) -> None:
    application.send(invoice(customer={"id": "nobody"}))
    assert application.read(application.create())["invoiceNumber"] == "SI-1001"


def test_a_draft_has_its_number_when_it_is_submitted_or_at_once(application: Application) -> None:
    key = application.create(state="draft")
    assert (application.read(key)["state"], application.read(key)["invoiceNumber"]) == ("draft", None)
    answer = application.post(f"{WORKFLOWS}/submit", {"key": key})
    assert answer.json()["ia::result"]["state"] == "posted"
    assert application.read(key)["invoiceNumber"] == "SI-1001"
    application.setting("draft_number", "yes")
    assert application.read(application.create(state="draft"))["invoiceNumber"] == "SI-1002"


# Changes


def test_a_change_keeps_what_was_not_sent_and_moves_the_moment(application: Application) -> None:
    key = application.create()
    application.clock.pass_time(minutes=5)
    answer = application.change(key, description="Amended", referenceNumber="PO-9")
    assert answer.json()["ia::result"]["key"] == key
    read = application.read(key)
    assert (read["description"], read["referenceNumber"], read["invoiceNumber"]) == ("Amended", "PO-9", "SI-1001")
    assert read["audit"] == {"createdDateTime": "2026-03-14T09:00:00Z", "modifiedDateTime": "2026-03-14T09:05:00Z"}


def test_lines_are_changed_added_and_removed_one_by_one(application: Application) -> None:
    key = application.create(lines=[line(), line(memo="Goes")])
    first, second = application.read(key)["lines"]
    gone = {"key": second["key"], "ia::operation": "delete"}
    application.change(key, lines=[{"key": first["key"], "txnAmount": "50.00"}, gone, line(txnAmount="1.00")])
    read = application.read(key)
    assert [each["txnAmount"] for each in read["lines"]] == ["50.00", "1.00"]
    assert read["lines"][0]["key"] == first["key"]
    assert read["totalTxnAmount"] == "61.20"


def test_a_line_of_another_invoice_cannot_be_changed(application: Application) -> None:
    answer = application.change(application.create(), lines=[{"key": "1", "memo": "x"}])
    assert (answer.status_code, told(answer)[0][1]) == (400, "/lines/0/key")


def test_a_number_can_be_changed_to_one_that_is_free(application: Application) -> None:
    first, second = application.create(), application.create()
    assert application.change(first, invoiceNumber="SI-1001").status_code == 200
    assert application.change(second, invoiceNumber="SI-1001").status_code == 422
    assert application.change(second, invoiceNumber="FREE").status_code == 200


def test_a_state_is_never_patched(application: Application) -> None:
    answer = application.change(application.create(), state="draft")
    assert (answer.status_code, told(answer)) == (400, [("/state is a read-only field", "/state")])


def test_a_paid_invoice_keeps_its_lines_and_takes_a_description(application: Application) -> None:
    key = application.create()
    application.by_hand(f"/{key}/pay", amount="10.00")
    assert application.change(key, description="Thanks").status_code == 200
    answer = application.change(key, lines=[line()])
    assert (answer.status_code, told(answer)[0][0]) == (422, "Reverse the payments before changing lines.")


def test_an_invoice_is_reversed_once_and_then_stays(application: Application) -> None:
    key = application.create()
    body = {"key": key, "reversedDate": "2026-03-15", "memo": "Wrong client"}
    assert application.post(f"{WORKFLOWS}/reverse", body).json()["ia::result"]["state"] == "reversed"
    assert application.read(key)["totalTxnAmountDue"] == "0.00"
    assert application.post(f"{WORKFLOWS}/reverse", body).status_code == 422
    assert application.change(key, description="x").status_code == 422
    assert application.call("DELETE", f"{INVOICE}/{key}").status_code == 422


@pytest.mark.parametrize(
    ("deed", "body", "status"),
    [
        ("reverse", {"key": "5001"}, 400),
        ("reverse", {"reversedDate": "2026-03-15"}, 400),
        ("reverse", {"key": "99", "reversedDate": "2026-03-15"}, 404),
        ("submit", {"key": "5001"}, 422),
        ("submit", None, 400),
        ("explode", {"key": "5001"}, 404),
    ],
)
def test_a_workflow_that_makes_no_sense_is_refused(
    application: Application, deed: str, body: object, status: int
) -> None:
    application.create()
    assert application.post(f"{WORKFLOWS}/{deed}", body).status_code == status


def test_a_draft_or_posted_invoice_is_deleted_and_a_paid_one_is_not(application: Application) -> None:
    key, paid = application.create(), application.create()
    answer = application.call("DELETE", f"{INVOICE}/{key}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert application.get(f"{INVOICE}/{key}").status_code == 404
    application.by_hand(f"/{paid}/pay")
    assert application.call("DELETE", f"{INVOICE}/{paid}").status_code == 422
    assert application.call("DELETE", f"{INVOICE}/{key}").status_code == 404


def test_an_invoice_of_an_entity_stays_with_it(application: Application) -> None:
    answer = application.send(invoice(), X_IA_API_Param_Entity="LDN")
    key = answer.json()["ia::result"]["key"]
    read = application.read(key)
    assert (read["entity"]["id"], read["entity"]["name"]) == ("LDN", "Harbour London")
    assert read["lines"][0]["dimensions"]["location"]["id"] == "LDN"
    in_north = {"X-IA-API-Param-Entity": "NTH"}
    assert application.call("GET", f"{INVOICE}/{key}", headers=in_north).status_code == 404


def test_two_companies_see_nothing_of_each_other(application: Application) -> None:
    key = application.create()
    application.connect_as("xml_reflow@QUAY")
    assert application.get(f"{INVOICE}/{key}").status_code == 404
    assert application.read(application.create())["invoiceNumber"] == "SI-1001"


def test_the_model_tells_of_idempotency_and_fields(application: Application) -> None:
    model = application.get("/services/core/model?name=accounts-receivable/invoice").json()["ia::result"]
    assert model["idempotenceSupported"] is True
    assert model["fields"]["totalTxnAmount"]["readOnly"] is True
    assert not any(each["required"] for each in model["fields"].values())
    application.setting("idempotency", "off")
    model = application.get("/services/core/model?name=accounts-receivable/invoice").json()["ia::result"]
    assert model["idempotenceSupported"] is False
    assert application.get("/services/core/model?name=x").status_code == 404


def test_references_take_a_key_as_well_as_an_id(application: Application) -> None:
    customer = application.rows("accounts-receivable/customer", ["key"], {"$eq": {"id": "CUST-003"}})[0]["key"]
    read = application.read(application.create(customer={"key": customer}, taxSolution={"id": UK_VAT}))
    assert read["customer"]["id"] == "CUST-003"
