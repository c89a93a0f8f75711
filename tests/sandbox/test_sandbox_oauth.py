"""Signing in, consenting, and tokens that rotate."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.visitor import CALLBACK, CHALLENGE, CLIENT, HARBOUR, LETTINGS, VERIFIER, Visitor, organisations

BANNER = "Nothing here is real accounting."


def returned(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def test_a_person_signs_in_consents_and_comes_back_with_a_code(stranger: Visitor) -> None:
    sign_in = stranger.authorise()
    assert BANNER in sign_in.text
    assert "bookkeeper@harbour.example" in sign_in.text
    consent = stranger.sign_in(sign_in.text)
    assert BANNER in consent.text
    assert "Reflow" in consent.text
    assert set(organisations(consent.text)) == {HARBOUR, LETTINGS}
    answer = stranger.consent(consent.text)
    assert answer.headers["Location"].startswith(f"{CALLBACK}?code=GB%2F")
    back = returned(answer)
    assert back["country"] == "GB"
    assert back["state"] == "st/1"


def test_the_first_organisation_is_ticked_and_the_second_is_not(stranger: Visitor) -> None:
    consent = stranger.sign_in(stranger.authorise().text).text
    ticks = [part.split(">")[0] for part in consent.split('name="organisations"')[1:]]
    assert ["checked" in tick for tick in ticks] == [True, False]


def test_a_wrong_password_is_said_plainly_and_keeps_the_user_name(stranger: Visitor) -> None:
    answer = stranger.sign_in(stranger.authorise().text, ("someone@harbour.example", "guess"))
    assert "The user name or the password is wrong." in answer.text
    assert 'value="someone@harbour.example"' in answer.text
    assert "guess" not in answer.text


def test_denying_goes_back_with_access_denied(stranger: Visitor) -> None:
    consent = stranger.sign_in(stranger.authorise().text).text
    assert returned(stranger.consent(consent, decision="deny")) == {"error": "access_denied", "state": "st/1"}


def test_consent_needs_an_organisation(stranger: Visitor) -> None:
    consent = stranger.sign_in(stranger.authorise().text).text
    refused = stranger.consent(consent, names=())
    assert refused.status_code == 422
    assert "Tick at least one organisation" in refused.text
    assert "code" in returned(stranger.consent(refused.text))


def test_a_consent_page_can_be_used_once(stranger: Visitor) -> None:
    consent = stranger.sign_in(stranger.authorise().text).text
    stranger.consent(consent)
    assert stranger.consent(consent).status_code == 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "somebody-else"}, "application is not known"),
        ({"redirect_uri": "https://elsewhere.example/"}, "address to return to"),
        ({"redirect_uri": "http://127.0.0.1.elsewhere.example/"}, "address to return to"),
    ],
)
def test_an_unknown_application_or_address_is_never_redirected(
    stranger: Visitor, changes: dict[str, str], words: str
) -> None:
    answer = stranger.authorise(**changes)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert words in answer.text


def test_an_unusable_request_goes_back_with_its_error(stranger: Visitor) -> None:
    assert returned(stranger.authorise(response_type="token"))["error"] == "unsupported_response_type"
    assert returned(stranger.authorise(scope="everything"))["error"] == "invalid_scope"


def test_a_code_becomes_tokens_in_sages_shape(stranger: Visitor) -> None:
    answer = stranger.exchange(stranger.code())
    tokens = answer.json()
    assert answer.status_code == 200
    assert (tokens["token_type"], tokens["scope"]) == ("bearer", "full_access")
    assert (tokens["expires_in"], tokens["refresh_token_expires_in"]) == (300, 2_678_400)
    assert len(tokens["requested_by_id"]) == 36
    assert tokens["access_token"].count(".") == 2
    assert 600 < len(tokens["access_token"]) < 2048


def test_credentials_may_come_in_a_basic_header(stranger: Visitor) -> None:
    form = {"grant_type": "authorization_code", "code": stranger.code(), "redirect_uri": CALLBACK}
    answer = requests.post(
        f"{stranger.url}/accounting/token", data={**form, "code_verifier": VERIFIER}, auth=CLIENT, timeout=10
    )
    assert answer.status_code == 200


def test_a_code_works_once(stranger: Visitor) -> None:
    code = stranger.code()
    assert stranger.exchange(code).status_code == 200
    again = stranger.exchange(code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


def test_a_code_dies_after_sixty_seconds(stranger: Visitor) -> None:
    code = stranger.code()
    stranger.clock.pass_time(seconds=60)
    assert stranger.exchange(code).json() == {"error": "invalid_grant"}


def test_the_wrong_verifier_spends_the_code(stranger: Visitor) -> None:
    code = stranger.code()
    assert stranger.exchange(code, code_verifier="another").json() == {"error": "invalid_grant"}
    assert stranger.exchange(code).json() == {"error": "invalid_grant"}


def test_a_plain_challenge_and_no_challenge_work_too(stranger: Visitor) -> None:
    plain = stranger.code(code_challenge=VERIFIER, code_challenge_method="plain")
    assert stranger.exchange(plain).status_code == 200
    without = stranger.code(code_challenge="", code_challenge_method="")
    assert stranger.exchange(without, code_verifier="").status_code == 200


def test_the_return_address_must_be_the_same_at_the_exchange(stranger: Visitor) -> None:
    answer = stranger.exchange(stranger.code(), redirect_uri=CALLBACK + "x")
    assert answer.json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong", "grant_type": "refresh_token"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
    ],
)
def test_token_errors_are_400_objects(stranger: Visitor, form: dict[str, str], error: str) -> None:
    answer = stranger.token(**form)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_refresh_token_is_used_once_and_only_the_newest_lives(client: Visitor) -> None:
    first = client.refresh
    second = client.renew(first).json()["refresh_token"]
    assert client.renew(first).json() == {"error": "invalid_grant"}
    assert client.renew(second).status_code == 200


def test_a_refresh_token_lives_thirty_one_days(client: Visitor) -> None:
    client.clock.pass_time(days=30, hours=23)
    client.keep(client.renew(client.refresh).json())
    client.clock.pass_time(days=31)
    assert client.renew(client.refresh).json() == {"error": "invalid_grant"}


def test_a_new_sign_in_of_the_same_person_ends_the_earlier_refresh_token(client: Visitor) -> None:
    earlier = client.refresh
    client.connect()
    assert client.renew(earlier).json() == {"error": "invalid_grant"}
    assert client.renew(client.refresh).status_code == 200


def test_revoking_ends_the_refresh_token_at_once_and_the_access_token_in_its_time(client: Visitor) -> None:
    form = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "token": client.refresh}
    answer = requests.post(f"{client.url}/accounting/revoke", data=form, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"success": "ok"})
    assert client.renew(client.refresh).json() == {"error": "invalid_grant"}
    assert client.get("/user").status_code == 200
    revoke = next(each for each in client.journal() if each["path"] == "/accounting/revoke")
    assert (revoke["method"], revoke["status"]) == ("POST", 200)
    client.clock.pass_time(seconds=300)
    assert client.get("/user").status_code == 401
    client.connect()
    assert client.get("/user").status_code == 200


def test_an_access_token_lives_three_hundred_seconds(client: Visitor) -> None:
    client.clock.pass_time(seconds=299)
    assert client.get("/user").status_code == 200
    client.clock.pass_time(seconds=1)
    answer = client.get("/user")
    assert answer.status_code == 401
    assert answer.json()[0]["$severity"] == "error"


def test_only_the_organisations_allowed_at_consent_are_there(stranger: Visitor) -> None:
    stranger.connect(LETTINGS)
    body = stranger.get("/businesses").json()
    assert [each["displayed_as"] for each in body["$items"]] == [LETTINGS]
    assert body["$items_per_page"] == 2_147_483_647
    assert "$itemsPerPage" not in body
    assert stranger.get("/businesses/lead").json()["name"] == LETTINGS


def test_a_form_sent_from_another_sites_page_is_refused(stranger: Visitor) -> None:
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = requests.post(f"{stranger.url}/_reset", headers=headers, timeout=10)
        assert answer.status_code == 403
    same = {"Origin": stranger.url, "Sec-Fetch-Site": "same-origin"}
    assert requests.post(f"{stranger.url}/_reset", headers=same, timeout=10).status_code == 200


def test_no_token_or_code_is_written_to_disk(stranger: Visitor) -> None:
    code = stranger.code()
    stranger.keep(stranger.exchange(code).json())
    stored = b"".join(path.read_bytes() for path in stranger.directory.iterdir())
    for secret in (code, stranger.access, stranger.refresh):
        assert secret.encode() not in stored
    assert CHALLENGE not in str(stranger.journal())
    assert stranger.refresh not in str(stranger.journal())
