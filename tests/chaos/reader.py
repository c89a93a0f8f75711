"""An independent reader of both sides: SQL against Postgres, HTTP against the books, and no code of Reflow's."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extras

from tests.books import Sandbox

Row = Mapping[str, Any]
ACCOUNTING_CREATES = ("/sales_invoices",)
INTACCT_CREATES = ("/services/core/composite", "/objects/accounts-receivable/invoice")
PATIENCE = 60

INVOICES = """
SELECT i.id, i.uuid::text AS uuid, i.number, i.status, i.total, i.issue_date::text AS day, i.reference AS order_number,
       i.client_id, c.name AS client, p.id AS push, p.state, p.cause, p.problems::text AS problems, p.due_at,
       p.lease_until, p.requested_at, p.sent_at, r.remote_id AS token, r.number AS their_number, r.total AS their_total,
       l.remote_id AS their_client
FROM invoices_invoice i
JOIN invoices_client c ON c.id = i.client_id
LEFT JOIN invoices_push p ON p.invoice_id = i.id
LEFT JOIN invoices_remoteinvoice r ON r.id = p.remote_id
LEFT JOIN connectors_remotelink l ON l.kind = 'CLIENT' AND l.local_key = c.uuid::text
WHERE i.origin = 'OWN' AND i.approved_at IS NOT NULL
"""
OPEN_ATTEMPTS = "SELECT count(*) AS n FROM invoices_pushattempt WHERE resolved_at IS NULL"
IMPORTED = "SELECT i.number, i.reference FROM invoices_invoice i WHERE i.origin = 'IMPORTED'"
NUMBERS = (
    "SELECT value, text, outcome, reason, holder::text AS holder FROM incrementors_number WHERE group_id = 'INVOICES'"
)
COUNTER = "SELECT next_value FROM incrementors_group WHERE key = 'INVOICES'"
UNKNOWN = """
SELECT extract(epoch FROM resolved_at - started_at) AS seconds FROM invoices_pushattempt
WHERE outcome IN ('FOUND', 'ABSENT')
"""
KEYS = "SELECT DISTINCT key FROM invoices_pushattempt"
HOLDERS = "SELECT uuid::text AS uuid, number FROM invoices_invoice WHERE origin = 'OWN'"


class Ours:
    """Our side, read in plain SQL over a connection a thread; while Postgres is away it is asked again.

    `meanwhile` is what whoever asks has to go on doing until it is back.
    """

    def __init__(self, url: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.url, self._meanwhile = url, meanwhile
        self._mine = threading.local()

    def ask(self, query: str, *values: object) -> list[Row]:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._ask(query, values)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self._mine.connection = None
                if time.monotonic() > deadline:
                    raise
                self._meanwhile()
                time.sleep(0.1)

    def _ask(self, query: str, values: Sequence[object]) -> list[Row]:
        if getattr(self._mine, "connection", None) is None:
            self._mine.connection = psycopg2.connect(self.url)
            self._mine.connection.autocommit = True
        with self._mine.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, values)
            rows: list[Row] = cursor.fetchall()
            return rows

    def clients(self) -> list[int]:
        return [row["id"] for row in self.ask("SELECT id FROM invoices_client ORDER BY id")]

    def items(self) -> list[int]:
        return [row["id"] for row in self.ask("SELECT id FROM invoices_item ORDER BY id")]

    def in_the_queue(self) -> int:
        return int(self.ask("SELECT count(*) AS n FROM invoices_push WHERE state IN ('READY', 'SENDING')")[0]["n"])

    def with_reference(self, reference: str) -> list[int]:
        return [row["id"] for row in self.ask("SELECT id FROM invoices_invoice WHERE reference = %s", reference)]

    def states(self) -> Counter[str]:
        return Counter(
            {row["state"]: row["n"] for row in self.ask("SELECT state, count(*) AS n FROM invoices_push GROUP BY 1")}
        )

    def unread_numbers(self) -> int:
        return int(self.ask("SELECT count(*) AS n FROM invoices_remoteinvoice WHERE number = ''")[0]["n"])

    def connection_state(self) -> str:
        return str(self.ask("SELECT state FROM connectors_connection")[0]["state"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An invoice as the books hold it."""

    token: str
    reference: str
    number: str
    total: Decimal
    client: str
    client_name: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A creating call that reached Sage."""

    at: str
    status: int | None
    key: str


class Theirs:
    """The books' side, read over HTTP."""

    def __init__(self, url: str, platform: str) -> None:
        self.sandbox, self.platform = Sandbox(url), platform

    def documents(self) -> list[Document]:
        if self.platform == "intacct":
            return [_from_intacct(row) for row in self.sandbox.intacct()["invoices"]]
        return [_from_accounting(row) for row in self.sandbox.business()["invoices"]]

    def registers(self) -> Counter[str]:
        """How many there are of each client and item of ours."""
        if self.platform == "intacct":
            return Counter(row["name"] for row in self.sandbox.intacct()["customers"] if "Chaos" in row["name"])
        books = self.sandbox.business()
        items = Counter(row["item_code"] for row in (*books["products"], *books["services"]))
        return items + Counter(row["name"] for row in books["contacts"] if "Chaos" in row["name"])

    def creating_calls(self) -> list[Call]:
        ends = INTACCT_CREATES if self.platform == "intacct" else ACCOUNTING_CREATES
        name = "idempotency_key" if self.platform == "intacct" else "idempotency_id"
        posts = [row for row in self.sandbox.calls("POST") if row["path"].endswith(ends)]
        return [Call(at=row["at"], status=row["status"], key=row[name] or "") for row in posts]


def _from_accounting(row: Row) -> Document:
    return Document(
        token=row["id"],
        reference=row["reference"] or "",
        number=row["number"] or "",
        total=Decimal(str(row["total_amount"])),
        client=row["contact_id"],
        client_name=row["contact_name"],
        day=row["date"],
    )


def _from_intacct(row: Row) -> Document:
    return Document(
        token=row["key"],
        reference=row["referenceNumber"] or "",
        number=row["invoiceNumber"] or "",
        total=Decimal(str(row["totalTxnAmount"])),
        client=row["customer"]["id"],
        client_name=row["customer"]["name"],
        day=row["invoiceDate"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """All that was read, at one moment at which nothing moves any more."""

    invoices: Sequence[Row]
    documents: Sequence[Document]
    numbers: Sequence[Row]
    next_value: int
    holders: Sequence[Row]
    imported: Sequence[Row]
    open_attempts: int
    keys: frozenset[str]
    calls: Sequence[Call]
    registers: Counter[str]
    unknown: Sequence[float]


def read(ours: Ours, theirs: Theirs) -> Sides:
    return Sides(
        invoices=ours.ask(INVOICES),
        documents=theirs.documents(),
        numbers=ours.ask(NUMBERS),
        next_value=ours.ask(COUNTER)[0]["next_value"],
        holders=ours.ask(HOLDERS),
        imported=ours.ask(IMPORTED),
        open_attempts=ours.ask(OPEN_ATTEMPTS)[0]["n"],
        keys=frozenset(row["key"] for row in ours.ask(KEYS)),
        calls=theirs.creating_calls(),
        registers=theirs.registers(),
        unknown=[float(row["seconds"]) for row in ours.ask(UNKNOWN)],
    )


@dataclass(slots=True)
class Findings:
    """What is wrong, by column, each with the words for it."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    attention: list[str] = field(default_factory=list)

    def columns(self) -> dict[str, list[str]]:
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def is_clean(self) -> bool:
        return not any(self.columns().values())


def compare(sides: Sides, orders: int, platform: str) -> Findings:
    """Pure: both sides -> what is wrong between them."""
    found = Findings()
    by_reference = defaultdict(list)
    for document in sides.documents:
        by_reference[document.reference].append(document)
    if len(sides.invoices) != orders:
        found.lost.append(f"{orders} invoices were ordered, {len(sides.invoices)} are approved")
    for invoice in sides.invoices:
        _judge(invoice, by_reference.pop(invoice["number"], []), platform, found)
    found.wrong += [f"{reference or 'no reference'} in the books is nobody's" for reference in by_reference]
    found.wrong += [f"{row['number']} was imported, as {row['reference']}" for row in sides.imported]
    found.wrong += [f"{name} is {n} times in the books" for name, n in sides.registers.items() if n > 1]
    found.wrong += [
        f"a call at {call.at} without an intent" for call in sides.calls if not _has_intent(call, sides.keys)
    ]
    found.collisions += _twice("number in the books", (each.number for each in sides.documents if each.number))
    found.collisions += _twice("number of ours", (row["number"] for row in sides.holders))
    found.gaps += _gaps(sides)
    if sides.open_attempts:
        found.stuck.append(f"{sides.open_attempts} attempts are open")
    return found


def _has_intent(call: Call, keys: frozenset[str]) -> bool:
    return not call.key or call.key in keys


def _judge(invoice: Row, held: Sequence[Document], platform: str, found: Findings) -> None:
    number, state = invoice["number"], invoice["state"]
    if not held:
        found.lost.append(f"{number} ({state}) is not in the books")
    found.duplicated += [f"{number} again as {each.token}" for each in held[1:]]
    if state == "ATTENTION":
        found.attention.append(f"{number}: {invoice['cause']} {invoice['problems']}")
    elif state != "SENT":
        found.stuck.append(f"{number} is {state}, due {invoice['due_at']}, lease {invoice['lease_until']}")
    elif held:
        found.wrong += [f"{number}: {what}" for what in _differences(invoice, held[0], platform)]


def _differences(invoice: Row, held: Document, platform: str) -> list[str]:
    pairs = {
        "token": (invoice["token"], held.token),
        "number": (invoice["their_number"], held.number),
        "our number": (invoice["number"], held.number if platform == "accounting" else invoice["number"]),
        "total": (invoice["total"], held.total),
        "total read back": (invoice["their_total"], held.total),
        "client's id": (invoice["their_client"], held.client),
        "client": (invoice["client"], held.client_name),
        "date": (invoice["day"], held.day),
        "status": (invoice["status"], "SENT"),
    }
    return [f"{what} is {ours} here and {theirs} there" for what, (ours, theirs) in pairs.items() if ours != theirs]


def _twice(what: str, texts: Iterable[str]) -> list[str]:
    return [f"{what} {text}: {n} times" for text, n in Counter(texts).items() if n > 1]


def _gaps(sides: Sides) -> list[str]:
    """Every value below the counter is held by an invoice under that very text, or has its reason."""
    given = {row["value"]: row for row in sides.numbers}
    held = {row["uuid"]: row["number"] for row in sides.holders}
    gaps = [f"{value} was never given" for value in range(1, sides.next_value) if value not in given]
    for value, row in given.items():
        if value >= sides.next_value:
            gaps.append(f"{value} is beyond the counter")
        elif row["outcome"] == "GIVEN" and held.get(row["holder"]) != row["text"]:
            gaps.append(f"{row['text']} has no holder")
        elif row["outcome"] != "GIVEN" and not row["reason"]:
            gaps.append(f"{row['text']} has no reason")
    return gaps
