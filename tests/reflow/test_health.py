"""Whether this process lives, and whether it can serve: each part says what is missing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from redis import Redis

from reflow import health
from reflow.processes import wait_until
from reflow.servers import free_port, valkey_binary

pytestmark = pytest.mark.django_db


def test_a_process_that_lives_says_so(client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_database", None)
    monkeypatch.setattr(health, "_broker", None)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_with_all_there_it_is_ready(client: Browser) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "database": "ok", "broker": "ok"})


@pytest.mark.parametrize(
    "address",
    ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/valkey.sock", "redis+socket:///nowhere/v.sock?virtual_host=0"],
)
def test_without_the_broker_it_is_not_ready_and_says_so(client: Browser, settings: Any, address: str) -> None:
    settings.REDIS_URL = address
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "database": "ok", "broker": "does not answer"}


@pytest.fixture
def silent_broker(settings: Any) -> Iterator[None]:
    """One that takes connections and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as door:
        settings.REDIS_URL = f"redis://127.0.0.1:{door.getsockname()[1]}/0"
        yield


@pytest.mark.usefixtures("silent_broker")
def test_a_broker_that_does_not_answer_is_not_waited_for(client: Browser) -> None:
    assert client.get("/readyz").json()["broker"] == "does not answer"


@pytest.fixture
def socket_of_a_broker() -> Iterator[Path]:
    """A broker that listens on nothing else; the name of a socket must be short."""
    with TemporaryDirectory() as home:
        path = Path(home) / "valkey.sock"
        command = [valkey_binary(), "--port", "0", "--unixsocket", path, "--save", "", "--dir", home]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as broker:
            try:
                assert wait_until(path.exists, seconds=20)
                yield path
            finally:
                broker.terminate()


@pytest.mark.parametrize("more", ["", "?virtual_host=3"])
def test_a_broker_on_a_socket_is_found(client: Browser, settings: Any, socket_of_a_broker: Path, more: str) -> None:
    settings.REDIS_URL = f"redis+socket://{socket_of_a_broker}{more}"
    assert client.get("/readyz").json()["broker"] == "ok"


def test_without_the_database_it_is_not_ready_and_says_so(client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {**project.DATABASES["default"], "HOST": "127.0.0.1", "PORT": str(free_port()), "TIME_ZONE": None}
    monkeypatch.setattr(health, "connection", DatabaseWrapper(away))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")


def test_with_a_migration_missing_it_says_what_to_run(client: Browser) -> None:
    applied = MigrationRecorder.Migration.objects.filter(app="invoices").order_by("name")
    applied.filter(pk=applied.values("pk").reverse()[:1]).delete()  # the latest
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "1 migrations are missing: run `manage.py migrate`"


def test_neither_needs_anybody_to_sign_in_nor_tells_them_anything_more(client: Browser, viewer: User) -> None:
    before = client.get("/readyz").json()
    client.force_login(viewer)
    assert client.get("/readyz").json() == before
    assert client.post("/readyz").status_code == 405


def test_the_tests_broker_is_there_at_all() -> None:
    assert Redis.from_url(project.REDIS_URL).ping()
