"""What must hold once all has come to rest, read in plain SQL and from the sandbox's own books and journal."""

from collections import Counter
from decimal import Decimal
from typing import Any

from django.db import connection

from tests.books import Sandbox

INVOICES = """
SELECT i.number, i.status, i.total, p.state, p.cause, p.lease_until,
    r.remote_id AS token, r.number AS theirs, r.total AS their_total
FROM invoices_invoice i LEFT JOIN invoices_push p ON p.invoice_id = i.id
LEFT JOIN invoices_remoteinvoice r ON r.id = p.remote_id WHERE i.origin = 'OWN' ORDER BY i.id
"""
IMPORTED = """
SELECT i.number, r.remote_id AS token, r.number AS theirs,
    (SELECT count(*) FROM invoices_invoiceline WHERE invoice_id = i.id) AS lines
FROM invoices_invoice i LEFT JOIN invoices_remoteinvoice r ON r.invoice_id = i.id WHERE i.origin = 'IMPORTED'
"""
UNRESOLVED = """
SELECT p.id FROM invoices_pushattempt a JOIN invoices_push p ON p.id = a.push_id
WHERE a.resolved_at IS NULL AND p.state <> 'ATTENTION'
"""
KEYS = "SELECT DISTINCT key FROM invoices_pushattempt"
NUMBERS = "SELECT group_id, value, text, outcome FROM incrementors_number ORDER BY group_id, value"
NO_WAKE_UP = """
SELECT id, state FROM invoices_push p WHERE CASE state
    WHEN 'SENDING' THEN lease_until IS NULL OR lease_until > %(latest)s
    WHEN 'ATTENTION' THEN cause = ''
    WHEN 'SENT' THEN remote_id IS NULL
    WHEN 'CANCELLED' THEN false
    ELSE due_at > %(latest)s END
"""
GENERATION = "SELECT generation FROM connectors_credential"
CREATES = {"accounting": "/sales_invoices", "intacct": ("/services/core/composite", "/accounts-receivable/invoice")}
Row = dict[str, Any]


def ask(query: str, values: Row | None = None) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def without_a_wake_up(latest: object) -> list[str]:
    """No limbo: what is not at its end has a moment, soon, at which somebody takes it up, or a person has it."""
    return [f"push {row['id']} is {row['state']} and nothing wakes it" for row in ask(NO_WAKE_UP, {"latest": latest})]


def documents(sandbox: Sandbox, scene: str) -> list[Row]:
    """Token, reference, number and total of what the books hold."""
    if scene == "accounting":
        held = sandbox.business()["invoices"]
        names = ("id", "reference", "number", "total_amount")
    else:
        held = sandbox.intacct()["invoices"]
        names = ("key", "referenceNumber", "invoiceNumber", "totalTxnAmount")
    return [
        dict(zip(("token", "reference", "number", "total"), [row[name] for name in names], strict=True)) for row in held
    ]


def wrong(sandbox: Sandbox, scene: str, *, renamed: bool, token_calls: int) -> list[str]:
    """All that is not as it must be; empty when everything is."""
    held = documents(sandbox, scene)
    ours, imported = ask(INVOICES), ask(IMPORTED)
    found = [text for row in ours for text in _judged(row, held, renamed)]
    if len(held) != len(ours) + len(imported):
        found.append(f"{len(held)} in the books for {len(ours)} of ours and {len(imported)} imported")
    tokens = Counter(row["token"] for row in (*ours, *imported) if row["token"])
    found += [f"{token} is linked {n} times" for token, n in tokens.items() if n > 1]
    found += [f"{row['number']}: {row}" for row in imported if not row["theirs"] or row["lines"] != 1]
    found += [f"push {row['id']} has an attempt that nobody closed" for row in ask(UNRESOLVED)]
    return found + _numbers() + _calls(sandbox, scene, token_calls) + _clients(sandbox, scene)


def _judged(row: Row, held: list[Row], renamed: bool) -> list[str]:
    number = row["number"]
    mine = [each for each in held if each["reference"] == number]
    if renamed and (row["state"], row["cause"]) == ("ATTENTION", "DIFFERENT"):
        return [] if not mine and number == "INV-00001" else [f"{number} is for a person"]
    if len(mine) != 1:
        return [f"{number} is {len(mine)} times in the books: {row}"]
    pairs = (row["state"], row["status"], row["token"], row["theirs"], row["lease_until"], row["their_total"])
    true = ("SENT", "SENT", mine[0]["token"], mine[0]["number"], None, Decimal(mine[0]["total"]))
    return [] if pairs == true and row["total"] == row["their_total"] else [f"{number}: {pairs} for {true}"]


def _numbers() -> list[str]:
    rows = ask(NUMBERS)
    values = {group: [row["value"] for row in rows if row["group_id"] == group] for group in ("INVOICES", "IMPORTED")}
    return [f"{group}: {given}" for group, given in values.items() if given != list(range(1, len(given) + 1))]


def _calls(sandbox: Sandbox, scene: str, token_calls: int) -> list[str]:
    """Every creating call has its intent; a refresh token is spent once, or once more where somebody died over it."""
    platform = scene.partition(" ")[0]
    journal, keys = sandbox.calls("POST"), {row["key"] for row in ask(KEYS)}
    name = "idempotency_id" if platform == "accounting" else "idempotency_key"
    found = [
        f"a call under {call[name]} without an intent"
        for call in journal
        if call["path"].endswith(CREATES[platform]) and call[name] and call[name] not in keys
    ]
    tokens = sum(call["path"].endswith("/token") for call in journal)
    generation = ask(GENERATION)[0]["generation"]
    if tokens > generation - 1 + token_calls:
        found.append(f"{tokens} token calls for generation {generation}")
    return found


def _clients(sandbox: Sandbox, scene: str) -> list[str]:
    if scene == "accounting":
        names = [row["name"] for row in sandbox.contacts()]
    else:
        names = [row["name"] for row in sandbox.intacct()["customers"]]
    times = names.count("Bramley Stores Ltd")
    return [f"the client is {times} times in the books"] if times > 1 else []
