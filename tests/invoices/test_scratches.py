"""What is typed and not saved: kept for its person alone, offered again, gone once saved, bounded and not for ever."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client as Browser

from invoices import scratches, services, tasks
from invoices.models import Client, Invoice, Item, Scratch
from invoices.models.scratch import LARGEST_SCRATCH
from tests.conftest import draft_for, line
from tests.invoices.screen import NEW, Typed, control, refused, saved, typed

pytestmark = pytest.mark.django_db
KEY = UUID("a" * 32)


def keep(desk: Browser, posted: Typed, *, key: UUID = KEY, invoice: Invoice | None = None) -> Any:
    of = f"?invoice={invoice.pk}" if invoice else ""
    return desk.post(f"/invoices/scratches/{key}/{of}", posted)


def edit(invoice: Invoice) -> str:
    return f"/invoices/{invoice.pk}/edit/"


def test_a_scratch_is_no_invoice_and_takes_no_number(desk: Browser, client_of_ours: Client) -> None:
    answer = keep(desk, typed(client_of_ours, {"description": "Half a"}))
    assert re.fullmatch(r"\d\d:\d\d", answer.json()["at"])
    assert (Scratch.objects.count(), Invoice.objects.count()) == (1, 0)
    assert saved(desk, typed(client_of_ours)).number == "INV-00001"


def test_coming_back_it_is_offered_and_gone_on_with_as_it_was_typed(
    desk: Browser, client_of_ours: Client, item: Item
) -> None:
    rows = [{"item": item.pk, "description": "Half a"}, {"quantity": "many"}, {"description": "Gone", "DELETE": "on"}]
    fresh = {"description": "", "quantity": "1", "unit_price": ""}
    keep(desk, typed(client_of_ours, *rows, fresh, issue_date="tomorrow", reference="PO-9"))
    offer = desk.get(NEW).content.decode()
    assert "You were writing an invoice at" in offer
    assert "Bramley Stores Ltd" in offer
    page = desk.get(f"{NEW}?scratch={KEY}").content.decode()
    assert "did not save it" not in page
    assert 'value="Bramley Stores Ltd (BRAM1)"' in control(page, "client")
    assert 'value="tomorrow"' in control(page, "issue_date")
    assert 'value="PO-9"' in control(page, "reference")
    assert 'value="LABOUR"' in control(page, "lines-0-item")
    assert 'value="Half a"' in control(page, "lines-0-description")
    assert 'value="many"' in control(page, "lines-1-quantity")
    assert "Gone" not in page
    assert 'name="lines-TOTAL_FORMS" value="3"' in page, "two lines and a fresh one"
    assert "errorlist" not in page, "nobody has asked yet whether it is right"


def test_what_is_kept_again_takes_the_place_of_what_was_kept_before(desk: Browser, client_of_ours: Client) -> None:
    for words in ("Half", "Half a", "Half a line"):
        keep(desk, typed(client_of_ours, {"description": words}))
    assert Scratch.objects.get().fields["lines-0-description"] == "Half a line"


def test_a_name_that_was_only_typed_is_named_in_the_offer(desk: Browser, client_of_ours: Client) -> None:
    keep(desk, typed(client_of_ours, client="", **{"client-text": "Hart & Vale"}))
    assert "<b>Hart &amp; Vale</b>" in desk.get(NEW).content.decode()


def test_saving_the_invoice_removes_its_scratch_and_no_other(desk: Browser, client_of_ours: Client) -> None:
    other = uuid4()
    keep(desk, typed(client_of_ours))
    keep(desk, typed(client_of_ours), key=other)
    saved(desk, typed(client_of_ours), f"{NEW}?scratch={KEY}")
    assert Scratch.objects.get().key == other


def test_an_invoice_that_was_not_saved_keeps_its_scratch(desk: Browser, client_of_ours: Client) -> None:
    keep(desk, typed(client_of_ours))
    refused(desk, typed(client_of_ours, issue_date=""), f"{NEW}?scratch={KEY}")
    assert Scratch.objects.count() == 1


def test_it_goes_in_the_same_transaction(desk: Browser, client_of_ours: Client, staff: User, now: datetime) -> None:
    keep(desk, typed(client_of_ours))
    with transaction.atomic():
        services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now, scratch=KEY)
        assert not Scratch.objects.exists()
        transaction.set_rollback(True)
    assert (Invoice.objects.count(), Scratch.objects.count()) == (0, 1)


def test_a_scratch_is_its_persons_alone(desk: Browser, client_of_ours: Client, invoice: Invoice, admin: User) -> None:
    keep(desk, typed(client_of_ours, {"description": "Private"}))
    keep(desk, typed(client_of_ours, {"description": "Private"}), key=uuid4(), invoice=invoice)
    other = Browser()
    other.force_login(admin)
    for path in (NEW, f"{NEW}?scratch={KEY}", edit(invoice)):
        page = other.get(path).content.decode()
        assert "Private" not in page
        assert "did not save it" not in page
    assert other.post(f"/invoices/scratches/{KEY}/discard/").status_code == 404
    assert keep(other, typed(client_of_ours, {"description": "Overwritten"})).status_code == 422
    assert not Scratch.objects.exclude(fields__contains={"lines-0-description": "Private"}).exists()


def test_what_was_typed_into_a_draft_is_offered_on_that_draft_alone(
    desk: Browser, invoice: Invoice, client_of_ours: Client
) -> None:
    keep(desk, typed(client_of_ours, {"description": "My words"}, version=1), invoice=invoice)
    assert "did not save it" not in desk.get(NEW).content.decode()
    page = desk.get(edit(invoice)).content.decode()
    assert "You were changing this invoice at" in page
    assert "My words" not in page, "until a person goes on with it, the invoice is shown as it is saved"
    page = desk.get(f"{edit(invoice)}?scratch={KEY}").content.decode()
    assert 'value="My words"' in control(page, "lines-0-description")
    saved(desk, typed(client_of_ours, version=1), edit(invoice))
    assert not Scratch.objects.exists()


def test_going_on_with_a_draft_that_somebody_saved_since_shows_what_differs(
    desk: Browser, invoice: Invoice, client_of_ours: Client, admin: User, now: datetime
) -> None:
    keep(desk, typed(client_of_ours, {"description": "Mine"}, version=1), invoice=invoice)
    draft = draft_for(client_of_ours, line("Theirs"))
    services.update_invoice(invoice_id=invoice.pk, version=1, draft=draft, actor=admin, now=now)
    page = desk.get(f"{edit(invoice)}?scratch={KEY}").content.decode()
    assert 'value="1"' in control(page, "version"), "the version it was begun on"
    page = refused(desk, typed(client_of_ours, {"description": "Mine"}, version=1), f"{edit(invoice)}?scratch={KEY}")
    assert "<mark>Theirs</mark>" in page


def test_discarding_removes_it_and_leads_back_to_the_form(
    desk: Browser, client_of_ours: Client, invoice: Invoice
) -> None:
    keep(desk, typed(client_of_ours))
    assert desk.post(f"/invoices/scratches/{KEY}/discard/").headers["Location"] == NEW
    keep(desk, typed(client_of_ours), invoice=invoice)
    assert desk.post(f"/invoices/scratches/{KEY}/discard/").headers["Location"] == edit(invoice)
    assert not Scratch.objects.exists()


def test_two_hundred_full_lines_fit_into_a_scratch(desk: Browser, client_of_ours: Client) -> None:
    full = {"description": "é" * 200, "quantity": "99999999.99", "unit_price": "999999999999.99"}
    assert keep(desk, typed(client_of_ours, *[full] * 200, notes="n" * 1500)).status_code == 200


def test_more_than_a_scratch_takes_is_refused_in_words(desk: Browser, client_of_ours: Client) -> None:
    answer = keep(desk, typed(client_of_ours, notes="n" * (LARGEST_SCRATCH + 1)))
    assert (answer.status_code, answer.json()["message"]) == (
        422,
        "This is more than a scratch takes. Save the invoice.",
    )
    assert not Scratch.objects.exists()


def test_the_database_bounds_a_scratch_too(staff: User, now: datetime) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Scratch.objects.create(person=staff, fields={"notes": "n" * LARGEST_SCRATCH}, saved_at=now)


def test_fields_that_the_form_does_not_have_are_not_kept(desk: Browser, client_of_ours: Client) -> None:
    keep(desk, {**typed(client_of_ours, notes="a\x00b"), "csrfmiddlewaretoken": "secret", "password": "x"})
    kept = Scratch.objects.get().fields
    assert not {"csrfmiddlewaretoken", "password"} & kept.keys()
    assert kept["notes"] == "ab"


def test_a_person_has_twenty_at_most_and_the_oldest_goes(staff: User, now: datetime) -> None:
    for n in range(25):
        scratches.keep(uuid4(), {"notes": str(n)}, invoice=None, person=staff, now=now + timedelta(minutes=n))
    assert {int(scratch.fields["notes"]) for scratch in Scratch.objects.all()} == set(range(5, 25))


def test_after_ninety_days_the_hourly_task_removes_it(staff: User, now: datetime) -> None:
    for days in (89, 91):
        when = now - timedelta(days=days)
        scratches.keep(uuid4(), {"notes": str(days)}, invoice=None, person=staff, now=when)
    tasks.keep_alive()
    assert Scratch.objects.get().fields == {"notes": "89"}


@pytest.mark.parametrize("key", ["", "nonsense", "a" * 200, "51ab4723-a249-42fd-ae4c-6c65bbbbd0fa"])
def test_a_key_of_nothing_opens_an_empty_form(desk: Browser, key: str) -> None:
    page = desk.get(NEW, {"scratch": key}).content.decode()
    assert re.search(r'data-scratch="[0-9a-f-]{36}"', page)


def test_a_form_sent_after_the_session_ended_leads_back_to_it(desk: Browser, client_of_ours: Client) -> None:
    keep(desk, typed(client_of_ours, {"description": "Half a"}))
    desk.logout()
    answer = desk.post(f"{NEW}?scratch={KEY}", typed(client_of_ours))
    answer = desk.post(answer.headers["Location"], {"username": "sam", "password": "sam-password"})
    assert answer.headers["Location"] == f"{NEW}?scratch={KEY}"
    assert 'value="Half a"' in desk.get(answer.headers["Location"]).content.decode()
