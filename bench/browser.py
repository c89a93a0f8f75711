"""The invoice list in a Chromium with an empty cache, and Django's admin in the same one, by turns."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import DEFAULT_DB_ALIAS, connections
from django.test import override_settings
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, sync_playwright

from bench import admin, books
from bench.goals import Figure
from bench.pages import Side
from bench.rounds import middle
from reflow.bootstrap import find_chromium

TIMES = 12
WATCH = """
window.paint = 0; window.shift = 0
new PerformanceObserver((seen) => { for (const one of seen.getEntries()) window.paint = one.startTime })
  .observe({type: "largest-contentful-paint", buffered: true})
new PerformanceObserver((seen) => { for (const one of seen.getEntries()) window.shift += one.value })
  .observe({type: "layout-shift", buffered: true})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One cold load: the largest paint in ms, how far things moved, the bytes and the requests."""

    paint: Fraction
    shift: Fraction
    bytes: int
    requests: int


@contextmanager
def _served(side: Side, middleware: tuple[str, ...] | None = None) -> Iterator[str]:
    """The address of a server of this process on that database; every thread of it has its own connection."""
    connections.settings[DEFAULT_DB_ALIAS]["NAME"] = side.name
    with override_settings(**({"MIDDLEWARE": middleware} if middleware else {})):
        handler = WSGIHandler()
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _load(browser: Browser, address: str, cookie: str) -> Seen:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "reflow-session", "value": cookie, "url": address}])
    page, sizes = context.new_page(), list[int]()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.add_init_script(WATCH)
    answer = page.goto(address, wait_until="networkidle")
    assert answer and answer.ok, address
    paint, shift = page.evaluate("[window.paint, window.shift]")
    context.close()
    return Seen(paint=Fraction(str(paint)), shift=Fraction(str(shift)), bytes=sum(sizes), requests=len(sizes))


def run(count: int) -> Iterator[Figure]:
    """Cold loads of each, by turns."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    ours = Side.of(count)
    theirs = admin.beside(ours)
    with _served(ours) as mine, _served(ours, admin.PLAIN) as other:
        pairs = list(_pairs(f"{mine}/invoices/", _cookie(ours), f"{other}/admin/invoices/invoice/", _cookie(theirs)))
    yield from _figures(pairs)


def _cookie(side: Side) -> str:
    return side.browser.cookies["reflow-session"].value


def _pairs(mine: str, my_cookie: str, other: str, other_cookie: str) -> Iterator[tuple[Seen, Seen]]:
    path = find_chromium()
    if path is None:
        books.say("No Chromium was found: goal 13 is not measured.")
        return
    options = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        _load(browser, mine, my_cookie), _load(browser, other, other_cookie)
        for _ in range(TIMES):
            yield _load(browser, mine, my_cookie), _load(browser, other, other_cookie)
        browser.close()


def _figures(pairs: list[tuple[Seen, Seen]]) -> Iterator[Figure]:
    if not pairs:
        return
    ours, theirs = zip(*pairs, strict=True)
    paints = tuple(f"{middle(tuple(one.paint for one in side)).__round__()} ms" for side in (ours, theirs))
    yield Figure(
        goal="13",
        what="first page",
        samples=tuple(one.paint / other.paint for one, other in pairs),
        plain=f"{paints[0]}, admin {paints[1]}",
    )
    requests = (
        f"{ours[0].requests} requests; admin {Decimal(theirs[0].bytes) / 1000:.0f} KB, {theirs[0].requests} requests"
    )
    yield Figure(
        goal="13b", what="first page", samples=tuple(Fraction(one.bytes, 1000) for one in ours), plain=requests
    )
    shift = middle(tuple(one.shift for one in theirs))
    yield Figure(
        goal="13c",
        what="first page",
        samples=tuple(one.shift for one in ours),
        plain=f"admin {Decimal(shift.numerator) / shift.denominator:.2f}",
    )
