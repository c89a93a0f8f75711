"""Connecting to Intacct by consent or as a user for programs: to which books, and how that ends and comes back."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from connectors import oauth, tokens
from connectors.authorising import AuthorisationFailed, begin, connect_as
from connectors.interface import Fix
from connectors.models import Catalogue, Connection, Credential, RemoteLink
from connectors.registry import endpoints
from connectors.services import open_connector
from invoices import push as worker
from invoices import services
from invoices.models import Invoice, Push
from tests.books import INTACCT, Sandbox
from tests.conftest import CALLBACK as CALLBACK_URL
from tests.conftest import set_up_intacct

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

PAGE = "/settings/connector/"
QUERY = f"POST {INTACCT}/services/core/query"
TOKEN = f"POST {INTACCT}/oauth2/token"
PLACES = ("HARBOUR", "HARBOUR|LDN", "HARBOUR|NTH")


@dataclass
class Visit:
    """An admin's browser and the pretend Intacct."""

    browser: Browser
    sandbox: Sandbox
    admin: User
    monkeypatch: pytest.MonkeyPatch

    def as_person(self, company_id: str, user_id: str = "bookkeeper") -> None:
        """Who signs in from now on."""
        typed = {"company_id": company_id, "user_id": user_id, "password": "harbour"}
        self.monkeypatch.setattr("tests.books.INTACCT_USER", typed)

    def set_out(self) -> str:
        return self.browser.post(f"{PAGE}authorise/", {"platform": "sage_intacct"}).headers["Location"]

    def come_back(self, answer: dict[str, str]) -> str:
        """What the page says to what Intacct's redirect brought."""
        back = self.browser.get(f"{PAGE}callback/", answer)
        assert (back.status_code, back.headers["Location"]) == (302, PAGE)
        return " ".join(str(message) for message in get_messages(self.browser.get(PAGE).wsgi_request))

    def authorise(self, **choice: Any) -> str:
        return self.come_back(self.sandbox.allow(self.set_out(), **choice))

    def choose(self, company_id: str) -> Connection:
        self.browser.post(f"{PAGE}company/", {"company": company_id})
        return Connection.objects.get(company_id=company_id)

    def connect_as(self, username: str) -> Connection:
        return connect_as("sage_intacct", username, actor=self.admin, now=timezone.now())


@pytest.fixture
def visit(client: Browser, admin: User, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Visit:
    client.force_login(admin)
    return Visit(client, sandbox, admin, monkeypatch)


def by_consent(visit: Visit) -> None:
    visit.authorise()


def as_a_user(visit: Visit) -> None:
    visit.connect_as("xml_reflow@HARBOUR")


Way = Callable[[Visit], None]
WAYS: list[Way] = [by_consent, as_a_user]
either_way = pytest.mark.parametrize("way", WAYS)


def connected(visit: Visit, way: Way) -> Connection:
    way(visit)
    return visit.choose("HARBOUR|LDN")


def stored() -> list[int]:
    return [model.objects.count() for model in (Connection, Credential, RemoteLink, Catalogue)]


def kept() -> tuple[list[Any], list[Any]]:
    return list(Connection.objects.values()), list(Credential.objects.values())


def pair(connection: Connection) -> tuple[str, str]:
    credential = Credential.objects.get(connection=connection)
    access, refresh = (tokens.unseal(each, connection=connection) for each in (credential.access, credential.refresh))
    return access, refresh


def lets_in(sandbox: Sandbox, access: str) -> bool:
    """Whether Intacct answers to the token."""
    path, headers = f"{INTACCT}/objects/general-ledger/account", {"Authorization": f"Bearer {access}"}
    return requests.get(sandbox.url + path, headers=headers, timeout=10).ok


def test_it_sets_out_with_a_challenge_and_asks_for_a_token_that_lasts(visit: Visit) -> None:
    asked = parse_qs(urlsplit(visit.set_out()).query)
    assert (asked["scope"], asked["response_type"]) == (["offline_access"], ["code"])
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["redirect_uri"] == [CALLBACK_URL]


@pytest.mark.parametrize("place", PLACES)
def test_consent_to_a_company_with_entities_asks_for_the_top_level_or_one_of_them(visit: Visit, place: str) -> None:
    assert "now choose the organisation" in visit.authorise()
    choosing = Connection.objects.get()
    assert (choosing.state, choosing.company_id, choosing.username) == (Connection.State.CHOOSING, "", "")
    assert tuple(company.id for company in open_connector(choosing).companies()) == PLACES
    connection = visit.choose(place)
    assert connection.is_active
    assert connection.authorised_by == visit.admin
    assert all(pair(connection))


def test_consent_to_a_company_of_one_part_asks_nothing(visit: Visit) -> None:
    visit.as_person("QUAY")
    assert visit.authorise() == "Connected to QUAY."
    assert (Connection.objects.get().company_id, Connection.objects.get().is_active) == ("QUAY", True)


def test_a_place_that_is_not_offered_is_not_chosen(visit: Visit) -> None:
    visit.authorise()
    for place in ("QUAY", "HARBOUR|PAR", ""):
        visit.browser.post(f"{PAGE}company/", {"company": place})
    assert (Connection.objects.get().state, Connection.objects.get().company_id) == (Connection.State.CHOOSING, "")


def denied(visit: Visit) -> dict[str, str]:
    return visit.sandbox.allow(visit.set_out(), decision="deny")


def spent_code(visit: Visit) -> dict[str, str]:
    answer = visit.sandbox.allow(visit.set_out())
    where = endpoints("sage_intacct")
    form = {"grant_type": "authorization_code", "client_id": where.client_id, "client_secret": where.client_secret}
    used = requests.post(where.token_url, {**form, "code": answer["code"], "redirect_uri": CALLBACK_URL}, timeout=5)
    assert used.json()["error"]["code"] == "invalid_grant", "spent, though without its verifier it brought nothing"
    return answer


def code_of_another_journey(visit: Visit) -> dict[str, str]:
    stolen = visit.sandbox.allow(visit.set_out())["code"]
    return {**visit.sandbox.allow(visit.set_out()), "code": stolen}


def an_older_journey(visit: Visit) -> dict[str, str]:
    answer = visit.sandbox.allow(visit.set_out())
    visit.set_out()
    return answer


def token_address_away(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("dropped", on=TOKEN)
    return visit.sandbox.allow(visit.set_out())


def token_address_in_trouble(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("garbage", on=TOKEN)
    return visit.sandbox.allow(visit.set_out())


def entities_away(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("unavailable", on=QUERY)
    return visit.sandbox.allow(visit.set_out())


def application_not_let_in(visit: Visit) -> dict[str, str]:
    visit.sandbox.set_books(intacct={"company": "HARBOUR", "client_authorised": False})
    return visit.sandbox.allow(visit.set_out())


FAILURES: list[tuple[Callable[[Visit], dict[str, str]], str]] = [
    (denied, "Access was denied in Sage. Nothing was stored."),
    (spent_code, "it may have taken longer than a minute, or been used already"),
    (code_of_another_journey, "did not accept the authorisation"),
    (an_older_journey, "does not belong to an authorisation begun in this browser"),
    (token_address_away, "could not be reached to finish the authorisation"),
    (token_address_in_trouble, "did not accept the authorisation"),
    (entities_away, "did not list its organisations"),
    (application_not_let_in, "did not list its organisations"),
]


@pytest.mark.parametrize(("back", "words"), FAILURES)
def test_a_way_back_that_is_no_authorisation_says_so_and_stores_nothing(
    visit: Visit, back: Callable[[Visit], dict[str, str]], words: str
) -> None:
    assert words in visit.come_back(back(visit))
    assert stored() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("username", "company_id"), [("xml_reflow@HARBOUR|LDN", "HARBOUR|LDN"), ("xml_reflow@QUAY", "QUAY")]
)
def test_a_user_of_one_place_is_connected_to_it_and_asked_nothing(visit: Visit, username: str, company_id: str) -> None:
    connection = visit.connect_as(username)
    assert (connection.state, connection.company_id, connection.username) == ("ACTIVE", company_id, username)
    assert [company.id for company in open_connector(connection).companies()] == [company_id]


@pytest.mark.parametrize("place", PLACES)
def test_a_user_of_a_company_with_entities_chooses_the_top_level_or_one_of_them(visit: Visit, place: str) -> None:
    choosing = visit.connect_as("xml_reflow@HARBOUR")
    assert (choosing.state, choosing.company_id) == (Connection.State.CHOOSING, "")
    assert tuple(company.id for company in open_connector(choosing).companies()) == PLACES
    connection = visit.choose(place)
    assert (connection.state, connection.username) == (Connection.State.ACTIVE, "xml_reflow@HARBOUR")
    assert open_connector(connection).search_clients("Bramley")


UNKNOWN = [
    "xml_reflow",
    "xml_reflow@",
    "@HARBOUR",
    "xml_reflow@HARBOUR|",
    "xml_reflow@HARBOUR@LDN",
    "nobody@HARBOUR",
    "XML_reflow@HARBOUR",
    "xml_reflow@harbour",
    "xml_reflow@NOWHERE",
    "xml_reflow@HARBOUR|PAR",
    "bookkeeper@HARBOUR",
    "",
]


@pytest.mark.parametrize("username", UNKNOWN)
def test_a_user_that_intacct_does_not_let_in_stores_nothing(visit: Visit, username: str) -> None:
    with pytest.raises(AuthorisationFailed, match="could not be signed in"):
        visit.connect_as(username)
    assert stored() == [0, 0, 0, 0]


def test_a_user_of_a_company_that_has_not_let_the_application_in_is_told_in_intaccts_words(visit: Visit) -> None:
    visit.sandbox.set_books(intacct={"company": "QUAY", "client_authorised": False})
    with pytest.raises(AuthorisationFailed, match="3rd Party Application are incorrect"):
        visit.connect_as("xml_reflow@QUAY")
    assert stored() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["dropped", "unavailable", "garbage"])
def test_no_user_is_connected_while_intacct_is_away(visit: Visit, kind: str) -> None:
    visit.sandbox.fault(kind, on=TOKEN)
    with pytest.raises(AuthorisationFailed):
        visit.connect_as("xml_reflow@QUAY")
    assert stored() == [0, 0, 0, 0]
    assert visit.connect_as("xml_reflow@QUAY").is_active


@either_way
@pytest.mark.parametrize("state", [Connection.State.ACTIVE, Connection.State.RECONNECT])
@pytest.mark.parametrize("again", WAYS)
def test_authorising_again_either_way_covers_the_same_books_and_keeps_what_was_set_up(
    visit: Visit, way: Way, state: str, again: Way
) -> None:
    before = connected(visit, way)
    old = pair(before)
    Connection.objects.update(state=state, sales_account_id="4000", paused_until="2030-01-01T00:00Z")
    again(visit)
    after = Connection.objects.get()
    assert (after.pk, after.state, after.company_id) == (before.pk, Connection.State.ACTIVE, "HARBOUR|LDN")
    assert (after.sales_account_id, after.paused_until) == ("4000", None)
    assert after.username == ("" if again is by_consent else "xml_reflow@HARBOUR")
    assert set(pair(after)).isdisjoint(old)
    assert tokens.bearer(after, endpoints("sage_intacct"), renew=True)


@either_way
@pytest.mark.parametrize("username", ["xml_reflow@QUAY", "xml_reflow@HARBOUR|NTH"])
def test_a_user_of_other_books_is_refused_and_nothing_changes(visit: Visit, way: Way, username: str) -> None:
    connection = connected(visit, way)
    before = kept()
    with pytest.raises(AuthorisationFailed, match="connected to Harbour London"):
        visit.connect_as(username)
    assert kept() == before
    assert tokens.bearer(connection, endpoints("sage_intacct"), renew=True)


@either_way
def test_consent_to_another_company_is_refused_and_nothing_changes(visit: Visit, way: Way) -> None:
    connection = connected(visit, way)
    before = kept()
    visit.as_person("QUAY")
    assert "Reflow is connected to Harbour London (LDN), and this authorisation does not cover it" in visit.authorise()
    assert kept() == before
    assert tokens.bearer(connection, endpoints("sage_intacct"), renew=True)


def test_an_entitys_user_covers_that_entity_of_a_company(visit: Visit) -> None:
    before = connected(visit, by_consent)
    after = visit.connect_as("xml_reflow@HARBOUR|LDN")
    assert (after.pk, after.company_id, after.username) == (before.pk, "HARBOUR|LDN", "xml_reflow@HARBOUR|LDN")


def waiting(connection: Connection, invoice: Invoice, actor: User) -> Push:
    """Set up, with an invoice that is queued."""
    set_up_intacct(connection, now=timezone.now())
    return services.request_push(invoice_id=invoice.pk, actor=actor, now=timezone.now())


def carried(push: Push) -> Push:
    worker.work(push.pk)
    return Push.objects.select_related("connection").get(pk=push.pk)


@pytest.mark.parametrize(
    ("username", "place", "location"),
    [
        ("xml_reflow@HARBOUR", "HARBOUR", "LDN"),
        ("xml_reflow@HARBOUR", "HARBOUR|NTH", "NTH"),
        ("xml_reflow@HARBOUR|LDN", "HARBOUR|LDN", "LDN"),
        ("xml_reflow@QUAY", "QUAY", "MAIN"),
    ],
)
def test_what_is_sent_lands_in_the_place_that_was_chosen(
    visit: Visit, invoice: Invoice, username: str, place: str, location: str
) -> None:
    visit.connect_as(username)
    set_up_intacct(visit.choose(place), now=timezone.now(), location=location)
    push = services.request_push(invoice_id=invoice.pk, actor=visit.admin, now=timezone.now())
    assert carried(push).state == Push.State.SENT
    company_id, _, entity = place.partition("|")
    (theirs,) = visit.sandbox.intacct(company_id)["invoices"]
    assert (theirs["entity"]["id"] or "", theirs["referenceNumber"]) == (entity, "INV-00001")


def test_a_consent_that_was_revoked_makes_the_queue_wait_until_somebody_authorises_again(
    visit: Visit, invoice: Invoice
) -> None:
    push = waiting(connected(visit, by_consent), invoice, visit.admin)
    visit.sandbox.fault("intacct_revoked")
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.READY, Connection.State.RECONNECT)
    assert visit.sandbox.intacct()["invoices"] == []
    visit.authorise()
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.SENT, Connection.State.ACTIVE)
    assert len(visit.sandbox.intacct()["invoices"]) == 1


def test_a_user_for_programs_signs_in_again_by_itself(visit: Visit, invoice: Invoice) -> None:
    push = waiting(connected(visit, as_a_user), invoice, visit.admin)
    visit.sandbox.fault("intacct_revoked")
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.SENT, Connection.State.ACTIVE)


def test_a_user_for_programs_who_can_not_sign_in_again_makes_the_queue_wait(visit: Visit, invoice: Invoice) -> None:
    push = waiting(connected(visit, as_a_user), invoice, visit.admin)
    visit.sandbox.fault("intacct_expired")
    visit.sandbox.set_books(intacct={"client_authorised": False})
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.READY, Connection.State.RECONNECT)
    with pytest.raises(AuthorisationFailed):
        visit.connect_as("xml_reflow@HARBOUR")
    visit.sandbox.set_books(intacct={"client_authorised": True})
    visit.connect_as("xml_reflow@HARBOUR")
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.SENT, Connection.State.ACTIVE)
    assert len(visit.sandbox.intacct()["invoices"]) == 1


@either_way
def test_an_application_that_is_let_in_no_longer_writes_nothing_and_says_where_that_is_mended(
    visit: Visit, invoice: Invoice, way: Way
) -> None:
    push = waiting(connected(visit, way), invoice, visit.admin)
    visit.sandbox.set_books(intacct={"client_authorised": False})
    push = carried(push)
    assert push.state == Push.State.ATTENTION
    assert [problem["fix"] for problem in push.problems] == [Fix.CONNECTION]
    assert "Authorized client applications" in push.problems[0]["meaning"]
    visit.sandbox.set_books(intacct={"client_authorised": True})
    services.request_push(invoice_id=invoice.pk, actor=visit.admin, now=timezone.now())
    assert carried(push).state == Push.State.SENT


def test_a_user_without_receivables_can_be_connected_but_writes_nothing(visit: Visit, invoice: Invoice) -> None:
    visit.as_person("HARBOUR", "clerk")
    push = carried(waiting(connected(visit, by_consent), invoice, visit.admin))
    assert (push.state, [problem["fix"] for problem in push.problems]) == (Push.State.ATTENTION, [Fix.PLATFORM])
    assert visit.sandbox.intacct()["invoices"] == []


def authorise_elsewhere(visit: Visit) -> oauth.Tokens:
    """The same person consents to another installation of the same application."""
    journey = begin("sage_intacct", redirect_uri=CALLBACK_URL)
    code = visit.sandbox.allow(journey.url)["code"]
    where = endpoints("sage_intacct")
    redirect, now = CALLBACK_URL, timezone.now()
    return oauth.exchange(where, redirect_uri=redirect, code=code, verifier=journey.verifier, now=now)


def test_a_second_consent_elsewhere_ends_ours_when_its_token_ends_and_nothing_is_lost(
    visit: Visit, invoice: Invoice
) -> None:
    push = waiting(connected(visit, by_consent), invoice, visit.admin)
    authorise_elsewhere(visit)
    assert open_connector(push.connection).search_clients("Bramley"), "the access token lives on"
    visit.sandbox.fault("intacct_expired")
    push = carried(push)
    assert (push.state, push.connection.state) == (Push.State.READY, Connection.State.RECONNECT)
    visit.authorise()
    assert carried(push).state == Push.State.SENT


def test_a_second_consent_elsewhere_does_nothing_to_a_user_for_programs(visit: Visit, invoice: Invoice) -> None:
    push = waiting(connected(visit, as_a_user), invoice, visit.admin)
    authorise_elsewhere(visit)
    visit.sandbox.fault("intacct_expired")
    assert carried(push).state == Push.State.SENT


@either_way
def test_disconnecting_says_what_else_ends_revokes_and_forgets_the_tokens(visit: Visit, way: Way) -> None:
    connection = connected(visit, way)
    access, _ = pair(connection)
    assert lets_in(visit.sandbox, access)
    assert "every token that Intacct has given to this user" in visit.browser.get(f"{PAGE}disconnect/").text
    visit.browser.post(f"{PAGE}disconnect/")
    connection.refresh_from_db()
    assert connection.state == Connection.State.DISCONNECTED
    assert not Credential.objects.exists()
    assert [call["status"] for call in visit.sandbox.calls("POST", "/oauth2/revoke")] == [200]
    assert not lets_in(visit.sandbox, access)


@either_way
def test_another_programs_user_is_left_alone_by_a_disconnection(visit: Visit, way: Way) -> None:
    connected(visit, way)
    other = oauth.grant(endpoints("sage_intacct"), username="xml_reflow@QUAY", now=timezone.now())
    visit.browser.post(f"{PAGE}disconnect/")
    assert lets_in(visit.sandbox, other.access)


@either_way
def test_giving_up_before_a_place_is_chosen_leaves_nothing_behind(visit: Visit, way: Way) -> None:
    way(visit)
    access, _ = pair(Connection.objects.get())
    visit.browser.post(f"{PAGE}disconnect/")
    assert stored() == [0, 0, 0, 0]
    assert not lets_in(visit.sandbox, access)


@either_way
@pytest.mark.parametrize("again", WAYS)
def test_connecting_to_the_same_books_again_goes_on_with_all_its_links(
    visit: Visit, invoice: Invoice, way: Way, again: Way
) -> None:
    before = connected(visit, way)
    assert carried(waiting(before, invoice, visit.admin)).state == Push.State.SENT
    links = RemoteLink.objects.count()
    visit.browser.post(f"{PAGE}disconnect/")
    after = connected(visit, again)
    assert (after.pk, after.is_active, RemoteLink.objects.count()) == (before.pk, True, links)
    (theirs,) = visit.sandbox.intacct()["invoices"]
    assert [one.id for one in open_connector(after).read_invoices([theirs["key"]])] == [theirs["key"]]


@dataclass
class Flight:
    """What a whole journey left behind, and all the secrets that were in it."""

    secrets: set[str]
    log: str
    push: Push
    browser: Browser


@pytest.fixture(params=WAYS)
def flight(request: pytest.FixtureRequest, visit: Visit, invoice: Invoice, caplog: pytest.LogCaptureFixture) -> Flight:
    """Connects on the pages, pushes with a token that has to be renewed, renews again; all at DEBUG."""
    caplog.set_level(logging.DEBUG)
    secrets = {endpoints("sage_intacct").client_secret}
    if request.param is by_consent:
        away = visit.set_out()
        journey = oauth.Journey(**visit.browser.session["connector-journey"])
        answer = visit.sandbox.allow(away)
        visit.come_back(answer)
        secrets |= {answer["code"], journey.verifier, journey.state}
    else:
        visit.browser.post(f"{PAGE}user/", {"platform": "sage_intacct", "username": "xml_reflow@HARBOUR"})
    connection = visit.choose("HARBOUR|LDN")
    secrets |= {*pair(connection)}
    push = waiting(connection, invoice, visit.admin)
    visit.sandbox.fault("intacct_expired")
    push = carried(push)
    assert push.state == Push.State.SENT
    secrets |= {*pair(connection)}
    Credential.objects.update(access_expires_at=timezone.now() - timedelta(seconds=1))
    open_connector(connection).companies()
    return Flight(secrets | {*pair(connection)}, caplog.text, push, visit.browser)


def found_in(text: str, secrets: set[str]) -> set[str]:
    """The secrets that stand in a text, in whole or in the part that makes them one."""
    return {secret[:12] for secret in secrets if secret in text or secret[-24:] in text}


def test_no_log_line_holds_a_token_even_at_debug(flight: Flight) -> None:
    assert len(flight.secrets) >= 7, "it renewed its tokens twice"
    assert "POST /services/core/composite 200" in flight.log
    assert found_in(flight.log, flight.secrets) == set()


def test_no_page_session_or_row_holds_a_token(flight: Flight) -> None:
    for path in (PAGE, f"{PAGE}sync/", f"{PAGE}disconnect/", f"/invoices/{flight.push.invoice_id}/", "/"):
        assert found_in(flight.browser.get(path).text, flight.secrets) == set()
    assert found_in(json.dumps([one.get_decoded() for one in Session.objects.all()]), flight.secrets) == set()
    rows = [str(list(row.values())) for model in apps.get_models() for row in model._default_manager.values()]
    assert found_in("\n".join(rows), flight.secrets) == set()
    assert found_in(f"{open_connector(flight.push.connection)!r}", flight.secrets) == set()
