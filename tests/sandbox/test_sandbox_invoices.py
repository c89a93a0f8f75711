"""Sales invoices: numbers, sums, refusals, filters, idempotency."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.visitor import HARBOUR, Visitor


def line(client: Visitor, **changes: Any) -> dict[str, Any]:
    return {**client.invoice_body(contact_id="x")["sales_invoice"]["invoice_lines"][0], **changes}


def refusals(client: Visitor, **changes: Any) -> list[tuple[str, str]]:
    answer = client.post("/sales_invoices", client.invoice_body(**changes))
    assert answer.status_code == 422, answer.text
    return [(each["$source"], each["$message"]) for each in answer.json()]


def test_an_invoice_is_made_as_unpaid_with_decimals_as_text(client: Visitor) -> None:
    made = client.create()
    assert (made["status"]["id"], made["net_amount"], made["tax_amount"], made["total_amount"]) == (
        "UNPAID",
        "37.5",
        "7.5",
        "45.0",
    )
    assert made["outstanding_amount"] == "45.0"
    assert made["transaction"]["id"]
    assert made["due_date"] == "2026-04-13"
    assert made["created_at"] == "2026-03-14T09:00:00Z"
    assert made["invoice_lines"][0]["ledger_account"]["displayed_as"] == "Cleaning income (4060)"
    assert "sales_invoice" not in made
    assert not any(name.startswith("_") for name in made)
    assert client.get(f"/sales_invoices/{made['id']}").json() == made


def test_its_link_opens_its_page_in_the_books(client: Visitor) -> None:
    link = client.create()["links"][0]["href"]
    assert link.startswith(f"{client.url}/accounting/books/")
    assert "Invoice SI-1" in requests.get(link, timeout=10).text


@pytest.mark.parametrize("price", ["12.50", 12.5, "12.5"])
def test_decimals_are_taken_as_text_and_as_numbers(client: Visitor, price: object) -> None:
    made = client.create(invoice_lines=[line(client, unit_price=price, quantity=3, tax_amount=7.5)])
    assert made["invoice_lines"][0]["unit_price"] == "12.5"
    assert made["total_amount"] == "45.0"


def test_sums_are_exact_and_to_the_penny(client: Visitor) -> None:
    lines = [line(client, quantity="0.333", unit_price="10.01", tax_amount="0.67") for _ in range(3)]
    made = client.create(invoice_lines=lines)
    assert (made["net_amount"], made["tax_amount"], made["total_amount"]) == ("9.99", "2.01", "12.0")


def test_discounts_come_off_the_line(client: Visitor) -> None:
    lines = [
        line(client, quantity="1", unit_price="100", discount_amount="10", tax_amount="18"),
        line(client, quantity="1", unit_price="100", discount_percentage="25", tax_amount="15"),
    ]
    made = client.create(invoice_lines=lines)
    assert (made["net_amount"], made["total_discount_amount"], made["total_amount"]) == ("165.0", "35.0", "198.0")


def test_a_price_that_includes_tax_is_split(client: Visitor) -> None:
    gross = line(client, quantity="1", unit_price="120", unit_price_includes_tax=True, tax_amount="20")
    made = client.create(invoice_lines=[gross])
    assert (made["net_amount"], made["total_amount"]) == ("100.0", "120.0")


def test_sage_numbers_an_invoice_that_has_none(client: Visitor) -> None:
    assert [client.create()["invoice_number"] for _ in range(3)] == ["SI-1", "SI-2", "SI-3"]
    assert client.get("/invoice_settings").json()["next_invoice_number"] == 4


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"invoice_number_prefix": "INV-", "invoice_number": "00042"}, "INV-00042"),
        ({"invoice_number_prefix": "INV-", "invoice_number": "INV-00042"}, "INV-00042"),
        ({"invoice_number_prefix": "", "invoice_number": "A7"}, "A7"),
        ({"invoice_number": "77"}, "SI-77"),
        ({"invoice_number_prefix": "W"}, "W1"),
    ],
)
def test_a_number_is_prefix_and_number_never_doubled(client: Visitor, given: dict[str, str], number: str) -> None:
    made = client.create(**given)
    assert made["invoice_number"] == made["displayed_as"] == number


def test_a_number_is_taken_for_ever_even_by_a_void_invoice(client: Visitor) -> None:
    ours = {"invoice_number_prefix": "INV-", "invoice_number": "00042"}
    made = client.create(**ours)
    client.call("DELETE", f"/sales_invoices/{made['id']}", params={"void_reason": "Raised twice"})
    assert [source for source, _ in refusals(client, **ours)] == ["invoice_number"]
    assert client.create(invoice_number_prefix="INW-", invoice_number="00042")["invoice_number"] == "INW-00042"


def test_sages_own_numbers_step_over_taken_ones(client: Visitor) -> None:
    client.create(invoice_number="2")
    assert [client.create()["invoice_number"] for _ in range(2)] == ["SI-1", "SI-3"]


def test_a_draft_has_no_number_until_it_is_released(client: Visitor) -> None:
    draft = client.create(status_id="DRAFT")
    assert (draft["invoice_number"], draft["transaction"], draft["outstanding_amount"]) == ("SI-DRAFT", None, "0.0")
    assert client.create(status_id="DRAFT")["invoice_number"] == "SI-DRAFT"
    released = client.call("POST", f"/sales_invoices/{draft['id']}/release")
    assert released.status_code == 201
    assert (released.json()["invoice_number"], released.json()["status"]["id"]) == ("SI-1", "UNPAID")
    assert client.call("POST", f"/sales_invoices/{draft['id']}/release").status_code == 422


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"date": None}, "date"),
        ({"date": "yesterday"}, "date"),
        ({"date": "2019-03-31"}, "date"),
        ({"reference": "x" * 26}, "reference"),
        ({"invoice_number_prefix": "TOOLONG"}, "invoice_number_prefix"),
        ({"invoice_lines": []}, "invoice_lines"),
        ({"status_id": "PAID"}, "status_id"),
        ({"currency_id": "EUR"}, "currency_id"),
    ],
)
def test_a_wrong_header_is_refused(client: Visitor, changes: dict[str, Any], source: str) -> None:
    assert [found for found, _ in refusals(client, **changes)] == [source]
    assert client.books()["invoices"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"description": ""}, "description"),
        ({"quantity": None}, "quantity"),
        ({"quantity": "lots"}, "quantity"),
        ({"unit_price": None}, "unit_price"),
        ({"unit_price": "NaN"}, "unit_price"),
        ({"ledger_account_id": "0" * 32}, "ledger_account_id"),
        ({"ledger_account_id": None}, "ledger_account_id"),
        ({"tax_rate_id": None}, "tax_rate_id"),
        ({"tax_rate_id": "GB_ODD"}, "tax_rate_id"),
        ({"tax_amount": None}, "tax_amount"),
    ],
)
def test_a_wrong_line_is_refused_under_line_items(client: Visitor, changes: dict[str, Any], field: str) -> None:
    found = refusals(client, invoice_lines=[line(client, **changes)])
    assert [source for source, _ in found] == [f"line_items.{field}"]


@pytest.mark.parametrize("code", [4100, 7100, 1200])
def test_an_account_that_sales_cannot_see_is_refused(client: Visitor, code: int) -> None:
    hidden = line(client, ledger_account_id=client.account(code))
    assert [source for source, _ in refusals(client, invoice_lines=[hidden])] == ["line_items.ledger_account_id"]


def test_tax_may_be_left_out_where_the_rate_is_nought(client: Visitor) -> None:
    made = client.create(invoice_lines=[line(client, tax_rate_id="GB_EXEMPT", tax_amount=None)])
    assert made["tax_amount"] == "0.0"


def test_a_supplier_is_not_a_customer(client: Visitor) -> None:
    supplier = client.get("/contacts", search="Humber").json()["$items"][0]["id"]
    assert refusals(client, contact_id=supplier) == [("", "can't find customer")]
    assert refusals(client, contact_id="0" * 32) == [("", "can't find customer")]


def test_every_problem_is_told_at_once(client: Visitor) -> None:
    found = refusals(
        client, date=None, reference="x" * 26, invoice_lines=[line(client, quantity=None, tax_amount=None)]
    )
    assert {source for source, _ in found} == {"date", "reference", "line_items.quantity", "line_items.tax_amount"}


# Changing and voiding


def test_a_put_replaces_what_it_names(client: Visitor) -> None:
    made = client.create()
    recoded = line(client, ledger_account_id=client.account(4020))
    answer = client.call(
        "PUT", f"/sales_invoices/{made['id']}", json={"sales_invoice": {"invoice_lines": [recoded], "reference": "R2"}}
    )
    assert answer.status_code == 200
    changed = answer.json()
    assert changed["invoice_lines"][0]["ledger_account"]["displayed_as"] == "Property management fees (4020)"
    assert (changed["reference"], changed["invoice_number"], changed["date"]) == ("R2", "SI-1", "2026-03-14")
    other = client.call("PUT", f"/sales_invoices/{made['id']}", json={"sales_invoice": {"invoice_number": "SI-9"}})
    assert other.json()[0]["$source"] == "invoice_number"


def test_voiding_needs_a_reason_in_the_query_or_the_body(client: Visitor) -> None:
    first, second = client.create()["id"], client.create()["id"]
    assert client.call("DELETE", f"/sales_invoices/{first}").json()[0]["$source"] == "void_reason"
    by_query = client.call("DELETE", f"/sales_invoices/{first}", params={"void_reason": "Twice"})
    by_body = client.call("DELETE", f"/sales_invoices/{second}", json={"void_reason": "Twice"})
    for answer in (by_query, by_body):
        assert answer.status_code == 200
        assert (answer.json()["status"]["id"], answer.json()["void_reason"]) == ("VOID", "Twice")


def test_a_draft_is_deleted_without_a_reason(client: Visitor) -> None:
    draft = client.create(status_id="DRAFT")
    assert client.call("DELETE", f"/sales_invoices/{draft['id']}").status_code == 200
    assert client.get(f"/sales_invoices/{draft['id']}").status_code == 404
    assert client.get("/sales_invoices").json()["$total"] == 0
    assert client.get("/sales_invoices", deleted_since="2026-03-14T08:59:59Z").json()["$total"] == 1
    assert client.get("/sales_invoices", deleted_since="2026-03-14T09:00:00Z").json()["$total"] == 0


# Finding


def numbers(client: Visitor, **params: str) -> list[str]:
    return [each["displayed_as"] for each in client.get("/sales_invoices", **params).json()["$items"]]


def test_invoices_are_found_by_contact_status_and_date(client: Visitor) -> None:
    other = client.contact(name="Castle Hill")
    client.create(date="2026-01-10")
    client.create(date="2026-02-10", contact_id=other)
    client.create(date="2026-03-10", status_id="DRAFT")
    assert numbers(client, contact_id=other) == ["SI-2"]
    assert numbers(client, status_id="DRAFT") == ["SI-DRAFT"]
    assert numbers(client, from_date="2026-02-10") == ["SI-2", "SI-DRAFT"]
    assert numbers(client, to_date="2026-02-10") == ["SI-1", "SI-2"]
    assert numbers(client, sort="date:desc") == ["SI-DRAFT", "SI-2", "SI-1"]


def test_changes_since_a_moment_include_that_moment(client: Visitor) -> None:
    made = client.create()
    client.clock.pass_time(minutes=4)
    client.create()
    assert numbers(client, updated_or_created_since="2026-03-14T09:04:00Z") == ["SI-2"]
    assert numbers(client, updated_or_created_since="2026-03-14T10:04:00+01:00") == ["SI-2"]
    client.call("PUT", f"/sales_invoices/{made['id']}", json={"sales_invoice": {"reference": "new"}})
    assert numbers(client, updated_or_created_since="2026-03-14T09:04:00Z", sort="created_at") == ["SI-1", "SI-2"]
    assert numbers(client, updated_or_created_since="2026-03-15") == []
    assert client.get("/sales_invoices", updated_or_created_since="soon").status_code == 422


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("substring", ["SI-1", "SI-2"]),
        ("prefix", ["SI-1"]),
        ("exact", []),
        ("off", ["SI-1", "SI-2", "SI-3"]),
        ("none", []),
    ],
)
def test_search_looks_at_reference_and_contact_name_as_the_switch_says(
    client: Visitor, mode: str, found: list[str]
) -> None:
    client.create(reference="0004")
    client.create(reference="INV-0004")
    client.create(reference="%")
    assert client.fault("setting", name="search", value=mode).status_code == 201
    assert numbers(client, search="000") == found
    if mode == "exact":
        assert numbers(client, search="inv-0004") == ["SI-2"]
        assert numbers(client, search="bramley stores") == ["SI-1", "SI-2", "SI-3"]
    if mode == "substring":
        assert numbers(client, search="%") == ["SI-3"]


def test_a_list_shows_only_the_attributes_asked_for(client: Visitor) -> None:
    client.create()
    bare = client.get("/sales_invoices").json()["$items"][0]
    some = client.get("/sales_invoices", attributes="reference,status,total_amount,date").json()["$items"][0]
    assert set(bare) == {"id", "displayed_as", "$path"}
    assert set(some) - set(bare) == {"reference", "status", "total_amount", "date"}
    assert "invoice_lines" in client.get("/sales_invoices", attributes="all").json()["$items"][0]


# Idempotency


def test_the_same_key_gives_the_same_answer_for_seven_days(client: Visitor) -> None:
    body = client.invoice_body()
    first = client.post("/sales_invoices", body)
    client.clock.pass_time(days=6, hours=23)
    client.keep(client.renew(client.refresh).json())
    again = client.post("/sales_invoices", {"sales_invoice": {**body["sales_invoice"], "reference": "different"}})
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(client.books()["invoices"]) == 1
    client.clock.pass_time(hours=1)
    client.keep(client.renew(client.refresh).json())
    assert client.post("/sales_invoices", body).json()["id"] != first.json()["id"]


def test_a_key_of_another_resource_is_a_mismatch(client: Visitor) -> None:
    client.contact(idempotency_id="b" * 32)
    answer = client.post("/sales_invoices", client.invoice_body(idempotency_id="b" * 32))
    assert (answer.status_code, answer.json()[0]["$dataCode"]) == (422, "IdempotencyResourceMismatch")


@pytest.mark.parametrize(("remember", "status"), [(False, 201), (True, 422)])
def test_a_switch_decides_whether_refusals_are_remembered(client: Visitor, remember: bool, status: int) -> None:
    client.fault("setting", name="remember_refusals", value=remember)
    body = client.invoice_body(reference="x" * 26)
    assert client.post("/sales_invoices", body).status_code == 422
    body["sales_invoice"]["reference"] = "short"
    assert client.post("/sales_invoices", body).status_code == status


def test_many_calls_at_once_with_one_key_make_one_invoice(client: Visitor) -> None:
    body = client.invoice_body()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/sales_invoices", body), range(8)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert len(client.books()["invoices"]) == 1


def test_the_books_report_tells_what_is_in_them(client: Visitor) -> None:
    body = client.invoice_body(contact_name="Bramley Stores Ltd")
    client.post("/sales_invoices", body)
    held = client.books(HARBOUR)["invoices"][0]
    assert (held["number"], held["status"], held["status_shown"]) == ("SI-1", "UNPAID", "Created")
    assert held["idempotency_id"] == body["sales_invoice"]["idempotency_id"]
    assert held["contact_name"] == "Bramley Stores Ltd"
    assert held["lines"][0]["nominal_code"] == 4060
