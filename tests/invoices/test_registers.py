"""Clients, Items and Properties: list, add, edit, archive and take back; what is refused is said in words."""

import re
from html import unescape
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client as Browser
from django.utils import timezone

from invoices import registers
from invoices.models import Client, Invoice, Item, Property

pytestmark = pytest.mark.django_db
Typed = dict[str, Any]

CLIENT: Typed = {"name": "Hart & Vale Ltd", "reference": "HART", "country": "GB"}
ITEM: Typed = {
    "code": "EICR",
    "description": "Report",
    "sort": "SERVICE",
    "unit_price": "180.00",
    "tax_rate": "STANDARD",
}
PROPERTY: Typed = {"name": "Ivy Court", "client": "", "address": "Harrogate"}
REGISTERS: list[tuple[str, type[Model], Typed]] = [
    ("clients", Client, CLIENT),
    ("items", Item, ITEM),
    ("properties", Property, PROPERTY),
]
EACH = pytest.mark.parametrize(("path", "model", "typed"), REGISTERS, ids=[path for path, _, _ in REGISTERS])


def row(model: type[Model], **changes: Any) -> Any:
    given: dict[type[Model], Typed] = {
        Client: {"name": "Bramley Stores Ltd", "reference": "BRAM1"},
        Item: {"code": "LABOUR", "description": "Labour", "unit_price": 48, "tax_rate_id": "STANDARD"},
        Property: {"name": "Castle View"},
    }
    return model._default_manager.create(**{**given[model], **changes})


def text(answer: Any) -> str:
    return unescape(answer.content.decode())


def refused(desk: Browser, path: str, typed: Typed) -> str:
    answer = desk.post(path, typed)
    assert answer.status_code == 422, answer.status_code
    return text(answer)


@EACH
def test_a_row_is_added_shown_and_changed(desk: Browser, path: str, model: type[Model], typed: Typed) -> None:
    assert desk.get(f"/{path}/new/").status_code == 200
    said = text(desk.post(f"/{path}/new/", typed, follow=True))
    added: Any = model._default_manager.get()
    assert f"Saved {added}." in said
    name = next(iter(typed))
    assert typed[name] in text(desk.get(f"/{path}/{added.pk}/"))
    desk.post(f"/{path}/{added.pk}/", {**typed, name: "CHANGED"})
    added.refresh_from_db()
    assert getattr(added, name) == "CHANGED"


@EACH
def test_a_row_is_archived_and_taken_back(desk: Browser, path: str, model: type[Model], typed: Typed) -> None:
    one = row(model)
    assert "can be taken back under Archived" in text(desk.post(f"/{path}/{one.pk}/archive/", follow=True))
    assert str(one) not in rows_shown(desk, f"/{path}/")
    assert model._default_manager.count() == 1
    assert "Take back" in rows_shown(desk, f"/{path}/?show=archived")
    assert f"{one} is back in use." in text(desk.post(f"/{path}/{one.pk}/archive/", follow=True))
    one.refresh_from_db()
    assert one.archived_at is None


def rows_shown(desk: Browser, path: str) -> str:
    found = re.search(r"<tbody>.*</tbody>", text(desk.get(path)), re.DOTALL)
    return found[0] if found else ""


@EACH
def test_an_empty_register_says_what_it_is_for(desk: Browser, path: str, model: type[Model], typed: Typed) -> None:
    page = desk.get(f"/{path}/")
    assert f"No {path} yet" in text(page)
    assert page.content.decode().count(f'href="/{path}/new/"') == 2, "at the top, and where one looks"
    assert "Nothing is archived" in text(desk.get(f"/{path}/?show=archived"))
    assert "Nothing matches" in text(desk.get(f"/{path}/?q=x"))


@EACH
@pytest.mark.parametrize("q", ["%", "_", "'", "<script>", "\x00", "q" * 10_000, "🏠"])
def test_an_absurd_search_finds_nothing(desk: Browser, path: str, model: type[Model], typed: Typed, q: str) -> None:
    row(model)
    answer = desk.get(f"/{path}/", {"q": q})
    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode().partition("<main")[2]


@EACH
@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30, "2"])
def test_a_page_of_nowhere_is_a_page(desk: Browser, path: str, model: type[Model], typed: Typed, page: str) -> None:
    row(model)
    assert desk.get(f"/{path}/", {"page": page}).status_code == 200


@EACH
@pytest.mark.parametrize("pk", ["0", "987654", "9" * 30])
def test_a_row_that_is_not_there_is_not_found(
    desk: Browser, path: str, model: type[Model], typed: Typed, pk: str
) -> None:
    assert desk.get(f"/{path}/{pk}/").status_code == 404
    assert desk.post(f"/{path}/{pk}/", typed).status_code == 404
    assert desk.post(f"/{path}/{pk}/archive/").status_code == 404
    assert model._default_manager.count() == 0


@EACH
@pytest.mark.parametrize("count", [1, 50])
def test_a_list_asks_the_database_as_often_for_fifty_rows_as_for_one(
    desk: Browser, django_assert_max_num_queries: Any, path: str, model: type[Model], typed: Typed, count: int
) -> None:
    owner = Client.objects.create(name="Owner")
    more = {Client: "reference", Item: "code", Property: "name"}[model]
    for n in range(count):
        row(model, **{more: f"N{n}"}, **({"client": owner} if model is Property else {}))
    with django_assert_max_num_queries(9):
        assert rows_shown(desk, f"/{path}/").count("<tr data-row>") >= count


@pytest.mark.parametrize(
    ("path", "q", "found"),
    [
        ("clients", "bramley", True),
        ("clients", "BRAM1", True),
        ("clients", "accounts@", True),
        ("clients", "leeds", True),
        ("clients", "ls1", True),
        ("clients", "york", False),
        ("items", "labour", True),
        ("items", "per hour", True),
        ("items", "48", False),
        ("properties", "castle", True),
        ("properties", "lincoln", True),
        ("properties", "bramley", True),
        ("properties", "york", False),
    ],
)
def test_a_register_is_searched_by_what_people_know(
    desk: Browser, client_of_ours: Client, item: Item, path: str, q: str, found: bool
) -> None:
    Property.objects.create(name="Castle View", client=client_of_ours, address="Lincoln")
    assert bool(rows_shown(desk, f"/{path}/?q={q}")) is found


WRONG: list[tuple[str, str, Any, str]] = [
    ("clients", "name", "", "This field is required."),
    ("clients", "name", "n" * 101, "at most 100 characters"),
    ("clients", "name", "<b>", "The signs < and > can't be used here"),
    ("clients", "name", "a\x00", "Null characters are not allowed."),
    ("clients", "reference", "bram1", "Another client has this reference."),
    ("clients", "reference", "r" * 11, "at most 10 characters"),
    ("clients", "email", "nobody", "Enter a valid email address."),
    ("clients", "email", "e" * 95 + "@x.example", "at most 100 characters"),
    ("clients", "terms_days", "-1", "greater than or equal to 0"),
    ("clients", "terms_days", "366", "less than or equal to 365"),
    ("clients", "terms_days", "9" * 30, "less than or equal to 365"),
    ("clients", "terms_days", "1.5", "Enter a whole number."),
    ("clients", "terms_days", "NaN", "Enter a whole number."),
    ("clients", "country", "gb", "Use the two-letter code"),
    ("clients", "country", "", "This field is required."),
    ("clients", "country", "ГБ", "Use the two-letter code"),
    ("items", "code", "labour", "Another item has this code."),
    ("items", "code", "", "This field is required."),
    ("items", "description", "d" * 201, "at most 200 characters"),
    ("items", "sort", "SOMETHING", "Select a valid choice."),
    ("items", "unit_price", "-0.01", "greater than or equal to 0"),
    ("items", "unit_price", "NaN", "Enter a number."),
    ("items", "unit_price", "sNaN", "Enter a number."),
    ("items", "unit_price", "1e30", "no more than"),
    ("items", "unit_price", "1000000000000", "no more than 12 digits before the decimal point"),
    ("items", "unit_price", "0.001", "no more than 2 decimal places"),
    ("items", "tax_rate", "", "This field is required."),
    ("items", "tax_rate", "NOWHERE", "Select a valid choice."),
    ("items", "tax_rate", "\x00", ""),
    ("properties", "name", "", "This field is required."),
    ("properties", "name", "🏠" * 101, "at most 100 characters"),
    ("properties", "client", "987654", "Select a valid choice."),
    ("properties", "client", "9" * 40, "Select a valid choice."),
    ("properties", "address", "a" * 301, "at most 300 characters"),
]


@pytest.mark.parametrize(
    ("path", "name", "value", "words"), WRONG, ids=[f"{p}-{n}-{str(v)[:9]!a}" for p, n, v, _ in WRONG]
)
def test_a_wrong_value_comes_back_beside_its_field_as_it_was_typed(
    desk: Browser, path: str, name: str, value: Any, words: str
) -> None:
    for model in (Client, Item, Property):
        row(model)
    typed = next(typed for one, _, typed in REGISTERS if one == path)
    page = refused(desk, f"/{path}/new/", {**typed, name: value})
    field = re.search(
        rf'<div class="field">(?:(?!<div class="field">).)*name="{name}".*?</div>\s*</div>', page, re.DOTALL
    )
    assert field
    assert words in field[0]
    assert 'aria-invalid="true"' in field[0]
    if value and value.isprintable() and len(value) < 50 and "<select" not in field[0]:
        assert value in field[0]
    assert [model.objects.count() for model in (Client, Item, Property)] == [1, 1, 1]


def test_two_clients_may_both_have_no_reference(desk: Browser) -> None:
    for _ in range(2):
        assert desk.post("/clients/new/", {**CLIENT, "reference": ""}).status_code == 302


def test_a_client_keeps_its_own_reference(desk: Browser, client_of_ours: Client) -> None:
    answer = desk.post(f"/clients/{client_of_ours.pk}/", {**CLIENT, "reference": "BRAM1"})
    assert answer.status_code == 302


def test_a_property_keeps_its_client_though_that_was_archived(desk: Browser, client_of_ours: Client) -> None:
    site = Property.objects.create(name="Castle View", client=client_of_ours)
    Client.objects.update(archived_at=timezone.now())
    page = text(desk.get(f"/properties/{site.pk}/"))
    assert re.search(r"<option[^>]*selected[^>]*>Bramley Stores Ltd", page)
    desk.post(f"/properties/{site.pk}/", {"name": "Castle View", "client": client_of_ours.pk, "address": "Lincoln"})
    site.refresh_from_db()
    assert (site.client, site.address) == (client_of_ours, "Lincoln")


def test_an_archived_client_is_not_offered_to_another_property(desk: Browser, client_of_ours: Client) -> None:
    Client.objects.update(archived_at=timezone.now())
    assert "Bramley Stores Ltd" not in text(desk.get("/properties/new/"))


def test_archiving_touches_no_invoice(desk: Browser, invoice: Invoice) -> None:
    desk.post(f"/clients/{invoice.client_id}/archive/")
    assert "Bramley Stores Ltd" in text(desk.get(f"/invoices/{invoice.pk}/"))


def test_pages_lead_on_and_back_by_name_with_what_was_searched(desk: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "PAGE_SIZE", 2)
    Client.objects.bulk_create(Client(name=f"Elm {name}", reference=f"E{n}") for n, name in enumerate("BDACC"))
    Client.objects.create(name="Ash")

    def seen(address: str) -> list[str]:
        return [one.name for one in desk.get(address).context["page"].rows]

    pages = ["/clients/?q=elm"]
    while following := desk.get(pages[-1]).context["after"]:
        pages.append(f"/clients/{following}")
    assert [seen(page) for page in pages] == [["Elm A", "Elm B"], ["Elm C", "Elm C"], ["Elm D"]]
    back = f"/clients/{desk.get(pages[-1]).context['before']}"
    assert seen(back) == ["Elm C", "Elm C"]
    assert seen(f"/clients/{desk.get(back).context['before']}") == ["Elm A", "Elm B"]
    assert seen("/clients/?q=elm&after=x&before=99999999999999999999") == ["Elm A", "Elm B"]
