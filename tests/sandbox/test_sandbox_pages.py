"""The pages of the books: what a person sees, amends, pays and voids there."""

import html
import re
from typing import Any

import pytest
import requests

from tests.sandbox.visitor import HARBOUR, LETTINGS, Visitor


def page(client: Visitor, path: str = "") -> str:
    answer = requests.get(f"{client.url}/accounting/books{path}", timeout=10)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def do(client: Visitor, id: str, deed: str, **form: str) -> requests.Response:
    url = f"{client.url}/accounting/books/invoices/{id}/{deed}"
    return requests.post(url, data=form, timeout=10)


def held(client: Visitor) -> dict[str, Any]:
    return dict(client.books()["invoices"][0])


def form_of(client: Visitor, id: str) -> dict[str, str]:
    """The amend form exactly as the page offers it."""
    text = page(client, f"/invoices/{id}").split("<h2>Amend</h2>")[1]
    fields = dict(re.findall(r'<input id="[^"]*" name="([^"]+)"[^>]* value="([^"]*)"', text))
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]+)">(.*?)</select>', text, re.DOTALL):
        fields[name] = re.findall(r'value="([^"]+)" selected', options)[0]
    fields.pop("void_reason", None)
    return fields


def test_an_invoice_stands_in_the_books_as_created(client: Visitor) -> None:
    made = client.create()
    text = page(client)
    assert "SI-1" in text
    assert "Created" in text
    assert "14 Mar 2026" in text
    assert "45.00" in text
    assert "Nothing here is real accounting." in text
    alone = page(client, f"/invoices/{made['id']}")
    assert "4060 Cleaning income" in alone
    assert "£45.00" in alone


def test_each_organisation_has_books_of_its_own(stranger: Visitor) -> None:
    stranger.connect(HARBOUR, LETTINGS)
    stranger.business = stranger.ids[LETTINGS]
    stranger.create()
    assert "No invoice has arrived" in page(stranger)
    assert "SI-1" in page(stranger, f"?business={stranger.ids[LETTINGS]}")


def test_saving_the_form_untouched_changes_nothing(client: Visitor) -> None:
    made = client.create()
    before = held(client)
    assert do(client, made["id"], "amend", **form_of(client, made["id"])).status_code == 200
    assert held(client) == before


def test_a_person_amends_a_line_and_the_sums_follow(client: Visitor) -> None:
    made = client.create()
    code = client.account(4020)
    form = {"description-0": "Gutters", "ledger_account_id-0": code, "quantity-0": "2", "unit_price-0": "1,000.50"}
    answer = do(client, made["id"], "amend", **form, **{"tax_rate_id-0": "GB_LOWER", "reference": "Changed"})
    assert "£2,101.05" in answer.text
    invoice = held(client)
    assert (invoice["reference"], invoice["tax_amount"], invoice["total_amount"]) == ("Changed", "100.05", "2101.05")
    line = invoice["lines"][0]
    assert (line["description"], line["nominal_code"], line["quantity"]) == ("Gutters", 4020, "2.0")
    assert line["id"] == made["invoice_lines"][0]["id"]


def test_an_amendment_that_is_refused_keeps_what_was_typed(client: Visitor) -> None:
    made = client.create()
    answer = do(client, made["id"], "amend", **{"quantity-0": "several", "reference": "R" * 26})
    assert answer.status_code == 422
    assert "Quantity: is not a number" in answer.text
    assert 'value="several"' in answer.text
    assert held(client)["reference"] == "INV-00042"


def test_a_person_pays_in_parts_and_takes_a_payment_back(client: Visitor) -> None:
    made = client.create()
    do(client, made["id"], "pay", amount="20.00")
    assert (held(client)["status_shown"], held(client)["outstanding_amount"]) == ("Part paid", "25.0")
    do(client, made["id"], "pay", amount="25")
    assert (held(client)["status_shown"], held(client)["total_paid"]) == ("Paid", "45.0")
    seen = client.get(f"/sales_invoices/{made['id']}", show_payments_allocations="true").json()
    assert (seen["status"]["id"], seen["last_paid"], len(seen["payments_allocations"])) == ("PAID", "2026-03-14", 2)
    do(client, made["id"], "unpay", payment=held(client)["payments"][0]["id"])
    assert held(client)["status_shown"] == "Part paid"


@pytest.mark.parametrize("amount", ["0", "-1", "45.01", "1.001", "much"])
def test_an_impossible_payment_is_refused_in_words(client: Visitor, amount: str) -> None:
    made = client.create()
    answer = do(client, made["id"], "pay", amount=amount)
    assert answer.status_code == 422
    assert "Enter an amount between 0.01 and 45.00." in answer.text
    assert held(client)["payments"] == []


def test_a_person_voids_with_a_reason_and_not_while_it_is_paid(client: Visitor) -> None:
    made = client.create()
    assert do(client, made["id"], "void", void_reason=" ").status_code == 422
    do(client, made["id"], "pay", amount="45")
    assert do(client, made["id"], "void", void_reason="Twice").status_code == 422
    do(client, made["id"], "unpay", payment=held(client)["payments"][0]["id"])
    assert "Void because" in do(client, made["id"], "void", void_reason="Twice").text
    assert (held(client)["status_shown"], held(client)["void_reason"]) == ("Void", "Twice")
    assert do(client, made["id"], "amend", reference="no").status_code == 422


def test_a_draft_is_released_or_deleted_by_a_person(client: Visitor) -> None:
    first, second = client.create(status_id="DRAFT"), client.create(status_id="DRAFT")
    assert "Invoice SI-1" in do(client, first["id"], "release").text
    assert "SI-DRAFT" not in do(client, second["id"], "void").text


def test_a_change_made_by_a_person_is_seen_through_the_api(client: Visitor) -> None:
    made = client.create()
    client.clock.pass_time(minutes=1)
    do(client, made["id"], "amend", reference="Seen")
    found = client.get("/sales_invoices", updated_or_created_since="2026-03-14T09:01:00Z").json()["$items"]
    assert [each["id"] for each in found] == [made["id"]]


def test_contacts_and_the_chart_have_pages(client: Visitor) -> None:
    client.contact(name="Castle & Hill", reference="CASTLE")
    assert "Castle & Hill" in page(client, "/contacts")
    assert "CASTLE" in page(client, "/contacts")
    chart = page(client, "/chart")
    assert "Property management fees" in chart
    assert "Archived" in chart


def test_what_is_typed_never_becomes_markup(client: Visitor) -> None:
    made = client.create(contact_name="<script>alert(1)</script>")
    raw = requests.get(f"{client.url}/accounting/books/invoices/{made['id']}", timeout=10)
    assert "<script" not in raw.text
    assert raw.headers["Content-Security-Policy"] == "default-src 'self'; frame-ancestors 'none'"


def test_a_form_of_another_sites_page_changes_nothing(client: Visitor) -> None:
    made = client.create()
    url = f"{client.url}/accounting/books/invoices/{made['id']}/void"
    answer = requests.post(url, data={"void_reason": "x"}, headers={"Origin": "https://x.example"}, timeout=10)
    assert answer.status_code == 403
    assert held(client)["status"] == "UNPAID"


@pytest.mark.parametrize("path", ["/invoices/none", "?business=none"])
def test_what_is_not_there_is_a_page_that_says_so(client: Visitor, path: str) -> None:
    answer = requests.get(f"{client.url}/accounting/books{path}", timeout=10)
    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_the_front_page_leads_to_the_books(client: Visitor) -> None:
    assert 'href="/accounting/books"' in requests.get(client.url, timeout=10).text
