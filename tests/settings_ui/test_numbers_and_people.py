"""Incrementor Groups and People as an admin meets them: what is refused is mended with one press, and who may what."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from pytest_django import DjangoAssertNumQueries

from connectors.models import Connection
from incrementors.models import Group, Number
from settings_ui import accounts
from settings_ui.models import AccessChange
from tests.conftest import person

pytestmark = pytest.mark.django_db
GROUP, PEOPLE = "/settings/incrementors/INVOICES/", "/settings/people/"


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


def group(**changes: Any) -> dict[str, Any]:
    return {"starting_position": "1", "prefix": "INV-", "suffix": "", "digits": "5", **changes}


def given(value: int, now: datetime, prefix: str = "INV-") -> None:
    text = f"{prefix}{value:05}"
    Number.objects.create(group_id="INVOICES", value=value, text=text, prefix=prefix, holder=uuid4(), given_at=now)


def page_of(desk: Browser, path: str) -> str:
    return re.sub(r"<svg.*?</svg>", "", unescape(desk.get(path).text), flags=re.DOTALL)


# Incrementor Groups


def test_a_start_that_would_repeat_a_number_is_mended_with_one_press(desk: Browser, now: datetime) -> None:
    given(41, now)
    page = unescape(desk.post(GROUP, group(starting_position="7", digits="5")).text)
    (name, value, label) = re.findall(
        r'<button class="btn btn-primary" name="(\w+)" value="(\d+)">(.*?)</button>', page
    )[0]
    assert (name, value) == ("safe", "42")
    assert "(INV-00042)" in label
    assert desk.post(GROUP, group(starting_position="7", safe="42")).status_code == 302
    assert Group.objects.get(pk="INVOICES").next_value == 42


def test_the_safe_start_is_that_of_the_prefix_just_typed(desk: Browser, now: datetime) -> None:
    given(41, now)
    given(8, now, prefix="HV-")
    page = desk.post(GROUP, group(starting_position="1", prefix="HV-")).text
    assert re.findall(r'name="safe" value="(\d+)">', page) == ["9"]


@pytest.mark.parametrize(
    "changes", [{"starting_position": "0"}, {"prefix": "?"}, {"prefix": "P" * 12, "suffix": "S" * 12}]
)
def test_what_no_start_mends_offers_none(desk: Browser, changes: dict[str, str]) -> None:
    page = desk.post(GROUP, group(**changes)).text
    assert "Not saved yet" in page
    assert "Start at" not in page


LIMITS = [
    ("sage_accounting", "OURS", "Sage Accounting takes 6 characters at most."),
    ("sage_accounting", "PLATFORM", ""),
]
LIMITS += [("sage_intacct", "OURS", "Sage Intacct takes 20 characters at most."), ("sage_intacct", "PLATFORM", "")]


@pytest.mark.parametrize(("platform", "numbers", "words"), LIMITS)
def test_the_longest_prefix_is_said_where_the_platform_takes_our_numbers(
    desk: Browser, admin: User, now: datetime, platform: str, numbers: str, words: str
) -> None:
    settings = {"numbers": numbers}
    Connection.objects.create(
        platform=platform,
        state="ACTIVE",
        company_id="1",
        authorised_at=now,
        authorised_by=admin,
        sync_settings=settings,
    )
    page = page_of(desk, GROUP)
    assert words in page
    assert ("characters at most" in page) is bool(words)


def test_a_prefix_too_long_leads_to_the_setting_that_takes_it(desk: Browser, admin: User, now: datetime) -> None:
    Connection.objects.create(
        platform="sage_accounting", state="ACTIVE", company_id="1", authorised_at=now, authorised_by=admin
    )
    page = desk.post(GROUP, group(prefix="HARBOUR-")).text
    assert '<a href="/settings/connector/sync/">choose them in the sync settings</a>' in page
    assert 'value="HARBOUR-"' in page


# People


def roles_table(page: str) -> dict[str, list[str]]:
    (table,) = re.findall(r'<table class="table plain roles">.*?</table>', page, re.DOTALL)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    return {deed: re.findall(r'class="sr">(Yes|No)<', cells) for deed, cells in rows}


def test_the_table_of_roles_says_what_their_permissions_say(desk: Browser) -> None:
    table = roles_table(page_of(desk, PEOPLE))
    assert table["Read invoices, clients, items and properties"] == ["Yes", "Yes", "Yes"]
    assert table["Send to Sage, and settle what Sage asks back"] == ["No", "Yes", "Yes"]
    assert table["Invite people, and change their roles"] == ["No", "No", "Yes"]
    Role.objects.get(name="Viewer").permissions.add(Permission.objects.get(codename="send_invoice"))
    assert roles_table(page_of(desk, PEOPLE))["Send to Sage, and settle what Sage asks back"] == ["Yes", "Yes", "Yes"]


def invited(admin: User, now: datetime) -> User:
    nina = User(username="nina", first_name="Nina")
    accounts.invite(person=nina, role="Staff", actor=admin, now=now)
    return nina


def test_an_invitation_says_until_when_its_link_opens_and_that_it_has_ended(
    desk: Browser, admin: User, now: datetime
) -> None:
    nina = invited(admin, now)
    assert "Link opens until" in page_of(desk, PEOPLE)
    assert "No password chosen yet" in page_of(desk, f"{PEOPLE}{nina.pk}/")
    AccessChange.objects.filter(person=nina).update(happened_at=now - timedelta(days=3, minutes=1))
    page = page_of(desk, PEOPLE)
    assert "Invitation ended" in page
    assert "Make another link" in page
    assert "The invitation has ended" in page_of(desk, f"{PEOPLE}{nina.pk}/")
    accounts.make_link(person=nina, actor=admin, now=now)
    assert "Link opens until" in page_of(desk, PEOPLE)
    nina.set_password("chosen-and-long-enough")
    nina.save()
    assert "Link opens" not in page_of(desk, PEOPLE)


def test_among_several_a_lone_admin_is_told_that_a_second_one_can_help(desk: Browser, staff: User) -> None:
    assert "Ada is the only admin." in page_of(desk, PEOPLE)
    person("bea", "Admin")
    assert "only admin" not in page_of(desk, PEOPLE)


def test_the_last_admin_stays_whatever_is_tried(desk: Browser, admin: User, staff: User) -> None:
    desk.post(f"{PEOPLE}{admin.pk}/", {"first_name": "Ada", "role": "Viewer"})
    desk.post(f"{PEOPLE}{admin.pk}/active/", {"active": "no"})
    with pytest.raises(accounts.Refused, match="no longer an admin"):
        accounts.change(person=admin, role="Viewer", actor=staff, now=admin.date_joined)
    admin.refresh_from_db()
    assert (admin.is_active, accounts.role_of(admin)) == (True, "Admin")


def test_the_list_of_people_asks_postgres_no_more_for_many(
    desk: Browser, admin: User, now: datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(12):
        accounts.invite(person=User(username=f"p{n}", first_name="P"), role="Staff", actor=admin, now=now)
    with django_assert_max_num_queries(12):
        desk.get(PEOPLE)
