"""The servers that the figures are taken on, the environment they need, and what machine it is."""

import os
import platform
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reflow.processes import Processes
from reflow.servers import start_postgres, start_valkey

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".reflow" / "bench"
SHIM = HOME / "flush.so"


@contextmanager
def servers(*, slow_flush: bool = False) -> Iterator[None]:
    """Postgres and Valkey of our own; with `slow_flush` each flush to the disk takes a millisecond more."""
    HOME.mkdir(parents=True, exist_ok=True)
    processes = Processes(HOME)
    processes.stop_leftovers()
    before = os.environ.get("LD_PRELOAD", "")
    try:
        if slow_flush:
            os.environ["LD_PRELOAD"] = str(_shim())
        os.environ["DATABASE_URL"] = start_postgres(processes, HOME / "postgres")
        os.environ["LD_PRELOAD"] = before
        os.environ["REDIS_URL"] = start_valkey(processes, HOME / "valkey", durable=False)
        yield
    finally:
        os.environ["LD_PRELOAD"] = before
        processes.stop_all()


def _shim() -> Path:
    source = Path(__file__).with_name("flush.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", SHIM, source, "-ldl"], check=True)
    return SHIM


def set_environment() -> None:
    """What the settings ask for; nothing outside is reached with it."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="bench.settings",
        SECRET_KEY=secrets.token_urlsafe(40),
        TOKEN_KEYS="M0xVVlZ6b3ZkMlBxdGhmN3VZb2t5bWJ1c2FmdGVzdHM=",
        DEBUG="false",
        ALLOWED_HOSTS="127.0.0.1,testserver",
        SITE_URL="http://127.0.0.1:8000",
        LOG_LEVEL="ERROR",
    )


def described() -> str:
    """Its cores, memory and software, as far as they tell in the figures."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {memory} GiB, {system}, Python {platform.python_version()}"


def commit() -> str:
    """Short, with a + where files have changed since."""
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or "no commit"
