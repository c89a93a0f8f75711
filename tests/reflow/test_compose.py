"""What docker-compose.yml and the Dockerfile say, checked by running each service's command without an engine."""

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
import yaml

from reflow.processes import Child, Processes, ProcessFailed, Program
from reflow.servers import free_port, valkey_binary

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
COMMAND = re.compile(r"^CMD (\[.*\])$", re.MULTILINE)
REFERENCE = re.compile(r"\$\{(\w+)(?:(:[?+-])((?:[^{}]|\$\{\w+\})*))?\}")
# A Valkey database that no other test uses.
UNUSED = 15
ORDINARY = {"PATH", "HOME", "LANG", "TMPDIR"}


class NotSet(Exception):
    pass


def interpolate(text: str, given: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        if operator == ":+":
            return interpolate(word, given) if given.get(name) else ""
        if given.get(name):
            return given[name]
        if operator == ":-":
            return str(word)
        raise NotSet(f"{name}: {word}")

    return REFERENCE.sub(value, text)


def environment_of(service: str, given: dict[str, str]) -> dict[str, str]:
    """As compose hands it to the container: an entry without a value is passed on where it is set."""
    entries: dict[str, str | None] = SERVICES[service].get("environment", {})
    named = {name: interpolate(value, given) for name, value in entries.items() if value is not None}
    return named | {name: given[name] for name, value in entries.items() if value is None and name in given}


def command_of(service: str) -> list[str]:
    """The service's own, else that of the image's target."""
    if "command" in SERVICES[service]:
        return list(SERVICES[service]["command"])
    target = SERVICES[service]["build"]["target"]
    stage = (ROOT / "Dockerfile").read_text().partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
    found = COMMAND.search(stage)
    assert found, f"the target {target} has no CMD"
    return list(json.loads(found[1]))


class Host:
    """Stands in for the engine: host names become loopback addresses, container ports free ones."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.processes = Processes(folder)
        self.folder = folder
        self.queue = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{UNUSED}"
        self.ports = {"8000": str(free_port()), "8100": str(free_port())}
        self.given = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "TOKEN_KEYS": os.environ["TOKEN_KEYS"],
            "POSTGRES_PASSWORD": "unguessable",
            "SUPPORT_EMAIL": "help@reflow.example",
            "SAGE_ACCOUNTING_CLIENT_ID": "an-id",
            "SAGE_ACCOUNTING_CLIENT_SECRET": "a-secret",
        }
        self.places = {
            "postgres://reflow:unguessable@db:5432/reflow": database_url,
            "redis://redis:6379/0": self.queue,
            "0.0.0.0": "127.0.0.1",  # noqa: S104
            "/books": str(folder / "books"),
            "/tmp/": f"{folder}/",  # noqa: S108
        }

    def place(self, text: str) -> str:
        for inside, here in self.places.items():
            text = text.replace(inside, here)
        for inside, here in self.ports.items():
            text = re.sub(rf"\b{inside}\b", here, text)
        return text

    def program(self, service: str, command: list[str]) -> Program:
        name, *words = [self.place(word) for word in command]
        start = [sys.executable] if name == "python" else [sys.executable, "-m", name]
        if name == "valkey-server":
            start = [str(valkey_binary()), "--port", str(free_port())]
        inherited = {key: os.environ[key] for key in ORDINARY & set(os.environ)}
        settings = {key: self.place(text) for key, text in environment_of(service, self.given).items()}
        ours = {"REFLOW_STATE_DIR": str(self.folder), "PYTHONUNBUFFERED": "1", "CLOCK_DIVISOR": "20"}
        environment = inherited | settings | ours
        directory = self.folder if name == "valkey-server" else ROOT
        return Program(name=service, command=[*start, *words], env=environment, directory=directory)

    def start(self, service: str) -> Child:
        return self.processes.start(self.program(service, command_of(service)))

    def comes_up(self, service: str, words: str) -> None:
        child = self.start(service)
        self.processes.wait(child, lambda: words in child.log.read_text())

    def is_healthy(self, service: str) -> bool:
        kind, *command = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        program = self.program(service, command)
        return subprocess.run(program.command, env=program.env, capture_output=True, check=False).returncode == 0


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    name = f"compose_{os.getpid()}_{time.monotonic_ns()}"
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    with contextlib.closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
        made = Host(tmp_path, f"{server}/{name}")
        try:
            yield made
        finally:
            made.processes.hurry = True
            made.processes.stop_all()
            connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.installation
def test_every_service_comes_up_with_the_command_and_the_settings_of_the_file(host: Host) -> None:
    assert set(SERVICES) == {"web", "worker", "beat", "migrate", "db", "redis", "sandbox"}
    host.processes.run(host.program("migrate", command_of("migrate")))
    web, sandbox = host.start("web"), host.start("sandbox")
    with redis.Redis.from_url(host.queue) as queue:
        queue.flushdb()
        beat = host.start("beat")
        host.processes.wait(beat, lambda: queue.llen("celery") > 0)
        host.comes_up("worker", "ready.")
        host.processes.wait(beat, lambda: queue.llen("celery") == 0)
    host.comes_up("redis", "Ready to accept connections")
    host.processes.wait(web, lambda: host.is_healthy("web"))
    host.processes.wait(sandbox, lambda: host.is_healthy("sandbox"))
    assert host.processes.dead() == []


def test_a_setting_that_is_missing_is_asked_for_by_name(host: Host) -> None:
    for name in ("SECRET_KEY", "TOKEN_KEYS", "SUPPORT_EMAIL"):
        with pytest.raises(NotSet, match=f"{name}: set {name} "):
            environment_of("web", {key: value for key, value in host.given.items() if key != name})
    with pytest.raises(NotSet, match="set POSTGRES_PASSWORD "):
        environment_of("db", {})


def test_a_wrong_setting_stops_the_service_with_its_name(host: Host) -> None:
    host.given["SECRET_KEY"] = "short"
    with pytest.raises(ProcessFailed, match="SECRET_KEY is shorter"):
        host.processes.run(host.program("migrate", command_of("migrate")))


def test_the_file_holds_no_secret() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|KEY|PASSWORD", name):
                assert REFERENCE.fullmatch(value or ""), name
    assert re.findall(r"://[^/\s:]+:(?!\$\{)[^/\s@]+@", COMPOSE) == []


def test_every_variable_is_one_that_the_settings_read() -> None:
    readers = (ROOT / "reflow" / "settings.py", *(ROOT / "sandbox").rglob("*.py"))
    read = set(re.findall(r"[\"'](?:os\.environ/)?([A-Z][A-Z_]+)[\"']", "".join(map(Path.read_text, readers))))
    entries = {name for service in SERVICES.values() for name in service.get("environment", {})}
    used = entries | {name for name, _, _ in REFERENCE.findall(COMPOSE)}
    postgres_itself = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
    assert used - read - postgres_itself == set()


def test_the_image_holds_what_it_copies_and_installs_only_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    sources = [source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert all("--require-hashes" in line for line in lines if "pip install" in line)
    assert [line.split()[1] for line in lines if line.startswith("USER ")] == ["reflow", "reflow"]
