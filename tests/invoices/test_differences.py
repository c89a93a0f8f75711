"""Two versions of one invoice side by side: only what differs, whichever way, with what each comes to."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from invoices import services
from invoices.differences import differences
from invoices.drafts import InvoiceDraft, LineDraft
from invoices.models import Client, Invoice, Scratch, TaxRate
from tests.conftest import draft_for
from tests.conftest import line as stored_line
from tests.invoices.screen import control, refused, saved, shown_errors, typed

STANDARD = TaxRate(code="STANDARD", name="Standard", percentage=Decimal(20))
ZERO = TaxRate(code="ZERO", name="Zero", percentage=Decimal(0))
BRAMLEY, HART = Client(pk=1, name="Bramley"), Client(pk=2, name="Hart & Vale")


def line(description: str, **changes: Any) -> LineDraft:
    given = {"quantity": Decimal(2), "unit_price": Decimal("85.00"), "discount_percent": Decimal(0)}
    return LineDraft(item=None, description=description, **{**given, "tax_rate": STANDARD, **changes})


def draft(*lines: LineDraft, **changes: Any) -> InvoiceDraft:
    given: dict[str, Any] = {"client": BRAMLEY, "site": None, "reference": "PO-7", "notes": ""}
    given |= {"issue_date": date(2026, 11, 2), "due_date": date(2026, 12, 2)}
    return InvoiceDraft(**{**given, **changes}, lines=lines)


A, B, C, D = (line(name) for name in ("Gutter", "Safe", "Rail", "Handbook"))
LINES = [
    # theirs, yours -> the place, what changed
    ((A, B), (A, B), []),
    ((A, B), (A, B, C), [(3, "only in yours")]),
    ((A, B, C), (A, C), [(2, "not in yours")]),
    ((A, B, C), (A, D, C), [(2, "changed")]),
    ((A,), (replace(A, quantity=Decimal("2.00")),), []),
    ((A,), (replace(A, quantity=Decimal(3)),), [(1, "changed")]),
    ((A,), (replace(A, tax_rate=ZERO),), [(1, "changed")]),
    ((A, B), (B, A), [(1, "only in yours"), (2, "not in yours")]),
    ((A, B), (C,), [(1, "changed"), (2, "not in yours")]),
]


@pytest.mark.parametrize(("theirs", "yours", "expected"), LINES)
def test_lines_that_were_added_removed_and_changed(
    theirs: tuple[LineDraft, ...], yours: tuple[LineDraft, ...], expected: list[tuple[int, str]]
) -> None:
    found = differences(draft(*theirs), draft(*yours))
    assert [(row.number, row.change) for row in found.lines] == expected
    assert found.is_none == (not expected)


def test_of_a_changed_line_the_parts_that_differ_are_marked() -> None:
    (changed,) = differences(draft(A), draft(replace(A, quantity=Decimal("1.50"), tax_rate=ZERO))).lines
    assert changed.theirs and changed.yours
    assert changed.theirs.parts == [("Gutter", False), ("2 × 85.00", True), ("Standard (20 %)", True)]  # noqa: RUF001
    assert changed.yours.parts == [("Gutter", False), ("1.5 × 85.00", True), ("Zero (0 %)", True)]  # noqa: RUF001
    assert (changed.theirs.sums.total, changed.yours.sums.total) == (Decimal("204.00"), Decimal("127.50"))


def test_only_the_fields_that_differ_are_shown_in_the_words_of_the_form() -> None:
    found = differences(draft(A), draft(A, client=HART, due_date=date(2027, 1, 5), reference=""))
    assert found.fields == [
        ("Client", "Bramley", "Hart & Vale"),
        ("Client's reference", "PO-7", "none"),
        ("Due", "2 Dec 2026", "5 Jan 2027"),
    ]


def test_both_come_with_what_they_come_to() -> None:
    found = differences(draft(A), draft(A, B))
    assert (found.theirs.total, found.yours.total) == (Decimal("204.00"), Decimal("408.00"))


# On the page -------------------------------------------------------------------------------------------------
@pytest.fixture
def edited(invoice: Invoice, admin: User, now: datetime) -> Invoice:
    """Ada has added a line since version 1."""
    draft = draft_for(invoice.client, stored_line(), stored_line("Extra visit"), reference="PO-99")
    return services.update_invoice(invoice_id=invoice.pk, version=1, draft=draft, actor=admin, now=now)


@pytest.mark.django_db
def test_the_page_shows_both_and_whose_theirs_is_and_keeps_mine_below(desk: Browser, edited: Invoice) -> None:
    path = f"/invoices/{edited.pk}/edit/"
    page = refused(desk, typed(edited.client, {"quantity": "3"}, version=1, reference="MINE"), path)
    assert "Nothing that you typed is lost" in shown_errors(page)
    shown = unescape(page.partition('<section class="difference"')[2].partition("</section>")[0])
    for words in ("saved by Ada at", "PO-99", "MINE", "Extra visit", "not in yours", "<mark>3 ×", "£408.00", "£306.00"):  # noqa: RUF001
        assert words in shown, words
    assert 'value="2"' in control(page, "version")
    assert 'value="MINE"' in control(page, "reference")
    kept = saved(desk, typed(edited.client, {"quantity": "3"}, version=2, reference="MINE"), path)
    assert (kept.reference, kept.version, str(kept.total)) == ("MINE", 3, "306.00")


@pytest.mark.django_db
def test_taking_theirs_loses_nothing_of_mine(desk: Browser, edited: Invoice) -> None:
    path = f"/invoices/{edited.pk}/edit/"
    refused(desk, typed(edited.client, version=1, reference="MINE"), path)
    page = desk.get(path).content.decode()
    assert 'value="PO-99"' in control(page, "reference")
    mine = desk.get(f"{path}?scratch={Scratch.objects.get().key}").content.decode()
    assert "did not save it" in page
    assert 'value="MINE"' in control(mine, "reference")


@pytest.mark.django_db
def test_a_third_who_saved_meanwhile_is_seen_too(desk: Browser, edited: Invoice, admin: User, now: datetime) -> None:
    path = f"/invoices/{edited.pk}/edit/"
    refused(desk, typed(edited.client, version=1), path)
    draft = draft_for(edited.client, reference="PO-100")
    services.update_invoice(invoice_id=edited.pk, version=2, draft=draft, actor=admin, now=now)
    page = refused(desk, typed(edited.client, version=2), path)
    assert "PO-100" in page
    assert 'value="3"' in control(page, "version")


@pytest.mark.django_db
def test_the_same_saved_twice_differs_in_nothing(desk: Browser, invoice: Invoice) -> None:
    path, posted = f"/invoices/{invoice.pk}/edit/", {**typed(invoice.client, version=1), "due_date": "2026-12-02"}
    saved(desk, posted, path)
    assert "Nothing: what you have is what is saved now." in refused(desk, posted, path)
