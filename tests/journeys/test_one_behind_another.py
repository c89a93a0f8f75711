"""While one invoice is on its way the next is made ready: what is written down when, and what comes in between."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db import connection as database
from django.utils import timezone

from connectors import http
from connectors import services as connectors
from connectors.models import Connection
from invoices import claims, documents, record, services
from invoices import push as worker
from invoices.models import Client, Push, PushAttempt
from tests.books import Sandbox
from tests.conftest import draft_for

pytestmark = pytest.mark.django_db

Queue = Callable[..., list[Push]]


@pytest.fixture
def queue(connection: Connection, client_of_ours: Client, staff: User, now: datetime) -> Queue:
    """Waiting, one for each client."""

    def queued(*clients: Client) -> list[Push]:
        made = [services.create_invoice(draft=draft_for(one), actor=staff, now=now) for one in clients]
        return [services.request_push(invoice_id=invoice.pk, actor=staff, now=now) for invoice in made]

    return queued


@pytest.fixture
def three(queue: Queue, client_of_ours: Client) -> list[Push]:
    """Of a client that Sage knows already."""
    (first,) = queue(client_of_ours)
    worker.work(first.pk)
    return queue(client_of_ours, client_of_ours, client_of_ours)


def states(pushes: list[Push]) -> list[tuple[str, int | None, int]]:
    """State, lane and attempts."""
    rows = Push.objects.filter(pk__in=[push.pk for push in pushes]).order_by("pk")
    return [(row.state, row.lane, row.attempts.count()) for row in rows]


def at_the_answer(monkeypatch: pytest.MonkeyPatch, pushes: list[Push]) -> list[list[tuple[str, int | None, int]]]:
    """How all stand each time that an answer is written down."""
    seen, sent = [], record.sent

    def noted(*given: Any, **named: Any) -> None:
        seen.append(states(pushes))
        sent(*given, **named)

    monkeypatch.setattr(record, "sent", noted)
    return seen


def test_an_answer_is_written_down_while_the_next_one_is_on_its_way_in_its_lane(
    three: list[Push], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = at_the_answer(monkeypatch, three)
    assert worker.work(three[0].pk) is None
    assert [[state for state, _, _ in each] for each in seen] == [
        ["SENDING", "SENDING", "READY"],
        ["SENT", "SENDING", "SENDING"],
        ["SENT", "SENT", "SENDING"],
    ]
    assert [[lane for _, lane, _ in each] for each in seen] == [[None, 0, None], [None, None, 0], [None, None, 0]]
    assert states(three) == [("SENT", None, 1), ("SENT", None, 1), ("SENT", 0, 1)]
    assert [row["reference"] for row in sandbox.invoices()] == [f"INV-0000{n}" for n in (1, 2, 3, 4)]


def test_what_was_made_ready_waits_again_untouched_when_sage_wants_a_rest(three: list[Push], sandbox: Sandbox) -> None:
    sandbox.fault("busy", retry_after=40)
    worker.work(three[0].pk)
    assert states(three) == [("READY", 0, 1), ("READY", None, 0), ("READY", None, 0)]
    assert three[1].due_at == Push.objects.get(pk=three[1].pk).due_at


def test_a_lost_answer_is_on_record_before_the_next_one_goes(three: list[Push], sandbox: Sandbox) -> None:
    sandbox.fault("lost")
    worker.work(three[0].pk)
    assert [state for state, _, _ in states(three)] == ["UNKNOWN", "SENT", "SENT"]
    assert len(sandbox.invoices()) == 4


def test_a_client_is_created_in_the_lane_and_not_beside_an_invoice(
    queue: Queue, three: list[Push], sandbox: Sandbox
) -> None:
    (stranger,) = queue(Client.objects.create(name="Newcomer Ltd"))
    sandbox.clear_journal()
    worker.work(three[0].pk)
    posts = [row["path"].rpartition("/")[2] for row in sandbox.calls("POST")]
    assert posts == ["sales_invoices"] * 3 + ["contacts", "sales_invoices"]
    assert states([stranger]) == [("SENT", 0, 1)]


def test_what_goes_wrong_beside_a_call_costs_no_answer(
    three: list[Push], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(*_: Any, **__: Any) -> None:
        raise DatabaseError("on purpose")

    monkeypatch.setattr(worker.Turn, "_look_ahead", stumbles)
    with pytest.raises(DatabaseError):
        worker.work(three[0].pk)
    assert [state for state, _, _ in states(three)] == ["SENT", "READY", "READY"]


def test_sage_waits_for_three_questions_to_postgres_between_two_calls(
    three: list[Push], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane with the intent, the budget, the token: all else is done while a call is on its way."""
    told: list[str] = []
    send = http.Wire._send

    def noted(*given: Any) -> Any:
        told.append("call")
        answer = send(*given)
        told.append("answer")
        return answer

    def asked(execute: Callable[..., Any], sql: str, *given: Any) -> Any:
        told.append(sql)
        return execute(sql, *given)

    monkeypatch.setattr(http.Wire, "_send", noted)
    with database.execute_wrapper(asked):
        worker.work(three[0].pk)
    between = told[told.index("answer") + 1 :]
    questions = [sql for sql in between[: between.index("call")] if "SAVEPOINT" not in sql]
    assert [sql.split()[0] for sql in questions] == ["WITH", "INSERT", "SELECT"]


# The lane -----------------------------------------------------------------------------------------------------
def both(connection: Connection, pushes: list[Push]) -> tuple[claims.Claim, claims.Ready]:
    """One that is answered, and one behind it."""
    now = timezone.now()
    (before,) = claims.claim(connection, now=now)
    (behind,) = claims.claim(connection, now=now, behind=before)
    connector = connectors.open_connector(connection)
    claims.intend([(before, worker._document(before, connector))], lease_until=now + claims.LEASE, now=now)
    return before, (behind, worker._document(behind, connector))


def follow(before: claims.Claim, ready: claims.Ready) -> bool:
    now = timezone.now()
    return claims.follow(before, ready, lease_until=now + timedelta(seconds=7), now=now)


def test_the_lane_and_the_intent_come_together(connection: Connection, three: list[Push]) -> None:
    before, ready = both(connection, three)
    assert follow(before, ready)
    assert states(three)[:2] == [("SENDING", None, 1), ("SENDING", 0, 1)]
    attempt, push = three[1].attempts.get(), Push.objects.get(pk=three[1].pk)
    assert documents.from_json(attempt.document or {}) == ready[1]
    assert attempt.may_leave_until == push.lease_until == ready[0].attempt.may_leave_until


@pytest.mark.parametrize("gone", ["before", "behind"])
def test_what_was_taken_over_meanwhile_hands_on_nothing_and_gets_nothing(
    connection: Connection, three: list[Push], gone: str
) -> None:
    before, ready = both(connection, three)
    lost = before if gone == "before" else ready[0]
    Push.objects.filter(pk=lost.push.pk).update(fence=lost.fence + 1)
    assert not follow(before, ready)
    assert three[1].attempts.get().document is None
    assert states(three)[1][:2] == ("SENDING", None)


def test_a_lane_that_another_worker_has_is_not_taken(connection: Connection, three: list[Push]) -> None:
    before, ready = both(connection, three)
    Push.objects.filter(pk=before.push.pk).update(lane=None)
    Push.objects.filter(pk=three[2].pk).update(state="SENDING", lane=0, lease_until=timezone.now())
    assert not follow(before, ready)
    claims.put_back(ready[0])
    assert states(three)[1] == ("READY", None, 0)


@pytest.mark.parametrize("change", [{"state": "DISCONNECTING"}, {"paused_until": timezone.now() + timedelta(days=1)}])
def test_no_lane_is_handed_on_over_a_connection_that_is_to_rest(
    connection: Connection, three: list[Push], change: dict[str, Any]
) -> None:
    before, ready = both(connection, three)
    Connection.objects.update(**change)
    assert not follow(before, ready)
    assert states(three)[:2] == [("SENDING", 0, 1), ("SENDING", None, 1)]


def test_what_has_an_intent_on_record_is_not_put_back(connection: Connection, three: list[Push]) -> None:
    before, ready = both(connection, three)
    assert follow(before, ready)
    claims.put_back(ready[0])
    assert states(three)[1] == ("SENDING", 0, 1)
    assert PushAttempt.objects.filter(push=three[1], document__isnull=False).exists()


def test_behind_another_goes_only_what_was_never_attempted_and_only_while_no_lane_is_free(
    connection: Connection, three: list[Push]
) -> None:
    now = timezone.now()
    (before,) = claims.claim(connection, now=now)
    claims.put_back(before)
    assert claims.claim(connection, now=now, behind=before) == []
    (before,) = claims.claim(connection, now=now)
    PushAttempt.objects.create(
        push=three[1], n=1, generation=1, key="k" * 32, started_at=now, outcome="NOT_SENT", resolved_at=now
    )
    assert claims.claim(connection, now=now, behind=before) == []
