"""Many that are held: sent again without ever going twice, changed, parked and unparked."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.interface import Fix, Problem, Rejected
from connectors.models import Connection
from invoices import drafts, mending, services
from invoices.models import Company, Invoice, Push, PushAttempt
from invoices.standing import standing
from tests.conftest import line
from tests.invoices.books import LOST, SERVER_ERROR, Books, carry, look_until_proven, notes
from tests.invoices.conftest import NewPush

pytestmark = pytest.mark.django_db
REFUSED = Rejected((Problem(message="no", meaning="no", fix=Fix.DATE),), status=422)
ALL = Push.objects.all()
NewInvoice = Callable[..., Invoice]


def held(new_invoice: NewInvoice, staff: User, now: datetime, count: int, **changes: Any) -> list[Push]:
    """Invoices that Sage refused, each with its attempt."""
    made = []
    for _ in range(count):
        push = services.request_push(invoice_id=new_invoice().pk, actor=staff, now=now)
        PushAttempt.objects.create(
            push=push, n=1, generation=1, key="k", started_at=now, outcome="REJECTED", resolved_at=now
        )
        values = {"state": "ATTENTION", "cause": "REJECTED", "cause_key": "DATE|||x", "held_at": now, **changes}
        Push.objects.filter(pk=push.pk).update(**values)
        made.append(push)
    return made


def test_all_of_a_group_go_again_under_new_keys_with_the_same_number_of_questions(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    asked = []
    for count in (2, 40):
        held(new_invoice, staff, now, count)
        with CaptureQueriesContext(database) as seen:
            outcome = mending.send_again(ALL, wired, actor=staff, now=now)
        assert (outcome.done, outcome.left_out, outcome.more) == (count, {}, False)
        asked.append(len(seen))
    assert asked[0] == asked[1], "it does not grow with the invoices"
    assert {*Push.objects.values_list("state", "generation", "cause")} == {("READY", 2, "")}
    assert notes(Push.objects.all()[0])[-1] == "Queued for Sage again."


def test_a_second_click_finds_nothing_to_do(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    held(new_invoice, staff, now, 3)
    mending.send_again(ALL, wired, actor=staff, now=now)
    again = mending.send_again(ALL, wired, actor=staff, now=now)
    assert (again.done, again.left_out) == (0, {})
    assert {*Push.objects.values_list("generation", flat=True)} == {2}


def test_one_whose_attempt_is_not_settled_is_looked_at_and_not_sent(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    open_one, _ = held(new_invoice, staff, now, 2)
    PushAttempt.objects.filter(push=open_one).update(outcome="", resolved_at=None)
    assert mending.send_again(ALL, wired, actor=staff, now=now).done == 2
    open_one.refresh_from_db()
    assert (open_one.state, open_one.generation) == ("UNKNOWN", 1)


def test_what_stands_in_the_way_of_some_is_said_and_the_others_go(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    held(new_invoice, staff, now, 2)
    early = held(new_invoice, staff, now, 1)[0]
    Invoice.objects.filter(pk=early.invoice_id).update(issue_date=date(2020, 1, 1))
    Connection.objects.update(sync_settings={"sync_from": "2026-01-01"})
    wired.refresh_from_db()
    outcome = mending.send_again(ALL, wired, actor=staff, now=now)
    assert outcome.done == 2
    ((reason, invoices),) = outcome.left_out.items()
    assert "dated before 1 January 2026" in reason
    assert [one.pk for one in invoices] == [early.invoice_id]


def test_a_click_that_runs_out_of_time_says_that_there_is_more(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "CHUNK", 2)
    monkeypatch.setattr(mending, "SECONDS", -1)
    held(new_invoice, staff, now, 3)
    outcome = mending.send_again(ALL, wired, actor=staff, now=now)
    assert (outcome.done, outcome.more) == (0, True)
    assert Push.objects.filter(state="ATTENTION").count() == 3


def test_a_moved_date_keeps_the_terms_and_is_approved_by_who_moved_it(
    wired: Connection, new_invoice: NewInvoice, admin: User, staff: User, now: datetime
) -> None:
    (push,) = held(new_invoice, staff, now, 1)
    outcome = mending.amend(ALL, mending.dated(date(2026, 12, 1)), actor=admin, now=now)
    assert outcome.done == 1
    invoice = Invoice.objects.get(pk=push.invoice_id)
    assert (invoice.issue_date, invoice.due_date) == (date(2026, 12, 1), date(2026, 12, 31))
    assert (invoice.status, invoice.approved_by, invoice.frozen["issue_date"]) == ("APPROVED", admin, "2026-12-01")
    said = notes(push)
    assert [text.partition(":")[0] for text in said[-4:]] == [
        "Taken back to draft.",
        "Edited",
        "Approved.",
        "Queued for Sage again.",
    ]
    push.refresh_from_db()
    assert (push.state, push.generation) == ("READY", 3), "its key goes with what it was"


def test_who_may_not_approve_an_invoice_moves_nothing_of_it(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    (push,) = held(new_invoice, staff, now, 1)
    Company.objects.update_or_create(pk=1, defaults={"second_person_approves": True})
    outcome = mending.amend(ALL, mending.dated(date(2026, 12, 1)), actor=staff, now=now)
    assert outcome.done == 0
    assert [*outcome.left_out] == ["they are for somebody else to approve"]
    invoice = Invoice.objects.get(pk=push.invoice_id)
    assert (invoice.status, invoice.issue_date) == ("APPROVED", date(2026, 11, 2))
    push.refresh_from_db()
    assert push.state == "ATTENTION"


def test_a_code_is_changed_on_the_lines_that_have_it_alone(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    invoice = new_invoice(line(nominal_code="4010"), line(nominal_code="4200"), line())
    changed = mending.recoded("4010", "4000")(drafts.draft_of(invoice))
    assert [one.nominal_code for one in changed.lines] == ["4000", "4200", ""]


@pytest.mark.parametrize("state", ["READY", "ATTENTION"])
def test_what_is_parked_is_not_sent_until_it_is_unparked(
    new_push: NewPush, wired: Connection, staff: User, now: datetime, state: str
) -> None:
    push = new_push(state)
    assert mending.park(ALL, reason="In dispute.", actor=staff, now=now).done == 1
    push.refresh_from_db()
    assert (push.state, push.cause, push.held_at) == ("PARKED", "", now)
    assert not Push.objects.ready(now + timedelta(days=9)).exists()
    assert "In dispute." in standing(push, wired, now=now).reason
    assert notes(push)[-1] == "Parked: In dispute."
    assert mending.send_again(ALL, wired, actor=staff, now=now).done == 1
    push.refresh_from_db()
    assert (push.state, push.parked_because) == ("READY", "")


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN", "SENT"])
def test_what_is_on_its_way_or_there_is_not_parked(new_push: NewPush, staff: User, now: datetime, state: str) -> None:
    push = new_push(state)
    assert mending.park(ALL, reason="x", actor=staff, now=now).done == 0
    push.refresh_from_db()
    assert push.state == state


def test_what_is_parked_before_it_goes_again_keeps_its_key(
    books: Books, push: Push, wired: Connection, staff: User, now: datetime
) -> None:
    """Sage may wake up late: under one key it keeps one of the two."""
    books.creates = [LOST]
    carry(push)
    look_until_proven(push)
    assert push.state == "READY"
    mending.park(ALL, reason="x", actor=staff, now=now)
    mending.send_again(ALL, wired, actor=staff, now=push.due_at)
    carry(push)
    assert push.state == "SENT"
    assert len({*books.keys}) == 1 and books.documents[0] == books.documents[1]


def test_an_answer_that_may_have_spent_the_key_is_still_looked_at_after_parking(
    books: Books, push: Push, wired: Connection, staff: User, now: datetime
) -> None:
    books.creates = [SERVER_ERROR]
    carry(push)
    Push.objects.filter(pk=push.pk).update(state="ATTENTION", cause="DIFFERENT")
    mending.park(ALL, reason="x", actor=staff, now=now)
    mending.send_again(ALL, wired, actor=staff, now=now)
    push.refresh_from_db()
    assert push.state == "UNKNOWN"


def test_a_parked_invoice_can_be_taken_back_to_draft(new_push: NewPush, staff: User, now: datetime) -> None:
    push = new_push("ATTENTION")
    mending.park(ALL, reason="x", actor=staff, now=now)
    services.return_to_draft(invoice_id=push.invoice_id, actor=staff, now=now)
    push.refresh_from_db()
    assert push.state == "CANCELLED"


def test_what_somebody_parks_while_a_group_is_amended_stays_parked(
    wired: Connection, new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    first, second = held(new_invoice, staff, now, 2)

    def change(draft: drafts.InvoiceDraft) -> drafts.InvoiceDraft:
        mending.park(Push.objects.filter(pk=second.pk), reason="In dispute.", actor=staff, now=now)
        return mending.dated(date(2026, 12, 1))(draft)

    outcome = mending.amend(ALL, change, actor=staff, now=now)
    assert (outcome.done, [*outcome.left_out]) == (1, ["somebody has just settled them otherwise"])
    assert dict(Push.objects.values_list("pk", "state")) == {first.pk: "READY", second.pk: "PARKED"}


def test_what_is_cancelled_before_it_goes_again_keeps_its_key_until_it_is_taken_back_to_draft(
    books: Books, push: Push, staff: User, now: datetime
) -> None:
    """As what is parked; taken back to draft it may be another document, which is never sent under that key."""
    books.creates = [LOST, LOST]
    carry(push)
    look_until_proven(push)
    Push.objects.filter(pk=push.pk).update(state="CANCELLED")  # as a bulk send or a disconnection does
    carry(services.request_push(invoice_id=push.invoice_id, actor=staff, now=push.due_at))
    assert books.keys[0] == books.keys[1] and books.documents[0] == books.documents[1]
    push.refresh_from_db()
    look_until_proven(push)
    services.return_to_draft(invoice_id=push.invoice_id, actor=staff, now=now)
    carry(services.request_push(invoice_id=push.invoice_id, actor=staff, now=push.due_at))
    push.refresh_from_db()
    assert push.state == "SENT"
    assert books.keys[2] not in books.keys[:2]
