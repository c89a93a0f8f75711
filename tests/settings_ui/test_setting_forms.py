"""Incrementor groups and the company: what is set holds from the next invoice on, what is wrong comes back as typed."""

import re
from datetime import datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from incrementors.models import Group, GroupChange, Number
from invoices.models import Client, Company
from invoices.services import create_invoice
from tests.conftest import draft_for

pytestmark = pytest.mark.django_db
GROUP = "/settings/incrementors/INVOICES/"
COMPANY = "/settings/company/"
Typed = dict[str, Any]


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture
def connected(admin: User, now: datetime) -> Connection:
    return Connection.objects.create(
        platform="sage_accounting", state="ACTIVE", company_id="b-1", authorised_at=now, authorised_by=admin
    )


def group(**changes: Any) -> Typed:
    return {"starting_position": "1", "prefix": "INV-", "suffix": "", "digits": "5", **changes}


def given(text: str, now: datetime) -> None:
    Number.objects.create(group_id="INVOICES", value=1, text=text, holder=uuid4(), given_at=now)


def beside(page: str, name: str) -> str:
    """The field with all that stands beside it."""
    found = re.search(
        rf'<div class="field">(?:(?!<div class="field">).)*name="{name}".*?</div>\s*</div>', page, re.DOTALL
    )
    assert found, name
    return found[0]


def refused(desk: Browser, path: str, typed: Typed) -> str:
    answer = desk.post(path, typed)
    assert answer.status_code == 422
    return unescape(answer.content.decode())


def preview(page: str) -> list[str]:
    return re.findall(r"<output data-number-preview>([^<]*)</output>", page)


def test_the_list_shows_each_group_and_its_next_number(desk: Browser) -> None:
    page = desk.get("/settings/incrementors/").content.decode()
    assert "Invoices</a>" in page
    assert "INV-00001" in page


def test_the_form_shows_how_it_counts_and_the_next_numbers(desk: Browser) -> None:
    Group.objects.update(next_value=99)
    page = desk.get(GROUP).content.decode()
    assert preview(page) == ["INV-00099", "INV-00100", "INV-00101"]
    assert 'value="99"' in beside(page, "starting_position")


def test_a_change_holds_from_the_next_invoice_on_and_is_on_record(
    desk: Browser, client_of_ours: Client, staff: User, now: datetime
) -> None:
    typed = group(starting_position="500", prefix="H", suffix="/26", digits="4")
    said = unescape(desk.post(GROUP, typed, follow=True).content.decode())
    assert "The next invoice is H0500/26." in said
    assert create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now).number == "H0500/26"
    assert "Next number INV-00001 became H0500/26" in unescape(desk.get(GROUP).content.decode())
    assert GroupChange.objects.get().changed_by.username == "ada"


@pytest.mark.parametrize("start", ["1", "6", "7"])
def test_a_start_that_would_repeat_names_the_first_safe_one_beside_the_field(
    desk: Browser, now: datetime, start: str
) -> None:
    given("INV-00007", now)
    page = refused(desk, GROUP, group(starting_position=start))
    field = beside(page, "starting_position")
    assert "would repeat a number already given. The first safe starting position is 8 (INV-00008)." in field
    assert f'value="{start}"' in field
    assert preview(page)[0] == "INV-00001", "nothing was changed"
    assert desk.post(GROUP, group(starting_position="8")).status_code == 302


WRONG = [
    ("starting_position", "", "This field is required."),
    ("starting_position", "0", "greater than or equal to 1"),
    ("starting_position", "-5", "greater than or equal to 1"),
    ("starting_position", "1.5", "Enter a whole number."),
    ("starting_position", "1e3", "Enter a whole number."),
    ("starting_position", "NaN", "Enter a whole number."),
    ("starting_position", "1000000000001", "less than or equal to"),
    ("starting_position", "9" * 40, "less than or equal to"),
    ("prefix", "P" * 13, "at most 12 characters"),
    ("prefix", "INV 1", "Use letters, digits and"),
    ("prefix", "<b>", "Use letters, digits and"),
    ("prefix", "🏠", "Use letters, digits and"),
    ("prefix", "ÄÖ", "Use letters, digits and"),
    ("prefix", "a\x00", "Null characters are not allowed."),
    ("suffix", "S" * 13, "at most 12 characters"),
    ("suffix", "'; --", "Use letters, digits and"),
    ("digits", "", "This field is required."),
    ("digits", "0", "greater than or equal to 1"),
    ("digits", "13", "less than or equal to 12"),
    ("digits", "many", "Enter a whole number."),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_value_comes_back_beside_its_field_as_it_was_typed(
    desk: Browser, name: str, value: str, words: str
) -> None:
    before = Group.objects.values().get(pk="INVOICES")
    field = beside(refused(desk, GROUP, group(**{name: value})), name)
    assert words in field
    assert value.replace("\x00", "") in field
    assert 'aria-invalid="true"' in field
    assert Group.objects.values().get(pk="INVOICES") == before


def test_a_number_too_long_for_a_platform_says_what_to_shorten(desk: Browser) -> None:
    page = refused(desk, GROUP, group(prefix="P" * 12, suffix="S" * 12))
    assert "Shorten the prefix, the suffix or the digits." in beside(page, "starting_position")


@pytest.mark.parametrize(("prefix", "taken"), [("ABCDEF", True), ("ABCDEFG", False), ("", True)])
def test_while_connected_a_prefix_may_be_as_long_as_the_platform_takes(
    desk: Browser, connected: Connection, prefix: str, taken: bool
) -> None:
    if taken:
        assert desk.post(GROUP, group(prefix=prefix)).status_code == 302
    else:
        page = refused(desk, GROUP, group(prefix=prefix))
        assert "Sage Accounting takes 6 characters at most; this has 7." in beside(page, "prefix")


def test_unconnected_a_longer_prefix_is_taken(desk: Browser) -> None:
    assert desk.post(GROUP, group(prefix="ABCDEFG")).status_code == 302


@pytest.mark.parametrize("key", ["NOWHERE", "invoices", "\x00"])
def test_a_group_that_is_not_there_is_not_found(desk: Browser, key: str) -> None:
    assert desk.get(f"/settings/incrementors/{key}/").status_code == 404


def company(**changes: Any) -> Typed:
    typed = {"name": "Quayside Ltd", "address": "8 Harbour Street", "vat_number": "GB1", "currency": "GBP"}
    return {**typed, "terms_days": "14", **changes}


def test_the_company_is_kept_and_new_invoices_follow_it(
    desk: Browser, client_of_ours: Client, staff: User, now: datetime
) -> None:
    assert "Saved." in desk.post(COMPANY, company(currency="EUR"), follow=True).content.decode()
    ours = Company.ours()
    assert (ours.name, ours.terms_days, Company.objects.count()) == ("Quayside Ltd", 14, 1)
    assert create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now).currency == "EUR"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("name", "", "This field is required."),
        ("name", "n" * 101, "at most 100 characters"),
        ("name", "<script>", "The signs < and > can't be used here"),
        ("address", "a" * 501, "at most 500 characters"),
        ("address", "a\x00", "Null characters are not allowed."),
        ("vat_number", "v" * 21, "at most 20 characters"),
        ("currency", "gbp", "Enter a valid value."),
        ("currency", "POUND", "at most 3 characters"),
        ("currency", "", "This field is required."),
        ("terms_days", "-1", "greater than or equal to 0"),
        ("terms_days", "366", "less than or equal to 365"),
        ("terms_days", "soon", "Enter a whole number."),
        ("terms_days", "1e30", "Enter a whole number."),
    ],
)
def test_a_wrong_value_of_the_company_comes_back_beside_its_field(
    desk: Browser, name: str, value: str, words: str
) -> None:
    field = beside(refused(desk, COMPANY, company(**{name: value})), name)
    assert words in field
    assert value.replace("\x00", "") in field
    assert Company.ours().name == "Our company"
