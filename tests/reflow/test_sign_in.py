"""Signing in: held back after wrong passwords, forgotten passwords, one's own password, and the settings of mail."""

import os
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client, RequestFactory
from django.utils import timezone

from settings_ui import accounts
from settings_ui.models import AccessChange
from settings_ui.throttle import client_ip
from tests.reflow.starts import ask

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def static_files_as_they_are(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


def sign_in(client: Client, username: str, password: str, **extra: Any) -> Any:
    return client.post("/login/", {"username": username, "password": password}, **extra)


def fail(client: Client, username: str, times: int, **extra: Any) -> Any:
    for _ in range(times - 1):
        assert sign_in(client, username, "wrong", **extra).status_code == 200
    return sign_in(client, username, "wrong", **extra)


def words(page: Any) -> str:
    """What the page says to a person, without its one-time marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def wait_for_mail() -> None:
    for thread in threading.enumerate():
        if thread.name == "password-mail":
            thread.join(timeout=20)


def test_the_right_password_lets_in(client: Client, staff: User) -> None:
    assert sign_in(client, "sam", "sam-password").headers["Location"] == "/"


def test_after_five_wrong_passwords_sign_in_is_held_back_and_says_for_how_long(client: Client, staff: User) -> None:
    held = fail(client, "sam", 5)
    assert held.status_code == 429
    assert held.headers["Retry-After"] in ("899", "900")
    assert "for another 15 minutes" in words(held)
    with_the_right_one = sign_in(client, "sam", "sam-password")
    assert with_the_right_one.status_code == 429
    assert "_auth_user_id" not in client.session


def test_trying_on_does_not_make_it_longer_and_it_ends_by_itself(client: Client, staff: User) -> None:
    fail(client, "sam", 5)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    assert "for another 5 minutes" in words(sign_in(client, "sam", "wrong"))
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert sign_in(client, "sam", "sam-password").status_code == 302


def test_only_that_name_from_that_address_is_held_back(client: Client, staff: User, viewer: User) -> None:
    fail(client, "sam", 5)
    assert sign_in(client, "vera", "vera-password").status_code == 302
    assert sign_in(Client(), "sam", "sam-password", REMOTE_ADDR="192.0.2.9").status_code == 302


def test_another_browser_at_the_same_address_is_held_back_too(client: Client, staff: User) -> None:
    fail(client, "sam", 3, headers={"User-Agent": "one"})
    fail(client, "sam", 2, headers={"User-Agent": "two"})
    assert sign_in(client, "sam", "sam-password", headers={"User-Agent": "three"}).status_code == 429


def test_a_success_between_starts_the_count_again(client: Client, staff: User) -> None:
    fail(client, "sam", 4)
    sign_in(client, "sam", "sam-password")
    assert fail(Client(), "sam", 4).status_code == 200


def test_nothing_said_tells_whether_there_is_such_a_person(client: Client, staff: User, viewer: User) -> None:
    viewer.is_active = False
    viewer.save()
    told = []
    for name in ("sam", "nobody", "vera"):
        first, fifth = words(sign_in(Client(), name, "wrong")), words(fail(Client(), name, 4))
        told.append((first.replace(name, ""), fifth.replace(name, "")))
    assert told[0] == told[1] == told[2]


def test_a_password_link_lifts_it_and_people_says_that_it_is_held_back(
    client: Client, admin: User, staff: User
) -> None:
    fail(Client(), "sam", 5)
    client.force_login(admin)
    assert "Sign-in is held back" in words(client.get(f"/settings/people/{staff.pk}/"))
    client.post(f"/settings/people/{staff.pk}/link/")
    assert sign_in(Client(), "sam", "sam-password").status_code == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted"),
    [
        (0, "", "192.0.2.1"),
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.5, 198.51.100.7", "203.0.113.5"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "nonsense", None),
    ],
)
def test_the_address_counted_is_the_peer_s_unless_proxies_are_named(
    settings: Any, proxies: int, forwarded: str, counted: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/login/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})
    assert client_ip(request) == counted


def test_an_address_that_is_none_is_still_counted(client: Client, staff: User) -> None:
    assert fail(client, "sam", 5, REMOTE_ADDR="").status_code == 429


# Forgotten passwords ------------------------------------------------------------------------------------
def test_without_mail_the_page_says_whom_to_ask(client: Client, staff: User) -> None:
    assert "/password/forgotten/" in client.get("/login/").content.decode()
    page = client.get("/password/forgotten/")
    assert "Ask an admin for a link" in words(page)
    client.post("/password/forgotten/", {"email": "sam@quayside.example"})
    assert mail.outbox == []


def test_with_mail_a_link_goes_out_and_the_answer_is_the_same_for_strangers(
    client: Client, staff: User, settings: Any
) -> None:
    settings.MAIL_IS_SET_UP = True
    User.objects.filter(pk=staff.pk).update(email="sam@quayside.example")
    known = client.post("/password/forgotten/", {"email": "SAM@quayside.example"}, headers={"Host": "evil.example"})
    unknown = client.post("/password/forgotten/", {"email": "who@quayside.example"})
    assert words(known).replace("SAM@", "") == words(unknown).replace("who@", "")
    wait_for_mail()
    (sent,) = mail.outbox
    assert sent.to == ["sam@quayside.example"]
    found = re.search(r"http://127\.0\.0\.1:8000(/password/\S+/)", sent.body)
    assert found
    place = client.get(found[1]).headers["Location"]
    assert "Choose a password" in words(client.get(place))
    weak = client.post(place, {"new_password1": "sam", "new_password2": "sam"})
    assert "too short" in words(weak)
    chosen = {"new_password1": "slates-and-gutters", "new_password2": "slates-and-gutters"}
    assert client.post(place, chosen).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    texts = [change.text for change in AccessChange.objects.filter(person=staff)]
    assert texts == ["Chose a password", accounts.FORGOTTEN]


def test_asking_again_within_minutes_sends_nothing_more(client: Client, staff: User, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    User.objects.filter(pk=staff.pk).update(email="sam@quayside.example")
    for _ in range(3):
        client.post("/password/forgotten/", {"email": "sam@quayside.example"})
    wait_for_mail()
    assert len(mail.outbox) == 1


def test_no_link_is_mailed_to_who_is_deactivated_or_has_no_password_yet(
    client: Client, staff: User, viewer: User, settings: Any
) -> None:
    settings.MAIL_IS_SET_UP = True
    User.objects.filter(pk=staff.pk).update(email="sam@quayside.example", is_active=False)
    viewer.email = "vera@quayside.example"
    viewer.set_unusable_password()
    viewer.save()
    for email in ("sam@quayside.example", "vera@quayside.example"):
        client.post("/password/forgotten/", {"email": email})
    wait_for_mail()
    assert mail.outbox == []


# One's own password -------------------------------------------------------------------------------------
def test_one_s_own_password_is_changed_and_other_places_are_signed_out(client: Client, staff: User) -> None:
    elsewhere = Client()
    sign_in(client, "sam", "sam-password")
    sign_in(elsewhere, "sam", "sam-password")
    assert "/account/password/" in client.get("/").content.decode()
    wrong = {"old_password": "no", "new_password1": "slates-and-gutters", "new_password2": "slates-and-gutters"}
    assert client.post("/account/password/", wrong).status_code == 200
    assert client.post("/account/password/", {**wrong, "old_password": "sam-password"}).status_code == 302
    assert client.get("/").status_code == 200
    assert elsewhere.get("/").headers["Location"].startswith("/login/")
    assert AccessChange.objects.get(person=staff).text == "Chose a password"


# The settings of mail -----------------------------------------------------------------------------------
RIGHT_MAIL = [
    {"EMAIL_URL": ""},
    {"EMAIL_URL": "smtp+tls://user:p%40ss@mail.example", "DEFAULT_FROM_EMAIL": "Reflow <r@a.example>"},
]
WRONG_MAIL = [
    ({"EMAIL_URL": "mail.example.com"}, "EMAIL_URL"),
    ({"EMAIL_URL": "https://user:hidden@mail.example.com"}, "EMAIL_URL"),
    ({"EMAIL_URL": "smtp://user:hidden@mail.example.com:port"}, "EMAIL_URL"),
    ({"EMAIL_URL": "smtp://"}, "EMAIL_URL"),
    ({"EMAIL_URL": "smtp://127.0.0.1", "DEFAULT_FROM_EMAIL": "Reflow"}, "DEFAULT_FROM_EMAIL"),
    ({"EMAIL_URL": "smtp://127.0.0.1", "SUPPORT_EMAIL": ""}, "DEFAULT_FROM_EMAIL"),
    ({"TRUSTED_PROXIES": "some"}, "TRUSTED_PROXIES"),
]


@pytest.fixture(scope="module")
def starts() -> list[dict[str, Any]]:
    """What reading the settings says to each right and each wrong environment."""
    environments = [*RIGHT_MAIL, *(changes for changes, _ in WRONG_MAIL)]
    return ask(*(("mail", {**os.environ, **changes}) for changes in environments))


def test_mail_is_off_until_its_address_is_given(starts: list[dict[str, Any]]) -> None:
    assert starts[0]["said"].split()[:2] == ["False", "dummy"]


def test_the_address_of_a_mail_server_is_read(starts: list[dict[str, Any]]) -> None:
    assert starts[1]["said"] == "True smtp mail.example 587 True p@ss Reflow <r@a.example>"


@pytest.mark.parametrize("index", range(len(WRONG_MAIL)), ids=[str(changes) for changes, _ in WRONG_MAIL])
def test_a_wrong_setting_of_mail_stops_the_start_with_its_name_and_an_example(
    starts: list[dict[str, Any]], index: int
) -> None:
    name, refused = WRONG_MAIL[index][1], starts[len(RIGHT_MAIL) + index]
    assert refused["code"] == 1
    assert refused["said"].startswith(f"Reflow cannot start: {name} ")
    assert f"For example: {name}=" in refused["said"]
    assert "hidden" not in refused["said"]


def test_a_session_that_has_expired_or_that_nobody_has_is_none(staff: User) -> None:
    browser = Client()
    browser.force_login(staff)
    assert browser.get("/invoices/").status_code == 200
    session = Session.objects.get()
    Session.objects.update(expire_date=timezone.now())
    assert browser.get("/invoices/").status_code == 302
    Session.objects.update(expire_date=timezone.now() + timedelta(hours=1))
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert browser.get("/invoices/").status_code == 200
    browser.cookies[settings.SESSION_COOKIE_NAME] = "known-to-nobody"
    assert browser.get("/invoices/").status_code == 302
    assert sign_in(browser, "sam", "sam-password").status_code == 302
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value not in ("known-to-nobody", session.session_key)
    assert browser.get("/invoices/").status_code == 200
