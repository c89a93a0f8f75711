"""Signing in at the pretend Intacct, consenting, and tokens that are renewed and revoked together."""

import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.intacct_visitor import (
    BOOKKEEPER,
    CLIENT,
    QUAY_BOOKKEEPER,
    IntacctVisitor,
    claims,
    intacct_at,
)
from tests.sandbox.visitor import CALLBACK, VERIFIER, Visitor

ACCOUNTS = "/objects/general-ledger/account"


@pytest.fixture
def caller(stranger: Visitor) -> IntacctVisitor:
    """An application that was not authorised yet."""
    return intacct_at(stranger)


@pytest.fixture
def connected(caller: IntacctVisitor) -> IntacctVisitor:
    caller.connect()
    return caller


def returned(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["errorId"]


def reaches_the_api(caller: IntacctVisitor, token: str = "") -> bool:
    caller.access = token or caller.access
    return caller.call("GET", ACCOUNTS).status_code == 200


def test_a_person_signs_in_allows_access_and_comes_back_with_a_code(caller: IntacctVisitor) -> None:
    sign_in = caller.authorise()
    assert "Nothing here is real accounting." in sign_in.text
    assert "Company ID" in sign_in.text
    consent = caller.sign_in(sign_in.text)
    assert "Harbour Estates (Intacct)" in consent.text
    assert "Reflow asks for access" in consent.text
    assert set(returned(caller.consent(consent.text))) == {"code", "state"}


def test_the_pages_say_which_product_they_pretend(caller: IntacctVisitor) -> None:
    for page in (caller.authorise().text, caller.sign_in(caller.authorise().text).text):
        assert "Sage Intacct (pretend)</title>" in page
        assert "this is a pretend Sage Intacct." in page


@pytest.mark.parametrize("person", [("HARBOUR", "somebody"), ("NOWHERE", "bookkeeper"), ("harbour", "bookkeeper")])
def test_a_wrong_sign_in_is_said_plainly_and_keeps_what_was_typed(
    caller: IntacctVisitor, person: tuple[str, str]
) -> None:
    answer = caller.sign_in(caller.authorise().text, person)
    assert answer.status_code == 422
    assert "The company ID, the user ID or the password is wrong." in answer.text
    assert f'value="{person[0]}"' in answer.text and f'value="{person[1]}"' in answer.text


def test_a_wrong_password_is_not_shown_again(caller: IntacctVisitor) -> None:
    answer = caller.sign_in(caller.authorise().text, password="guessed-it")
    assert answer.status_code == 422
    assert "guessed-it" not in answer.text


def test_denying_goes_back_with_access_denied(caller: IntacctVisitor) -> None:
    consent = caller.sign_in(caller.authorise().text).text
    assert returned(caller.consent(consent, decision="deny")) == {"error": "access_denied", "state": "st/1"}


def test_a_consent_page_works_once_and_only_after_signing_in(caller: IntacctVisitor) -> None:
    sign_in = caller.authorise().text
    assert caller.consent(sign_in).status_code == 400
    consent = caller.sign_in(sign_in).text
    caller.consent(consent)
    assert caller.consent(consent).status_code == 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "reflow-sandbox"}, "application is not known"),
        ({"redirect_uri": "https://elsewhere.example/"}, "address to return to"),
    ],
)
def test_an_unknown_application_or_address_is_never_redirected(
    caller: IntacctVisitor, changes: dict[str, str], words: str
) -> None:
    answer = caller.authorise(**changes)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert words in answer.text


def test_an_unusable_request_goes_back_with_its_error(caller: IntacctVisitor) -> None:
    assert returned(caller.authorise(response_type="token"))["error"] == "unsupported_response_type"
    assert returned(caller.authorise(code_challenge_method="plain"))["error"] == "invalid_request"


def test_a_code_becomes_tokens_in_intaccts_shape(caller: IntacctVisitor) -> None:
    answer = caller.exchange(caller.code())
    tokens = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(tokens) == {"token_type", "access_token", "refresh_token", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 43_200)


def test_an_access_token_is_a_jwt_that_says_whose_it_is(connected: IntacctVisitor) -> None:
    head = json.loads(urlsafe_b64decode(connected.access.split(".")[0] + "=="))
    said = claims(connected.access)
    now = int(connected.clock.now.timestamp())
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert (said["userId"], said["companyId"], said["sub"]) == ("bookkeeper", "HARBOUR", "bookkeeper@HARBOUR")
    assert (said["iat"], said["exp"]) == (now, now + 43_200)
    assert "entityId" not in said


def test_without_offline_access_there_is_no_refresh_token(caller: IntacctVisitor) -> None:
    assert "refresh_token" not in caller.exchange(caller.code(scope="")).json()


def test_the_token_endpoint_takes_json_too(caller: IntacctVisitor) -> None:
    body = {**CLIENT, "grant_type": "client_credentials", "username": "xml_reflow@QUAY"}
    answer = requests.post(f"{caller.api}/oauth2/token", json=body, timeout=10)
    assert answer.status_code == 200
    listed = requests.post(f"{caller.api}/oauth2/token", json=[body], timeout=10)
    assert refusal(listed)[:2] == (400, "invalid_request")


def test_a_code_works_once_and_for_five_minutes(caller: IntacctVisitor) -> None:
    code, late = caller.code(), caller.code()
    assert caller.exchange(code).status_code == 200
    assert refusal(caller.exchange(code)) == (400, "invalid_grant", "REST-2102")
    caller.clock.pass_time(minutes=5)
    assert refusal(caller.exchange(late))[1] == "invalid_grant"


def test_the_wrong_verifier_spends_the_code(caller: IntacctVisitor) -> None:
    code = caller.code()
    assert refusal(caller.exchange(code, code_verifier="another"))[1] == "invalid_grant"
    assert refusal(caller.exchange(code))[1] == "invalid_grant"


def test_no_challenge_needs_no_verifier(caller: IntacctVisitor) -> None:
    without = caller.code(code_challenge="", code_challenge_method="")
    assert caller.exchange(without, code_verifier="").status_code == 200


def test_the_return_address_must_be_the_same_at_the_exchange(caller: IntacctVisitor) -> None:
    assert refusal(caller.exchange(caller.code(), redirect_uri=CALLBACK + "x"))[1] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong", "grant_type": "refresh_token"}, (401, "invalid_client", "REST-1216")),
        (
            {"client_id": "reflow-sandbox", "client_secret": "reflow-sandbox-secret"},
            (401, "invalid_client", "REST-1216"),
        ),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", "REST-1028")),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, (400, "invalid_grant", "REST-2102")),
    ],
)
def test_a_refusal_stands_under_a_bare_error(
    caller: IntacctVisitor, form: dict[str, str], expected: tuple[int, str, str]
) -> None:
    answer = caller.token(**form)
    assert refusal(answer) == expected
    assert set(answer.json()) == {"error"}


def test_a_refresh_token_is_renewed_and_the_used_one_is_dead(connected: IntacctVisitor) -> None:
    first = connected.refresh
    second = connected.renew(first).json()["refresh_token"]
    assert refusal(connected.renew(first)) == (400, "invalid_grant", "REST-2102")
    assert connected.renew(second).status_code == 200


def test_without_rotation_the_refresh_token_stays_and_is_not_sent_again(connected: IntacctVisitor) -> None:
    connected.setting("rotation", "off")
    for _ in range(2):
        assert set(connected.renew(connected.refresh).json()) == {"token_type", "access_token", "expires_in"}


def test_a_refresh_can_ask_for_an_entitys_token(connected: IntacctVisitor) -> None:
    tokens = connected.renew(connected.refresh, entity_id="LDN").json()
    assert claims(tokens["access_token"])["entityId"] == "LDN"
    company_again = connected.renew(tokens["refresh_token"]).json()
    assert "entityId" not in claims(company_again["access_token"])


def test_an_entity_that_is_not_there_is_refused_and_costs_no_refresh_token(connected: IntacctVisitor) -> None:
    assert refusal(connected.renew(connected.refresh, entity_id="PAR"))[:2] == (400, "invalid_request")
    assert connected.renew(connected.refresh).status_code == 200


def test_a_second_authorisation_of_the_same_user_ends_the_first_ones_refresh_token(connected: IntacctVisitor) -> None:
    earlier, access = connected.refresh, connected.access
    connected.connect()
    assert refusal(connected.renew(earlier)) == (400, "invalid_grant", "REST-2102")
    assert connected.renew(connected.refresh).status_code == 200
    assert reaches_the_api(connected, access)


def test_a_user_of_another_company_keeps_its_own(connected: IntacctVisitor) -> None:
    harbour = connected.refresh
    connected.connect(QUAY_BOOKKEEPER)
    connected.revoke(connected.access)
    assert connected.renew(harbour).status_code == 200


def test_a_web_services_user_gets_tokens_by_client_credentials(caller: IntacctVisitor) -> None:
    tokens = caller.act_as("xml_reflow@HARBOUR").json()
    assert set(tokens) == {"token_type", "access_token", "refresh_token", "expires_in"}
    said = claims(tokens["access_token"])
    assert (said["userId"], said["companyId"]) == ("xml_reflow", "HARBOUR")
    assert claims(caller.act_as("xml_reflow@HARBOUR|LDN").json()["access_token"])["entityId"] == "LDN"
    assert reaches_the_api(caller, tokens["access_token"])


@pytest.mark.parametrize("username", ["", "xml_reflow", "xml_reflow@", "@HARBOUR", "xml_reflow@HARBOUR|", "a@b@c"])
def test_a_username_in_another_form_is_said_in_intaccts_words(caller: IntacctVisitor, username: str) -> None:
    answer = caller.act_as(username)
    assert refusal(answer)[:2] == (400, "invalid_request")
    assert answer.json()["error"]["message"] == "The username format is invalid (expected user@company)"


@pytest.mark.parametrize(
    "username", ["XML_reflow@HARBOUR", "xml_reflow@harbour", "bookkeeper@HARBOUR", "xml_reflow@QUAY|LDN"]
)
def test_an_unknown_or_unpaired_user_is_refused(caller: IntacctVisitor, username: str) -> None:
    assert refusal(caller.act_as(username)) == (401, "invalid_client", "REST-1216")


def test_a_company_that_no_longer_authorises_the_application_refuses_client_credentials(caller: IntacctVisitor) -> None:
    url = f"{caller.url}/intacct/settings"
    requests.post(url, params={"company": "QUAY"}, data={"client_authorised": "false"}, timeout=10)
    assert refusal(caller.act_as("xml_reflow@QUAY")) == (401, "invalid_client", "REST-1216")
    assert caller.act_as("xml_reflow@HARBOUR").status_code == 200


def test_revoking_one_token_ends_all_of_the_same_user_and_company(caller: IntacctVisitor) -> None:
    first, second = (caller.act_as("xml_reflow@HARBOUR").json() for _ in range(2))
    entity = caller.act_as("xml_reflow@HARBOUR|LDN").json()
    caller.connect(BOOKKEEPER)
    assert caller.revoke(first["refresh_token"]).status_code == 200
    for tokens in (first, second, entity):
        assert refusal(caller.renew(tokens["refresh_token"]))[1] == "invalid_grant"
        assert not reaches_the_api(IntacctVisitor(caller.url, caller.clock), tokens["access_token"])
    assert reaches_the_api(caller)


def test_revoking_by_an_access_token_works_and_an_unknown_token_is_no_error(connected: IntacctVisitor) -> None:
    assert connected.revoke("nonsense").status_code == 200
    assert reaches_the_api(connected)
    connected.revoke(connected.access)
    assert not reaches_the_api(connected)
    assert refusal(connected.renew(connected.refresh))[1] == "invalid_grant"


def test_an_access_token_lives_as_long_as_the_setting_says(connected: IntacctVisitor) -> None:
    connected.setting("token_life", 90)
    tokens = connected.renew(connected.refresh).json()
    assert tokens["expires_in"] == 90
    assert claims(tokens["access_token"])["exp"] - claims(tokens["access_token"])["iat"] == 90
    connected.clock.pass_time(seconds=89)
    assert reaches_the_api(connected, tokens["access_token"])
    connected.clock.pass_time(seconds=1)
    assert not reaches_the_api(connected)


@pytest.mark.parametrize(("setting", "status"), [("401", 401), ("400", 400)])
def test_a_dead_token_is_answered_as_the_setting_says(connected: IntacctVisitor, setting: str, status: int) -> None:
    connected.setting("expired_as", setting)
    connected.deed("intacct_expired")
    assert connected.call("GET", ACCOUNTS).status_code == status
    connected.keep(connected.renew(connected.refresh).json())
    assert reaches_the_api(connected)
    connected.deed("intacct_revoked")
    assert refusal(connected.renew(connected.refresh))[1] == "invalid_grant"


def test_no_token_or_code_is_written_to_disk(stranger: Visitor) -> None:
    caller = intacct_at(stranger)
    code = caller.code()
    caller.keep(caller.exchange(code).json())
    stored = b"".join(path.read_bytes() for path in stranger.directory.iterdir())
    for secret in (code, caller.access, caller.access.split(".")[2], caller.refresh, VERIFIER):
        assert secret.encode() not in stored
    assert caller.refresh not in str(stranger.journal())
