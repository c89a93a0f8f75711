"""The digest: to admins who want it, at their hour, once a day, only with something to say; never a flood."""

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from connectors.models import Connection
from invoices import digest
from invoices.models import DigestMail, DigestWish, Push, PushAttempt
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
Said = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def mail_is_set_up(settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    settings.TIME_ZONE = "UTC"


@pytest.fixture
def wish(admin: User) -> DigestWish:
    User.objects.filter(pk=admin.pk).update(email="ada@example.com")
    return DigestWish.objects.create(person=User.objects.get(pk=admin.pk), hour=8)


@pytest.fixture
def trouble(new_push: NewPush, now: datetime) -> Push:
    problem = {"message": "closed", "meaning": "Sage's books are closed for this date.", "fix": "DATE"}
    return new_push("ATTENTION", cause_key="DATE|||closed", held_at=now, problems=[problem])


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


def test_it_says_what_is_held_and_why_with_money_and_a_link(wish: DigestWish, trouble: Push) -> None:
    digest.send_due(now=EIGHT)
    (message,) = mail.outbox
    assert (message.subject, message.to) == ("Sage: 1 invoice needs attention", ["ada@example.com"])
    for words in ("1 \u00d7 Sage's books are closed for this date", "GBP 204.00", "/sync/", "Hello Ada"):
        assert words in message.body
    assert "\n\n\n" not in message.body


def test_it_goes_once_a_day_however_often_is_looked(wish: DigestWish, trouble: Push) -> None:
    for minutes in (-1, 0, 0, 1, 500):
        digest.send_due(now=EIGHT + timedelta(minutes=minutes))
    assert len(mail.outbox) == 1
    digest.send_due(now=EIGHT + timedelta(days=1))
    assert len(mail.outbox) == 2


def test_of_two_that_send_at_once_one_does(wish: DigestWish, trouble: Push) -> None:
    """The other had seen that it was due, but its row was second."""
    DigestMail.objects.create(person=wish.person, about="2026-11-23", sent_at=EIGHT)
    digest._send(wish, "2026-11-23", "x", "digest", {"digest": digest.digest_of(None)}, EIGHT)
    assert mail.outbox == []


def test_nothing_to_say_is_no_mail_and_not_one_later_that_day(wish: DigestWish, new_push: NewPush) -> None:
    push = new_push("READY")
    digest.send_due(now=EIGHT)
    Push.objects.filter(pk=push.pk).update(state="ATTENTION", cause="REJECTED")
    digest.send_due(now=EIGHT + timedelta(hours=3))
    assert mail.outbox == []


def test_it_is_off_for_whoever_has_not_asked_or_may_not_any_more(admin: User, trouble: Push, staff: User) -> None:
    digest.send_due(now=EIGHT)
    User.objects.update(email="somebody@example.com")
    wish = DigestWish.objects.create(person=staff, hour=8)
    digest.send_due(now=EIGHT)
    wish.delete()
    DigestWish.objects.create(person=admin, hour=8)
    User.objects.update(is_active=False)
    digest.send_due(now=EIGHT)
    assert mail.outbox == []


def test_what_is_parked_is_not_forgotten(wish: DigestWish, new_push: NewPush, now: datetime) -> None:
    new_push("PARKED", parked_because="x", held_at=now)
    digest.send_due(now=EIGHT)
    assert subjects() == ["Sage: 1 parked"]
    assert "1 invoice is parked, the oldest since" in mail.outbox[0].body


def test_a_lost_authorisation_is_told_at_once_and_again_only_after_it_has_healed(
    wish: DigestWish, wired: Connection, trouble: Push
) -> None:
    night = EIGHT - timedelta(hours=5)
    Connection.objects.update(state="RECONNECT")
    for minutes in range(5):
        digest.send_due(now=night + timedelta(minutes=minutes))
    assert subjects() == ["Sage no longer accepts our authorisation: no invoice goes"]
    Connection.objects.update(state="ACTIVE", contact_at=night + timedelta(minutes=6))
    digest.send_due(now=night + timedelta(minutes=7))
    Connection.objects.update(state="RECONNECT")
    digest.send_due(now=night + timedelta(minutes=8))
    assert len(mail.outbox) == 2


def test_a_platform_that_is_away_for_an_hour_is_told_once(
    wish: DigestWish, wired: Connection, new_push: NewPush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "LONG", timedelta(hours=1))
    night = EIGHT - timedelta(hours=5)
    push = new_push("READY", requested_at=night)
    PushAttempt.objects.create(
        push=push, n=1, generation=1, key="k", started_at=night, outcome="NOT_SENT", resolved_at=night
    )
    Connection.objects.update(contact_at=night)
    for minutes in (59, 61, 62, 200):
        digest.send_due(now=night + timedelta(minutes=minutes))
    assert subjects() == ["Sage has not answered for an hour: no invoice goes"]
    assert "1 invoice waits" in mail.outbox[0].body
    Connection.objects.update(contact_at=night + timedelta(minutes=201))
    digest.send_due(now=night + timedelta(minutes=202))
    assert not DigestMail.objects.filter(about="AWAY").exists()


def test_a_mail_server_that_is_away_is_tried_again(
    wish: DigestWish, trouble: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "open", away)
    digest.send_due(now=EIGHT)
    monkeypatch.undo()
    digest.send_due(now=EIGHT + timedelta(minutes=1))
    assert len(mail.outbox) == 1


def test_one_that_broke_off_while_it_took_the_mail_is_not_asked_again(
    wish: DigestWish, trouble: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(EmailBackend, "send_messages", broken)
    digest.send_due(now=EIGHT)
    monkeypatch.undo()
    digest.send_due(now=EIGHT + timedelta(minutes=1))
    assert mail.outbox == []
