"""The sync settings page: what it offers, what it keeps, and what it refuses."""

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from incrementors.models import Group

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/sync/"
AS_THEY_ARE = {
    **{"create_as": "CREATED", "numbers": "OURS", "sync_from": ""},
    **{"direction": "EXPORT", "read_back": "on", "sync_every": "15"},
}


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


def test_each_setting_says_what_it_does_to_the_next_invoice(desk: Browser, connection: Connection) -> None:
    page = desk.get(PAGE).text
    for label in ("Create invoices as", "Create line items in Sage", "Send on approval", "Whose number", "Sync from"):
        assert label in page
    for label in ("Invoice direction", "Read back payments and voids", "How often"):
        assert label in page
    assert "Invoices dated before this day are neither sent nor brought in." in page


def test_what_was_chosen_is_kept_and_shown_on_the_connector_page(desk: Browser, connection: Connection) -> None:
    chosen = {**AS_THEY_ARE, "create_as": "DRAFT", "send_on_approval": "on", "sync_from": "2026-04-01"}
    assert desk.post(PAGE, chosen).status_code == 302
    connection.refresh_from_db()
    assert connection.options.as_drafts
    assert connection.options.send_on_approval
    assert not connection.options.create_items
    assert str(connection.options.sync_from) == "2026-04-01"
    page = desk.get("/settings/connector/").text
    assert "<dd>Draft</dd>" in page
    assert "<dd>2026-04-01</dd>" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("create_as", "PAID"),
        ("numbers", ""),
        ("direction", "IMPORT"),
        ("sync_every", "0"),
        ("sync_from", "31 February"),
        ("sync_from", "\x00"),
    ],
)
def test_what_is_no_choice_comes_back_in_words_and_changes_nothing(
    desk: Browser, connection: Connection, field: str, value: str
) -> None:
    answer = desk.post(PAGE, {**AS_THEY_ARE, "send_on_approval": "on", field: value})
    assert answer.status_code == 422
    assert "Not saved yet" in answer.text
    connection.refresh_from_db()
    assert connection.sync_settings == {}


def test_a_prefix_that_sage_does_not_take_leaves_sage_numbers_only_and_says_why(
    desk: Browser, connection: Connection
) -> None:
    Group.objects.update(prefix="HARBOUR-")
    page = desk.get(PAGE).text
    assert "Only Sage numbers: the prefix HARBOUR- is longer than the 6 characters Sage Accounting takes." in page
    assert 'value="OURS"' not in page
    assert desk.post(PAGE, AS_THEY_ARE).status_code == 422
    assert desk.post(PAGE, {**AS_THEY_ARE, "numbers": "PLATFORM"}).status_code == 302


def test_with_sage_numbers_a_longer_prefix_is_no_hindrance(desk: Browser, connection: Connection) -> None:
    long = {"starting_position": "1", "prefix": "HARBOUR-", "suffix": "", "digits": "5"}
    assert "takes 6 characters at most" in desk.post("/settings/incrementors/INVOICES/", long).text
    desk.post(PAGE, {**AS_THEY_ARE, "numbers": "PLATFORM"})
    assert desk.post("/settings/incrementors/INVOICES/", long).status_code == 302


def test_without_a_connection_there_are_no_settings_of_one(desk: Browser) -> None:
    assert desk.get(PAGE).status_code == 404
