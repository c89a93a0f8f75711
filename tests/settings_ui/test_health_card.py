"""The health card: its one word in each state, what it shows of the queue, and when it asks again by itself."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils.timezone import localtime
from pytest_django import DjangoAssertNumQueries

from connectors.models import Connection, Credential, RemoteLink
from invoices import services
from invoices.models import Client, Invoice, Pull, Push, PushAttempt, TaxRate
from settings_ui.checklist import Step
from settings_ui.health import Facts, verdict
from tests.conftest import draft_for

CARD, PAGE = "/settings/connector/health/", "/settings/connector/"
AT = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
CLOCK = f"{localtime(AT):%H:%M:%S}"
TAX = Step(anchor="taxes", title="Tax", text="Not mapped yet: Zero rated.", state="next")
IN_TROUBLE = {"waiting": 3, "attention": 1, "pause": AT, "trouble": AT, "days_left": 2, "undone": TAX}

WORDS: list[tuple[dict[str, Any], str, str, str]] = [
    # the rows: the word, its tone, a part of what it says
    ({}, "Healthy", "good", "Nothing waits"),
    ({"days_left": 30}, "Healthy", "good", "Nothing waits"),
    ({"days_left": 8}, "Healthy", "good", "Nothing waits"),
    ({"waiting": 1}, "Busy", "busy", "1 invoice is on its way."),
    ({"sending": 2, "checking": 1}, "Busy", "busy", "3 invoices are on their way."),
    ({"is_syncing": True}, "Busy", "busy", "The books are being read."),
    ({"waiting": 4, "pause": AT}, "Busy", "warn", f"Reflow tries again at {CLOCK}"),
    ({"trouble": AT}, "Busy", "warn", f"The next try is at {CLOCK}"),
    ({"days_left": 7}, "Needs you", "warn", "The authorisation ends in 7 days"),
    ({"days_left": 1, "waiting": 1}, "Needs you", "warn", "ends in 1 day and could not"),
    ({"days_left": 0}, "Needs you", "warn", "ends in less than a day"),
    ({"attention": 1, "waiting": 5}, "Needs you", "bad", "1 invoice needs somebody to look at it."),
    ({"attention": 2}, "Needs you", "bad", "2 invoices need somebody to look at them."),
    ({"waiting": 1, "stuck_for": timedelta(minutes=12, seconds=40)}, "Needs you", "bad", "due for 12 minutes"),
    ({"undone": TAX, "attention": 1}, "Needs you", "warn", "Not set up yet: Tax."),
    ({"state": "DISCONNECTING", "sending": 1}, "Busy", "busy", "being disconnected"),
    (
        {"state": "RECONNECT", "is_held": True, **IN_TROUBLE},
        "Needs you",
        "warn",
        "Restored from a backup: nothing is sent",
    ),
    ({"state": "RECONNECT", **IN_TROUBLE}, "Disconnected", "bad", "no longer accepts our authorisation"),
    ({"state": "DISCONNECTED"}, "Disconnected", "neutral", "No books are connected."),
]


@pytest.mark.parametrize(("rows", "word", "tone", "words"), WORDS, ids=[f"{row[1]}: {row[3]}" for row in WORDS])
def test_one_word_says_how_the_whole_is(rows: dict[str, Any], word: str, tone: str, words: str) -> None:
    said = verdict(Facts(**{"state": "ACTIVE", **rows}))
    assert (said.word, said.tone) == (word, tone)
    assert words in said.text


ACTIONS: list[tuple[dict[str, Any], str]] = [
    ({"attention": 1}, "?sage=ATTENTION"),
    ({"days_left": 3}, "#authorise"),
    ({"state": "RECONNECT"}, "#authorise"),
    ({"undone": TAX}, "#taxes"),
]


@pytest.mark.parametrize(("rows", "address"), ACTIONS)
def test_what_somebody_can_do_about_it_is_a_link(rows: dict[str, Any], address: str) -> None:
    said = verdict(Facts(**{"state": "ACTIVE", **rows}))
    assert said.action
    assert said.address.endswith(address)


# From the rows
NewPush = Callable[..., Push]


@pytest.fixture
def desk(client: Browser, admin: User) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture
def wired(admin: User, now: datetime) -> Connection:
    """Connected, set up and authorised for 31 days, in the database only; its first sync is done."""
    connection = Connection.objects.create(
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour",
        sales_account_id="acc-4000",
        sales_account_name="4000 Sales",
        purchase_account_id="acc-5000",
        purchase_account_name="5000 Purchases",
        authorised_at=now,
        authorised_by=admin,
        contact_at=now,
    )
    for rate in TaxRate.objects.all():
        RemoteLink.objects.create(
            connection=connection,
            kind=RemoteLink.Kind.TAX_RATE,
            local_key=rate.pk,
            remote_id=f"GB_{rate.pk}",
            remote_name=rate.name,
            percentage=rate.percentage,
            linked_at=now,
        )
    Credential.objects.create(
        connection=connection,
        access="",
        refresh="",
        access_expires_at=now,
        refresh_expires_at=now + timedelta(days=31, hours=1),
    )
    Pull.objects.create(connection=connection, began_at=now, ended_at=now, due_at=now + timedelta(minutes=15))
    return connection


@pytest.fixture
def new_push(wired: Connection, client_of_ours: Client, staff: User, now: datetime) -> NewPush:
    def made(state: str, **changes: Any) -> Push:
        invoice = services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)
        push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
        if state in ("SENDING", "UNKNOWN"):
            PushAttempt.objects.create(push=push, n=1, generation=1, key="k" * 32, started_at=now)
        values: dict[str, Any] = {"state": state, **changes}
        if state == "SENDING":
            values["lease_until"] = now + timedelta(seconds=40)
        if state == "ATTENTION":
            values["cause"] = "REJECTED"
        Push.objects.filter(pk=push.pk).update(**values)
        push.refresh_from_db()
        return push

    return made


def card(desk: Browser) -> str:
    answer = desk.get(CARD)
    assert answer.status_code == 200
    return re.sub(r"<svg.*?</svg>", "", unescape(answer.text), flags=re.DOTALL)


def in_words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def is_asking_again(html: str) -> bool:
    return "every " in html


@pytest.mark.django_db
def test_with_nothing_on_its_way_it_is_healthy_and_asks_no_more(
    desk: Browser, wired: Connection, now: datetime
) -> None:
    Credential.objects.update(refresh_expires_at=_noon(now) + timedelta(days=31))
    html = card(desk)
    assert "Health Healthy Nothing waits, and nothing needs anybody." in in_words(html)
    assert "0 Waiting 0 Sending 0 Checking 0 Need attention" in in_words(html)
    assert "31 days left; renewed by itself while Reflow runs." in in_words(html)
    assert not is_asking_again(html)
    assert "Oldest" not in html


@pytest.mark.django_db
def test_each_count_is_a_link_to_those_invoices(desk: Browser, new_push: NewPush) -> None:
    for state in ("READY", "READY", "SENDING", "UNKNOWN", "ATTENTION"):
        new_push(state)
    html = card(desk)
    found = re.findall(r'<a href="[^"]*\?sage=(\w+)"><b>(\d+)</b>', html)
    assert found == [("MOVING", "2"), ("MOVING", "1"), ("MOVING", "1"), ("ATTENTION", "1")]
    assert is_asking_again(html)


@pytest.mark.django_db
def test_the_oldest_that_waits_is_named_with_its_age_and_what_it_waits_for(
    desk: Browser, wired: Connection, new_push: NewPush, now: datetime
) -> None:
    new_push("READY", requested_at=now - timedelta(minutes=2))
    oldest = new_push("READY", requested_at=now - timedelta(minutes=7, seconds=5), due_at=now + timedelta(hours=1))
    html = in_words(card(desk))
    assert f"{oldest.invoice.number} , for 7 minutes The last try came to nothing. Next try at" in html
    Push.objects.filter(pk=oldest.pk).update(due_at=now)
    assert "It goes as soon as a worker is free." in in_words(card(desk))
    doubtful, stuck = new_push("UNKNOWN", requested_at=now - timedelta(hours=3)), new_push("ATTENTION")
    html = card(desk)
    for push, label, age in (
        (oldest, "Oldest waiting", "7 minutes"),
        (doubtful, "Oldest in doubt", "3 hours"),
        (stuck, "Oldest for a person", "less than a minute"),
    ):
        assert f"{label} {push.invoice.number} , for {age}" in in_words(html)
        assert f'href="/invoices/{push.invoice_id}/"' in html


@pytest.mark.django_db
def test_a_pause_is_shown_with_its_end(desk: Browser, wired: Connection, now: datetime) -> None:
    until = now + timedelta(minutes=3)
    Connection.objects.update(paused_until=until)
    html = in_words(card(desk))
    assert f"Paused until {localtime(until):%H:%M:%S}" in html
    assert "Health Busy Sage is busy or can't be reached." in html
    Connection.objects.update(paused_until=now - timedelta(seconds=1))
    assert "Paused" not in in_words(card(desk))


@pytest.mark.django_db
def test_a_queue_that_nobody_takes_is_said_to_whoever_runs_the_server(
    desk: Browser, wired: Connection, new_push: NewPush, now: datetime
) -> None:
    new_push("READY", due_at=now - timedelta(minutes=9))
    assert "1 invoice is on its way." in in_words(card(desk)), "Sage answered a moment ago: somebody works"
    Connection.objects.update(contact_at=now - timedelta(minutes=8))
    assert "Work has been due for 9 minutes, but nothing takes it." in in_words(card(desk))
    Connection.objects.update(paused_until=now + timedelta(minutes=1))
    assert "nothing takes it" not in in_words(card(desk)), "it may not go yet"


@pytest.mark.django_db
def test_a_sync_that_nobody_begins_is_said_too(desk: Browser, wired: Connection, now: datetime) -> None:
    Pull.objects.update(due_at=now - timedelta(minutes=6))
    assert "The books are being read." in in_words(card(desk))
    Connection.objects.update(contact_at=now - timedelta(minutes=30))
    assert "Work has been due for 6 minutes" in in_words(card(desk))


@pytest.mark.django_db
def test_while_sage_refuses_us_nothing_moves_and_nothing_is_asked_for(
    desk: Browser, wired: Connection, new_push: NewPush
) -> None:
    new_push("READY")
    Connection.objects.update(state=Connection.State.RECONNECT)
    html = card(desk)
    assert "Health Disconnected Sage no longer accepts our authorisation." in in_words(html)
    assert not is_asking_again(html)


@pytest.mark.django_db
def test_what_was_seen_already_is_not_sent_again(desk: Browser, wired: Connection, new_push: NewPush) -> None:
    push = new_push("READY")
    (seen,) = re.findall(r'hx-get="([^"]+)"', card(desk))
    assert desk.get(seen).status_code == 204
    Push.objects.filter(pk=push.pk).update(state="CANCELLED")
    assert "Healthy" in desk.get(seen).text


@pytest.mark.django_db
def test_once_disconnected_the_whole_page_is_loaded_again(desk: Browser) -> None:
    answer = desk.get(CARD)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")


def _noon(now: datetime) -> datetime:
    """Of the same day: the days left are counted from midnight to midnight."""
    return localtime(now).replace(hour=12, minute=0)


LASTS: list[tuple[dict[str, Any], timedelta | None, str]] = [
    ({}, timedelta(days=12, hours=3), "12 days left; renewed by itself while Reflow runs."),
    ({}, None, "Sage names no end; it is renewed as it is used."),
    ({"username": "reflow@HARBOUR"}, None, "As reflow@HARBOUR: it does not end by itself."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("connection", "left", "words"), LASTS)
def test_it_counts_down_what_the_authorisation_lasts(
    desk: Browser, wired: Connection, now: datetime, connection: dict[str, Any], left: timedelta | None, words: str
) -> None:
    Connection.objects.update(**connection)
    Credential.objects.update(refresh_expires_at=_noon(now) + left if left else None)
    assert words in in_words(card(desk))


@pytest.mark.django_db
def test_the_card_and_the_page_ask_postgres_no_more_for_a_long_queue(
    desk: Browser, wired: Connection, new_push: NewPush, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        new_push("READY")
    with django_assert_max_num_queries(24):
        desk.get(CARD)
    assert Invoice.objects.count() == 12
