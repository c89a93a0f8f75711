"""Many invoices at once: what would be left out and why, said before and after; each done by itself; a file of them."""

import csv
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.models import Connection
from invoices import bulk, choosing, services
from invoices.choosing import Chooser
from invoices.models import BulkMember, BulkSend, Client, Company, Invoice, InvoiceLine, Push
from tests.conftest import line
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
LIST, CHOSEN = reverse("invoice-list"), reverse("invoice-chosen")
APPROVE, SEND, CSV = reverse("invoice-approve-many"), reverse("invoice-send-many"), reverse("invoice-csv")
NewInvoice = Callable[..., Invoice]


@pytest.fixture
def all_sorts(new_invoice: NewInvoice, wired: Connection, staff: User, now: datetime) -> dict[str, Invoice]:
    """One invoice in each state, by its name."""
    names = ("draft", "approved", "waiting", "refused", "taken", "sent", "void", "paid", "imported")
    made = {name: new_invoice() for name in names}
    for name in ("approved", "waiting", "refused", "taken", "sent", "paid"):
        services.approve(invoice_id=made[name].pk, actor=staff, now=now)
    for name in ("waiting", "refused", "taken", "sent"):
        services.request_push(invoice_id=made[name].pk, actor=staff, now=now)
    states: dict[str, dict[str, Any]] = {
        "refused": {"state": "ATTENTION", "cause": "REJECTED"},
        "taken": {"state": "ATTENTION", "cause": "NUMBER_TAKEN"},
        "sent": {"state": "SENT", "sent_at": now, "remote": remote_of(made["sent"], wired, now)},
    }
    for name, state in states.items():
        Push.objects.filter(invoice=made[name]).update(**state)
    for name, status in (("sent", "SENT"), ("paid", "PAID"), ("void", "VOID")):
        Invoice.objects.filter(pk=made[name].pk).update(status=status)
    Invoice.objects.filter(pk=made["imported"].pk).update(origin="IMPORTED", status="SENT", created_by=None)
    return made


WHY = {
    # what can't be approved, and what can't be sent, and why
    "draft": ("", ""),
    "approved": ("already approved", ""),
    "waiting": ("already approved", "already on the way"),
    "refused": ("already approved", ""),
    "taken": ("already approved", "to be settled on its own page"),
    "sent": ("already sent", "already sent"),
    "void": ("void", "void"),
    "paid": ("already sent", "already sent"),
    "imported": ("raised in Sage", "raised in Sage"),
}


def ids(invoices: dict[str, Invoice]) -> list[int]:
    return [invoice.pk for invoice in invoices.values()]


def said(desk: Browser, answer: Any) -> list[str]:
    """What the list says after a press."""
    text = desk.get(answer.headers["Location"]).text
    found = re.findall(r'<li class="message tone-\w+">.*?<span>(.*?)</span>', text, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", message)) for message in found]


@pytest.mark.parametrize("name", WHY)
def test_each_row_says_why_something_cant_be_done_with_it(
    desk: Browser, all_sorts: dict[str, Invoice], name: str
) -> None:
    box = re.search(rf'<input [^>]*id="pick-{all_sorts[name].pk}"[^>]*>', desk.get(LIST).text)
    assert box
    assert re.findall(r'data-(?:approve|send)="([^"]*)"', box[0]) == list(WHY[name])
    assert 'data-total="204.00" data-currency="GBP"' in box[0]


def test_what_is_said_before_is_what_is_done(
    desk: Browser, all_sorts: dict[str, Invoice], wired: Connection, now: datetime
) -> None:
    counted = desk.get(CHOSEN).json()
    assert counted["count"] == 9
    assert counted["sums"] == [{"currency": "GBP", "amount": "1836.00"}]
    assert counted["send"] == {
        "": 3,
        "already on the way": 1,
        "already sent": 2,
        "to be settled on its own page": 1,
        "void": 1,
        "raised in Sage": 1,
    }
    assert counted["approve"][""] == 1
    answer = desk.post(SEND, {"ids": counted["ids"]})
    send = BulkSend.objects.get()
    assert answer.headers["Location"] == reverse("send-detail", args=[send.pk])
    assert Push.objects.filter(state="READY").count() == 1, "nothing is sent before the checks have been seen"
    text = desk.get(answer.headers["Location"]).text
    assert "Send the 3 green ones" in text
    for reason in (
        "It is in Sage already.",
        "It is void,",
        "It was raised in Sage",
        "It is on its way",
        "on its own page",
    ):
        assert reason in text
    desk.post(reverse("send-start", args=[send.pk]), {"green": "3"})
    list(bulk.queue_all(send.pk, now=now))
    ready = Push.objects.filter(state="READY").values_list("invoice__number", flat=True)
    assert sorted(ready) == ["INV-00001", "INV-00002", "INV-00003", "INV-00004"]


def test_what_was_left_out_is_named_with_a_link(desk: Browser, all_sorts: dict[str, Invoice]) -> None:
    answer = desk.post(APPROVE, {"ids": ids(all_sorts)})
    text = desk.get(answer.headers["Location"]).text
    assert "1 invoice was approved." in text
    assert f'void: <a href="/invoices/{all_sorts["void"].pk}/">INV-00007</a>.' in text


def test_all_that_match_go_together_whatever_is_ticked(desk: Browser, all_sorts: dict[str, Invoice]) -> None:
    desk.post(f"{SEND}?status=DRAFT", {"all": "1", "ids": [all_sorts["void"].pk]})
    assert list(BulkMember.objects.values_list("invoice", flat=True)) == [all_sorts["draft"].pk]


def test_what_a_send_left_out_is_checked_again(desk: Browser, all_sorts: dict[str, Invoice]) -> None:
    desk.post(SEND, {"ids": [all_sorts["void"].pk, all_sorts["draft"].pk]})
    BulkMember.objects.filter(invoice=all_sorts["void"]).update(state="LEFT_OUT", reason="Void.")
    desk.post(SEND, {"left_out_of": BulkSend.objects.get().pk})
    assert list(BulkSend.objects.latest("pk").members.values_list("invoice", flat=True)) == [all_sorts["void"].pk]


def test_one_that_is_refused_keeps_no_other_back(
    desk: Browser, wired: Connection, new_invoice: NewInvoice, invoice: Invoice
) -> None:
    empty = new_invoice()
    InvoiceLine.objects.filter(invoice=empty).delete()
    answer = desk.post(APPROVE, {"ids": [empty.pk, invoice.pk]})
    assert said(desk, answer) == [
        "1 invoice was approved.",
        "1 not approved, An invoice without lines can't be approved: INV-00002.",
    ]
    invoice.refresh_from_db()
    empty.refresh_from_db()
    assert (invoice.status, empty.status) == ("APPROVED", "DRAFT")


def test_where_a_second_person_approves_ones_own_are_left_out(
    desk: Browser, invoice: Invoice, wired: Connection, staff: User, admin: User
) -> None:
    Company.ours()
    Company.objects.update(second_person_approves=True)
    other = Chooser.of(admin, wired)
    assert (other.why_not_approve(invoice), other.why_not_send(invoice)) == ("", "")
    (message,) = said(desk, desk.post(APPROVE, {"ids": [invoice.pk]}))
    assert message.endswith("for somebody else to approve: INV-00001.")
    assert "It is for somebody else to approve." in desk.post(SEND, {"ids": [invoice.pk]}, follow=True).text
    invoice.refresh_from_db()
    assert invoice.status == "DRAFT"


def test_without_a_connection_nothing_is_sent_and_the_bar_says_why(desk: Browser, invoice: Invoice) -> None:
    why = "Reflow is not connected to Sage yet."
    text = desk.get(LIST).text
    assert f'data-blocked="{why}"' in text
    assert re.search(r'<button[^>]*data-do="send"[^>]*disabled', text)
    assert said(desk, desk.post(SEND, {"ids": [invoice.pk]})) == [f"Nothing was sent. {why}"]
    invoice.refresh_from_db()
    assert invoice.status == "DRAFT"


def test_a_viewer_is_offered_a_file_and_nothing_else(client: Browser, viewer: User, invoice: Invoice) -> None:
    client.force_login(viewer)
    text = client.get(LIST).text
    assert re.findall(r'data-do="(\w+)"', text) == ["csv"]
    assert client.post(SEND, {"ids": [invoice.pk]}).status_code == 403
    assert client.post(APPROVE, {"ids": [invoice.pk]}).status_code == 403


@pytest.mark.parametrize("chosen", [[], ["x"], ["\x00", "-1", "1.5", "9" * 30], ["999999"]])
@pytest.mark.parametrize("press", [APPROVE, SEND, CSV])
def test_what_is_no_invoice_is_no_accident(
    desk: Browser, wired: Connection, invoice: Invoice, press: str, chosen: list[str]
) -> None:
    assert desk.post(press, {"ids": chosen}).status_code in (200, 302)
    invoice.refresh_from_db()
    assert invoice.status == "DRAFT"


def test_more_than_go_at_once_are_not_begun(
    desk: Browser, wired: Connection, new_invoice: NewInvoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "AT_ONCE", 2)
    monkeypatch.setattr("invoices.list_views.AT_ONCE", 2)
    drafts = [new_invoice().pk for _ in range(3)]
    counted = desk.get(CHOSEN).json()
    assert (counted["count"], counted["ids"], counted.get("send")) == (3, [], None)
    assert counted["sums"] == [{"currency": "GBP", "amount": "612.00"}]
    answer = desk.post(APPROVE, {"ids": drafts})
    assert said(desk, answer) == ["Nothing was approved: 2 at a time. Narrow it with a search or a filter."]
    assert set(Invoice.objects.values_list("status", flat=True)) == {"DRAFT"}


def test_beyond_some_thousands_it_only_says_that_there_are_more(
    desk: Browser, wired: Connection, new_invoice: NewInvoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "COUNTED", 1)
    new_invoice(), new_invoice()
    assert desk.get(CHOSEN).json() == {"count": 1, "more": True, "ids": [], "sums": []}
    assert said(desk, desk.post(SEND, {"all": "1"})) == ["1 can be sent together. Narrow it with a search or a filter."]
    assert not BulkSend.objects.exists()


def test_what_matches_is_counted_by_the_filters_and_per_currency(desk: Browser, all_sorts: dict[str, Invoice]) -> None:
    Invoice.objects.filter(pk=all_sorts["draft"].pk).update(currency="EUR")
    counted = desk.get(CHOSEN, {"status": "DRAFT"}).json()
    assert counted["ids"] == [all_sorts["draft"].pk]
    both = desk.get(CHOSEN, {"q": "INV-0000"}).json()["sums"]
    assert both == [{"currency": "EUR", "amount": "204.00"}, {"currency": "GBP", "amount": "1632.00"}]


@pytest.mark.parametrize("count", [1, 60])
def test_counting_what_matches_asks_as_often_for_sixty_as_for_one(
    desk: Browser, client_of_ours: Client, staff: User, now: datetime, django_assert_max_num_queries: Any, count: int
) -> None:
    day = datetime.fromisoformat("2026-11-02T00:00:00+00:00").date()
    given: dict[str, Any] = {"client": client_of_ours, "currency": "GBP", "created_by": staff, "created_at": now}
    Invoice.objects.bulk_create(
        Invoice(number=f"N-{n}", issue_date=day, due_date=day, net=Decimal("0.10"), total=Decimal("0.10"), **given)
        for n in range(count)
    )
    Company.ours()
    with django_assert_max_num_queries(12):
        counted = desk.get(CHOSEN).json()
    assert counted["sums"] == [{"currency": "GBP", "amount": f"{Decimal('0.10') * count}"}]


def numbers(answer: Any) -> list[str]:
    text = b"".join(answer.streaming_content).decode().removeprefix("\ufeff")
    return [row["Number"] for row in csv.DictReader(StringIO(text))]


def test_a_file_holds_what_was_ticked_or_all_that_match_in_the_order_of_the_list(
    desk: Browser, new_invoice: NewInvoice
) -> None:
    first, _, third = (new_invoice(line(unit_price=Decimal(n))) for n in (10, 30, 20))
    ticked = {"ids": [first.pk, third.pk]}
    assert numbers(desk.post(CSV, ticked)) == ["INV-00003", "INV-00001"]
    assert numbers(desk.post(f"{CSV}?sort=total", ticked)) == ["INV-00001", "INV-00003"]
    assert numbers(desk.post(f"{CSV}?sort=-total", {**ticked, "all": "1"})) == ["INV-00002", "INV-00003", "INV-00001"]
    assert numbers(desk.get(CSV, {"sort": "number"})) == ["INV-00001", "INV-00002", "INV-00003"]
