"""What comes again unchanged is left at once, and no change is taken for none."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.interface import BookedInvoice, BookedLine, RemoteInvoice, RemoteStatus
from connectors.models import Connection
from invoices import intake
from invoices.models import Event, Invoice, InvoiceLine
from invoices.models import RemoteInvoice as Row
from invoices.strangers import write_lines
from invoices.unchanged import what_differs
from tests.invoices.test_pull import booked
from tests.invoices.test_strangers import AWKWARD, line, set_to_import

pytestmark = pytest.mark.django_db
TWO = (line(unit_price=Decimal("10.00"), net=Decimal("99.50")), line(description="Another", net=Decimal("0.5")))


@pytest.fixture
def here(wired: Connection, now: datetime) -> Connection:
    """One is imported, with two lines."""
    wired = set_to_import(wired)
    intake.take(wired, [booked(1, lines=TWO)], now=now)
    return wired


def all_told() -> list[object]:
    """All that a page can change of it, without when somebody looked."""
    mirrored = Invoice.objects.values_list("status", "outstanding", *intake.MIRRORED)
    held = Row.objects.values_list("invoice", *[name for name in intake.ROW_FIELDS if name != "checked_at"])
    return [*mirrored, *held, *InvoiceLine.objects.order_by("position").values_list(*intake.LINE)]


def test_the_same_again_is_told_by_two_questions_and_costs_no_more(
    here: Connection, now: datetime, django_assert_num_queries: Any
) -> None:
    page = [booked(n, lines=TWO) for n in range(2, 40)]
    intake.take(here, page, now=now)
    with django_assert_num_queries(3):  # the third is for pushes that may be on their way
        assert intake.take(here, page, now=now + timedelta(days=1)).updated == 0
    assert set(Row.objects.values_list("checked_at", flat=True)) == {now}


def test_a_page_with_nothing_on_it_has_nothing_new(here: Connection) -> None:
    assert what_differs(here, [], "INVOICE") == ([], set())


@pytest.mark.parametrize("outstanding", [Decimal("0.5"), None])
def test_a_credit_note_again_is_the_same_though_its_amounts_are_kept_below_nothing(
    wired: Connection, now: datetime, outstanding: Decimal | None
) -> None:
    page = [with_theirs(outstanding=outstanding)(booked(1, lines=TWO))]
    intake.take(set_to_import(wired), page, now=now, kind="CREDIT_NOTE")
    assert what_differs(wired, page, "CREDIT_NOTE") == ([], {"k1"})
    assert what_differs(wired, page, "INVOICE") == (page, {"k1"})


def with_line(**changes: Any) -> Callable[[BookedInvoice], BookedInvoice]:
    return lambda one: replace(one, lines=(one.lines[0], replace(one.lines[1], **changes)))


def with_theirs(**changes: Any) -> Callable[[BookedInvoice], BookedInvoice]:
    return lambda one: replace(one, invoice=replace(one.invoice, **changes))


def with_all(**changes: Any) -> Callable[[BookedInvoice], BookedInvoice]:
    return lambda one: replace(one, **changes)


CHANGES = {
    "number": with_theirs(number="SI-9"),
    "reference": with_theirs(reference="changed"),
    "issue_date": with_theirs(issue_date=date(2026, 11, 3)),
    "total": with_theirs(total=Decimal("120.01")),
    "url": with_theirs(url="https://sage.example/other"),
    "status": with_theirs(status=RemoteStatus.PAID),
    "status to a draft": with_theirs(status=RemoteStatus.DRAFT),
    "outstanding": with_theirs(outstanding=Decimal("119.99")),
    "due_date": with_all(due_date=date(2026, 12, 3)),
    "currency": with_all(currency="EUR"),
    "net": with_all(net=Decimal("100.01")),
    "tax": with_all(tax=Decimal("19.99")),
    "net and tax": with_all(net=Decimal("101.00"), tax=Decimal("19.00")),
    "description": with_line(description="another"),
    "account": with_line(account="4001"),
    "quantity": with_line(quantity=Decimal("3.01")),
    "line net": with_line(net=Decimal("0.51")),
    "line tax": with_line(tax=Decimal("19.91")),
    "discount": with_line(discount=Decimal("0.49")),
    "one line less": lambda one: replace(one, lines=one.lines[:1]),
    "one line more": lambda one: replace(one, lines=(*one.lines, line(net=Decimal("1.00")))),
    "lines swapped": lambda one: replace(one, lines=one.lines[::-1]),
    "no lines": lambda one: replace(one, lines=()),
}
NOT_KEPT = {"id", "client_id", "client_name", "is_read", "lines", "invoice", "changed_at", "document_id"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_each_change_is_seen_and_followed_and_back_again(
    here: Connection, now: datetime, change: Callable[[BookedInvoice], BookedInvoice]
) -> None:
    was, changed, before = booked(1, lines=TWO), change(booked(1, lines=TWO)), all_told()
    assert what_differs(here, [changed], "INVOICE") == ([changed], {"k1"})
    intake.take(here, [changed], now=now)
    assert all_told() != before
    assert what_differs(here, [changed], "INVOICE") == ([], {"k1"})
    intake.take(here, [was], now=now)
    assert all_told() == before


def test_whatever_the_books_can_say_of_an_invoice_is_among_these_changes() -> None:
    told = {each.name for each in (*fields(RemoteInvoice), *fields(BookedInvoice))}
    assert told - NOT_KEPT <= set(CHANGES)


GENERAL: dict[str, Callable[[], object]] = {
    "gone": lambda: Row.objects.update(gone_at=datetime.fromisoformat("2026-11-20T12:00:00+00:00")),
    "never looked at": lambda: Row.objects.update(checked_at=None),
    "void here": lambda: Invoice.objects.update(status="VOID", outstanding=0),
    "paid here": lambda: Invoice.objects.update(status="PAID", outstanding=0),
    "of another kind": lambda: Invoice.objects.update(kind="CREDIT_NOTE"),
    "a draft there": lambda: Row.objects.update(is_draft=True),
    "under another token": lambda: Row.objects.update(remote_id="other"),
}


@pytest.mark.parametrize("state", GENERAL.values(), ids=list(GENERAL))
def test_what_stands_otherwise_here_goes_the_general_way_though_the_books_say_the_same(
    here: Connection, state: Callable[[], object]
) -> None:
    state()
    same = booked(1, lines=TWO)
    assert what_differs(here, [same], "INVOICE")[0] == [same]


AMOUNTS = st.sampled_from([Decimal(text) for text in ("0", "0.00", "-0.0", "2", "2.00", "1E+2", "100.5", "-0.05")])
TEXTS = st.sampled_from(["1", "1 1", "0.00 0 0  ", "x" * 1000, *AWKWARD]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=5
)
LINES = st.lists(
    st.builds(line, description=TEXTS, account=TEXTS, quantity=AMOUNTS, discount=AMOUNTS, net=AMOUNTS, tax=AMOUNTS),
    max_size=3,
)
PLACES = ["quantity", "discount", "net", "tax"]


def with_amounts(lines: list[BookedLine], spelled: Callable[[Decimal], Decimal]) -> list[BookedLine]:
    return [replace(each, **{name: spelled(getattr(each, name)) for name in PLACES}) for each in lines]


TOLD = st.one_of(
    st.tuples(LINES, LINES),
    LINES.map(lambda lines: (lines, with_amounts(lines, Decimal.normalize))),
    LINES.map(lambda lines: (lines, with_amounts(lines, lambda amount: amount.quantize(Decimal("0.00"))))),
    LINES.map(lambda lines: (lines, with_amounts(lines, lambda amount: amount + Decimal("0.001")))),
    LINES.map(lambda lines: (lines, lines[::-1])),
    LINES.map(lambda lines: (lines, lines[1:])),
    LINES.map(lambda lines: (lines, [replace(each, description=each.description + each.account) for each in lines])),
    LINES.map(lambda lines: (lines, [replace(each, description=each.account, account="") for each in lines])),
)


def test_whatever_the_lines_they_are_the_same_where_a_plain_comparison_says_so(here: Connection, now: datetime) -> None:
    invoice = Invoice.objects.get()

    @settings(max_examples=300, deadline=None)
    @given(TOLD)
    def tell(pair: tuple[list[BookedLine], list[BookedLine]]) -> None:
        kept, told = pair
        invoice.lines.all().delete()
        write_lines([(invoice.pk, booked(1, lines=tuple(kept)))])
        plain = intake.as_kept(told) == [*invoice.lines.values_list(*intake.LINE)]
        same = booked(1, lines=tuple(told))
        assert (what_differs(here, [same], "INVOICE")[0] == []) == plain

    tell()


@pytest.mark.parametrize("amount", ["3.000", "3.0000000000000000000000000000000", "3E0"])
def test_an_amount_told_with_more_places_than_are_kept_changes_nothing(
    here: Connection, now: datetime, amount: str
) -> None:
    before = list(InvoiceLine.objects.values())
    again = with_line(quantity=Decimal(amount))(booked(1, lines=TWO))
    assert intake.take(here, [again], now=now).updated == 0
    assert list(InvoiceLine.objects.values()) == before


def test_an_amount_that_differs_by_less_than_is_kept_is_not_taken_for_the_same(here: Connection) -> None:
    close = with_line(quantity=Decimal("3.0000000000000000000000000000000000000001"))(booked(1, lines=TWO))
    assert what_differs(here, [close], "INVOICE")[0] == [close]


def test_one_of_ours_always_goes_the_general_way(here: Connection, approved: Invoice) -> None:
    Row.objects.update(invoice=approved)
    same = booked(1, lines=TWO)
    assert what_differs(here, [same], "INVOICE") == ([same], {"k1"})


def test_what_was_found_deleted_and_is_there_after_all_is_as_it_is_there(here: Connection, now: datetime) -> None:
    before = all_told()
    intake.mark_gone(list(Row.objects.select_related("invoice")), now=now)
    assert intake.take(here, [booked(1, lines=TWO)], now=now).updated == 1
    assert all_told() == before
    assert Event.objects.filter(text__startswith="No longer paid").count() == 1


def test_what_another_connection_holds_is_not_known_by_this_one(here: Connection) -> None:
    other = Connection.objects.get()
    other.pk = None
    other.id = type(here.id)(int=7)
    assert what_differs(other, [booked(1, lines=TWO)], "INVOICE")[1] == set()
