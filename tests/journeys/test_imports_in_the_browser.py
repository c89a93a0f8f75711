"""Importing, copying and the next period in Chromium: a file is brought, mended, imported, undone; wide and narrow."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from invoices import import_services, importing, services
from invoices.models import Client, Import, Invoice
from tests.conftest import draft_for, line
from tests.journeys.conftest import NewPage
from tests.journeys.test_list_in_the_browser import bar, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
NARROW = pytest.param((390, 844), id="narrow", marks=pytest.mark.prove)
SCREENS = pytest.mark.parametrize("screen", [pytest.param((1280, 900), id="wide"), NARROW])
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
HEADING = "Invoice no;Customer;Invoice date;Details;Price;VAT\n"


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a worker would be told of; the test is the worker."""
    told: list[int] = []
    monkeypatch.setattr("invoices.tasks.hint_import", told.append)
    return told


def bring(page: Page, file: Path, hints: list[int]) -> None:
    page.locator('input[type="file"]').set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Checking the rows")).to_be_visible()
    importing.work(hints.pop())


@SCREENS
def test_invoices_are_brought_mended_imported_and_undone(
    new_page: NewPage,
    screen: tuple[int, int],
    client_of_ours: Client,
    staff: User,
    hints: list[int],
    tmp_path: Path,
) -> None:
    page = new_page(width=screen[0], height=screen[1])
    sign_in(page, staff)
    page.goto("/invoices/")
    page.get_by_role("link", name="Import", exact=True).click()
    with page.expect_download() as template:
        page.get_by_role("link", name="Template to fill in").click()
    assert template.value.suggested_filename == "invoices-template.csv"
    file = tmp_path / "old.csv"
    file.write_text(f"{HEADING}A-1;BRAM1;02/11/2026;Work;many;20\nA-2;BRAM1;02/11/2026;Work;10;20\n")
    bring(page, file, hints)
    expect(page.get_by_role("heading", name="Nothing is imported: 1 row has errors")).to_be_visible()
    expect(page.get_by_text("“many”: Enter a number. Write a plain number such as 1250.00.")).to_be_visible()
    expect(page.get_by_role("button", name="Import")).to_have_count(0)
    assert not page.evaluate(SIDEWAYS)
    with page.expect_download() as bad:
        page.get_by_role("link", name="Download the rows with errors").click()
    assert "“many”" in bad.value.path().read_text()
    page.get_by_role("link", name="Another file").click()
    file.write_text(file.read_text().replace("many", "1,000.50"))
    bring(page, file, hints)
    expect(page.get_by_role("heading", name="2 invoices will be created")).to_be_visible()
    page.get_by_role("button", name="Import 2 invoices (2 rows)").click()
    expect(page.get_by_text("Checking it once more before it is written")).to_be_visible()
    importing.work(hints.pop())
    expect(page.get_by_role("heading", name="2 invoices imported")).to_be_visible()
    assert not page.evaluate(SIDEWAYS)
    page.get_by_role("link", name="INV-00001").click()
    expect(page.get_by_text("Created from old.csv, where it is A-1.")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo the import").click()
    expect(page.get_by_role("heading", name="Undone", exact=True)).to_be_visible()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"VOID"}


def test_columns_are_matched_by_hand(page: Page, staff: User, hints: list[int], now: datetime) -> None:
    content = b"Firma,Ort\nHart Ltd,York\n"
    job = import_services.upload(kind="CLIENTS", name="x.csv", content=content, actor=staff, now=now)
    importing.work(job.pk)
    sign_in(page, staff)
    page.goto(f"/imports/{job.pk}/")
    expect(page.get_by_text("No column of the file is read as “Name”.")).to_be_visible()
    page.get_by_label("Firma is read as").select_option("Name")
    page.get_by_label("Ort is read as").select_option("Town")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Checking the rows")).to_be_visible()
    importing.work(job.pk)
    expect(page.get_by_role("heading", name="1 client will be created")).to_be_visible()
    expect(page.get_by_text("York, GB")).to_be_visible()
    assert Import.objects.get().state == "CHECKED" and not Client.objects.exists()


@SCREENS
def test_the_next_period_is_raised_from_the_list_and_undone(
    new_page: NewPage, screen: tuple[int, int], client_of_ours: Client, staff: User, now: datetime
) -> None:
    for text in ("Rent January 2026", "Cleaning"):
        draft = draft_for(client_of_ours, line(text), issue_date=date(2026, 1, 31), due_date=date(2026, 3, 2))
        services.create_invoice(draft=draft, actor=staff, now=now)
    page = new_page(width=screen[0], height=screen[1])
    sign_in(page, staff)
    page.goto("/invoices/")
    for number in ("INV-00001", "INV-00002"):
        page.get_by_label(f"Choose {number}").check()
    bar(page).get_by_role("button", name="Next period").click()
    row = page.locator("tbody tr", has_text="From INV-00001")
    expect(row).to_contain_text("28 Feb 2026")
    expect(row).to_contain_text("Rent January 2026")
    expect(row).to_contain_text("Rent February 2026")
    assert not page.evaluate(SIDEWAYS)
    page.get_by_role("link", name="A quarter").click()
    expect(row).to_contain_text("Rent April 2026")
    page.get_by_role("link", name="A month").click()
    page.get_by_label("From INV-00002").uncheck()
    page.get_by_role("button", name="Raise the ticked drafts").click()
    expect(page.get_by_role("heading", name="1 draft raised")).to_be_visible()
    assert Invoice.objects.get(number="INV-00003").lines.get().description == "Rent February 2026"
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="The next period, undone")).to_be_visible()
    assert Invoice.objects.get(number="INV-00003").status == "VOID"


@SCREENS
def test_an_invoice_is_copied(new_page: NewPage, screen: tuple[int, int], invoice: Invoice, staff: User) -> None:
    page = new_page(width=screen[0], height=screen[1])
    sign_in(page, staff)
    page.goto(f"/invoices/{invoice.pk}/")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Copy").click()
    expect(page.get_by_text("Copied from INV-00001. Nothing is saved yet.")).to_be_visible()
    expect(page.get_by_label("Description").first).to_have_value("Gutter clearing")
    page.get_by_role("button", name="Save invoice").click()
    expect(page.get_by_role("heading", name="INV-00002")).to_be_visible()
    copies: list[Any] = list(Invoice.objects.values_list("client", "total", "reference"))
    assert copies[0] == copies[1]
