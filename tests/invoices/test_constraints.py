"""What the database itself refuses, whatever the code above it does: each rule broken once, by hand."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from connectors.models import Connection
from invoices import models, services
from invoices.models import (
    BulkMember,
    BulkSend,
    Client,
    Company,
    DigestMail,
    DigestWish,
    Event,
    Import,
    ImportedRow,
    Invoice,
    InvoiceLine,
    InvoiceMail,
    Item,
    PeriodRun,
    Property,
    Pull,
    Push,
    PushAttempt,
    PushBatch,
    RaisedInvoice,
    Reminder,
    ReminderHold,
    ReminderSettings,
    ReminderStep,
    RemoteInvoice,
    Scratch,
    TaxRate,
    ViewChoice,
    Voiding,
)
from invoices.models.importing import LARGEST_FILE
from invoices.models.scratch import LARGEST_SCRATCH
from tests.conftest import draft_for
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db


@dataclass
class Stage:
    """An approved invoice of one line, queued over a connection."""

    invoice: Invoice
    push: Push
    connection: Connection
    staff: User
    now: datetime

    def row(self, **changes: Any) -> None:
        Invoice.objects.filter(pk=self.invoice.pk).update(**changes)

    def queue(self, **changes: Any) -> None:
        Push.objects.filter(pk=self.push.pk).update(**changes)

    def voiding(self, **changes: Any) -> Voiding:
        remote = self.invoice.remotes.first() or remote_of(self.invoice, self.connection, self.now)
        given = {"reason": "Twice", "requested_at": self.now, "requested_by": self.staff, "due_at": self.now}
        return Voiding.objects.create(remote=remote, **{**given, **changes})

    def attempt(self, n: int = 1, **changes: Any) -> PushAttempt:
        given = {"generation": 1, "key": "k" * 32, "started_at": self.now}
        return PushAttempt.objects.create(push=self.push, n=n, **{**given, **changes})

    def mail(self, **changes: Any) -> InvoiceMail:
        given = {"to": "a@b.example", "requested_at": self.now, "requested_by": self.staff, "due_at": self.now}
        return InvoiceMail.objects.create(**{"invoice": self.invoice, **given, **changes})

    def reminder(self, **changes: Any) -> Reminder:
        given = {"level": 1, "made_at": self.now, "left_out_by": self.staff}
        return Reminder.objects.create(invoice=self.invoice, **{**given, **changes})

    def bulk(self, members: Sequence[dict[str, Any]] = (), **changes: Any) -> None:
        send = BulkSend.objects.create(chosen_by=self.staff, chosen_at=self.now, **changes)
        for member in members:
            BulkMember.objects.create(**{"send": send, "invoice": self.invoice, **member})

    def brought(self, **changes: Any) -> Import:
        given = {"kind": "INVOICES", "size": 1, "uploaded_at": self.now, "uploaded_by": self.staff}
        return Import.objects.create(**{**given, **changes})

    def made(self, *keys: str, **changes: Any) -> None:
        """What an import has made, each under a key of its own."""
        job = self.brought()
        for key in keys or ("A-1",):
            ImportedRow.objects.create(**{"brought_by": job, "kind": "INVOICES", "key": key, **changes})

    def client(self) -> Client:
        return self.invoice.client

    def item(self) -> Item:
        return Item.objects.create(code="L", description="L", unit_price=1, tax_rate_id="ZERO")

    def raised(self, **changes: Any) -> RaisedInvoice:
        run = PeriodRun.objects.create(sources=[], begun_at=self.now, begun_by=self.staff)
        given = {"source": self.invoice, "invoice": self.invoice, "issue_date": date(2026, 1, 1)}
        return RaisedInvoice.objects.create(run=run, **{**given, "issue_day": 1, "due_day": 1, **changes})

    def another(self) -> Push:
        draft = draft_for(self.invoice.client)
        invoice = services.create_invoice(draft=draft, actor=self.staff, now=self.now)
        return services.request_push(invoice_id=invoice.pk, actor=self.staff, now=self.now)


@pytest.fixture
def stage(approved: Invoice, wired: Connection, staff: User, now: datetime) -> Stage:
    push = services.request_push(invoice_id=approved.pk, actor=staff, now=now)
    return Stage(approved, push, wired, staff, now)


def line_changed(**changes: Any) -> Callable[[Stage], object]:
    return lambda s: InvoiceLine.objects.update(**changes)


def invoice_changed(**changes: Any) -> Callable[[Stage], object]:
    return lambda s: s.row(**changes)


def push_changed(**changes: Any) -> Callable[[Stage], object]:
    return lambda s: s.queue(**changes)


def two_clients_of_one_reference(_: Stage) -> None:
    Client.objects.create(name="Other", reference="bram1")


def two_items_of_one_uuid(stage: Stage) -> None:
    same = {"unit_price": Decimal(1), "tax_rate_id": "STANDARD", "uuid": uuid4()}
    for code in ("A", "B"):
        Item.objects.create(code=code, description="x", **same)


def two_items_of_one_code(_: Stage) -> None:
    for code in ("labour", "LABOUR"):
        Item.objects.create(code=code, description="x", unit_price=Decimal(1), tax_rate_id="STANDARD")


def an_item_that_costs_less_than_nothing(_: Stage) -> None:
    Item.objects.create(code="X", description="x", unit_price=Decimal("-0.01"), tax_rate_id="STANDARD")


def two_lines_at_one_position(s: Stage) -> None:
    line = s.invoice.lines.get()
    line.pk = None
    line.save()


def two_invoices_of_one_number(s: Stage) -> None:
    Invoice.objects.filter(pk=s.another().invoice_id).update(number=s.invoice.number)


def two_pushes_over_one_connection(s: Stage) -> None:
    Push.objects.create(
        invoice=s.invoice, connection=s.connection, due_at=s.now, requested_at=s.now, requested_by=s.staff
    )


def two_in_one_lane(s: Stage) -> None:
    for push in (s.push, s.another()):
        Push.objects.filter(pk=push.pk).update(state="SENDING", lane=0, lease_until=s.now)


def sent_without_a_time(s: Stage) -> None:
    s.queue(state="SENT", remote=remote_of(s.invoice, s.connection, s.now))


def waiting_with_a_token(s: Stage) -> None:
    s.queue(remote=remote_of(s.invoice, s.connection, s.now))


def two_pushes_with_one_token(s: Stage) -> None:
    remote = remote_of(s.invoice, s.connection, s.now)
    for push in (s.push, s.another()):
        Push.objects.filter(pk=push.pk).update(state="SENT", remote=remote, sent_at=s.now)


def one_token_for_two_invoices(s: Stage) -> None:
    for invoice in (s.invoice, s.another().invoice):
        remote_of(invoice, s.connection, s.now, remote_id="same")


def two_attempts_of_unknown_outcome(s: Stage) -> None:
    s.attempt(1)
    s.attempt(2)


def two_attempts_counted_alike(s: Stage) -> None:
    s.attempt(1, outcome="ABSENT", resolved_at=s.now)
    s.attempt(1)


def two_tokens_for_one_document(s: Stage) -> None:
    for token in ("one", "two"):
        remote_of(s.invoice, s.connection, s.now, remote_id=token, document_id="SO-7")


def two_members_in_one_place(s: Stage) -> None:
    batch = PushBatch.objects.create(connection=s.connection, key="k", payload_hash="h", began_at=s.now)
    for push in (s.push, s.another()):
        PushAttempt.objects.create(push=push, n=1, generation=1, key="k", started_at=s.now, batch=batch)


def two_choices_for_one_page(s: Stage) -> None:
    for _ in range(2):
        ViewChoice.objects.create(user=s.staff, page="invoices")


BROKEN: dict[str, list[Callable[[Stage], object]]] = {
    "company_is_one": [lambda s: Company.objects.create(pk=2, name="Another")],
    "client_reference_is_one": [two_clients_of_one_reference],
    "invoices_client_uuid": [lambda s: Client.objects.create(name="x", uuid=s.invoice.client.uuid)],
    "tax_rate_is_a_percentage": [
        lambda s: TaxRate.objects.update(percentage=-1),
        lambda s: TaxRate.objects.update(percentage=Decimal("100.01")),
    ],
    "item_code_is_one": [two_items_of_one_code],
    "item_price_is_not_negative": [an_item_that_costs_less_than_nothing],
    "invoices_item_uuid": [two_items_of_one_uuid],
    "invoices_invoice_number": [two_invoices_of_one_number],
    "invoices_invoice_uuid": [lambda s: Invoice.objects.filter(pk=s.another().invoice_id).update(uuid=s.invoice.uuid)],
    "invoice_total_is_net_and_tax": [invoice_changed(total=Decimal("204.01"))],
    "invoice_of_ours_has_the_sign_of_its_kind": [
        invoice_changed(net=-1, tax=0, total=-1),
        invoice_changed(net=1, tax=-1, total=0),
        lambda s: s.row(kind="CREDIT_NOTE", credits=s.another().invoice),
    ],
    "invoice_is_credited_by_a_credit_note": [
        lambda s: s.row(credits=s.another().invoice),
        invoice_changed(kind="CREDIT_NOTE", net=-1, tax=0, total=-1),
    ],
    "invoice_of_ours_is_not_due_before_its_date": [invoice_changed(due_date=date(2026, 11, 1))],
    "invoice_past_draft_has_a_number": [invoice_changed(number=None)],
    "invoice_is_frozen_from_approval_on": [
        invoice_changed(frozen=None),
        invoice_changed(approved_at=None),
        invoice_changed(status="DRAFT"),
        invoice_changed(status="SENT", frozen=None),
        invoice_changed(status="PAID", frozen=None),
        invoice_changed(origin="IMPORTED", status="APPROVED"),
    ],
    "invoice_of_ours_has_an_author": [invoice_changed(created_by=None)],
    "line_one_at_each_position": [two_lines_at_one_position],
    "line_total_is_net_and_tax": [line_changed(total=Decimal("204.01"))],
    "line_of_ours_has_a_quantity": [line_changed(quantity=0), line_changed(quantity=Decimal("-1"))],
    "line_of_ours_is_not_negative": [
        line_changed(unit_price=-1),
        line_changed(discount_percent=-1),
        line_changed(discount_percent=Decimal("100.01")),
    ],
    "view_choice_one_a_page": [two_choices_for_one_page],
    "remote_invoice_is_of_one_invoice": [one_token_for_two_invoices],
    "remote_invoice_one_for_each_document": [two_tokens_for_one_document],
    "pull_in_hand_has_begun": [
        lambda s: Pull.objects.create(connection=s.connection, due_at=s.now, lease_until=s.now),
    ],
    "remote_invoice_has_a_token": [lambda s: remote_of(s.invoice, s.connection, s.now, remote_id="")],
    "push_one_for_each_connection": [two_pushes_over_one_connection],
    "push_one_at_a_time_in_a_lane": [two_in_one_lane],
    "push_is_sent_with_a_token_only": [
        push_changed(state="SENT"),
        push_changed(state="SENT", sent_at=timezone.now()),
        push_changed(sent_at=timezone.now()),
        sent_without_a_time,
        waiting_with_a_token,
    ],
    "invoices_push_remote_id": [two_pushes_with_one_token],
    "push_in_hand_has_a_lease": [push_changed(state="SENDING")],
    "push_needs_attention_for_a_cause": [push_changed(state="ATTENTION"), push_changed(cause="REJECTED")],
    "push_is_parked_for_a_reason": [
        push_changed(state="PARKED"),
        push_changed(parked_because="why"),
        push_changed(state="PARKED", parked_because="why", held_at=None),
    ],
    "digest_hour_is_of_a_day": [lambda s: DigestWish.objects.create(person=s.staff, hour=24)],
    "invoices_digestwish_person_id": [
        lambda s: [DigestWish.objects.create(person=s.staff, hour=hour) for hour in (7, 8)],
    ],
    "digest_once_about_each": [
        lambda s: [DigestMail.objects.create(person=s.staff, about="2026-11-23", sent_at=s.now) for _ in range(2)],
    ],
    "invoices_invoicemail_key": [lambda s: s.mail(key=s.mail().key)],
    "mail_goes_to_somebody": [lambda s: s.mail(to="")],
    "mail_in_hand_has_a_lease": [lambda s: s.mail(state="SENDING")],
    "mail_that_may_have_left_was_handed_over": [
        lambda s: s.mail(state="SENT", ended_at=s.now),
        lambda s: s.mail(state="UNKNOWN", ended_at=s.now, trouble="Cut."),
    ],
    "mail_ends_once": [
        lambda s: s.mail(state="SENT", handed_at=s.now),
        lambda s: s.mail(state="FAILED", trouble="Refused."),
        lambda s: s.mail(ended_at=s.now),
    ],
    "mail_not_sent_says_why": [
        lambda s: s.mail(state="FAILED", ended_at=s.now),
        lambda s: s.mail(state="UNKNOWN", handed_at=s.now, ended_at=s.now),
    ],
    "mail_is_about_an_invoice_or_a_client": [
        lambda s: s.mail(invoice=None),
        lambda s: s.mail(client=s.invoice.client),
        lambda s: s.mail(kind="STATEMENT"),
        lambda s: s.mail(kind="REMINDER", invoice=None),
    ],
    "mail_is_asked_for_by_somebody": [lambda s: s.mail(requested_by=None)],
    "reminder_settings_are_one": [lambda s: ReminderSettings.objects.create(pk=2)],
    "reminders_that_are_on_are_due": [
        lambda s: ReminderSettings.objects.create(pk=1, is_on=True),
        lambda s: ReminderSettings.objects.create(pk=1, due_at=s.now),
    ],
    "reminder_goes_after_the_due_date": [lambda s: ReminderStep.objects.create(level=9, days=0)],
    "reminder_once_for_each_step": [lambda s: [s.reminder(), s.reminder()]],
    "reminder_goes_out_or_is_left_out": [
        lambda s: s.reminder(left_out_by=None),
        lambda s: s.reminder(mail=s.mail()),
    ],
    "reminder_is_held_for_a_reason": [
        lambda s: ReminderHold.objects.create(invoice=s.invoice, reason="", held_at=s.now, held_by=s.staff)
    ],
    "attempt_is_counted_once": [two_attempts_counted_alike],
    "attempt_has_a_place_of_its_own": [two_members_in_one_place],
    "attempt_one_unresolved_at_most": [two_attempts_of_unknown_outcome],
    "attempt_is_resolved_with_an_outcome": [
        lambda s: s.attempt(outcome="SENT"),
        lambda s: s.attempt(resolved_at=s.now),
    ],
    "voiding_one_open_for_each_invoice": [
        lambda s: [s.voiding(), s.voiding()],
        lambda s: [s.voiding(), s.voiding(state="ATTENTION", problems=[{"message": "x"}])],
    ],
    "invoice_that_is_another_was_imported_and_is_void": [
        lambda s: s.row(duplicate_of=s.another().invoice),
        lambda s: s.row(origin="IMPORTED", status="SENT", outstanding=0, duplicate_of=s.another().invoice),
        lambda s: s.row(origin="IMPORTED", status="VOID", outstanding=1, duplicate_of=s.another().invoice),
        lambda s: s.row(origin="IMPORTED", status="VOID", outstanding=0, duplicate_of=s.invoice),
    ],
    "bulk_send_begins_over_a_connection": [
        lambda s: s.bulk(started_at=s.now),
        lambda s: s.bulk(queued_at=s.now),
        lambda s: s.bulk(connection=s.connection),
    ],
    "bulk_member_once_in_a_send": [lambda s: s.bulk(members=[{}, {}])],
    "bulk_member_is_queued_with_a_push": [
        lambda s: s.bulk(members=[{"state": "QUEUED"}]),
        lambda s: s.bulk(members=[{"state": "CHOSEN", "push": s.push}]),
    ],
    "bulk_member_is_left_out_for_a_reason": [lambda s: s.bulk(members=[{"state": "LEFT_OUT"}])],
    "scratch_is_not_endless": [
        lambda s: Scratch.objects.create(person=s.staff, saved_at=s.now, fields={"notes": "x" * LARGEST_SCRATCH})
    ],
    "import_is_not_endless": [lambda s: s.brought(size=LARGEST_FILE + 1)],
    "import_was_confirmed_without_errors": [
        lambda s: s.brought(state="IMPORTING"),
        lambda s: s.brought(state="IMPORTING", confirmed_at=s.now, confirmed_by=s.staff, bad_rows=1),
    ],
    "import_ends_once": [
        lambda s: s.brought(state="DONE", confirmed_at=s.now, confirmed_by=s.staff),
        lambda s: s.brought(ended_at=s.now),
    ],
    "import_failed_says_why": [lambda s: s.brought(state="FAILED")],
    "imported_row_is_made_once": [
        lambda s: (s.made("A-1", invoice=s.invoice), s.made("A-1", invoice=s.another().invoice))
    ],
    "imported_row_made_one_thing": [
        lambda s: s.made(),
        lambda s: s.made(kind="ITEMS", invoice=s.invoice),
        lambda s: s.made(invoice=s.invoice, client=s.client()),
    ],
    "invoices_importedrow_client_id": [lambda s: s.made("A", "B", kind="CLIENTS", client=s.client())],
    "invoices_importedrow_item_id": [lambda s: s.made("A", "B", kind="ITEMS", item=s.item())],
    "invoices_importedrow_invoice_id": [lambda s: s.made("A", "B", invoice=s.invoice)],
    "period_run_undone_was_raised": [
        lambda s: PeriodRun.objects.create(sources=[], begun_at=s.now, begun_by=s.staff, undone_at=s.now)
    ],
    "raised_once_for_a_period": [lambda s: (s.raised(), s.raised(invoice=s.another().invoice))],
    "raised_days_are_of_a_month": [lambda s: s.raised(issue_day=32), lambda s: s.raised(due_day=0)],
    "invoices_raisedinvoice_invoice_id": [lambda s: (s.raised(), s.raised(issue_date=date(2026, 2, 1)))],
    "voiding_has_a_reason": [lambda s: s.voiding(reason="")],
    "voiding_in_hand_has_a_lease": [lambda s: s.voiding(state="WORKING"), lambda s: s.voiding(lease_until=s.now)],
    "voiding_needs_attention_for_a_problem": [
        lambda s: s.voiding(state="ATTENTION"),
        lambda s: s.voiding(problems=[{"message": "x"}]),
    ],
    "voiding_ends_once": [lambda s: s.voiding(state="GIVEN_UP"), lambda s: s.voiding(ended_at=s.now)],
    "voiding_is_done_with_an_outcome": [
        lambda s: s.voiding(state="DONE", ended_at=s.now),
        lambda s: s.voiding(outcome="VOIDED"),
    ],
}
CASES = [pytest.param(name, broken, id=f"{name}-{n}") for name, ways in BROKEN.items() for n, broken in enumerate(ways)]


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_the_database_itself_refuses(stage: Stage, name: str, broken: Callable[[Stage], object]) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        broken(stage)


def test_every_rule_of_every_table_is_broken_above() -> None:
    tables = [getattr(models, name) for name in models.__all__]
    rules = {constraint.name for table in tables for constraint in table._meta.constraints}
    assert rules - BROKEN.keys() == set()
    single = {field for table in tables for field in table._meta.fields if field.unique and not field.primary_key}
    assert {f"{field.model._meta.db_table}_{field.column}" for field in single} - BROKEN.keys() == set()


def test_a_draft_may_be_without_a_number_and_several_may_be(stage: Stage) -> None:
    """As an autosaved scratch will be; only what was approved has to have one."""
    for _ in range(2):
        Invoice.objects.filter(pk=stage.another().invoice_id).update(
            number=None, status="DRAFT", frozen=None, approved_at=None
        )


@pytest.mark.parametrize("model", [Client, TaxRate, Invoice, Push, Connection, User])
def test_nothing_that_a_push_stands_on_can_be_deleted(stage: Stage, model: type) -> None:
    stage.attempt()
    with pytest.raises(ProtectedError):
        model.objects.all().delete()  # type: ignore[attr-defined]


def test_clients_without_a_reference_do_not_stand_in_each_others_way(stage: Stage) -> None:
    for _ in range(2):
        Client.objects.create(name="x", reference="", uuid=uuid.uuid4())


def test_a_row_says_in_words_what_it_is(stage: Stage) -> None:
    stage.attempt()
    remote = remote_of(stage.invoice, stage.connection, stage.now)
    rows = [
        Company.ours(),
        stage.invoice.client,
        TaxRate.objects.get(pk="STANDARD"),
        Property(name="Ivy Court"),
        Item(code="LABOUR", description="Labour"),
        stage.invoice,
        stage.invoice.lines.get(),
        Event.objects.last(),
        ViewChoice(user=stage.staff, page="invoices"),
        remote,
        RemoteInvoice(remote_id="t"),
        stage.push,
        stage.push.attempts.get(),
        Invoice(),
        InvoiceMail(pk=7),
    ]
    assert [str(row) for row in rows] == [
        "Our company",
        "Bramley Stores Ltd (BRAM1)",
        "Standard (20 %)",
        "Ivy Court",
        "LABOUR Labour",
        "INV-00001",
        "Gutter clearing",
        "Created.",
        f"invoices of {stage.staff.pk}",
        "INV-00001",
        "t",
        f"push {stage.push.pk}",
        f"attempt 1 of push {stage.push.pk}",
        "Unnumbered",
        "mail 7",
    ]
