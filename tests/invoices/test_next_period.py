"""An invoice copied, and the next period's raised from the last period's: once for a period, and undone together."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incrementors.models import Number
from invoices import next_period, services
from invoices.drafts import Refused
from invoices.models import Client, Invoice, Item, PeriodRun, Property, RaisedInvoice
from tests.conftest import line

pytestmark = pytest.mark.django_db
NewInvoice = Callable[..., Invoice]


@pytest.fixture
def rent(new_invoice: NewInvoice) -> Invoice:
    """January's, dated on its last day, to be paid in thirty days as the client's terms are."""
    return new_invoice(line("Rent 1 Jan 2026 to 31 Jan 2026"), issue_date=date(2026, 1, 31), due_date=date(2026, 3, 2))


@pytest.fixture
def raised(staff: User, now: datetime) -> Callable[..., list[Invoice]]:
    """Raises the next of these, and gives them."""

    def done(*sources: Invoice, step: str = "MONTH", words: bool = True) -> list[Invoice]:
        ids = [one.pk for one in sources]
        run = next_period.begin(ids=ids, actor=staff, now=now)
        next_period.raise_next(key=run.pk, step=step, chosen=ids, with_words=ids if words else [], actor=staff, now=now)
        return [one.invoice for one in run.raised.select_related("invoice").order_by("pk")]

    return done


def test_the_next_is_as_the_last_a_month_on(rent: Invoice, raised: Any) -> None:
    (new,) = raised(rent)
    assert (new.status, new.number, new.client, new.total) == ("DRAFT", "INV-00002", rent.client, rent.total)
    assert (str(new.issue_date), str(new.due_date), new.reference) == ("2026-02-28", "2026-03-30", "PO-7")
    assert new.lines.get().description == "Rent 1 Feb 2026 to 28 Feb 2026"
    assert new.events.get().text == "Created from INV-00001, a month on."


def test_what_a_short_month_cut_off_comes_back(rent: Invoice, raised: Any) -> None:
    invoice, dates = rent, []
    for _ in range(3):
        (invoice,) = raised(invoice)
        dates.append(str(invoice.issue_date))
    assert dates == ["2026-02-28", "2026-03-31", "2026-04-30"]


def test_a_due_date_of_its_own_moves_as_the_date_does(new_invoice: NewInvoice, raised: Any) -> None:
    own = new_invoice(issue_date=date(2026, 1, 1), due_date=date(2026, 1, 29))
    (new,) = raised(own, step="QUARTER")
    assert (str(new.issue_date), str(new.due_date)) == ("2026-04-01", "2026-04-29")


def test_words_are_left_where_they_were_unticked(rent: Invoice, raised: Any) -> None:
    assert raised(rent, words=False)[0].lines.get().description == "Rent 1 Jan 2026 to 31 Jan 2026"


def test_a_period_is_raised_once(rent: Invoice, raised: Any, staff: User, now: datetime) -> None:
    (new,) = raised(rent)
    run = next_period.begin(ids=[rent.pk], actor=staff, now=now)
    (proposal,) = next_period.proposals(run, "MONTH")
    assert proposal.raised == new
    with pytest.raises(Refused, match="Nothing was raised"):
        next_period.raise_next(key=run.pk, step="MONTH", chosen=[rent.pk], with_words=[], actor=staff, now=now)
    row = RaisedInvoice.objects.get()
    again = {"source": rent, "issue_date": row.issue_date, "issue_day": 31, "due_day": 2, "run": run}
    with pytest.raises(IntegrityError), transaction.atomic():
        RaisedInvoice.objects.create(invoice=rent, **again)
    assert Invoice.objects.count() == 2
    (other,) = next_period.proposals(run, "QUARTER")
    assert other.raised is None, "another period can be raised from it"


def test_pressed_twice_it_is_done_once(rent: Invoice, staff: User, now: datetime) -> None:
    run = next_period.begin(ids=[rent.pk], actor=staff, now=now)
    for _ in range(2):
        next_period.raise_next(key=run.pk, step="MONTH", chosen=[rent.pk], with_words=[], actor=staff, now=now)
    assert Invoice.objects.count() == 2


def test_who_presses_has_raised_them_whoever_chose(rent: Invoice, staff: User, admin: User, now: datetime) -> None:
    """Where a second person approves, whoever raised it must not be the one who does."""
    run = next_period.begin(ids=[rent.pk], actor=staff, now=now)
    next_period.raise_next(key=run.pk, step="MONTH", chosen=[rent.pk], with_words=[], actor=admin, now=now)
    new = run.raised.get().invoice
    assert (new.created_by, new.events.get().actor) == (admin, admin)


def test_one_that_was_discarded_can_be_raised_again(rent: Invoice, raised: Any, staff: User, now: datetime) -> None:
    (new,) = raised(rent)
    services.discard(invoice_id=new.pk, reason="Too early.", actor=staff, now=now)
    assert [str(one.issue_date) for one in raised(rent)] == ["2026-02-28"]


def test_what_is_archived_or_void_is_named_and_left_out(
    rent: Invoice, new_invoice: NewInvoice, item: Item, staff: User, now: datetime
) -> None:
    gone = Client.objects.create(name="Gone Ltd", archived_at=now)
    site = Property.objects.create(name="Ivy Court", archived_at=now)
    sources = [
        new_invoice(client=gone),
        new_invoice(line(item=item)),
        new_invoice(site=site),
        services.discard(invoice_id=new_invoice().pk, reason="Twice.", actor=staff, now=now),
        rent,
    ]
    Item.objects.update(archived_at=now)
    run = next_period.begin(ids=[one.pk for one in sources], actor=staff, now=now)
    why = {one.source.pk: one.why_not for one in next_period.proposals(run, "MONTH")}
    assert [why[one.pk] for one in sources] == [
        *("Archived: Gone Ltd.", "Archived: LABOUR.", "Archived: Ivy Court.", "It is void.", "")
    ]


def test_undo_discards_them_while_all_are_drafts(
    rent: Invoice, new_invoice: NewInvoice, raised: Any, staff: User, now: datetime
) -> None:
    first, second = raised(rent, new_invoice())
    run = PeriodRun.objects.get()
    services.approve(invoice_id=first.pk, actor=staff, now=now)
    with pytest.raises(Refused, match=f"{first.number} is no draft any more"):
        next_period.undo(key=run.pk, actor=staff, now=now)
    services.return_to_draft(invoice_id=first.pk, actor=staff, now=now)
    next_period.undo(key=run.pk, actor=staff, now=now)
    second.refresh_from_db()
    assert (second.status, second.outstanding, RaisedInvoice.objects.count()) == ("VOID", Decimal(0), 0)
    assert Number.objects.filter(outcome="DISCARDED").count() == 2
    with pytest.raises(Refused, match="nothing to undo"):
        next_period.undo(key=run.pk, actor=staff, now=now)
    assert len(raised(rent)) == 1


def test_all_or_none_and_not_too_many(rent: Invoice, staff: User, now: datetime) -> None:
    for ids, why in (([], "Tick the invoices first."), (range(1001), "1,000 invoices at a time")):
        with pytest.raises(Refused, match=why):
            next_period.begin(ids=list(ids), actor=staff, now=now)


def test_the_pages_walk_from_the_list_to_the_drafts(desk: Browser, rent: Invoice, new_invoice: NewInvoice) -> None:
    other = new_invoice()
    begun = desk.post(reverse("invoice-next-begin"), {"ids": [rent.pk, other.pk]})
    page = desk.get(begun.headers["Location"]).content.decode()
    assert "Rent 1 Feb 2026 to 28 Feb 2026" in page and "was 31 Jan 2026" in page
    assert "31 Jan 2027" in desk.get(begun.headers["Location"] + "?step=YEAR").content.decode()
    done = desk.post(begun.headers["Location"], {"step": "MONTH", "ids": [rent.pk], "words": [rent.pk]})
    assert done.status_code == 302
    page = desk.get(done.headers["Location"]).content.decode()
    assert "1 draft raised" in page and "INV-00003" in page
    undone = desk.post(reverse("invoice-next-undo", args=[PeriodRun.objects.get().pk]))
    assert "The drafts were discarded" in desk.get(undone.headers["Location"]).content.decode()
    empty = desk.post(reverse("invoice-next-begin"))
    assert empty.headers["Location"] == reverse("invoice-list")
    assert desk.post(begun.headers["Location"], {"ids": "x"}).status_code == 302


def test_all_that_match_are_chosen_by_the_filter(desk: Browser, rent: Invoice, new_invoice: NewInvoice) -> None:
    new_invoice()
    desk.post(reverse("invoice-next-begin") + "?q=Rent", {"ids": [rent.pk], "all": "1"})
    assert PeriodRun.objects.get().sources == [rent.pk]


def test_as_many_queries_for_many_as_for_few(
    desk: Browser, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    counts = []
    for count in (2, 8):
        ids = [new_invoice().pk for _ in range(count)]
        run = next_period.begin(ids=ids, actor=staff, now=now)
        with CaptureQueriesContext(connection) as queries:
            desk.get(reverse("invoice-next", args=[run.pk]))
            next_period.raise_next(key=run.pk, step="MONTH", chosen=ids, with_words=ids, actor=staff, now=now)
            desk.get(reverse("invoice-next", args=[run.pk]))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 60


def test_what_was_unticked_stays_so_where_nothing_could_be_raised(desk: Browser, rent: Invoice, raised: Any) -> None:
    raised(rent)
    page = desk.post(reverse("invoice-next-begin"), {"ids": [rent.pk]}, follow=True)
    address = page.redirect_chain[-1][0]
    assert f'value="{rent.pk}" checked' in desk.get(f"{address}?step=QUARTER").text
    refused = desk.post(address, {"step": "QUARTER", "words": [rent.pk]})
    assert refused.status_code == 422
    assert f'name="ids" value="{rent.pk}">' in refused.text
    assert f'name="words" value="{rent.pk}" checked>' in refused.text


def test_a_copy_begins_as_the_other_one_is_without_its_dates(desk: Browser, rent: Invoice, item: Item) -> None:
    rent.lines.update(item=item)
    page = desk.get(reverse("invoice-new") + f"?copy={rent.pk}").content.decode()
    assert "Rent 1 Jan 2026 to 31 Jan 2026" in page and 'value="PO-7"' in page and "LABOUR" in page
    assert "Copied from INV-00001. Nothing is saved yet." in page
    assert "2026-01-31" not in page and "2026-03-02" not in page
    assert (Invoice.objects.count(), Number.objects.count()) == (1, 1)
    assert desk.get(reverse("invoice-new") + "?copy=999999").status_code == 404
    assert desk.get(reverse("invoice-new") + "?copy=x").status_code == 200


def test_a_copy_leaves_out_what_is_archived_and_says_so(
    desk: Browser, rent: Invoice, item: Item, now: datetime
) -> None:
    rent.lines.update(item=item)
    Item.objects.update(archived_at=now)
    Client.objects.update(archived_at=now)
    answer = desk.get(reverse("invoice-new") + f"?copy={rent.pk}")
    (said,) = (str(message) for message in get_messages(answer.wsgi_request))
    assert said.endswith("Left out, as they are archived: Bramley Stores Ltd (BRAM1), LABOUR.")
    page = answer.content.decode()
    assert "Rent 1 Jan 2026" in page and f'name="client" value="{rent.client_id}"' not in page
