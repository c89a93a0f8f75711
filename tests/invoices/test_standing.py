"""What a push is called on screen: the whole table of its states over a connection in each of its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import override

from connectors.interface import Fix
from connectors.models import Connection
from invoices import services
from invoices.models import Invoice, Push
from invoices.standing import FIXES, current_push, standing, standing_of
from reflow.access import RULES

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
PUSHES = (None, *Push.State.values)
CONNECTIONS = ("none", "other", *Connection.State.values)

GONE = "It waits until Reflow is connected to the same organisation in Sage again."
DEAD = "Sage no longer accepts our authorisation. It is sent once an admin has authorised Reflow again."
CHECKING = "Sage's answer was lost. Reflow looks into Sage before it sends anything again: next look at 14:00:00."
# state of the push -> code, label, tone, whether it moves, the reason over a connection in each state
TABLE: dict[str | None, tuple[str, str, str, bool, dict[str, str]]] = {
    None: ("NOT_SENT", "Not sent", "neutral", False, dict.fromkeys(CONNECTIONS, "")),
    "CANCELLED": ("NOT_SENT", "Not sent", "neutral", False, dict.fromkeys(CONNECTIONS, "")),
    "READY": (
        "WAITING",
        "Waiting",
        "busy",
        True,
        {
            "none": GONE,
            "other": GONE,
            "CHOOSING": "",
            "ACTIVE": "",
            "RECONNECT": DEAD,
            "DISCONNECTING": "",
            "DISCONNECTED": "",
        },
    ),
    "SENDING": ("SENDING", "Sending", "busy", True, dict.fromkeys(CONNECTIONS, "")),
    "UNKNOWN": (
        "CHECKING",
        "Checking",
        "warn",
        True,
        {**dict.fromkeys(CONNECTIONS, CHECKING), "none": GONE, "other": GONE},
    ),
    "ATTENTION": ("ATTENTION", "Needs attention", "bad", False, dict.fromkeys(CONNECTIONS, "")),
    "PARKED": (
        "PARKED",
        "Parked",
        "warn",
        False,
        dict.fromkeys(CONNECTIONS, "It is not sent until somebody unparks it: "),
    ),
    "SENT": ("SENT", "Sent", "good", False, dict.fromkeys(CONNECTIONS, "")),
}


def seen(state: str | None, over: str, *, due: datetime = NOW, paused_until: datetime | None = None) -> Any:
    connection = Connection(state=over, paused_until=paused_until)
    push = Push(state=state, connection_id=connection.pk if over != "other" else uuid4(), due_at=due) if state else None
    with override("UTC"):
        return standing(push, None if over == "none" else connection, now=NOW)


@pytest.mark.parametrize("over", CONNECTIONS)
@pytest.mark.parametrize("state", PUSHES)
def test_a_push_is_called_what_the_table_says(state: str | None, over: str) -> None:
    code, label, tone, moving, reasons = TABLE[state]
    stands = seen(state, over)
    assert (stands.code, stands.label, stands.tone, stands.moving) == (code, label, tone, moving)
    assert stands.reason == reasons[over]
    assert stands.icon


@pytest.mark.parametrize("state", PUSHES)
def test_an_invoice_that_is_void_after_it_was_sent_is_not_called_sent(state: str | None) -> None:
    push = Push(state=state, due_at=NOW) if state else None
    stands = standing_of(Invoice(status="VOID"), push, None, now=NOW)
    if state == "SENT":
        assert (stands.label, stands.tone, stands.icon) == ("Void in Sage", "neutral", "slash-circle")
    else:
        assert stands == standing(push, None, now=NOW)


@pytest.mark.parametrize(
    ("due", "paused", "clock"),
    [
        (0, None, ""),
        (-60, -30, ""),
        (0, 0, ""),
        (90, None, "14:01:30"),
        (90, 30, "14:01:30"),
        (-60, 120, "14:02:00"),
    ],
)
def test_what_waits_for_a_busy_sage_says_until_when(due: int, paused: int | None, clock: str) -> None:
    until = None if paused is None else NOW + timedelta(seconds=paused)
    reason = seen("READY", "ACTIVE", due=NOW + timedelta(seconds=due), paused_until=until).reason
    assert reason == (f"Sage is busy or can't be reached. Next try at {clock}." if clock else "")


def test_the_clock_on_the_wall_is_the_companys_own() -> None:
    connection = Connection(state="ACTIVE")
    push = Push(state="READY", connection_id=connection.pk, due_at=datetime(2026, 7, 1, 12, 30, tzinfo=UTC))
    with override("Europe/London"):
        reason = standing(push, connection, now=datetime(2026, 7, 1, 12, 0, tzinfo=UTC)).reason
    assert "13:30:00" in reason


def test_every_place_that_mends_something_is_an_address_with_a_rule() -> None:
    assert set(FIXES) == set(Fix) - {Fix.SUPPORT, Fix.REMOTE}  # the last is the invoice itself in Sage
    for name, label, permission in FIXES.values():
        assert RULES[name] == permission
        assert label


@pytest.mark.django_db
def test_the_push_over_the_live_connection_counts_before_a_later_one_over_another(
    approved: Invoice, wired: Connection, staff: User, now: datetime
) -> None:
    first = services.request_push(invoice_id=approved.pk, actor=staff, now=now)
    Connection.objects.update(state="DISCONNECTED", disconnected_at=now)
    other = Connection.objects.create(
        platform="sage_accounting",
        state="ACTIVE",
        company_id="b-2",
        sales_account_id="a",
        authorised_at=now,
        authorised_by=staff,
    )
    wired.links.update(connection=other)
    later = services.request_push(invoice_id=approved.pk, actor=staff, now=now + timedelta(hours=1))
    assert current_push(approved, wired) == first
    assert current_push(approved, other) == later
    assert current_push(approved, None) == later


@pytest.mark.django_db
def test_an_invoice_never_queued_has_no_push(approved: Invoice, wired: Connection) -> None:
    assert current_push(approved, wired) is None


def test_every_state_that_moves_is_open_and_the_other_way_round() -> None:
    is_open: Callable[[str], bool] = lambda state: Push(state=state).is_open  # noqa: E731
    assert {state for state in Push.State.values if is_open(state)} == {
        state for state in Push.State.values if TABLE[state][3]
    }
