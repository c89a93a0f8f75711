"""Products and services: made, found, refused, and named by the lines of an invoice."""

from typing import Any

import pytest

from tests.sandbox.visitor import LETTINGS, Visitor

KINDS = pytest.mark.parametrize("kind", ["product", "service"])


def fields(client: Visitor, **changes: Any) -> dict[str, Any]:
    accounts = {"sales_ledger_account_id": client.account(4060), "purchase_ledger_account_id": client.account(5010)}
    return (
        {"description": "Gutter guard", "item_code": "GUARD", "sales_tax_rate_id": "GB_STANDARD"} | accounts | changes
    )


def make(client: Visitor, kind: str, **changes: Any) -> dict[str, Any]:
    answer = client.post(f"/{kind}s", {kind: fields(client, **changes)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def codes(client: Visitor, kind: str, **query: str) -> list[str]:
    items = client.get(f"/{kind}s", attributes="item_code", **query).json()["$items"]
    return [each["item_code"] for each in items]


def lines(client: Visitor, **changes: Any) -> list[dict[str, Any]]:
    return [{**client.invoice_body(contact_id="x")["sales_invoice"]["invoice_lines"][0], **changes}]


@KINDS
def test_an_item_is_made_and_read_back(client: Visitor, kind: str) -> None:
    made = make(client, kind, idempotency_id="d" * 32)
    assert (made["displayed_as"], made["$path"]) == ("Gutter guard (GUARD)", f"/{kind}s/{made['id']}")
    assert made["sales_ledger_account"]["displayed_as"] == "Cleaning income (4060)"
    assert made["purchase_ledger_account"]["displayed_as"] == "Cost of sales - Materials (5010)"
    assert client.get(f"/{kind}s/{made['id']}").json() == made
    assert client.get(f"/{kind}s/none").status_code == 404
    held = client.books()[f"{kind}s"][0]
    assert (held["item_code"], held["sales_nominal_code"], held["purchase_nominal_code"]) == ("GUARD", 4060, 5010)
    assert held["idempotency_id"] == "d" * 32
    assert client.books(LETTINGS)[f"{kind}s"] == []


@KINDS
def test_an_item_sent_twice_with_one_key_is_one_item(client: Visitor, kind: str) -> None:
    first = make(client, kind, idempotency_id="e" * 32)
    assert make(client, kind, idempotency_id="e" * 32) == first
    assert len(client.books()[f"{kind}s"]) == 1


@KINDS
def test_items_are_found_by_code_or_description_and_whether_in_use(client: Visitor, kind: str) -> None:
    make(client, kind)
    make(client, kind, item_code="OLD", description="Cast-iron pipe", active=False)
    assert codes(client, kind, search="guar") == ["GUARD"]
    assert codes(client, kind, search="iron") == ["OLD"]
    assert codes(client, kind, active="true") == ["GUARD"]
    assert codes(client, kind, active="false") == ["OLD"]
    page = client.get(f"/{kind}s", items_per_page="1").json()
    assert (page["$total"], len(page["$items"]), set(page["$items"][0])) == (2, 1, {"id", "displayed_as", "$path"})
    assert page["$next"] == f"/{kind}s?page=2&items_per_page=1"


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"description": ""}, "description"),
        ({"description": "x" * 256}, "description"),
        ({"item_code": "x" * 256}, "item_code"),
        ({"item_code": "TAKEN"}, "item_code"),
        ({"sales_ledger_account_id": None}, "sales_ledger_account_id"),
        ({"sales_ledger_account_id": "f" * 32}, "sales_ledger_account_id"),
        ({"purchase_ledger_account_id": None}, "purchase_ledger_account_id"),
        ({"sales_tax_rate_id": "GB_ODD"}, "sales_tax_rate_id"),
    ],
)
def test_a_product_that_sage_would_refuse_is_refused(client: Visitor, changes: dict[str, Any], source: str) -> None:
    make(client, "product", item_code="TAKEN")
    answer = client.post("/products", {"product": fields(client, **changes)})
    assert (answer.status_code, [each["$source"] for each in answer.json()]) == (422, [source])


def test_each_account_of_an_item_must_be_of_its_own_side(client: Visitor) -> None:
    sales, purchases = client.account(4060), client.account(5010)
    swapped = fields(client, sales_ledger_account_id=purchases, purchase_ledger_account_id=sales)
    found = {each["$source"] for each in client.post("/products", {"product": swapped}).json()}
    assert found == {"sales_ledger_account_id", "purchase_ledger_account_id"}


def test_a_service_needs_no_purchase_account(client: Visitor) -> None:
    assert make(client, "service", purchase_ledger_account_id=None)["purchase_ledger_account"] is None


@KINDS
def test_a_line_names_its_item_and_keeps_it_when_amended(client: Visitor, kind: str) -> None:
    item = make(client, kind)
    other = {"product": "service", "service": "product"}[kind]
    made = client.create(invoice_lines=lines(client, **{f"{kind}_id": item["id"]}))
    line = made["invoice_lines"][0]
    assert line[kind] == {name: item[name] for name in ("id", "displayed_as", "$path")}
    assert line[other] is None
    client.call("PUT", f"/sales_invoices/{made['id']}", json={"sales_invoice": {"reference": "R2"}})
    held = client.books()["invoices"][0]
    assert (held["reference"], held["lines"][0][f"{kind}_id"], held["lines"][0][f"{other}_id"]) == (
        "R2",
        item["id"],
        None,
    )


def test_a_line_with_an_item_that_is_not_there_is_refused(client: Visitor) -> None:
    product, service = make(client, "product")["id"], make(client, "service")["id"]
    for given, source in (
        ({"product_id": service}, "product_id"),
        ({"service_id": "f" * 32}, "service_id"),
        ({"product_id": product, "service_id": service}, "product_id"),
    ):
        answer = client.post("/sales_invoices", client.invoice_body(invoice_lines=lines(client, **given)))
        assert (answer.status_code, [each["$source"] for each in answer.json()]) == (422, [f"line_items.{source}"])
