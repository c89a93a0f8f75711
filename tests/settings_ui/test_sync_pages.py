"""The pages of the sync centre: each part, each form, who may, and how much is asked for them."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from connectors.interface import Entry
from connectors.models import Catalogue, Connection
from connectors.options import Kind
from invoices import finding, services
from invoices.models import Client, DigestMail, DigestWish, Invoice, Push, PushAttempt
from tests.conftest import draft_for
from tests.invoices.conftest import NewPush, approved, desk, new_invoice, new_push, wired  # noqa: F401

pytestmark = pytest.mark.django_db
TAX = {"message": "is not in use", "meaning": "Sage does not take the tax of a line.", "fix": "TAX_RATES"}


def many(client_of_ours: Client, staff: User, now: datetime, keys: list[str], **values: Any) -> list[Push]:
    """One held invoice for each key."""
    made = []
    for key in keys:
        invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
        push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
        given = {"state": "ATTENTION", "cause": "REJECTED", "cause_key": key, "held_at": now, "problems": [TAX]}
        Push.objects.filter(pk=push.pk).update(**{**given, **values})
        made.append(push)
    return made


@pytest.fixture
def lists(wired: Connection, now: datetime) -> None:  # noqa: F811
    rates = (Entry(id="GB_STANDARD", name="Standard", percentage=None), Entry(id="GB_NEW", name="New rate"))
    Catalogue.keep(connection=wired, kind=Kind.TAX_RATES, entries=rates, now=now)
    codes = (Entry(id="acc-4000", name="Sales", code="4000"), Entry(id="acc-4200", name="Assets", code="4200"))
    Catalogue.keep(connection=wired, kind=Kind.SALES_ACCOUNTS, entries=codes, now=now)


def test_it_counts_money_and_age_by_cause_and_does_not_ask_more_for_more(
    desk: Browser,  # noqa: F811
    lists: None,
    client_of_ours: Client,
    staff: User,
    now: datetime,
) -> None:
    keys, asked = ["TAX_RATES|||STANDARD", "SUPPORT|X||what"], []
    for count in (1, 10):
        many(client_of_ours, staff, now, keys * count)
        with CaptureQueriesContext(database) as seen:
            page = desk.get("/sync/").text
        asked.append(len(seen))
        assert page.count('class="card sync-group"') == 2
    assert "11 invoices" in page and "£2,244.00" in page
    assert asked[0] == asked[1] <= 25


@pytest.mark.parametrize(
    ("fix", "subject", "shown"),
    [
        ("TAX_RATES", "STANDARD", 'name="rate-STANDARD"'),
        ("SALES_ACCOUNT", "acc-4000", 'name="account"'),
        ("CLIENT", "", 'name="postal_code"'),
        ("CLIENT_LINK", "", "/sync/fix/?cause=CLIENT_LINK"),
        ("DATE", "prior to", 'name="day"'),
        ("SYNC_SETTINGS", "a department", "Open the sync settings"),
        ("PLATFORM", "no subscription", "Open Cloud Accounting Connector"),
        ("SUPPORT", "the moon", "what to tell support"),
        ("REMOTE", "paid", "only be mended in Sage itself"),
    ],
)
def test_each_cause_shows_its_form_in_place(
    client: Browser,
    admin: User,
    lists: None,
    client_of_ours: Client,
    staff: User,
    now: datetime,
    fix: str,
    subject: str,
    shown: str,
) -> None:
    key = f"{fix}|||{subject or client_of_ours.uuid}"
    many(
        client_of_ours,
        staff,
        now,
        [key],
        problems=[{"message": "Sage's words", "meaning": "What it means.", "fix": fix}],
    )
    client.force_login(admin)
    page = client.get("/sync/").text
    assert shown in page
    assert "Sage&#x27;s words" in page and "What it means" in page and "again</button>" in page


def test_what_staff_may_not_mend_is_for_an_admin_and_a_viewer_reads_only(
    client: Browser, lists: None, client_of_ours: Client, staff: User, viewer: User, now: datetime
) -> None:
    many(client_of_ours, staff, now, ["TAX_RATES|||STANDARD"])
    client.force_login(staff)
    assert "Ask an admin to mend this" in client.get("/sync/").text
    posted = {"cause": "TAX_RATES|||STANDARD", "rate-STANDARD": "GB_NEW"}
    assert client.post("/sync/mend/", posted).status_code == 403
    client.force_login(viewer)
    page = client.get("/sync/").text
    assert "Staff can mend it." in page and "<button" not in page.partition("sync-group")[2].partition("</section>")[0]
    for path in ("mend", "again", "park"):
        assert client.post(f"/sync/{path}/", posted).status_code == 403
    assert Push.objects.get().state == "ATTENTION"


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("DATE|||x", {"day": "soon"}, "Type the new date"),
        ("DATE|||x", {"day": "0026-01-01"}, "Type the new date"),
        ("DATE|||x", {"day": "2026-02-31"}, "Type the new date"),
        ("TAX_RATES|||STANDARD", {"rate-STANDARD": "nonsense"}, "no longer, in Sage"),
        ("CLIENT|||{client}", {"name": "", "reference": "A <b>"}, "The client is not saved yet"),
    ],
)
def test_what_cannot_be_used_comes_back_with_what_was_typed_and_nothing_is_sent(
    client: Browser,
    admin: User,
    lists: None,
    client_of_ours: Client,
    staff: User,
    now: datetime,
    key: str,
    typed: dict[str, str],
    said: str,
) -> None:
    key = key.format(client=client_of_ours.uuid)
    many(client_of_ours, staff, now, [key])
    client.force_login(admin)
    answer = client.post("/sync/mend/", {"cause": key, **typed})
    assert answer.status_code == 422
    assert said in answer.text
    for value in typed.values():
        assert "nonsense" in value or value.replace("<", "&lt;").replace(">", "&gt;") in answer.text
    assert Push.objects.get().state == "ATTENTION"


def test_a_group_that_is_gone_meanwhile_is_no_error(client: Browser, admin: User, wired: Connection) -> None:  # noqa: F811
    client.force_login(admin)
    for path in ("mend", "again"):
        assert client.post(f"/sync/{path}/", {"cause": "DATE|||\x00x"}).status_code == 302
    assert "Nothing is held for this reason any more." in client.get("/sync/fix/?cause=x").text


def test_waiting_says_why_and_until_when(desk: Browser, new_push: NewPush, wired: Connection, now: datetime) -> None:  # noqa: F811
    push = new_push("READY")
    page = desk.get("/sync/?show=waiting").text
    assert "It goes as soon as a worker is free." in page
    until = now + timedelta(minutes=10)
    Connection.objects.update(paused_until=until)
    told = "Our calls to Sage of this minute are used up."
    PushAttempt.objects.create(
        push=push, n=1, generation=1, key="k", started_at=now, outcome="NOT_SENT", resolved_at=now, message=told
    )
    page = desk.get("/sync/?show=waiting").text
    assert "Next try at" in page and told in page
    Connection.objects.update(state="RECONNECT")
    page = desk.get("/sync/?show=waiting").text
    assert "once an admin has authorised Reflow again" in page and "Ask an admin to do this." in page


def test_an_admin_authorises_again_from_here(client: Browser, admin: User, new_push: NewPush) -> None:  # noqa: F811
    new_push("READY")
    Connection.objects.update(state="RECONNECT")
    client.force_login(admin)
    answer = client.get("/sync/")
    assert 'action="/settings/connector/authorise/"' in answer.text
    assert "form-action" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("show", "state", "values", "words"),
    [
        ("processing", "SENDING", {}, "Sending"),
        ("processing", "UNKNOWN", {}, "it is due now"),
        ("successful", "SENT", {}, "0.0 s"),
        ("parked", "PARKED", {"parked_because": "In dispute."}, "In dispute."),
    ],
)
def test_each_part_shows_its_own(
    desk: Browser,  # noqa: F811
    new_push: NewPush,  # noqa: F811
    now: datetime,
    show: str,
    state: str,
    values: dict[str, Any],
    words: str,
) -> None:
    push = new_push(state, held_at=now, **values)
    page = desk.get(f"/sync/?show={show}").text
    assert words in page and str(push.invoice) in page
    for other in {"waiting", "processing", "successful", "parked"} - {show}:
        assert str(push.invoice) not in desk.get(f"/sync/?show={other}").text


def test_pages_go_by_key_and_search_goes_by_number_and_client(
    desk: Browser,  # noqa: F811
    wired: Connection,  # noqa: F811
    client_of_ours: Client,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from settings_ui import sync_centre

    monkeypatch.setattr(sync_centre, "PAGE_SIZE", 2)
    pushes = many(client_of_ours, staff, now, ["DATE|||x"] * 5)
    seen, address = [], "/sync/?cause=DATE%7C%7C%7Cx"
    while address:
        answer = desk.get(address)
        seen += [row.push.pk for row in answer.context["rows"]]
        address = f"/sync/{answer.context['after']}" if answer.context["after"] else ""
    assert seen == [push.pk for push in pushes]
    number = str(Invoice.objects.get(pk=pushes[3].invoice_id))
    found = desk.get("/sync/", {"q": number}).context["rows"]
    assert [row.push.pk for row in found] == [pushes[3].pk]
    assert "Nothing matches" in desk.get("/sync/?q=nobody").text
    for bad in ("x.1", "2026.x", "\x00", ".99999999999999999999", "2026-13-45T00:00:00.1"):
        assert desk.get("/sync/", {"show": "waiting", "after": bad}).status_code == 200


def test_a_search_is_among_what_is_shown_however_many_others_match(
    desk: Browser,  # noqa: F811
    new_push: NewPush,  # noqa: F811
    client_of_ours: Client,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "LIMIT", 2)
    held = new_push("ATTENTION")
    many(client_of_ours, staff, now, ["DATE|||x"] * 5)
    Push.objects.exclude(pk=held.pk).update(state="READY", cause="", cause_key="")
    for q in ("INV-0", client_of_ours.name):
        assert [row.push.pk for row in desk.get("/sync/", {"q": q}).context["rows"]] == [held.pk]


def test_the_counts_follow_by_themselves(desk: Browser, new_push: NewPush) -> None:  # noqa: F811
    new_push("ATTENTION")
    seen = desk.get("/sync/").context["seen"]
    headers = {"HX-Request": "true"}
    assert desk.get("/sync/", {"seen": seen}, headers=headers).status_code == 204
    Push.objects.update(state="READY", cause="")
    moved = desk.get("/sync/", {"seen": seen}, headers=headers).text
    assert "Something has moved" in moved and "<html" not in moved


def test_the_menu_says_how_many_need_somebody(desk: Browser, new_push: NewPush) -> None:  # noqa: F811
    assert "Needs attention: " not in desk.get("/clients/").text
    new_push("ATTENTION")
    assert "Needs attention: </span>1</span>" in desk.get("/clients/").text
    Connection.objects.update(state="DISCONNECTED", disconnected_at=datetime(2026, 1, 1).astimezone())
    assert "Needs attention: " not in desk.get("/clients/").text


def test_one_and_a_group_can_be_parked_and_unparked(
    desk: Browser,  # noqa: F811
    wired: Connection,  # noqa: F811
    client_of_ours: Client,
    staff: User,
    now: datetime,
) -> None:
    first, *_ = many(client_of_ours, staff, now, ["DATE|||x"] * 3)
    answer = desk.post("/sync/park/", {"push": first.pk, "reason": " "}, follow=True)
    assert "give a reason" in answer.text
    answer = desk.post("/sync/park/", {"push": first.pk, "reason": "In dispute."}, follow=True)
    assert "1 invoice was parked." in answer.text and "In dispute." in answer.text
    desk.post("/sync/park/", {"cause": "DATE|||x", "reason": "Wait for April."})
    assert {*Push.objects.values_list("state", flat=True)} == {"PARKED"}
    page = desk.get("/sync/?show=parked").text
    assert "oldest less than a minute" in page
    assert "numbers are missing from" in page
    assert "Parked" in desk.get(f"/invoices/{first.invoice_id}/").text
    desk.post("/sync/again/", {"push": first.pk})
    assert Push.objects.filter(state="READY").count() == 1
    desk.post("/sync/again/", {"all": "parked"})
    assert {*Push.objects.values_list("state", flat=True)} == {"READY"}


def test_send_to_sage_on_a_parked_invoice_unparks_it(desk: Browser, new_push: NewPush, now: datetime) -> None:  # noqa: F811
    push = new_push("PARKED", parked_because="x", held_at=now)
    assert "Unpark" in desk.get(f"/invoices/{push.invoice_id}/").text
    desk.post(f"/invoices/{push.invoice_id}/push/")
    push.refresh_from_db()
    assert push.state == "READY"


def test_every_attempt_shows_what_was_sent_and_answered_and_no_secret(
    desk: Browser,  # noqa: F811
    new_push: NewPush,  # noqa: F811
    now: datetime,
) -> None:
    push = new_push("ATTENTION")
    answer = json.dumps({"total": "170.00", "note": "<b>", "access_token": "secret-4711"})
    PushAttempt.objects.create(
        push=push,
        n=1,
        generation=1,
        key="key-0815",
        started_at=now,
        outcome="REJECTED",
        resolved_at=now + timedelta(seconds=2),
        document={"reference": "INV-00001", "password": "secret-4711"},
        http_status=422,
        request_id="req-77",
        message="Refused.",
        answer=answer,
    )
    page = desk.get(f"/sync/pushes/{push.pk}/").text
    for words in (
        "INV-00001",
        "key-0815",
        "422",
        "req-77",
        "after 2.0 s",
        "&lt;b&gt;",
        "[hidden]",
        "Refused.",
        "Park it",
    ):
        assert words in page, words
    assert "secret-4711" not in page
    assert desk.get("/sync/pushes/0/").status_code == 404
    assert f"/sync/pushes/{push.pk}/" in desk.get(f"/invoices/{push.invoice_id}/").text


def test_an_admin_asks_for_the_digest_and_the_first_comes_tomorrow(client: Browser, admin: User) -> None:
    client.force_login(admin)
    assert "Reflow sends no mail here yet" in client.get("/sync/digest/").text
    assert client.post("/sync/digest/", {"wanted": "on", "hour": "99"}).status_code == 422
    client.post("/sync/digest/", {"wanted": "on", "hour": "0"})
    assert DigestWish.objects.get().hour == 0
    assert DigestMail.objects.count() == 1, "today's is over"
    client.post("/sync/digest/", {"hour": "7"})
    assert not DigestWish.objects.exists()
