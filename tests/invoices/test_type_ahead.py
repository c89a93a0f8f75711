"""What the editor's boxes are answered while one types, and what they create in place."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from invoices.models import Client, Company, Item, Property
from tests.invoices.screen import NEW, control, refused, saved, shown_errors, typed

pytestmark = pytest.mark.django_db


def offered(desk: Browser, plural: str, **asked: Any) -> list[dict[str, Any]]:
    answer = desk.get(f"/{plural}/choices/", asked)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def labels(desk: Browser, plural: str, **asked: Any) -> list[str]:
    return [row["label"] for row in offered(desk, plural, **asked)]


@pytest.fixture
def clients(now: datetime) -> None:
    for name, reference, city in (
        ("Hart & Vale", "HV", "Leeds"),
        ("Vale of York Lettings", "YORK", "York"),
        ("Abbot & Hart", "", "Hull"),
        ("Quayside", "HART9", "Whitby"),
        ("Lodge", "", "Hartlepool"),
    ):
        Client.objects.create(name=name, reference=reference, city=city)
    Client.objects.create(name="Hartley, gone", archived_at=now)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hart", ["Hart & Vale", "Quayside", "Abbot & Hart", "Lodge"]),
        ("HART9", ["Quayside"]),
        ("vale hart", ["Hart & Vale"]),
        ("  hart   ", ["Hart & Vale", "Quayside", "Abbot & Hart", "Lodge"]),
        ("", ["Abbot & Hart", "Hart & Vale", "Lodge", "Quayside", "Vale of York Lettings"]),
        ("zzz", []),
        ("%", []),
        ("a\x00b", ["Abbot & Hart"]),
    ],
)
def test_names_and_references_that_begin_so_come_first_and_archived_ones_never(
    desk: Browser, words: str, expected: list[str]
) -> None:
    assert labels(desk, "clients", q=words) == expected


def test_a_client_comes_with_its_terms_or_the_companys(desk: Browser, client_of_ours: Client) -> None:
    company = Company.ours()
    company.terms_days = 14
    company.save()
    Client.objects.create(name="Second")
    assert [row["terms"] for row in offered(desk, "clients")] == [30, 14]


def test_a_property_of_the_client_comes_before_all_others(desk: Browser, client_of_ours: Client) -> None:
    other = Client.objects.create(name="Other")
    for name, owner in (("Ash Court", other), ("Birch Court", None), ("Cedar Court", client_of_ours)):
        Property.objects.create(name=name, client=owner)
    assert labels(desk, "properties", q="court", client=client_of_ours.pk) == [
        "Cedar Court",
        "Ash Court",
        "Birch Court",
    ]
    assert labels(desk, "properties", q="birch", client=client_of_ours.pk) == ["Birch Court"]
    assert labels(desk, "properties", client="x") == ["Ash Court", "Birch Court", "Cedar Court"]


def test_an_item_comes_with_what_fills_a_line(desk: Browser, item: Item) -> None:
    (row,) = offered(desk, "items", q="hour")
    assert (row["text"], row["description"], row["price"], row["tax"]) == (
        "LABOUR",
        "Labour, per hour",
        "48.00",
        "STANDARD",
    )


def test_ten_thousand_clients_and_items_make_the_page_no_heavier(desk: Browser, client_of_ours: Client) -> None:
    few = len(desk.get(NEW).content)
    Client.objects.bulk_create(Client(name=f"Client {n}", reference=f"C{n}") for n in range(10_000))
    Item.objects.bulk_create(
        Item(code=f"I{n}", description=f"Item {n}", unit_price=Decimal(1), tax_rate_id="STANDARD")
        for n in range(10_000)
    )
    assert abs(len(desk.get(NEW).content) - few) < 100
    assert len(offered(desk, "clients", q="client")) == len(offered(desk, "items", q="item")) == 20


def test_each_answer_is_one_question_to_the_database(desk: Browser, client_of_ours: Client, item: Item) -> None:
    Property.objects.create(name="Ivy Court", client=client_of_ours)
    desk.get(NEW)
    for plural, most in (("clients", 2), ("properties", 1), ("items", 1)):
        with CaptureQueriesContext(connection) as asked:
            offered(desk, plural, q="i")
        assert len([q for q in asked if "invoices_" in q["sql"]]) <= most, plural


def test_what_was_chosen_is_shown_by_name_after_an_error(desk: Browser, client_of_ours: Client, item: Item) -> None:
    site = Property.objects.create(name="Ivy Court")
    page = refused(desk, typed(client_of_ours, {"item": item.pk, "quantity": "x"}, site=site.pk))
    assert 'value="Bramley Stores Ltd (BRAM1)"' in control(page, "client")
    assert 'value="Ivy Court"' in control(page, "site")
    assert 'value="LABOUR"' in control(page, "lines-0-item")
    assert f'name="client" value="{client_of_ours.pk}"' in page


@pytest.mark.parametrize("words", ["bramley stores ltd", "BRAM1", " bram1 "])
def test_an_exact_name_or_reference_is_as_good_as_choosing(desk: Browser, client_of_ours: Client, words: str) -> None:
    posted = typed(client_of_ours, client="", **{"client-text": words})
    assert saved(desk, posted).client == client_of_ours


def test_a_name_that_two_have_is_not_guessed(desk: Browser, client_of_ours: Client) -> None:
    Client.objects.create(name="Bramley Stores Ltd")
    page = refused(desk, typed(client_of_ours, client="", **{"client-text": "Bramley Stores Ltd"}))
    assert "“Bramley Stores Ltd” is none of the clients: choose one from the list." in shown_errors(page)
    assert 'value="Bramley Stores Ltd"' in control(page, "client"), "and what was typed is still there"


def test_digits_that_were_typed_are_never_taken_for_the_row_of_that_id(desk: Browser, client_of_ours: Client) -> None:
    page = refused(desk, typed(client_of_ours, client="", **{"client-text": str(client_of_ours.pk)}))
    assert "is none of the clients" in shown_errors(page)


def test_a_code_that_was_typed_into_a_line_is_that_item(desk: Browser, client_of_ours: Client, item: Item) -> None:
    invoice = saved(desk, typed(client_of_ours, {"item": "", "item-text": "labour"}))
    assert invoice.lines.get().item == item


ESSENTIAL = {
    "client": {"name": "Hart & Vale", "reference": "HV", "email": "", "terms_days": "14"},
    "item": {"code": "SAFE", "description": "Key safe", "unit_price": "39.99", "tax_rate": "STANDARD"},
}


@pytest.mark.parametrize("noun", ESSENTIAL)
def test_created_in_place_it_is_answered_as_a_row_to_choose(desk: Browser, noun: str) -> None:
    fragment = desk.get(f"/{noun}s/create/", {"q": "Hart & Vale"}).content.decode()
    assert 'value="Hart &amp; Vale"' in fragment
    assert "<html" not in fragment
    answer = desk.post(f"/{noun}s/create/", ESSENTIAL[noun])
    assert answer.status_code == 201
    (row,) = offered(desk, f"{noun}s")
    assert answer.json() == row


@pytest.mark.parametrize(
    ("noun", "wrong", "words"),
    [
        ("client", {"name": ""}, "This field is required."),
        ("client", {"reference": "bram1"}, "Another client has this reference."),
        ("item", {"unit_price": "x"}, "Enter a number."),
        ("item", {"code": "labour"}, "Another item has this code."),
    ],
)
def test_what_is_wrong_in_place_is_said_beside_its_field(
    desk: Browser, client_of_ours: Client, item: Item, noun: str, wrong: dict[str, str], words: str
) -> None:
    answer = desk.post(f"/{noun}s/create/", {**ESSENTIAL[noun], **wrong})
    assert answer.status_code == 200
    assert re.search(r'class="errorlist"[^>]*><li>' + re.escape(words), answer.content.decode())
    assert (Client.objects.count(), Item.objects.count()) == (1, 1)


@pytest.mark.parametrize("noun", ESSENTIAL)
def test_who_may_not_add_one_is_not_offered_to(desk: Browser, staff: User, noun: str) -> None:
    assert f'data-{noun}-create="' in desk.get(NEW).content.decode()
    staff.groups.get().permissions.remove(Permission.objects.get(codename=f"add_{noun}"))
    assert f'data-{noun}-create="' not in desk.get(NEW).content.decode()
    assert desk.post(f"/{noun}s/create/", ESSENTIAL[noun]).status_code == 403
