"""Others who give invoices their numbers, each in an environment of its own, by turns with us on the same server."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from bench import books, numbers, rounds
from bench.goals import GOALS, Figure
from bench.machine import HOME
from bench.pages import Side

HERE = Path(__file__).parent
OURS = 20  # invoices that we create in a turn
PAGES = 3  # that each side shows in a turn
Turn = Callable[[], Fraction]  # nanoseconds for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What is installed for it, how much of its work makes a turn, and the goals it is measured for."""

    name: str
    script: str
    packages: tuple[str, ...]
    creates: int
    create_goal: str
    list_goal: str = ""


PEERS = (
    Peer(
        name="Tryton",
        script="tryton",
        packages=(
            *("trytond==8.2.1", "trytond_account_invoice==8.2.0", "proteus==8.2.0"),
            *("psycopg[binary]==3.3.9", "psycopg_pool==3.3.3"),
        ),
        creates=3,
        create_goal="5t",
        list_goal="10t",
    ),
    Peer(
        name="django-ledger",
        script="ledger",
        packages=("django-ledger==0.8.5", "django==5.2.19", "psycopg2-binary==2.9.13"),
        creates=10,
        create_goal="5l",
        list_goal="10l",
    ),
    Peer(name="pretix", script="pretix", packages=("pretix==2026.8.0",), creates=5, create_goal="5p"),
)


class Turns:
    """A peer that has started: it works when it is told to, and says how long it took."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._line("ready")

    def turn(self, work: str, times: int) -> Fraction:
        """Nanoseconds for each of so many."""
        if self._process.stdin is None:
            raise AssertionError("It has no input.")
        self._process.stdin.write(f"{work} {times}\n")
        self._process.stdin.flush()
        return Fraction(int(self._line()), times)

    def _line(self, expected: str = "") -> str:
        line = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not line or (expected and line != expected):
            raise RuntimeError(f"The peer stopped: {line or 'it said nothing; what went wrong stands above'}.")
        return line


def run(count: int) -> Iterator[Figure]:
    """Goals 5 and 10 against each of them, at so many invoices on both sides."""
    for peer in PEERS:
        with _started(peer, count) as turns:
            with books.copied(count) as name:
                create = numbers.creating_approved(ExitStack(), name)
                yield _figure(
                    peer.create_goal,
                    peer.name,
                    partial(_each, create, OURS),
                    partial(turns.turn, "create", peer.creates),
                )
            if peer.list_goal:
                side = Side.of(count)
                page = partial(side.get, "/invoices/")
                yield _figure(
                    peer.list_goal, peer.name, partial(_each, page, PAGES), partial(turns.turn, "list", PAGES)
                )


def _figure(goal: str, name: str, ours: Turn, theirs: Turn) -> Figure:
    """How often we create while they do it once; or the part of their time that our list takes."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds.ROUNDS)]
    samples = tuple(other / own if GOALS[goal].is_least else own / other for own, other in pairs)
    mine, others = (rounds.decimal(rounds.middle(each) / 10**6, 1) for each in zip(*pairs, strict=True))
    return Figure(goal=goal, what=name, samples=samples, plain=f"{mine} ms, {name} {others} ms")


def _each(work: Callable[[], object], times: int) -> Fraction:
    return Fraction(sum(rounds.timed(work) for _ in range(times)), times)


@contextmanager
def _started(peer: Peer, count: int) -> Iterator[Turns]:
    python, script = _installed(peer), HERE / f"with_{peer.script}.py"
    name = f"bench_peer_{peer.script}_{count}"
    if name not in books.there():
        books.say(f"Building {count:,} invoices of {peer.name}, once ...")
        books.renew("bench_fresh_peer")
        _done(peer, [python, "-W", "ignore", script, _url("bench_fresh_peer"), str(count), "build"])
        books.rename("bench_fresh_peer", name)
    with subprocess.Popen(
        [python, "-W", "ignore", script, _url(name), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Turns(process)  # it ends with its input


def _installed(peer: Peer) -> Path:
    """Its own Python, with what it needs."""
    home = HOME / "peers" / peer.script
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        _done(peer, [sys.executable, "-m", "venv", home])
        _done(peer, [python, "-m", "pip", "install", "--quiet", "--quiet", *peer.packages])
        (home / "installed").touch()
    return python


def _done(peer: Peer, command: Sequence[str | Path]) -> None:
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{peer.name} could not be set up; why stands above. The other parts do without it: ONLY=pages ...")


def _url(name: str) -> str:
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
