"""What is copied in is, field by field, what a model made here would be, whatever the books say in it."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction

from connectors.interface import BookedInvoice, BookedLine, RemoteStatus
from connectors.models import Connection, RemoteLink
from incrementors.models import Number
from invoices import intake, strangers
from invoices.models import Client, Event, Invoice, InvoiceLine
from invoices.models import RemoteInvoice as Row
from tests.invoices.test_pull import booked

pytestmark = pytest.mark.django_db
AWKWARD = [
    "Two\nlines",
    "\\.",
    "a\n\\.\nb",
    "\\N",
    "\\t and \t, a tab",
    'He said "so", and left',
    "'; DROP TABLE invoices_invoice; --",
    "",
    " ",
    "NULL",
    "\r\n",
    "Ünïcode, £ 日本 🧾",
    "x" * 1200,
    "{braces} %s %(name)s",
]


def line(**changes: Any) -> BookedLine:
    given: dict[str, Any] = {
        "description": "Entered in Sage",
        "account": "4000",
        "account_id": "acc-4000",
        "quantity": Decimal(3),
        "unit_price": Decimal("33.335"),
        "net": Decimal("99.505"),
        "tax": Decimal("19.90"),
        "discount": Decimal("0.5"),
    }
    return BookedLine(**{**given, **changes})


def fields_of(row: models.Model) -> dict[str, object]:
    """All that is stored of it, but the key it was given."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}


def assert_stored(rows: Iterable[models.Model], expected: Iterable[models.Model]) -> None:
    """The same as what the models would have written, sums rounded by Postgres as theirs are."""
    for row, other in zip(rows, expected, strict=True):
        assert fields_of(row) == fields_of(other)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")


def invoice_as_made(one: BookedInvoice, row: Invoice, number: str, now: datetime, kind: str) -> Invoice:
    sign, theirs = -1 if kind == "CREDIT_NOTE" else 1, one.invoice
    status = {"OPEN": "SENT", "PART_PAID": "PART_PAID", "PAID": "PAID", "VOID": "VOID"}[theirs.status]
    due = one.net + one.tax if theirs.outstanding is None else theirs.outstanding
    return Invoice(
        uuid=row.uuid,
        kind=kind,
        origin="IMPORTED",
        number=number,
        number_prefix="IMP-",
        status=status,
        client=Client.objects.get(name=theirs.client_name),
        issue_date=theirs.issue_date,
        due_date=one.due_date,
        reference=theirs.reference[:50],
        currency=one.currency,
        net=one.net * sign,
        tax=one.tax * sign,
        total=(one.net + one.tax) * sign,
        outstanding=Decimal(0) if status == "VOID" else due * sign,
        created_at=now,
    )


def rows_as_made(one: BookedInvoice, invoice: Invoice, connection: Connection, now: datetime) -> Row:
    theirs = one.invoice
    return Row(
        invoice=invoice,
        connection=connection,
        remote_id=theirs.id,
        number=theirs.number,
        url=theirs.url,
        total=theirs.total,
        linked_at=now,
        checked_at=now,
        status=theirs.status,
        document_id=one.document_id,
    )


def lines_as_made(one: BookedInvoice, invoice: Invoice) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            invoice=invoice,
            position=position,
            description=each.description[:1000],
            quantity=each.quantity,
            unit_price=cents(each.unit_price),
            nominal_code=each.account[:80],
            discount=each.discount,
            net=cents(each.net),
            tax=cents(each.tax),
            total=cents(each.net + each.tax),
        )
        for position, each in enumerate(one.lines, start=1)
    ]


@pytest.mark.parametrize("kind", ["INVOICE", "CREDIT_NOTE"])
def test_each_table_holds_what_models_would_have_written(wired: Connection, now: datetime, kind: str) -> None:
    lines = tuple(line(description=text, account=text[:90]) for text in AWKWARD)
    page = [
        booked(1, lines=lines, document_id="doc\\1"),
        booked(2, reference="R" * 200, url="", outstanding=None, lines=()),
        booked(3, number='SI "3", \\N', reference="a,b\\.", client_name='O\'Hara, "Sons" \\ Co', client_id="C-10"),
        booked(4, status=RemoteStatus.PAID, outstanding=Decimal(0), currency="EUR"),
        booked(5, status=RemoteStatus.VOID, outstanding=Decimal("7.00")),
        booked(6, status=RemoteStatus.PART_PAID, outstanding=Decimal("20.5"), issue_date=date(2020, 2, 29)),
        booked(7, net=Decimal("-5.00"), tax=Decimal("-1"), total=Decimal("-6"), outstanding=Decimal(-6)),
    ]
    wired = set_to_import(wired)
    assert intake.take(wired, page, now=now, kind=kind).imported == len(page)
    invoices = list(Invoice.objects.order_by("id"))
    numbered = zip(page, invoices, range(1, 8), strict=True)
    expected = [invoice_as_made(one, row, f"IMP-{n:05}", now, kind) for one, row, n in numbered]
    assert_stored(invoices, expected)
    pairs = list(zip(page, invoices, strict=True))
    assert_stored(Row.objects.order_by("id"), [rows_as_made(*pair, wired, now) for pair in pairs])
    assert_stored(InvoiceLine.objects.order_by("id"), [each for pair in pairs for each in lines_as_made(*pair)])
    text = "Imported from Harbour."
    events = [Event(invoice=invoice, happened_at=now, actor=None, text=text) for invoice in invoices]
    assert_stored(Event.objects.order_by("id"), events)
    numbers = [
        Number(group_id="IMPORTED", value=n, text=f"IMP-{n:05}", prefix="IMP-", holder=invoice.uuid, given_at=now)
        for n, invoice in enumerate(invoices, start=1)
    ]
    assert_stored(Number.objects.order_by("id"), numbers)


def set_to_import(connection: Connection) -> Connection:
    Connection.objects.update(sync_settings={**connection.sync_settings, "direction": "BOTH"})
    connection.refresh_from_db()
    return connection


def test_each_has_an_id_of_its_own_and_the_number_held_by_it(wired: Connection, now: datetime) -> None:
    intake.take(set_to_import(wired), [booked(n) for n in range(30)], now=now)
    ids = dict(Invoice.objects.values_list("number", "uuid"))
    assert len(set(ids.values())) == 30
    assert dict(Number.objects.values_list("text", "holder")) == ids
    assert {one.version for one in ids.values() if isinstance(one, uuid.UUID)} == {4}


def test_of_two_with_one_number_in_a_page_the_first_shows_it_and_none_shows_one_that_is_given_here(
    wired: Connection, now: datetime
) -> None:
    page = [booked(1, number="SAME"), booked(2, number="same"), booked(3, number="IMP-00001"), booked(4, number="")]
    page += [booked(5, number="imp-00005"), booked(6, number="")]
    intake.take(set_to_import(wired), page, now=now)
    shown = Row.objects.order_by("id").values_list("is_shown", flat=True)
    assert list(shown) == [True, False, False, True, True, True], "its own IMP-00005 is no reason not to show it"


def test_customers_become_clients_in_a_few_questions_and_each_of_ours_is_of_one_of_theirs(
    wired: Connection, now: datetime, client_of_ours: Client, django_assert_max_num_queries: Any
) -> None:
    names = ["Straße 1", "STRASSE 1", "one", "ONE", "two", "", "n" * 150, "Twin", client_of_ours.name.upper(), "gone"]
    one, *twins = (Client.objects.create(name=name) for name in ("One", "Twin", "twin"))
    link = {"connection": wired, "kind": "CLIENT", "linked_at": now}
    RemoteLink.objects.create(**link, remote_id="c-9", local_key=str(uuid.uuid4()), remote_name="of a client deleted")
    page = [booked(n, client_id=f"c-{n}", client_name=name) for n, name in enumerate(names)]
    wired = set_to_import(wired)
    with django_assert_max_num_queries(24):
        intake.take(wired, page, now=now)
    clients = [row.invoice.client for row in Row.objects.order_by("pk").select_related("invoice__client")]
    assert [client.name for client in clients] == [
        *("Straße 1", "STRASSE 1", "One", "ONE", "two", "c-5", "n" * 100, "Twin", client_of_ours.name, "gone")
    ]
    assert (clients[2], clients[8]) == (one, client_of_ours), "the only one of that name"
    assert clients[7] not in twins, "none of two"
    links = RemoteLink.objects.filter(kind="CLIENT").order_by("remote_id")
    stored = [(each.remote_id, each.local_key, each.remote_name) for each in links]
    assert stored == [(f"c-{n}", str(client.uuid), names[n]) for n, client in enumerate(clients)]


def test_what_postgres_refuses_is_refused_as_ever_and_leaves_nothing(wired: Connection, now: datetime) -> None:
    wired, one = set_to_import(wired), booked(1, document_id="d")
    intake.take(wired, [one], now=now)
    Row.objects.update(remote_id="else")
    with pytest.raises(IntegrityError, match="remote_invoice_one_for_each_document"), transaction.atomic():
        strangers.bring_in(wired, [one], "INVOICE", now)
    assert (Invoice.objects.count(), InvoiceLine.objects.count(), Number.objects.count()) == (1, 1, 1)
