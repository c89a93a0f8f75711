"""What `make run` does: starts all that Reflow needs on one machine, watches it, and stops it on Ctrl-C."""

import argparse
import base64
import contextlib
import errno
import fcntl
import http.client
import os
import secrets
import signal
import socket
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO
from urllib.parse import urlsplit

import environ

from reflow.pretend import SAGE_ADDRESSES, SANDBOX_CLIENTS, SANDBOX_SIGN_INS
from reflow.processes import Child, Command, Processes, ProcessFailed, Program
from reflow.servers import port_is_free, start_postgres, start_valkey

BASE_DIR = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
CALLBACK = "/settings/connector/callback/"
# Nothing here is unpickled, which is what it warns root of.
ROOT_WARNING = "ignore:You're running the worker with superuser privileges"
QUIET = ("postgres", "valkey", "prepare")
SERVICES = ("sandbox", "web", "worker", "beat")
RESTARTS_A_MINUTE = 5
MINUTE = 60
LARGEST_LOG = 20_000_000
COLOURS = {"web": 36, "worker": 32, "beat": 35, "sandbox": 33}
HELP = """Settings, from the environment or from the file .env:
  PORT             where Reflow answers (8000)
  SANDBOX_PORT     where the pretend Sage answers (PORT + 1)
  DATABASE_URL     a running PostgreSQL, instead of the embedded one
  REDIS_URL        a running Valkey or Redis, instead of the embedded one
  SAGE_ACCOUNTING_AUTHORIZE_URL, _TOKEN_URL, _REVOKE_URL, _API_URL, _CLIENT_ID, _CLIENT_SECRET
  SAGE_INTACCT_AUTHORIZE_URL, and so on in the same way
                   another Sage, instead of the pretend one
  EMBEDDED_PG_BINDIR   another folder with PostgreSQL's programs
  REFLOW_STATE_DIR     where data and logs are kept (.reflow)
"""


class Refused(Exception):
    """A setting or a situation with which no start is tried; says what to do."""


class AskedToStop(Exception):
    """Ctrl-C, or a signal that means the same."""


@dataclass(frozen=True)
class Plan:
    """What this start was asked for; without a sandbox port the environment names another Sage."""

    state: Path
    port: int
    sandbox_port: int | None

    @property
    def url(self) -> str:
        return os.environ.get("SITE_URL") or f"http://127.0.0.1:{self.port}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py up",
        description=__doc__,
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        plan = make_plan()
        with only_one(plan):
            return Launcher(plan).run()
    except Refused as refused:
        say(f"Reflow cannot start: {refused}")
        return 2
    except ProcessFailed as failed:
        say(plainly(str(failed)))
        return 1
    except OSError as error:
        say(f"Reflow stopped: {explain(error)}")
        return 1


def say(text: str) -> None:
    """Prints; a closed terminal must not keep us from stopping what we started."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def plainly(why: str) -> str:
    """One sentence where the last lines of a process are known to mean one, else those lines."""
    if "No space left on device" in why:
        return f"Reflow stopped: {explain(OSError(errno.ENOSPC, 'full'))}"
    refusal = [line.strip() for line in why.splitlines() if "Reflow cannot start:" in line]
    return refusal[-1] if refusal else f"Reflow stopped: {why}"


def explain(error: OSError) -> str:
    where = error.filename or "the project's folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: make some room and start again. Nothing that was saved is lost."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} cannot be written by this user. REFLOW_STATE_DIR can name another folder for data and logs."
    return f"{error}."


def make_plan() -> Plan:
    if (BASE_DIR / ".env").is_file():
        environ.Env.read_env(BASE_DIR / ".env")
    for name, default in (("DATABASE_URL", 5432), ("REDIS_URL", 6379)):
        check_answers(name, default)
    state = Path(os.environ.get("REFLOW_STATE_DIR") or BASE_DIR / ".reflow").resolve()
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    port = port_setting("PORT", 8000)
    elsewhere = any(map(os.environ.get, SAGE_ADDRESSES))
    return Plan(state, port, None if elsewhere else port_setting("SANDBOX_PORT", port + 1))


def port_setting(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) not in range(1024, 65536):
        raise Refused(f"{name} is {text!r}, which is not a port from 1024 to 65535. For example: {name}=8010")
    return int(text)


def check_answers(name: str, default_port: int) -> None:
    """Says at once that a server named in the environment is not there."""
    try:
        parts = urlsplit(os.environ.get(name, ""))
        if parts.hostname:
            socket.create_connection((parts.hostname, parts.port or default_port), 5).close()
    except ValueError:
        raise Refused(f"{name} is not an address.") from None
    except OSError as error:
        raise Refused(f"{name} names {parts.hostname}, where nothing answers ({error.strerror or error}).") from None


@contextlib.contextmanager
def only_one(plan: Plan) -> Iterator[None]:
    """A lock that the kernel takes back however we end."""
    with (plan.state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Refused(f"Reflow is already running at {lock.read()}: stop it there with Ctrl-C first.") from None
        lock.truncate(0)
        lock.write(plan.url)
        lock.flush()
        yield


class Launcher:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.processes = Processes(plan.state, self.tick)
        self.environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1", "REFLOW_STATE_DIR": str(plan.state)}
        self.followed: dict[str, tuple[Path, int]] = {}
        self.starts: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=RESTARTS_A_MINUTE + 1))
        self.prepared = ""
        self.asked: int | None = None

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask)
        try:
            self.bring_up()
            self.announce()
            self.watch()
        except AskedToStop:
            say("Stopping ...")
        finally:
            for names in (("web", "worker", "beat"), ("sandbox",)):
                self.processes.stop(*names)
            self.processes.stop_all()
            self.forward()
        say("Stopped.")
        return 0 if self.asked == signal.SIGINT else 128 + (self.asked or 0)

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """The first signal asks for an orderly end, a second one for a quick one."""
        self.processes.hurry = self.asked is not None
        self.asked = self.asked or number

    def tick(self) -> None:
        self.forward()
        if self.asked:
            raise AskedToStop

    def bring_up(self) -> None:
        leftovers = self.processes.stop_leftovers()
        if leftovers:
            say(f"Stopped what an earlier run had left: {', '.join(leftovers)}.")
        for old in self.plan.state.glob("logs/*.log"):
            old.unlink()
        self.check_ports()
        say("Starting ...")
        self.start_sandbox()
        self.settle()
        self.prepared = self.processes.run(self.program("prepare", "manage.py", "prepare"))
        for program in self.programs():
            self.processes.start(program)
        self.wait("web", self.plan.port, "/readyz")
        if self.plan.sandbox_port:
            self.wait("sandbox", self.plan.sandbox_port, "/_health")

    def check_ports(self) -> None:
        for name, port in (("PORT", self.plan.port), ("SANDBOX_PORT", self.plan.sandbox_port)):
            if port and not port_is_free(port):
                raise Refused(
                    f"Port {port} is in use by another program. Take another one: {name}={port + 10} make run"
                )

    def settle(self) -> None:
        """What the environment does not say: servers of our own, keys made once, the sandbox as Sage."""
        file = self.plan.state / "env"
        kept = dict(line.partition("=")[::2] for line in file.read_text().splitlines()) if file.exists() else {}
        made = {
            "SECRET_KEY": kept.get("SECRET_KEY") or secrets.token_urlsafe(50),
            "TOKEN_KEYS": kept.get("TOKEN_KEYS") or base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "SITE_URL": self.plan.url,
        }
        for name, start in (("DATABASE_URL", start_postgres), ("REDIS_URL", start_valkey)):
            if not os.environ.get(name):
                port = urlsplit(kept.get(name, "")).port or 0
                made[name] = start(self.processes, self.plan.state / start.__name__.removeprefix("start_"), port=port)
        if self.plan.sandbox_port:
            sage = f"http://127.0.0.1:{self.plan.sandbox_port}"
            made |= {name: sage + path for name, path in SAGE_ADDRESSES.items()} | SANDBOX_CLIENTS
        made = {name: value for name, value in made.items() if not os.environ.get(name)}
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
        self.environment |= made

    def program(self, name: str, *command: str | Path) -> Program:
        return Program(name=name, command=[PYTHON, *command], env=self.environment, directory=BASE_DIR)

    def start_sandbox(self) -> None:
        if not self.plan.sandbox_port:
            return
        books = self.plan.state / "sandbox"
        command: Command = [PYTHON, "-m", "sandbox", "--port", str(self.plan.sandbox_port), "--dir", books]
        environment = {"SANDBOX_REDIRECT_URIS": self.plan.url + CALLBACK} | self.environment
        self.processes.start(Program(name="sandbox", command=command, env=environment, directory=BASE_DIR))

    def programs(self) -> list[Program]:
        web = ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload", "--no-control-socket"]
        alone = ["--without-mingle", "--without-gossip"]
        celery = ["-W", ROOT_WARNING, "-m", "celery", "--quiet", "-A", "reflow"]
        schedule = self.plan.state / "beat-schedule"
        return [
            self.program("web", "-m", "gunicorn", "reflow.wsgi", *web, "--bind", f"127.0.0.1:{self.plan.port}"),
            self.program("worker", *celery, "worker", "-P", "threads", "-c", "4", *alone, "--loglevel", "INFO"),
            self.program("beat", *celery, "beat", "--schedule", schedule, "--loglevel", "INFO"),
        ]

    def wait(self, name: str, port: int, path: str) -> None:
        self.processes.wait(self.processes.children[name], partial(answers, port, path, urlsplit(self.plan.url).netloc))

    def announce(self) -> None:
        say(f"\nReflow is running at {self.plan.url}/")
        say(self.prepared.rstrip())
        for label, (path, sign_in) in SANDBOX_SIGN_INS.items() if self.plan.sandbox_port else ():
            say(f"The pretend {label}'s books: http://127.0.0.1:{self.plan.sandbox_port}{path} ({sign_in})")
        say("Ctrl-C stops everything.\n")

    def watch(self) -> None:
        while True:
            for child in self.processes.dead():
                self.revive(child)
            self.tick()
            time.sleep(0.1)

    def revive(self, child: Child) -> None:
        name, now = child.program.name, int(time.monotonic())
        self.starts[name].append(now)
        often = len(self.starts[name]) > RESTARTS_A_MINUTE and now - self.starts[name][0] < MINUTE
        if name not in SERVICES or often:
            raise ProcessFailed(f"{name} {'keeps stopping' if often else 'stopped'}. Its last lines:\n{child.tail()}")
        say(f"{name} stopped by itself (exit code {child.process.returncode}) and is started again. Its last lines:")
        say(child.tail())
        self.processes.start(child.program)

    def forward(self) -> None:
        """Prints the lines that our children have written since the last time."""
        for name, child in self.processes.children.items():
            self.followed.setdefault(name, (child.log, 0))
        for name, (log, position) in self.followed.items():
            if name not in QUIET:
                self.followed[name] = (log, position + print_lines(name, log, position))
            if position > LARGEST_LOG:
                os.truncate(log, 0)
                self.followed[name] = (log, 0)


def answers(port: int, path: str, host: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == http.client.OK
    return False


def print_lines(name: str, log: Path, position: int) -> int:
    """Prints what was added to a log after `position`, whole lines only, and says how many bytes that were."""
    with log.open("rb") as file:
        file.seek(position)
        whole = file.read().rpartition(b"\n")[0]
    for line in whole.decode(errors="replace").splitlines():
        say(f"{prefix(name, sys.stdout)} {line}")
    return len(whole) + 1 if whole else 0


def prefix(name: str, out: TextIO) -> str:
    text = f"{name:<8}|"
    if not out.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{COLOURS.get(name, 90)}m{text}\033[0m"
