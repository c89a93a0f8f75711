"""What a person in Sage can set, and what the API then refuses."""

from typing import Any

import pytest

from tests.sandbox.visitor import HARBOUR, LETTINGS, Visitor

DENIED = "The current user is not allowed to access that resource with that method."


def refusals(client: Visitor, **changes: Any) -> list[tuple[str, str]]:
    answer = client.post("/sales_invoices", client.invoice_body(**changes))
    assert answer.status_code == 422, answer.text
    return [(each["$source"], each["$message"]) for each in answer.json()]


def test_nothing_is_entered_or_changed_before_the_lockdown_date(client: Visitor) -> None:
    made, draft = client.create(date="2026-02-28"), client.create(date="2026-02-28", status_id="DRAFT")
    client.set_books(year_end_lockdown_date="2026-03-01")
    words = "You cannot record entries prior to your Year End Lockdown Date of 01/03/2026."
    assert refusals(client, date="2026-02-28") == [("date", words)]
    path = f"/sales_invoices/{made['id']}"
    for answer in (
        client.call("PUT", path, json={"sales_invoice": {"reference": "R2"}}),
        client.call("PUT", path, json={"sales_invoice": {"date": "2026-03-02"}}),
        client.call("DELETE", path, params={"void_reason": "Twice"}),
        client.call("POST", f"/sales_invoices/{draft['id']}/release"),
    ):
        assert (answer.status_code, answer.json()[0]["$message"]) == (422, words)
    client.create(date="2026-03-01")
    assert client.get("/financial_settings").json()["year_end_lockdown_date"] == "2026-03-01"
    client.set_books(year_end_lockdown_date="")
    client.create(date="2026-02-28")


def test_nothing_is_entered_before_the_accounts_start(client: Visitor) -> None:
    client.set_books(accounts_start_date="2026-01-01")
    words = "You cannot record entries prior to your Accounts Start Date of 01/01/2026."
    assert refusals(client, date="2025-12-31") == [("date", words)]
    assert client.get("/financial_settings").json()["accounts_start_date"] == "2026-01-01"


def test_an_archived_account_is_gone_from_sales_until_it_is_brought_back(client: Visitor) -> None:
    def offered() -> int:
        return int(client.get("/ledger_accounts", visible_in="sales", search="4060").json()["$total"])

    client.set_books(archived={"4060": True})
    words = "is not a ledger account that is visible in sales"
    assert refusals(client) == [("line_items.ledger_account_id", words)]
    assert offered() == 0
    client.set_books(archived={"4060": False})
    client.create()
    assert offered() == 1


def test_an_account_archived_from_the_start_can_be_brought_back(client: Visitor) -> None:
    client.set_books(archived={"4100": False})
    assert client.get("/ledger_accounts", visible_in="sales", search="4100").json()["$total"] == 1


def test_a_tax_rate_is_good_until_its_last_day(client: Visitor) -> None:
    client.set_books(tax_rates_ended={"GB_STANDARD": "2026-03-01"})
    words = "is not in use on the date of the invoice"
    assert refusals(client, date="2026-03-02") == [("line_items.tax_rate_id", words)]
    client.create(date="2026-03-01")
    assert "GB_STANDARD" not in {each["id"] for each in client.get("/tax_rates").json()["$items"]}
    for query in ({"date": "2026-03-01"}, {"include_historical_data": "true"}):
        assert client.get("/tax_rates", **query).json()["$total"] == 5
    shown = client.get("/tax_rates/GB_STANDARD").json()
    assert (shown["is_visible"], shown["percentages"][0]["to_date"]) == (False, "2026-03-01")
    client.set_books(tax_rates_ended={"GB_STANDARD": None})
    client.create(date="2026-03-02")


@pytest.mark.parametrize("state", ["deleted", "VENDOR"])
def test_a_contact_deleted_or_of_the_wrong_type_is_no_customer(client: Visitor, state: str) -> None:
    contact = client.contact(reference="BRAM1")
    client.set_books(contacts={contact: state})
    assert refusals(client, contact_id=contact) == [("", "can't find customer")]
    again = client.post("/contacts", {"contact": {"name": "B", "contact_type_ids": ["CUSTOMER"], "reference": "BRAM1"}})
    assert [each["$source"] for each in again.json()] == ["reference"]


def test_without_a_subscription_every_call_is_401_though_the_token_is_good(client: Visitor) -> None:
    body = client.invoice_body()
    client.set_books(subscription_active=False)
    for answer in (client.post("/sales_invoices", body), client.get("/contacts")):
        problem = answer.json()[0]
        assert (answer.status_code, problem["$dataCode"]) == (401, "AuthorizationFailure")
        assert problem["$message"] == "No active subscription. (MSE)"
    assert (
        client.get("/businesses", attributes="subscriptions").json()["$items"][0]["subscriptions"][0]["active"] is False
    )
    assert client.get(f"/businesses/{client.business}").json()["subscriptions"][0]["active"] is False
    client.set_books(subscription_active=True)
    assert client.post("/sales_invoices", body).status_code == 201


@pytest.mark.parametrize(("access", "reading"), [("read_only", 200), ("none", 403)])
def test_without_access_it_is_403(client: Visitor, access: str, reading: int) -> None:
    body = client.invoice_body()
    client.set_books(access=access)
    answer = client.post("/sales_invoices", body)
    problem = answer.json()[0]
    assert (answer.status_code, problem["$dataCode"]) == (403, "MultiUserAccessDenied")
    assert (problem["$message"], problem["$source"]) == (DENIED, "")
    assert client.get("/contacts").status_code == reading
    assert client.get("/businesses").status_code == 200


@pytest.mark.parametrize("name", ["net_amount", "tax_amount", "total_amount"])
def test_totals_that_do_not_agree_with_the_lines_are_refused_while_the_switch_says_so(
    client: Visitor, name: str
) -> None:
    sums = {"net_amount": "37.50", "tax_amount": "7.50", "total_amount": "45.00"}
    client.create(**sums)
    found = refusals(client, **{**sums, name: "44.99"})
    assert found == [(name, f"does not agree with the lines, which come to {sums[name]}")]
    client.set_books(totals_must_agree=False)
    assert client.create(**{**sums, name: "44.99"})["total_amount"] == "45.0"


def test_conditions_belong_to_one_organisation_and_end_with_its_books(stranger: Visitor) -> None:
    stranger.connect(HARBOUR, LETTINGS)
    answer = stranger.set_books(business=LETTINGS, access="none")
    assert (answer.json()["name"], answer.json()["conditions"]["access"]) == (LETTINGS, "none")
    stranger.create()
    stranger.business = stranger.ids[LETTINGS]
    assert stranger.get("/contacts").status_code == 403


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"colour": 1}, "colour"),
        ({"access": "some"}, "access"),
        ({"subscription_active": "no"}, "subscription_active"),
        ({"year_end_lockdown_date": "soon"}, "year_end_lockdown_date"),
        ({"accounts_start_date": ""}, "accounts_start_date"),
        ({"archived": {"9999": True}}, "archived.9999"),
        ({"archived": {"4000": "yes"}}, "archived.4000"),
        ({"tax_rates_ended": {"GB_STANDARD": "soon"}}, "tax_rates_ended.GB_STANDARD"),
    ],
)
def test_a_condition_that_makes_no_sense_changes_nothing(client: Visitor, changes: dict[str, Any], source: str) -> None:
    before = client.books()["conditions"]
    answer = client.set_books(**{"totals_must_agree": False, **changes})
    assert (answer.status_code, [each["$source"] for each in answer.json()]) == (422, [source])
    assert client.books()["conditions"] == before


# Invoices entered by hand


def test_a_number_taken_by_a_colleague_is_a_conflict_for_the_application(client: Visitor) -> None:
    entered = client.by_hand(contact_name="Castle Hill", number="INV-00042", date="2026-03-10")
    assert entered.status_code == 201
    held = entered.json()
    assert (held["number"], held["contact_name"], held["date"]) == ("INV-00042", "Castle Hill", "2026-03-10")
    assert (held["total_amount"], held["lines"][0]["nominal_code"]) == ("120.0", 4000)
    ours = {"invoice_number_prefix": "INV-", "invoice_number": "00042"}
    assert [source for source, _ in refusals(client, **ours)] == ["invoice_number"]


def test_a_colleague_enters_lines_for_a_customer_that_is_there_already(client: Visitor) -> None:
    contact = client.contact(name="Castle Hill")
    line = {
        "description": "Letting",
        "quantity": "2",
        "unit_price": "10",
        "nominal_code": 4030,
        "tax_rate_id": "GB_ZERO",
    }
    by_name = client.by_hand(contact_name="Castle Hill", prefix="INV-", number="7", lines=[line], reference="R").json()
    by_id = client.by_hand(contact_id=contact).json()
    assert by_name["contact_id"] == by_id["contact_id"] == contact
    assert (by_name["number"], by_name["total_amount"], by_name["reference"]) == ("INV-7", "20.0", "R")
    assert by_name["lines"][0]["nominal_code"] == 4030
    assert (by_id["number"], by_id["date"]) == ("SI-1", "2026-03-14")


def test_an_entry_that_is_refused_leaves_no_customer_behind(client: Visitor) -> None:
    client.by_hand(contact_name="Castle Hill", number="INV-1")
    answer = client.by_hand(contact_name="Somebody New", number="INV-1")
    assert (answer.status_code, answer.json()[0]["$source"]) == (422, "invoice_number")
    assert "Somebody New" not in {each["name"] for each in client.books()["contacts"]}
    assert client.by_hand(number="INV-2").json()[0]["$source"] == "name"


def test_a_draft_released_gets_the_next_number_and_not_the_one_it_was_sent_with(client: Visitor) -> None:
    ours = {"invoice_number_prefix": "INV-", "invoice_number": "00042"}
    draft = client.create(status_id="DRAFT", **ours)
    assert draft["invoice_number"] == "INV-DRAFT"
    released = client.call("POST", f"/sales_invoices/{draft['id']}/release").json()
    assert released["invoice_number"] == "INV-1"
    assert client.create(**ours)["invoice_number"] == "INV-00042"
