"""The Sync section of the connector's page: the last sync and the next, Sync now, Stop, how far it is, and trouble."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from invoices import tasks
from invoices.models import Pull

pytestmark = pytest.mark.django_db
PAGE = "/settings/connector/"
NOW, STOP, PROGRESS = f"{PAGE}sync/now/", f"{PAGE}sync/stop/", f"{PAGE}sync/progress/"
HTMX = {"HX-Request": "true"}
NewPull = Callable[..., Pull]
Hints = list[Any]


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> Hints:
    given: Hints = []
    monkeypatch.setattr(tasks, "hint_reading", given.append)
    return given


@pytest.fixture
def desk(client: Browser, admin: User, hints: Hints) -> Browser:
    client.force_login(admin)
    return client


@pytest.fixture
def wired(admin: User, now: datetime) -> Connection:
    """Both ways, in the database only."""
    return Connection.objects.create(
        platform="sage_intacct",
        state=Connection.State.ACTIVE,
        company_id="HARBOUR",
        company_name="Harbour",
        sales_account_id="4000",
        sales_account_name="4000 Sales",
        authorised_at=now,
        authorised_by=admin,
    )


@pytest.fixture
def new_pull(wired: Connection, now: datetime) -> NewPull:
    """A reading that ended; what is given makes it another."""

    def made(**changes: Any) -> Pull:
        given = {"began_at": now - timedelta(minutes=2), "ended_at": now, "due_at": now + timedelta(minutes=15)}
        counts = {"seen": 12, "imported": 3, "updated": 5}
        return Pull.objects.create(connection=wired, **{**given, **counts, **changes})

    return made


def running(now: datetime, **changes: Any) -> dict[str, Any]:
    return {"ended_at": None, "due_at": now, "lease_until": now + timedelta(minutes=2), "left": 28, **changes}


def in_words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def section(desk: Browser) -> str:
    """The Sync section as the fragment gives it; the page holds the same."""
    fragment = str(desk.get(PROGRESS).text)
    assert desk.get(PAGE).status_code == 200
    return fragment


def test_before_the_first_sync_the_page_says_that_it_begins(desk: Browser, wired: Connection) -> None:
    shown = section(desk)
    assert "Begins in a moment" in in_words(shown)
    assert 'hx-trigger="every 2s"' in shown


def test_the_last_sync_is_there_with_what_it_brought_and_when_the_next_one_is(desk: Browser, new_pull: NewPull) -> None:
    new_pull(
        ended_at=datetime.fromisoformat("2026-11-21T14:02:00+00:00"),
        due_at=datetime.fromisoformat("2099-11-21T14:17:00+00:00"),
    )
    shown = section(desk)
    assert "Last sync 21 Nov 2026, 14:02 Invoices read 12 Imported 3 Updated 5" in in_words(shown)
    assert "Next sync 21 Nov 2099, 14:17" in in_words(shown)
    assert "Sync now" in shown
    assert "hx-trigger" not in shown, "nothing moves, so nothing is asked for"


def test_where_nothing_is_imported_no_count_of_it_is_shown(desk: Browser, wired: Connection, new_pull: NewPull) -> None:
    Connection.objects.update(sync_settings={"direction": "EXPORT"})
    new_pull()
    words = in_words(section(desk))
    assert "Imported" not in words
    assert "Updated 5" in words


def test_where_nothing_is_read_one_sentence_says_so_and_leads_to_the_settings(
    desk: Browser, wired: Connection, new_pull: NewPull
) -> None:
    Connection.objects.update(sync_settings={"direction": "EXPORT", "read_back": "OFF"})
    new_pull()
    shown = section(desk)
    assert "Invoices only go to Sage: nothing is read from there." in in_words(shown)
    assert 'href="/settings/connector/sync/"' in shown
    assert "Sync now" not in shown


def test_until_the_nominal_code_is_chosen_nothing_is_read(desk: Browser, wired: Connection, hints: Hints) -> None:
    Connection.objects.update(sales_account_id="")
    assert "begins once the default nominal code is chosen" in in_words(section(desk))
    desk.post(NOW)
    assert (hints, Pull.objects.count()) == ([], 0)


def test_while_one_runs_the_page_shows_how_far_it_is_and_a_stop(
    desk: Browser, new_pull: NewPull, now: datetime
) -> None:
    new_pull(**running(now))
    shown = section(desk)
    assert "12 of 40 invoices read, 3 imported, 5 updated" in in_words(shown)
    assert re.search(r'<progress aria-labelledby="sync-state" value="12" max="40">', shown)
    assert re.search(r'id="sync-state" role="status"', shown)
    assert f'action="{STOP}"' in shown
    assert "Sync now" not in shown


def test_the_bar_counts_in_plain_figures_and_the_words_in_thousands(
    desk: Browser, new_pull: NewPull, now: datetime
) -> None:
    new_pull(**running(now, seen=1001, left=5499))
    shown = section(desk)
    assert "1,001 of 6,500 invoices read" in in_words(shown)
    assert 'value="1001" max="6500"' in shown


def test_before_the_first_page_has_come_the_bar_claims_nothing(desk: Browser, new_pull: NewPull, now: datetime) -> None:
    new_pull(**running(now, seen=0, left=0, imported=0, updated=0))
    shown = section(desk)
    assert "Asking Sage what has changed" in in_words(shown)
    assert '<progress aria-labelledby="sync-state"></progress>' in shown


def test_the_fragment_is_only_sent_when_something_has_changed(desk: Browser, new_pull: NewPull, now: datetime) -> None:
    pull = new_pull(**running(now))
    found = re.search(rf'hx-get="({PROGRESS}\?seen=[^"]+)" hx-trigger="every 2s"', section(desk))
    assert found
    assert desk.get(found[1]).status_code == 204
    Pull.objects.filter(pk=pull.pk).update(seen=20, left=20)
    answer = desk.get(found[1])
    assert "20 of 40 invoices read" in in_words(answer.text)
    assert "<html" not in answer.text


def test_sync_now_begins_at_once_and_tells_a_worker(
    desk: Browser, new_pull: NewPull, hints: Hints, wired: Connection, now: datetime
) -> None:
    pull = new_pull()
    answer = desk.post(NOW, headers=HTMX)
    pull.refresh_from_db()
    assert pull.due_at - now < timedelta(minutes=1)
    assert hints == [wired.pk]
    assert "Begins in a moment" in in_words(answer.text)


def test_sync_now_without_scripts_leads_back_to_the_page(desk: Browser, new_pull: NewPull, hints: Hints) -> None:
    new_pull()
    assert desk.post(NOW).headers["Location"] == f"{PAGE}#sync"
    assert len(hints) == 1


def test_sync_now_while_one_runs_begins_no_second_one(
    desk: Browser, new_pull: NewPull, hints: Hints, now: datetime
) -> None:
    new_pull(**running(now, is_stopping=True))
    desk.post(NOW)
    assert hints == []
    assert Pull.objects.get().is_stopping


def test_stop_ends_it_after_its_page_and_says_so_until_it_has_ended(
    desk: Browser, new_pull: NewPull, now: datetime
) -> None:
    pull = new_pull(**running(now))
    shown = desk.post(STOP, headers=HTMX).text
    pull.refresh_from_db()
    assert pull.is_stopping
    assert "Stops after this page: 12 of 40 invoices read" in in_words(shown)
    assert 'aria-disabled="true">Stopping</button>' in shown
    assert 'hx-trigger="every 2s"' in shown


def test_one_that_was_stopped_says_so_and_sync_now_goes_on_from_there(
    desk: Browser, new_pull: NewPull, hints: Hints
) -> None:
    pull = new_pull(left=28, cursor="page-3")
    words = in_words(section(desk))
    assert "Stopped 28 more invoices were still to be read." in words
    assert "the next sync goes on from there." in words
    desk.post(NOW)
    pull.refresh_from_db()
    assert pull.cursor == "page-3"
    assert len(hints) == 1


def test_a_stop_when_nothing_runs_changes_nothing(desk: Browser, new_pull: NewPull) -> None:
    new_pull()
    assert desk.post(STOP).status_code == 302
    assert not Pull.objects.get().is_stopping


def test_trouble_is_told_with_the_next_try_and_nothing_lost(desk: Browser, new_pull: NewPull, hints: Hints) -> None:
    due = datetime.fromisoformat("2099-11-21T14:02:11+00:00")
    new_pull(ended_at=None, due_at=due, trouble="Sage could not be reached.")
    shown = section(desk)
    assert "Sage could not be reached. Nothing is lost: the next try, at 14:02:11 , goes on" in in_words(shown)
    assert "Sync now" in shown, "whoever does not want to wait presses"
    desk.post(NOW)
    assert len(hints) == 1
    assert "Begins in a moment" in in_words(section(desk))


def test_words_of_sage_are_text_and_no_markup(desk: Browser, new_pull: NewPull, now: datetime) -> None:
    new_pull(ended_at=None, due_at=now + timedelta(hours=1), trouble="<b>Bad</b> & worse")
    assert "&lt;b&gt;Bad&lt;/b&gt; &amp; worse" in desk.get(PROGRESS).text


@pytest.mark.parametrize(
    ("state", "said"),
    [("RECONNECT", "Sage no longer accepts our authorisation."), ("DISCONNECTING", "Reflow is being disconnected")],
)
def test_a_connection_that_can_not_be_read_says_why_and_offers_nothing(
    desk: Browser, new_pull: NewPull, hints: Hints, state: str, said: str
) -> None:
    new_pull(trouble="The authorisation is refused.")
    Connection.objects.update(state=state)
    shown = section(desk)
    assert said in in_words(shown)
    assert "<button" not in shown
    desk.post(NOW)
    assert hints == []


def test_a_dead_workers_reading_still_shows_as_under_way(desk: Browser, new_pull: NewPull, now: datetime) -> None:
    new_pull(**running(now, lease_until=now - timedelta(minutes=1)))
    assert "12 of 40 invoices read" in in_words(section(desk))


CHOSEN = {
    **{"create_as": "CREATED", "numbers": "PLATFORM", "account_labels": "OFF", "read_back": "on"},
    **{"sync_every": "15", "sync_from": ""},
}


@pytest.mark.parametrize(
    ("before", "chosen", "again"),
    [
        ({"direction": "EXPORT"}, {"direction": "BOTH"}, True),
        ({"direction": "BOTH", "sync_from": "2026-04-01"}, {"direction": "BOTH", "sync_from": "2026-01-01"}, True),
        ({"direction": "BOTH", "sync_from": "2026-04-01"}, {"direction": "BOTH", "sync_from": ""}, True),
        ({"direction": "BOTH", "sync_from": "2026-04-01"}, {"direction": "BOTH", "sync_from": "2026-06-01"}, False),
        ({"direction": "BOTH", "sync_from": "2026-04-01"}, {"direction": "EXPORT", "sync_from": ""}, False),
        ({"direction": "BOTH"}, {"direction": "BOTH", "sync_from": "2026-04-01"}, False),
        ({"direction": "BOTH"}, {"direction": "BOTH"}, False),
        ({"direction": "BOTH"}, {"direction": "EXPORT"}, False),
    ],
)
def test_the_books_are_read_again_where_more_is_wanted_from_them(
    desk: Browser,
    wired: Connection,
    new_pull: NewPull,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, str],
    chosen: dict[str, str],
    again: bool,
) -> None:
    monkeypatch.setattr("invoices.list_fields.catalogue", lambda *_, **__: ())
    Connection.objects.update(sync_settings=before)
    pull = new_pull(cursor="page-3")
    answer = desk.post("/settings/connector/sync/", {**CHOSEN, **chosen})
    assert answer.status_code == 302, in_words(answer.text)
    pull.refresh_from_db()
    assert pull.cursor == ("" if again else "page-3")
    assert ("reads the books from their beginning" in unescape(desk.get(PAGE).text)) is again


def test_a_shorter_rhythm_holds_from_now_on_and_not_from_tomorrow(
    desk: Browser, wired: Connection, new_pull: NewPull, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr("invoices.list_fields.catalogue", lambda *_, **__: ())
    Connection.objects.update(sync_settings={"sync_every": "1440"})
    pull = new_pull(due_at=now + timedelta(days=1), cursor="page-3")
    desk.post("/settings/connector/sync/", {**CHOSEN, "direction": "BOTH", "sync_every": "5"})
    pull.refresh_from_db()
    assert (pull.due_at - now < timedelta(minutes=1), pull.cursor) == (True, "page-3")


def test_a_broker_that_is_away_does_not_keep_anybody_from_pressing(
    client: Browser, admin: User, new_pull: NewPull, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kombu.exceptions import OperationalError

    def away(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.read_changes, "delay", away)
    client.force_login(admin)
    new_pull()
    assert client.post(NOW).status_code == 302


def test_the_group_of_imported_invoices_counts_with_words_of_its_own(desk: Browser) -> None:
    assert "shown after a disconnect" in desk.get("/settings/incrementors/").text
    group = "/settings/incrementors/IMPORTED/"
    assert "The number the next imported invoice gets." in desk.get(group).text
    typed = {"starting_position": "7", "prefix": "FROM-SAGE-", "suffix": "", "digits": "4"}
    said = desk.post(group, typed, follow=True).text
    assert "The next imported invoice is FROM-SAGE-0007." in said


def test_how_long_a_prefix_sage_takes_is_no_matter_of_imported_invoices(desk: Browser, admin: User) -> None:
    Connection.objects.create(
        platform="sage_accounting",
        state="ACTIVE",
        company_id="b",
        authorised_at="2026-11-01T00:00Z",
        authorised_by=admin,
    )
    typed = {"starting_position": "1", "prefix": "IMPORTED-", "suffix": "", "digits": "4"}
    assert desk.post("/settings/incrementors/IMPORTED/", typed).status_code == 302
    assert desk.post("/settings/incrementors/INVOICES/", typed).status_code == 422
