"""Who owes what, and how late: by client and age, today and on a day that is over, and the statement of one client."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.db import connection as database
from django.db.models import Sum
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate
from pypdf import PdfReader

from invoices import balances, debtor_pages, debtors, mailing, statements
from invoices.models import Client, ClientOwed, Company, Invoice, InvoiceMail, PaymentSeen
from invoices.statements import Asked

pytestmark = pytest.mark.django_db
TODAY = localdate()
NewInvoice = Callable[..., Invoice]


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.fixture
def sent(new_invoice: NewInvoice, staff: User, now: datetime) -> NewInvoice:
    """An invoice in the books, due so many days ago, of which so much is owed."""

    def made(late: int, owed: str, **changes: Any) -> Invoice:
        due = days_ago(late)
        invoice = new_invoice(issue_date=due - timedelta(days=30), due_date=due, client=changes.pop("client", None))
        given = {"net": Decimal(owed), "tax": 0, "total": Decimal(owed), "outstanding": Decimal(owed)}
        frozen = {"status": "SENT", "frozen": {}, "approved_at": now, "approved_by": staff}
        Invoice.objects.filter(pk=invoice.pk).update(**{**given, **frozen, **changes})
        invoice.refresh_from_db()
        return invoice

    return made


def pay(invoice: Invoice, amount: str, *, on: date | None = None) -> None:
    """As Sage says so, learned of on that day."""
    left = invoice.outstanding - Decimal(amount)
    Invoice.objects.filter(pk=invoice.pk).update(outstanding=left, status="PART_PAID" if left else "PAID")
    invoice.refresh_from_db()
    if on:
        PaymentSeen.objects.filter(pk=PaymentSeen.objects.latest("pk").pk).update(seen_at=debtors.end_of(on - DAY))


DAY = timedelta(days=1)


# By client and age ------------------------------------------------------------------------------------------------
def test_each_client_by_age_the_most_overdue_first(sent: NewInvoice, client_of_ours: Client) -> None:
    other = Client.objects.create(name="Aldgate Dental")
    for late, owed in (
        (-3, "10"),
        (0, "1"),
        (1, "20"),
        (30, "2"),
        (31, "30"),
        (60, "3"),
        (61, "40"),
        (90, "4"),
        (91, "50"),
    ):
        sent(late, owed)
    sent(400, "7", client=other)
    sent(5, "99", status="PAID", outstanding=0)
    sent(5, "99", status="VOID", outstanding=0)
    first, second = debtors.aged(TODAY, today=TODAY)
    assert (first.client, first.by_age, first.total) == (client_of_ours.name, (11, 22, 33, 44, 50), 160)
    assert (second.client, second.by_age, second.invoices) == ("Aldgate Dental", (0, 0, 0, 0, 7), 1)
    (all_of_them,) = debtors.all_of([first, second])
    assert (all_of_them.by_age, all_of_them.total, all_of_them.invoices) == ((11, 22, 33, 44, 57), 167, 10)
    assert [one.client for one in debtors.aged(TODAY, today=TODAY, client="dent")] == ["Aldgate Dental"]


def test_currencies_are_never_added_up(sent: NewInvoice) -> None:
    sent(5, "10")
    sent(5, "20", currency="EUR")
    found = debtors.aged(TODAY, today=TODAY)
    assert [(one.currency, one.total) for one in found] == [("EUR", 20), ("GBP", 10)]
    assert [(one.currency, one.total) for one in debtors.all_of(found)] == [("EUR", 20), ("GBP", 10)]


def test_a_day_that_is_over_shows_what_was_owed_then_as_far_as_was_known(sent: NewInvoice) -> None:
    paid, part, later = sent(40, "100"), sent(40, "60"), sent(-30, "30", issue_date=days_ago(1))
    pay(paid, "100", on=days_ago(10))
    pay(part, "25", on=days_ago(20))
    pay(part, "5", on=days_ago(5))

    def owed(days: int) -> list[Decimal]:
        return [one.total for one in debtors.aged(days_ago(days), today=TODAY)]

    assert owed(0) == [part.outstanding + later.outstanding] == [60]
    assert (owed(6), owed(10), owed(11), owed(21)) == ([35], [35], [135], [160])
    assert owed(100) == []
    (then,) = debtors.aged(days_ago(21), today=TODAY)
    assert then.by_age == (0, 160, 0, 0, 0), "and it is as old as it was then"


def test_payments_are_seen_by_postgres_whoever_writes_them(sent: NewInvoice) -> None:
    invoice = sent(5, "100")
    assert not PaymentSeen.objects.exists(), "nothing was paid by being approved, sent or edited"
    pay(invoice, "30")
    Invoice.objects.bulk_update([Invoice(pk=invoice.pk, outstanding=100, status="SENT")], ["outstanding", "status"])
    Invoice.objects.update(due_date=TODAY)
    Invoice.objects.update(status="VOID", outstanding=0)
    assert list(PaymentSeen.objects.values_list("amount", flat=True)) == [30, -30]


def test_the_page_asks_once_however_many_there_are(sent: NewInvoice, desk: Browser) -> None:
    counts = []
    for count in (1, 4):
        for n in range(count):
            sent(n, "5", client=Client.objects.create(name=f"Client {count}{n}"))
        with CaptureQueriesContext(
            database,
        ) as asked:
            assert desk.get("/debtors/").status_code == 200
        counts.append(len(asked))
        assert sum('"invoices_invoice"' in query["sql"] for query in asked.captured_queries) == 1
    assert counts[0] == counts[1] <= 12


def test_the_page_leads_to_the_invoices_behind_each_figure(sent: NewInvoice, desk: Browser) -> None:
    invoice, other = sent(45, "1234.50"), sent(5, "8")
    page = desk.get("/debtors/").text
    there = f"/clients/{invoice.client_id}/statement/?until={TODAY}&amp;age=2"
    assert f'<a href="{there}">£1,234.50</a>' in page
    behind = desk.get(there.replace("&amp;", "&")).text
    assert str(invoice.number) in behind and str(other.number) not in behind


def test_the_file_and_a_day_that_makes_no_sense(sent: NewInvoice, desk: Browser) -> None:
    sent(45, "1234.50", client=Client.objects.create(name="=cmd"))
    lines = b"".join(desk.get("/debtors/csv/")).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert (
        lines[0] == "Client,Currency,Invoices,Not due yet,1 to 30 days,31 to 60 days,61 to 90 days,Over 90 days,Total"
    )
    assert lines[1] == "'=cmd,GBP,1,0,0,1234.50,0,0,1234.50"
    answer = desk.get("/debtors/?as_of=31.2.2026&q=%00&page=x")
    assert answer.status_code == 200 and "Enter a valid date" in answer.text
    assert "Nobody owes anything" in desk.get("/debtors/?as_of=2001-01-01").text


# Page by page -----------------------------------------------------------------------------------------------------
@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debtor_pages, "PAGE_SIZE", 2)


def walked(as_of: date, client: str = "") -> list[list[tuple[str, str, Decimal]]]:
    """All pages on the way there, which are the same on the way back."""
    pages = [debtor_pages.page(as_of, today=TODAY, client=client)]
    assert not pages[0].before
    while pages[-1].after:
        pages.append(debtor_pages.page(as_of, today=TODAY, client=client, after=pages[-1].after))
    back = [pages[-1]]
    while back[0].before:
        back.insert(0, debtor_pages.page(as_of, today=TODAY, client=client, before=back[0].before))
    assert [page.rows for page in back] == [page.rows for page in pages]
    return [[(one.client, one.currency, one.total) for one in page.rows] for page in pages]


def test_whoever_owes_most_comes_first_whether_it_is_folded_or_new(sent: NewInvoice, pages_of_two: None) -> None:
    clients = [Client.objects.create(name=f"Client {name}") for name in "ABCDE"]
    for client, owed in zip(clients, ("10", "50", "50", "20", "5"), strict=True):
        sent(5, owed, client=client)
    balances.fold(TODAY)
    assert ClientOwed.objects.filter(folded=True).count() == 5
    sent(5, "100", client=clients[0])
    sent(5, "7", client=clients[4], currency="EUR")
    pay(Invoice.objects.get(client=clients[3]), "20")
    wanted = [
        [("Client E", "EUR", 7), ("Client A", "GBP", 110)],
        [("Client B", "GBP", 50), ("Client C", "GBP", 50)],
        [("Client E", "GBP", 5)],
    ]
    assert walked(TODAY) == wanted
    balances.fold(TODAY)
    assert not ClientOwed.objects.filter(folded=False).exists() and balances.differences(TODAY) == []
    assert walked(TODAY) == walked(TODAY + DAY) == wanted
    assert walked(TODAY, "nt e") == [[("Client E", "EUR", 7), ("Client E", "GBP", 5)]]
    assert walked(TODAY, "%") == walked(TODAY, "_") == [[]]


def test_of_a_day_that_is_over_they_come_by_name(sent: NewInvoice, pages_of_two: None) -> None:
    for name, owed in (("Cedar", "5"), ("Aldgate", "50"), ("Birch", "20"), ("Aldgate", "8")):
        pay(sent(40, owed, client=Client.objects.create(name=name)), owed, on=days_ago(3))
    sent(-30, "30", issue_date=days_ago(1), client=Client.objects.create(name="Later"))
    then = [(name, "GBP", total) for name, total in (("Aldgate", 50), ("Aldgate", 8), ("Birch", 20), ("Cedar", 5))]
    assert walked(days_ago(4)) == [then[:2], then[2:]]
    assert walked(days_ago(4), "birch") == [[then[2]]]
    assert walked(TODAY) == [[("Later", "GBP", 30)]]


def test_what_all_owe_is_the_same_however_it_is_found(sent: NewInvoice, desk: Browser, pages_of_two: None) -> None:
    for n, late in enumerate((-1, 0, 1, 30, 31, 60, 61, 90, 91)):
        sent(late, "10.01", client=Client.objects.create(name=f"Client {n}"))
    sent(99, "-4", kind="CREDIT_NOTE", net=-4, total=-4, outstanding=-4, credits=Invoice.objects.earliest("pk"))
    sent(5, "3", currency="EUR")
    pay(Invoice.objects.latest("due_date"), "2.5")

    def one_by_one(day: date, client: str = "") -> list[tuple[str, tuple[Decimal, ...]]]:
        return [(one.currency, one.by_age) for one in debtors.all_of(debtors.aged(day, today=TODAY, client=client))]

    for day in (TODAY, TODAY + DAY, days_ago(1), days_ago(45), days_ago(900)):
        for client in ("", "client", "Bramley"):
            together = debtors.sums(day, today=TODAY, client=client)
            assert [(one.currency, one.by_age) for one in together] == one_by_one(day, client)
    assert "£83.59" in desk.get("/debtors/").text
    page = desk.get("/debtors/?q=client").text
    assert "£87.59" not in page and 'hx-get="/debtors/sums/?' in page
    assert "£87.59" in desk.get("/debtors/sums/?q=client").text


def test_pages_lead_on_with_what_was_asked_for(sent: NewInvoice, desk: Browser, pages_of_two: None) -> None:
    for n in range(3):
        sent(5, str(n + 1), client=Client.objects.create(name=f"Client & {n}"))
    page = desk.get("/debtors/?q=client")
    assert "Client &amp; 0" not in page.text
    following = desk.get(f"/debtors/{page.context['after']}")
    assert "Client &amp; 0" in following.text and "Client &amp; 1" not in following.text
    assert following.context["q"] == "client" and following.context["before"] and not following.context["after"]
    for key in ("x", "GBP.x.1", "GBP.NaN.1", "GBP.1.x", ".", "%00.1"):
        assert "Client &amp; 2" in desk.get(f"/debtors/?q=client&after={key}").text


def test_what_a_client_owes_is_kept_whatever_happens_to_its_invoices(sent: NewInvoice, client_of_ours: Client) -> None:
    def kept() -> dict[tuple[str, str], Decimal]:
        assert balances.differences(TODAY) == []
        rows = ClientOwed.objects.order_by().values_list("client__name", "currency").annotate(Sum("outstanding"))
        return {(name, currency): total for name, currency, total in rows if total}

    first, second, ours = sent(5, "10"), sent(5, "20"), (client_of_ours.name, "GBP")
    assert kept() == {ours: 30}
    pay(first, "4")
    pay(second, "20")
    assert kept() == {ours: 6}
    Invoice.objects.filter(pk=first.pk).update(client=Client.objects.create(name="Other"))
    assert kept() == {("Other", "GBP"): 6}
    Invoice.objects.filter(pk=first.pk).update(status="VOID", outstanding=0)
    assert kept() == {}
    balances.fold(TODAY)
    assert not ClientOwed.objects.exists()
    ClientOwed.objects.create(client=client_of_ours, currency="GBP", invoices=1, outstanding=5)
    (wrong,) = balances.differences(TODAY)
    assert (wrong.invoices, wrong.outstanding) == (-1, -5)
    assert str(balances.mend(TODAY)) == str([wrong])
    assert kept() == {} and not ClientOwed.objects.exists()


# A client's statement ---------------------------------------------------------------------------------------------
def test_what_is_open_and_what_happened_since(sent: NewInvoice, client_of_ours: Client) -> None:
    old, new = sent(60, "100"), sent(-25, "40", issue_date=days_ago(5))
    pay(old, "30", on=days_ago(45))
    pay(old, "70", on=days_ago(3))
    sent(10, "999", client=Client.objects.create(name="Somebody else"))
    (opened,) = statements.sheets(client_of_ours, Asked(until=TODAY), None, today=TODAY)
    assert [(line.number, line.left) for line in opened.lines] == [(new.number, 40)]
    assert (opened.closing, opened.by_age) == (40, (40, 0, 0, 0, 0))
    (then,) = statements.sheets(client_of_ours, Asked(until=days_ago(4)), None, today=TODAY)
    assert [(line.number, line.left, line.late) for line in then.lines] == [(old.number, 70, 56), (new.number, 40, 0)]
    asked = Asked(since=days_ago(10), until=TODAY)
    (since,) = statements.sheets(client_of_ours, asked, None, today=TODAY)
    assert (since.opening, since.closing) == (70, 40)
    assert [(line.words, line.number, line.amount, line.left) for line in since.lines] == [
        ("Invoice", new.number, 40, 110),
        ("Paid", old.number, -70, 40),
    ]


def test_the_closing_balance_is_the_next_opening_balance(sent: NewInvoice, client_of_ours: Client) -> None:
    for late, owed in ((50, "10"), (20, "20"), (0, "40")):
        pay(sent(late, owed), "5", on=days_ago(late // 2))
    for middle in (0, 1, 9, 10, 11, 25, 49, 80):
        day = days_ago(middle)
        (before,) = statements.sheets(client_of_ours, Asked(since=days_ago(300), until=day), None, today=TODAY) or [
            None
        ]
        (after,) = statements.sheets(client_of_ours, Asked(since=day + DAY, until=TODAY + DAY), None, today=TODAY)
        assert after.opening == (before.closing if before else 0)
        assert after.closing == 55


def test_what_was_paid_before_it_was_imported_is_paid_from_its_first_day_here(
    sent: NewInvoice, client_of_ours: Client
) -> None:
    invoice = sent(100, "80")
    Invoice.objects.filter(pk=invoice.pk).update(outstanding=0, status="PAID")
    PaymentSeen.objects.all().delete()
    (sheet,) = statements.sheets(client_of_ours, Asked(since=days_ago(200), until=TODAY), None, today=TODAY)
    assert [(line.day, line.words, line.left) for line in sheet.lines] == [
        (invoice.issue_date, "Invoice", 80),
        (TODAY, "Paid", 0),
    ]


def test_a_long_statement_shows_some_lines_at_first(
    sent: NewInvoice, client_of_ours: Client, desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "AT_FIRST", 2)
    numbers = [str(sent(late, "10").number) for late in (50, 40, 20, 5)]
    there = f"/clients/{client_of_ours.pk}/statement/"
    for query in ("?", f"?kind=activity&since={days_ago(300)}&"):
        page = desk.get(f"{there}{query}")
        assert [number in page.text for number in numbers] == [True, True, False, False]
        assert "2 more lines are in the balance" in page.text and "£40.00" in page.text
        assert all(number in desk.get(f"{there}{query}all=1").text for number in numbers)
    aged = desk.get(f"{there}?age=2").text
    assert numbers[0] in aged and numbers[1] in aged and "more line" not in aged


def test_what_was_invoiced_after_the_last_day_is_not_on_it_and_paid_after_it_was_owed(
    sent: NewInvoice, client_of_ours: Client
) -> None:
    early, late = sent(60, "100"), sent(-20, "40", issue_date=days_ago(5))
    pay(early, "100", on=days_ago(3))
    pay(late, "15", on=days_ago(2))
    imported = sent(70, "30", origin="IMPORTED", outstanding=12, status="PART_PAID")
    Invoice.objects.filter(pk=imported.pk).update(created_at=debtors.end_of(days_ago(5)))  # paid in part by then
    asked = Asked(since=days_ago(95), until=days_ago(10))
    (sheet,) = statements.sheets(client_of_ours, asked, None, today=TODAY)
    assert [(line.number, line.amount) for line in sheet.lines] == [(early.number, 100)]
    assert (sheet.opening, sheet.closing) == (30, 130)
    asked = Asked(since=days_ago(9), until=TODAY)
    (sheet,) = statements.sheets(client_of_ours, asked, None, today=TODAY)
    assert (sheet.opening, sheet.closing) == (130, 37)
    assert [(line.number, line.amount) for line in sheet.lines] == [
        *((late.number, 40), (imported.number, -18)),
        *((early.number, -100), (late.number, -15)),
    ]


def text_of(content: bytes) -> str:
    return " ".join("\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


def test_the_statement_on_paper(sent: NewInvoice, client_of_ours: Client, desk: Browser) -> None:
    Company.objects.create(pk=1, name="Quayside Property Care Ltd", payment_details="Account 12345678")
    invoice = sent(45, "1234.50")
    answer = desk.get(f"/clients/{client_of_ours.pk}/statement/pdf/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert f"Statement {TODAY} - Bramley Stores Ltd" in answer.headers["Content-Disposition"]
    text = text_of(answer.content)
    for words in ("Bramley Stores Ltd", "4 Mill Lane", str(invoice.number), "£1,234.50", "Account 12345678"):
        assert words in text
    pay(invoice, "1234.50")
    text = text_of(desk.get(f"/clients/{client_of_ours.pk}/statement/pdf/?kind=activity&since={days_ago(100)}").content)
    assert "Balance before" in text and "Paid, " + str(invoice.number) in text and "£0.00" in text
    assert "Nothing is open." in text_of(desk.get(f"/clients/{client_of_ours.pk}/statement/pdf/").content)


def test_a_statement_is_e_mailed_once(
    sent: NewInvoice, client_of_ours: Client, desk: Browser, staff: User, settings: Any
) -> None:
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "Reflow <billing@quayside.example>"
    sent(45, "1234.50")
    path = f"/clients/{client_of_ours.pk}/statement/mail/"
    page = desk.get(path)
    said = page.context["form"].initial
    assert said["to"] == client_of_ours.email and "The balance is £1,234.50." in said["message"]
    typed = {**said, "key": str(said["key"])}
    assert desk.post(path, {**typed, "to": "nobody"}).status_code == 422
    for _ in range(2):
        assert desk.post(path, typed).status_code == 302
    mail = InvoiceMail.objects.get()
    for _ in range(2):
        mailing.work(mail.pk)
    (message,) = outbox.outbox
    assert message.attachments[0][0].startswith(f"Statement {TODAY}")
    mail.refresh_from_db()
    assert (mail.state, mail.invoice) == ("SENT", None)
    assert "Statement to accounts@bramley.example: sent" in desk.get(f"/clients/{client_of_ours.pk}/statement/").text


def test_without_a_mail_server_the_page_says_so(desk: Browser, client_of_ours: Client) -> None:
    path = f"/clients/{client_of_ours.pk}/statement/mail/"
    assert "e-mail is not set up" in desk.get(path).text
    typed = {"key": "5d5f2a30-3c4b-4f6e-9b3d-111111111111", "to": "a@b.example", "subject": "s", "message": "m"}
    assert desk.post(path, typed).status_code == 422
    assert not InvoiceMail.objects.exists()
