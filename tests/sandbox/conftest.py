"""One sandbox for the whole run, made fresh before each test, with a clock that the test moves."""

from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.visitor import MovableClock, Visitor, serve


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    visitor = serve(tmp_path_factory.mktemp("sandbox"), MovableClock())
    yield visitor
    visitor.stop()


@pytest.fixture
def stranger(running: Visitor) -> Visitor:
    """A client that was not authorised yet, before fresh books."""
    running.clock.now = MovableClock.now
    requests.post(f"{running.url}/_reset", timeout=10).raise_for_status()
    return Visitor(running.url, running.clock, running.server, running.directory)


@pytest.fixture
def client(stranger: Visitor) -> Visitor:
    stranger.connect()
    return stranger
