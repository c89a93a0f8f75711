"""The number register: each number that nobody uses with its reason, and those to come against what Sage holds."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils.timezone import localdate

from connectors.interface import RemoteInvoice as Remote
from connectors.interface import TryLater
from connectors.models import Catalogue, Connection
from connectors.services import open_connector
from incrementors.models import Group, Number
from incrementors.patterns import Pattern
from incrementors.services import change_group, skip_past
from invoices import forecast, number_register, services, tasks
from invoices.models import Client, Invoice
from invoices.number_register import Gap, page, pages
from settings_ui.health import Facts, verdict
from tests.books import Sandbox
from tests.conftest import draft_for
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
INVOICES = Group.INVOICES


def told(gaps: list[Gap]) -> list[tuple[str, str, int, str, str]]:
    return [(gap.first, gap.kind, gap.count, gap.reason, gap.who) for gap in gaps]


def given(value: int, now: datetime, **changes: Any) -> Number:
    row = {"group_id": INVOICES, "value": value, "text": f"INV-{value:05}", "prefix": "INV-", "holder": uuid4()}
    return Number.objects.create(**{**row, "given_at": now, **changes})


def set_next(value: int, admin: User, now: datetime, prefix: str = "INV-") -> None:
    pattern = Pattern(prefix=prefix, suffix="", digits=5)
    change_group(key=INVOICES, pattern=pattern, next_value=value, actor=admin, now=now)


# Why a number is missing -----------------------------------------------------------------------------------------
def test_each_missing_number_has_its_reason_who_and_when(
    new_invoice: Callable[..., Invoice], staff: User, admin: User, now: datetime, wired: Connection
) -> None:
    first, discarded, void = new_invoice(), new_invoice(), new_invoice()
    services.discard(invoice_id=discarded.pk, reason="Raised twice.", actor=staff, now=now)
    Invoice.objects.filter(pk=void.pk).update(status="VOID", outstanding=0)
    void.events.create(happened_at=now, actor=admin, text="Voided in Sage: Billed to the wrong client.")
    remote_of(first, wired, now, number="INV-00004")
    assert new_invoice().number == "INV-00005"
    set_next(9, admin, now)
    assert new_invoice().number == "INV-00009"
    found = page(INVOICES)
    assert found.after is None
    assert told(found.gaps) == [
        ("INV-00002", "DISCARDED", 1, "Raised twice.", "Sam"),
        ("INV-00003", "VOID", 1, "Voided in Sage: Billed to the wrong client.", "Ada"),
        ("INV-00004", "SKIPPED", 1, "Taken in Sage by an invoice for Bramley Stores Ltd.", "Reflow"),
        ("INV-00006", "PASSED", 3, "The next number was set from INV-00006 to INV-00009.", "Ada"),
    ]
    assert found.gaps[-1].last == "INV-00008"
    assert all(gap.at for gap in found.gaps)
    assert number_register.tally(INVOICES) == (6, 4, 3)


def test_a_conflict_leaves_its_number_with_who_settled_it(new_push: NewPush, staff: User, now: datetime) -> None:
    push = new_push("ATTENTION", cause="NUMBER_TAKEN")
    services.take_next_number(invoice_id=push.invoice_id, actor=staff, now=now)
    (gap,) = page(INVOICES).gaps
    assert told([gap]) == [("INV-00001", "TAKEN", 1, "Sage has this number for another invoice.", "Sam")]
    assert gap.invoice_id == push.invoice_id


def test_what_has_no_reason_is_shown_loudly(now: datetime, desk: Browser, invoice: Invoice) -> None:
    given(2, now)
    given(7, now, outcome="DISCARDED", reason="Raised twice.")
    gaps = page(INVOICES).gaps
    assert [(gap.first, gap.last, gap.kind) for gap in gaps] == [
        ("INV-00002", "INV-00002", "UNKNOWN"),
        ("INV-00003", "INV-00006", "UNKNOWN"),
        ("INV-00007", "INV-00007", "DISCARDED"),
    ]
    text = desk.get("/numbers/").text
    assert "2 entries here have no known reason" in text and text.count('class="loud"') == 2


def test_each_series_is_looked_at_by_itself(now: datetime, admin: User, new_invoice: Callable[..., Invoice]) -> None:
    for _ in range(2):
        new_invoice()
    set_next(1, admin, now, prefix="HV-")
    assert [new_invoice().number for _ in range(2)] == ["HV-00001", "HV-00002"]
    given(1, now, text="00001/27", prefix="", suffix="/27", outcome="DISCARDED", reason="x")
    assert [gap.first for gap in page(INVOICES).gaps] == ["00001/27"], "a change of prefix is no gap"


def test_what_was_passed_over_after_a_restore_says_so(now: datetime) -> None:
    skip_past(["INV-00002"], key=INVOICES, reason="Given before the backup was restored.", now=now)
    assert [(gap.kind, gap.reason) for gap in page(INVOICES).gaps] == [
        ("SKIPPED", "Given before the backup was restored.")
    ] * 2


def test_pages_lose_and_repeat_nothing(now: datetime, monkeypatch: pytest.MonkeyPatch, staff: User) -> None:
    client = Client.objects.create(name="A")
    for value in range(1, 60):
        if value % 7 == 0:
            continue  # no record at all
        if value % 5 == 0:
            given(value, now, outcome="SKIPPED", reason="The text was already taken.", holder=None)
        elif value % 3 == 0:
            given(value, now, outcome="DISCARDED", reason="Raised twice.")
        elif value % 2 == 0:
            given(value, now)  # nobody's
        else:
            Group.objects.filter(pk=INVOICES).update(next_value=value)
            made = services.create_invoice(draft=draft_for(client), actor=staff, now=now)
            if value % 11 == 0:
                Invoice.objects.filter(pk=made.pk).update(status="VOID", outstanding=0)
    whole = [(gap.first, gap.kind, gap.count) for gap in page(INVOICES).gaps]
    assert len(whole) > 20 and len(whole) < number_register.PAGE_SIZE
    for size, looked in ((1, 1), (2, 100), (3, 3), (10, 2), (10, 100), (50, 7)):
        monkeypatch.setattr(number_register, "PAGE_SIZE", size)
        monkeypatch.setattr(number_register, "MANY", looked)
        assert [(gap.first, gap.kind, gap.count) for gap in pages(INVOICES)] == whole


def test_only_what_was_given_between_two_days(now: datetime) -> None:
    for days, value in ((30, 1), (20, 2), (10, 3)):
        given(value, now - timedelta(days=days), outcome="DISCARDED", reason="x")
    today = localdate(now)
    since, until = today - timedelta(days=20), today - timedelta(days=20)
    assert [gap.first for gap in page(INVOICES, since=since).gaps] == ["INV-00002", "INV-00003"]
    assert [gap.first for gap in page(INVOICES, until=until).gaps] == ["INV-00001", "INV-00002"]


def test_where_few_are_missing_the_page_looks_on_by_itself(
    now: datetime, desk: Browser, monkeypatch: pytest.MonkeyPatch, new_invoice: Callable[..., Invoice], staff: User
) -> None:
    monkeypatch.setattr(number_register, "LOOKED", 2)
    made = [new_invoice() for _ in range(6)]
    services.discard(invoice_id=made[4].pk, reason="Raised twice.", actor=staff, now=now)
    texts = [desk.get("/numbers/").text]
    assert "No number is missing" not in texts[0]
    while found := re.search(r'id="looking" hx-get="([^"]*)"', texts[-1]):
        texts.append(desk.get(unescape(found[1]), headers={"HX-Request": "true", "HX-Target": "looking"}).text)
    assert ["INV-00005" in text for text in texts] == [False, True, False]
    assert "<html" not in texts[1] and "Raised twice." in texts[1] and "Next" not in texts[2]
    assert desk.get("/numbers/?whole=1").text.count("INV-00005") == 1


def test_the_page_its_file_and_what_makes_no_sense(
    now: datetime, desk: Browser, django_assert_max_num_queries: Any
) -> None:
    assert "No number has been given yet" in desk.get("/numbers/").text
    for value in range(1, 80):
        given(value, now, outcome="DISCARDED", reason="=Raised twice.")
    with django_assert_max_num_queries(24):
        text = desk.get("/numbers/").text
    assert "INV-00050" in text and "INV-00051" not in text.partition("Not in use")[2]
    (there,) = re.findall(r'rel="next" href="([^"]+)"', text)
    assert "INV-00079" in desk.get(f"/numbers/{unescape(there)}").text
    assert "All on one page" in text and "data-print" not in text
    whole = desk.get("/numbers/?whole=1").text
    assert "INV-00079" in whole and "data-print" in whole
    lines = b"".join(desk.get("/numbers/csv/")).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert len(lines) == 80 and lines[1].startswith("INV-00001,,1,Discarded,'=Raised twice.,")
    assert desk.get("/numbers/?since=x&v=y&p=%00").status_code == 200
    assert desk.get("/numbers/?group=NONE").status_code == 404
    assert desk.get("/numbers/?group=IMPORTED").status_code == 200


# The numbers to come ---------------------------------------------------------------------------------------------
@dataclass
class Sage:
    """Books that hold some numbers, and would give another next."""

    held: dict[str, str] = field(default_factory=dict)
    coming: str = ""
    trouble: bool = False
    asked: int = 0

    def find_numbers(self, numbers: list[str]) -> tuple[Remote, ...]:
        self.asked += 1
        if self.trouble:
            raise TryLater("Sage is not there.")
        given = {"reference": "", "client_id": "c", "issue_date": date(2026, 1, 1), "total": Decimal(1)}
        return tuple(
            Remote(id=f"t-{number}", number=number, client_name=self.held[number], **given)
            for number in numbers
            if number in self.held
        )

    def next_number(self) -> str:
        return self.coming


@pytest.fixture
def sage(monkeypatch: pytest.MonkeyPatch) -> Sage:
    books = Sage()
    monkeypatch.setattr(forecast, "open_connector", lambda connection: books)
    return books


def words(connection: Connection | None, key: str = INVOICES) -> list[str]:
    return [one.words for one in forecast.forecast(connection, key).collisions]


def test_what_sage_holds_is_said_before_it_is_reached(wired: Connection, sage: Sage, now: datetime) -> None:
    sage.held = {"INV-00008": "Hart & Vale", "INV-00001": "", "INV-00100": "Last", "INV-00101": "Too far"}
    assert words(wired) == []
    forecast.refresh(wired, now=now)
    stops = "Sage would refuse it: choose another start or prefix before."
    assert words(wired) == [
        f"INV-00001 is held in Sage by another invoice; with the next invoice. {stops}",
        f"INV-00008 is held in Sage by Hart & Vale; in about 7 invoices. {stops}",
        f"INV-00100 is held in Sage by Last; in about 99 invoices. {stops}",
    ]
    assert words(wired, Group.IMPORTED) == [], "those numbers are not given to Sage"


def test_what_reflow_knows_itself_it_passes_over(invoice: Invoice, wired: Connection, now: datetime) -> None:
    remote_of(invoice, wired, now, number="inv-00003")
    given(4, now, group_id=Group.IMPORTED)
    passed = "Reflow passes over it, and says so in the register."
    assert words(None) == [
        f"INV-00003 is held in Sage by Bramley Stores Ltd; in about 1 invoice. {passed}",
        f"INV-00004 is given already here; in about 2 invoices. {passed}",
    ]


@pytest.mark.parametrize(
    ("coming", "away"),
    [("INV-43", "in about 42 invoices"), ("inv-1", "with the next invoice"), ("SI-43", ""), ("INV-A", ""), ("", "")],
)
def test_a_series_that_sage_counts_too(wired: Connection, sage: Sage, now: datetime, coming: str, away: str) -> None:
    sage.coming = coming
    forecast.refresh(wired, now=now)
    assert [away in one for one in words(wired)] == ([True] if away else [])


def test_the_page_asks_sage_at_most_every_quarter_of_an_hour(
    wired: Connection, sage: Sage, desk: Browser, now: datetime
) -> None:
    sage.held = {"INV-00003": "Hart & Vale"}
    assert 'hx-get="/numbers/forecast/' in desk.get("/numbers/").text
    assert "Hart &amp; Vale" in desk.get("/numbers/forecast/").text
    assert "hx-get" not in desk.get("/numbers/").text.partition("<main")[2]
    desk.get("/numbers/forecast/")
    assert sage.asked == 1
    Catalogue.objects.update(read_at=now - timedelta(minutes=16))
    sage.trouble = True
    text = desk.get("/numbers/forecast/").text
    assert "Sage could not be asked: Sage is not there." in text and "Hart &amp; Vale" in text


def test_the_warning_is_there_before_anybody_looks(
    wired: Connection, sage: Sage, client: Browser, admin: User, now: datetime, invoice: Invoice
) -> None:
    sage.held = {"INV-00003": "Hart & Vale"}
    for _ in range(2):
        tasks.look_ahead()
    assert sage.asked == 1, "hourly at most, while nobody looks"
    client.force_login(admin)
    (said,) = words(wired)
    assert verdict(Facts(state=Connection.State.ACTIVE, collision=said)).text == said
    for path in ("/", "/settings/incrementors/INVOICES/"):
        assert "INV-00003 is held in Sage by Hart" in unescape(client.get(path).text), path
    fields = {"starting_position": "9", "prefix": "HV-", "suffix": "", "digits": "5"}
    assert client.post("/settings/incrementors/INVOICES/", fields).status_code == 302
    assert not Catalogue.objects.filter(kind=forecast.KIND).exists(), "what was read is about other numbers"


@pytest.mark.parametrize("change", [{"state": "RECONNECT"}, {"sync_settings": {"numbers": "PLATFORM"}}])
def test_sage_is_not_asked_where_our_numbers_do_not_go_there(
    wired: Connection, sage: Sage, desk: Browser, change: dict[str, Any]
) -> None:
    Connection.objects.filter(pk=wired.pk).update(**change)
    tasks.look_ahead()
    desk.get("/numbers/forecast/")
    assert sage.asked == 0


def test_a_worker_that_finds_sage_away_says_nothing(wired: Connection, sage: Sage) -> None:
    sage.trouble = True
    tasks.look_ahead()
    assert not Catalogue.objects.filter(kind=forecast.KIND).exists()


def test_both_platforms_tell_it_over_the_wire(request: pytest.FixtureRequest, sandbox: Sandbox, now: datetime) -> None:
    connector = open_connector(request.getfixturevalue("connection"))
    assert re.fullmatch(r"SI-\d+", connector.next_number())
    assert connector.find_numbers(["INV-00001"]) == ()


def test_intacct_does_not_tell_which_comes_next(intacct: Connection) -> None:
    connector = open_connector(intacct)
    assert connector.next_number() == "" and connector.find_numbers(["INV-00001", "INV-00002"]) == ()
