"""The world in which the machine runs: a clock, a connected company, and what must hold after each step."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database

from connectors.models import Connection, RemoteLink
from invoices.models import Client, PushAttempt, TaxRate
from tests.conftest import person
from tests.machine.platform import Platform

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
LONGEST_WAIT = timedelta(hours=24)

PUSHES = """
SELECT p.id, p.invoice_id, p.connection_id, p.state, p.cause, p.due_at, p.lease_until, i.number, i.status, r.remote_id
FROM invoices_push p JOIN invoices_invoice i ON i.id = p.invoice_id
LEFT JOIN invoices_remoteinvoice r ON r.id = p.remote_id
"""
LINKS = """
SELECT r.remote_id, r.connection_id, i.origin, i.number, i.id
FROM invoices_remoteinvoice r JOIN invoices_invoice i ON i.id = r.invoice_id
"""
OPEN_ATTEMPTS = "SELECT push_id FROM invoices_pushattempt WHERE resolved_at IS NULL"
NUMBERS = "SELECT group_id, value, text, outcome, holder::text AS holder FROM incrementors_number"
COUNTERS = "SELECT key, next_value FROM incrementors_group"
INVOICES = "SELECT id, uuid::text AS uuid, number, status, origin, frozen IS NULL AS thawed FROM invoices_invoice"
THERE = """
SELECT 'push ' || state AS what FROM invoices_push UNION SELECT 'invoice ' || status FROM invoices_invoice
UNION SELECT CASE state WHEN 'ACTIVE' THEN 'connection ACTIVE' ELSE 'connection at rest' END FROM connectors_connection
UNION SELECT 'invoices enough' FROM invoices_invoice HAVING count(*) >= 6
"""
LEFT = ("SENDING", "UNKNOWN", "ATTENTION", "SENT")


class Clock:
    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment


def ask(query: str) -> list[dict[str, Any]]:
    with database.cursor() as cursor:
        cursor.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def what_is_there() -> frozenset[str]:
    """What the rules choose by, read once between two steps and not by each rule."""
    return frozenset(row["what"] for row in ask(THERE))


def connect(platform: str, now: datetime) -> tuple[Connection, Client, User]:
    """Set up to send and to read, with the client known over there."""
    ada = person("ada", "Admin")
    connected = Connection.objects.create(
        platform=platform,
        state=Connection.State.ACTIVE,
        company_id="b-1",
        company_name="Harbour",
        sales_account_id="acc-4000",
        sales_account_name="4000 Sales",
        sync_settings={"direction": "BOTH"},
        authorised_at=now,
        authorised_by=ada,
    )
    ours = Client.objects.create(name="Bramley Stores Ltd", reference="BRAM1", email="a@bramley.example")
    links = [("CLIENT", str(ours.uuid), "c-1", None)]
    links += [("TAX_RATE", rate.pk, f"GB_{rate.pk}", rate.percentage) for rate in TaxRate.objects.all()]
    for kind, key, theirs, percentage in links:
        RemoteLink.objects.create(
            connection=connected,
            kind=kind,
            local_key=key,
            remote_id=theirs,
            remote_name=theirs,
            percentage=percentage,
            linked_at=now,
        )
    return connected, ours, ada


def must_have_an_intent(key: str) -> None:
    """Asked by the platform of each creating call, before it does anything."""
    on_record = PushAttempt.objects.filter(key=key, resolved_at=None).exclude(document=None)
    assert on_record.exists(), f"a call under {key} has no open attempt on record"


def check(platform: Platform, now: datetime) -> None:
    """The invariants, read in plain SQL and from the platform's own books."""
    pushes, links = ask(PUSHES), ask(LINKS)
    _attempts(pushes)
    _books(platform, pushes)
    _links(platform, pushes, links)
    _wake_ups(pushes, now)
    _numbers()


def _attempts(pushes: list[dict[str, Any]]) -> None:
    """At most one open attempt a push, one push an invoice and connection; a key goes with one document only."""
    open_ones = Counter(row["push_id"] for row in ask(OPEN_ATTEMPTS))
    assert not [push for push, n in open_ones.items() if n > 1], f"open attempts: {open_ones}"
    pairs = Counter((row["invoice_id"], row["connection_id"]) for row in pushes)
    assert not [pair for pair, n in pairs.items() if n > 1], f"pushes: {pairs}"
    states = {row["id"]: row["state"] for row in pushes}
    wrong = [push for push in open_ones if states[push] in ("READY", "CANCELLED", "SENT")]
    assert not wrong, f"{wrong} may go again, or have ended, with an attempt open"


def _books(platform: Platform, pushes: list[dict[str, Any]]) -> None:
    """Of each of ours at most one stands in the books, and only of what has left."""
    standing = [each for each in platform.standing() if each.sent]
    times = Counter(each.sent.reference for each in standing if each.sent)
    assert not [reference for reference, n in times.items() if n > 1], f"twice in the books: {times}"
    by_number = {row["number"]: row for row in pushes}
    for reference in times:
        state = by_number[reference]["state"] if reference in by_number else "nobody's"
        assert state in LEFT, f"{reference} is in the books and here it is {state}"


def _links(platform: Platform, pushes: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    """Sent with a token that the books know, of that very invoice; nothing of ours is imported beside it."""
    documents = {each.token: each for each in platform.documents}
    for row in pushes:
        assert (row["state"] == "SENT") == bool(row["remote_id"]), row
        if row["remote_id"]:
            held = documents[row["remote_id"]]
            assert held.sent is None or held.sent.reference == row["number"], f"{row} is linked to {held}"
            assert row["status"] not in ("DRAFT", "APPROVED"), row
    tokens = Counter(row["remote_id"] for row in links)
    assert not [token for token, n in tokens.items() if n > 1], f"linked twice: {tokens}"


def _wake_ups(pushes: list[dict[str, Any]], now: datetime) -> None:
    """No limbo: a moment at which somebody takes it up, or a person who has it."""
    for row in pushes:
        if row["state"] in ("READY", "UNKNOWN"):
            assert row["due_at"] <= now + LONGEST_WAIT, row
        assert row["state"] != "SENDING" or row["lease_until"] <= now + LONGEST_WAIT, row
        assert (row["state"] == "ATTENTION") == bool(row["cause"]), row


def _numbers() -> None:
    """Every value below a counter was given once, and whoever was given it shows it."""
    numbers = ask(NUMBERS)
    for counter in ask(COUNTERS):
        given = sorted(row["value"] for row in numbers if row["group_id"] == counter["key"])
        assert given == list(range(1, counter["next_value"])), f"{counter}: {given}"
    held = {row["uuid"]: row["number"] for row in ask(INVOICES)}
    for row in numbers:
        if row["outcome"] == "GIVEN":
            assert held[row["holder"]] == row["text"], row
    shown = Counter(number for number in held.values() if number)
    assert not [number for number, n in shown.items() if n > 1], shown
