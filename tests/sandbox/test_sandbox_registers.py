"""The pages on which a person enters invoices, sets dates and rights, archives codes and deletes contacts."""

import html
import re

import pytest
import requests

from tests.sandbox.visitor import Visitor

ELSEWHERE = {"Origin": "https://x.example"}


def page(client: Visitor, path: str = "") -> str:
    answer = requests.get(f"{client.url}/accounting/books{path}", timeout=10)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def send(client: Visitor, path: str, headers: dict[str, str] | None = None, **form: str) -> requests.Response:
    return requests.post(f"{client.url}/accounting/books{path}", data=form, headers=headers, timeout=10)


def test_the_first_page_of_the_books_shows_the_lockdown_date_and_changes_it(client: Visitor) -> None:
    assert "No year is locked." in page(client)
    answer = send(client, "/settings", year_end_lockdown_date="2026-03-01")
    assert answer.url.startswith(f"{client.url}/accounting/books?")
    assert "Nothing dated before 1 Mar 2026" in page(client)
    assert client.books()["conditions"]["year_end_lockdown_date"] == "2026-03-01"
    assert client.books()["conditions"]["totals_must_agree"] is True


def test_the_settings_page_sets_every_condition_and_shows_it(client: Visitor) -> None:
    form = {
        "accounts_start_date": "2020-01-01",
        "year_end_lockdown_date": "2026-01-01",
        "subscription_active": "false",
        "access": "read_only",
        "totals_must_agree": "false",
        "GB_LOWER": "2026-02-28",
    }
    answer = send(client, "/settings", **form)
    assert answer.url.startswith(f"{client.url}/accounting/books/settings")
    text = page(client, "/settings")
    shown = dict(re.findall(r'<input id="([^"]+)"[^>]* value="([^"]*)"', text))
    shown |= {
        n: re.findall(r'value="(\w+)" selected', o)[0]
        for n, o in re.findall(r'<select id="(\w+)".*?>(.*?)</select>', text, re.DOTALL)
    }
    assert {name: shown[name] for name in form} == form
    assert client.books()["conditions"]["tax_rates_ended"]["GB_LOWER"] == "2026-02-28"


def test_a_setting_that_makes_no_sense_is_refused_on_a_page(client: Visitor) -> None:
    answer = send(client, "/settings", access="full", accounts_start_date="soon")
    assert answer.status_code == 422
    assert "Accounts start date: is not a valid date" in answer.text


def test_a_person_archives_an_account_and_brings_it_back(client: Visitor) -> None:
    assert 'aria-label="Archive Cleaning income (4060)"' in page(client, "/chart")
    made = client.create()
    send(client, "/chart/4060", archived="true")
    assert "4060 Cleaning income</option>" in page(client, f"/invoices/{made['id']}")
    assert "4060 Cleaning income</option>" not in page(client, "/invoices/new")
    assert 'aria-label="Bring back Cleaning income (4060)"' in page(client, "/chart")
    send(client, "/chart/4060", archived="false")
    client.create()


def test_a_person_deletes_a_contact_or_makes_it_a_supplier(client: Visitor) -> None:
    first, second = client.contact(name="Castle Hill"), client.contact(name="Mill Lane")
    assert 'aria-label="Make Mill Lane a supplier"' in page(client, "/contacts")
    send(client, f"/contacts/{second}", state="VENDOR")
    assert 'aria-label="Make Mill Lane a customer"' in page(client, "/contacts")
    assert "Castle Hill" not in send(client, f"/contacts/{first}", state="deleted").text
    assert send(client, f"/contacts/{first}", state="deleted").status_code == 404
    assert 'aria-label="Delete HMRC Payments (HMRC Pay)"' not in page(client, "/contacts")


def test_products_and_services_have_a_page(client: Visitor) -> None:
    assert "There is no product in these books yet." in page(client, "/items")
    accounts = {"sales_ledger_account_id": client.account(4060), "purchase_ledger_account_id": client.account(5010)}
    client.post("/products", {"product": {"description": "Gutter guard", "item_code": "GUARD", **accounts}})
    text = page(client, "/items")
    assert all(words in text for words in ("GUARD", "Gutter guard", "4060", "5010"))


def test_a_person_enters_an_invoice_with_a_number_of_their_own(client: Visitor) -> None:
    assert "New invoice" in page(client)
    line = {"description-0": "Letting", "unit_price-0": "1,000", "quantity-0": "1", "tax_rate_id-0": "GB_STANDARD"}
    account = {"ledger_account_id-0": client.account(4030)}
    answer = send(client, "/invoices/new", contact_name="Castle Hill", number="INV-00042", **line, **account)
    assert "Invoice INV-00042" in answer.text
    held = client.books()["invoices"][0]
    assert (held["contact_name"], held["total_amount"], len(held["lines"])) == ("Castle Hill", "1200.0", 1)
    customer = {"contact_id": held["contact_id"]}
    assert "Castle Hill" in page(client, "/invoices/new")
    assert "Invoice SI-1" in send(client, "/invoices/new", **customer, **line, **account).text


def test_an_entry_that_is_refused_keeps_what_was_typed(client: Visitor) -> None:
    answer = send(client, "/invoices/new", contact_name="Castle Hill", number="INV-7", **{"quantity-0": "several"})
    assert answer.status_code == 422
    assert "Quantity: is not a number" in answer.text
    assert "Description: This field is required." in answer.text
    assert 'value="INV-7"' in answer.text
    assert 'value="several"' in answer.text
    assert client.books()["invoices"] == []


@pytest.mark.parametrize("path", ["/settings", "/chart/4060", "/contacts/any", "/invoices/new"])
def test_a_form_of_another_sites_page_changes_nothing(client: Visitor, path: str) -> None:
    before = client.books()
    assert send(client, path, ELSEWHERE, archived="true", access="none", state="deleted").status_code == 403
    assert client.books() == before


@pytest.mark.parametrize("path", ["/_books", "/_books/invoices"])
def test_the_controls_take_no_order_from_another_sites_page(client: Visitor, path: str) -> None:
    assert requests.post(f"{client.url}{path}", json={}, headers=ELSEWHERE, timeout=10).status_code == 403
    assert requests.post(f"{client.url}{path}", data="{", timeout=10).status_code == 400
    assert requests.post(f"{client.url}{path}", json={"business": "Nobody"}, timeout=10).status_code == 400
