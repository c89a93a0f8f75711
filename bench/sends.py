"""What leaves for Sage: calls for each invoice, the share of the allowed rate, the pace beside the line's own, memory.

With the programs that `make run` starts, over HTTP, against the pretend Sage.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg2

from bench import rounds
from bench.goals import Figure
from bench.machine import HOME
from reflow.launcher import BASE_DIR
from reflow.processes import Program
from reflow.servers import place_of_nobody
from tests.books import INTACCT_INVOICES, INVOICES, Sandbox
from tests.chaos.stack import Stack

MINUTE = timedelta(minutes=1)
CLIENTS = 20
MANY = 1000
ROUND = 100  # invoices of one timed round
LATENCY = Decimal("0.15")  # seconds that Sage takes for a creating call
LOW = 120  # calls a minute, fewer than one lane makes
FREE = 5000  # calls a minute: the most that can be set, so that nothing waits for it
MINUTES = 3  # for which the allowed rate is used
DEADLINE = 900
THREADS, OURS, PROCESSES = 16, 4, 8
PACE = """
SELECT extract(epoch FROM max(p.sent_at) - min(a.started_at))
FROM invoices_push p JOIN invoices_pushattempt a ON a.push_id = p.id
WHERE p.id IN (SELECT id FROM invoices_push ORDER BY id DESC LIMIT %s)
"""
USED = "SELECT count(*) FROM connectors_budget, unnest(calls) AS at WHERE at > now() - interval '61 s'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """All of Reflow, connected to the pretend Sage, each client known over there already."""

    stack: Stack
    sage: Sandbox

    def send(self, count: int) -> None:
        """Raises and sends so many, and waits until all are in the books."""
        self.raise_and_press(count)
        self.until(lambda: self.left() == 0)

    def raise_and_press(self, count: int) -> None:
        self.stack.run("bench.raising", str(count))

    def left(self) -> int:
        (count,) = self.ask("SELECT count(*) FROM invoices_push WHERE state <> 'SENT'")
        (unqueued,) = self.ask("SELECT count(*) FROM invoices_bulkmember WHERE state = 'CHOSEN'")
        return int(count) + int(unqueued)

    def ask(self, query: str, *values: object) -> Any:
        with psycopg2.connect(self.stack.database_url) as database, database.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.left()} invoices are still not sent after {DEADLINE} s.")
            self.stack.tend()
            time.sleep(0.2)


@contextmanager
def office(platform: str, *, calls_a_minute: int) -> Iterator[Office]:
    HOME.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="sends-", dir=HOME))
    stack = Stack(home, clock_divisor=1)
    stack.environment["CALLS_A_MINUTE"] = str(calls_a_minute)
    try:
        stack.start_servers()
        stack.run("manage", "migrate", "--no-input", "--verbosity", "0")
        stack.run("manage", "collectstatic", "--no-input", "--verbosity", "0")
        stack.start_programs()
        stack.run("tests.chaos.opening", platform, stack.sage, str(CLIENTS), "1")
        stack.wait()
        made = Office(stack=stack, sage=Sandbox(stack.sage))
        made.send(CLIENTS)
        made.sage.clear_journal()
        yield made
    finally:
        stack.stop()
        for place in (home, place_of_nobody(home / "postgres")):
            shutil.rmtree(place, ignore_errors=True)


def run() -> Iterator[Figure]:
    """Goals 1 to 4."""
    for platform in ("accounting", "intacct"):
        with office(platform, calls_a_minute=FREE) as made:
            yield from _calls(made, platform, MANY)
            if platform == "accounting":
                yield _memory(made)
            yield _pace(made, platform)
    with office("accounting", calls_a_minute=LOW) as made:
        yield from _share(made)


# 1: calls --------------------------------------------------------------------------------------------------------
def _calls(made: Office, platform: str, count: int) -> Iterator[Figure]:
    made.send(count)
    calls = made.sage.calls()
    writes = [call for call in calls if _writes(call)]
    plain = f"{len(writes)} calls for {count:,} invoices"
    if platform == "accounting":
        yield _one("1", "Sage Accounting", len(writes), count, plain)
    else:
        metered = sum(call["metered"] or 0 for call in calls)
        yield _one("1b", "Sage Intacct, in batches", len(writes), count, plain)
        yield _one("1c", "Sage Intacct, metered", metered, count, f"{metered} transactions")
    reads = len(calls) - len(writes)
    yield _one("1d", f"Sage {platform.title()}, reads", reads, count, f"{reads} calls")


def _writes(call: dict[str, Any]) -> bool:
    """A token too: without it there is no call."""
    return call["method"] != "GET" and not call["path"].endswith("/query")


def _one(goal: str, what: str, calls: int, count: int, plain: str) -> Figure:
    return Figure(goal=goal, what=what, samples=(Fraction(calls, count),), plain=plain)


# 2: the allowed rate ---------------------------------------------------------------------------------------------
def _share(made: Office) -> Iterator[Figure]:
    made.until(lambda: made.ask(USED) == (0,))  # it begins with a whole minute, none of it used to set this up
    made.sage.clear_journal()
    made.raise_and_press(LOW * (MINUTES + 1))
    made.until(lambda: len(made.sage.calls()) > 0)
    began = _moments(made)[0]
    made.until(lambda: _moments(made)[-1] > began + MINUTE * MINUTES)
    moments = [at for at in _moments(made) if at < began + MINUTE * MINUTES]
    most = max(sum(first <= at < first + MINUTE for at in moments) for first in moments)
    allowed = LOW * MINUTES
    yield _one("2", f"{OURS * 3} threads, {LOW} calls a minute allowed", len(moments), allowed, f"{len(moments)} calls")
    yield _one("2b", "the busiest minute, wherever it begins", most, LOW, f"{most} calls")


def _moments(made: Office) -> list[datetime]:
    return [datetime.fromisoformat(call["at"]) for call in made.sage.calls() if not call["path"].endswith("token")]


# 3: the pace -----------------------------------------------------------------------------------------------------
def _pace(made: Office, platform: str) -> Figure:
    """Invoices a second from the first claim to the last write-back.

    In Intacct's four lanes, of what Sage's latency lets through one by one. In Accounting's one, of what a bare client
    reaches in the same round, as the pretend Sage takes some time besides its latency, and each call waits for it.
    """
    is_one = platform == "accounting"
    on, lanes, count = (INVOICES, 1, ROUND) if is_one else (INTACCT_INVOICES, 4, ROUND * 4)
    ideal, paces, yardsticks = Fraction(lanes / LATENCY), list[Fraction](), list[Fraction]()
    for _ in range(rounds.ROUNDS):
        made.sage.fault("slow", on=on, times=None, seconds=0.15)
        made.send(count)
        (took,) = made.ask(PACE, count)
        paces.append(count / Fraction(took))
        yardsticks.append(_bare(made, count) if is_one else ideal)
        made.sage.clear_faults()
    plain = f"{_told(paces)} a second; Sage's latency lets {_told([ideal])} through"
    if is_one:
        plain += f", a bare client reaches {_told(yardsticks)}"
    samples = tuple(pace / yardstick for pace, yardstick in zip(paces, yardsticks, strict=True))
    return Figure(goal="3", what=f"Sage {platform.title()}, lanes: {lanes}", samples=samples, plain=plain)


def _bare(made: Office, count: int) -> Fraction:
    """Invoices a second that a client with nothing else to do creates, in books that are put back then."""
    made.sage.keep("before")
    took = made.stack.run("bench.bare", str(count)).split()[-1]
    made.sage.put_back("before")
    return count / Fraction(took)


def _told(paces: Sequence[Fraction]) -> Decimal:
    return rounds.decimal(rounds.middle(tuple(paces)), 1)


# 4: memory -------------------------------------------------------------------------------------------------------
def _memory(made: Office) -> Figure:
    """What a worker of threads takes for each send it can have in hand, of what one of processes takes for each."""
    threads, four, processes = (
        _worker(made, *size) for size in (("threads", THREADS), ("threads", OURS), ("prefork", PROCESSES))
    )
    each, ours, other = (f"{int(one) >> 20} MB" for one in (threads, four, processes))
    plain = f"{each} of {other}; {ours} with {OURS} threads, as it comes"
    what = f"{THREADS} threads, {PROCESSES} processes"
    return Figure(goal="4", what=what, samples=(threads / processes,), plain=plain)


def _worker(made: Office, pool: str, size: int) -> Fraction:
    """Bytes for each of so many."""
    name = f"{pool}-{size}"
    celery = (
        "-m",
        "celery",
        "--quiet",
        "-A",
        "reflow",
        "worker",
        "-P",
        pool,
        "-c",
        str(size),
        "-n",
        f"{name}@%h",
        "-l",
        "INFO",
    )
    program = Program(name=name, command=[sys.executable, *celery], env=made.stack.environment, directory=BASE_DIR)
    child = made.stack.processes.start(program)
    made.stack.processes.wait(child, lambda: " ready." in child.log.read_text())
    taken = _resident([child.process.pid, *_children(child.process.pid)])
    made.stack.processes.stop(name)
    return Fraction(taken, size)


def _resident(processes: Sequence[int]) -> int:
    """Bytes, each shared page by its part."""
    rollups = [Path(f"/proc/{each}/smaps_rollup").read_text() for each in processes]
    return sum(int(text.split("\nPss:")[1].split()[0]) * 1024 for text in rollups)


def _children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
