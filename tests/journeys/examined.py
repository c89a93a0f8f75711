"""What every page is measured by: axe, its weight, that nothing shifts or leaves, and its picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.test.testcases import LiveServerThread
from PIL import Image
from playwright.sync_api import Page, Request

WIDE: dict[str, Any] = {"width": 1440, "height": 900, "color_scheme": "light"}
NARROW: dict[str, Any] = {"width": 390, "height": 844, "color_scheme": "dark"}
SCREENS = [
    pytest.param(WIDE, id="wide"),
    pytest.param(NARROW, id="narrow"),
    pytest.param({**NARROW}, id="narrow, with axe", marks=pytest.mark.prove),
    pytest.param({**WIDE, "color_scheme": "dark"}, id="wide, dark", marks=pytest.mark.prove),
    pytest.param({**NARROW, "color_scheme": "light"}, id="narrow, light", marks=pytest.mark.prove),
]
FIRST_LOAD, LATER_LOAD = 120 * 1024, 40 * 1024
LARGEST_SHIFT = 0.01
TALLEST = 1400  # pixels of a picture
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
WATCH_SHIFTS = """{
  window.shifted = [];
  const moved = (shift) => shift.sources.map((source) => source.node?.outerHTML?.slice(0, 120));
  const keep = (shift) => { if (!shift.hadRecentInput) window.shifted.push([shift.value, moved(shift)]); };
  new PerformanceObserver((list) => list.getEntries().forEach(keep)).observe({type: "layout-shift", buffered: true});
}"""
LOADED = """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map((loaded) => [loaded.name, loaded.transferSize])"""
RUN_AXE = "options => axe.run(options).then(found => found.violations)"
# What stands on the screen and not on the page: a picture of the whole page would show it in its midst.
FLOATING = "dialog[open], details.menu[open], .bar.on, :popover-open"
# The invoice that was sent, as the README shows it.
SHOWN_IN_README = {"sent": "invoice-sent.png"}


@contextmanager
def served() -> Iterator[str]:
    """The address of an application that serves its static files itself, as `gathered` left them."""
    server = LiveServerThread("127.0.0.1", static_handler=lambda application: application)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


def violations(page: Page, **options: Any) -> list[dict[str, Any]]:
    """What axe finds on the page, where it is put once; nothing but the violations comes back from there."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(RUN_AXE, {"resultTypes": ["violations"], **options})
    return found


def _axe(page: Page, **options: Any) -> list[str]:
    return [
        f"{violation['id']}, {violation['help']}: {[node['target'] for node in violation['nodes']]}"
        for violation in violations(page, **options)
        if violation["impact"] in ("serious", "critical")
    ]


def faults_of(page: Page, name: str) -> list[str]:
    found = [f"{name}: {fault}" for fault in _axe(page, rules={"target-size": {"enabled": True}})]
    return [*found, *sideways(page, name)]


def sideways(page: Page, name: str) -> list[str]:
    return [f"{name}: scrolls sideways"] if page.evaluate(SIDEWAYS) else []


@dataclass(kw_only=True)
class Examiner:
    """Looks at one page after the other on one screen, and keeps what it found."""

    page: Page
    address: str
    screen: dict[str, Any]
    pictures: Path | None
    asks_axe: bool = True
    faults: list[str] = field(default_factory=list)
    weights: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By page: bytes at first load, bytes with the static files kept from before, requests."""
    _static: dict[str, int] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.context.add_init_script(WATCH_SHIFTS)
        self.page.context.on("request", self._stays_at_home)

    def look(self, name: str) -> None:
        self._weigh(name)
        self._shifts(name)
        self.faults += faults_of(self.page, name) if self.asks_axe else sideways(self.page, name)
        self._take(name)

    def _stays_at_home(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:")):
            self.faults.append(f"{self.page.url} asks {request.url}")

    def _weigh(self, name: str) -> None:
        """A static file counts in full at first load, as it weighed when it came, and later only if it came again."""
        loaded = self.page.evaluate(LOADED)
        new = {url: size for url, size in loaded if "/static/" in url and url not in self._static}
        self._static |= new
        first = sum(self._static.get(url, size) for url, size in loaded)
        later = sum(size for url, size in loaded if url not in new)
        self.weights[name] = (first, later, len(loaded))
        if first > FIRST_LOAD or later > LATER_LOAD:
            self.faults.append(f"{name}: {first} bytes at first load, {later} later")

    def _shifts(self, name: str) -> None:
        shifted = self.page.evaluate("window.shifted")
        if sum(value for value, _ in shifted) > LARGEST_SHIFT:
            self.faults.append(f"{name}: shifts {shifted}")

    # Pictures ------------------------------------------------------------------------------------------------
    @property
    def _suffix(self) -> str:
        return "wide" if self.screen["width"] == WIDE["width"] else "narrow"

    def _take(self, name: str) -> None:
        if not self.pictures:
            return
        floats = self.page.locator(FLOATING).count()
        self._keep(f"{name.replace(',', '').replace(' ', '-')}-{self._suffix}.png", full_page=not floats)
        if name in SHOWN_IN_README and self._suffix == "wide":
            self._keep(SHOWN_IN_README[name], full_page=False)

    def _keep(self, file: str, *, full_page: bool) -> None:
        assert self.pictures
        taken = Image.open(BytesIO(self.page.screenshot(full_page=full_page))).convert("RGB")
        upper = taken.crop((0, 0, taken.width, min(taken.height, TALLEST)))
        smooth = Image.Dither.NONE  # text stays sharp
        upper.quantize(256, Image.Quantize.MAXCOVERAGE, dither=smooth).save(self.pictures / file, optimize=True)
        self._taken.add(file)

    def remove_stale(self) -> None:
        """Pictures of pages that there are no more."""
        for picture in self.pictures.glob(f"*-{self._suffix}.png") if self.pictures else ():
            if picture.name not in self._taken:
                picture.unlink()
