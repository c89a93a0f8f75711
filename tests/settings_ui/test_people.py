"""Settings > People, and the logo beside it: who may do what to whom, and what stays on record."""

import io
import re
import struct
import zlib
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image, PngImagePlugin

from invoices.models import Company
from settings_ui import accounts
from settings_ui.logo import NotALogo, as_png
from settings_ui.models import AccessChange
from tests.conftest import person

pytestmark = pytest.mark.django_db
NEW = {"first_name": "Nia", "last_name": "Rowe", "username": "nia", "email": "nia@quayside.example", "role": "Staff"}


@pytest.fixture
def as_admin(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def with_mail(settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True


def link_on(page: str) -> str:
    """The way into Reflow that a page or a mail shows."""
    found = re.search(r"http://127\.0\.0\.1:8000(/password/\S+?/)(?=[<\s])", page)
    assert found, page
    return found[1]


def choose_password(link: str, chosen: str = "slates-and-gutters") -> Any:
    """What somebody does with a link in a browser of their own."""
    visitor = Client()
    form_at = visitor.get(link)
    if form_at.status_code != 302:
        return form_at
    return visitor.post(form_at.headers["Location"], {"new_password1": chosen, "new_password2": chosen})


def on_record(who: User) -> list[str]:
    return [change.text for change in AccessChange.objects.filter(person=who).order_by("pk")]


@pytest.mark.parametrize("name", ["viewer", "staff"])
def test_people_is_for_admins_only(client: Client, admin: User, name: str, request: pytest.FixtureRequest) -> None:
    client.force_login(request.getfixturevalue(name))
    for address in ("/settings/people/", "/settings/people/new/", f"/settings/people/{admin.pk}/"):
        assert client.get(address).status_code == 403
    for address in (f"/settings/people/{admin.pk}/link/", f"/settings/people/{admin.pk}/active/"):
        assert client.post(address).status_code == 403
    assert "/settings/people/" not in client.get("/").content.decode()


def test_the_list_tells_role_state_and_last_sign_in(as_admin: Client, staff: User, viewer: User) -> None:
    viewer.is_active = False
    viewer.save()
    page = as_admin.get("/settings/people/").content.decode()
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in page.split("<tr>")[2:5]]
    assert [row.split()[0] for row in rows] == ["Ada", "Sam", "Vera"]
    assert "you" in rows[0]
    assert "Staff" in rows[1]
    assert "Active" in rows[1]
    assert "Never" in rows[1]
    assert "Deactivated" in rows[2]


def test_an_invitation_without_mail_is_a_link_that_the_admin_sees_once(as_admin: Client, admin: User) -> None:
    answer = as_admin.post("/settings/people/new/", NEW, follow=True)
    nia = User.objects.get(username="nia")
    assert accounts.role_of(nia) == "Staff"
    assert not nia.has_usable_password()
    assert mail.outbox == []
    link = link_on(answer.content.decode())
    assert link not in as_admin.get(f"/settings/people/{nia.pk}/").content.decode()
    assert choose_password(link).headers["Location"] == "/"
    nia.refresh_from_db()
    assert nia.check_password("slates-and-gutters")
    assert on_record(nia) == ["Invited as Staff", "Chose a password"]
    assert AccessChange.objects.get(text="Invited as Staff").actor == admin


@pytest.mark.usefixtures("with_mail")
def test_an_invitation_with_mail_goes_to_the_person_and_the_admin_sees_no_link(as_admin: Client) -> None:
    answer = as_admin.post("/settings/people/new/", NEW, follow=True)
    assert "/password/" not in answer.content.decode().replace("/account/password/", "")
    (sent,) = mail.outbox
    assert sent.to == ["nia@quayside.example"]
    assert "nia" in sent.body
    assert choose_password(link_on(sent.body)).status_code == 302


@pytest.mark.usefixtures("with_mail")
def test_when_the_mail_server_refuses_the_admin_gets_the_link(as_admin: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 2
    link_on(as_admin.post("/settings/people/new/", NEW, follow=True).content.decode())


def test_a_link_is_good_once_and_for_three_days(as_admin: Client, staff: User, settings: Any) -> None:
    assert timedelta(days=3).total_seconds() == settings.PASSWORD_RESET_TIMEOUT
    link = link_on(as_admin.post(f"/settings/people/{staff.pk}/link/", follow=True).content.decode())
    assert choose_password(link).status_code == 302
    again = choose_password(link, "quite-another-one")
    assert "no longer good" in again.content.decode()
    staff.refresh_from_db()
    assert staff.check_password("slates-and-gutters")
    late = link_on(as_admin.post(f"/settings/people/{staff.pk}/link/", follow=True).content.decode())
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "no longer good" in choose_password(late).content.decode()


def test_a_link_does_not_let_in_who_was_deactivated_meanwhile(as_admin: Client, staff: User) -> None:
    link = link_on(as_admin.post(f"/settings/people/{staff.pk}/link/", follow=True).content.decode())
    as_admin.post(f"/settings/people/{staff.pk}/active/", {"active": "no"})
    assert "no longer good" in choose_password(link).content.decode()


def test_a_link_s_host_is_from_the_settings_whatever_the_request_says(as_admin: Client, staff: User) -> None:
    answer = as_admin.post(
        f"/settings/people/{staff.pk}/link/", follow=True, headers={"Host": "evil.example", "Referer": ""}
    )
    link_on(answer.content.decode())
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "ADA"}, "has this user name"),
        ({"email": "ada@quayside.example"}, "has this address"),
        ({"role": "Owner"}, "not one of the available"),
        ({"first_name": ""}, "required"),
    ],
)
def test_an_invitation_that_is_not_right_is_refused(
    as_admin: Client, admin: User, changes: dict[str, str], said: str
) -> None:
    User.objects.filter(pk=admin.pk).update(email="Ada@Quayside.example")
    answer = as_admin.post("/settings/people/new/", {**NEW, **changes})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert User.objects.count() == 1


def test_another_role_holds_at_once_and_is_on_record(as_admin: Client, admin: User, staff: User) -> None:
    theirs = Client()
    theirs.force_login(staff)
    assert theirs.get("/invoices/new/").status_code == 200
    given = {"first_name": "Samuel", "last_name": "", "email": "sam@quayside.example", "role": "Viewer"}
    assert as_admin.post(f"/settings/people/{staff.pk}/", given).status_code == 302
    assert theirs.get("/invoices/new/").status_code == 403
    assert on_record(staff) == [
        "Role changed from Staff to Viewer",
        "Name changed from Sam to Samuel",
        "E-mail changed from none to sam@quayside.example",
    ]
    assert "Role changed from Staff to Viewer" in as_admin.get(f"/settings/people/{staff.pk}/").content.decode()


def test_who_is_deactivated_is_out_at_once_and_can_be_brought_back(as_admin: Client, staff: User) -> None:
    theirs = Client()
    theirs.force_login(staff)
    as_admin.post(f"/settings/people/{staff.pk}/active/", {"active": "no"})
    assert theirs.get("/").headers["Location"].startswith("/login/")
    refused = as_admin.post(f"/settings/people/{staff.pk}/link/", follow=True)
    assert "bring them back first" in refused.content.decode()
    as_admin.post(f"/settings/people/{staff.pk}/active/", {"active": "yes"})
    staff.refresh_from_db()
    assert staff.is_active
    assert on_record(staff) == ["Deactivated", "Brought back"]


def test_an_admin_can_not_take_their_own_role_nor_shut_themselves_out(as_admin: Client, admin: User) -> None:
    as_admin.post(f"/settings/people/{admin.pk}/", {"first_name": "Ada", "role": "Viewer"})
    refused = as_admin.post(f"/settings/people/{admin.pk}/active/", {"active": "no"}, follow=True)
    assert "you are the only admin" in refused.content.decode()
    with pytest.raises(accounts.Refused, match="only admin"):
        accounts.change(person=admin, role="Staff", actor=admin, now=timezone.now())
    person("otto", "Admin")
    with pytest.raises(accounts.Refused, match="ask another admin"):
        accounts.change(person=admin, role="Staff", actor=admin, now=timezone.now())
    admin.refresh_from_db()
    assert admin.is_active
    assert accounts.role_of(admin) == "Admin"
    assert on_record(admin) == []


def test_nobody_who_lost_the_role_meanwhile_changes_anything(admin: User, staff: User) -> None:
    otto = person("otto", "Admin")
    accounts.change(person=otto, role="Staff", actor=admin, now=timezone.now())
    with pytest.raises(accounts.Refused, match="no longer an admin"):
        accounts.change(person=admin, role="Staff", actor=otto, now=timezone.now())


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_admins_who_take_each_other_s_role_at_once_leave_one() -> None:
    pair = [person("ada", "Admin"), person("otto", "Admin")]
    refusals: list[str] = []
    together = Barrier(2)

    def demote(actor: User, other: User) -> None:
        together.wait(timeout=20)
        try:
            accounts.change(person=other, role="Staff", actor=actor, now=timezone.now())
        except accounts.Refused as refused:
            refusals.append(str(refused))
        finally:
            connection.close()

    threads = [Thread(target=demote, args=(pair[n], pair[1 - n])) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert refusals == ["You are no longer an admin."]
    assert sorted(accounts.role_of(User.objects.get(pk=one.pk)) for one in pair) == ["Admin", "Staff"]


def test_a_superuser_from_the_console_is_shown_as_admin_and_can_be_given_a_role(as_admin: Client) -> None:
    root = User.objects.create_superuser("root", password="root-password", first_name="Rita")
    assert accounts.role_of(root) == "Admin"
    as_admin.post(f"/settings/people/{root.pk}/", {"first_name": "Rita", "role": "Viewer"})
    root = User.objects.get(pk=root.pk)
    assert not root.is_superuser
    assert not root.has_perm("auth.change_user")


# The logo -----------------------------------------------------------------------------------------------
def image_bytes(size: tuple[int, int], kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind, **options)
    return written.getvalue()


def bomb() -> bytes:
    """A small file that claims to be a picture of 400 million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 200_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_logo_is_kept_as_a_png_of_at_most_600_pixels_without_what_else_was_in_the_file() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<?php echo 1 ?>")
    data = image_bytes((1200, 300), mode="RGBA", pnginfo=notes) + b"<script>alert(1)</script>"
    kept = as_png(data)
    assert b"php" not in kept
    assert b"script" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (600, 150), "RGBA")


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpegs_of_any_colours_are_taken(mode: str) -> None:
    with Image.open(io.BytesIO(as_png(image_bytes((50, 40), "JPEG", mode)))) as picture:
        assert (picture.format, picture.size) == ("PNG", (50, 40))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG or JPEG"),
        (image_bytes((20, 20), "GIF"), "not a PNG or JPEG"),
        (image_bytes((200, 200), "JPEG")[:400], "damaged"),
        (image_bytes((200, 200))[:80], "damaged"),
        (bomb(), "not a PNG or JPEG|pixels"),
        (image_bytes((5000, 3000)), "5000 by 3000 pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 500_000, "larger than 500 KB"),
    ],
    ids=["empty", "svg", "gif", "half a jpeg", "half a png", "bomb", "too many pixels", "too large"],
)
def test_what_is_no_small_picture_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(NotALogo, match=said):
        as_png(data)


def test_broken_files_are_refused_and_never_an_error() -> None:
    whole = [image_bytes((40, 30), "JPEG"), image_bytes((40, 30), mode="P"), image_bytes((40, 30), mode="LA")]
    for data in whole:
        for place in range(0, len(data), 3):
            broken = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            try:
                assert as_png(broken).startswith(b"\x89PNG")
            except NotALogo:
                continue


def test_the_logo_is_replaced_shown_to_people_signed_in_and_removed(as_admin: Client, viewer: User) -> None:
    def upload(data: bytes) -> Any:
        return as_admin.post("/settings/company/logo/", {"logo": SimpleUploadedFile("logo.svg", data)}, follow=True)

    assert as_admin.get("/company/logo.png").status_code == 404
    assert "Replace logo" in upload(image_bytes((30, 20))).content.decode()
    shown = as_admin.get("/company/logo.png")
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in shown.headers["Cache-Control"]
    assert shown.content.startswith(b"\x89PNG")
    etag = shown.headers["ETag"]
    assert as_admin.get("/company/logo.png", headers={"If-None-Match": etag}).status_code == 304
    upload(image_bytes((31, 20)))
    assert as_admin.get("/company/logo.png", headers={"If-None-Match": etag}).status_code == 200
    refused = upload(b"no picture")
    assert refused.status_code == 422
    assert "not a PNG or JPEG" in refused.content.decode()
    assert as_admin.post("/settings/company/logo/").status_code == 422
    as_admin.post("/settings/company/logo/", {"remove": "yes"})
    assert bytes(Company.objects.get().logo) == b""


def test_the_logo_is_for_people_signed_in_and_changed_by_admins(client: Client, viewer: User) -> None:
    Company.objects.create(pk=1, name="Quayside", logo=as_png(image_bytes((30, 20))))
    assert client.get("/company/logo.png").headers["Location"].startswith("/login/")
    client.force_login(viewer)
    assert client.get("/company/logo.png").status_code == 200
    assert client.post("/settings/company/logo/", {"remove": "yes"}).status_code == 403


def test_saving_the_company_leaves_its_logo_alone() -> None:
    Company.objects.create(pk=1, name="Quayside", logo=b"kept")
    company = Company.ours()
    company.name = "Quayside Ltd"
    company.save()
    assert bytes(Company.objects.get().logo) == b"kept"
