"""The set-up page: open while nobody can sign in, to who reads the server's console, once."""

import io
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image

from invoices.models import Company
from reflow.logs import redact
from settings_ui import accounts, setup_code
from settings_ui.models import AccessChange

pytestmark = pytest.mark.django_db


def filled(**changes: Any) -> dict[str, Any]:
    given = {
        "setup_code": setup_code.setup_code(),
        "first_name": "Ada",
        "last_name": "Quayle",
        "username": "ada",
        "email": "ada@quayside.example",
        "password1": "gutters-and-slates",
        "password2": "gutters-and-slates",
        "company-name": "Quayside Property Care Ltd",
        "company-address": "8 Harbour Street\nWhitby",
        "company-vat_number": "GB123456789",
        "company-currency": "GBP",
        "company-terms_days": "14",
    }
    return {**given, **changes}


def picture() -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", (900, 300), "navy").save(written, "JPEG")
    return SimpleUploadedFile("logo.jpg", written.getvalue(), content_type="image/jpeg")


@pytest.mark.parametrize("address", ["/", "/invoices/7/", "/settings/people/", "/login/", "/password/forgotten/"])
def test_while_nobody_can_sign_in_every_page_leads_to_the_set_up_page(client: Client, address: str) -> None:
    assert client.get(address).headers["Location"] == "/welcome/"
    assert client.get(address, headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/welcome/"
    assert client.post(address).headers["Location"] == "/welcome/"


def test_the_health_pages_answer_before_anybody_is_there(client: Client) -> None:
    assert client.get("/healthz").json() == {"alive": True}


def test_one_form_makes_the_admin_and_the_company_and_signs_in(client: Client) -> None:
    page = client.get("/welcome/").content.decode()
    assert "manage.py setup_code" in page
    assert setup_code.setup_code() not in page
    answer = client.post("/welcome/", {**filled(), "company-logo": picture()})
    assert answer.headers["Location"] == "/settings/connector/"
    ada = User.objects.get()
    assert (ada.get_full_name(), ada.email, ada.is_superuser) == ("Ada Quayle", "ada@quayside.example", False)
    assert [role.name for role in ada.groups.all()] == ["Admin"]
    assert client.session["_auth_user_id"] == str(ada.pk)
    company = Company.objects.get()
    assert (company.name, company.vat_number, company.terms_days) == ("Quayside Property Care Ltd", "GB123456789", 14)
    assert Image.open(io.BytesIO(company.logo)).size == (600, 200)
    assert AccessChange.objects.get().person == ada
    assert client.get("/settings/people/").status_code == 200


@pytest.mark.parametrize("code", ["", "AAAA-BBBB-CCCC", "é"])
def test_without_the_code_from_the_console_nothing_is_made(client: Client, code: str) -> None:
    answer = client.post("/welcome/", filled(setup_code=code))
    assert answer.status_code == 422
    assert not User.objects.exists()
    assert not Company.objects.exists()


def test_the_code_may_be_typed_in_small_letters_and_without_dashes(client: Client) -> None:
    typed = setup_code.setup_code().lower().replace("-", " ")
    assert client.post("/welcome/", filled(setup_code=typed)).status_code == 302


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("password1", "password", "too common"),
        ("password2", "something-else", "match"),
        ("company-name", "", "required"),
        ("company-currency", "pounds", "at most 3"),
        ("email", "ada", "valid email"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(client: Client, field: str, value: str, said: str) -> None:
    changes = {field: value} | ({"password2": value} if field == "password1" else {})
    answer = client.post("/welcome/", filled(**changes))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not User.objects.exists()
    assert not Company.objects.exists()


def test_once_somebody_can_sign_in_the_page_is_closed_for_ever(client: Client, viewer: User) -> None:
    assert client.get("/welcome/").headers["Location"] == "/login/"
    assert client.post("/welcome/", filled()).headers["Location"] == "/login/"
    viewer.is_active = False
    viewer.save()
    assert client.post("/welcome/", filled()).headers["Location"] == "/login/"
    assert User.objects.get() == viewer


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_who_set_up_at_once_only_one_does() -> None:
    outcomes: list[str] = []
    together = Barrier(4)

    def try_it(name: str) -> None:
        together.wait(timeout=20)
        company = Company(name=name, currency="GBP")
        try:
            accounts.set_up(admin=User(username=name, password="x"), company=company, now=timezone.now())
            outcomes.append(name)
        except accounts.Refused as refused:
            outcomes.append(str(refused))
        finally:
            connection.close()

    threads = [Thread(target=try_it, args=(f"person{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    winner = User.objects.get().username
    assert Company.objects.get().name == winner
    refusals = [outcome for outcome in outcomes if outcome != winner]
    assert len(refusals) == 3
    assert all("meanwhile" in outcome for outcome in refusals)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_server_s_log_tells_the_code_at_start_while_it_is_needed(caplog: pytest.LogCaptureFixture) -> None:
    setup_code.announce()
    assert setup_code.setup_code() in caplog.text
    caplog.clear()
    User.objects.create_user("ada")
    setup_code.announce()
    assert caplog.text == ""


def test_the_command_tells_the_code_until_it_is_not_needed() -> None:
    told, quiet = io.StringIO(), io.StringIO()
    call_command("setup_code", stdout=told)
    assert setup_code.setup_code() in told.getvalue()
    User.objects.create_user("ada")
    call_command("setup_code", if_needed=True, stdout=quiet)
    assert quiet.getvalue() == ""
    call_command("setup_code", stdout=quiet)
    assert setup_code.setup_code() not in quiet.getvalue()


def test_the_line_in_the_log_shows_the_code_although_logs_are_redacted() -> None:
    assert setup_code.setup_code() in redact(setup_code.announcement())


def test_another_secret_key_is_another_code(settings: Any) -> None:
    before = setup_code.setup_code()
    settings.SECRET_KEY = "another-secret-key-of-fifty-or-more-characters-here"
    assert setup_code.setup_code() != before
    assert not setup_code.is_right(before)


def test_the_roles_are_there_for_the_first_admin() -> None:
    rights = Role.objects.get(name="Admin").permissions.values_list("codename", flat=True)
    assert {"change_user", "change_company", "change_connection", "change_group"} <= set(rights)
    for name in ("Viewer", "Staff"):
        assert not Role.objects.get(name=name).permissions.filter(codename="change_user").exists()
