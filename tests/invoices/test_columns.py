"""The columns of the list: shown, left out and put in order, kept for each person, and set back."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from invoices import columns
from invoices.models import Invoice, ViewChoice

pytestmark = pytest.mark.django_db
LIST, COLUMNS = reverse("invoice-list"), reverse("invoice-columns")
ALL = list(columns.COLUMNS)


def headings(desk: Browser) -> list[str]:
    found = re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', desk.get(LIST).text)
    return [name for name in found if name.strip()]


def choose(desk: Browser, shown: list[str], order: list[str], **pressed: str) -> Any:
    return desk.post(f"{COLUMNS}?status=DRAFT", {"columns": shown, "order": order, **pressed})


def columns_of(person: User) -> list[columns.Column]:
    return columns.columns_of(ViewChoice.objects.filter(user=person, page=columns.PAGE).first() or ViewChoice())


def test_everybody_begins_with_all_of_them_and_sent_to_sage_among_them(desk: Browser, invoice: Invoice) -> None:
    assert headings(desk) == ["Number", *columns.COLUMNS.values()]


def test_what_is_left_out_and_its_order_are_kept_for_this_person_only(
    desk: Browser, invoice: Invoice, admin: User, staff: User
) -> None:
    answer = choose(desk, ["sent", "client", "total"], ["total", "sent", *ALL])
    assert answer.headers["Location"] == f"{LIST}?status=DRAFT"
    assert headings(desk) == ["Number", "Total", "Sent to Sage", "Client"]
    assert [column.shown for column in columns_of(admin)] == [True] * len(ALL)
    choose(desk, ["due"], [])
    assert ViewChoice.objects.count() == 1


@pytest.mark.parametrize(
    ("pressed", "expected"),
    [
        ({"up": "property"}, ["property", "client", *ALL[2:]]),
        ({"down": "client"}, ["property", "client", *ALL[2:]]),
        ({"up": "client"}, ALL),
        ({"down": "sent"}, ALL),
        ({"up": "nonsense"}, ALL),
        ({"up": "sent"}, [*ALL[:-2], "sent", "sage"]),
    ],
)
def test_a_column_goes_up_or_down_a_place_without_any_script(
    desk: Browser, invoice: Invoice, staff: User, pressed: dict[str, str], expected: list[str]
) -> None:
    choose(desk, ALL, ALL, **pressed)
    assert [column.name for column in columns_of(staff)] == expected


def test_reset_brings_back_what_everybody_begins_with(desk: Browser, invoice: Invoice) -> None:
    choose(desk, ["sent"], ALL[::-1])
    choose(desk, ["sent"], ALL[::-1], reset="1")
    assert headings(desk) == ["Number", *columns.COLUMNS.values()]


@pytest.mark.parametrize("order", [["nonsense", "\x00", "sent", "sent"], ["sent", "9" * 300]])
def test_what_is_no_column_is_not_kept(desk: Browser, invoice: Invoice, staff: User, order: list[str]) -> None:
    choose(desk, ["nonsense", "sent"], order)
    found = columns_of(staff)
    assert sorted(column.name for column in found) == sorted(ALL)
    assert [column.name for column in found if column.shown] == ["sent"]


def test_one_that_is_new_since_stands_where_it_stands_by_default(staff: User) -> None:
    ViewChoice.objects.create(user=staff, page="invoices", left_out=["due"], in_order=["sent", "client", "gone"])
    found = columns_of(staff)
    assert [column.name for column in found if not column.shown] == ["due"]
    assert next(iter(found)).name == "sent"
    assert len(found) == len(ALL)
