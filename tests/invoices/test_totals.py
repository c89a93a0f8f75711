"""Sums to the penny: each rounded once, half away from zero, and the same as in the books."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import product

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection
from invoices import push as worker
from invoices import services
from invoices.models import Invoice
from invoices.totals import Sums, invoice_sums, line_sums, to_pennies
from tests.books import Sandbox
from tests.conftest import line

LINES = [
    # quantity, price, discount %, tax % -> discount, net, tax, total
    ("2", "85.00", "0", "20", "0.00", "170.00", "34.00", "204.00"),
    ("1", "0.00", "0", "20", "0.00", "0.00", "0.00", "0.00"),
    ("1", "100.00", "100", "20", "100.00", "0.00", "0.00", "0.00"),
    ("3", "33.33", "33.33", "20", "33.33", "66.66", "13.33", "79.99"),
    ("1", "100.00", "33.33", "20", "33.33", "66.67", "13.33", "80.00"),
    # half pennies of the net go up
    ("0.5", "0.01", "0", "0", "0.00", "0.01", "0.00", "0.01"),
    ("1.5", "0.01", "0", "0", "0.00", "0.02", "0.00", "0.02"),
    ("2.5", "0.01", "0", "0", "0.00", "0.03", "0.00", "0.03"),
    ("1", "0.05", "50", "0", "0.02", "0.03", "0.00", "0.03"),
    ("1", "0.25", "50", "0", "0.12", "0.13", "0.00", "0.13"),
    # half pennies of the tax go up, also where the even penny is below
    ("1", "0.10", "0", "5", "0.00", "0.10", "0.01", "0.11"),
    ("1", "0.30", "0", "5", "0.00", "0.30", "0.02", "0.32"),
    ("1", "0.50", "0", "5", "0.00", "0.50", "0.03", "0.53"),
    ("1", "1.50", "0", "5", "0.00", "1.50", "0.08", "1.58"),
    ("1", "0.125", "0", "20", "0.00", "0.13", "0.03", "0.16"),
    # tax is of the net as it stands on the line, not of what was rounded away
    ("3", "0.07", "10", "20", "0.02", "0.19", "0.04", "0.23"),
    ("1", "2.674", "0", "20", "0.00", "2.67", "0.53", "3.20"),
    ("99999999.99", "9999.99", "0", "20", "0.00", "999998999900.00", "199999799980.00", "1199998799880.00"),
]


@pytest.mark.parametrize(("quantity", "price", "off", "rate", "discount", "net", "tax", "total"), LINES)
def test_a_line_comes_to(
    quantity: str, price: str, off: str, rate: str, discount: str, net: str, tax: str, total: str
) -> None:
    sums = line_sums(
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        discount_percent=Decimal(off),
        tax_percent=Decimal(rate),
    )
    assert (str(sums.discount), str(sums.net), str(sums.tax), str(sums.total)) == (discount, net, tax, total)


HALVES = [
    ("0.005", "0.01"),
    ("-0.005", "-0.01"),
    ("0.015", "0.02"),
    ("0.025", "0.03"),
    ("-0.025", "-0.03"),
    ("0.0049999", "0.00"),
    ("-0.0049", "0.00"),
    ("1", "1.00"),
    ("1e3", "1000.00"),
    ("2.675", "2.68"),
]


@pytest.mark.parametrize(("amount", "pennies"), HALVES)
def test_half_a_penny_goes_away_from_zero(amount: str, pennies: str) -> None:
    assert to_pennies(Decimal(amount)) == Decimal(pennies)
    assert to_pennies(Decimal(amount)).as_tuple().exponent == -2


QUANTITIES = [Decimal(text) for text in ("0.01", "0.33", "1", "1.5", "2.25", "7", "99.99")]
PRICES = [Decimal(text) for text in ("0", "0.01", "0.05", "0.99", "33.33", "1000000.01")]
DISCOUNTS = [Decimal(text) for text in ("0", "0.01", "2.5", "33.33", "50", "99.99", "100")]
RATES = [Decimal(text) for text in ("0", "5", "17.5", "20")]


def every_line() -> list[Sums]:
    given = product(QUANTITIES, PRICES, DISCOUNTS, RATES)
    return [line_sums(quantity=q, unit_price=p, discount_percent=d, tax_percent=t) for q, p, d, t in given]


def test_no_line_is_negative_and_every_sum_has_two_places() -> None:
    for sums in every_line():
        for amount in (sums.discount, sums.net, sums.tax, sums.total):
            assert amount >= 0
            assert amount.as_tuple().exponent == -2


def test_a_discount_taken_off_what_it_costs_is_the_net_to_the_penny() -> None:
    for (quantity, price, _, _), sums in zip(product(QUANTITIES, PRICES, DISCOUNTS, RATES), every_line(), strict=True):
        assert to_pennies(quantity * price) - sums.discount == sums.net


def test_an_invoice_is_the_sum_of_its_lines_and_nothing_else() -> None:
    lines = every_line()
    whole = invoice_sums(lines)
    assert whole.total == sum(one.total for one in lines) == whole.net + whole.tax
    assert whole.discount == sum(one.discount for one in lines)
    assert invoice_sums([]) == Sums()


@pytest.mark.django_db
def test_the_books_come_to_the_same_line_by_line(
    connection: Connection, sandbox: Sandbox, new_invoice: Callable[..., Invoice], staff: User, now: datetime
) -> None:
    rows = [row for row in LINES if len(row[1].partition(".")[2]) <= 2 and len(row[0]) < 5 and row[3] == "20"] + [
        (str(quantity), str(price), str(off), "20")
        for quantity, price, off in product(QUANTITIES[:6], PRICES[1:5], DISCOUNTS[1:5])
    ]
    drafts = [
        line(f"{q} x {p} - {d} %", quantity=Decimal(q), unit_price=Decimal(p), discount_percent=Decimal(d))
        for q, p, d, *_ in rows
    ]
    invoice = new_invoice(*drafts)
    push = services.request_push(invoice_id=invoice.pk, actor=staff, now=now)
    worker.work(push.pk)
    (held,) = sandbox.invoices()
    ours = [(row.description, row.discount, row.net, row.tax, row.total) for row in invoice.lines.all()]
    names = ("discount_amount", "net_amount", "tax_amount", "total_amount")
    theirs = [(row["description"], *(Decimal(row[name]) for name in names)) for row in held["lines"]]
    assert theirs == ours
    assert len(theirs) > 90
    assert [Decimal(held[name]) for name in names[1:]] == [invoice.net, invoice.tax, invoice.total]
