"""The pages of Intacct's books: what a person sees, enters, amends, pays and reverses there, and sets in a company."""

import html
import re
from typing import Any

import pytest
import requests

from tests.sandbox.visitor import Visitor

STANDARD = "UK Sale Goods/Services Standard Rate"
REDUCED = "UK Sale Goods/Services Reduced Rate"


def page(sandbox: Visitor, path: str = "/", **query: str) -> str:
    answer = requests.get(f"{sandbox.url}/intacct{path}", params=query, timeout=10)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def send(sandbox: Visitor, path: str, company: str = "HARBOUR", **form: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/intacct{path}", params={"company": company}, data=form, timeout=10)


def do(sandbox: Visitor, key: str, deed: str, **form: str) -> requests.Response:
    return send(sandbox, f"/invoices/{key}/{deed}", **form)


def enter(sandbox: Visitor, company: str = "HARBOUR", **changes: str) -> str:
    """Raises an invoice by hand on its page; the new key."""
    form = {"customer": "CUST-001", "date": "2026-03-14", "due": "2026-04-13", "reference": "INV-00042"}
    line = {"memo-0": "Gutter cleaning", "account-0": "4060", "amount-0": "37.50", "tax_detail-0": STANDARD}
    answer = send(sandbox, "/invoices/new", company, **{**form, **line, **changes})
    assert answer.status_code == 200, answer.text
    return re.search(r"/invoices/(\d+)", answer.url)[1]


def company_books(sandbox: Visitor, company: str = "HARBOUR") -> dict[str, Any]:
    companies = requests.get(f"{sandbox.url}/_books", timeout=10).json()["intacct"]["companies"]
    return next(each for each in companies if each["id"] == company)


def held(sandbox: Visitor, key: str, company: str = "HARBOUR") -> dict[str, Any]:
    return next(each for each in company_books(sandbox, company)["invoices"] if each["key"] == key)


def form_of(sandbox: Visitor, path: str) -> dict[str, str]:
    """The last form of a page with fields, exactly as the page offers it."""
    answer = requests.get(f"{sandbox.url}/intacct{path}", timeout=10).text
    text = next(each for each in answer.split("<form")[::-1] if "Save" in each)
    fields = dict(re.findall(r'<input id="[^"]*" name="([^"]+)"[^>]* value="([^"]*)"', text))
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]+)">(.*?)</select>', text, re.DOTALL):
        fields[name] = re.findall(r'value="([^"]*)" selected', options)[0]
    return {name: html.unescape(value) for name, value in fields.items()}


def test_an_invoice_entered_by_hand_stands_in_the_list_and_on_its_page(stranger: Visitor) -> None:
    key = enter(stranger, entity="LDN")
    text = page(stranger)
    for shown in ("SI-1001", "Posted", "INV-00042", "Bramley Stores", "14 Mar 2026", "LDN", "45.00"):
        assert shown in text
    alone = page(stranger, f"/invoices/{key}")
    for shown in ("Invoice SI-1001", "4060 Cleaning income", STANDARD, "Harbour London", "GBP 45.00", "7.50"):
        assert shown in alone


def test_every_page_says_which_product_it_pretends(stranger: Visitor) -> None:
    key = enter(stranger)
    for path in ("/", f"/invoices/{key}", "/invoices/new", "/customers", "/accounts", "/accounts/4000", "/settings"):
        text = page(stranger, path)
        assert "Sage Intacct (pretend)</title>" in text
        assert "Nothing here is real accounting." in text


def test_the_front_page_offers_both_platforms_and_who_can_sign_in(stranger: Visitor) -> None:
    text = requests.get(stranger.url, timeout=10).text
    assert 'href="/accounting/books"' in text and 'href="/intacct/"' in text
    assert "bookkeeper@harbour.example" in text and "<code>QUAY</code>" in text


def test_each_company_has_books_of_its_own(stranger: Visitor) -> None:
    enter(stranger, "QUAY", reference="FOR-QUAY")
    assert "No invoice has arrived in these books yet." in page(stranger)
    assert "FOR-QUAY" in page(stranger, company="QUAY")
    assert "Harbour London" not in page(stranger, company="QUAY")
    assert "Quay Services" in page(stranger, f"/invoices/{company_books(stranger, 'QUAY')['invoices'][0]['key']}")


def test_the_list_shows_one_entitys_invoices_when_asked(stranger: Visitor) -> None:
    enter(stranger, entity="LDN", reference="LONDON")
    enter(stranger, reference="ABOVE")
    assert "LONDON" in page(stranger) and "ABOVE" in page(stranger)
    london, top, north = (page(stranger, entity=each) for each in ("LDN", "top", "NTH"))
    assert "LONDON" in london and "ABOVE" not in london
    assert "ABOVE" in top and "LONDON" not in top
    assert "No invoice has arrived here yet." in north


def test_saving_the_amend_form_untouched_changes_nothing(stranger: Visitor) -> None:
    key = enter(stranger, entity="NTH", **{"department-0": "OPS"})
    before = held(stranger, key)
    assert do(stranger, key, "amend", **form_of(stranger, f"/invoices/{key}")).status_code == 200
    assert {**held(stranger, key), "audit": None} == {**before, "audit": None}


def test_a_person_recodes_a_line_and_the_sums_follow(stranger: Visitor) -> None:
    key = enter(stranger)
    line = {"memo-0": "Gutters", "account-0": "4050", "amount-0": "1,000.50", "tax_detail-0": REDUCED}
    answer = do(stranger, key, "amend", reference="Changed", **line, **{"department-0": "PROP"})
    assert "GBP 1,050.53" in answer.text
    invoice = held(stranger, key)
    kept = invoice["lines"][0]
    assert (invoice["referenceNumber"], invoice["totalTxnAmount"], kept["memo"]) == ("Changed", "1050.53", "Gutters")
    assert (kept["glAccount"]["id"], kept["dimensions"]["department"]["id"]) == ("4050", "PROP")


def test_an_emptied_reference_and_department_are_gone(stranger: Visitor) -> None:
    key = enter(stranger, **{"department-0": "PROP"})
    do(stranger, key, "amend", reference="", **{"department-0": ""})
    invoice = held(stranger, key)
    assert (invoice["referenceNumber"], invoice["lines"][0]["dimensions"]["department"]) == ("", None)


def test_an_amendment_that_is_refused_keeps_what_was_typed(stranger: Visitor) -> None:
    key = enter(stranger)
    answer = do(stranger, key, "amend", **{"amount-0": "several", "memo-0": "Kept?"})
    assert answer.status_code == 400
    assert "several is not an amount" in answer.text
    assert 'value="several"' in answer.text and 'value="Kept?"' in answer.text
    assert held(stranger, key)["lines"][0]["memo"] == "Gutter cleaning"


def test_an_invoice_of_an_entity_stays_in_its_location(stranger: Visitor) -> None:
    key = enter(stranger, entity="LDN")
    answer = do(stranger, key, "amend", **{"location-0": "NTH"})
    assert answer.status_code == 422
    assert "Location must be LDN." in answer.text


def test_a_refused_entry_says_why_and_keeps_what_was_typed(stranger: Visitor) -> None:
    form = {"customer": "CUST-010", "date": "2026-03-14", "due": "2026-04-13", "reference": "TYPED"}
    answer = send(stranger, "/invoices/new", **form, **{"amount-0": "10", "account-0": "4020"})
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    assert "Customer 'CUST-010' is on hold." in text
    assert "missing the Department dimension for the Account 4020" in text
    assert "Could not create" not in text
    assert 'value="TYPED"' in text
    empty = send(stranger, "/invoices/new", **form)
    assert empty.status_code == 422
    assert "Enter an amount on at least one line." in empty.text


def test_a_draft_is_submitted_or_deleted(stranger: Visitor) -> None:
    first, second = enter(stranger, draft="true"), enter(stranger, draft="true", reference="SECOND")
    assert f"Draft {first}" in page(stranger)
    assert "Invoice SI-1001" in do(stranger, first, "submit").text
    assert held(stranger, first)["state"] == "posted"
    assert "SECOND" not in do(stranger, second, "delete").text


def test_a_person_pays_in_parts_and_takes_a_payment_back(stranger: Visitor) -> None:
    key = enter(stranger)
    assert "Partially paid" in do(stranger, key, "pay", amount="20.00").text
    assert "Lines can be changed once the payments are removed." in page(stranger, f"/invoices/{key}")
    do(stranger, key, "pay", amount="25")
    assert (held(stranger, key)["state"], held(stranger, key)["totalTxnAmountDue"]) == ("paid", "0.00")
    payment = re.search(r'name="payment" value="([^"]+)"', page(stranger, f"/invoices/{key}"))[1]
    do(stranger, key, "unpay", payment=payment)
    assert (held(stranger, key)["state"], held(stranger, key)["totalTxnAmountDue"]) == ("partiallyPaid", "20.00")


@pytest.mark.parametrize("amount", ["0", "-1", "45.01", "much"])
def test_an_impossible_payment_is_refused_in_words(stranger: Visitor, amount: str) -> None:
    key = enter(stranger)
    answer = do(stranger, key, "pay", amount=amount)
    assert answer.status_code in (400, 422)
    assert 'role="alert"' in answer.text and f'value="{amount}"' in answer.text
    assert held(stranger, key)["state"] == "posted"


def test_an_invoice_is_reversed_with_a_day_and_a_memo(stranger: Visitor) -> None:
    key = enter(stranger)
    text = do(stranger, key, "reverse", date="2026-03-14", memo="Sent twice").text
    assert "14 Mar 2026, Sent twice" in text
    assert "Amend" not in text and "Payments" not in text
    assert (held(stranger, key)["state"], held(stranger, key)["totalTxnAmountDue"]) == ("reversed", "0.00")


def test_a_posted_invoice_is_deleted_and_gone(stranger: Visitor) -> None:
    key = enter(stranger)
    assert "No invoice has arrived" in do(stranger, key, "delete").text
    assert company_books(stranger)["invoices"] == []


def test_a_customer_is_put_on_hold_made_inactive_and_back(stranger: Visitor) -> None:
    assert "Active, on hold" in send(stranger, "/customers/CUST-001", isOnHold="true").text
    send(stranger, "/customers/CUST-001", isOnHold="false")
    send(stranger, "/customers/CUST-001", status="inactive")
    customer = next(each for each in company_books(stranger)["customers"] if each["id"] == "CUST-001")
    assert (customer["status"], customer["isOnHold"]) == ("inactive", False)


def test_an_account_is_archived_closed_to_posting_and_made_to_require_a_dimension(stranger: Visitor) -> None:
    form = {**form_of(stranger, "/accounts/4060"), "location": "true"}
    send(stranger, "/accounts/4060", **form)
    refused = send(stranger, "/invoices/new", customer="CUST-001", **{"amount-0": "1", "account-0": "4060"})
    assert "missing the Location dimension for the Account 4060" in refused.text
    send(stranger, "/accounts/4060", status="inactive", disallowDirectPosting="true")
    offered = page(stranger, "/invoices/new")
    assert "4060 Cleaning income" not in offered and "4050 Repairs" in offered
    assert form_of(stranger, "/accounts/4060") == {
        "status": "inactive",
        "disallowDirectPosting": "true",
        "location": "true",
        "department": "false",
    }


def test_an_archived_account_stays_with_the_lines_that_stand_on_it(stranger: Visitor) -> None:
    key = enter(stranger)
    send(stranger, "/accounts/4060", status="inactive")
    assert form_of(stranger, f"/invoices/{key}")["account-0"] == "4060"


def test_closed_books_refuse_an_earlier_invoice_of_that_entity(stranger: Visitor) -> None:
    send(stranger, "/settings", **{"open_books_start-LDN": "2026-04-01"})
    form = {"customer": "CUST-001", "date": "2026-03-31", "amount-0": "1", "account-0": "4060"}
    refused = send(stranger, "/invoices/new", entity="LDN", **form)
    assert "Periods are closed." in refused.text
    assert send(stranger, "/invoices/new", entity="NTH", **form).status_code == 200


def test_with_account_labels_lines_name_a_label(stranger: Visitor) -> None:
    send(stranger, "/settings", use_account_labels="true")
    offered = page(stranger, "/invoices/new")
    assert "Account label" in offered and "GL account<" not in offered
    key = enter(stranger, **{"account-0": "", "label-0": "Repairs"})
    assert "Repairs (4050 Repairs and maintenance income)" in page(stranger, f"/invoices/{key}")
    do(stranger, key, "amend", **{"label-0": "Services"})
    assert held(stranger, key)["lines"][0]["glAccount"]["id"] == "4000"


def test_saving_the_settings_untouched_changes_nothing(stranger: Visitor) -> None:
    send(stranger, "/settings", **{"open_books_start-": "2026-01-01", "client_authorised": "false"})
    before = company_books(stranger)["conditions"]
    assert (before["open_books_start"], before["client_authorised"]) == ("2026-01-01", False)
    answer = requests.get(f"{stranger.url}/intacct/settings", timeout=10).text
    first = answer.split("<form")[1]
    typed = dict(re.findall(r'<input id="[^"]*" name="([^"]+)"[^>]* value="([^"]*)"', first))
    typed |= dict(re.findall(r'<select id="[^"]*" name="([^"]+)">.*?value="([^"]*)" selected', first, re.DOTALL))
    send(stranger, "/settings", **typed)
    assert company_books(stranger)["conditions"] == before


def test_the_switches_are_shown_and_set(stranger: Visitor) -> None:
    form = form_of(stranger, "/settings")
    assert form["sequence"] == "on"
    send(stranger, "/switches", **{**form, "sequence": "off", "token_life": "21600"})
    settings = requests.get(f"{stranger.url}/_books", timeout=10).json()["intacct"]["settings"]
    assert settings == {**settings, "sequence": "off", "token_life": 21600, "error_nesting": "result"}
    refused = send(stranger, "/invoices/new", customer="CUST-001", **{"amount-0": "1", "account-0": "4060"})
    assert "Invoice number is required." in refused.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/customers/CUST-001", {"status": "asleep"}),
        ("/accounts/4060", {"location": "perhaps"}),
        ("/settings", {"open_books_start-": "soon"}),
    ],
)
def test_what_no_form_offers_is_refused_on_a_page(stranger: Visitor, path: str, form: dict[str, str]) -> None:
    answer = send(stranger, path, **form)
    assert answer.status_code == 400
    assert "This can" in answer.text


def test_a_day_that_is_none_reverses_nothing(stranger: Visitor) -> None:
    key = enter(stranger)
    assert "soon is not a date" in do(stranger, key, "reverse", date="soon").text
    assert held(stranger, key)["state"] == "posted"


def test_what_is_typed_never_becomes_markup_and_no_page_needs_a_script(stranger: Visitor) -> None:
    key = enter(stranger, **{"memo-0": "<script>alert(1)</script>"})
    raw = requests.get(f"{stranger.url}/intacct/invoices/{key}", timeout=10)
    assert "<script" not in raw.text and "style=" not in raw.text
    assert raw.headers["Content-Security-Policy"] == "default-src 'self'; frame-ancestors 'none'"


def test_a_form_of_another_sites_page_changes_nothing(stranger: Visitor) -> None:
    key = enter(stranger)
    url = f"{stranger.url}/intacct/invoices/{key}/delete"
    assert requests.post(url, headers={"Origin": "https://x.example"}, timeout=10).status_code == 403
    assert held(stranger, key)["state"] == "posted"


@pytest.mark.parametrize("path", ["/invoices/999", "/?company=NOWHERE", "/accounts/999"])
def test_what_is_not_there_is_a_page_that_says_so(stranger: Visitor, path: str) -> None:
    answer = requests.get(f"{stranger.url}/intacct{path}", timeout=10)
    assert answer.status_code == 404
    assert "There is no such" in answer.text


@pytest.mark.parametrize("path", ["/invoices/999/pay", "/invoices/new", "/customers/NOBODY", "/accounts/999"])
def test_a_form_for_what_is_not_there_is_refused(stranger: Visitor, path: str) -> None:
    form = {"entity": "PAR", "status": "active", "amount-0": "1", "customer": "CUST-001"}
    answer = requests.post(f"{stranger.url}/intacct{path}", data=form, timeout=10)
    assert answer.status_code == 404
