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
from invoices.models import Invoice, Push, RemoteInvoice
from invoices.standing import FIXES, current_push, standing, standing_of
from reflow.access import RULES

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
PUSHES = (None, *Push.State.values)
CONNECTIONS = ("none", "other", *Connection.State.values)

AGAIN = "until Reflow is connected to the same organisation in Sage again."
DEAD = "Sage no longer accepts our authorisation. "
LOST = "Sage's answer was lost. "
PARTING = "Reflow is being disconnected from Sage: "
HELD = "This database was restored from a backup: nothing goes on until an admin has confirmed that it is the live one."
LOOK = f"{LOST}Reflow looks into Sage before it sends anything again: next look at 14:00:30."
BACK, LATER = f"{PARTING}it goes back to Approved, and is not sent.", f"{PARTING}it can be settled once the two are "
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
            **dict.fromkeys(("none", "other"), f"It waits {AGAIN}"),
            **dict.fromkeys(("CHOOSING", "DISCONNECTING", "DISCONNECTED"), BACK),
            "ACTIVE": "The last try came to nothing. Next try at 14:00:30.",
            "RECONNECT": f"{DEAD}It is sent once an admin has authorised Reflow again.",
        },
    ),
    "SENDING": ("SENDING", "Sending", "busy", True, dict.fromkeys(CONNECTIONS, "Sage has until 14:00:40 to answer.")),
    "UNKNOWN": (
        "CHECKING",
        "Checking",
        "warn",
        True,
        {
            **dict.fromkeys(CONNECTIONS, LOOK),
            **dict.fromkeys(("none", "other"), f"{LOST}Whether Sage has it can't be seen {AGAIN}"),
            "RECONNECT": f"{LOST}{DEAD}Reflow looks once an admin has authorised it again.",
        },
    ),
    "ATTENTION": (
        "ATTENTION",
        "Needs attention",
        "bad",
        False,
        {
            **dict.fromkeys(("none", "other"), f"It can't be settled {AGAIN}"),
            **dict.fromkeys(("CHOOSING", "DISCONNECTING", "DISCONNECTED"), f"{LATER}connected again."),
            "ACTIVE": "",
            "RECONNECT": f"{DEAD}It can be settled once an admin has authorised Reflow again.",
        },
    ),
    "PARKED": (
        "PARKED",
        "Parked",
        "warn",
        False,
        dict.fromkeys(CONNECTIONS, "It is not sent until somebody unparks it: "),
    ),
    "SENT": ("SENT", "Sent", "good", False, dict.fromkeys(CONNECTIONS, "")),
}


def seen(state: str | None, over: str, *, held: bool = False, **changes: Any) -> Any:
    """Due in half a minute, in hand for ten seconds more, over a connection that Sage answered just now."""
    paused_until, contact_at = changes.pop("paused_until", None), changes.pop("contact_at", NOW)
    connection = Connection(state=over, paused_until=paused_until, contact_at=contact_at)
    over_it = {"connection_id": connection.pk if over != "other" else uuid4()}
    given = {"due_at": NOW + timedelta(seconds=30), "lease_until": NOW + timedelta(seconds=40), **over_it, **changes}
    push = Push(state=state, **given) if state else None
    with override("UTC"):
        return standing(push, None if over == "none" else connection, now=NOW, held=held)


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


@pytest.mark.parametrize("state", ["READY", "SENDING", "UNKNOWN", "ATTENTION", "PARKED"])
def test_in_a_restored_copy_whatever_is_open_waits_for_an_admin(state: str) -> None:
    for over in CONNECTIONS:
        assert (seen(state, over, held=True).reason, seen(state, over, held=True).brief) == (HELD, "restored copy")


@pytest.mark.parametrize(
    ("due", "paused", "reason"),
    [
        (0, None, "It goes as soon as a worker is free."),
        (-60, -30, "It goes as soon as a worker is free."),
        (0, 0, "It goes as soon as a worker is free."),
        (90, None, "The last try came to nothing. Next try at 14:01:30."),
        (90, 30, "Sage is busy or can't be reached. Next try at 14:01:30."),
        (-60, 120, "Sage is busy or can't be reached. Next try at 14:02:00."),
    ],
)
def test_what_waits_says_why_and_until_when(due: int, paused: int | None, reason: str) -> None:
    until = None if paused is None else NOW + timedelta(seconds=paused)
    assert seen("READY", "ACTIVE", due_at=NOW + timedelta(seconds=due), paused_until=until).reason == reason


@pytest.mark.parametrize(
    ("state", "late", "soon"),
    [
        ("READY", {"due_at": NOW}, "It goes as soon as a worker is free."),
        ("UNKNOWN", {"due_at": NOW}, f"{LOST}Reflow looks into Sage before it sends anything again: it is due now."),
        ("SENDING", {"lease_until": NOW}, "The worker that was sending it has stopped. Reflow looks into Sage before"),
    ],
)
def test_what_nobody_takes_is_said_and_who_has_to_act(state: str, late: dict[str, datetime], soon: str) -> None:
    assert seen(state, "ACTIVE", **late).reason.startswith(soon)
    before = {name: moment - timedelta(minutes=7, seconds=5) for name, moment in late.items()}
    assert seen(state, "ACTIVE", **before).reason.startswith(soon), "Sage answered just now: somebody works"
    stands = seen(state, "ACTIVE", contact_at=NOW - timedelta(minutes=6), **before)
    assert "Due for 7 minutes, but nothing takes it: whoever runs this server should see" in stands.reason
    assert stands.brief == "no worker"


@pytest.mark.parametrize(("over", "held"), [("ACTIVE", False), ("RECONNECT", False), ("ACTIVE", True), ("none", False)])
def test_a_number_that_is_still_to_come_says_what_it_waits_for(over: str, held: bool) -> None:
    remote = RemoteInvoice(number="", is_draft=False)
    reason = seen("SENT", over, held=held, remote=remote).reason
    waits = f"{DEAD}Sage's number comes once an admin has authorised Reflow again."
    still = "Sage's number is still to come." if over == "ACTIVE" else ""
    assert reason == (HELD if held else waits if over == "RECONNECT" else still)


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
