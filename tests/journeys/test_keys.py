"""Single keys and the theme, as hands use them: in lists, on an invoice, and switched off by who does not want them."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice, Push
from tests.conftest import draft_for
from tests.journeys.conftest import NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def three(client_of_ours: Client, staff: User) -> list[Invoice]:
    """Drafts, in the order of the list: the newest first."""
    made = [services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=timezone.now()) for _ in range(3)]
    return made[::-1]


def sign_in(page: Page, user: User) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_attached()
    page.wait_for_load_state()  # only then do keys do something


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def map_of(page: Page) -> dict[str, str]:
    """What the map lists, closed again."""
    press(page, "Shift+?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    terms, meanings = (dialog.locator(tag).all_text_contents() for tag in ("dt", "dd"))
    press(page, "Escape")
    expect(dialog).to_be_hidden()
    return dict(zip((" ".join(term.split()) for term in terms), meanings, strict=True))


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.wait_for_load_state()


def test_a_list_is_walked_searched_and_left_without_a_mouse(page: Page, three: list[Invoice], staff: User) -> None:
    sign_in(page, staff)
    press(page, "g", "i")
    heading(page, "Invoices")
    press(page, "j", "j", "j", "j", "k")
    expect(page.get_by_role("link", name=three[1].number)).to_be_focused()
    box = page.get_by_role("checkbox", name=f"Choose {three[1].number}")
    press(page, "x")
    expect(box).to_be_checked()
    press(page, "s")
    expect(page.get_by_role("dialog")).to_be_hidden()  # nothing is connected
    press(page, "x")
    expect(box).not_to_be_checked()
    press(page, "Enter")
    heading(page, three[1].number)
    press(page, "/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    press(page, "n", "j", "x")
    expect(search).to_have_value("njx")
    press(page, "Escape", "Tab", "Control+n", "Alt+n", "Shift+n", "n")
    heading(page, "New invoice")
    reference = page.get_by_label("Client's reference")
    reference.focus()
    press(page, "g", "c")
    expect(reference).to_have_value("gc")
    page.get_by_role("button", name="Save invoice").focus()
    press(page, "g", "c")
    heading(page, "Clients")
    press(page, "j", "Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Bramley Stores Ltd")


def test_an_invoice_is_edited_approved_and_sent_by_single_keys(
    page: Page, connection: Connection, three: list[Invoice], staff: User
) -> None:
    sign_in(page, staff)
    page.goto(f"/invoices/{three[0].pk}/")
    assert {"e": "Edit", "a": "Approve", "s": "Send to Sage"}.items() <= map_of(page).items()
    press(page, "e")
    heading(page, f"Edit {three[0].number}")
    page.go_back()
    press(page, "a")
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text(f"Approve {three[0].number}?")
    press(page, "Enter")
    expect(page.locator("#status")).to_have_text("Approved")
    shown = map_of(page)
    assert shown["s"] == "Send to Sage"
    assert "a" not in shown and "e" not in shown and "j" not in shown and "g s" not in shown
    press(page, "s", "s")
    expect(asked).to_contain_text(f"Send {three[0].number} to Sage?")
    expect(asked).to_contain_text(connection.company_name)
    assert not Push.objects.exists()
    press(page, "Enter")
    expect(page.locator("#push").get_by_role("status")).to_have_text("Waiting")
    assert Push.objects.get().invoice == three[0]
    press(page, "s")
    assert "s" not in map_of(page)


def test_the_keys_can_be_switched_off_and_the_theme_is_kept(
    new_page: NewPage, admin: User, viewer: User, three: list[Invoice]
) -> None:
    page = new_page(color_scheme="light")
    sign_in(page, viewer)
    assert "n" not in map_of(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Use single-key shortcuts").uncheck()
    press(page, "Escape", "g", "c", "Shift+?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_label("Theme").select_option("Dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 21, 28)"
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Sign in")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    sign_in(page, admin)
    press(page, "g", "c")
    heading(page, "Clients")  # another person's keys are still on
    assert page.evaluate(background) == "rgb(16, 21, 28)"
    assert map_of(page)["g s"] == "Go to settings"
    expect(page.get_by_label("Theme")).to_have_value("dark")
    page.get_by_label("Theme").select_option("System")
    page.reload()
    assert page.evaluate(background) == "rgb(255, 255, 255)"
