"""Whatever is typed into an invoice comes back beside its field as it was typed, with nothing saved and no accident."""

import re
from collections.abc import Callable
from decimal import Decimal
from html import escape, unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incrementors.models import Group
from invoices.forms import InvoiceForm, lines_for
from invoices.models import Client, Company, Invoice, Item, Property
from tests.invoices.screen import NEW, Typed, control, refused, saved, shown_errors, typed

pytestmark = pytest.mark.django_db


def test_an_invoice_is_saved_as_it_was_typed(desk: Browser, client_of_ours: Client, staff: User) -> None:
    invoice = saved(desk, typed(client_of_ours, {}, {"description": "Labour", "unit_price": "1,000.50"}))
    assert (invoice.number, invoice.created_by, str(invoice.due_date)) == ("INV-00001", staff, "2026-12-02")
    assert [(row.description, row.unit_price) for row in invoice.lines.all()] == [
        ("Gutter clearing", Decimal("85.00")),
        ("Labour", Decimal("1000.50")),
    ]


def test_without_terms_of_the_client_those_of_the_company_hold(desk: Browser, client_of_ours: Client) -> None:
    Client.objects.update(terms_days=None)
    company = Company.ours()
    company.terms_days = 7
    company.save()
    assert str(saved(desk, typed(client_of_ours)).due_date) == "2026-11-09"


def test_terms_of_no_days_are_terms(desk: Browser, client_of_ours: Client) -> None:
    Client.objects.update(terms_days=0)
    assert str(saved(desk, typed(client_of_ours)).due_date) == "2026-11-02"


HEADS: list[tuple[str, Any, str]] = [
    ("client", "", "This field is required."),
    ("client", None, "This field is required."),
    ("client", "987654", "is none of the clients: choose one from the list."),
    ("client", "9" * 40, "is none of the clients: choose one from the list."),
    ("client", "Bramley", "“Bramley” is none of the clients: choose one from the list."),
    ("client", "1\x00", "Null characters are not allowed."),
    ("site", "987654", "is none of the properties: choose one from the list."),
    ("issue_date", "", "This field is required."),
    ("issue_date", "31 February 2026", "Enter a valid date."),
    ("issue_date", "2026-02-31", "Enter a valid date."),
    ("issue_date", "yesterday", "Enter a valid date."),
    ("issue_date", "20261-01-01", "Enter a valid date."),
    ("issue_date", "0000-00-00", "Enter a valid date."),
    ("issue_date", "9999-12-31", "Check the year of this date."),
    ("issue_date", "0026-11-02", "Check the year of this date."),
    ("issue_date", "2026-11-02\x00", "Enter a valid date."),
    ("due_date", "2026-02-30", "Enter a valid date."),
    ("due_date", "2026-11-01", "This is before the invoice's date."),
    ("reference", "R" * 51, "at most 50 characters"),
    ("reference", "<script>alert(1)</script>", "The signs < and > can't be used here"),
    ("reference", "PO\x007", "Null characters are not allowed."),
    ("notes", "N" * 1501, "at most 1500 characters"),
    ("notes", "N" * 200_000, "at most 1500 characters"),
    ("notes", "<b>bold</b>", "The signs < and > can't be used here"),
    ("notes", "a\x00b", "Null characters are not allowed."),
]


@pytest.mark.parametrize(("name", "value", "words"), HEADS, ids=[f"{n}-{str(v)[:12]!a}" for n, v, _ in HEADS])
def test_a_wrong_value_in_the_head_is_refused_at_its_field(
    client_of_ours: Client, name: str, value: Any, words: str
) -> None:
    errors = InvoiceForm(typed(client_of_ours, **{name: value})).errors
    assert list(errors) == [name]
    assert words in " ".join(map(str, errors[name]))


@pytest.mark.parametrize(("name", "value", "words"), {row[0]: row for row in HEADS}.values())
def test_a_wrong_value_in_the_head_comes_back_beside_its_field(
    desk: Browser, client_of_ours: Client, name: str, value: Any, words: str
) -> None:
    page = refused(desk, typed(client_of_ours, {"description": "Keep me"}, **{name: value}))
    assert words in shown_errors(page)
    assert 'aria-invalid="true"' in control(page, name)
    assert 'value="Keep me"' in control(page, "lines-0-description"), "what was typed elsewhere is kept"
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize("value", ["yesterday", "2026-02-31", "31 February 2026"])
def test_a_wrong_date_is_shown_again_as_it_was_typed(desk: Browser, client_of_ours: Client, value: str) -> None:
    assert f'value="{value}"' in control(refused(desk, typed(client_of_ours, issue_date=value)), "issue_date")


LINES: list[tuple[str, Any, str]] = [
    ("description", "", "This field is required."),
    ("description", "D" * 201, "at most 200 characters"),
    ("description", "D" * 200_000, "at most 200 characters"),
    ("description", "<script>alert(1)</script>", "The signs < and > can't be used here"),
    ("description", "a\x00b", "Null characters are not allowed."),
    ("quantity", "", "This field is required."),
    ("quantity", "0", "At least 0.01"),
    ("quantity", "-1", "At least 0.01"),
    ("quantity", "0.001", "no more than 2 decimal places"),
    ("quantity", "two", "Enter a number."),
    ("quantity", "NaN", "Enter a number."),
    ("quantity", "sNaN", "Enter a number."),
    ("quantity", "Infinity", "Enter a number."),
    ("quantity", "-Infinity", "Enter a number."),
    ("quantity", "1e30", "no more than"),
    ("quantity", "1e-30", "no more than"),
    ("quantity", "1e999999999", "no more than"),
    ("quantity", "100000000", "no more than 8 digits before the decimal point"),
    ("quantity", "9" * 5000, "no more than"),
    ("quantity", "½", "Enter a number."),
    ("quantity", "2\x00", "Enter a number."),
    ("unit_price", "", "This field is required."),
    ("unit_price", "-0.01", "At least 0"),
    ("unit_price", "1000000000000", "no more than 12 digits before the decimal point"),
    ("unit_price", "85.001", "no more than 2 decimal places"),
    ("unit_price", "£85", "Enter a number."),
    ("unit_price", "🏠", "Enter a number."),
    ("unit_price", "NaN", "Enter a number."),
    ("unit_price", "1e30", "no more than"),
    ("discount_percent", "-1", "At least 0"),
    ("discount_percent", "100.01", "At most 100"),
    ("discount_percent", "1e30", "no more than"),
    ("discount_percent", "half", "Enter a number."),
    ("tax_rate", "", "This field is required."),
    ("tax_rate", "NOWHERE", "Select a valid choice."),
    ("tax_rate", "\x00", "Select a valid choice."),
    ("item", "987654", "is none of the items: choose one from the list."),
    ("item", "LABOUR", "“LABOUR” is none of the items: choose one from the list."),
    ("item", "1\x00", "is none of the items: choose one from the list."),
]


@pytest.mark.parametrize(("name", "value", "words"), LINES, ids=[f"{n}-{str(v)[:12]!a}" for n, v, _ in LINES])
def test_a_wrong_value_in_a_line_is_refused_at_its_cell(
    client_of_ours: Client, name: str, value: Any, words: str
) -> None:
    found: list[Any] = list(lines_for(None, typed(client_of_ours, {}, {name: value})).errors)
    right, wrong = found
    assert (list(right), list(wrong)) == ([], [name])
    assert words in " ".join(map(str, wrong[name]))


def test_every_wrong_cell_comes_back_beside_its_own_place(desk: Browser, client_of_ours: Client) -> None:
    page = refused(
        desk, typed(client_of_ours, *[{name: value} for name, value, _ in LINES], {"description": "Keep me"})
    )
    told = shown_errors(page)
    for n, (name, value, words) in enumerate(LINES):
        label = name.replace("_", " ").replace("unit ", "").replace("percent", "%")
        assert re.search(rf"Line {n + 1}, {label}: [^:]*{re.escape(words)}", told), (name, value)
        assert 'aria-invalid="true"' in control(page, f"lines-{n}-{name}")
        if value and value.isprintable() and len(value) < 50 and name not in ("tax_rate", "item"):
            assert f'value="{escape(value)}"' in control(page, f"lines-{n}-{name}")
    assert 'value="Keep me"' in control(page, f"lines-{len(LINES)}-description")
    assert Invoice.objects.count() == 0


def test_what_is_typed_as_markup_is_shown_as_text(desk: Browser, client_of_ours: Client) -> None:
    page = refused(desk, typed(client_of_ours, {"description": "<script>alert(1)</script>"}))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("text", ["🏠 Höuse £ “q” & 'a'", "مرحبا", "O'Neil; DROP TABLE", "{{ 7*7 }}", "%s %(x)s"])
def test_any_other_text_is_text(desk: Browser, client_of_ours: Client, text: str) -> None:
    invoice = saved(desk, typed(client_of_ours, {"description": text}, reference=text[:20], notes=text))
    assert (invoice.lines.get().description, invoice.notes) == (text, text)
    shown = desk.get(f"/invoices/{invoice.pk}/").content.decode()
    assert text in unescape(shown)


@pytest.mark.parametrize(
    "lines",
    [
        [{"quantity": "99999999.99", "unit_price": "999999999999.99"}],
        [{"quantity": "1.5", "unit_price": "999999999999.99"}],
        [{"quantity": "1", "unit_price": "900000000000"}],
        [{"quantity": "1", "unit_price": "400000000000"}] * 3,
    ],
    ids=["line", "net", "with-tax", "sum"],
)
def test_sums_too_large_to_be_kept_are_refused_in_words(
    desk: Browser, client_of_ours: Client, lines: list[Typed]
) -> None:
    page = refused(desk, typed(client_of_ours, *lines))
    assert "999,999,999,999.99" in shown_errors(page)
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    "lines",
    [[], [{"description": "", "quantity": "1", "unit_price": ""}], [{"DELETE": "on"}]],
    ids=["none", "left as it came", "removed"],
)
def test_an_invoice_needs_a_line(desk: Browser, client_of_ours: Client, lines: list[Typed]) -> None:
    posted = typed(client_of_ours, *lines, **({} if lines else {"lines-TOTAL_FORMS": 0}))
    assert "An invoice needs at least one line." in shown_errors(refused(desk, posted))


def test_a_line_left_as_it_came_and_a_removed_one_are_no_lines(desk: Browser, client_of_ours: Client) -> None:
    blank = {"description": "", "quantity": "1", "unit_price": ""}
    invoice = saved(desk, typed(client_of_ours, blank, {"description": "Kept"}, {"quantity": "x", "DELETE": "on"}))
    assert [row.description for row in invoice.lines.all()] == ["Kept"]


def test_two_hundred_lines_are_taken(desk: Browser, client_of_ours: Client) -> None:
    assert saved(desk, typed(client_of_ours, *[{}] * 200)).lines.count() == 200


def test_fifty_lines_ask_the_database_as_often_as_one(client_of_ours: Client) -> None:
    asked = []
    for count in (1, 50):
        with CaptureQueriesContext(connection) as queries:
            assert lines_for(None, typed(client_of_ours, *[{}] * count)).is_valid()
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_two_hundred_and_one_lines_are_refused_in_words_and_kept(desk: Browser, client_of_ours: Client) -> None:
    page = refused(desk, typed(client_of_ours, *[{"description": f"Line {n}"} for n in range(1, 202)]))
    assert "An invoice takes at most 200 lines." in shown_errors(page)
    assert "Line 201" in page


@pytest.mark.parametrize("count", ["", "many", "-1", "1e3", None])
def test_a_form_that_was_tampered_with_is_refused(desk: Browser, client_of_ours: Client, count: str | None) -> None:
    refused(desk, typed(client_of_ours, **{"lines-TOTAL_FORMS": count}))
    assert Invoice.objects.count() == 0


def test_a_form_of_a_million_lines_is_refused_and_not_built(client_of_ours: Client) -> None:
    lines = lines_for(None, typed(client_of_ours, **{"lines-TOTAL_FORMS": 10**9}))
    assert not lines.is_valid()
    assert len(lines.forms) == 400


def test_an_empty_post_is_answered_with_the_form(desk: Browser) -> None:
    assert desk.post(NEW, {}).status_code == 422


def test_an_archived_client_property_or_item_is_refused_by_its_name(
    desk: Browser, client_of_ours: Client, item: Item
) -> None:
    site = Property.objects.create(name="Ivy Court", archived_at=timezone.now())
    Item.objects.update(archived_at=timezone.now())
    other = Client.objects.create(name="Gone Ltd", archived_at=timezone.now())
    cure = "is archived: take it back under {}, or choose another one."
    told = shown_errors(refused(desk, typed(client_of_ours, client=other.pk)))
    assert "Gone Ltd " + cure.format("Clients") in told
    told = shown_errors(refused(desk, typed(client_of_ours, site=site.pk)))
    assert "Ivy Court " + cure.format("Properties") in told
    told = shown_errors(refused(desk, typed(client_of_ours, {"item": item.pk})))
    assert "LABOUR " + cure.format("Items") in told


def test_a_group_that_cannot_count_on_says_so_and_keeps_what_was_typed(
    desk: Browser, client_of_ours: Client, admin: User
) -> None:
    Group.objects.update(prefix="A" * 12, suffix="B" * 12)
    page = refused(desk, typed(client_of_ours, {"description": "Keep me"}))
    assert "longer than 25 characters" in shown_errors(page)
    assert "Keep me" in page


def test_each_cell_of_the_grid_has_a_name_for_those_who_do_not_see_it(desk: Browser) -> None:
    page = desk.get(NEW).content.decode()
    labelled: Callable[[str], bool] = lambda name: "aria-label=" in control(page, f"lines-0-{name}")  # noqa: E731
    assert all(map(labelled, ("item", "description", "quantity", "unit_price", "discount_percent", "tax_rate")))
