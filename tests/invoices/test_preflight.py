"""The checks before sending: each says well, what to do, or not known; never a green lie, and never a query a row."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connectors.interface import Entry, RemoteInvoice, TryLater
from connectors.models import Catalogue, Connection, RemoteLink
from connectors.options import Kind
from invoices import checks, preflight, services
from invoices.checks import Cell, Verdict
from invoices.crediting import CreditDraft, CreditLine, create_credit_note
from invoices.models import Client, Company, Invoice, InvoiceLine, Property, Push, PushAttempt
from invoices.obstacles import Check
from tests.conftest import line
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
NewInvoice = Callable[..., Invoice]
TAXES = ("STANDARD", "REDUCED", "ZERO", "EXEMPT", "NO_VAT")


def keep(connection: Connection, kind: str, entries: list[Entry], now: datetime) -> None:
    Catalogue.keep(connection=connection, kind=kind, entries=tuple(entries), now=now)


@pytest.fixture
def lists(wired: Connection, now: datetime) -> Connection:
    """Sage's lists as read just now: what is chosen is in them."""
    keep(wired, Kind.SALES_ACCOUNTS, [Entry(id="acc-4000", name="Sales", code="4000")], now)
    links = RemoteLink.objects.filter(connection=wired, kind=RemoteLink.Kind.TAX_RATE)
    rates = [Entry(id=link.remote_id, name=link.remote_name, percentage=link.percentage) for link in links]
    keep(wired, Kind.TAX_RATES, rates, now)
    keep(wired, checks.OPENING, [Entry(id=checks.DAY, name="")], now)
    return wired


def cells(invoice: Invoice, connection: Connection | None, actor: User, now: datetime) -> dict[Check, Cell]:
    lists = preflight.lists_of(connection, now=now)
    (one,) = preflight.check([invoice.pk], connection, lists, actor=actor, now=now)
    assert [cell.check for cell in one.cells] == list(Check)
    return {cell.check: cell for cell in one.cells}


def test_what_is_known_is_well_and_what_nobody_can_know_is_not_called_so(
    invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> None:
    found = cells(invoice, lists, staff, now)
    verdicts = {check: cell.verdict for check, cell in found.items()}
    assert verdicts == {
        Check.INVOICE: Verdict.GOOD,
        Check.CONNECTION: Verdict.GOOD,
        Check.PERIOD: Verdict.OPEN,
        Check.CLIENT: Verdict.OPEN,
        Check.CODE: Verdict.GOOD,
        Check.TAX: Verdict.GOOD,
        Check.NUMBER: Verdict.OPEN,
        Check.PENNIES: Verdict.GOOD,
        Check.DIMENSIONS: Verdict.NONE,
    }
    assert found[Check.PERIOD].text == "Not known beforehand: Sage does not tell whether November 2026 is closed."


def test_without_a_connection_one_thing_is_red_and_the_rest_not_known(
    invoice: Invoice, staff: User, now: datetime
) -> None:
    found = cells(invoice, None, staff, now)
    assert found[Check.CONNECTION].text == "Reflow is not connected to Sage yet."
    assert found[Check.CONNECTION].fix == "CONNECTION"
    assert {found[check].verdict for check in (Check.CODE, Check.TAX, Check.NUMBER, Check.CLIENT)} == {Verdict.OPEN}


def test_a_dead_authorisation_is_said_and_stops_nobody(
    invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> None:
    lists.state = Connection.State.RECONNECT
    lists.save()
    found = cells(invoice, lists, staff, now)
    assert (found[Check.CONNECTION].verdict, found[Check.CONNECTION].fix) == (Verdict.OPEN, "CONNECTION")
    assert found[Check.CODE].verdict is Verdict.OPEN, "nor is Sage asked for its lists"


def test_what_left_sages_lists_is_red_and_says_where_to_choose_another(
    invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> None:
    keep(lists, Kind.SALES_ACCOUNTS, [Entry(id="acc-1", name="Rent", code="4100")], now)
    keep(lists, Kind.TAX_RATES, [Entry(id="GB_STANDARD", name="Standard", percentage=Decimal("17.5"))], now)
    found = cells(invoice, lists, staff, now)
    assert found[Check.CODE].text == "4000 Sales is no longer among Sage's sales accounts."
    assert found[Check.CODE].fix == "SALES_ACCOUNT"
    assert "20 % here" in found[Check.TAX].text and "17.5 %" in found[Check.TAX].text
    keep(lists, Kind.TAX_RATES, [], now)
    assert cells(invoice, lists, staff, now)[Check.TAX].text.endswith("is no longer among Sage's tax rates.")


def test_a_list_that_cant_be_read_is_not_known_and_a_young_one_is_not_read_again(
    invoice: Invoice, lists: Connection, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Kind] = []

    class Away:
        def catalogue(self, kind: Kind) -> tuple[Entry, ...]:
            asked.append(kind)
            raise TryLater("Sage is away.")

    monkeypatch.setattr("connectors.services.open_connector", lambda *_, **__: Away())
    Catalogue.objects.update(read_at=now - timedelta(minutes=14))
    assert cells(invoice, lists, staff, now)[Check.CODE].verdict is Verdict.GOOD
    assert asked == []
    Catalogue.objects.update(read_at=now - timedelta(minutes=16))
    found = cells(invoice, lists, staff, now)
    assert (found[Check.CODE].verdict, found[Check.TAX].verdict) == (Verdict.OPEN, Verdict.OPEN)
    assert len(asked) == 1, "who does not answer is asked once"


def test_an_unmapped_tax_rate_and_a_foreign_client_are_in_their_own_columns(
    new_invoice: NewInvoice, lists: Connection, client_of_ours: Client, staff: User, now: datetime
) -> None:
    RemoteLink.objects.filter(local_key="STANDARD").delete()
    Client.objects.update(country="FR")
    found = cells(new_invoice(), lists, staff, now)
    assert found[Check.TAX].text.startswith("No tax rate of Sage's is chosen yet for")
    assert (found[Check.CLIENT].verdict, found[Check.CLIENT].fix) == (Verdict.BAD, "CLIENT")


def test_a_customer_that_sage_refused_is_red_until_it_is_linked_anew(
    approved: Invoice, new_invoice: NewInvoice, lists: Connection, staff: User, now: datetime
) -> None:
    link = RemoteLink.objects.create(
        connection=lists,
        kind="CLIENT",
        local_key=str(approved.client.uuid),
        remote_id="c-1",
        remote_name="B",
        linked_at=now,
    )
    assert cells(new_invoice(), lists, staff, now)[Check.CLIENT].verdict is Verdict.GOOD
    push = services.request_push(invoice_id=approved.pk, actor=staff, now=now)
    PushAttempt.objects.create(
        push=push,
        n=1,
        generation=1,
        key="k",
        started_at=now,
        outcome="REJECTED",
        resolved_at=now + timedelta(seconds=5),
    )
    Push.objects.update(state="ATTENTION", cause="REJECTED", problems=[{"message": "gone", "fix": "CLIENT_LINK"}])
    found = cells(new_invoice(), lists, staff, now)
    assert (found[Check.CLIENT].verdict, found[Check.CLIENT].fix) == (Verdict.BAD, "CLIENT_LINK")
    link.linked_at = now + timedelta(minutes=1)
    link.save()
    assert cells(new_invoice(), lists, staff, now)[Check.CLIENT].verdict is Verdict.GOOD


def test_a_number_that_sage_is_known_to_have_given_to_another_is_red(
    invoice: Invoice, new_invoice: NewInvoice, lists: Connection, staff: User, now: datetime
) -> None:
    other = new_invoice()
    remote_of(other, lists, now, number=str(invoice.number).lower())
    found = cells(invoice, lists, staff, now)
    assert found[Check.NUMBER].page == ("invoice-detail", invoice.pk)
    assert found[Check.NUMBER].text.startswith(f"Sage has {invoice.number} for another invoice.")
    Connection.objects.update(sync_settings={"numbers": "PLATFORM"})
    lists.refresh_from_db()
    assert cells(invoice, lists, staff, now)[Check.NUMBER].text == "Sage gives the number."


@dataclass
class Sage:
    """Books that are open from a day on, hold some numbers and lack some customers; it keeps what it was asked."""

    opens: date | None = None
    held: tuple[str, ...] = ()
    gone: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def open_from(self) -> date | None:
        self.asked.append("open_from")
        return self.opens

    def find_numbers(self, numbers: list[str]) -> tuple[RemoteInvoice, ...]:
        self.asked.append("find_numbers")
        given = {"reference": "", "client_id": "c", "issue_date": date(2026, 1, 1), "total": Decimal(1)}
        found = [number for number in numbers if number in self.held]
        return tuple(RemoteInvoice(id=f"t-{n}", number=n, client_name="Hart", **given) for n in found)

    def gone_clients(self, client_ids: list[str], since: datetime) -> frozenset[str]:
        self.asked.append("gone_clients")
        return self.gone & {*client_ids}


@pytest.fixture
def sage(monkeypatch: pytest.MonkeyPatch, lists: Connection) -> Sage:
    books = Sage()
    monkeypatch.setattr(preflight, "open_connector", lambda connection: books)
    monkeypatch.setattr(preflight, "catalogue", lambda connection, kind, **_: Catalogue.kept(connection, kind))
    Catalogue.objects.filter(kind=checks.OPENING).delete()
    return books


def test_sage_is_asked_once_a_batch_which_numbers_it_has_and_from_when_it_is_open(
    new_invoice: NewInvoice, lists: Connection, sage: Sage, staff: User, now: datetime
) -> None:
    free, taken = new_invoice(), new_invoice()
    sage.held, sage.opens = (str(taken.number),), date(2026, 4, 1)
    ids = [free.pk, taken.pk]

    def found(at: datetime, **more: Any) -> list[dict[Check, Cell]]:
        known = preflight.lists_of(lists, ids, now=at, **more)
        rows = preflight.check(ids, lists, known, actor=staff, now=at)
        return [{cell.check: cell for cell in one.cells} for one in rows]

    first, second = found(now)
    assert (first[Check.NUMBER].verdict, second[Check.NUMBER].verdict) == (Verdict.GOOD, Verdict.BAD)
    assert second[Check.NUMBER].text.startswith(f"Sage has {taken.number} for another invoice.")
    assert first[Check.PERIOD] == second[Check.PERIOD]
    assert (first[Check.PERIOD].verdict, first[Check.PERIOD].text) == (
        Verdict.GOOD,
        "Sage's books are open from 1 April 2026 on.",
    )
    assert sage.asked == ["open_from", "find_numbers"]
    found(now + timedelta(minutes=14))
    assert len(sage.asked) == 2, "a quarter of an hour is young enough"
    sage.opens = date(2026, 12, 1)
    (first, _) = found(now + timedelta(seconds=11), max_age=preflight.AGAIN)
    assert (first[Check.PERIOD].verdict, first[Check.PERIOD].fix) == (Verdict.BAD, "DATE")
    assert first[Check.PERIOD].text == "Sage's books are open from 1 December 2026 on, and it is dated before."


def test_a_customer_that_is_gone_in_sage_is_red_before_anything_is_sent(
    invoice: Invoice, lists: Connection, sage: Sage, staff: User, now: datetime
) -> None:
    link = {"connection": lists, "kind": "CLIENT", "local_key": str(invoice.client.uuid), "linked_at": now}
    RemoteLink.objects.create(remote_id="c-1", remote_name="Bramley", **link)

    def found(at: datetime) -> Cell:
        known = preflight.lists_of(lists, [invoice.pk], now=at)
        (one,) = preflight.check([invoice.pk], lists, known, actor=staff, now=at)
        return next(cell for cell in one.cells if cell.check is Check.CLIENT)

    assert (found(now).verdict, found(now).text) == (Verdict.GOOD, "Linked to Bramley in Sage, which is there.")
    assert sage.asked.count("gone_clients") == 1
    sage.gone = frozenset({"c-1"})
    late = found(now + timedelta(minutes=16))
    assert (late.verdict, late.fix) == (Verdict.BAD, "CLIENT_LINK")
    assert late.text == "Bramley was deleted in Sage, or is not active there: say which customer it is now."


def test_where_a_later_day_may_be_closed_too_the_period_is_not_called_good(
    invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> None:
    Connection.objects.update(platform="sage_intacct", company_id="HARBOUR")
    lists.refresh_from_db()
    for kind in (Kind.LOCATIONS, Kind.DEPARTMENTS):
        keep(lists, kind, [], now)
    keep(lists, checks.OPENING, [Entry(id=checks.DAY, name="", code="2019-04-01")], now)
    found = cells(invoice, lists, staff, now)[Check.PERIOD]
    assert (found.verdict, found.text) == (
        Verdict.OPEN,
        "Sage's books are open from 1 April 2019 on. Whether November 2026 is closed by itself is not told.",
    )


def test_sums_that_sage_would_count_otherwise_are_red(
    invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> None:
    row = InvoiceLine.objects.get(invoice=invoice)
    InvoiceLine.objects.filter(pk=row.pk).update(tax=row.tax + Decimal("0.01"), total=row.total + Decimal("0.01"))
    assert cells(invoice, lists, staff, now)[Check.PENNIES].verdict is Verdict.BAD


def test_who_may_not_approve_and_what_is_closed_is_said_in_the_first_column(
    invoice: Invoice, lists: Connection, staff: User, admin: User, now: datetime
) -> None:
    Company.ours()
    Company.objects.update(second_person_approves=True)
    assert cells(invoice, lists, staff, now)[Check.INVOICE].text == "It is for somebody else to approve."
    assert cells(invoice, lists, admin, now)[Check.INVOICE].verdict is Verdict.GOOD
    Invoice.objects.update(status="VOID")
    assert cells(invoice, lists, admin, now)[Check.INVOICE].text == "It is void, so there is nothing to send."


def test_a_day_before_sync_from_is_red(invoice: Invoice, lists: Connection, staff: User, now: datetime) -> None:
    Connection.objects.update(sync_settings={"sync_from": "2026-12-01"})
    lists.refresh_from_db()
    found = cells(invoice, lists, staff, now)
    assert (found[Check.PERIOD].verdict, found[Check.PERIOD].fix) == (Verdict.BAD, "SYNC_SETTINGS")


def test_the_dimensions_of_the_property_or_the_connection_must_be_in_sages_lists(
    new_invoice: NewInvoice, lists: Connection, staff: User, now: datetime
) -> None:
    Connection.objects.update(platform="sage_intacct", company_id="HARBOUR", sync_settings={"location": "LDN"})
    lists.refresh_from_db()
    keep(lists, Kind.LOCATIONS, [Entry(id="LDN", name="London")], now)
    keep(lists, Kind.DEPARTMENTS, [], now)
    site = Property.objects.create(name="Ivy Court")
    at_site = new_invoice(site=site)
    assert cells(at_site, lists, staff, now)[Check.DIMENSIONS].verdict is Verdict.GOOD
    RemoteLink.objects.create(
        connection=lists,
        kind="LOCATION",
        local_key=str(site.pk),
        remote_id="OLD",
        remote_name="Old town",
        linked_at=now,
    )
    found = cells(at_site, lists, staff, now)[Check.DIMENSIONS]
    assert (found.text, found.page) == ("Old town is no longer among Sage's locations.", ("property-edit", site.pk))
    Connection.objects.update(sync_settings={})
    lists.refresh_from_db()
    assert cells(new_invoice(), lists, staff, now)[Check.DIMENSIONS].verdict is Verdict.OPEN


def many(count: int, client: Client, staff: User, now: datetime) -> list[int]:
    day = date(2026, 11, 2)
    net, tax, total = Decimal("510.00"), Decimal("102.00"), Decimal("612.00")
    made = Invoice.objects.bulk_create(
        Invoice(
            number=f"N-{n}",
            client=client,
            currency="GBP",
            created_by=staff,
            created_at=now,
            issue_date=day,
            due_date=day,
            net=net,
            tax=tax,
            total=total,
        )
        for n in range(count)
    )
    each: dict[str, Any] = {"quantity": 1, "unit_price": Decimal(170), "discount": 0, "net": Decimal(170)}
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=one,
            position=n,
            description="Rent",
            tax_rate_id="STANDARD",
            tax=Decimal(34),
            total=Decimal(204),
            **each,
        )
        for one in made
        for n in range(3)
    )
    return [one.pk for one in made]


@pytest.mark.parametrize("count", [1, 60])
def test_sixty_are_checked_with_as_many_queries_as_one(
    client_of_ours: Client,
    lists: Connection,
    staff: User,
    now: datetime,
    django_assert_max_num_queries: Any,
    count: int,
) -> None:
    ids = many(count, client_of_ours, staff, now)
    Company.ours()
    known = preflight.lists_of(lists, now=now)
    with django_assert_max_num_queries(14):
        found = preflight.check(ids, lists, known, actor=staff, now=now)
    assert len(found) == count
    assert not any(one.bad for one in found)


def test_causes_put_together_what_one_deed_mends_whatever_the_number(
    new_invoice: NewInvoice, lists: Connection, staff: User, now: datetime
) -> None:
    from invoices.models import TaxRate

    RemoteLink.objects.filter(local_key="ZERO").delete()
    plain = [new_invoice() for _ in range(2)]
    free = [new_invoice(line(tax_rate=TaxRate.objects.get(pk="ZERO"))) for _ in range(3)]
    Invoice.objects.filter(pk__in=[one.pk for one in plain]).update(number_prefix="LONGPREFIX")
    ids = [one.pk for one in (*plain, *free)]
    found = preflight.causes(preflight.check(ids, lists, preflight.lists_of(lists, now=now), actor=staff, now=now))
    assert [(cause.cell.check, len(cause.checked)) for cause in found] == [(Check.TAX, 3), (Check.NUMBER, 2)]
    assert found[1].text.startswith("The prefix of the invoice is longer")


def test_the_card_of_an_invoice_offers_the_same_checks(desk: Browser, invoice: Invoice, lists: Connection) -> None:
    address = reverse("invoice-checks", args=[invoice.pk])
    assert address in desk.get(reverse("invoice-detail", args=[invoice.pk])).text
    RemoteLink.objects.filter(kind="TAX_RATE").delete()
    text = desk.get(address).text
    assert text.count("<li>") == len(Check)
    assert "No tax rate of Sage&#x27;s is chosen yet" in text
    assert "Ask an admin to do this." in text


@pytest.fixture
def credited(
    new_push: Callable[..., Push], invoice: Invoice, lists: Connection, staff: User, now: datetime
) -> Callable[[int], list[int]]:
    """So many credit notes of one invoice that is in the books."""
    new_push("SENT")
    invoice.refresh_from_db()

    def made(count: int) -> list[int]:
        one = {"quantity": Decimal(1), "unit_price": Decimal(1), "discount_percent": Decimal(0)}
        credit = [CreditLine(line_id=invoice.lines.get().pk, **one)]
        draft = CreditDraft(issue_date=date(2026, 11, 20), notes="", lines=credit)
        notes = [
            create_credit_note(invoice_id=invoice.pk, key=uuid4(), draft=draft, actor=staff, now=now)
            for _ in range(count)
        ]
        return [one.pk for one in notes]

    return made


def test_many_credit_notes_are_checked_with_as_many_queries_as_one(
    credited: Callable[[int], list[int]], lists: Connection, staff: User, now: datetime
) -> None:
    known, asked = preflight.lists_of(lists, now=now), []
    for count in (1, 20):
        ids = credited(count)
        with CaptureQueriesContext(database) as seen:
            found = preflight.check(ids, lists, known, actor=staff, now=now)
        assert not any(one.bad for one in found)
        asked.append(len(seen))
    assert asked[0] == asked[1]


def test_a_credit_note_where_none_is_sent_is_red_whatever_else_is_not_set_up(
    credited: Callable[[int], list[int]], lists: Connection, staff: User, now: datetime
) -> None:
    (pk,) = credited(1)
    lists.platform = "sage_intacct"
    lists.save()
    RemoteLink.objects.filter(kind=RemoteLink.Kind.TAX_RATE).delete()
    found = cells(Invoice.objects.get(pk=pk), lists, staff, now)
    assert "does not send credit notes to Sage Intacct yet" in found[Check.INVOICE].text
    assert found[Check.TAX].verdict is Verdict.NONE


def test_what_was_parked_on_its_way_to_other_books_can_go_to_these(
    new_push: Callable[..., Push], lists: Connection, staff: User, now: datetime
) -> None:
    push = new_push("PARKED", parked_because="In dispute.", held_at=now)
    assert cells(push.invoice, lists, staff, now)[Check.INVOICE].verdict is Verdict.BAD
    when: dict[str, Any] = {"authorised_at": now, "authorised_by": staff, "disconnected_at": now}
    old = Connection.objects.create(
        platform=lists.platform, state="DISCONNECTED", company_id="b-0", company_name="Old", **when
    )
    Push.objects.filter(pk=push.pk).update(connection=old)
    assert cells(push.invoice, lists, staff, now)[Check.INVOICE].verdict is Verdict.GOOD
