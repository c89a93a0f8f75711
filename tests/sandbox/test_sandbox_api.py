"""Lists, settings, contacts and the way into the API."""

import pytest
import requests

from tests.sandbox.visitor import HARBOUR, LETTINGS, Visitor


def test_every_answer_names_the_business_and_carries_a_request_id(client: Visitor) -> None:
    answer = client.get("/tax_rates")
    assert answer.headers["X-Business"] == client.business
    assert answer.headers["x-request-id"]
    for path in ("/businesses", "/user", f"/businesses/{client.business}"):
        assert "X-Business" not in client.get(path).headers
    assert requests.get(f"{client.url}/accounting/v3.1/user", timeout=10).headers["x-request-id"]


def test_without_the_header_the_lead_business_is_meant(stranger: Visitor) -> None:
    stranger.connect(HARBOUR, LETTINGS)
    stranger.business = ""
    assert stranger.get("/tax_rates").headers["X-Business"] == stranger.ids[HARBOUR]


@pytest.mark.parametrize("business", ["f" * 32, "not allowed"])
def test_an_unknown_or_forbidden_business_is_403(client: Visitor, business: str) -> None:
    answer = client.call("GET", "/tax_rates", headers={"X-Business": business})
    assert answer.status_code == 403
    assert answer.json()[0]["$dataCode"] == "MultiUserAccessDenied"


def test_errors_are_arrays(client: Visitor) -> None:
    expected = {
        client.get("/nothing-here").status_code: 404,
        client.get(f"/sales_invoices/{'0' * 32}").status_code: 404,
        client.call("PUT", "/tax_rates", json={}).status_code: 405,
        client.call("POST", "/contacts", data="name=x").status_code: 415,
        client.call("POST", "/contacts", data="{", headers={"Content-Type": "application/json"}).status_code: 400,
    }
    assert all(found == wanted for found, wanted in expected.items())
    problem = client.get(f"/sales_invoices/{'0' * 32}").json()[0]
    assert set(problem) == {"$severity", "$dataCode", "$message", "$source"}
    assert problem["$dataCode"] == "RecordNotFound"


def test_a_readonly_grant_can_read_and_not_write(stranger: Visitor) -> None:
    stranger.keep(stranger.exchange(stranger.code(scope="readonly")).json())
    assert stranger.get("/contacts").status_code == 200
    assert stranger.post("/contacts", {"contact": {}}).status_code == 403


def test_the_business_shows_its_active_subscription(client: Visitor) -> None:
    business = client.get(f"/businesses/{client.business}").json()
    assert business["subscriptions"][0]["active"] is True
    assert business["country"]["id"] == "GB"


def test_the_chart_has_codes_and_knows_what_is_visible_where(client: Visitor) -> None:
    everything = client.get("/ledger_accounts", attributes="all", items_per_page="200").json()["$items"]
    assert 55 <= len(everything) <= 80
    sales = client.get("/ledger_accounts", visible_in="sales", attributes="all", items_per_page="200").json()["$items"]
    assert {each["ledger_account_group"]["id"] for each in sales} == {"INCOME"}
    fees = next(each for each in sales if each["nominal_code"] == 4020)
    assert fees["displayed_as"] == "Property management fees (4020)"
    assert fees["visible_in_sales"] is True
    archived = [each for each in everything if not each["included_in_chart"]]
    assert archived
    assert not any(each["visible_in_sales"] for each in archived)
    expenses = client.get("/ledger_accounts", visible_in="expenses", items_per_page="200").json()
    assert 0 < expenses["$total"] < len(everything)


def test_the_chart_can_be_searched_by_name_and_code(client: Visitor) -> None:
    by_name = client.get("/ledger_accounts", search="letting").json()["$items"]
    by_code = client.get("/ledger_accounts", search="4030").json()["$items"]
    assert by_name == by_code
    assert set(by_name[0]) == {"id", "displayed_as", "$path"}


def test_two_businesses_have_accounts_of_their_own(stranger: Visitor) -> None:
    stranger.connect(HARBOUR, LETTINGS)
    here = stranger.account(4000)
    stranger.business = stranger.ids[LETTINGS]
    assert stranger.account(4000) != here
    assert stranger.get(f"/ledger_accounts/{here}").status_code == 404


def test_tax_rates_are_the_uk_ones_with_percentages_as_text(client: Visitor) -> None:
    rates = client.get("/tax_rates", usage="sales", attributes="all").json()["$items"]
    assert {each["id"]: each["percentage"] for each in rates} == {
        "GB_STANDARD": "20.0",
        "GB_LOWER": "5.0",
        "GB_ZERO": "0.0",
        "GB_EXEMPT": "0.0",
        "GB_NO_TAX": "0.0",
    }
    assert client.get("/tax_rates/GB_STANDARD").json()["displayed_as"] == "Standard 20.00%"


def test_settings_and_statuses_are_there(client: Visitor) -> None:
    settings = client.get("/invoice_settings").json()
    assert (settings["next_invoice_number"], settings["sales_invoice_number_prefix"]) == (1, "SI-")
    assert client.get("/financial_settings").json()["base_currency"]["id"] == "GBP"
    assert "PART_PAID" in {each["id"] for each in client.get("/artefact_statuses").json()["$items"]}


def test_lists_page_with_relative_links_and_the_last_page_for_ever(client: Visitor) -> None:
    first = client.get("/ledger_accounts", items_per_page="25", visible_in="reporting").json()
    assert first["$itemsPerPage"] == 25
    assert first["$back"] is None
    assert first["$next"].startswith("/ledger_accounts?page=2&items_per_page=25")
    assert "visible_in=reporting" in first["$next"]
    last = client.get("/ledger_accounts", items_per_page="25", page="3").json()
    beyond = client.get("/ledger_accounts", items_per_page="25", page="99").json()
    assert beyond == last
    assert last["$next"] is None
    assert last["$items"]
    assert client.get("/ledger_accounts").json()["$itemsPerPage"] == 20
    assert client.get("/ledger_accounts", items_per_page="9999").json()["$itemsPerPage"] == 200


def test_a_contact_is_made_and_found_by_name_reference_and_email(client: Visitor) -> None:
    person = {"name": "Ada Poole", "email": "ada@bramley.example"}
    address = {"address_line_1": "4 Mill Lane", "city": "Leeds", "postal_code": "LS1 4AB"}
    id = client.contact(reference="BRAM1", main_contact_person=person, main_address=address)
    shown = client.get(f"/contacts/{id}").json()
    assert shown["displayed_as"] == "Bramley Stores (BRAM1)"
    assert shown["email"] == "ada@bramley.example"
    for query in ({"search": "bramley"}, {"search": "BRAM1"}, {"email": "ADA@bramley.example"}):
        found = client.get("/contacts", attributes="name,reference,email", **query).json()["$items"]
        assert [(each["id"], each["reference"]) for each in found] == [(id, "BRAM1")]
    everything = client.get("/contacts", attributes="all", contact_type_id="CUSTOMER").json()["$items"]
    assert everything[0]["main_address"]["city"] == "Leeds"
    assert client.get("/contacts", exclude_system="true").json()["$total"] == 2


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"contact_type_ids": None}, "contact_type_ids"),
        ({"contact_type_ids": ["CUSTOMER", "VENDOR"]}, "contact_type_ids"),
        ({"reference": "12345678901"}, "reference"),
        ({"main_contact_person": {"email": "x" * 101}}, "main_contact_person.email"),
    ],
)
def test_a_contact_that_sage_would_refuse_is_refused(client: Visitor, fields: dict[str, object], source: str) -> None:
    answer = client.post("/contacts", {"contact": {"name": "A", "contact_type_ids": ["CUSTOMER"], **fields}})
    assert answer.status_code == 422
    assert [each["$source"] for each in answer.json()] == [source]


def test_a_contacts_reference_stays_taken_after_it_is_deleted(client: Visitor) -> None:
    id = client.contact(reference="BRAM1")
    assert client.call("DELETE", f"/contacts/{id}").status_code == 204
    assert client.get(f"/contacts/{id}").status_code == 404
    again = client.post("/contacts", {"contact": {"name": "B", "contact_type_ids": ["CUSTOMER"], "reference": "BRAM1"}})
    assert again.status_code == 422
    assert again.json()[0]["$source"] == "reference"
    deleted = client.get("/contacts", deleted_since="2026-01-01").json()["$items"]
    assert [each["id"] for each in deleted] == [id]


def test_a_contact_sent_twice_with_one_key_is_one_contact(client: Visitor) -> None:
    body = {"contact": {"name": "A", "contact_type_ids": ["CUSTOMER"], "idempotency_id": "a" * 32}}
    first, second = client.post("/contacts", body), client.post("/contacts", body)
    assert first.json() == second.json()
    assert second.status_code == 201
