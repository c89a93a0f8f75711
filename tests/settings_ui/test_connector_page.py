"""The connector's page in every state it can be in: what is done, what comes next, and what to do about trouble."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Catalogue, Connection, RemoteLink
from incrementors.models import Group
from invoices.models import TaxRate
from tests.books import Sandbox

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/"
STEPS = ("authorise", "organisation", "sales", "purchase", "taxes", "numbering")
Change = Callable[[Connection], object]


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture
def choosing(desk: Browser, sandbox: Sandbox) -> Connection:
    """Authorised for two organisations, none of them chosen yet."""
    away = desk.post(f"{PAGE}authorise/", {"platform": "sage_accounting"}).headers["Location"]
    desk.get(f"{PAGE}callback/", sandbox.allow(away, all_organisations=True))
    return Connection.objects.get()


def shown(desk: Browser) -> str:
    answer = desk.get(PAGE)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def states(page: str) -> dict[str, str]:
    """Each step of the checklist, and whether it is done, next, bad, or for later."""
    return {anchor: state for state, anchor in re.findall(r'<li class="(\w*)" id="(\w+)">', page)}


def step(page: str, anchor: str) -> str:
    found = re.search(rf'<li class="\w*" id="{anchor}">.*?(?=<li class="\w*" id="|</ol>)', page, re.DOTALL)
    assert found, anchor
    return re.sub(r"<svg.*?</svg>", "", found[0], flags=re.DOTALL)


def test_unconnected_it_offers_the_platforms_and_asks_to_authorise(desk: Browser) -> None:
    page = shown(desk)
    assert states(page) == {
        "authorise": "next",
        **dict.fromkeys(STEPS[1:5], ""),
        "numbering": "done",
        "sent": "",
    }
    card = step(page, "authorise")
    assert "<small>Sage</small>Sage Accounting" in card
    assert re.search(
        rf'<form[^>]*action="{PAGE}authorise/".*?AUTHORISE<span class="sr"> Sage Accounting</span>', card, re.S
    )
    assert "Sandbox." not in page


def test_with_several_organisations_it_asks_which_one(desk: Browser, choosing: Connection, sandbox: Sandbox) -> None:
    page = shown(desk)
    assert states(page)["authorise"] == "done"
    assert states(page)["organisation"] == "next"
    offered = re.findall(r'name="company" value="(\w+)"[^>]*><span>([^<]*)', step(page, "organisation"))
    assert [name for _, name in offered] == ["Harbour & Vale Property Services", "Harbour Lettings"]
    assert "can't be changed later for this connection" in page
    assert "connector-account" not in page
    desk.post(f"{PAGE}company/", {"company": offered[1][0]})
    choosing.refresh_from_db()
    assert (choosing.state, choosing.company_name) == (Connection.State.ACTIVE, "Harbour Lettings")
    assert states(shown(desk)) == {
        "authorise": "done",
        "organisation": "done",
        "sales": "next",
        **dict.fromkeys(STEPS[3:5], ""),
        "numbering": "done",
        "sent": "",
    }


@pytest.mark.parametrize("company", ["", "0" * 32, "\x00"])
def test_an_organisation_that_sage_does_not_offer_is_refused(desk: Browser, choosing: Connection, company: str) -> None:
    desk.post(f"{PAGE}company/", {"company": company})
    assert "Sage does not offer that organisation." in shown(desk)
    choosing.refresh_from_db()
    assert choosing.company_id == ""


def test_set_up_it_says_what_goes_where(desk: Browser, connection: Connection) -> None:
    page = shown(desk)
    assert states(page) == {**dict.fromkeys(STEPS, "done"), "sent": "next"}
    assert "Authorised by Ada." in step(page, "authorise")
    assert "Harbour & Vale Property Services" in step(page, "organisation")
    assert "4000 Sales - Products. Every line of every invoice is posted to it." in step(page, "sales")
    assert "The next invoice is INV-00001." in step(page, "numbering")
    assert "Sandbox." in page, "a pretend Sage is never to be mistaken for the real one"


MISSING: list[tuple[str, Change, str]] = [
    ("sales", lambda c: Connection.objects.update(sales_account_id="", sales_account_name=""), "Every line of"),
    ("purchase", lambda c: Connection.objects.update(purchase_account_id="", purchase_account_name=""), "products and"),
    ("taxes", lambda c: RemoteLink.objects.filter(local_key="ZERO").delete(), "Not mapped yet: Zero rated."),
    ("numbering", lambda c: Group.objects.update(prefix="HARBOUR-"), "longer than the 6 characters"),
]


@pytest.mark.parametrize(("anchor", "take_away", "words"), MISSING, ids=[anchor for anchor, _, _ in MISSING])
def test_what_is_missing_is_the_next_step(
    desk: Browser, connection: Connection, anchor: str, take_away: Change, words: str
) -> None:
    take_away(connection)
    page = shown(desk)
    assert states(page) == {**dict.fromkeys(STEPS, "done"), anchor: "next", "sent": ""}
    assert "Ready:" not in page
    assert words in step(page, anchor)


def test_an_authorisation_that_ended_is_the_first_thing_said(desk: Browser, connection: Connection) -> None:
    Connection.objects.update(state=Connection.State.RECONNECT)
    page = shown(desk)
    assert states(page)["authorise"] == "bad"
    card = step(page, "authorise")
    assert "Sage no longer accepts our authorisation. Invoices wait safely; press AUTHORISE to go on." in card
    assert re.search(r'<button class="btn btn-primary">AUTHORISE</button>', card)


TROUBLE = [
    ("unavailable", "Sage answered 503"),
    ("dropped", "Sage could not be reached."),
    ("garbage", "nothing that can be understood"),
    ("busy", "Sage asks us to slow down."),
]


@pytest.mark.parametrize(("kind", "words"), TROUBLE)
def test_with_sage_away_the_page_says_so_and_shows_the_rest(
    desk: Browser, connection: Connection, sandbox: Sandbox, kind: str, words: str
) -> None:
    Catalogue.objects.all().delete()
    sandbox.fault(kind, on="GET /accounting/v3.1", times=None)
    page = shown(desk)
    assert "Sage does not answer" in page
    assert words in page
    assert "Nothing is lost." in page
    assert states(page) == {**dict.fromkeys(STEPS, "done"), "sent": "next"}
    assert "4000 Sales - Products" in page


def test_with_sage_away_while_choosing_the_page_is_still_a_page(
    desk: Browser, choosing: Connection, sandbox: Sandbox
) -> None:
    sandbox.fault("unavailable", on="GET /accounting/v3.1", times=None)
    page = shown(desk)
    assert "Sage does not answer" in page
    assert states(page)["organisation"] == "next"
    desk.post(f"{PAGE}company/", {"company": sandbox.company_id()})
    choosing.refresh_from_db()
    assert choosing.company_id == ""


def test_tokens_that_no_key_opens_are_said_on_the_page(desk: Browser, connection: Connection, settings: Any) -> None:
    Catalogue.objects.all().delete()
    settings.TOKEN_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    assert "can't be opened with the keys in TOKEN_KEYS" in shown(desk)


# Accounts


def account_page(desk: Browser, side: str = "sales", q: str = "", **more: Any) -> str:
    answer = desk.get(f"{PAGE}accounts/{side}/", {"q": q}, **more)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def codes(page: str) -> list[str]:
    return re.findall(r'<span class="code">(\d+)</span>', page)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("4000", ["4000"]),
        ("sales - ser", ["4010"]),
        ("FEES", ["4020", "4030"]),
        ("402", ["4020"]),
        ("nothing like it", []),
        ("%", []),
        ("<script>", []),
        ("\x00", []),
        ("q" * 10_000, []),
    ],
)
def test_accounts_are_searched_by_code_and_name(
    desk: Browser, connection: Connection, q: str, found: list[str]
) -> None:
    page = account_page(desk, q=q)
    assert codes(page) == found
    assert ("No account of Sage's matches" in page) is (not found)


def test_a_search_as_one_types_answers_with_the_choices_alone(desk: Browser, connection: Connection) -> None:
    part = account_page(desk, q="4000", headers={"HX-Request": "true"})
    assert part.lstrip().startswith('<div id="choices">')
    assert "<html" not in part


def test_each_side_has_its_own_accounts_and_archived_ones_are_in_neither(desk: Browser, connection: Connection) -> None:
    sales, purchase = (set(codes(account_page(desk, side))) for side in ("sales", "purchase"))
    assert "4000" in sales - purchase
    assert "5000" in purchase - sales
    assert not {"4100", "4110", "5200"} & (sales | purchase)


def test_the_chosen_account_is_ticked(desk: Browser, connection: Connection) -> None:
    page = account_page(desk)
    ticked = re.findall(r'<input type="radio"[^>]*checked>\s*<span class="code">(\d+)', page)
    assert ticked == ["4000"]


@pytest.mark.parametrize(("side", "code"), [("sales", "4010"), ("purchase", "5010")])
def test_an_account_is_chosen_from_the_list(desk: Browser, connection: Connection, side: str, code: str) -> None:
    page = account_page(desk, side, code)
    (chosen,) = re.findall(r'name="account" value="(\w+)"', page)
    assert desk.post(f"{PAGE}accounts/{side}/", {"account": chosen}).headers["Location"] == PAGE
    connection.refresh_from_db()
    assert getattr(connection, f"{side}_account_id") == chosen
    assert getattr(connection, f"{side}_account_name").startswith(code)


@pytest.mark.parametrize("account", ["", "0" * 32, "4000", "\x00", None])
def test_a_choice_that_is_not_in_the_list_is_refused_and_the_list_stays(
    desk: Browser, connection: Connection, account: str | None
) -> None:
    before = connection.sales_account_id
    answer = desk.post(f"{PAGE}accounts/sales/", {} if account is None else {"account": account})
    assert answer.status_code == 422
    page = unescape(answer.content.decode())
    assert "That is not, or no longer, in Sage's list. Choose another." in page
    assert "4010" in codes(page)
    connection.refresh_from_db()
    assert connection.sales_account_id == before


def test_accounts_that_sage_does_not_show_now_are_said_to_be_away(
    desk: Browser, connection: Connection, sandbox: Sandbox
) -> None:
    Catalogue.objects.all().delete()
    sandbox.fault("unavailable", on="GET /accounting/v3.1", times=None)
    assert "Sage answered 503" in account_page(desk)


@pytest.mark.parametrize("path", ["accounts/sales/", "accounts/purchase/"])
def test_there_is_nothing_to_choose_from_while_nothing_is_connected(desk: Browser, path: str) -> None:
    assert desk.get(f"{PAGE}{path}").status_code == 404
    for deed in (path, "company/", "taxes/"):
        assert desk.post(f"{PAGE}{deed}", {}).status_code == 404


def test_there_are_two_sides_only(desk: Browser, connection: Connection) -> None:
    assert desk.get(f"{PAGE}accounts/banking/").status_code == 404


# Tax rates


def test_rates_that_fit_are_suggested_and_marked_so(desk: Browser, connection: Connection) -> None:
    RemoteLink.objects.all().delete()
    panel = step(shown(desk), "taxes")
    chosen = dict(re.findall(r'<select name="rate-(\w+)".*?value="(\w+)" selected', panel, re.DOTALL))
    assert chosen == {
        "STANDARD": "GB_STANDARD",
        "REDUCED": "GB_LOWER",
        "ZERO": "GB_ZERO",
        "EXEMPT": "GB_EXEMPT",
        "NO_VAT": "GB_NO_TAX",
    }
    assert panel.count("Suggested") == 5


def test_a_rate_mapped_to_another_percentage_is_marked(desk: Browser, connection: Connection) -> None:
    RemoteLink.objects.filter(local_key="STANDARD").update(remote_id="GB_LOWER")
    panel = step(shown(desk), "taxes")
    assert (panel.count("Differs"), panel.count("Same as Standard")) == (1, 1)


def test_a_rate_of_ours_that_sage_does_not_have_asks_to_be_chosen(desk: Browser, connection: Connection) -> None:
    TaxRate.objects.create(code="OLD", name="Old standard", percentage="17.50", position=9)
    panel = step(shown(desk), "taxes")
    assert re.search(r'<select name="rate-OLD"[^>]*><option value="">Choose</option>', panel)
    assert states(shown(desk))["taxes"] == "next"


def mapping(**changes: str) -> dict[str, str]:
    rates = {"STANDARD": "GB_STANDARD", "REDUCED": "GB_LOWER", "ZERO": "GB_ZERO", "EXEMPT": "GB_EXEMPT"}
    return {f"rate-{code}": value for code, value in {**rates, "NO_VAT": "GB_NO_TAX", **changes}.items()}


def test_the_rates_are_mapped_as_chosen(desk: Browser, connection: Connection) -> None:
    RemoteLink.objects.all().delete()
    said = unescape(desk.post(f"{PAGE}taxes/", mapping(EXEMPT="GB_ZERO"), follow=True).content.decode())
    assert "The tax rates are mapped." in said
    kept = dict(RemoteLink.objects.filter(kind="TAX_RATE").values_list("local_key", "remote_id"))
    assert kept == {code.removeprefix("rate-"): value for code, value in mapping(EXEMPT="GB_ZERO").items()}


@pytest.mark.parametrize("wrong", ["", "GB_NOWHERE", "\x00"])
def test_a_rate_that_is_not_in_the_list_is_refused_and_none_is_changed(
    desk: Browser, connection: Connection, wrong: str
) -> None:
    before = list(RemoteLink.objects.values())
    answer = desk.post(f"{PAGE}taxes/", mapping(STANDARD="GB_ZERO", ZERO=wrong), follow=True)
    assert "That is not, or no longer, in Sage's list." in unescape(answer.content.decode())
    assert list(RemoteLink.objects.values()) == before


# The policy


def policy(answer: Any) -> dict[str, list[str]]:
    rules = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in rules}


def test_the_policy_lets_the_authorise_form_go_to_sage_and_no_other_page(desk: Browser) -> None:
    addresses = [urlsplit(where["authorize_url"]) for where in (project.SAGE_ACCOUNTING, project.SAGE_INTACCT)]
    origins = {f"{sage.scheme}://{sage.netloc}" for sage in addresses}
    allowed = policy(desk.get(PAGE))["form-action"]
    assert (allowed[0], sorted(allowed[1:])) == ("'self'", sorted(origins))
    assert policy(desk.post(f"{PAGE}authorise/", {"platform": "sage_accounting"}))["form-action"] == allowed
    assert policy(desk.post(f"{PAGE}user/", {"platform": "sage_intacct"}))["form-action"] == allowed
    for path in ("/", "/settings/company/", "/login/", "/settings/incrementors/"):
        assert policy(desk.get(path))["form-action"] == ["'self'"]


def test_the_policy_lets_nothing_inline_and_nothing_foreign_in(desk: Browser) -> None:
    assert policy(desk.get(PAGE)) | {"form-action": []} == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": [],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
