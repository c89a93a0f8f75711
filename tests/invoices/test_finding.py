"""The search: by every number an invoice ever had, client, reference and line; the newest thousand, and never more."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from incrementors.models import Number
from incrementors.services import discard_number, give_up_number
from invoices import finding, places, services
from invoices.models import Client, Import, ImportedRow, Invoice, RemoteInvoice
from invoices.models.invoice import STRETCH
from tests.conftest import line
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
LIST = reverse("invoice-list")


def find(q: str) -> list[int]:
    return finding.find(Invoice.objects.all(), q)


@pytest.fixture(autouse=True, params=[(-1, 0), (-1, 50), (300, 50)], ids=["many", "of few clients", "few"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Whether many invoices have the first word, or few, or many of few clients: they are found alike."""
    few, handful = request.param
    monkeypatch.setattr(finding, "FEW", few)
    monkeypatch.setattr(finding, "HANDFUL", handful)
    return int(few)


@pytest.fixture
def known(new_invoice: Callable[..., Invoice], wired: Connection, now: datetime) -> Invoice:
    """One to be found by everything it has, among others that have none of it."""
    for n in range(3):
        other = Client.objects.create(name=f"Somebody {n}", reference=f"S{n}")
        new_invoice(line("Nothing special"), client=other, reference="none")
    found = new_invoice(line("Smoke alarm, mains"), line("Labour & travel"), reference="PO-7788")
    remote_of(found, wired, now, number="SI-1009", remote_id="0c9d41f2")
    return found


@pytest.mark.parametrize(
    "q",
    [
        *("INV-00004", "inv-00004", "00004", "SI-1009", "si-1009", "0c9d41f2", "0C9D41F2"),
        *("bramley", "BRAM1", "PO-7788", "po-77", "smoke", "ALARM", "travel", "4", "04"),
        *("bramley smoke", "smoke bramley 00004", "  smoke   mains  ", "labour & travel", "travel 88", "smoke 09"),
    ],
)
def test_a_search_finds_by_every_number_client_reference_and_line(known: Invoice, q: str) -> None:
    assert find(q) == [known.pk]


@pytest.mark.parametrize(
    "q",
    [
        *("SI-2000", "0c9d", "bramley nothing", "%%%", "___", "%", "_", "\\", "'", "smoke SI-2000", "<b>", "🏠🏠🏠"),
        *("labour zz", "bramley _", "²", "999"),
    ],
)
def test_a_search_for_what_is_not_there_finds_nothing(known: Invoice, desk: Browser, q: str) -> None:
    assert find(q) == []
    answer = desk.get(LIST, {"q": q})
    assert answer.status_code == 200
    assert "No invoice matches" in answer.text


@pytest.mark.parametrize("q", ["\x00", "smoke\x00", "a " * 5000, "q" * 100_000, " ", "\u2003"])
def test_an_absurd_search_is_no_accident(known: Invoice, desk: Browser, q: str) -> None:
    assert desk.get(LIST, {"q": q}).status_code == 200


@pytest.mark.parametrize(
    ("q", "is_found"),
    [
        *(("INV-00004", True), ("nv-00004", True), ("-00004", True), ("0004", True), ("XNV-00004", False)),
        *(("INV_00004", False), ("INV-000040", False), ("INV-00004x", False), ("00004-INV", False)),
        *(("ord/2026/77881-b", True), ("RD/2026/77881-", True), ("77881-c", False), ("2026/77882", False)),
        *(("SI-123456/77", True), ("i-123456/7", True), ("SO-123456/77", False), ("SI-123456%77", False)),
    ],
)
def test_a_word_with_figures_is_found_by_all_of_it(
    known: Invoice, wired: Connection, now: datetime, q: str, is_found: bool
) -> None:
    Invoice.objects.filter(pk=known.pk).update(reference="Ord/2026/77881-B")
    remote_of(known, wired, now, number="SI-123456/77", remote_id="other")
    assert find(q) == ([known.pk] if is_found else [])
    assert find(f"{q} bramley") == find(f"bramley {q}") == ([known.pk] if is_found else [])


@pytest.mark.parametrize("q", ["bramley brook", "bramley smoke", "bramley zeppelin"])
def test_of_several_words_each_is_only_looked_for_where_it_is(known: Invoice, few: int, q: str) -> None:
    """But where few invoices have the first, and each of these is asked for the others."""
    Client.objects.filter(pk=known.client_id).update(name="Bramley Brook")
    sql, _ = finding.matches(Invoice.objects.all(), q)
    asked = {place.table for place in places.PLACES if re.search(rf"\b{place.table}\b", sql)}
    if "zeppelin" in q:
        assert (asked, find(q)) == (set(), [])
    else:
        assert asked == ({"invoices_invoice"} if few < 0 else {place.table for place in places.PLACES})
        assert find(q) == [known.pk]


@pytest.mark.parametrize("many", [0, 1, 9])
def test_few_clients_of_a_name_and_many_are_found_alike(
    known: Invoice, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(places, "MANY", many)
    assert find("bramley") == [known.pk]
    assert len(find("somebody")) == 3
    assert find("somebody none") == find("somebody")
    assert find("bramley none") == []


@pytest.mark.parametrize("many", [0, 1, 2000])
def test_a_word_of_few_rows_and_one_of_many_are_found_alike(
    known: Invoice, new_invoice: Callable[..., Invoice], monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Few are handed over by their ids, many are looked up where they are; what new lines have often is many."""
    monkeypatch.setattr(places, "MANY", many)
    often = [new_invoice(line(f"Boiler {n}"), reference=f"PO-{n}").pk for n in range(12)][::-1]
    assert find("boiler") == find("boiler bramley") == find("bramley boiler") == often
    assert find("smoke boiler") == []
    assert find("smoke alarm") == find("smoke 7788") == find("00004 smoke") == find("SI-1009 smoke") == [known.pk]


@pytest.mark.parametrize("stretch", [1, 2, 5, 100_000])
@pytest.mark.parametrize("q", ["valve", "7700", "INV-0000", "AR-2026", "old"])
def test_whatever_the_stretches_the_newest_are_found(
    new_invoice: Callable[..., Invoice],
    wired: Connection,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    q: str,
    stretch: int,
) -> None:
    """In lines, references, numbers, numbers in books and keys of an import alike, all of them and some of them."""
    monkeypatch.setattr(places, "MANY", 0)
    monkeypatch.setattr(places, "STRETCH", stretch)
    job = Import.objects.create(kind="INVOICES", file_name="old.csv", size=1, uploaded_at=now, uploaded_by=staff)
    for n in range(8):
        one = new_invoice(line(f"Valve {n}"), line("A new valve"), reference=f"77001/{n}")
        remote_of(one, wired, now, number=f"AR-20267{n}", remote_id=f"r{n}")
        ImportedRow.objects.create(brought_by=job, kind="INVOICES", key=f"OLD-{n}", digest="-", invoice=one)
    ids = list(Invoice.objects.order_by("-pk").values_list("pk", flat=True))
    some = Invoice.objects.filter(pk__in=ids[::2])
    assert (find(q), finding.find(some, q)) == (ids, ids[::2])
    monkeypatch.setattr(finding, "LIMIT", 3)
    assert (find(q), finding.find(some, q)) == (ids[:3], ids[::2][:3])
    assert find(f"{q} nothing") == []


@pytest.mark.parametrize(("q", "turned"), [("1 4", "4 1"), ("none some", "some none"), ("smoke mains", "mains smoke")])
def test_words_find_the_same_in_any_order(known: Invoice, q: str, turned: str) -> None:
    Invoice.objects.exclude(pk=known.pk).update(reference="41")
    assert find(q) == find(turned)


def test_an_invoice_with_several_lines_that_match_is_found_once(new_invoice: Callable[..., Invoice]) -> None:
    new_invoice(line("Alarm one"), line("Alarm two"), line("Alarm three"))
    assert len(find("alarm")) == 1


def test_a_number_that_was_given_up_still_finds_its_invoice(
    new_push: NewPush, invoice: Invoice, staff: User, now: datetime
) -> None:
    new_push("ATTENTION", cause="NUMBER_TAKEN")
    services.take_next_number(invoice_id=invoice.pk, actor=staff, now=now)
    invoice.refresh_from_db()
    assert invoice.number == "INV-00002"
    assert find("INV-00001") == find("INV-00002") == [invoice.pk]


def test_a_discarded_draft_is_found_by_its_number(invoice: Invoice, staff: User, now: datetime) -> None:
    services.discard(invoice_id=invoice.pk, reason="Raised twice.", actor=staff, now=now)
    assert find("INV-00001") == [invoice.pk]


def test_a_number_that_was_skipped_finds_nothing(invoice: Invoice, now: datetime) -> None:
    Number.objects.create(
        group_id="INVOICES", value=77, text="INV-00077", outcome="SKIPPED", reason="The text was taken.", given_at=now
    )
    assert find("INV-00077") == []


def test_each_number_that_books_ever_gave_it_finds_it(known: Invoice, now: datetime, admin: User) -> None:
    former = Connection.objects.create(
        platform="sage_intacct",
        state="DISCONNECTED",
        company_id="HARBOUR",
        authorised_at=now,
        authorised_by=admin,
        disconnected_at=now,
    )
    remote_of(known, former, now, number="AR-0042", remote_id="5120", gone_at=now)
    assert find("AR-0042") == find("5120") == find("SI-1009") == [known.pk]


def test_a_number_of_no_invoice_any_more_is_never_found(known: Invoice) -> None:
    RemoteInvoice.objects.all().delete()
    assert find("SI-1009") == []


@pytest.mark.parametrize(("limit", "more"), [(3, True), (4, False), (5, False)])
def test_the_newest_are_shown_and_it_says_when_there_are_more(
    known: Invoice, desk: Browser, monkeypatch: pytest.MonkeyPatch, limit: int, more: bool
) -> None:
    monkeypatch.setattr(finding, "LIMIT", limit)
    newest = list(Invoice.objects.order_by("-pk").values_list("pk", flat=True)[:limit])
    assert find("INV-0000") == newest
    text = desk.get(LIST, {"q": "INV-0000"}).text
    assert ("Narrow it with another word or a filter." in text) is more
    assert text.count("<tr data-row") == min(limit, 4)


def test_the_filters_count_before_the_limit(known: Invoice, desk: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LIMIT", 1)
    oldest = Invoice.objects.earliest("pk")
    Invoice.objects.filter(pk=oldest.pk).update(asked_at=oldest.created_at)
    text = desk.get(LIST, {"q": "INV-0000", "status": "ASKED"}).text
    assert f'id="row-{oldest.pk}"' in text
    assert "Narrow it" not in text


LOOKED_UP = [
    *("client_words", "line_words_by_stretch", "imported_words_by_stretch", "number_taken_words"),
    *("invoice_words", "remote_words_by_stretch", "remote_invoice_by_token"),
]


def plan_of(sql: str, given: Sequence[object] = ()) -> str:
    """As it would be, were there many rows."""
    with database.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute(f"EXPLAIN {sql}", given or None)
        return "\n".join(line for (line,) in cursor.fetchall())


TOLD = {
    "invoices_invoice": "id, number",
    "invoices_invoiceline": "invoice_id, description",
    "invoices_remoteinvoice": "invoice_id, number",
    "invoices_importedrow": "invoice_id, key",
    "incrementors_number": "value, text",
    "invoices_client": "id, name",
}


@pytest.mark.parametrize("place", places.PLACES, ids=lambda at: at.table)
def test_each_place_is_looked_up_in_an_index_of_its_own_by_stretches_if_it_has_them(place: places.Place) -> None:
    """In a copy with many rows, which has the search's own indexes alone."""
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE copied ON COMMIT DROP AS TABLE {place.table} WITH NO DATA")
        rows = "SELECT n * 50, 'INV-' || n FROM generate_series(1, 10000) AS n"
        cursor.execute(f"INSERT INTO copied ({TOLD[place.table]}) {rows}")
        if place.table == "invoices_importedrow":
            cursor.execute("UPDATE copied SET kind = 'INVOICES'")
        if place.table == "incrementors_number":
            cursor.execute("UPDATE copied SET outcome = 'TAKEN'")
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexname = ANY(%s)", [place.table, LOOKED_UP]
        )
        for (definition,) in cursor.fetchall():
            cursor.execute(definition.replace(f" ON public.{place.table} ", " ON copied "))
        cursor.execute("ANALYZE copied")
    copied = replace(place.for_word(0), table="copied")
    if place.is_by_stretch:
        copied = copied.of_stretch
    newest = copied.gathered("SELECT id FROM gathered").replace("stretch.n", "3::bigint")
    plan = plan_of(*finding._question(newest, places.given(["INV-4711"])))
    looked_up = [line for line in plan.splitlines() if "Index Cond" in line and "~~ '%" in line]
    assert looked_up, plan
    assert all(f"/ {STRETCH}) = '3'::bigint" in line for line in looked_up) is place.is_by_stretch, plan


@pytest.mark.parametrize("outcome", ["discarded", "taken"])
def test_who_once_held_a_number_is_known_to_the_register(invoice: Invoice, outcome: str) -> None:
    let_go = discard_number if outcome == "discarded" else give_up_number
    let_go(holder=invoice.uuid, reason="It was not to be.")
    assert find("INV-00001") == [invoice.pk]


def test_a_day_is_no_reason_to_miss_one(new_invoice: Callable[..., Invoice]) -> None:
    """The newest are those added last, whatever their date says."""
    old = new_invoice(issue_date=date(2001, 1, 1), due_date=date(2001, 1, 1))
    assert find("gutter") == [old.pk]
