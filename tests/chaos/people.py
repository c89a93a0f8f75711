"""Impatient people at real pages: they double-click, work in two tabs, try again, and authorise again when asked."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from tests.books import Sandbox
from tests.chaos.plan import Order
from tests.chaos.reader import Ours

PASSWORD = "quayside-chaos"
STAFF = ("sam", "sue", "sid")
ADMIN = "ada"
PATIENCE = 120
IN_THE_QUEUE = 12  # waiting invoices at which people pause, so that the faults meet the whole run
GOOD = (200, 204, 302)


class Tab:
    """One browser tab; a second one shares its cookies."""

    def __init__(self, url: str, name: str, stopped: threading.Event) -> None:
        self.url, self.name, self.stopped = url, name, stopped
        self.session = requests.Session()
        self.session.trust_env = False

    def another(self) -> "Tab":
        tab = Tab(self.url, self.name, self.stopped)
        tab.session.cookies.update(self.session.cookies)
        return tab

    def sign_in(self) -> "Tab":
        self.until(lambda: self.session.get(f"{self.url}/login/", timeout=20).ok)
        typed = {"username": self.name, "password": PASSWORD, "next": "/"}
        self.until(lambda: self.post("/login/", typed).status_code in GOOD)
        return self

    def post(self, path: str, data: dict[str, str], *, htmx: bool = False) -> requests.Response:
        data = data | {"csrfmiddlewaretoken": self.session.cookies.get("reflow-csrf") or ""}
        headers = {"HX-Request": "true"} if htmx else {}
        return self.session.post(self.url + path, data=data, headers=headers, timeout=20, allow_redirects=False)

    def until(self, done: Callable[[], bool]) -> None:
        """Tries again as people do, while pages fail."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self.stopped.is_set():
            try:
                if done():
                    return
            except requests.RequestException:
                self.session.close()
            self.stopped.wait(0.2)
        if not self.stopped.is_set():
            raise TimeoutError(f"{self.name} gave up.")


@dataclass(slots=True)
class People:
    """Three of the staff carry out the orders; the count of sent ones is what the plan of faults goes by."""

    url: str
    ours: Ours
    clients: Sequence[int]
    items: Sequence[int]
    clicked: int = 0
    done: int = 0
    trouble: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, orders: Sequence[Order], names: Sequence[str]) -> list[threading.Thread]:
        left = iter(orders)
        threads = [threading.Thread(target=self._work, args=(name, left), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, name: str, left: Iterator[Order]) -> None:
        try:
            with ThreadPoolExecutor(4) as hands:
                first = Tab(self.url, name, self.stopped).sign_in()
                tabs = [first, first.another()]
                while (order := self._next(left)) and not self.stopped.is_set():
                    self._carry_out(order, tabs, hands)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told at the end
            self.trouble.append(f"{name}: {error!r}")

    def _next(self, left: Iterator[Order]) -> Order | None:
        with self._lock:
            return next(left, None)

    def _carry_out(self, order: Order, tabs: Sequence[Tab], hands: ThreadPoolExecutor) -> None:
        while self.ours.in_the_queue() >= IN_THE_QUEUE and not self.stopped.is_set():
            self.stopped.wait(0.1)
        page = f"/invoices/{self._raise(order, tabs[0])}"
        mine = tabs[: order.tabs]
        if order.approved_first:
            self._click(f"{page}/approve/", mine, 2, False, hands)
        self._click(f"{page}/push/", mine, order.clicks, order.htmx, hands)
        with self._lock:
            self.clicked += 1
        if order.clicked_again_later:  # in a tab that has not noticed yet
            self.stopped.wait(0.5)
            self._click(f"{page}/push/", tabs[1:], 2, False, hands)
        with self._lock:
            self.done += 1

    def _raise(self, order: Order, tab: Tab) -> int:
        """Saves it; where the page failed, looks whether it was saved before saving again."""
        found: list[int] = []

        def saved() -> bool:
            found.extend(self.ours.with_reference(order.reference))
            if not found:
                answer = tab.post("/invoices/new/", _form(order, self.clients[order.client], self.items))
                found.extend(map(int, re.findall(r"/invoices/(\d+)/", answer.headers.get("Location", ""))))
            return bool(found)

        tab.until(saved)
        return found[0]

    def _click(self, path: str, tabs: Sequence[Tab], clicks: int, htmx: bool, hands: ThreadPoolExecutor) -> None:
        """All clicks at the same moment, and again until a page says that it was taken."""

        def taken() -> bool:
            posts = [hands.submit(tabs[k % len(tabs)].post, path, {}, htmx=htmx) for k in range(clicks)]
            errors = [post.exception() for post in posts]
            return any(
                not error and post.result().status_code in GOOD for post, error in zip(posts, errors, strict=True)
            )

        tabs[0].until(taken)


def _form(order: Order, client: int, items: Sequence[int]) -> dict[str, str]:
    lines = {
        f"lines-{k}-{name}": value
        for k, (quantity, price, item) in enumerate(order.lines)
        for name, value in (
            ("item", str(items[item])),
            ("description", f"Work {k + 1} of {order.reference}"),
            ("quantity", quantity),
            ("unit_price", price),
            ("discount_percent", "0"),
            ("tax_rate", "STANDARD"),
        )
    }
    return {
        "client": str(client),
        "site": "",
        "issue_date": "2026-11-02",
        "due_date": "2026-12-02",
        "reference": order.reference,
        "notes": "",
        "lines-TOTAL_FORMS": str(len(order.lines)),
        "lines-INITIAL_FORMS": "0",
        **lines,
    }


class Admin:
    """Authorises again whenever Reflow asks for it, and presses Sync now; both through the pages."""

    def __init__(self, url: str, sage: str, platform: str) -> None:
        self.url, self.sandbox, self.platform = url, Sandbox(sage), platform
        self.tab = Tab(self.url, ADMIN, threading.Event()).sign_in()
        self.authorised = 0

    def authorise_again(self) -> None:
        answer = self.tab.post("/settings/connector/authorise/", {"platform": f"sage_{self.platform}"})
        said = self.sandbox.allow(answer.headers["Location"])
        where = f"{self.url}/settings/connector/callback/"
        self.tab.session.get(where, params=said, timeout=20, allow_redirects=False)
        self.authorised += 1

    def sync_now(self) -> None:
        self.tab.post("/settings/connector/sync/now/", {}, htmx=True)
