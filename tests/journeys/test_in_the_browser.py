"""Reflow as people use it: a real Chromium, a real worker, and what the sandbox's books then show."""

import re
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from connectors.models import Connection
from invoices import services
from invoices.models import Client, Invoice, Item, Property
from tests.books import PASSWORD, USER, Sandbox
from tests.conftest import draft_for
from tests.journeys.conftest import Crew, NewPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


# Description, quantity, price, discount, and the first letters of the tax rate.
TYPED = (
    ("Gutter clearing", "2", "85.00", "10", "Sta"),
    ("Key safe, fitted", "1.5", "39.99", "0", "Sta"),
    ("Mobility rail", "1", "420", "0", "Red"),
    ("Tenant's handbook", "4", "6.50", "0", "Zero"),
)


@pytest.fixture
def worker(crew: Crew) -> None:
    """Its clocks run as in real life, so that a slow machine does not turn an answer into a lost one."""
    crew.clock_divisor = 1
    crew.worker()


needs_a_worker = pytest.mark.usefixtures("worker")


@pytest.fixture
def site(client_of_ours: Client) -> Property:
    return Property.objects.create(name="12 Fell Road", client=client_of_ours, address="12 Fell Road, Kendal")


def sign_in(page: Page, user: User) -> None:
    """By the form to the dashboard, and from there to the list, where most of what follows begins."""
    page.goto("/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(f"{user.username}-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()
    go_to(page, "Invoices")
    expect(page.get_by_role("heading", name="Invoices", level=1)).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def push_card(page: Page) -> Locator:
    return page.locator("#push")


def step(page: Page, title: str) -> Locator:
    return page.locator(".checklist > li").filter(has=page.get_by_role("heading", name=title))


# As admin ----------------------------------------------------------------------------------------------------
def authorise(page: Page, *, organisations: tuple[str, ...], decision: str = "Allow Access") -> None:
    """From Settings through the sandbox's own pages and back."""
    page.get_by_role("link", name="Cloud Accounting Connector").click()
    page.get_by_role("button", name="AUTHORISE Sage Accounting").click()
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    for organisation in organisations:
        page.get_by_label(organisation).check()
    page.get_by_role("button", name=decision).click()
    expect(page.get_by_role("heading", name="Cloud Accounting Connector", level=1)).to_be_visible()


def choose_account(page: Page, title: str, text: str) -> None:
    step(page, title).get_by_role("link").click()
    page.get_by_role("searchbox").press_sequentially(text)
    choices = page.locator("#choices").get_by_role("radio")
    expect(choices).to_have_count(1)
    choices.check()
    page.get_by_role("button", name="Use this account").click()
    expect(step(page, title)).to_have_class("done")


def set_up(page: Page) -> None:
    authorise(page, organisations=("Harbour & Vale Property Services", "Harbour Lettings"))
    step(page, "Organisation").get_by_label("Harbour & Vale Property Services").check()
    page.get_by_role("button", name="Use this organisation").click()
    expect(step(page, "Organisation")).to_have_class("done")
    choose_account(page, "Default nominal code", "4000")
    choose_account(page, "Default purchase ledger account", "materials")
    page.get_by_role("button", name="Save tax rates").click()
    expect(page.locator(".checklist > li.done")).to_have_count(6)


def number_from_42(page: Page) -> None:
    page.get_by_role("link", name="Incrementor Groups").first.click()
    page.get_by_role("main").get_by_role("link", name="Invoices", exact=True).click()
    preview = page.locator("[data-number-preview]").first
    page.get_by_label("Starting position").fill("42")
    page.get_by_label("Prefix").fill("HV-")
    page.get_by_label("Digits").fill("4")
    expect(preview).to_have_text("HV-0042")
    page.get_by_label("Prefix").fill("INV-")
    page.get_by_label("Digits").fill("5")
    expect(preview).to_have_text("INV-00042")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The next invoice is INV-00042.")).to_be_visible()


# As staff ----------------------------------------------------------------------------------------------------
def go_to(page: Page, name: str) -> None:
    """By the navigation, which a narrow screen keeps behind Menu."""
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        menu.click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()


def line(page: Page, n: int) -> Locator:
    return page.locator("[data-line]").nth(n)


def choose(box: Locator, typed: str, chosen: str) -> None:
    """Types a part of it, and takes what is offered first."""
    box.press_sequentially(typed)
    expect(box.page.get_by_role("listbox").get_by_role("option").first).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value(chosen)


def raise_five_lines(page: Page) -> None:
    """The first line from an item, by mouse; the others by keyboard alone."""
    go_to(page, "Invoices")
    page.get_by_role("link", name="New invoice").first.click()
    choose(page.get_by_label("Client", exact=True), "bram", "Bramley Stores Ltd (BRAM1)")
    choose(page.get_by_label("Property"), "fell", "12 Fell Road")
    page.get_by_label("Client's reference").fill("PO-7741")
    choose(line(page, 0).get_by_label("Item"), "lab", "LABOUR")
    expect(line(page, 0).get_by_label("Description")).to_have_value("Labour, per hour")
    line(page, 0).get_by_label("Quantity").fill("3")
    for n, typed in enumerate(TYPED, start=1):
        page.keyboard.press("Enter")
        expect(line(page, n).get_by_label("Item")).to_be_focused()
        for text in typed:
            page.keyboard.press("Tab")
            page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(line(page, 5).get_by_label("Item")).to_be_focused()
    for name, amount in (("net", "£802.99"), ("tax", "£92.40"), ("total", "£895.39")):
        expect(page.locator(f'[data-total="{name}"]')).to_have_text(amount)
    page.get_by_role("button", name="Save invoice").click()
    expect(page.get_by_role("heading", name="INV-00042")).to_be_visible()


def send(page: Page, sandbox: Sandbox) -> None:
    """Clicks, and watches the card go through its states in one and the same document."""
    page.evaluate("document.documentElement.dataset.stayed = 'yes'")
    sandbox.fault("hold")
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(push_card(page).get_by_role("status")).to_have_text(re.compile("Waiting|Sending"))
    expect(push_card(page).get_by_role("status")).to_have_text("Sending")
    sandbox.clear_faults()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    expect(page.locator("#actions").get_by_role("button")).to_have_count(0)
    assert page.evaluate("document.documentElement.dataset.stayed") == "yes"


def see_it_sent(page: Page, sandbox: Sandbox) -> None:
    (held,) = sandbox.invoices()
    expect(page.locator("#token")).to_have_text(held["id"])
    expect(page.get_by_role("button", name="Send to Sage")).to_have_count(0)
    expect(page.locator("#status")).to_have_text("Sent")
    expect(push_card(page).get_by_role("definition").first).to_have_text("INV-00042")
    expect(page.locator("#history")).to_contain_text(f"Sent to Sage as INV-00042, token {held['id']}")
    page.get_by_role("button", name="Copy Sage's token").click()
    expect(page.locator("#token + button [data-copy-label]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == held["id"]


def see_the_list(page: Page) -> None:
    go_to(page, "Invoices")
    today = timezone.localdate()
    row = page.get_by_role("row").filter(has_text="INV-00042")
    expect(row.locator('[data-label="Sent to Sage"]')).to_have_text(
        re.compile(rf"^{today.day} \w{{3}} {today.year}, \d\d:\d\d$")
    )


def tick_the_sent_column(page: Page, *, shown: bool) -> None:
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Sent to Sage").set_checked(shown)
    page.get_by_role("button", name="Apply").click()
    expect(page.locator('td[data-label="Sent to Sage"]')).to_have_count(int(shown))


def amend_in_sage(page: Page, sandbox: Sandbox) -> None:
    """Through the link on the invoice into the sandbox's books, where the nominal code of one line is changed."""
    page.get_by_role("link", name="INV-00042").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open in Sage").click()
    books = opened.value
    expect(books.get_by_role("heading", name="Invoice INV-00042")).to_be_visible()
    for fact in ("Created", "Bramley Stores Ltd", "£802.99", "£92.40", "£895.39"):
        expect(books.get_by_role("definition").filter(has_text=fact).first).to_be_visible()
    codes = books.locator('[data-label="Nominal code"]')
    expect(codes).to_have_text(["4000 Sales - Products"] * 5)
    books.get_by_label("Nominal code").nth(1).select_option("4050 Repairs and maintenance income")
    books.get_by_role("button", name="Save the changes").click()
    expect(codes.nth(1)).to_have_text("4050 Repairs and maintenance income")
    (held,) = sandbox.invoices()
    assert [row["nominal_code"] for row in held["lines"]] == [4000, 4050, 4000, 4000, 4000]


@needs_a_worker
def test_the_whole_journey_of_an_admin_and_then_of_staff(
    new_page: NewPage, sandbox: Sandbox, admin: User, staff: User, site: Property, item: Item
) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    sign_in(page, admin)
    set_up(page)
    number_from_42(page)
    sign_out(page)
    sign_in(page, staff)
    expect(page.get_by_role("navigation", name="Main")).not_to_contain_text("Settings")
    raise_five_lines(page)
    button = page.get_by_role("button", name="Send to Sage").bounding_box()
    assert button
    assert button["x"] > 1440 / 2
    send(page, sandbox)
    see_it_sent(page, sandbox)
    see_the_list(page)
    tick_the_sent_column(page, shown=False)
    sign_out(page)
    sign_in(page, staff)
    expect(page.locator('td[data-label="Sent to Sage"]')).to_have_count(0)
    tick_the_sent_column(page, shown=True)
    see_the_list(page)
    amend_in_sage(page, sandbox)


def send_and_be_refused(page: Page, invoice: Invoice, *, meaning: str) -> Locator:
    go_to(page, "Invoices")
    page.get_by_role("link", name=invoice.number).click()
    push_card(page).get_by_role("button", name="Send to Sage").click()
    note = push_card(page).get_by_role("alert")
    expect(note).to_contain_text("Sage did not take this invoice")
    expect(note).to_contain_text(meaning)
    return note


@needs_a_worker
def test_what_sage_refuses_is_told_with_its_cure_and_goes_once_mended(
    page: Page, sandbox: Sandbox, connection: Connection, client_of_ours: Client, staff: User
) -> None:
    too_old = draft_for(client_of_ours, issue_date=date(2019, 3, 1))
    invoice = services.create_invoice(draft=too_old, actor=staff, now=timezone.now())
    sign_in(page, staff)
    note = send_and_be_refused(page, invoice, meaning="Sage's books are closed for this date.")
    expect(note.get_by_role("blockquote")).to_contain_text("You cannot record entries prior to your Accounts Start")
    push_card(page).get_by_text("Contact support").click()
    expect(push_card(page).get_by_role("link", name="help@reflow.example")).to_be_visible()
    expect(page.locator("#support-details")).to_contain_text(str(invoice))
    expect(page.get_by_role("button", name="Copy details")).to_be_visible()
    note.get_by_role("button", name="Take it back to draft and change it").click()
    page.get_by_label("Date", exact=True).fill("2026-11-02")
    page.get_by_role("button", name="Save invoice").click()
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    (held,) = sandbox.invoices()
    assert held["date"] == "2026-11-02"


@needs_a_worker
def test_a_client_that_sage_refuses_is_mended_and_the_same_invoice_goes_again(
    page: Page, sandbox: Sandbox, connection: Connection, invoice: Invoice, staff: User
) -> None:
    sandbox.fault(
        "refused",
        on="POST /accounting/v3.1/contacts",
        data_code="RecordInvalid",
        message="is invalid",
        source="contact.email",
    )
    sign_in(page, staff)
    note = send_and_be_refused(page, invoice, meaning="Sage does not take the client as its customer.")
    note.get_by_role("link", name="Open the client").click()
    page.get_by_label("Email").fill("ledger@bramley.example")
    page.get_by_role("button", name="Save client").click()
    go_to(page, "Invoices")
    page.get_by_role("link", name=invoice.number).click()
    push_card(page).get_by_role("button", name="Send again").click()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    assert "ledger@bramley.example" in {contact["email"] for contact in sandbox.contacts()}


@needs_a_worker
def test_reload_back_and_a_stale_tab_send_nothing_again(
    page: Page, sandbox: Sandbox, connection: Connection, invoice: Invoice, staff: User
) -> None:
    sign_in(page, staff)
    page.get_by_role("link", name=invoice.number).click()
    stale = page.context.new_page()
    stale.goto(page.url)
    push_card(page).get_by_role("button", name="Send to Sage").click()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    push_card(stale).get_by_role("button", name="Send to Sage").click()
    expect(push_card(stale).get_by_role("status")).to_have_text("Sent to Sage")
    page.reload()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    page.go_back()
    page.go_forward()
    expect(push_card(page).get_by_role("status")).to_have_text("Sent to Sage")
    expect(page.get_by_role("button", name="Send to Sage")).to_have_count(0)
    assert len(sandbox.calls("POST", "/sales_invoices")) == 1


def test_a_viewer_reads_and_is_offered_nothing_to_press(
    page: Page, connection: Connection, invoice: Invoice, viewer: User
) -> None:
    sign_in(page, viewer)
    expect(page.get_by_role("link", name="New invoice")).to_have_count(0)
    page.get_by_role("link", name=invoice.number).click()
    expect(push_card(page)).to_contain_text("Staff can send them.")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_access_denied_in_sage_is_said_and_nothing_is_kept(page: Page, sandbox: Sandbox, admin: User) -> None:
    sign_in(page, admin)
    authorise(page, organisations=("Harbour Lettings",), decision="Deny")
    expect(page.get_by_text("Access was denied in Sage. Nothing was stored.")).to_be_visible()
    expect(page.get_by_role("button", name="AUTHORISE Sage Accounting")).to_be_visible()
    assert not Connection.objects.exists()


def test_without_a_connection_the_button_says_why_and_whom_to_ask(page: Page, invoice: Invoice, staff: User) -> None:
    sign_in(page, staff)
    page.get_by_role("link", name=invoice.number).click()
    button = page.get_by_role("button", name="Send to Sage")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("not connected to Sage yet.*Ask an admin"))
