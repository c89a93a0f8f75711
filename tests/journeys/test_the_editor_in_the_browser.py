"""The editor in a real Chromium: by keyboard alone, with nothing lost, to the penny, and on a phone."""

import re
from datetime import timedelta
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from invoices import services
from invoices.models import Client, Invoice, Item, Property, Scratch
from invoices.totals import line_sums
from tests.conftest import draft_for
from tests.conftest import line as stored_line
from tests.invoices.test_totals import LINES as NASTY
from tests.journeys.conftest import NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def sign_in(page: Page, user: User, there: str = "/invoices/new/") -> None:
    page.goto(there)
    type_password(page, user)
    page.wait_for_url(f"**{there}")


def type_password(page: Page, user: User) -> None:
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    page.get_by_role("button", name="Sign in").click()


def line(page: Page, n: int) -> Locator:
    return page.locator("[data-line]:visible").nth(n)


def client_box(page: Page) -> Locator:
    return page.get_by_label("Client", exact=True)


def descriptions(page: Page) -> list[str]:
    return [box.input_value() for box in page.locator("[data-line]:visible").get_by_label("Description").all()]


def kept(page: Page) -> None:
    expect(page.locator("#scratch-state")).to_have_text(re.compile(r"Kept at \d\d:\d\d, not saved yet"))


def save(page: Page) -> Invoice:
    page.get_by_role("button", name="Save invoice").click()
    page.wait_for_url(re.compile(r"/invoices/\d+/$"))
    return Invoice.objects.latest("pk")


def paste(box: Locator, text: str) -> None:
    box.focus()
    box.evaluate(
        """(box, text) => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def offered(page: Page, name: str) -> Locator:
    """The option of that name, once it is the one that Enter takes."""
    row = page.get_by_role("option", name=name)
    expect(row).to_have_attribute("aria-selected", "true")
    return row


def create_the_client(page: Page) -> None:
    """By what is typed into the box of clients, and the dialog that it opens; a reference that is taken is said so."""
    page.keyboard.type("Hart & Vale")
    offered(page, "Create client “Hart & Vale”…")
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="New client")
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_label("Name")).to_have_value("Hart & Vale")
    press(page, "Tab")
    page.keyboard.type("BRAM1")
    press(page, "Tab", "Tab")
    page.keyboard.type("14")
    press(page, "Tab")
    page.keyboard.type("1 Quay Street")
    press(page, "Enter")
    expect(dialog.get_by_text("Another client has this reference.")).to_be_visible()
    expect(dialog.get_by_label("Reference")).to_be_focused()
    press(page, "ControlOrMeta+a")
    page.keyboard.type("HV")
    press(page, "Enter")
    expect(dialog).to_be_hidden()
    expect(client_box(page)).to_be_focused()
    expect(client_box(page)).to_have_value("Hart & Vale (HV)")
    expect(page.locator("#live")).to_have_text("Client created: Hart & Vale")
    expect(page.locator(".for-client .box-chosen")).to_be_visible()


def test_an_invoice_is_raised_by_keyboard_alone_with_a_client_and_an_item_created_in_place(
    page: Page, staff: User, client_of_ours: Client
) -> None:
    sign_in(page, staff)
    expect(client_box(page)).to_be_focused()
    create_the_client(page)
    due = (timezone.localdate() + timedelta(days=14)).isoformat()
    expect(page.get_by_label("Due")).to_have_value(due)
    line(page, 0).get_by_label("Item").focus()
    page.keyboard.type("safe")
    offered(page, "Create item “safe”…")
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="New item")
    expect(dialog.get_by_label("Code")).to_be_focused()
    press(page, "Tab")
    page.keyboard.type("Key safe, fitted")
    press(page, "Tab")
    page.keyboard.type("39.99")
    press(page, "Enter")
    expect(line(page, 0).get_by_label("Item")).to_be_focused()
    expect(line(page, 0).get_by_label("Description")).to_have_value("Key safe, fitted")
    expect(line(page, 0).get_by_label("Price")).to_have_value("39.99")
    press(page, "Enter", "Tab")
    page.keyboard.type("Call-out")
    press(page, "Tab", "Tab")
    page.keyboard.type("50")
    expect(page.locator("[data-line]")).to_have_count(3)
    expect(page.locator('[data-total="total"]')).to_have_text("£107.99")
    press(page, "Control+s")
    expect(page.get_by_role("heading", name="INV-00001")).to_be_visible()
    expect(page.get_by_role("button", name="Send to Sage")).to_be_visible()
    raised = Invoice.objects.get()
    assert raised.client.address_line_1 == "1 Quay Street"
    assert (raised.client.name, str(raised.due_date), raised.total) == ("Hart & Vale", due, Decimal("107.99"))
    assert [row.item and row.item.code for row in raised.lines.all()] == ["safe", None]


def test_the_boxes_answer_arrows_home_end_escape_and_the_mouse(page: Page, staff: User, client_of_ours: Client) -> None:
    for name in ("Abbot", "Carr", "Dale"):
        Property.objects.create(name=name, client=client_of_ours if name == "Dale" else None)
    sign_in(page, staff)
    client_box(page).press_sequentially("bram")
    offered(page, "Bramley Stores Ltd")
    press(page, "Tab")
    expect(client_box(page)).to_have_value("Bramley Stores Ltd (BRAM1)")
    box, options = page.get_by_label("Property"), page.get_by_role("listbox").get_by_role("option")
    expect(box).to_be_focused()
    expect(box).to_have_attribute("aria-expanded", "false")
    press(page, "ArrowDown")
    expect(options.locator(".label")).to_have_text(["Dale", "Abbot", "Carr"])
    for key, name in (("ArrowDown", "Dale"), ("End", "Carr"), ("Home", "Dale"), ("ArrowUp", "Carr")):
        press(page, key)
        expect(offered(page, name)).to_have_id(box.get_attribute("aria-activedescendant") or "")
    press(page, "Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_have_value("")
    box.click()
    options.filter(has_text="Abbot").click()
    expect(box).to_have_value("Abbot")
    expect(box).to_be_focused()
    box.fill("carr")
    page.get_by_label("Client's reference").focus()
    expect(box).to_have_value("Carr"), "what names just one is taken when the box is left"


def test_the_first_step_down_is_onto_the_first_row_and_not_past_it(
    page: Page, staff: User, client_of_ours: Client
) -> None:
    sign_in(page, staff)
    expect(page.locator(".for-client .box-chosen")).to_be_hidden()
    page.keyboard.type("bram")
    create = "Create client “bram”…"
    offered(page, "Bramley Stores Ltd")
    press(page, "ArrowDown")
    expect(offered(page, "Bramley Stores Ltd")).to_have_id(
        client_box(page).get_attribute("aria-activedescendant") or ""
    )
    expect(page.locator("#live")).to_have_text("Bramley Stores Ltd")
    press(page, "ArrowDown")
    offered(page, create)
    press(page, "ArrowUp", "Enter")
    expect(client_box(page)).to_have_value("Bramley Stores Ltd (BRAM1)")
    expect(page.locator(".for-client .box-chosen")).to_be_visible()
    expect(page.get_by_text("From the client's terms")).to_be_visible()


def test_a_click_into_a_figure_selects_it_and_a_second_one_does_not(
    page: Page, staff: User, client_of_ours: Client
) -> None:
    sign_in(page, staff)
    quantity = line(page, 0).get_by_label("Quantity")
    quantity.click()
    page.keyboard.type("2")
    expect(quantity).to_have_value("2")
    quantity.click()
    page.keyboard.type("5")
    assert quantity.input_value() in ("25", "52")
    page.get_by_role("button", name="Add line").click()
    expect(line(page, 1).get_by_label("Item")).to_be_focused()


def test_lines_are_moved_doubled_and_removed_by_keys_and_by_the_menu(
    page: Page, staff: User, client_of_ours: Client
) -> None:
    sign_in(page, staff)
    client_box(page).press_sequentially("bram")
    offered(page, "Bramley Stores Ltd")
    press(page, "Enter")
    paste(line(page, 0).get_by_label("Description"), "One\t1\t1\nTwo\t2\t2\nThree\t3\t3")
    line(page, 2).get_by_label("Price").focus()
    press(page, "Alt+ArrowUp", "Alt+ArrowUp")
    expect(line(page, 0).get_by_label("Price")).to_be_focused()
    assert descriptions(page) == ["Three", "One", "Two", ""]
    press(page, "Control+d")
    assert descriptions(page) == ["Three", "Three", "One", "Two", ""]
    expect(line(page, 1).get_by_label("Description")).to_be_focused()
    press(page, "Alt+Backspace", "Enter", "Alt+Backspace")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    assert descriptions(page) == ["Three", "One", "Two", ""]
    line(page, 1).get_by_role("button", name="Move or duplicate line").click()
    page.get_by_role("button", name="Move down").click()
    line(page, 3).get_by_label("Description").focus()
    press(page, "Alt+ArrowUp", "Alt+Backspace")
    assert descriptions(page) == ["Three", "Two", "One", ""], "the fresh line stays where it is"
    assert [(row.description, row.position) for row in save(page).lines.all()] == [("Three", 1), ("Two", 2), ("One", 3)]


def test_rows_of_a_spreadsheet_become_lines(page: Page, staff: User, client_of_ours: Client) -> None:
    sign_in(page, staff)
    line(page, 0).get_by_label("Description").fill("Before")
    rows = 'Description\tQty\tPrice\r\n"Gutter ""deep""\nclean"\t2\t£1,085.50\r\n\r\nLadder\t\t 12 \r\nFree\t1\t0\r\n'
    paste(line(page, 0).get_by_label("Description"), rows)
    assert descriptions(page) == ["Before", 'Gutter "deep" clean', "Ladder", "Free", ""]
    expect(line(page, 1).get_by_label("Price")).to_have_value("1,085.50")
    expect(line(page, 2).get_by_label("Quantity")).to_have_value("1")
    expect(line(page, 2).get_by_label("Price")).to_have_value("12")
    expect(page.locator("#live")).to_have_text("3 lines pasted")
    expect(page.locator('[data-total="net"]')).to_have_text("£2,183.00")
    paste(line(page, 4).get_by_label("Description"), "\n".join(f"Row {n}\t1\t1" for n in range(250)))
    expect(page.locator("#live")).to_have_text("196 lines pasted; 54 did not fit")
    expect(page.locator("[data-line]")).to_have_count(200)


def sums_on_the_page(page: Page, cases: list[tuple[str, ...]]) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        """(cases) => cases.map((case_) => {
          const line = linePennies(...case_.map(parseDecimal));
          return [line.net, line.tax, line.total].map(decimalString);
        })""",
        [list(case) for case in cases],
    )
    return found


def test_the_page_counts_as_the_server_does_to_the_penny(page: Page, staff: User, client_of_ours: Client) -> None:
    dice = Random(6)  # noqa: S311
    thrown = [
        (f"{dice.randrange(1, 10**6) / 100:.2f}", f"{dice.randrange(10**7) / 100:.2f}", str(dice.randrange(101)), rate)
        for rate, _ in product(("20", "5", "0", "17.5"), range(250))
    ]
    cases = [tuple(case[:4]) for case in NASTY] + thrown
    wanted = [
        line_sums(quantity=Decimal(q), unit_price=Decimal(p), discount_percent=Decimal(d), tax_percent=Decimal(t))
        for q, p, d, t in cases
    ]
    sign_in(page, staff)
    assert sums_on_the_page(page, cases) == [[str(s.net), str(s.tax), str(s.total)] for s in wanted]
    client_box(page).press_sequentially("bram")
    offered(page, "Bramley Stores Ltd")
    press(page, "Enter")
    halves = [("0.5", "0.01"), ("1.5", "0.01"), ("2.5", "0.01"), ("3", "33.33"), ("1", "0.30"), ("1", "1.50")]
    paste(line(page, 0).get_by_label("Description"), "\n".join(f"Line {q} {p}\t{q}\t{p}" for q, p in halves))
    for n, rate in ((4, "REDUCED"), (5, "REDUCED"), (2, "ZERO")):
        line(page, n).get_by_label("Tax rate").select_option(rate)
    line(page, 3).get_by_label("Discount").fill("33.33")
    rates = page.locator("[data-rate]:visible")
    shown = [re.sub(r"\s+", " ", text).strip() for text in rates.all_inner_texts()]
    grand = {name: page.locator(f'[data-total="{name}"]').inner_text() for name in ("net", "tax", "total")}
    invoice = save(page)
    assert grand == {name: f"£{getattr(invoice, name)}" for name in grand}
    per_rate = {
        str(rate): (sum(row.net for row in rows), sum(row.tax for row in rows))
        for rate in {row.tax_rate for row in invoice.lines.all()}
        for rows in [[row for row in invoice.lines.all() if row.tax_rate == rate]]
    }
    assert sorted(shown) == sorted(f"{rate} of £{net} £{tax}" for rate, (net, tax) in per_rate.items())


def test_what_is_typed_survives_a_reload_and_is_offered_until_it_is_saved(
    page: Page, staff: User, client_of_ours: Client
) -> None:
    sign_in(page, staff)
    client_box(page).press_sequentially("bram")
    offered(page, "Bramley Stores Ltd")
    press(page, "Enter")
    line(page, 0).get_by_label("Description").fill("Half a li")
    kept(page)
    page.reload()
    expect(client_box(page)).to_have_value("Bramley Stores Ltd (BRAM1)")
    assert descriptions(page) == ["Half a li", ""]
    page.goto("/invoices/new/")
    expect(page.get_by_text("You were writing an invoice at")).to_contain_text("for Bramley Stores Ltd")
    page.get_by_role("link", name="Go on").click()
    line(page, 0).get_by_label("Description").fill("Half a line")
    line(page, 0).get_by_label("Price").fill("10")
    save(page)
    assert not Scratch.objects.exists()
    page.goto("/invoices/new/")
    expect(page.get_by_text("You were writing an invoice")).to_have_count(0)
    line(page, 0).get_by_label("Description").fill("Not wanted")
    kept(page)
    page.goto("/invoices/new/")
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_text("You were writing an invoice")).to_have_count(0)
    assert not Scratch.objects.exists()


@pytest.mark.parametrize("pressed", [False, True], ids=["while typing", "by pressing Save"])
def test_nothing_is_lost_when_the_session_has_ended(
    new_page: NewPage, staff: User, invoice: Invoice, pressed: bool
) -> None:
    page = new_page()
    there = f"/invoices/{invoice.pk}/edit/"
    sign_in(page, staff, there)
    line(page, 0).get_by_label("Description").fill("Kept in time")
    kept(page)
    Session.objects.all().delete()
    line(page, 0).get_by_label("Description").fill("Typed after the end")
    if pressed:
        page.get_by_role("button", name="Save invoice").click()
    state = page.locator("#scratch-state")
    expect(state).to_contain_text("You were signed out. Nothing is lost:")
    assert Invoice.objects.get().lines.get().description == "Gutter clearing"
    state.get_by_role("link", name="sign in and go on").click()
    type_password(page, staff)
    expect(line(page, 0).get_by_label("Description")).to_have_value("Typed after the end")
    page.wait_for_url(f"**{there}?scratch=*")
    assert save(page).lines.get().description == "Typed after the end"
    assert not Scratch.objects.exists()


def test_a_lost_network_is_said_and_tried_again(page: Page, staff: User, client_of_ours: Client) -> None:
    sign_in(page, staff)
    asked_to_stay: list[str] = []
    page.on("dialog", lambda dialog: (asked_to_stay.append(dialog.type), dialog.dismiss()))
    page.evaluate("() => { window.line = fetch; window.fetch = () => Promise.reject(new TypeError('No line')); }")
    line(page, 0).get_by_label("Description").fill("On the train")
    state = page.locator("#scratch-state")
    expect(state).to_contain_text("Not kept yet: Reflow can't be reached. Trying again")
    page.close(run_before_unload=True)
    expect(state).to_be_visible()
    assert asked_to_stay == ["beforeunload"]
    page.evaluate("() => { window.fetch = window.line; window.dispatchEvent(new Event('online')); }")
    kept(page)
    assert Scratch.objects.get().fields["lines-0-description"] == "On the train"


def test_two_people_at_one_draft_see_what_differs_and_neither_loses_a_word(
    page: Page, staff: User, admin: User, invoice: Invoice
) -> None:
    there = f"/invoices/{invoice.pk}/edit/"
    sign_in(page, staff, there)
    draft = draft_for(invoice.client, stored_line(quantity=Decimal(5)), reference="THEIRS")
    services.update_invoice(invoice_id=invoice.pk, version=1, draft=draft, actor=admin, now=timezone.now())
    page.get_by_label("Client's reference").fill("MINE")
    page.get_by_role("button", name="Save invoice").click()
    difference = page.locator(".difference")
    expect(difference.get_by_role("columnheader", name="saved by Ada at")).to_be_visible()
    expect(difference.get_by_role("row", name="Client's reference")).to_contain_text("THEIRSMINE")
    difference.get_by_role("link", name="Take theirs").click()
    expect(page.get_by_label("Client's reference")).to_have_value("THEIRS")
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_label("Client's reference")).to_have_value("MINE")
    page.get_by_role("button", name="Save invoice").click()
    expect(difference).to_be_visible()
    line(page, 0).get_by_label("Quantity").fill("4")
    difference.get_by_role("button", name="Keep mine").click()
    page.wait_for_url(f"**/invoices/{invoice.pk}/")
    invoice.refresh_from_db()
    assert (invoice.reference, invoice.lines.get().quantity) == ("MINE", Decimal(4))


def test_an_invoice_is_raised_on_a_phone(new_page: NewPage, staff: User, client_of_ours: Client, item: Item) -> None:
    page = new_page(width=390, height=844, has_touch=True, is_mobile=True)
    sign_in(page, staff)
    client_box(page).tap()
    page.get_by_role("option", name="Bramley Stores Ltd").tap()
    box = line(page, 0).get_by_label("Item")
    box.press_sequentially("hour")
    page.get_by_role("option", name="LABOUR").tap()
    expect(line(page, 0).get_by_label("Description")).to_have_value("Labour, per hour")
    line(page, 1).get_by_label("Description").fill("Parts")
    line(page, 1).get_by_label("Price").fill("12")
    line(page, 0).get_by_role("button", name="Move or duplicate line").tap()
    page.get_by_role("button", name="Move down").tap()
    assert descriptions(page) == ["Parts", "Labour, per hour", ""]
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert [row.description for row in save(page).lines.all()] == ["Parts", "Labour, per hour"]
