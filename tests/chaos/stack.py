"""All of Reflow as real processes in one directory: how they are started, hurt, and started again."""

import base64
import dataclasses
import functools
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from reflow.launcher import BASE_DIR, CALLBACK, Launcher, Plan, answers
from reflow.pretend import SAGE_ADDRESSES, SANDBOX_CLIENTS
from reflow.processes import Command, Processes, Program
from reflow.servers import free_port, start_postgres, start_valkey
from tests.chaos.plan import WORKERS
from tests.chaos.proxy import Proxy

PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "EMBEDDED_PG_BINDIR")
BEATS = ("beat-0", "beat-1")
WORKER_NAMES = tuple(f"worker-{n}" for n in range(WORKERS))


class Stack:
    """Web, workers, two beats, Postgres, Valkey and the pretend Sage behind the proxy."""

    def __init__(self, home: Path, *, clock_divisor: int) -> None:
        self.home = home
        self.processes = Processes(home)
        self.web_port, self.sage_port = free_port(), free_port()
        self.url, self.sage = f"http://127.0.0.1:{self.web_port}", f"http://127.0.0.1:{self.sage_port}"
        self.proxy = Proxy(self.sage_port)
        self.frozen: dict[str, float] = {}
        self.restarts = 0
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
            "PYTHONUNBUFFERED": "1",
            "REFLOW_STATE_DIR": str(home),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "TOKEN_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "SITE_URL": self.url,
            "CLOCK_DIVISOR": str(clock_divisor),
            **SANDBOX_CLIENTS,
        }

    def start_servers(self) -> None:
        """Postgres, Valkey and Sage; what people see of Sage is Sage itself, programs go through the proxy."""
        books: Command = [sys.executable, "-m", "sandbox", "--port", str(self.sage_port), "--dir", self.home / "sage"]
        redirects = {"SANDBOX_REDIRECT_URIS": self.url + CALLBACK}
        self.processes.start(
            Program(name="sandbox", command=books, env=self.environment | redirects, directory=BASE_DIR)
        )
        self.database_url = start_postgres(self.processes, self.home / "postgres")
        self.redis_url = start_valkey(self.processes, self.home / "valkey")
        self._wait("sandbox", self.sage_port, "/_health")
        self.proxy.start()
        through = f"http://127.0.0.1:{self.proxy.port}"
        for name, path in SAGE_ADDRESSES.items():
            self.environment[name] = (self.sage if name.endswith("AUTHORIZE_URL") else through) + path
        self.environment |= {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    def run(self, module: str, *arguments: str) -> str:
        """A program of Reflow's to its end; what it printed."""
        command: Command = [sys.executable, "-m", module, *arguments]
        name = module.rpartition(".")[2]
        return self.processes.run(Program(name=name, command=command, env=self.environment, directory=BASE_DIR))

    def start_programs(self) -> None:
        """The commands that `make run` starts, each worker and beat under a name of its own."""
        launcher = Launcher(Plan(state=self.home, port=self.web_port, sandbox_port=self.sage_port))
        launcher.environment = self.environment
        web, worker, beat = launcher.programs()
        for name in WORKER_NAMES:
            self.processes.start(_named(worker, name, "-n", f"{name}@%h"))
        for name in BEATS:
            self.processes.start(_named(beat, name, "--schedule", str(self.home / f"schedule-{name}")))
        self.processes.start(web)

    def wait(self) -> None:
        """Until pages answer and the workers take messages."""
        self._wait("web", self.web_port, "/readyz")
        for name in WORKER_NAMES:
            child = self.processes.children[name]
            self.processes.wait(child, functools.partial(_is_ready, child.log))

    def _wait(self, name: str, port: int, path: str) -> None:
        ready = functools.partial(answers, port, path, f"127.0.0.1:{port}")
        self.processes.wait(self.processes.children[name], ready)

    def kill(self, *names: str) -> None:
        """`kill -9`, children and all; whoever tends us starts them again."""
        for name in names:
            self.frozen.pop(name, None)
            os.killpg(self.processes.children[name].process.pid, signal.SIGKILL)

    def restart_postgres(self) -> None:
        """As `pg_ctl restart -m immediate` does: every connection is dropped in the middle of whatever it did."""
        os.kill(self.processes.children["postgres"].process.pid, signal.SIGQUIT)

    def wipe_broker(self) -> bool:
        try:
            with Redis.from_url(self.redis_url, socket_timeout=2) as redis:
                redis.flushall()
        except (RedisError, OSError):
            return False
        return True

    def freeze(self, names: tuple[str, ...], seconds: float) -> None:
        for name in names:
            os.killpg(self.processes.children[name].process.pid, signal.SIGSTOP)
            self.frozen[name] = time.monotonic() + seconds

    def tend(self) -> None:
        """What whoever runs Reflow does: starts again what has died; and the frozen wake up when it is time."""
        for name, until in list(self.frozen.items()):
            if time.monotonic() > until:
                del self.frozen[name]
                os.killpg(self.processes.children[name].process.pid, signal.SIGCONT)
        for child in self.processes.dead():
            self.restarts += 1
            self.processes.start(child.program)

    def stop(self) -> None:
        for name in self.frozen:
            os.killpg(self.processes.children[name].process.pid, signal.SIGCONT)
        self.proxy.stop()
        self.processes.stop("web", *WORKER_NAMES, *BEATS)
        self.processes.stop_all()


def _is_ready(log: Path) -> bool:
    return " ready." in log.read_text()


def _named(program: Program, name: str, *more: str) -> Program:
    return dataclasses.replace(program, name=name, command=[*program.command, *more])
