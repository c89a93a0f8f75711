"""What a person does on the road: at 390 px, by touch alone, with targets that a thumb meets."""

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice
from tests.books import Sandbox
from tests.conftest import draft_for, line
from tests.journeys.conftest import ROOT, Crew, NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
# What is smaller than 24 pixels, and main buttons lower than 44; links inside a sentence are as tall as their line.
TOO_SMALL = """[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter((target) => target.checkVisibility() && !target.matches(".skip, .sr"))
  .filter((target) => !(target.matches("a") && getComputedStyle(target).display === "inline"))
  .map((target) => [target, (target.closest("label") ?? target).getBoundingClientRect()])
  .filter(([target, box]) => Math.min(box.width, box.height) < (target.matches(".btn-primary") ? 44 : 24))
  .map(([target, box]) => `${target.outerHTML.slice(0, 90)} ${box.width} x ${box.height}`)"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def phone(new_page: NewPage) -> Page:
    return new_page(width=390, height=844, has_touch=True, is_mobile=True, device_scale_factor=2)


def fits(page: Page) -> None:
    """Nothing to scroll sideways, nothing too small for a thumb."""
    assert page.evaluate(SIDEWAYS) == 0, page.url
    assert page.evaluate(TOO_SMALL) == [], page.url


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def follow(page: Page, target: Locator) -> None:
    """To the page that it leads to, which has to fit too."""
    with page.expect_event("load"):
        target.tap()
    fits(page)


def sign_in(page: Page, user: User) -> None:
    page.goto("/login/")
    fits(page)
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    follow(page, button(page, "Sign in"))


def go_to(page: Page, name: str) -> None:
    button(page, "Menu").tap()
    fits(page)
    follow(page, page.get_by_role("navigation", name="Main").get_by_role("link", name=name))
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def find_and_read(page: Page, invoice: Invoice) -> None:
    search = page.get_by_role("searchbox")
    search.tap()
    search.fill("pump")
    with page.expect_navigation():
        search.press("Enter")  # the keyboard on the glass has a key for it
    expect(page.locator("tbody tr")).to_have_count(1)
    follow(page, page.get_by_role("link", name=invoice.number))
    expect(page.get_by_role("heading", name=invoice.number)).to_be_visible()
    expect(page.get_by_text("Pump replaced")).to_be_visible()


def raise_one(page: Page, client: Client) -> str:
    """From the list to a saved draft; its number."""
    go_to(page, "Invoices")
    follow(page, page.get_by_role("link", name="New invoice").first)
    choose(page, client)
    row = page.locator("[data-line]").first
    for name, typed in (("Description", "Call-out"), ("Quantity", "1"), ("Price", "65")):
        row.get_by_label(name).fill(typed)
    expect(page.locator('[data-total="total"]')).to_have_text("£78.00")
    fits(page)
    follow(page, button(page, "Save invoice"))
    expect(page.get_by_role("heading", name=re.compile("^INV-"))).to_be_visible()
    return page.locator("#number").inner_text()


def choose(page: Page, client: Client) -> None:
    box = page.get_by_label("Client", exact=True)
    box.tap()
    box.press_sequentially(client.name[:4])
    page.get_by_role("option").filter(has_text=client.name).tap()
    expect(box).to_have_value(re.compile(f"^{client.name}"))


def test_find_read_raise_approve_and_send_by_touch(
    phone: Page, crew: Crew, sandbox: Sandbox, connection: Connection, client_of_ours: Client, staff: User
) -> None:
    crew.clock_divisor = 1
    crew.worker()
    pump = draft_for(client_of_ours, line("Pump replaced"))
    invoice = services.create_invoice(draft=pump, actor=staff, now=timezone.now())
    services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=timezone.now())
    sign_in(phone, staff)
    go_to(phone, "Invoices")
    find_and_read(phone, invoice)
    phone.locator("#actions summary").tap()
    follow(phone, phone.get_by_role("button", name=re.compile("^Approve")))
    expect(phone.locator("#status")).to_have_text("Approved")
    number = raise_one(phone, client_of_ours)
    button(phone, "Send to Sage").tap()
    expect(phone.locator("#push").get_by_role("status")).to_have_text("Sent to Sage")
    fits(phone)
    (held,) = sandbox.invoices()
    assert held["reference"] == number


def test_nothing_shows_only_under_a_mouse() -> None:
    """No rule of ours makes something visible on hover: it may only change colours."""
    styles = (ROOT / "static" / "reflow" / "reflow.css").read_text()
    rules = re.findall(r"([^{}]*:hover[^{}]*)\{([^}]*)\}", styles)
    assert len(rules) > 10
    shows = re.compile(r"\b(display|visibility|opacity|content|clip-path|width|height|transform)\s*:")
    assert [selector.strip() for selector, rule in rules if shows.search(rule)] == []
