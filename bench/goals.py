"""The goals as data, and a figure beside the goal that it is to meet."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from bench.rounds import decimal, middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal: what is compared, the bound, and what was measured elsewhere for comparison."""

    number: str
    words: str
    bound: Decimal
    anchor: str = ""
    is_least: bool = False
    """Whether the bound is what it has to reach; else what it must not pass."""

    def is_met_by(self, value: Decimal) -> bool:
        return value >= self.bound if self.is_least else value <= self.bound

    @property
    def target(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.bound}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured for a goal: of what, a sample for each round, and how it was in plain units."""

    goal: str
    what: str
    samples: tuple[Fraction, ...]
    plain: str = ""

    @property
    def value(self) -> Decimal:
        return decimal(middle(self.samples))

    @property
    def spread(self) -> str:
        low, high = decimal(min(self.samples)), decimal(max(self.samples))
        return "" if low == high else f"{low} to {high}"

    @property
    def is_met(self) -> bool:
        return GOALS[self.goal].is_met_by(self.value)


GOALS = {
    goal.number: goal
    for goal in (
        Goal(
            number="1",
            words="calls to Sage Accounting for each invoice sent, tokens with them",
            bound=Decimal("1.01"),
            anchor="fyle-intacct-api 3.05, woocommerce-xero 6, UCRM 7",
        ),
        Goal(number="1b", words="the same to Sage Intacct, in batches", bound=Decimal("0.05")),
        Goal(number="1c", words="what Sage Intacct meters for each invoice sent", bound=Decimal("1.02")),
        Goal(number="1d", words="reads beside them, for each invoice sent", bound=Decimal("0.02")),
        Goal(
            number="2",
            words="calls made of those allowed, where fewer are allowed than could be made",
            bound=Decimal("0.95"),
            is_least=True,
            anchor="fyle-xero-api 0.07",
        ),
        Goal(number="2b", words="the same: in the busiest minute, wherever it begins", bound=Decimal(1)),
        Goal(
            number="3",
            words="sending: rate, of what Sage's latency of 150 ms allows one by one",
            bound=Decimal("0.92"),
            is_least=True,
            anchor="a bare Celery task 0.97",
        ),
        Goal(
            number="4",
            words="memory of a worker for each send at a time, of a pool's of eight processes",
            bound=Decimal("0.2"),
            anchor="sixteen threads without Reflow 0.11",
        ),
        Goal(
            number="5",
            words="one invoice created with its number and approved: rate, of the same rows in raw SQL",
            bound=Decimal("0.10"),
            is_least=True,
            anchor="a bare Django model 0.14",
        ),
        *(
            Goal(
                number=number,
                words=f"the same: time of {peer} / ours, both at 100,000",
                bound=Decimal(bound),
                anchor=f"a bare Django model {anchor}",
                is_least=True,
            )
            for number, peer, bound, anchor in (
                ("5t", "Tryton", 40, 88),
                ("5l", "django-ledger", 5, 11),
                ("5p", "pretix", 8, 17),
            )
        ),
        Goal(
            number="6",
            words="invoices created in bulk with their numbers: rate, of raw inserts of 100 a transaction",
            bound=Decimal("0.5"),
            is_least=True,
        ),
        Goal(
            number="6b",
            words="bulk approval: SQL statements an invoice",
            bound=Decimal("0.05"),
        ),
        Goal(
            number="7",
            words="numbers with 8 writers: failures, doubles and gaps",
            bound=Decimal(0),
            anchor="django-silver 84 %, pretix 24 %, Tryton 90 % fail",
        ),
        Goal(
            number="7b",
            words="invoices created by 8 writers: rate, of one writer",
            bound=Decimal("0.85"),
            is_least=True,
            anchor="a bare Django model 0.90",
        ),
        Goal(
            number="7c",
            words="the same with 1 ms more a flush: rate, of 8 raw UPDATE RETURNING",
            bound=Decimal("0.44"),
            is_least=True,
            anchor="a bare Django model 0.46",
        ),
        Goal(
            number="8",
            words="the slowest single creation while 10,000 are created in bulk, in ms",
            bound=Decimal(100),
        ),
        Goal(
            number="8b",
            words="what lets it through: rate of those in bulk, of that in one transaction",
            bound=Decimal("0.7"),
            is_least=True,
            anchor="chunks of 250 0.81",
        ),
        Goal(
            number="9",
            words="the invoice list: time at 1,000,000 / at 10,000",
            bound=Decimal("1.15"),
            anchor="Paginator 4 to 15, Django admin 6 to 30",
        ),
        Goal(number="9b", words="the invoice list: SQL statements, with session and user", bound=Decimal(5)),
        Goal(
            number="10",
            words="the invoice list: time / Django admin's, both at 100,000",
            bound=Decimal("0.35"),
            anchor="a bare Django page 0.15",
        ),
        Goal(
            number="10t",
            words="the invoice list: time / Tryton's search_read of its own list's fields",
            bound=Decimal("0.6"),
            anchor="a bare Django page 0.23",
        ),
        Goal(
            number="10l",
            words="the invoice list: time / django-ledger's, which shows 20 rows",
            bound=Decimal("0.06"),
            anchor="a bare Django page 0.03",
        ),
        Goal(
            number="11",
            words="the click on Send for 10,000: time / INSERT SELECT into the outbox",
            bound=Decimal(4),
        ),
        Goal(
            number="12",
            words="new invoices of a platform kept: rate, of COPY of the same rows",
            bound=Decimal("0.45"),
            is_least=True,
            anchor="COPY into a table to merge from 0.56, a row at a time 0.017",
        ),
        Goal(
            number="12b",
            words="the same again, unchanged: rate, of COPY",
            bound=Decimal("1.5"),
            is_least=True,
            anchor="2.7",
        ),
        Goal(number="12c", words="memory that more of them add, in MB", bound=Decimal(30)),
        Goal(
            number="13",
            words="the invoice list in Chromium, cold: largest contentful paint / Django admin's",
            bound=Decimal("0.5"),
            anchor="a bare Django page 0.23 to 0.28",
        ),
        Goal(number="13b", words="the same: kilobytes over the line", bound=Decimal(120), anchor="Django admin 400"),
        Goal(number="13c", words="the same: cumulative layout shift", bound=Decimal(0), anchor="Django admin 0.2"),
        Goal(
            number="14",
            words="every page: exponent of its cost from 10,000 to 1,000,000 invoices",
            bound=Decimal("0.03"),
            anchor="0 is flat, 1 grows in step",
        ),
    )
}
