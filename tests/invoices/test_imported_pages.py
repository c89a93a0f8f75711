"""What people see of invoices that came from the books: the list, the page, the file; and what nobody may do."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from incrementors.models import Number
from invoices.models import Client, Event, Invoice, InvoiceLine, Push, RemoteInvoice
from tests.invoices.conftest import NewPush, remote_of

pytestmark = pytest.mark.django_db
MOMENT = datetime.fromisoformat("2027-01-08T09:30:00+00:00")
Bring = Callable[..., Invoice]


@pytest.fixture
def bring(wired: Connection, client_of_ours: Client) -> Bring:
    """An invoice of £120.00 as an import leaves it."""

    def made(number: str = "IMP-00003", theirs: str = "SI-1009", **changes: Any) -> Invoice:
        held = {name: changes.pop(name) for name in ("gone_at", "is_shown", "url") if name in changes}
        given: dict[str, Any] = {
            **{"origin": "IMPORTED", "status": "SENT", "number": number, "client": client_of_ours, "currency": "GBP"},
            **{"issue_date": date(2027, 1, 4), "due_date": date(2027, 2, 3), "created_at": MOMENT},
            **{"net": Decimal(100), "tax": Decimal(20), "total": Decimal(120), "outstanding": Decimal(120)},
        }
        invoice = Invoice.objects.create(**{**given, **changes})
        value = int(number.rpartition("-")[2])
        Number.objects.create(group_id="IMPORTED", value=value, text=number, holder=invoice.uuid, given_at=MOMENT)
        sums = {"net": Decimal(100), "tax": Decimal(20), "total": Decimal(120), "discount": Decimal(0)}
        InvoiceLine.objects.create(
            invoice=invoice, position=1, description="Boiler <repair>", unit_price=100, nominal_code="4010", **sums
        )
        remote_of(invoice, wired, MOMENT, remote_id=f"key-{theirs}", number=theirs, **held)
        Event.objects.create(invoice=invoice, happened_at=MOMENT, text="Imported from Harbour.")
        return invoice

    return made


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def card(desk: Browser, invoice: Invoice) -> str:
    page = desk.get(f"/invoices/{invoice.pk}/").text
    found = re.search(r'<section class="push".*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def cells(page: str) -> dict[str, str]:
    """The first row of the list, by the name of its column."""
    row = re.search(r"<tbody><tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    assert row
    named = re.findall(r'<td data-label="([^"]+)"[^>]*>(.*?)</td>', row[1], re.DOTALL)
    lead = re.search(r'<td class="lead">(.*?)</td>', row[1], re.DOTALL)
    assert lead
    return {"Number": words(lead[1]), **{name: words(cell) for name, cell in named}}


def end(connection: Connection) -> None:
    """The books are not connected any more."""
    Connection.objects.filter(pk=connection.pk).update(state="DISCONNECTED", disconnected_at=MOMENT)


def test_the_list_shows_sages_number_ours_beneath_and_that_it_came_from_there(desk: Browser, bring: Bring) -> None:
    bring()
    shown = cells(desk.get("/invoices/").text)
    assert shown["Number"] == "SI-1009 IMP-00003 here"
    assert (shown["Status"], shown["Sage state"], shown["Sent to Sage"]) == ("Sent", "Imported", "")


def test_after_a_disconnect_the_list_shows_our_number_and_sages_beneath(
    desk: Browser, bring: Bring, wired: Connection
) -> None:
    bring()
    end(wired)
    shown = cells(desk.get("/invoices/").text)
    assert (shown["Number"], shown["Sage state"]) == ("IMP-00003 SI-1009 in Sage", "Imported")


def test_one_whose_number_another_invoice_has_shows_its_own(desk: Browser, bring: Bring) -> None:
    invoice = bring(is_shown=False)
    assert cells(desk.get("/invoices/").text)["Number"] == "IMP-00003 SI-1009 in Sage"
    assert "Also ours of another invoice" in card(desk, invoice)


@pytest.mark.parametrize(
    ("status", "outstanding", "badge", "shown"),
    [
        ("SENT", "120.00", "Sent", "£120.00"),
        ("PART_PAID", "70.50", "Part paid", "£70.50"),
        ("PAID", "0", "Paid", ""),
        ("VOID", "0", "Void", ""),
    ],
)
def test_the_list_says_what_is_paid_and_what_is_outstanding(
    desk: Browser, bring: Bring, status: str, outstanding: str, badge: str, shown: str
) -> None:
    bring(status=status, outstanding=Decimal(outstanding))
    row = cells(desk.get("/invoices/").text)
    assert (row["Status"], row["Outstanding"]) == (badge, shown)


def test_the_outstanding_column_can_be_left_out(desk: Browser, bring: Bring) -> None:
    bring()
    assert "Outstanding</th>" in desk.get("/invoices/").text
    desk.post("/invoices/columns/", {"columns": ["property", "due", "status", "sage", "sent"]})
    assert "Outstanding</th>" not in desk.get("/invoices/").text


def test_part_paid_paid_and_imported_are_filters(desk: Browser, bring: Bring, invoice: Invoice) -> None:
    for n, status in enumerate(("SENT", "PART_PAID", "PAID"), start=1):
        bring(f"IMP-{n:05}", f"SI-{n}", status=status)
    wanted = {"status=PART_PAID": 1, "status=PAID": 1, "origin=IMPORTED": 3, "origin=OWN": 1}
    assert {query: desk.get(f"/invoices/?{query}").text.count('class="lead"') for query in wanted} == wanted
    page = desk.get("/invoices/?origin=IMPORTED").text
    assert "origin=IMPORTED" in re.findall(r'href="(/invoices/csv/[^"]*)"', page)[0]


def test_an_imported_invoice_is_found_by_sages_number_and_by_ours(desk: Browser, bring: Bring) -> None:
    invoice = bring()
    for q in ("SI-1009", "IMP-00003", "key-SI-1009", "boiler"):
        assert f'id="row-{invoice.pk}"' in desk.get("/invoices/", {"q": q, "origin": "IMPORTED"}).text


@pytest.mark.parametrize("count", [1, 50])
def test_a_list_of_imported_invoices_asks_no_oftener_for_fifty_than_for_one(
    desk: Browser, bring: Bring, django_assert_max_num_queries: Any, count: int
) -> None:
    for n in range(count):
        bring(f"IMP-{n:05}", f"SI-{n}")
    desk.get("/invoices/")
    with django_assert_max_num_queries(15):
        assert desk.get("/invoices/").text.count("Imported</span>") == count


def test_the_card_says_where_it_was_raised_with_token_numbers_and_a_link(desk: Browser, bring: Bring) -> None:
    shown = card(desk, bring(url="https://sage.example/SI-1009"))
    assert "Raised in Sage" in words(shown)
    assert '<code id="token" aria-labelledby="token-label">key-SI-1009</code>' in shown
    assert 'aria-label="Copy Sage\'s token"' in shown
    facts = "Organisation Harbour Number in Sage SI-1009 Our number IMP-00003 Imported 8 Jan 2027, 09:30:00"
    assert facts in words(shown)
    assert '<a href="https://sage.example/SI-1009" target="_blank" rel="noopener"' in shown
    assert "Send to Sage" not in words(shown)


def test_after_a_disconnect_its_page_still_says_where_it_came_from(
    desk: Browser, bring: Bring, wired: Connection
) -> None:
    invoice = bring()
    end(wired)
    page = words(desk.get(f"/invoices/{invoice.pk}/").text)
    assert "IMP-00003" in page.split("Reflow")[0]
    assert "Organisation Harbour Number in Sage SI-1009" in page
    assert "As it stood in Sage when Reflow was disconnected." in page
    assert "Sage Accounting number SI-1009, until 8 January 2027 in Harbour" in page


def test_its_lines_stand_on_accounts_where_ours_have_tax_rates(desk: Browser, bring: Bring, invoice: Invoice) -> None:
    theirs, ours = (words(desk.get(f"/invoices/{one.pk}/").text) for one in (bring(), invoice))
    assert "Account Net Tax Boiler <repair> 1 100.00 4010 100.00 20.00" in theirs
    assert "Tax rate" not in theirs
    assert "Discount Tax rate Net Tax" in ours


@pytest.mark.parametrize("who", ["staff", "admin"])
def test_nobody_is_offered_to_change_approve_discard_or_send_it(
    client: Browser, bring: Bring, request: pytest.FixtureRequest, who: str
) -> None:
    client.force_login(request.getfixturevalue(who))
    page = client.get(f"/invoices/{bring().pk}/").text
    for deed in ("edit", "approve", "draft", "discard", "ask", "push", "link", "next-number"):
        assert f"/{deed}/" not in page, deed


DEEDS = {
    "approve": "Only a draft invoice can be approved; this one is sent.",
    "draft": "Only an approved invoice can be taken back to draft; this one is sent.",
    "discard": "Only a draft invoice can be discarded; this one is sent.",
    "ask": "Only a draft invoice can be put up for approval; this one is sent.",
    "push": "Only an approved invoice can be sent; this one is sent.",
    "edit": "It was raised in Sage: it is changed there, and follows here with the next sync.",
    "next-number": "There is no conflict any more that could be settled here. Look at the invoice again.",
    "link": "Sage does not hold that invoice so any more. Look again.",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_direct_request_is_refused_in_plain_words_and_changes_nothing(
    client: Browser, admin: User, bring: Bring, deed: str
) -> None:
    client.force_login(admin)
    invoice = bring()
    before = Invoice.objects.filter(pk=invoice.pk).values().get()
    typed = {"reason": "raised twice", "remote": "key-SI-1009", "version": "1", "client": invoice.client_id}
    page = client.post(f"/invoices/{invoice.pk}/{deed}/", typed, follow=True).text
    assert DEEDS[deed] in unescape(page)
    assert Invoice.objects.filter(pk=invoice.pk).values().get() == before
    assert (invoice.lines.count(), invoice.events.count(), Push.objects.count()) == (1, 1, 0)


@pytest.mark.parametrize("status", ["PART_PAID", "PAID", "VOID"])
def test_whatever_became_of_it_it_is_not_sent(client: Browser, admin: User, bring: Bring, status: str) -> None:
    client.force_login(admin)
    invoice = bring(status=status, outstanding=Decimal(0))
    for deed in ("push", "approve", "discard", "draft"):
        client.post(f"/invoices/{invoice.pk}/{deed}/", {"reason": "x"})
    invoice.refresh_from_db()
    assert (invoice.status, Push.objects.count()) == (status, 0)


def test_the_editor_of_an_imported_invoice_does_not_open(desk: Browser, bring: Bring) -> None:
    invoice = bring()
    assert desk.get(f"/invoices/{invoice.pk}/edit/").headers["Location"] == f"/invoices/{invoice.pk}/"


@pytest.mark.parametrize(("outstanding", "shown"), [("120.00", False), ("70.50", True), ("0.00", True)])
def test_what_is_outstanding_stands_beside_the_total_where_it_differs(
    desk: Browser, bring: Bring, outstanding: str, shown: bool
) -> None:
    invoice = bring(outstanding=Decimal(outstanding))
    page = words(desk.get(f"/invoices/{invoice.pk}/").text)
    assert (f"Total GBP 120.00 Outstanding {outstanding}" in page) is shown


def test_a_line_put_on_another_account_in_sage_is_told_calmly(desk: Browser, new_push: NewPush) -> None:
    push = new_push("SENT")
    RemoteInvoice.objects.filter(pk=push.remote_id).update(recoded=[[2, "4010"], [3, "4020 <b>"]])
    shown = card(desk, push.invoice)
    assert "Re-coded in Sage: line 2 is on 4010, line 3 is on 4020 <b>." in words(shown)
    assert "tone-bad" not in shown
    assert "tone-warn" not in shown


@pytest.mark.parametrize(
    ("is_draft", "said"),
    [(True, "Draft in Sage: it comes once it is released"), (False, "Its number is still to come")],
)
def test_a_number_that_is_not_there_is_explained(desk: Browser, new_push: NewPush, is_draft: bool, said: str) -> None:
    push = new_push("SENT")
    RemoteInvoice.objects.filter(pk=push.remote_id).update(number="", is_draft=is_draft)
    assert said in words(card(desk, push.invoice))


def void(invoice: Invoice, text: str) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(status="VOID", outstanding=0)
    Event.objects.create(invoice=invoice, happened_at=MOMENT, text=text)
    Event.objects.create(invoice=invoice, happened_at=MOMENT + timedelta(hours=1), text="Sage's number is SI-7.")


def test_one_that_was_sent_and_voided_there_says_so_and_not_that_a_draft_was_discarded(
    desk: Browser, new_push: NewPush
) -> None:
    push = new_push("SENT")
    void(push.invoice, "Voided in Sage.")
    shown = words(card(desk, push.invoice))
    assert "Voided in Sage. 8 Jan 2027, 09:30" in shown
    assert "discarded" not in shown


def test_one_that_was_deleted_there_says_when_and_links_nowhere(desk: Browser, new_push: NewPush) -> None:
    push = new_push("SENT")
    void(push.invoice, "Deleted in Sage, where it was SI-7.")
    RemoteInvoice.objects.filter(pk=push.remote_id).update(gone_at=MOMENT, url="https://sage.example/SI-7")
    shown = card(desk, push.invoice)
    assert "Deleted in Sage on 8 January 2027 ." in words(shown)
    assert "Open in Sage" not in shown


def test_a_draft_that_was_discarded_gives_its_reason(desk: Browser, invoice: Invoice) -> None:
    desk.post(f"/invoices/{invoice.pk}/discard/", {"reason": "raised twice"})
    assert "Discarded: raised twice It is void, so there is nothing to send." in words(card(desk, invoice))


def test_the_file_tells_what_is_outstanding_and_where_each_was_raised(
    desk: Browser, bring: Bring, invoice: Invoice, wired: Connection
) -> None:
    bring(status="PART_PAID", outstanding=Decimal("70.50"))

    def rows() -> list[dict[str, str]]:
        content = b"".join(desk.get("/invoices/csv/").streaming_content).decode()  # type: ignore[attr-defined]
        return list(csv.DictReader(io.StringIO(content.removeprefix("\ufeff"))))

    shown = [(row["Number"], row["Outstanding"], row["Status"], row["Origin"], row["Sage state"]) for row in rows()]
    assert ("SI-1009", "70.50", "Part paid", "Imported", "Imported") in shown
    assert (invoice.number, "", "Draft", "Raised here", "Not sent") in shown
    end(wired)
    imported = next(row for row in rows() if row["Origin"] == "Imported")
    assert (imported["Number"], imported["Number in Sage"], imported["Sage token"]) == (
        *("IMP-00003", "SI-1009"),
        "key-SI-1009",
    )
