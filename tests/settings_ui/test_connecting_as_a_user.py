"""Connecting as a user made for programs, on the pages and against the pretend Intacct: from its name to its lists."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection, Credential, RemoteLink
from invoices.models import TaxRate
from tests.books import Sandbox

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/"
SYNC = f"{PAGE}sync/"
AS_THEY_ARE = {
    "create_as": "CREATED",
    "numbers": "PLATFORM",
    "account_labels": "OFF",
    "sync_from": "",
    "direction": "BOTH",
    "read_back": "on",
    "sync_every": "15",
}


@pytest.fixture
def desk(client: Browser, admin: User, sandbox: Sandbox) -> Browser:
    client.force_login(admin)
    return client


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return re.sub(r"<svg.*?</svg>", "", unescape(answer.content.decode()), flags=re.DOTALL)


def connect(desk: Browser, username: str, status: int = 200) -> str:
    typed = {"platform": "sage_intacct", "username": username}
    return text(desk.post(f"{PAGE}user/", typed, follow=True), status)


def organisations(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="company" value="([^"]+)"[^>]*><span>([^<]*)', page))


def offered(page: str, name: str) -> list[str]:
    select = re.search(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="([^"]*)"', select[0]) if select else []


def test_a_user_of_a_company_without_entities_is_connected_at_once(desk: Browser) -> None:
    assert "Connected to QUAY." in connect(desk, "xml_reflow@QUAY")
    connection = Connection.objects.get()
    assert (connection.username, connection.company_id, connection.state) == ("xml_reflow@QUAY", "QUAY", "ACTIVE")


def test_a_user_of_all_entities_is_asked_for_the_top_level_or_one_of_them(desk: Browser) -> None:
    page = connect(desk, "xml_reflow@HARBOUR")
    assert "Connected to Sage: now choose the organisation." in page
    assert organisations(page) == {
        "HARBOUR": "HARBOUR (top level)",
        "HARBOUR|LDN": "Harbour London (LDN)",
        "HARBOUR|NTH": "Harbour North (NTH)",
    }
    page = text(desk.post(f"{PAGE}company/", {"company": "HARBOUR|LDN"}, follow=True))
    assert "Connected as xml_reflow@HARBOUR, by Ada." in page
    assert Connection.objects.get().company_name == "Harbour London (LDN)"


def test_a_user_of_one_entity_is_connected_to_that_one(desk: Browser) -> None:
    connect(desk, "xml_reflow@HARBOUR|LDN")
    assert Connection.objects.get().company_id == "HARBOUR|LDN"


def test_the_same_user_again_is_the_same_connection(desk: Browser) -> None:
    connect(desk, "xml_reflow@QUAY")
    first = Connection.objects.get()
    Connection.objects.update(state=Connection.State.RECONNECT)
    connect(desk, "xml_reflow@QUAY")
    again = Connection.objects.get()
    assert (again.pk, again.state) == (first.pk, Connection.State.ACTIVE)


@pytest.mark.parametrize("username", ["nobody@HARBOUR", "XML_REFLOW@HARBOUR", "xml_reflow", "xml_reflow@NOWHERE", "🏠"])
def test_a_user_that_sage_does_not_know_stores_nothing_and_sages_words_are_shown(desk: Browser, username: str) -> None:
    page = connect(desk, username, 422)
    assert f"{username} could not be signed in." in page
    assert f'value="{username}"' in page
    assert not Connection.objects.exists()
    assert not Credential.objects.exists()


def test_a_user_of_another_company_changes_nothing(desk: Browser) -> None:
    connect(desk, "xml_reflow@QUAY")
    page = connect(desk, "xml_reflow@HARBOUR", 422)
    assert "Reflow is connected to QUAY, and this authorisation does not cover it." in page
    assert Connection.objects.get().username == "xml_reflow@QUAY"


def test_its_lists_are_what_the_settings_and_the_tax_table_offer(desk: Browser) -> None:
    connect(desk, "xml_reflow@QUAY")
    assert "" in offered(text(desk.get(SYNC)), "location")
    assert len(offered(text(desk.get(SYNC)), "term")) > 1
    page = text(desk.get(PAGE))
    assert "4000" in text(desk.get(f"{PAGE}accounts/sales/"))
    assert len(offered(page, "rate-STANDARD")) > 1
    assert "Purchase" not in page


def test_with_a_tax_solution_its_own_rates_are_offered_by_their_percentages(desk: Browser) -> None:
    connect(desk, "xml_reflow@QUAY")
    accounts = offered(text(desk.get(PAGE)), "rate-STANDARD")
    first = next(one for one in accounts if one and one != "none")
    desk.post(f"{PAGE}taxes/", {f"rate-{rate.pk}": first for rate in TaxRate.objects.all()})
    assert RemoteLink.objects.filter(kind="TAX_RATE").count() == TaxRate.objects.count()
    page = text(desk.post(SYNC, {**AS_THEY_ARE, "tax_solution": "United Kingdom - VAT"}, follow=True))
    assert "To be chosen anew: Tax." in page
    assert offered(page, "rate-STANDARD") != accounts
    assert page.count("Suggested</span>") >= 3, "those of the same percentage are suggested"
