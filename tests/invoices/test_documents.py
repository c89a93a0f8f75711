"""What is frozen at approval, what of it is sent, and the key it is sent under."""

import json
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.links import key_for
from connectors.options import Options
from invoices import documents
from invoices.documents import Codes, compose, from_json, to_json
from invoices.models import Client, Invoice, Item, Property, TaxRate
from tests.conftest import line

CODES = Codes(
    client_id="c-1",
    sales_account_id="acc-1",
    tax_rate_ids={"STANDARD": "GB_STANDARD", "ZERO": "GB_ZERO"},
    account_ids={},
    item_ids={},
)
CLIENT = uuid.UUID("6a1c0d2e-9f5b-4b7c-8d3e-2f1a0b9c8d7e")


@pytest.mark.django_db
def test_what_is_frozen_is_sent_and_comes_back_out_of_the_record_the_same(new_invoice: Callable[..., Invoice]) -> None:
    lines = [
        line("Gutter clearing & “making good” £ 🏠", quantity=Decimal("1.5"), discount_percent=Decimal("2.5")),
        line("Handbook", unit_price=Decimal("6.50"), tax_rate=TaxRate.objects.get(pk="ZERO")),
    ]
    invoice = new_invoice(*lines, notes="Two visits.\nSecond one free.")
    frozen = json.loads(json.dumps(documents.freeze(invoice)))
    sent = compose(frozen, number="INV-00001", prefix="INV-", codes=CODES, options=Options())
    assert from_json(json.loads(json.dumps(to_json(sent)))) == sent
    assert (sent.prefix, sent.number, sent.reference) == ("INV-", "00001", "INV-00001")
    assert (sent.issue_date, sent.due_date, sent.currency) == (date(2026, 11, 2), date(2026, 12, 2), "GBP")
    assert (sent.net, sent.tax, sent.total) == (invoice.net, invoice.tax, invoice.total)
    assert sent.client_id == "c-1"
    for ours, theirs in zip(invoice.lines.all(), sent.lines, strict=True):
        assert theirs.account_id == "acc-1", "one nominal code on every line"
        assert theirs.tax_rate_id == CODES.tax_rate_ids[ours.tax_rate_id]
        for name in ("description", "quantity", "unit_price", "discount", "net", "tax", "total"):
            assert getattr(theirs, name) == getattr(ours, name)


@pytest.mark.django_db
def test_an_amount_is_frozen_as_text_and_never_as_a_number(invoice: Invoice) -> None:
    frozen = documents.freeze(invoice)
    amounts = [
        frozen["net"],
        frozen["tax"],
        frozen["total"],
        *(frozen["lines"][0][name] for name in ("quantity", "net")),
    ]
    assert amounts == ["170.00", "34.00", "204.00", "2.00", "170.00"]


@pytest.mark.django_db
def test_the_lines_are_frozen_in_their_order_each_with_its_item_and_its_own_nominal_code_first(
    new_invoice: Callable[..., Invoice], item: Item
) -> None:
    Item.objects.update(nominal_code="4000", description='"Labour" \\ per hour\n£ 🏠')
    lines = [line("third", item=item, nominal_code="4010"), line("first", item=item), line("second")]
    frozen = documents.freeze(new_invoice(*lines))
    assert [one["description"] for one in frozen["lines"]] == ["third", "first", "second"]
    assert [one["nominal_code"] for one in frozen["lines"]] == ["4010", "4000", ""]
    assert [one["item"] is None for one in frozen["lines"]] == [False, False, True]
    assert frozen["lines"][0]["item"] == {
        "uuid": str(item.uuid),
        "code": "LABOUR",
        "description": '"Labour" \\ per hour\n£ 🏠',
        "sort": "SERVICE",
        "unit_price": "48.00",
        "tax_code": "STANDARD",
    }


@pytest.mark.django_db
def test_what_is_read_of_many_is_what_is_read_of_each(new_invoice: Callable[..., Invoice]) -> None:
    placed, empty = new_invoice(site=Property.objects.create(name="Ivy Court")), new_invoice()
    empty.lines.all().delete()
    told = documents.contents_of([placed.pk, empty.pk])
    assert {**documents.contents_of([placed.pk]), **documents.contents_of([empty.pk])} == told
    assert (told[placed.pk].site, told[empty.pk].site, told[empty.pk].lines) == ("Ivy Court", "", [])
    assert documents.freeze(placed, told[placed.pk]) == documents.freeze(placed)


@pytest.mark.django_db
def test_the_client_is_frozen_with_all_that_the_platform_would_be_told(
    invoice: Invoice, client_of_ours: Client
) -> None:
    ours, told = documents.frozen_client(documents.freeze(invoice))
    assert ours == client_of_ours.uuid
    assert (told.name, told.reference, told.email) == ("Bramley Stores Ltd", "BRAM1", "accounts@bramley.example")
    assert (told.address_line_1, told.city, told.postal_code, told.country) == ("4 Mill Lane", "Leeds", "LS1 4AB", "GB")


NOTES = [
    # the client's reference, the property, the notes -> what Sage gets as notes
    ("", False, "", ""),
    ("PO-7", False, "", "Client's reference: PO-7"),
    ("", True, "", "Property: Ivy Court"),
    ("", False, "Thank you.", "Thank you."),
    ("PO-7", True, "Thank you.", "Client's reference: PO-7\nProperty: Ivy Court\nThank you."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("reference", "placed", "notes", "text"), NOTES)
def test_the_clients_own_reference_goes_first_into_the_notes(
    new_invoice: Callable[..., Invoice], reference: str, placed: bool, notes: str, text: str
) -> None:
    site = Property.objects.create(name="Ivy Court") if placed else None
    assert documents.freeze(new_invoice(reference=reference, site=site, notes=notes))["notes"] == text


@pytest.mark.django_db
def test_the_longest_notes_fit_into_what_sage_takes(new_invoice: Callable[..., Invoice]) -> None:
    longest = new_invoice(reference="r" * 50, site=Property.objects.create(name="p" * 100), notes="n" * 1500)
    assert len(documents.freeze(longest)["notes"]) <= 2000


@pytest.mark.parametrize(
    ("number", "prefix", "parts"),
    [
        ("INV-00042", "INV-", ("INV-", "00042")),
        ("00042", "", ("", "00042")),
        ("2626-1", "26", ("26", "26-1")),
        ("A/00042/B", "A/", ("A/", "00042/B")),
    ],
)
def test_our_number_is_taken_apart_and_is_whole_again_as_reference(
    number: str, prefix: str, parts: tuple[str, str]
) -> None:
    amounts: dict[str, Any] = {"net": "0", "tax": "0", "total": "0"}
    frozen = {
        "issue_date": "2026-11-02",
        "due_date": "2026-12-02",
        "notes": "",
        "currency": "GBP",
        **amounts,
        "lines": [],
    }
    sent = compose(frozen, number=number, prefix=prefix, codes=CODES, options=Options())
    assert (sent.prefix, sent.number) == parts
    assert sent.reference == number


def test_a_key_is_a_random_looking_guid_without_hyphens() -> None:
    key = key_for("b-1", str(CLIENT), 1)
    assert len(key) == 32
    assert uuid.UUID(key).version == 4
    assert uuid.UUID(key).variant == uuid.RFC_4122
    assert key == key.lower()


def test_a_key_is_the_same_for_ever() -> None:
    """Written down here: a new release that made other keys would send what was sent before a second time."""
    assert key_for("b-1", str(CLIENT), 1) == "4db24616495f4def896ff8bc24bf6e1a"


def test_a_key_differs_by_company_subject_and_generation() -> None:
    keys = {key_for(c, str(s), g) for c in ("b-1", "b-2") for s in (CLIENT, uuid.UUID(int=1)) for g in (1, 2, 12, 21)}
    assert len(keys) == 16


def test_a_key_does_not_run_its_parts_together() -> None:
    assert key_for("b", str(CLIENT), 11) != key_for(f"b/{CLIENT}", str(CLIENT), 1)
    assert key_for("b-1", str(CLIENT), 11) != key_for("b-1", str(CLIENT), 1)
