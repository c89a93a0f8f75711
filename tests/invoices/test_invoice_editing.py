"""Editing a draft: saved once by whoever was first, and nothing that anybody typed is lost; the page's other deeds."""

from datetime import datetime
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from invoices import services
from invoices.models import Client, Event, Invoice, Item, Property
from tests.conftest import draft_for, line
from tests.invoices.screen import control, refused, saved, shown_errors, typed

pytestmark = pytest.mark.django_db


def edit_path(invoice: Invoice) -> str:
    return f"/invoices/{invoice.pk}/edit/"


def test_the_editor_shows_the_invoice_and_saves_it_again_as_it_is(desk: Browser, invoice: Invoice) -> None:
    page = desk.get(edit_path(invoice)).content.decode()
    assert 'value="Gutter clearing"' in control(page, "lines-0-description")
    assert 'value="2.00"' in control(page, "lines-0-quantity")
    assert 'value="1"' in control(page, "version")
    again = saved(desk, typed(invoice.client, version=1), edit_path(invoice))
    assert (again.pk, again.version, again.total, again.number) == (invoice.pk, 2, invoice.total, "INV-00001")


@pytest.mark.parametrize("version", ["0", "7", "-1", "9" * 30, "", None])
def test_a_stale_version_is_refused_and_what_was_typed_is_kept(
    desk: Browser, invoice: Invoice, version: str | None
) -> None:
    posted = typed(invoice.client, {"description": "My words"}, version=version, reference="MINE")
    page = refused(desk, posted, edit_path(invoice))
    assert "Somebody saved this invoice while you were editing it." in shown_errors(page)
    assert 'value="MINE"' in control(page, "reference")
    assert 'value="My words"' in control(page, "lines-0-description")
    assert 'value="1"' in control(page, "version"), "so that saving again keeps what was typed"
    invoice.refresh_from_db()
    assert (invoice.reference, invoice.version) == ("PO-7", 1)


def test_saving_again_after_a_stale_version_keeps_what_was_typed(
    desk: Browser, invoice: Invoice, staff: User, now: datetime
) -> None:
    draft = draft_for(invoice.client, line("Theirs"))
    services.update_invoice(invoice_id=invoice.pk, version=1, draft=draft, actor=staff, now=now)
    posted = typed(invoice.client, {"description": "Mine"}, version=1)
    refused(desk, posted, edit_path(invoice))
    assert saved(desk, {**posted, "version": 2}, edit_path(invoice)).lines.get().description == "Mine"


@pytest.mark.parametrize("version", ["one", "1.5", "\x00"])
def test_a_version_that_is_no_number_is_refused(desk: Browser, invoice: Invoice, version: str) -> None:
    refused(desk, typed(invoice.client, version=version), edit_path(invoice))


def test_what_was_archived_since_stays_on_the_invoice_that_has_it(
    desk: Browser, client_of_ours: Client, item: Item, staff: User, now: datetime
) -> None:
    site = Property.objects.create(name="Ivy Court")
    draft = draft_for(client_of_ours, line("Labour", item=item), site=site)
    invoice = services.create_invoice(draft=draft, actor=staff, now=now)
    for model in (Client, Item, Property):
        model.objects.update(archived_at=now)
    page = desk.get(edit_path(invoice)).content.decode()
    assert 'value="Ivy Court"' in control(page, "site")
    assert 'value="LABOUR"' in control(page, "lines-0-item")
    posted = typed(client_of_ours, {"item": item.pk, "description": "Labour"}, site=site.pk, version=1)
    again = saved(desk, posted, edit_path(invoice))
    assert (again.site, again.lines.get().item) == (site, item)


@pytest.mark.parametrize("status", ["APPROVED", "SENT", "VOID"])
def test_what_is_no_draft_is_not_edited_and_nothing_typed_is_lost(
    desk: Browser, approved: Invoice, status: str
) -> None:
    Invoice.objects.update(status=status)
    assert desk.get(edit_path(approved)).headers["Location"] == f"/invoices/{approved.pk}/"
    page = refused(desk, typed(approved.client, {"description": "Keep me"}, version=1), edit_path(approved))
    assert "Only a draft invoice can be changed" in shown_errors(page)
    assert "Keep me" in page


@pytest.mark.parametrize("reason", ["", "   ", "r" * 151, "a\x00b", None])
def test_a_draft_is_not_discarded_without_a_reason(desk: Browser, invoice: Invoice, reason: str | None) -> None:
    posted = {} if reason is None else {"reason": reason}
    page = desk.post(f"/invoices/{invoice.pk}/discard/", posted, follow=True).content.decode()
    assert "Say in a few words why the draft is discarded." in page
    assert Invoice.objects.get().status == "DRAFT"


def test_what_is_refused_is_said_on_the_page(desk: Browser, approved: Invoice) -> None:
    page = desk.post(f"/invoices/{approved.pk}/approve/", follow=True).content.decode()
    assert "Only a draft invoice can be approved; this one is approved." in unescape(page)
    assert Event.objects.filter(text="Approved.").count() == 1


@pytest.mark.parametrize("path", ["/invoices/{}/", "/invoices/{}/edit/", "/invoices/{}/push/"])
@pytest.mark.parametrize("pk", ["987654", "9" * 30])
def test_an_invoice_that_is_not_there_is_not_found(desk: Browser, path: str, pk: str) -> None:
    assert desk.get(path.format(pk)).status_code == 404


@pytest.mark.parametrize("deed", ["approve", "draft", "discard", "push"])
def test_a_deed_on_an_invoice_that_is_not_there_is_not_found(desk: Browser, deed: str) -> None:
    assert desk.post(f"/invoices/987654/{deed}/", {"reason": "x"}).status_code == 404
