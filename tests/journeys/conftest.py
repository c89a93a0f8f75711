"""Real Celery processes, and a real Chromium in which any error of a page fails the test."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings as project
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright
from redis import Redis

from reflow.bootstrap import find_chromium
from reflow.processes import Child, Processes, Program

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET_CHROMIUM = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP refused ${event.blockedURI} by ${event.violatedDirective}`))"""


class Crew:
    """The worker and beat processes of one test, on its database and its broker."""

    def __init__(self, directory: Path) -> None:
        self.clock_divisor = project.CLOCK_DIVISOR
        self._directory = directory
        self._processes = Processes(directory)

    def worker(self, name: str = "one") -> Child:
        return self.workers(name)[0]

    def workers(self, *names: str) -> list[Child]:
        """`celery worker` as it runs in production, one a name; comes back when all of them take messages."""
        options = ("-P", "threads", "-c", "4", "-l", "INFO", "-n")
        children = [self._start(name, "worker", *options, f"{name}@%h") for name in names]
        for child in children:
            self._processes.wait(child, lambda log=child.log: " ready." in log.read_text(), 30)
        return children

    def beat(self) -> Child:
        return self._start("beat", "beat", "-s", str(self._directory / "schedule"), "-l", "INFO")

    def kill(self, child: Child) -> None:
        """`kill -9`: no farewell, no warm shutdown."""
        os.killpg(child.process.pid, SIGKILL)
        child.process.wait()
        self._processes.stop(child.program.name)

    def dismiss(self) -> None:
        """By force: nothing waits for what they were doing."""
        self._processes.hurry = True
        self._processes.stop(*self._processes.children)

    def _start(self, name: str, *command: str) -> Child:
        settings = {"DATABASE_URL": _test_database(), "CLOCK_DIVISOR": str(self.clock_divisor)}
        environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
        celery = [sys.executable, "-m", "celery", "-A", "reflow", *command]
        return self._processes.start(Program(name=name, command=celery, env=environment, directory=ROOT))


def _test_database() -> str:
    parts = urlsplit(project.DATABASE_URL)
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


@pytest.fixture
def broker() -> Redis:
    """This test worker's Valkey database, empty."""
    redis: Redis = Redis.from_url(project.REDIS_URL, decode_responses=True)
    redis.flushdb()
    return redis


@pytest.fixture
def crew(tmp_path: Path, transactional_db: None, broker: Redis) -> Iterator[Crew]:
    """Processes on demand; all of them have ended before the database is emptied."""
    hired = Crew(tmp_path)
    yield hired
    hired.dismiss()


@pytest.fixture(scope="session")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """One browser for this worker, whose last tests need it; without Chromium they are skipped, but never in CI."""
    path = find_chromium()
    if path is None:
        reason = "No Chromium was found: install one, or name it as CHROMIUM=/path/to/chromium."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    arguments = [*QUIET_CHROMIUM, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    what_migrations_made = connection._test_serialized_contents  # type: ignore[attr-defined]
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        # Playwright's loop runs in this thread: Django takes it for asynchronous code, and gives it a connection of
        # its own, which has to know what serialized_rollback puts back.
        connection._test_serialized_contents = what_migrations_made  # type: ignore[attr-defined]
        yield playwright.chromium.launch(executable_path=path, args=arguments)
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Faults:
    """What pages complained of; that a page itself was refused (403, 404, 422) is no fault of it.

    Nor is a request that was given up because its page was left or a newer one took its place: htmx tells the console
    of it as of an error, after the word that the request is over. A request that failed has another word after it.
    """

    GIVEN_UP = ("htmx:afterRequest,", "htmx:sendAbort,")

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._refused: set[str] = set()

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"{error.page and error.page.url}: {error.error}"))

    def _response(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.status in (403, 404, 422):
            self._refused.add(response.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.text.startswith(self.GIVEN_UP):
            return
        if message.type == "error" and message.location["url"] not in self._refused:
            self.seen.append(f"{message.page and message.page.url}: {message.text}")


CALM_SECONDS = 0.1  # without a query under way
NewPage = Callable[..., Page]


@pytest.fixture
def new_page(chromium: Browser, live_server: Any, settings: Any) -> Iterator[NewPage]:
    """Opens a page of a fresh browser profile on the running application."""
    settings.SITE_URL = live_server.url
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    faults, contexts = Faults(), []

    def opened(*, width: int = 1440, height: int = 900, **options: Any) -> Page:
        options = {"base_url": live_server.url, "locale": "en-GB", **options}
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(10_000)
        faults.watch(context)
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    _come_to_rest()
    assert faults.seen == []


def _come_to_rest() -> None:
    """What a closing page still said, such as the scratch it kept, is written before the tables are emptied."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
    deadline = calm_since = time.monotonic()
    with connection.cursor() as cursor:
        while time.monotonic() - calm_since < CALM_SECONDS:
            assert time.monotonic() < deadline + 10, "The application did not come to rest."
            cursor.execute(f"{busy} AND pid <> pg_backend_pid()")
            if cursor.fetchone() != (0,):
                calm_since = time.monotonic()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page as wide as a desk has it."""
    return new_page()
