"""AUTHORISE, and the ways back from Sage that are no authorisation: each says so and stores nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import DatabaseError
from django.test import Client as Browser
from pytest_django import Settings

from connectors import tokens
from connectors.models import Catalogue, Connection, Credential, RemoteLink
from connectors.registry import endpoints
from tests.books import Sandbox
from tests.conftest import CALLBACK as CALLBACK_URL

pytestmark = pytest.mark.django_db
AUTHORISE, CALLBACK, PAGE = (f"/settings/connector/{end}" for end in ("authorise/", "callback/", ""))
FOREIGN = "does not belong to an authorisation begun in this browser"


def stored() -> list[int]:
    return [model.objects.count() for model in (Connection, Credential, RemoteLink, Catalogue)]


@dataclass
class Visit:
    """An admin's browser and the pretend Sage that it is sent to."""

    browser: Browser
    sandbox: Sandbox

    def set_out(self) -> str:
        return self.browser.post(AUTHORISE, {"platform": "sage_accounting"}).headers["Location"]

    def come_back(self, answer: dict[str, str]) -> str:
        """What the page says to what Sage's redirect brought."""
        back = self.browser.get(CALLBACK, answer)
        assert (back.status_code, back.headers["Location"]) == (302, PAGE)
        return " ".join(str(message) for message in get_messages(self.browser.get(PAGE).wsgi_request))

    def authorise(self, **choice: Any) -> str:
        return self.come_back(self.sandbox.allow(self.set_out(), **choice))


@pytest.fixture
def visit(client: Browser, admin: User, sandbox: Sandbox) -> Visit:
    client.force_login(admin)
    return Visit(client, sandbox)


def test_allowing_access_to_one_organisation_connects_to_it(visit: Visit) -> None:
    assert visit.authorise() == "Connected to Harbour & Vale Property Services."
    connection = Connection.objects.get()
    assert connection.is_active
    assert connection.company_id == visit.sandbox.company_id()
    assert connection.authorised_by.username == "ada"
    assert Credential.objects.get().connection == connection


def test_allowing_access_to_several_asks_which_one(visit: Visit) -> None:
    assert "now choose the organisation" in visit.authorise(all_organisations=True)
    connection = Connection.objects.get()
    assert (connection.state, connection.company_id) == (Connection.State.CHOOSING, "")


def test_the_way_back_is_named_by_the_settings_and_not_by_the_request(visit: Visit) -> None:
    """Otherwise a forged Host header would choose where codes go."""
    away = visit.browser.post(AUTHORISE, {"platform": "sage_accounting"}, headers={"host": "evil.example"})
    assert parse_qs(urlsplit(away.headers["Location"]).query)["redirect_uri"] == [CALLBACK_URL]


def denied(visit: Visit) -> dict[str, str]:
    return visit.sandbox.allow(visit.set_out(), decision="deny")


def spent_code(visit: Visit) -> dict[str, str]:
    """The platform refuses a code that was used before as it does one older than its minute: invalid_grant."""
    answer = visit.sandbox.allow(visit.set_out())
    where = endpoints("sage_accounting")
    form = {"grant_type": "authorization_code", "client_id": where.client_id, "client_secret": where.client_secret}
    used = requests.post(where.token_url, {**form, "code": answer["code"], "redirect_uri": CALLBACK_URL}, timeout=5)
    assert used.json() == {"error": "invalid_grant"}, "spent, though without its verifier it brought nothing"
    return answer


def code_of_another_journey(visit: Visit) -> dict[str, str]:
    """A stolen code: the verifier of this session's journey does not fit its challenge."""
    stolen = visit.sandbox.allow(visit.set_out())["code"]
    return {**visit.sandbox.allow(visit.set_out()), "code": stolen}


def never_begun(visit: Visit) -> dict[str, str]:
    answer = visit.sandbox.allow(visit.set_out())
    session = visit.browser.session
    del session["connector-journey"]
    session.save()
    return answer


def state_of_another_session(visit: Visit) -> dict[str, str]:
    other = Browser()
    other.force_login(User.objects.get(username="ada"))
    answer = visit.sandbox.allow(Visit(other, visit.sandbox).set_out())
    visit.set_out()
    return answer


def an_older_journey_of_this_session(visit: Visit) -> dict[str, str]:
    answer = visit.sandbox.allow(visit.set_out())
    visit.set_out()
    return answer


def no_state(visit: Visit) -> dict[str, str]:
    answer = visit.sandbox.allow(visit.set_out())
    return {"code": answer["code"]}


def a_state_that_is_no_text(visit: Visit) -> dict[str, str]:
    return {**visit.sandbox.allow(visit.set_out()), "state": "Ünfug\x00"}


def no_code(visit: Visit) -> dict[str, str]:
    return {"state": visit.sandbox.allow(visit.set_out())["state"]}


def sages_own_error(visit: Visit) -> dict[str, str]:
    state = visit.sandbox.allow(visit.set_out())["state"]
    return {"error": "Invalid request", "reason": "Email already in use", "state": state}


def server_error(visit: Visit) -> dict[str, str]:
    return {"error": "temporarily_unavailable", "state": visit.sandbox.allow(visit.set_out())["state"]}


def token_address_away(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("dropped", on="POST /accounting/token")
    return visit.sandbox.allow(visit.set_out())


def token_address_in_trouble(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("garbage", on="POST /accounting/token")
    return visit.sandbox.allow(visit.set_out())


def organisations_away(visit: Visit) -> dict[str, str]:
    visit.sandbox.fault("unavailable", on="GET /accounting/v3.1/businesses")
    return visit.sandbox.allow(visit.set_out())


Failure = tuple[Callable[[Visit], dict[str, str]], str]
FAILURES: tuple[Failure, ...] = (
    (denied, "Access was denied in Sage. Nothing was stored."),
    (spent_code, "it may have taken longer than a minute, or been used already. Press AUTHORISE again."),
    (code_of_another_journey, "did not accept the authorisation"),
    (never_begun, FOREIGN),
    (state_of_another_session, FOREIGN),
    (an_older_journey_of_this_session, FOREIGN),
    (no_state, FOREIGN),
    (a_state_that_is_no_text, FOREIGN),
    (no_code, "did not authorise Reflow: no code"),
    (sages_own_error, "did not authorise Reflow: Email already in use"),
    (server_error, "did not authorise Reflow: temporarily_unavailable"),
    (token_address_away, "could not be reached to finish the authorisation"),
    (token_address_in_trouble, "did not accept the authorisation"),
    (organisations_away, "did not list its organisations"),
)


@pytest.mark.parametrize(("way", "words"), FAILURES, ids=[way.__name__ for way, _ in FAILURES])
def test_a_way_back_that_is_no_authorisation_says_so_and_stores_nothing(
    visit: Visit, way: Callable[[Visit], dict[str, str]], words: str
) -> None:
    assert words in visit.come_back(way(visit))
    assert stored() == [0, 0, 0, 0]
    assert "connector-journey" not in visit.browser.session, "one way back ends the journey, whatever it brought"


@pytest.mark.parametrize("way", [denied, spent_code, state_of_another_session, organisations_away])
def test_a_failed_authorisation_leaves_a_live_connection_as_it_was(
    visit: Visit, way: Callable[[Visit], dict[str, str]]
) -> None:
    visit.authorise()
    before = list(Connection.objects.values()), list(Credential.objects.values())
    visit.come_back(way(visit))
    assert (list(Connection.objects.values()), list(Credential.objects.values())) == before


def test_tokens_that_cannot_be_kept_leave_no_connection_behind(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = visit.sandbox.allow(visit.set_out())

    def full(*_: object) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(tokens, "store", full)
    with pytest.raises(DatabaseError):
        visit.browser.get(CALLBACK, answer)
    assert stored() == [0, 0, 0, 0]


def test_a_callback_works_once(visit: Visit) -> None:
    answer = visit.sandbox.allow(visit.set_out())
    visit.come_back(answer)
    before, sealed = stored(), Credential.objects.get().refresh
    assert FOREIGN in visit.come_back(answer)
    assert (stored(), Credential.objects.get().refresh) == (before, sealed)


@pytest.mark.parametrize(("who", "status"), [("nobody", 302), ("staff", 403), ("viewer", 403)])
def test_a_callback_of_somebody_who_may_not_connect_stores_nothing(
    request: pytest.FixtureRequest, visit: Visit, who: str, status: int
) -> None:
    answer = visit.sandbox.allow(visit.set_out())
    stranger = Browser()
    if who != "nobody":
        stranger.force_login(request.getfixturevalue(who))
    assert stranger.get(CALLBACK, answer).status_code == status
    assert stored() == [0, 0, 0, 0]


def test_words_from_the_address_bar_are_shown_as_words(visit: Visit) -> None:
    answer = {**sages_own_error(visit), "reason": "<script>alert(1)</script>" + "x" * 5000}
    visit.browser.get(CALLBACK, answer)
    page = visit.browser.get(PAGE).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "x" * 300 not in page


@pytest.mark.parametrize("state", [Connection.State.ACTIVE, Connection.State.RECONNECT])
def test_authorising_again_keeps_the_connection_and_what_was_set_up(visit: Visit, state: str) -> None:
    visit.authorise()
    Connection.objects.update(state=state, sales_account_id="acc", sales_account_name="4000 Sales")
    before = Connection.objects.get()
    old = tokens.unseal(Credential.objects.get().refresh, connection=before)
    assert "Connected to Harbour" in visit.authorise(all_organisations=True)
    after = Connection.objects.get()
    assert (after.pk, after.state, after.sales_account_id) == (before.pk, Connection.State.ACTIVE, "acc")
    assert after.authorised_at > before.authorised_at
    assert tokens.unseal(Credential.objects.get().refresh, connection=after) != old


def test_authorising_again_lets_a_paused_queue_go_on(visit: Visit) -> None:
    visit.authorise()
    Connection.objects.update(paused_until="2030-01-01T00:00Z")
    visit.authorise()
    assert Connection.objects.get().paused_until is None


def test_another_organisation_is_refused_while_one_is_connected(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    visit.authorise()
    before = list(Connection.objects.values()), list(Credential.objects.values())
    monkeypatch.setattr("tests.books.USER", "office@tidewater.example")
    monkeypatch.setattr("tests.books.PASSWORD", "tidewater")
    said = visit.authorise()
    assert "Reflow is connected to Harbour & Vale Property Services, and this authorisation does not cover it" in said
    assert (list(Connection.objects.values()), list(Credential.objects.values())) == before


def test_an_organisation_not_chosen_yet_may_still_become_another_one(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit.authorise(all_organisations=True)
    monkeypatch.setattr("tests.books.USER", "office@tidewater.example")
    monkeypatch.setattr("tests.books.PASSWORD", "tidewater")
    assert visit.authorise() == "Connected to Tidewater Surveyors."
    assert Connection.objects.get().is_active


@pytest.mark.parametrize("platform", ["", "xero", "sage_intacct\x00"])
def test_a_platform_that_is_not_offered_is_not_found(visit: Visit, platform: str) -> None:
    assert visit.browser.post(AUTHORISE, {"platform": platform}).status_code == 404


def test_without_credentials_the_page_names_the_settings_that_are_missing(visit: Visit, settings: Settings) -> None:
    settings.SAGE_ACCOUNTING = {**settings.SAGE_ACCOUNTING, "client_secret": ""}
    back = visit.browser.post(AUTHORISE, {"platform": "sage_accounting"}, follow=True)
    assert "SAGE_ACCOUNTING_CLIENT_ID and SAGE_ACCOUNTING_CLIENT_SECRET are missing" in back.content.decode()
