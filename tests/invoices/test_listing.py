"""The invoice list: filters and orders in its address, pages that lose and repeat nothing, steady queries."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.http import QueryDict
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection, LiveDatabase
from incrementors.models import Group, Number
from invoices import listing
from invoices.filtering import SORTS, asked_of
from invoices.list_head import head_for
from invoices.models import Client, Invoice, InvoiceLine, Property, Push, RemoteInvoice
from invoices.services import request_push
from invoices.tiles import counted
from tests.conftest import line
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
TODAY = date(2026, 11, 22)
LIST = reverse("invoice-list")
Many = Callable[..., list[Invoice]]


def page(query: str = "", connection: Connection | None = None) -> listing.Page:
    """What an address shows."""
    values = QueryDict(query)
    keys = {side: values.get(side, "") for side in ("after", "before")}
    return listing.page(asked_of(values), connection, today=TODAY, **keys)


def follow(address: str) -> listing.Page:
    return page(address.removeprefix("?"))


@pytest.fixture
def many(client_of_ours: Client, staff: User, now: datetime) -> Many:
    """Drafts over a few days, several on each, with few different totals."""

    def made(count: int, on_each_day: int, **changes: Any) -> list[Invoice]:
        rows = [
            Invoice(
                client=client_of_ours,
                number=f"INV-{n:05}",
                issue_date=DAY + timedelta(days=n // on_each_day),
                due_date=DAY + timedelta(days=60 - n % 7),
                currency="GBP",
                net=n % 4,
                total=n % 4,
                created_at=now,
                created_by=staff,
                **changes,
            )
            for n in range(1, count + 1)
        ]
        return Invoice.objects.bulk_create(rows)

    return made


def walk(first: listing.Page, side: str, limit: int) -> list[listing.Page]:
    pages = [first]
    while (address := getattr(pages[-1], side)) and len(pages) <= limit:
        pages.append(follow(address))
    return pages


def shown(pages: list[listing.Page]) -> list[int]:
    return [invoice.pk for one in pages for invoice in one.invoices]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(("count", "on_each_day"), [(0, 1), (1, 1), (20, 1), (23, 23), (31, 4)])
def test_pages_both_ways_in_any_order_lose_and_repeat_nothing(
    many: Many, monkeypatch: pytest.MonkeyPatch, sort: str, count: int, on_each_day: int
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(count, on_each_day)
    sign, field = sort[: sort.startswith("-")], listing.FIELDS[sort.removeprefix("-")]
    in_order = list(Invoice.objects.order_by(f"{sign}{field}", f"{sign}pk").values_list("pk", flat=True))
    forwards = walk(page(f"sort={sort}"), "after", count)
    assert shown(forwards) == in_order
    assert all(len(one.invoices) == 5 for one in forwards[:-1])
    backwards = walk(forwards[-1], "before", count)
    assert shown(backwards[::-1]) == in_order


def test_the_first_page_has_nothing_before_it_and_the_last_nothing_after(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(10, 2)
    first = page()
    last = follow(first.after)
    assert (first.before, bool(first.after), bool(last.before), last.after) == ("", True, True, "")
    assert follow(last.before).before == ""


def test_an_invoice_raised_meanwhile_moves_nothing_on_the_older_pages(
    many: Many, monkeypatch: pytest.MonkeyPatch, new_invoice: Callable[..., Invoice]
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    Group.objects.update(next_value=100)
    many(10, 3)
    first = page()
    new_invoice(issue_date=date(2026, 12, 24), due_date=date(2026, 12, 24))
    second = follow(first.after)
    assert not {invoice.pk for invoice in first.invoices} & {invoice.pk for invoice in second.invoices}
    assert len(second.invoices) == 5


BAD_KEYS = [
    *("", ".", "x", "2026-11-02", "2026-11-02.", "2026-02-31.5", "2026-11-02.x", "1.2.3", "\x00", "2026-11-02.1e3"),
    *("2026-11-02." + "9" * 60, "0001-01-01.1", "9999-12-31.-" + "9" * 60, "2026-11-02.-1"),
    *("NaN.1", "1e999.1", "-Infinity.1", "9" * 70 + ".1", "INV-1.2.3", "🏠.1"),
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("sort", ["date", "-total", "number"])
def test_a_key_of_nowhere_is_no_accident(desk: Browser, invoice: Invoice, sort: str, side: str, key: str) -> None:
    assert desk.get(LIST, {side: key, "sort": sort}).status_code == 200


NONSENSE = {
    **{"status": "NOPE", "sage": "NOPE", "origin": "NOPE", "since": "2026-02-31", "until": "soon"},
    **{"currency": "pounds", "sort": "uuid", "overdue": "\x00", "nobody": "knows"},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_makes_no_sense_in_an_address_is_left_out(desk: Browser, invoice: Invoice, name: str) -> None:
    answer = desk.get(LIST, {name: NONSENSE[name]})
    assert answer.status_code == 200
    assert str(invoice) in answer.text


@pytest.fixture
def mixed(many: Many, now: datetime, wired: Connection, staff: User) -> dict[str, Invoice]:
    """One invoice of each sort, by what it is here for."""
    rows = many(12, 1)
    names = (
        *("draft", "asked", "approved", "sent", "late", "part paid", "paid", "void", "imported", "waiting"),
        *("refused", "checked"),
    )
    by_name = dict(zip(names, rows, strict=True))
    past = {"frozen": {}, "approved_at": now}
    due = {"due_date": TODAY - timedelta(days=12), "issue_date": DAY - timedelta(days=30)}
    changes: dict[str, dict[str, Any]] = {
        "asked": {"asked_at": now},
        "approved": past,
        "sent": {"status": "SENT", **past},
        "late": {"status": "SENT", **past, **due},
        "part paid": {"status": "PART_PAID", **past, "due_date": TODAY},
        "paid": {"status": "PAID", **past, **due, "outstanding": 0},
        "void": {"status": "VOID"},
        "imported": {"status": "SENT", "origin": "IMPORTED", "created_by": None, "currency": "EUR"},
        "waiting": {"status": "APPROVED", **past},
        "refused": {"status": "APPROVED", **past},
        "checked": {"status": "APPROVED", **past},
    }
    changes["approved"] = {"status": "APPROVED", **past}
    for name, change in changes.items():
        Invoice.objects.filter(pk=by_name[name].pk).update(**change)
    other = Client.objects.create(name="Castle & View", reference="CASTLE")
    Invoice.objects.filter(pk=by_name["paid"].pk).update(client=other)
    states = {"waiting": "READY", "refused": "ATTENTION", "checked": "UNKNOWN", "sent": "SENT", "approved": "CANCELLED"}
    for name, state in states.items():
        made = {"cause": "REJECTED"} if state == "ATTENTION" else {}
        if state == "SENT":
            made = {"sent_at": now, "remote": remote_of(by_name[name], wired, now)}
        times = {"due_at": now, "requested_at": now}
        Push.objects.create(invoice=by_name[name], connection=wired, state=state, requested_by=staff, **times, **made)
    return by_name


EVERYTHING = {
    *("draft", "asked", "approved", "sent", "late", "part paid", "paid", "void", "imported", "waiting"),
    *("refused", "checked"),
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", EVERYTHING),
        ("status=DRAFT", {"draft", "asked"}),
        ("status=ASKED", {"asked"}),
        ("status=APPROVED", {"approved", "waiting", "refused", "checked"}),
        ("status=AWAITING", {"sent", "late", "part paid", "imported"}),
        ("status=SENT", {"sent", "late", "imported"}),
        ("status=PART_PAID", {"part paid"}),
        ("status=PAID", {"paid"}),
        ("status=VOID", {"void"}),
        ("overdue=1", {"late"}),
        ("overdue=1&status=PAID", set()),
        ("sage=MOVING", {"waiting", "checked"}),
        ("sage=ATTENTION", {"refused"}),
        ("sage=SENT", {"sent"}),
        ("sage=SENT&origin=IMPORTED", set()),
        ("sage=NOT_SENT", {"draft", "asked", "approved", "void"}),
        ("origin=IMPORTED", {"imported"}),
        ("origin=OWN&status=SENT", {"sent", "late"}),
        ("currency=EUR", {"imported"}),
        ("client=castle", {"paid"}),
        ("client=%26+view", {"paid"}),
        ("client=nobody", set()),
        ("until=2026-10-31", {"late", "paid"}),
        ("since=2026-11-13", {"refused", "checked"}),
        ("since=2026-11-12&until=2026-11-12", {"waiting"}),
        ("q=castle&status=PAID", {"paid"}),
        ("q=castle&status=DRAFT", set()),
    ],
)
def test_each_filter_shows_its_own(
    mixed: dict[str, Invoice], wired: Connection, query: str, expected: set[str]
) -> None:
    names = {invoice.pk: name for name, invoice in mixed.items()}
    assert {names[one.pk] for one in page(query, wired).invoices} == expected


@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("client=castle", {"paid"}),
        ("client=nobody", set()),
        ("client=castle&q=castle", {"paid"}),
        ("client=castle&status=PAID&sort=total", {"paid"}),
        ("client=nobody&q=castle", set()),
        ("client=castle&q=nothing", set()),
    ],
)
def test_few_clients_of_a_name_and_many_are_shown_alike(
    mixed: dict[str, Invoice],
    wired: Connection,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    query: str,
    expected: set[str],
) -> None:
    monkeypatch.setattr("invoices.filtering.FEW_CLIENTS", few)
    names = {invoice.pk: name for name, invoice in mixed.items()}
    assert {names[one.pk] for one in page(query, wired).invoices} == expected


def test_the_state_of_a_push_is_that_of_the_live_connection_else_of_the_latest(
    mixed: dict[str, Invoice], wired: Connection, staff: User, now: datetime
) -> None:
    wired.state, wired.disconnected_at = Connection.State.DISCONNECTED, now
    wired.save()
    live = Connection.objects.create(
        platform="sage_accounting", state="ACTIVE", company_id="b-2", authorised_at=now, authorised_by=staff
    )
    later = {"due_at": now, "requested_at": now - timedelta(hours=1), "requested_by": staff}
    Push.objects.create(invoice=mixed["refused"], connection=live, state="READY", **later)
    names = {invoice.pk: name for name, invoice in mixed.items()}

    def found(query: str, connection: Connection | None) -> set[str]:
        return {names[one.pk] for one in page(query, connection).invoices}

    assert found("sage=ATTENTION", live) == set()
    assert found("sage=MOVING", live) == {"waiting", "checked", "refused"}
    assert found("sage=ATTENTION", None) == {"refused"}, "as the latest was over the former connection"


def tile(text: str, name: str) -> tuple[str, int, str]:
    """Where it leads, how many it counts, and its sums."""
    found = re.search(rf'id="tile-{name}".*?href="([^"]*)".*?<b>(\d+)</b>\s*<small>(.*?)</small>', text, re.DOTALL)
    assert found, text
    return found[1], int(found[2]), re.sub(r"<[^>]+>", "", found[3]).strip()


@pytest.mark.parametrize("name", ["draft", "asked", "approved", "awaiting", "overdue", "paid", "moving", "attention"])
def test_a_tile_counts_and_sums_what_it_leads_to(
    desk: Browser, mixed: dict[str, Invoice], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)
    address, count, sums = tile(desk.get(LIST).text, name)
    there = desk.get(address).text
    assert there.count("<tr data-row") == count > 0
    field = "outstanding" if name in ("awaiting", "overdue") else "total"
    pounds = sum(getattr(one, field) for one in page(address.partition("?")[2]).invoices if one.currency == "GBP")
    assert f"£{pounds:.2f}" in sums
    assert re.search(rf'id="tile-{name}"[^>]*aria-current="true"', there)
    assert tile(there, name)[0] == f"{LIST}?", "pressed again it shows all"


def test_a_tile_names_each_currency_by_itself(desk: Browser, mixed: dict[str, Invoice]) -> None:
    Invoice.objects.filter(pk=mixed["imported"].pk).update(outstanding=Decimal("7.50"))
    assert re.findall(r"[€£][\d.]+", tile(desk.get(LIST).text, "awaiting")[2]) == ["€7.50", "£0.00"]


@pytest.mark.parametrize("live", [True, False])
def test_the_tiles_say_the_same_whether_asked_for_with_the_head_or_by_themselves(
    mixed: dict[str, Invoice], wired: Connection, staff: User, live: bool
) -> None:
    if not live:
        Connection.objects.update(state="DISCONNECTED", disconnected_at=wired.authorised_at)
    head = head_for(staff, today=TODAY)
    assert (head.connection == wired) is live
    assert head.tallies == counted(head.connection, today=TODAY)
    assert head.tallies["OVERDUE"] and not head_for(staff).tallies["OVERDUE"]


def test_what_is_late_says_for_how_long(desk: Browser, mixed: dict[str, Invoice], monkeypatch: Any) -> None:
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)
    text = desk.get(LIST).text
    assert text.count("overdue</span>") == 1
    assert "12 days overdue" in text


def test_each_filter_can_be_taken_away_by_itself(desk: Browser, invoice: Invoice) -> None:
    text = desk.get(LIST, {"status": "SENT", "q": "zzz", "overdue": "1", "sort": "due", "since": "2026-11-01"}).text
    chips = re.findall(r'<li><a href="([^"]*)"><span class="sr">Remove filter: </span>([^<]*)<', text)
    assert [words for _, words in chips] == ["“zzz”", "Sent", "From 1 Nov 2026", "Overdue"]
    assert chips[1][0] == f"{LIST}?q=zzz&amp;since=2026-11-01&amp;overdue=1&amp;sort=due"
    assert "No invoice matches" in text
    assert f'href="{LIST}">Show all</a>' in text
    assert 'name="since" value="2026-11-01"' in text, "the filters stay as they were set"


@pytest.mark.parametrize(
    ("sort", "heading", "aria", "turned"),
    [
        ("-date", "Date", "descending", "sort=date"),
        ("date", "Date", "ascending", ""),
        ("due", "Due", "ascending", "sort=-due"),
        ("-total", "Total", "descending", "sort=total"),
        ("number", "Number", "ascending", "sort=-number"),
    ],
)
def test_the_heading_that_sorts_says_so_and_turns_round(
    desk: Browser, invoice: Invoice, sort: str, heading: str, aria: str, turned: str
) -> None:
    text = desk.get(LIST, {"sort": sort, "status": "DRAFT"}).text
    found = re.findall(r'<th scope="col"[^>]*aria-sort="(\w+)"[^>]*><a class="sort" href="([^"]*)">(\w+)', text)
    assert [(how, name) for how, _, name in found] == [(aria, heading)]
    assert found[0][1] == f"{LIST}?status=DRAFT" + (f"&amp;{turned}" if turned else "")


def test_the_pages_keep_what_was_asked_for(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 5)
    many(20, 3)
    first = page("q=bram&status=DRAFT&sort=-total&client=bramley")
    assert first.after.startswith("?q=bram&status=DRAFT&client=bramley&sort=-total&after=3.00.")
    assert len(follow(first.after).invoices) == 5


def test_a_page_beyond_the_last_knows_how_many_were_found(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    many(7, 2)
    beyond = page("q=bram&after=2001-01-01.1")
    assert (beyond.invoices, beyond.found, beyond.more) == ([], 7, False)
    monkeypatch.setattr("invoices.finding.LIMIT", 6)
    beyond = page("q=bram&after=2001-01-01.1")
    assert (beyond.invoices, beyond.found, beyond.more) == ([], 6, True)
    nothing = page("q=zeppelin")
    assert (nothing.invoices, nothing.found, nothing.more) == ([], 0, False)


@pytest.mark.parametrize("query", ["", "?status=AWAITING&sort=-due", "?q=INV-000&sage=SENT"])
def test_the_page_asks_the_database_as_often_for_fifty_as_for_one(
    desk: Browser,
    many: Many,
    wired: Connection,
    staff: User,
    now: datetime,
    django_assert_max_num_queries: Any,
    query: str,
) -> None:
    invoices = many(50, 3)
    Number.objects.bulk_create(
        Number(group_id="INVOICES", value=n, text=one.number, holder=one.uuid, given_at=now)
        for n, one in enumerate(invoices, start=1)
    )
    nothing = dict.fromkeys(("unit_price", "discount", "net", "tax", "total"), Decimal(0))
    InvoiceLine.objects.bulk_create(
        InvoiceLine(invoice=one, position=1, description="x", tax_rate_id="STANDARD", **nothing) for one in invoices
    )
    for one in invoices:
        push = request_push(invoice_id=one.pk, actor=staff, now=now)
        Push.objects.filter(pk=push.pk).update(state="SENT", sent_at=now, remote=remote_of(one, wired, now))
    Invoice.objects.update(status="SENT")
    desk.get(LIST)
    with django_assert_max_num_queries(5 if "q=" in query else 4):
        # session; person with role and permissions; what the list stands on, with its tiles; the rows. A search asks
        # where its words are
        text = desk.get(LIST + query).text
    assert text.count("<tr data-row") == 50


def test_the_list_says_when_each_was_sent_and_under_which_other_number(
    desk: Browser, invoice: Invoice, wired: Connection, staff: User
) -> None:
    moment = datetime.fromisoformat("2026-11-21T14:02:00+00:00")
    push = request_push(invoice_id=invoice.pk, actor=staff, now=moment)
    remote = remote_of(invoice, wired, moment, number="SI-1009")
    Push.objects.filter(pk=push.pk).update(state="SENT", sent_at=moment, remote=remote)
    text = desk.get(LIST).text
    assert "21 Nov 2026, 14:02" in text
    assert "SI-1009 in Sage" in text


def test_a_total_is_shown_to_the_penny_with_its_thousands(desk: Browser, new_invoice: Callable[..., Invoice]) -> None:
    new_invoice(line(unit_price=Decimal("1234.50"), quantity=Decimal(1)))
    assert "1,481.40" in desk.get(LIST).text


def test_a_row_beyond_a_thousand_is_chosen_by_its_plain_id(desk: Browser, many: Many) -> None:
    row = many(1, 1)[0]
    Invoice.objects.filter(pk=row.pk).update(id=1_234_567)
    assert 'value="1234567"' in desk.get(LIST).text


def moving(desk: Browser, *seen: str) -> Any:
    return desk.get(reverse("invoice-moving"), {"seen": seen})


def test_a_row_has_what_was_sent_and_what_the_live_books_hold_before_others(
    new_push: NewPush, wired: Connection, staff: User, now: datetime
) -> None:
    push = new_push("SENT")
    invoice = push.invoice

    def numbers(connection: Connection | None) -> tuple[str, str]:
        (row,) = page("", connection).invoices
        assert row.push and row.push.remote and row.held
        return row.push.remote.number, row.held.number

    def held(connection: Connection, number: str, **changes: Any) -> RemoteInvoice:
        return remote_of(invoice, connection, now, remote_id=number, number=number, **changes)

    assert numbers(wired) == ("INV-00001", "INV-00001")
    other = held(wired, "SI-2")
    assert numbers(wired) == ("INV-00001", "SI-2")
    Push.objects.filter(pk=push.pk).update(remote=other)
    assert numbers(wired) == numbers(None) == ("SI-2", "SI-2")
    Connection.objects.filter(pk=wired.pk).update(state="DISCONNECTED", disconnected_at=now)
    live = Connection.objects.create(
        platform="sage_accounting", state="ACTIVE", company_id="b-2", authorised_at=now, authorised_by=staff
    )
    assert numbers(live) == ("SI-2", "SI-2")
    held(live, "SI-3", gone_at=now)
    held(wired, "SI-4")
    assert numbers(live) == ("SI-2", "SI-3"), "gone, and yet of the live books"
    held(live, "SI-5")
    held(live, "SI-6", gone_at=now)
    assert numbers(live) == ("SI-2", "SI-5"), "where it stands"
    assert numbers(None) == ("SI-2", "SI-6")


def test_the_list_says_what_every_page_says_without_asking_for_it_again(
    desk: Browser, new_push: NewPush, wired: Connection
) -> None:
    said = ("Restored from a backup.", "Sage no longer accepts our authorisation.", "Needs attention: </span>1<")
    assert not any(text in desk.get(LIST).text for text in said)
    new_push("ATTENTION")
    Connection.objects.filter(pk=wired.pk).update(state="RECONNECT")
    LiveDatabase.objects.update(identity="another cluster")
    page, other = desk.get(LIST).text, desk.get(reverse("client-list")).text
    assert all(text in page and text in other for text in said)
    assert "restored copy" in page, "in the row, too"


def test_what_a_page_keeps_for_later_is_asked_anew_when_it_hangs_on_something_else(
    desk: Browser, invoice: Invoice, staff: User
) -> None:
    """Menu, panels and headings are kept by what they show: address, columns, permissions, how many are held."""
    before = desk.get(LIST).text
    assert desk.get(LIST).text.count('aria-sort="descending"') == before.count('aria-sort="descending"') == 1
    assert reverse("company") not in before
    staff.user_permissions.add(Permission.objects.get(codename="change_company"))
    assert reverse("company") in desk.get(LIST).text
    staff.user_permissions.clear()
    assert reverse("company") not in desk.get(LIST).text
    panel = desk.get(LIST, {"status": "DRAFT", "client": '"><b>x'}).text
    assert '<option value="DRAFT" selected>' in panel and 'value="&quot;&gt;&lt;b&gt;x"' in panel
    assert '<option value="DRAFT" selected>' not in desk.get(LIST).text
    assert len(set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', before + panel))) == 2, "one for each page"


def test_the_rows_that_move_are_asked_for_at_once_and_only_what_changed_comes(
    desk: Browser, new_push: NewPush, invoice: Invoice, wired: Connection, now: datetime
) -> None:
    push = new_push("READY")
    text = desk.get(LIST).text
    asked = re.findall(r'id="moving" hx-get="([^"]*)"', text)
    assert asked == [f"{reverse('invoice-moving')}?&amp;seen={invoice.pk}.WAITING.1"]
    assert moving(desk, f"{invoice.pk}.WAITING.1").status_code == 204
    Push.objects.filter(pk=push.pk).update(state="SENT", remote=remote_of(invoice, wired, now), sent_at=now)
    Invoice.objects.update(status="SENT")
    changed = moving(desk, f"{invoice.pk}.WAITING.1").text
    assert f'id="row-{invoice.pk}" hx-swap-oob="true"' in changed
    assert "hx-get" not in changed, "nothing of the page moves any more"
    assert tile(changed, "awaiting")[1:] == (1, "£204.00")


@pytest.mark.parametrize("seen", ["", "x", "1", "999999.WAITING.1", "9" * 40 + ".WAITING.1", "-1.WAITING.1"])
def test_rows_that_are_not_there_have_not_changed(desk: Browser, seen: str) -> None:
    assert moving(desk, seen).status_code == 204


def test_markup_in_any_text_of_a_row_is_shown_as_text(desk: Browser, new_push: NewPush, now: datetime) -> None:
    push, markup = new_push("PARKED", parked_because="<b>reason & \"'", held_at=now), '<b id="x">&'
    invoice = push.invoice
    site = Property.objects.create(client=invoice.client, name=f"{markup}site")
    Client.objects.filter(pk=invoice.client_id).update(name=f"{markup}client")
    Invoice.objects.filter(pk=invoice.pk).update(
        number=f"{markup}number", reference=f"{markup}ref", currency="<b>", site=site
    )
    remote_of(invoice, push.connection, now, number=f"{markup}theirs")
    body = desk.get(LIST).content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    assert "<b" not in body and "&<" not in body
    for text in ("number", "client", "site", "ref", "theirs"):
        assert f"&lt;b id=&quot;x&quot;&gt;&amp;{text}" in body
    assert "&lt;b&gt;reason &amp; &quot;&#x27;" in body
