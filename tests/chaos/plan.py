"""What will happen, decided beforehand by one seed: the invoices, how people click, and every fault in its order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

WORKERS = 3
CLIENT_EVERY = ITEM_EVERY = 8  # invoices; they come up along the way, so that faults meet their creation too


class Kind(StrEnum):
    """A fault, in the words of the report."""

    WORKER_KILLED = "worker killed (kill -9)"
    ALL_KILLED_BEFORE = "all workers killed, the request still on its way"
    ALL_KILLED_AFTER = "all workers killed, the answer on its way"
    FROZEN = "workers frozen past their lease"
    FROZEN_AT_IT = "workers frozen past their lease, the answer on its way"
    BROKER_WIPED = "broker wiped (FLUSHALL)"
    BROKER_KILLED = "broker killed and restarted"
    POSTGRES = "Postgres restarted at once"
    POSTGRES_AT_IT = "Postgres restarted, the answer on its way"
    BEAT_KILLED = "beat killed"
    WEB_KILLED = "web killed"
    REFUSED = "connection cut at once"
    HALF = "request cut in the middle"
    UNANSWERED = "request forwarded, answer cut off"
    SHORT = "answer cut after some bytes"
    DRIP = "answer drips"
    LATE_REQUEST = "request delayed"
    VERY_LATE = "request delayed past its proven absence"
    LATE_ANSWER = "answer delayed"
    GATEWAY = "504 from a gateway, the request goes on"
    ERROR_AFTER = "500 after commit"
    ERROR_BEFORE = "500 before commit"
    GARBAGE = "200 with HTML, committed"
    LATE_COMMIT = "commit after our deadline"
    BUSY = "429 with Retry-After"
    AWAY = "503"
    EXPIRED = "tokens expired"
    LAG = "lists lag behind"
    SYNC = "Sync now pressed"


PROCESSES = {
    Kind.WORKER_KILLED,
    Kind.ALL_KILLED_BEFORE,
    Kind.ALL_KILLED_AFTER,
    Kind.FROZEN,
    Kind.FROZEN_AT_IT,
    Kind.BROKER_WIPED,
    Kind.BROKER_KILLED,
    Kind.POSTGRES,
    Kind.POSTGRES_AT_IT,
    Kind.BEAT_KILLED,
    Kind.WEB_KILLED,
}
WHILE_AT_IT = frozenset({Kind.ALL_KILLED_BEFORE, Kind.ALL_KILLED_AFTER, Kind.FROZEN_AT_IT, Kind.POSTGRES_AT_IT})
# One of these for so many invoices; for fewer, one at times.
EVERY = {
    Kind.WORKER_KILLED: 25,
    Kind.ALL_KILLED_BEFORE: 125,
    Kind.ALL_KILLED_AFTER: 100,
    Kind.FROZEN: 100,
    Kind.FROZEN_AT_IT: 60,
    Kind.BROKER_WIPED: 50,
    Kind.BROKER_KILLED: 170,
    Kind.POSTGRES: 125,
    Kind.POSTGRES_AT_IT: 125,
    Kind.BEAT_KILLED: 100,
    Kind.WEB_KILLED: 125,
    Kind.VERY_LATE: 60,
    Kind.EXPIRED: 60,
    Kind.LAG: 60,
    Kind.SYNC: 15,
}
ON_THE_LINE = (
    Kind.REFUSED,
    Kind.HALF,
    Kind.UNANSWERED,
    Kind.UNANSWERED,
    Kind.SHORT,
    Kind.DRIP,
    Kind.LATE_REQUEST,
    Kind.LATE_REQUEST,
    Kind.LATE_ANSWER,
    Kind.GATEWAY,
)
AT_SAGE = (Kind.ERROR_AFTER, Kind.ERROR_BEFORE, Kind.GARBAGE, Kind.LATE_COMMIT, Kind.BUSY, Kind.AWAY)
TARGETS = ("create", "create", "create", "create", "client", "client", "token", "read")
AIMED = {
    Kind.VERY_LATE: ("create",),
    **dict.fromkeys(WHILE_AT_IT, ("create", "create", "create", "client", "token")),
    **dict.fromkeys((*ON_THE_LINE, *AT_SAGE), TARGETS),
}
LINE_EVERY, SAGE_EVERY = 6, 9
SPANS = {
    Kind.FROZEN: (1.2, 2.2),
    Kind.FROZEN_AT_IT: (1.2, 2.2),
    Kind.LATE_REQUEST: (0.1, 3.1),
    Kind.LATE_ANSWER: (0.1, 3.1),
    Kind.GATEWAY: (0.1, 3.1),
    Kind.LATE_COMMIT: (0.7, 2.7),
    Kind.VERY_LATE: (8.2, 10.2),
}
# What is measured at real clocks; more invoices apart than people let wait.
MEASURED = (
    Kind.HALF,
    Kind.WORKER_KILLED,
    Kind.BROKER_WIPED,
    Kind.POSTGRES,
    Kind.POSTGRES_AT_IT,
    Kind.UNANSWERED,
    Kind.ALL_KILLED_AFTER,
    Kind.BROKER_KILLED,
    Kind.FROZEN_AT_IT,
)
APART = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One invoice, and how its people go about it: how often Send is clicked, and in how many tabs at once."""

    n: int
    client: int
    lines: tuple[tuple[str, str, int], ...]
    """Quantity, price and item of each."""
    approved_first: bool
    clicks: int
    tabs: int
    htmx: bool
    clicked_again_later: bool

    @property
    def reference(self) -> str:
        return f"CHAOS-{self.n:05}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`after` so many invoices were sent by a click; `amount` is seconds, or bytes of an answer."""

    after: int
    kind: Kind
    target: str = ""
    amount: float = 0.0
    workers: tuple[int, ...] = ()

    def __str__(self) -> str:
        more = [self.target and f"on {self.target}", self.amount and f"{self.amount:g}", *map(str, self.workers)]
        return (
            f"after {self.after:>4}: {self.kind.value} {' '.join(filter(None, map(str, filter(None, more))))}".rstrip()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    orders: tuple[Order, ...]
    faults: tuple[Fault, ...]

    @property
    def clients(self) -> int:
        return max(order.client for order in self.orders) + 1

    @property
    def items(self) -> int:
        return max(item for order in self.orders for _, _, item in order.lines) + 1


def draw(n: int, seed: int, *, lease: float) -> Plan:
    """The plan of a seed; `lease` in seconds, as a freeze is to outlast it."""
    dice = Random(seed)  # noqa: S311  # a story that can be told again, not a secret
    orders = tuple(_order(k, dice) for k in range(n))
    return Plan(seed=seed, orders=orders, faults=tuple(sorted(_faults(n, dice, lease), key=lambda each: each.after)))


def recovery(seed: int, *, lease: float) -> Plan:
    """One fault at a time, each with enough invoices behind it that its recovery is over before the next."""
    dice = Random(seed)  # noqa: S311
    orders = tuple(_order(k, dice) for k in range(APART * (len(MEASURED) + 1)))
    faults = [replace(_one(kind, 1, dice, lease), after=APART * k) for k, kind in enumerate(MEASURED, start=1)]
    return Plan(seed=seed, orders=orders, faults=tuple(replace(each, target="create") for each in faults))


def _order(n: int, dice: Random) -> Order:
    lines = [
        (str(dice.randint(1, 9)), f"{dice.randint(100, 90000) / 100:.2f}", dice.randint(0, n // ITEM_EVERY))
        for _ in range(dice.randint(1, 3))
    ]
    return Order(
        n=n,
        client=dice.randint(0, n // CLIENT_EVERY),
        lines=tuple(lines),
        approved_first=dice.random() < 0.5,
        clicks=dice.choice((1, 2, 2, 3)),
        tabs=dice.choice((1, 1, 2)),
        htmx=dice.random() < 0.3,
        clicked_again_later=dice.random() < 0.2,
    )


def _faults(n: int, dice: Random, lease: float) -> Iterator[Fault]:
    for kind, every in EVERY.items():
        count = n // every + (dice.random() < n % every / every)
        yield from (_one(kind, n, dice, lease) for _ in range(count))
    for kinds, every in ((ON_THE_LINE, LINE_EVERY), (AT_SAGE, SAGE_EVERY)):
        count = max(1, math.ceil(n / every))
        yield from (_one(kinds[k % len(kinds)], n, dice, lease) for k in range(count))


def _one(kind: Kind, n: int, dice: Random, lease: float) -> Fault:
    some = tuple(sorted(dice.sample(range(WORKERS), dice.randint(1, WORKERS - 1))))
    return Fault(
        after=dice.randint(1, n),
        kind=kind,
        target=dice.choice(AIMED.get(kind, ("",))),
        amount=_amount(kind, dice, lease),
        workers=some[:1] if kind is Kind.WORKER_KILLED else some if "frozen" in kind.value else (),
    )


def _amount(kind: Kind, dice: Random, lease: float) -> float:
    """Seconds from a span of leases: our deadline is 25/40 of one, and absence is proven after eight."""
    drawn = dice.random()
    if kind in SPANS:
        least, most = SPANS[kind]
        return round(lease * (least + (most - least) * drawn), 2)
    if kind is Kind.LAG:
        return max(1, round(lease * 3 * drawn))
    if kind is Kind.BUSY:
        return dice.randint(5, 40)
    return float(dice.randint(1, 400)) if kind is Kind.SHORT else 0.0
