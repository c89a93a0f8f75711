"""One sandbox for the whole run, made fresh before each test, with a clock that the test moves."""

from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.intacct_application import Application
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


@pytest.fixture
def application(stranger: Visitor) -> Application:
    """A client of Intacct's API, at the top level of the company HARBOUR, before fresh books."""
    made = Application(stranger.url, stranger.clock)
    made.connect_as()
    return made
