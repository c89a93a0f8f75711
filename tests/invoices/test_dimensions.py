"""A property's own location and department: there where the platform keeps such lists, kept, changed and taken away."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client as Browser

from connectors import tokens
from connectors.interface import Entry
from connectors.models import Catalogue, Connection, RemoteLink
from connectors.oauth import Tokens
from connectors.options import Kind
from invoices.models import Item, Property

pytestmark = pytest.mark.django_db
TYPED = {"name": "Ivy Court", "client": "", "address": "Harrogate"}


@pytest.fixture
def intacct_away(wired: Connection, now: datetime, settings: Any) -> Connection:
    """Connected to a platform with locations and departments, both just read; Sage itself can't be reached."""
    settings.SAGE_INTACCT = {**settings.SAGE_INTACCT, "api_url": "http://127.0.0.1:1"}
    Connection.objects.update(platform="sage_intacct")
    wired.refresh_from_db()
    end = now + timedelta(hours=6)
    tokens.store(wired, Tokens(access="a", refresh="", access_expires_at=end, refresh_expires_at=None))
    locations = (Entry(id="LDN", name="Harbour London"), Entry(id="NTH", name="Harbour North"))
    Catalogue.keep(connection=wired, kind=Kind.LOCATIONS, entries=locations, now=now)
    Catalogue.keep(connection=wired, kind=Kind.DEPARTMENTS, entries=(Entry(id="OPS", name="Operations"),), now=now)
    return wired


def page_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return unescape(answer.content.decode())


def options(page: str, name: str) -> list[str]:
    select = re.search(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    return [words.strip() for words in re.findall(r"<option[^>]*>([^<]*)", select[0])] if select else []


def chosen() -> dict[tuple[str, str], str]:
    links = RemoteLink.objects.filter(kind__in=["LOCATION", "DEPARTMENT"])
    return {(link.local_key, link.kind): link.remote_name for link in links}


def add(desk: Browser, **changes: str) -> Property:
    assert desk.post("/properties/new/", {**TYPED, **changes}).status_code == 302
    return Property.objects.latest("pk")


def test_a_new_property_is_given_what_its_lines_are_posted_to(desk: Browser, intacct_away: Connection) -> None:
    page = page_of(desk.get("/properties/new/"))
    assert options(page, "location") == ["The connection's default", "Harbour London", "Harbour North"]
    assert options(page, "department") == ["The connection's default", "Operations"]
    site = add(desk, location="NTH", department="OPS")
    assert chosen() == {(str(site.pk), "LOCATION"): "Harbour North", (str(site.pk), "DEPARTMENT"): "Operations"}
    assert "In Sage: Harbour North · Operations" in page_of(desk.get("/properties/"))


def test_it_is_changed_and_taken_away_again(desk: Browser, intacct_away: Connection) -> None:
    site = add(desk, location="NTH", department="OPS")
    page = page_of(desk.get(f"/properties/{site.pk}/"))
    assert re.search(r'value="NTH" selected', page)
    desk.post(f"/properties/{site.pk}/", {**TYPED, "location": "LDN", "department": ""})
    assert chosen() == {(str(site.pk), "LOCATION"): "Harbour London"}
    desk.post(f"/properties/{site.pk}/", TYPED)
    assert chosen() == {}
    assert "In Sage" not in page_of(desk.get("/properties/")).partition("<main")[2]


def test_two_properties_may_be_posted_to_the_same(desk: Browser, intacct_away: Connection) -> None:
    one, other = add(desk, location="LDN"), add(desk, location="LDN")
    assert set(chosen()) == {(str(one.pk), "LOCATION"), (str(other.pk), "LOCATION")}


@pytest.mark.parametrize("unknown", ["XYZ", "\x00", "N" * 300])
def test_what_is_not_in_sages_list_is_refused_and_nothing_is_saved(
    desk: Browser, intacct_away: Connection, unknown: str
) -> None:
    page = page_of(desk.post("/properties/new/", {**TYPED, "location": unknown}), 422)
    assert "That is not, or no longer, in Sage's list. Choose another." in page
    assert not Property.objects.exists()
    assert chosen() == {}


def test_while_sage_does_not_answer_what_was_chosen_is_shown_and_stays(
    desk: Browser, intacct_away: Connection, now: datetime
) -> None:
    site = add(desk, location="NTH")
    Catalogue.objects.update(read_at=now - timedelta(hours=1))
    page = page_of(desk.get(f"/properties/{site.pk}/"))
    assert "Sage does not show its list now; what is chosen stays." in page
    assert options(page, "location") == ["Harbour North"]
    assert options(page, "department") == ["The connection's default"]
    typed = {**TYPED, "address": "Leeds", "location": "LDN", "department": "OPS"}
    assert desk.post(f"/properties/{site.pk}/", typed).status_code == 302
    site.refresh_from_db()
    assert (site.address, chosen()) == ("Leeds", {(str(site.pk), "LOCATION"): "Harbour North"})


def test_one_that_left_sages_list_is_shown_as_such_and_has_to_be_changed(
    desk: Browser, intacct_away: Connection, now: datetime
) -> None:
    site = add(desk, location="NTH")
    Catalogue.keep(
        connection=intacct_away, kind=Kind.LOCATIONS, entries=(Entry(id="LDN", name="Harbour London"),), now=now
    )
    page = page_of(desk.get(f"/properties/{site.pk}/"))
    assert options(page, "location")[-1] == "Harbour North (no longer in Sage)"
    page = page_of(desk.post(f"/properties/{site.pk}/", {**TYPED, "location": "NTH"}), 422)
    assert "Choose another." in page
    assert desk.post(f"/properties/{site.pk}/", {**TYPED, "location": "LDN"}).status_code == 302


@pytest.mark.parametrize(
    "elsewhere",
    [{"platform": "sage_accounting"}, {"state": "RECONNECT"}, {"state": "DISCONNECTING"}],
    ids=["another platform", "authorisation dead", "disconnecting"],
)
def test_where_there_are_no_such_lists_there_are_no_such_fields_and_nothing_is_lost(
    desk: Browser, intacct_away: Connection, elsewhere: dict[str, str]
) -> None:
    site = add(desk, location="NTH")
    Connection.objects.update(**elsewhere)
    assert 'name="location"' not in page_of(desk.get(f"/properties/{site.pk}/"))
    assert desk.post(f"/properties/{site.pk}/", TYPED).status_code == 302
    assert chosen() == {(str(site.pk), "LOCATION"): "Harbour North"}


def test_what_another_connection_was_told_is_not_shown(desk: Browser, intacct_away: Connection, now: datetime) -> None:
    add(desk, location="NTH")
    Connection.objects.update(state="DISCONNECTED", disconnected_at=now)
    assert "In Sage" not in page_of(desk.get("/properties/")).partition("<main")[2]


# Items


def test_items_are_linked_only_where_the_platform_has_room_for_them(
    desk: Browser, intacct_away: Connection, item: Item
) -> None:
    link = f"/items/{item.uuid}/sage/"
    assert link not in page_of(desk.get(f"/items/{item.pk}/"))
    page = page_of(desk.get(link), 404)
    assert "Sage Intacct gets each line with its description and its sums; it keeps no items of ours" in page
    assert desk.post(link, {"remote": "new"}).status_code == 404
    Connection.objects.update(platform="sage_accounting")
    assert link in page_of(desk.get(f"/items/{item.pk}/"))


def test_clients_are_linked_on_either_platform(desk: Browser, intacct_away: Connection, client_of_ours: Any) -> None:
    assert f"/clients/{client_of_ours.uuid}/sage/" in page_of(desk.get(f"/clients/{client_of_ours.pk}/"))
    site = add(desk)
    assert "/sage/" not in page_of(desk.get(f"/properties/{site.pk}/")).partition("<main")[2]
