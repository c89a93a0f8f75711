"""`N=500 SEED=1 python -m tests.chaos`: starts everything, drives and hurts it by seed, and compares both sides.

PLATFORM=intacct takes the other platform; RECOVERY=1 gives one fault at a time at real clocks and measures.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from reflow.processes import ProcessFailed
from reflow.servers import place_of_nobody
from tests.books import Sandbox
from tests.chaos import plan, reader, report
from tests.chaos.monkey import Monkey
from tests.chaos.people import STAFF, Admin, People
from tests.chaos.plan import Kind, Plan
from tests.chaos.reader import Ours, Theirs
from tests.chaos.report import say
from tests.chaos.stack import Stack
from tests.servers import PREFIX

LEASE = 40  # seconds, as Reflow has it
PLATFORMS = ("accounting", "intacct")
EVERY = 2  # seconds between two lines that tell how far it is
SECONDS = 1200  # for all people to have sent everything, and never less than two for each
IN_TIME = 60  # seconds at real clocks until Reflow sends again
SETTLED = 600  # seconds at real clocks until an unknown outcome is known
DRAIN = 1500  # seconds at real clocks, and never less than 90
DEFAULTS = {"N": 500, "SEED": 1, "CLOCK_DIVISOR": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the environment asks for."""

    n: int
    seed: int
    platform: str
    divisor: int
    recovery: bool

    @classmethod
    def read(cls) -> "Asked":
        platform = os.environ.get("PLATFORM") or PLATFORMS[0]
        if platform not in PLATFORMS:
            raise SystemExit(f"PLATFORM is one of: {', '.join(PLATFORMS)}")
        recovery = bool(os.environ.get("RECOVERY"))
        n, seed, divisor = (int(os.environ.get(name) or given) for name, given in DEFAULTS.items())
        return cls(n=n, seed=seed, platform=platform, divisor=1 if recovery else divisor, recovery=recovery)

    def draw(self) -> Plan:
        lease = LEASE / self.divisor
        return plan.recovery(self.seed, lease=lease) if self.recovery else plan.draw(self.n, self.seed, lease=lease)


class Run:
    """One run in a directory of its own, from its opening to what the reader finds."""

    def __init__(self, asked: Asked, home: Path) -> None:
        self.asked = asked
        self.plan = asked.draw()
        self.stack = Stack(home, clock_divisor=asked.divisor)
        self.began = time.monotonic()
        self.told = 0.0

    def open(self) -> None:
        asked, stack = self.asked, self.stack
        stack.start_servers()
        stack.run("manage", "migrate", "--no-input", "--verbosity", "0")
        stack.run("manage", "collectstatic", "--no-input", "--verbosity", "0")
        stack.start_programs()
        stack.run("tests.chaos.opening", asked.platform, stack.sage, str(self.plan.clients), str(self.plan.items))
        stack.wait()
        self.ours, self.theirs = Ours(stack.database_url, meanwhile=stack.tend), Theirs(stack.sage, asked.platform)
        self.admin = Admin(stack.url, stack.sage, asked.platform)
        self.people = People(stack.url, Ours(stack.database_url), self.ours.clients(), self.ours.items())
        faults = list(self.plan.faults)
        self.monkey = Monkey(stack, Sandbox(stack.sage), self.admin, asked.platform, faults)

    def drive(self) -> None:
        threads = self.people.begin(self.plan.orders, STAFF)
        deadline = time.monotonic() + max(SECONDS, 2 * len(self.plan.orders))
        try:
            while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
                self.monkey.tick(self.people.clicked)
                self._tend()
            self._until(lambda: not self.monkey.left and not self.stack.frozen, 30)
            self._until(lambda: not self.ours.in_the_queue(), 10)  # what is armed still meets what waits
        finally:
            self.people.stopped.set()
        self.monkey.stop()

    def drain(self) -> None:
        """No more faults: everything that is under way comes to its end, by itself."""
        self._until(self._is_still, max(DRAIN / self.asked.divisor, 90))

    def _is_still(self) -> bool:
        states = self.ours.states()
        moving = sum(states[name] for name in ("READY", "SENDING", "UNKNOWN"))
        return not moving and self.stack.proxy.is_quiet and not self.ours.unread_numbers()

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self.monkey.tick(self.people.clicked)
            self._tend()

    def _tend(self) -> None:
        self.stack.tend()
        time.sleep(0.05)
        if time.monotonic() - self.told >= EVERY:
            self.told = time.monotonic()
            self._tell()
            if self.ours.connection_state() == "RECONNECT":
                self._authorise_again()

    def _authorise_again(self) -> None:
        try:
            self.admin.authorise_again()
        except (requests.RequestException, KeyError, TypeError) as error:
            say(f"  authorising again failed for now: {error!r}")

    def _tell(self) -> None:
        states = self.ours.states()
        words = ", ".join(f"{n} {state.lower()}" for state, n in sorted(states.items()))
        took, left = time.monotonic() - self.began, len(self.monkey.left)
        say(f"{took:6.0f} s  {self.people.done} of {len(self.plan.orders)} clicked; {words}; {left} faults left")


def main() -> int:
    asked = Asked.read()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}chaos-"))
    run = Run(asked, home)
    report.tell_plan(run.plan, asked.platform, asked.divisor)
    good = False
    try:
        good = _run(run)
    except ProcessFailed as failed:
        say(str(failed))
    finally:
        run.stack.stop()
        if good:
            for place in (home, place_of_nobody(home / "postgres")):
                shutil.rmtree(place, ignore_errors=True)
        else:
            say(f"\nFailed: N={asked.n} SEED={asked.seed} PLATFORM={asked.platform}. Logs and data are in {home}")
    return 0 if good else 1


def _run(run: Run) -> bool:
    run.open()
    run.drive()
    run.drain()
    sides = reader.read(run.ours, run.theirs)
    found = reader.compare(sides, len(run.plan.orders), run.asked.platform)
    times = report.recoveries(run.monkey.given, sides)
    report.tell_faults(run.monkey.given, run.stack.proxy.given, times)
    report.tell_times(sides)
    say(f"Authorised again {run.admin.authorised} times; processes started again {run.stack.restarts} times.")
    report.tell_findings(found, sides)
    for trouble in run.people.trouble:
        say(f"  people: {trouble}")
    say(f"Took {time.monotonic() - run.began:.0f} s.")
    return found.is_clean and not run.people.trouble and not (run.asked.recovery and _late(times, sides.unknown))


def _late(times: Mapping[Kind, Sequence[float]], unknown: Sequence[float]) -> bool:
    return any(max(took) > IN_TIME for took in times.values()) or max(unknown, default=0) > SETTLED


if __name__ == "__main__":
    sys.exit(main())
