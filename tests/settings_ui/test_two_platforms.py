"""The connector's pages where the platform keeps other lists: what is shown, asked for, and kept."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors import tokens
from connectors.interface import Entry, Problem, Rejected
from connectors.models import Catalogue, Connection, RemoteLink
from connectors.oauth import Tokens
from connectors.options import Kind
from connectors.sage_intacct import SageIntacct
from incrementors.models import Group
from invoices.models import TaxRate

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/"
SYNC = f"{PAGE}sync/"
NOWHERE = "http://127.0.0.1:1"
AS_THEY_ARE = {
    "create_as": "CREATED",
    "numbers": "PLATFORM",
    "account_labels": "OFF",
    "sync_from": "",
    "direction": "BOTH",
    "read_back": "on",
    "sync_every": "15",
}
USERNAME = "xml_reflow@HARBOUR"


def entry(name: str, entry_id: str = "", percentage: str | None = None) -> Entry:
    percent = None if percentage is None else Decimal(percentage)
    return Entry(id=entry_id or name.upper()[:3], name=name, percentage=percent)


LISTS = {
    Kind.SALES_ACCOUNTS: (Entry(id="4000", name="Sales", code="4000"),),
    Kind.TAX_RATES: (entry("No tax line", "none", "0"), entry("VAT on sales", "2200"), entry("VAT, reduced", "2205")),
    Kind.TAX_SOLUTIONS: (entry("United Kingdom - VAT", "UK"),),
    Kind.LOCATIONS: (entry("Harbour London", "LDN"), entry("Harbour North", "NTH")),
    Kind.DEPARTMENTS: (entry("Operations", "OPS"),),
    Kind.TERMS: (entry("Net 30", "N30"),),
}


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture
def intacct_away(admin: User, now: datetime, settings: Any) -> Connection:
    """Connected as a user made for programs, its lists just read; Sage itself can't be reached."""
    settings.SAGE_INTACCT = {
        "client_id": "id",
        "client_secret": "secret",
        **{f"{name}_url": NOWHERE for name in ("authorize", "token", "revoke", "api")},
    }
    connection = Connection.objects.create(
        platform="sage_intacct",
        state=Connection.State.ACTIVE,
        username=USERNAME,
        company_id="HARBOUR",
        company_name="HARBOUR (top level)",
        sales_account_id="4000",
        sales_account_name="4000 Sales",
        authorised_at=now,
        authorised_by=admin,
    )
    end = now + timedelta(hours=6)
    tokens.store(connection, Tokens(access="a", refresh="", access_expires_at=end, refresh_expires_at=None))
    for kind, entries in LISTS.items():
        Catalogue.keep(connection=connection, kind=kind, entries=entries, now=now)
    for rate in TaxRate.objects.all():
        link(connection, rate, "none" if not rate.percentage else "2200", now)
    return connection


def link(connection: Connection, rate: TaxRate, remote_id: str, now: datetime) -> None:
    chosen = next(one for one in LISTS[Kind.TAX_RATES] if one.id == remote_id)
    RemoteLink.objects.update_or_create(
        connection=connection,
        kind=RemoteLink.Kind.TAX_RATE,
        local_key=rate.pk,
        defaults={
            "remote_id": chosen.id,
            "remote_name": chosen.name,
            "percentage": chosen.percentage,
            "linked_at": now,
        },
    )


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return re.sub(r"<svg.*?</svg>", "", unescape(answer.content.decode()), flags=re.DOTALL)


def beside(page: str, name: str) -> str:
    """The field with all that stands beside it."""
    found = re.search(
        rf'<div class="field">(?:(?!<div class="field">).)*name="{name}".*?</div>\s*</div>', page, re.DOTALL
    )
    assert found, name
    return found[0]


def offered(page: str, name: str) -> list[tuple[str, str]]:
    """The entries of a select: id and words."""
    select = re.search(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    assert select, name
    return [
        (one, re.sub(r"\s+", " ", words).strip())
        for one, words in re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', select[0], re.DOTALL)
    ]


def selected(page: str, name: str) -> list[str]:
    select = re.search(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    assert select, name
    return re.findall(r'<option value="([^"]*)" selected', select[0])


def anchors(page: str) -> dict[str, str]:
    return {anchor: state for state, anchor in re.findall(r'<li class="(\w*)" id="(\w+)">', page)}


def step(page: str, anchor: str) -> str:
    found = re.search(rf'<li class="\w*" id="{anchor}">.*?(?=<li class="\w*" id="|</ol>)', page, re.DOTALL)
    assert found, anchor
    return found[0]


# Unconnected


def test_both_platforms_have_a_card_and_one_of_them_a_second_way_in(desk: Browser) -> None:
    page = step(text(desk.get(PAGE)), "authorise")
    cards = re.findall(r'<form class="platform".*?</form>', page, re.DOTALL)
    assert [re.findall(r"<h2><small>(\w+)</small>([^<]+)", card) for card in cards] == [
        [("Sage", "Sage Accounting")],
        [("Sage", "Sage Intacct")],
    ]
    assert [card.count(">AUTHORISE<") for card in cards] == [1, 1]
    assert re.findall(r"Or connect as a Web Services user <[^>]*>of ([^<]+)", page) == ["Sage Intacct"]
    assert "user@company or user@company|entity, small and capital letters as in Sage" in beside(page, "username")


@pytest.mark.parametrize(
    ("username", "words"),
    [
        ("", "This field is required."),
        ("x" * 151, "at most 150 characters"),
        ("a\x00", "Null characters are not allowed."),
        (USERNAME, "could not be signed in. Sage could not be reached"),
    ],
)
def test_what_is_wrong_with_a_user_comes_back_beside_its_name_as_it_was_typed(
    desk: Browser, settings: Any, username: str, words: str
) -> None:
    settings.SAGE_INTACCT = {**settings.SAGE_INTACCT, "client_id": "i", "client_secret": "s", "token_url": NOWHERE}
    page = text(desk.post(f"{PAGE}user/", {"platform": "sage_intacct", "username": username}), 422)
    field = beside(page, "username")
    assert words in field
    assert not username or f'value="{username}"' in field, "what was typed is kept"
    assert "AUTHORISE" in page
    assert not Connection.objects.exists()


def test_without_credentials_the_field_says_which_are_missing(desk: Browser, settings: Any) -> None:
    settings.SAGE_INTACCT = {**settings.SAGE_INTACCT, "client_id": "", "client_secret": ""}
    page = text(desk.post(f"{PAGE}user/", {"platform": "sage_intacct", "username": USERNAME}), 422)
    assert "SAGE_INTACCT_CLIENT_ID and SAGE_INTACCT_CLIENT_SECRET are missing" in beside(page, "username")


@pytest.mark.parametrize("platform", ["", "sage_accounting", "sage_fifty", "\x00"])
def test_a_platform_without_users_for_programs_connects_nobody_as_one(desk: Browser, platform: str) -> None:
    assert desk.post(f"{PAGE}user/", {"platform": platform, "username": USERNAME}).status_code == 404


# Connected


def test_a_step_whose_list_the_platform_does_not_keep_is_not_there(desk: Browser, intacct_away: Connection) -> None:
    page = text(desk.get(PAGE))
    done = dict.fromkeys(("authorise", "organisation", "sales", "taxes", "numbering"), "done")
    assert anchors(page) == {**done, "sent": "next"}
    assert desk.get(f"{PAGE}accounts/purchase/").status_code == 404
    assert desk.get(f"{PAGE}accounts/sales/").status_code == 200


def test_it_says_as_whom_it_is_connected_and_offers_the_same_way_again(desk: Browser, intacct_away: Connection) -> None:
    card = step(text(desk.get(PAGE)), "authorise")
    assert f"Connected as {USERNAME}, by Ada." in card
    assert f'action="{PAGE}user/"' in card
    assert f'name="username" value="{USERNAME}"' in card
    assert f"{PAGE}authorise/" not in card


def test_a_user_that_sage_refuses_can_be_mended_where_it_is_said(desk: Browser, intacct_away: Connection) -> None:
    Connection.objects.update(state=Connection.State.RECONNECT)
    card = step(text(desk.get(PAGE)), "authorise")
    assert f"Sage no longer accepts {USERNAME}. Invoices wait safely; connect again to go on." in card
    assert f'value="{USERNAME}"' in beside(card, "username")
    page = text(desk.post(f"{PAGE}user/", {"platform": "sage_intacct", "username": "other@HARBOUR"}), 422)
    assert 'value="other@HARBOUR"' in beside(step(page, "authorise"), "username")
    intacct_away.refresh_from_db()
    assert (intacct_away.username, intacct_away.state) == (USERNAME, Connection.State.RECONNECT)


def test_a_refusal_while_connected_is_shown_though_nothing_else_changed(
    desk: Browser, intacct_away: Connection
) -> None:
    page = text(desk.post(f"{PAGE}user/", {"platform": "sage_intacct", "username": USERNAME}), 422)
    assert "could not be signed in" in beside(step(page, "authorise"), "username")


def test_with_sages_numbers_a_long_prefix_is_no_hindrance_to_numbering(
    desk: Browser, intacct_away: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SageIntacct, "prefix_limit", 6)
    Group.objects.update(prefix="HARBOUR-")
    page = text(desk.get(PAGE))
    assert anchors(page)["numbering"] == "done"
    assert "It shows Sage's number once Sage has given it one." in step(page, "numbering")


def test_disconnecting_says_what_else_ends_where_something_does(desk: Browser, intacct_away: Connection) -> None:
    assert "those of other programs too" in text(desk.get(f"{PAGE}disconnect/"))
    Connection.objects.update(platform="sage_accounting")
    page = text(desk.get(f"{PAGE}disconnect/"))
    assert "other programs" not in page
    assert "<li></li>" not in page


# Sync settings


def test_a_setting_that_is_chosen_from_a_list_offers_it_after_none(desk: Browser, intacct_away: Connection) -> None:
    page = text(desk.get(SYNC))
    assert offered(page, "location") == [("", "None"), ("LDN", "Harbour London"), ("NTH", "Harbour North")]
    assert offered(page, "term") == [("", "None"), ("N30", "Net 30")]
    assert "Create line items in Sage" not in page
    assert re.search(r'value="PLATFORM"[^>]*checked', page), "Sage's numbers are what this platform begins with"


def test_what_is_chosen_from_a_list_is_kept_and_shown_by_its_name(desk: Browser, intacct_away: Connection) -> None:
    assert desk.post(SYNC, {**AS_THEY_ARE, "location": "NTH", "term": "N30"}).status_code == 302
    intacct_away.refresh_from_db()
    assert (intacct_away.options.location_id, intacct_away.options.department_id, intacct_away.options.term_id) == (
        "NTH",
        "",
        "N30",
    )
    assert selected(text(desk.get(SYNC)), "location") == ["NTH"]
    page = text(desk.get(PAGE))
    assert "<dt>Location</dt><dd>Harbour North</dd>" in page
    assert "<dt>Department</dt><dd>None</dd>" in page
    Catalogue.objects.all().delete()
    assert "<dt>Location</dt><dd>NTH</dd>" in text(desk.get(PAGE)), "with no list read, its id is still something"


@pytest.mark.parametrize("unknown", ["XYZ", "harbour north", "\x00", "N" * 300])
def test_what_is_not_in_the_list_is_refused_beside_its_field(
    desk: Browser, intacct_away: Connection, unknown: str
) -> None:
    page = text(desk.post(SYNC, {**AS_THEY_ARE, "location": unknown}), 422)
    assert "That is not, or no longer, in Sage's list. Choose another." in beside(page, "location")
    intacct_away.refresh_from_db()
    assert intacct_away.sync_settings == {}


def test_a_choice_that_left_the_list_is_shown_as_such_and_has_to_be_changed(
    desk: Browser, intacct_away: Connection, now: datetime
) -> None:
    Connection.objects.update(sync_settings={"location": "OLD"})
    page = text(desk.get(SYNC))
    assert ("OLD", "OLD (no longer in Sage)") in offered(page, "location")
    assert selected(page, "location") == ["OLD"]
    assert "Choose another." in beside(text(desk.post(SYNC, {**AS_THEY_ARE, "location": "OLD"}), 422), "location")
    assert desk.post(SYNC, {**AS_THEY_ARE, "location": "LDN"}).status_code == 302


def test_while_sage_does_not_answer_the_lists_keep_what_is_chosen(desk: Browser, intacct_away: Connection) -> None:
    Connection.objects.update(sync_settings={"location": "LDN", "term": "N30"})
    Catalogue.objects.update(read_at=intacct_away.authorised_at - timedelta(hours=1))
    page = text(desk.get(SYNC))
    assert "Sage does not show its list now; what is chosen stays." in beside(page, "location")
    assert offered(page, "location") == [("LDN", "Harbour London")]
    assert offered(page, "department") == [("", "None")]
    assert desk.post(SYNC, {**AS_THEY_ARE, "create_as": "DRAFT"}).status_code == 302
    intacct_away.refresh_from_db()
    options = intacct_away.options
    assert (options.location_id, options.department_id, options.term_id, options.as_drafts) == ("LDN", "", "N30", True)


def test_a_list_that_went_away_while_somebody_chose_from_it_loses_nothing_of_what_they_chose(
    desk: Browser, intacct_away: Connection
) -> None:
    Connection.objects.update(sync_settings={"location": "LDN", "term": "N30"})
    Catalogue.objects.update(read_at=intacct_away.authorised_at - timedelta(hours=1))
    answer = desk.post(SYNC, {**AS_THEY_ARE, "create_as": "DRAFT", "location": "NTH", "department": "", "term": "N30"})
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "Sage does not show its list now. What you chose stands here: save again." in beside(page, "location")
    assert re.search(r'<select name="location"[^>]*>(?:(?!</select>).)*<option value="NTH" selected', page, re.S)
    assert re.search(r'value="DRAFT"[^>]*checked', page)
    intacct_away.refresh_from_db()
    assert intacct_away.sync_settings == {"location": "LDN", "term": "N30"}


def test_a_sage_that_is_away_is_asked_once_for_all_lists(
    desk: Browser, intacct_away: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    Catalogue.objects.all().delete()
    with caplog.at_level("INFO"):
        text(desk.get(SYNC))
    assert len([one for one in caplog.records if "query" in one.getMessage()]) == 1, caplog.text


def test_what_sage_says_of_a_list_it_refuses_is_text_and_no_markup(
    desk: Browser, intacct_away: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: SageIntacct, kind: Kind) -> tuple[Entry, ...]:
        raise Rejected((Problem(message=f"No <b>permission</b> for {kind}."),))

    Catalogue.objects.all().delete()
    monkeypatch.setattr(SageIntacct, "catalogue", refuse)
    page = desk.get(SYNC).content.decode()
    assert page.count("No &lt;b&gt;permission&lt;/b&gt; for") == 4, "each list says why it is not shown"


@pytest.mark.parametrize(
    ("changed", "anew"),
    [
        ({"account_labels": "ON"}, "To be chosen anew: Default nominal code, Tax."),
        ({"tax_solution": "UK"}, "To be chosen anew: Tax."),
        ({"location": "LDN"}, ""),
    ],
)
def test_a_setting_that_changes_what_sage_offers_says_what_is_to_be_chosen_anew(
    desk: Browser, intacct_away: Connection, changed: dict[str, str], anew: str
) -> None:
    page = text(desk.post(SYNC, {**AS_THEY_ARE, **changed}, follow=True))
    assert "Saved. The settings hold from the next invoice that is sent." in page
    assert re.findall(r"To be chosen anew: [^<]*", page) == ([anew] if anew else [])


def test_a_prefix_too_long_for_this_platform_leaves_sages_numbers_only(
    desk: Browser, intacct_away: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SageIntacct, "prefix_limit", 6)
    Group.objects.update(prefix="HARBOUR-")
    page = text(desk.get(SYNC))
    assert "longer than the 6 characters Sage Intacct takes" in page
    assert 'value="OURS"' not in page


# Tax


def badges(page: str) -> dict[str, str]:
    rows = re.findall(r'<label for="rate-(\w+)">.*?<td>(.*?)</td></tr>', step(page, "taxes"), re.DOTALL)
    return {code: re.sub(r"<[^>]+>", "", cell).strip() for code, cell in rows}


def test_a_tax_account_has_no_percentage_and_is_neither_same_nor_differs(
    desk: Browser, intacct_away: Connection
) -> None:
    page = text(desk.get(PAGE))
    assert badges(page) == {
        "STANDARD": "Account",
        "REDUCED": "Account",
        **dict.fromkeys(("ZERO", "EXEMPT", "NO_VAT"), "Same"),
    }
    assert offered(page, "rate-STANDARD") == [
        ("none", "No tax line 0 %"),
        ("2200", "VAT on sales"),
        ("2205", "VAT, reduced"),
    ]


def test_rates_of_zero_are_suggested_no_tax_line_and_the_others_ask_to_be_chosen(
    desk: Browser, intacct_away: Connection
) -> None:
    RemoteLink.objects.all().delete()
    page = text(desk.get(PAGE))
    assert badges(page) == {
        "STANDARD": "To be chosen",
        "REDUCED": "To be chosen",
        **dict.fromkeys(("ZERO", "EXEMPT", "NO_VAT"), "Suggested"),
    }
    assert offered(page, "rate-STANDARD")[0] == ("", "Choose")
    assert selected(page, "rate-ZERO") == ["none"]
    assert anchors(page)["taxes"] == "next"


def test_a_rate_with_tax_on_no_tax_line_differs(desk: Browser, intacct_away: Connection, now: datetime) -> None:
    link(intacct_away, TaxRate.objects.get(pk="REDUCED"), "none", now)
    assert badges(text(desk.get(PAGE)))["REDUCED"] == "Differs"


def test_a_mapping_to_what_left_the_list_says_so(desk: Browser, intacct_away: Connection) -> None:
    RemoteLink.objects.filter(local_key="STANDARD").update(remote_id="2299")
    page = text(desk.get(PAGE))
    assert badges(page)["STANDARD"] == "No longer in Sage"
    assert offered(page, "rate-STANDARD")[0] == ("", "Choose")
