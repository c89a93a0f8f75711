"""A credit note takes back a part of an invoice or all of it, and never more, however many there are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.utils import timezone

from connectors.models import Connection
from invoices import balances, crediting, documents, export, mending, services, voidable
from invoices.crediting import CreditDraft, CreditLine
from invoices.dashboard import figures
from invoices.drafts import EditedMeanwhile, Refused
from invoices.filtering import Asked
from invoices.listing import page
from invoices.models import Invoice, Push
from tests.conftest import line
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def sent(new_push: NewPush) -> Invoice:
    """£204.00, in the books: 2 at £85.00 and 20 %."""
    invoice = new_push("SENT").invoice
    invoice.refresh_from_db()
    return invoice


Credit = Callable[..., Invoice]


@pytest.fixture
def credit(sent: Invoice, staff: User, now: datetime) -> Credit:
    def made(quantity: str = "1", price: str = "85.00", *, invoice: Invoice = sent, key: UUID | None = None) -> Invoice:
        draft = draft_of(invoice, quantity, price)
        return crediting.create_credit_note(
            invoice_id=invoice.pk, key=key or uuid4(), draft=draft, actor=staff, now=now
        )

    return made


def draft_of(invoice: Invoice, quantity: str, price: str, on: date = date(2026, 11, 20)) -> CreditDraft:
    line_id = invoice.lines.get().pk
    figures = {"quantity": D(quantity), "unit_price": D(price), "discount_percent": D(0)}
    return CreditDraft(issue_date=on, notes="One visit too many.", lines=[CreditLine(line_id=line_id, **figures)])


def test_a_part_of_a_line_is_credited_under_a_number_of_its_own(credit: Credit, sent: Invoice) -> None:
    made = credit()
    assert (made.number, made.kind, made.credits, made.status) == ("CN-00001", "CREDIT_NOTE", sent, "DRAFT")
    assert (made.net, made.tax, made.total, made.outstanding) == (D(-85), D(-17), D(-102), D(-102))
    (one,) = made.lines.all()
    assert (one.net, one.tax, one.total, one.credits) == (D(85), D(17), D(102), sent.lines.get())
    assert made.client == sent.client
    assert credit().number == "CN-00002"


def test_never_more_than_is_left_over_all_its_credit_notes(credit: Credit, sent: Invoice) -> None:
    credit("1.5")
    with pytest.raises(Refused, match=r"42\.50 net is left to credit; this would be 85\.00"):
        credit("1")
    credit("0.5")
    with pytest.raises(Refused, match="All of it is credited already"):
        credit("0.01", "0.01")
    assert crediting.amount_left(sent) == 0


def test_what_a_discarded_credit_note_took_can_be_credited_again(
    credit: Credit, sent: Invoice, staff: User, now: datetime
) -> None:
    first = credit("2")
    services.discard(invoice_id=first.pk, reason="Not agreed", actor=staff, now=now)
    assert crediting.amount_left(sent) == D(204)
    assert credit("2").total == D(-204)


def test_what_is_left_is_filled_in_as_the_line_is_written_or_else_as_one_amount(credit: Credit, sent: Invoice) -> None:
    def filled() -> tuple[Decimal, Decimal, Decimal]:
        (left,) = crediting.left_of(sent).values()
        return left.quantity, left.unit_price, left.net

    assert filled() == (D(2), D(85), D(170))
    half = credit("1")
    assert filled() == (D(1), D(85), D(85))
    credit("1", "10.01")
    assert filled() == (D(1), D("74.99"), D("74.99"))
    (left,) = crediting.left_of(sent, half).values()
    assert left.net == D("159.99")


def test_what_is_filled_in_can_be_saved_though_less_than_one_was_invoiced(
    credit: Credit, new_invoice: Callable[..., Invoice], staff: User, now: datetime, desk: Browser
) -> None:
    """Half a day at 100.00, of which a quarter at 90.00 was credited: 27.50 is left, which no quarter comes to."""
    invoice = new_invoice(line(quantity=D("0.5"), unit_price=D(100)))
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    Invoice.objects.filter(pk=invoice.pk).update(status="SENT")
    credit("0.25", "90.00", invoice=invoice)
    shown = desk.get(f"/invoices/{invoice.pk}/credit/").context
    given = {f"lines-0-{name}": value for name, value in shown["lines"].forms[0].initial.items()}
    head = {"key": uuid4(), "issue_date": "2026-11-20", "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "1"}
    assert desk.post(f"/invoices/{invoice.pk}/credit/", {**head, **given}).status_code == 302
    assert crediting.amount_left(invoice) == 0


def test_the_last_of_a_line_takes_its_last_penny_of_tax(
    credit: Credit, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    """0.06 with 0.01 of tax: each half would round to 0.01."""
    invoice = new_invoice(line(quantity=D(2), unit_price=D("0.03")))
    services.approve(invoice_id=invoice.pk, actor=staff, now=now)
    Invoice.objects.filter(pk=invoice.pk).update(status="SENT")
    halves = [credit("1", "0.03", invoice=invoice) for _ in range(2)]
    assert [half.tax for half in halves] == [D("-0.01"), D("0.00")]
    assert sum(half.total for half in halves) == -D("0.07")


def test_a_second_click_is_the_same_credit_note(credit: Credit) -> None:
    key = uuid4()
    assert credit(key=key) == credit(key=key)
    assert Invoice.objects.filter(kind="CREDIT_NOTE").count() == 1


@pytest.mark.parametrize(
    ("status", "why"),
    [("DRAFT", "change it instead"), ("APPROVED", "take it back to draft"), ("VOID", "nothing to credit")],
)
def test_only_what_was_sent_is_credited(
    credit: Credit, sent: Invoice, staff: User, now: datetime, status: str, why: str
) -> None:
    changed = {"frozen": None, "approved_at": None} if status == "DRAFT" else {}
    Invoice.objects.filter(pk=sent.pk).update(status=status, **changed)
    with pytest.raises(Refused, match=why):
        credit()


def test_what_is_paid_can_be_credited_too(credit: Credit, sent: Invoice) -> None:
    Invoice.objects.filter(pk=sent.pk).update(status="PAID", outstanding=0)
    assert credit("2").total == D(-204)


def test_it_is_not_dated_before_its_invoice_nor_empty(
    credit: Credit, sent: Invoice, staff: User, now: datetime
) -> None:
    early = draft_of(sent, "1", "1", on=date(2026, 11, 1))
    with pytest.raises(Refused, match="not dated before its invoice"):
        crediting.create_credit_note(invoice_id=sent.pk, key=uuid4(), draft=early, actor=staff, now=now)
    with pytest.raises(Refused, match="Nothing is credited yet"):
        credit("1", "0")
    assert not sent.credit_notes.exists()


def test_a_draft_is_changed_within_what_is_left(credit: Credit, sent: Invoice, staff: User, now: datetime) -> None:
    made = credit("1")
    credit("0.5")

    def change(quantity: str, version: int) -> Invoice:
        draft = draft_of(sent, quantity, "85.00")
        return crediting.update_credit_note(credit_id=made.pk, version=version, draft=draft, actor=staff, now=now)

    assert change("1.5", 1).total == D(-153)
    with pytest.raises(EditedMeanwhile):
        change("1", 1)
    with pytest.raises(Refused, match="left to credit"):
        change("1.51", 2)
    assert made.lines.get().quantity == D("1.5")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_people_who_credit_all_of_it_at_once_one_does(sent: Invoice, staff: User, now: datetime) -> None:
    def try_it(_: int) -> bool:
        try:
            crediting.create_credit_note(
                invoice_id=sent.pk, key=uuid4(), draft=draft_of(sent, "1.5", "85.00"), actor=staff, now=now
            )
        except Refused:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_it, range(4))) == 1
    assert crediting.amount_left(sent) == D(51)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_postgres_itself_refuses_two_that_no_code_of_ours_counted_together(credit: Credit, sent: Invoice) -> None:
    both = [credit("0.5"), credit("0.5")]

    def enlarge(made: Invoice) -> bool:
        try:
            with transaction.atomic():
                Invoice.objects.filter(pk=made.pk).update(net=-100, tax=-20, total=-120)
        except IntegrityError as refused:
            return "cannot be credited with" not in str(refused)
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(enlarge, both)) == [False, True]


def test_every_sum_over_documents_subtracts_it(
    credit: Credit, sent: Invoice, staff: User, now: datetime, wired: Connection
) -> None:
    made = credit("0.5")
    services.approve(invoice_id=made.pk, actor=staff, now=now)
    Invoice.objects.filter(pk=made.pk).update(status="SENT")
    today = date(2027, 1, 10)  # the invoice is 39 days late by then
    (owed,) = balances.owed(today)
    assert (owed.outstanding, owed.overdue, owed.overdue_invoices) == (D(153), D(204), 1)
    assert sum(month.total for month in balances.by_month(date(2026, 11, 30))) == D(153)
    (sheet,) = figures(None, timezone.make_aware(datetime(2027, 1, 10))).sheets  # noqa: DTZ001
    ages = {label: tally.amount for label, tally in sheet.ages if tally.amount}
    assert ages == {"Not due yet": D(-51), "31 to 60 days": D(204)}
    assert balances.differences(today) == []
    listed = {"overdue": Asked(overdue=True), "notes": Asked(kind="CREDIT_NOTE"), "found": Asked(q="CN-00001")}
    shown = {name: [one.pk for one in page(asked, wired, today=today).invoices] for name, asked in listed.items()}
    assert shown == {"overdue": [sent.pk], "notes": [made.pk], "found": [made.pk]}
    rows = list(export.rows(Invoice.objects.filter(pk=made.pk).prefetch_related("pushes", "remotes"), wired, now=now))
    assert ",-42.50,-8.50,-51.00,-51.00,GBP," in rows[1]
    assert rows[1].rstrip().endswith("Credit note")


def test_what_is_sent_is_positive_and_names_what_it_credits(
    credit: Credit, sent: Invoice, staff: User, now: datetime
) -> None:
    made = services.approve(invoice_id=credit().pk, actor=staff, now=now)
    frozen = made.frozen or {}
    assert (frozen["net"], frozen["total"], frozen["original_date"]) == ("85.00", "102.00", "2026-11-02")
    assert frozen["notes"].startswith("Credits INV-00001 of 2 November 2026\n")
    codes = documents.Codes(
        client_id="c", sales_account_id="a", tax_rate_ids={"STANDARD": "r"}, account_ids={}, item_ids={}
    )
    options = Connection(platform="sage_accounting").options
    sending = documents.compose(frozen, number="CN-00001", prefix="CN-", codes=codes, options=options)
    assert sending.original_date == sent.issue_date
    assert documents.from_json(documents.to_json(sending)) == sending


def test_an_invoice_with_a_credit_note_is_not_voided_and_a_void_ones_draft_not_approved(
    credit: Credit, sent: Invoice, wired: Connection, staff: User, now: datetime
) -> None:
    made = credit()
    assert "CN-00001 credits it" in str(voidable.why_not(sent, wired))
    Invoice.objects.filter(pk=sent.pk).update(status="VOID", outstanding=0)
    with pytest.raises(Refused, match="INV-00001 is void"):
        services.approve(invoice_id=made.pk, actor=staff, now=now)


def test_a_platform_that_does_not_take_them_says_so_before_anything_is_queued(
    credit: Credit, wired: Connection, staff: User, now: datetime
) -> None:
    made = credit()
    Connection.objects.update(platform="sage_intacct")
    with pytest.raises(Refused, match=r"does not send credit notes to Sage Intacct yet\..*by hand"):
        services.request_push(invoice_id=made.pk, actor=staff, now=now)
    assert not made.pushes.exists()
    assert services.approve(invoice_id=made.pk, actor=staff, now=now).status == "APPROVED"


def test_it_goes_where_its_invoice_is(credit: Credit, sent: Invoice, wired: Connection, now: datetime) -> None:
    made = credit()
    assert services.obstacles(made, wired) == []
    sent.remotes.update(gone_at=now)
    assert "is not in the books of Harbour" in str(services.obstacles(made, wired)[0])


def test_one_mend_for_a_whole_group_leaves_what_a_credit_note_credits_as_it_is(
    credit: Credit, sent: Invoice, staff: User, now: datetime
) -> None:
    """0.06 with 0.01 of tax: counted anew from its lines, the second half would take a penny more than is left."""
    line_of = sent.lines.get()
    line_of.unit_price = D("0.03")
    line_of.count()
    line_of.save()
    Invoice.objects.filter(pk=sent.pk).update(net=line_of.net, tax=line_of.tax, total=line_of.total)
    credit("1", "0.03")
    made = credit("1", "0.03")
    assert made.tax == 0
    push = services.request_push(invoice_id=made.pk, actor=staff, now=now)
    held = {"state": "ATTENTION", "cause": "REJECTED", "cause_key": "DATE|||x", "held_at": now}
    Push.objects.filter(pk=push.pk).update(**held)
    outcome = mending.amend(Push.objects.all(), mending.dated(date(2026, 12, 1)), actor=staff, now=now)
    assert (outcome.done, outcome.left_out) == (1, {})
    made.refresh_from_db()
    assert (made.issue_date, made.due_date, made.total) == (date(2026, 12, 1), date(2026, 12, 1), D("-0.03"))
    assert made.lines.get().credits == line_of
    push.refresh_from_db()
    assert push.state == "READY"
    Push.objects.filter(pk=push.pk).update(**held)
    early = mending.amend(Push.objects.all(), mending.dated(date(2026, 11, 1)), actor=staff, now=now)
    assert "not dated before its invoice" in next(iter(early.left_out))
