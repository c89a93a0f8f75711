"""What comes in: pages of a platform's invoices kept from memory, beside the same rows in Postgres' own COPY."""

import io
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction

from bench import books, floor, rounds
from bench.books import NOW, TODAY
from bench.goals import Figure
from connectors.interface import BookedInvoice, BookedLine, RemoteInvoice, RemoteStatus
from connectors.models import Connection
from connectors.services import set_sync_settings
from invoices import intake
from invoices.models import RemoteInvoice as RemoteRow

MANY = 10_000  # invoices of one round
PAGE = 2_000  # as a query of Intacct's has
CLIENTS = 200
LINES = 5
Page = list[BookedInvoice]


def run(count: int) -> Iterator[Figure]:
    """Goal 12: new ones, the same again, and the memory that the later rounds add."""
    with books.copied(count) as name, floor.cursor(name) as on:
        floor.lay()
        set_sync_settings(Connection.objects.get(), {**Connection.objects.get().sync_settings, "direction": "BOTH"})
        connection = Connection.objects.get()
        new, same, grown = [], [], []
        for part in range(rounds.ROUNDS + 1):
            pages = [[_booked(n) for n in range(first, first + PAGE)] for first in _firsts(part)]
            copied = rounds.timed(partial(_copy, on, MANY))
            took = [rounds.timed(partial(_take, connection, pages)) for _ in range(2)]
            if part:  # the first brings the clients, and what Python keeps
                new.append(Fraction(copied, took[0]))
                same.append(Fraction(copied, took[1]))
            del pages  # ours, which would else be there together with those of the next round
            grown.append(_resident())
            brought = RemoteRow.objects.filter(remote_id__startswith="bench-").count()
            if brought != (part + 1) * MANY:
                raise AssertionError(f"{brought} of {(part + 1) * MANY} came in.")
        paces = [f"{rounds.decimal(Fraction(MANY * 10**9, each), 0)} a second" for each in (*took, copied)]
    yield Figure(goal="12", what=f"{MANY:,} new", samples=tuple(new), plain=f"{paces[0]}; COPY {paces[2]}")
    yield Figure(goal="12b", what=f"{MANY:,} unchanged", samples=tuple(same), plain=paces[1])
    more = Fraction(grown[-1] - grown[0], 10**6)
    yield Figure(goal="12c", what=f"MB that {MANY * rounds.ROUNDS:,} more add", samples=(more,))


def _firsts(part: int) -> range:
    return range(part * MANY, (part + 1) * MANY, PAGE)


def _take(connection: Connection, pages: list[Page]) -> None:
    for page in pages:
        with transaction.atomic():
            intake.take(connection, page, now=NOW)


def _booked(n: int) -> BookedInvoice:
    """Each line has a text and amounts of its own, as what is the same again could be looked up."""
    client = n % CLIENTS
    lines = tuple(
        BookedLine(
            description=f"Visit {place} of {n}",
            quantity=Decimal(f"{n}.1{place}"),
            unit_price=Decimal(f"{n}.2{place}"),
            discount=Decimal(f"{n}.3{place}"),
            net=Decimal(f"{n}.4{place}"),
            tax=Decimal(f"{n}.5{place}"),
            account="4000 Sales",
            account_id="4000",
        )
        for place in range(1, LINES + 1)
    )
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    return BookedInvoice(
        invoice=RemoteInvoice(
            id=f"bench-{n}",
            number=f"BN-{n:07}",
            reference="",
            client_id=f"customer-{client}",
            client_name=f"Customer {client} of the books",
            issue_date=TODAY,
            total=Decimal(net + tax),
            status=RemoteStatus.OPEN,
            outstanding=Decimal(net + tax),
        ),
        due_date=TODAY + timedelta(days=30),
        currency="GBP",
        net=Decimal(net),
        tax=Decimal(tax),
        lines=lines,
        changed_at=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=n),
    )


def _copy(on: Any, count: int) -> None:
    """Invoices and their lines into the floor's tables, in one transaction."""
    on.execute("SELECT coalesce(max(id), 0) FROM bench_invoice")
    first = on.fetchone()[0] + 1
    ids = range(first, first + count)
    invoices = "".join(f"{pk}\tC-{pk}\t{1 + pk % 100}\t{TODAY}\t{TODAY}\t{pk}.10\t{pk}.20\tSENT\n" for pk in ids)
    lines = "".join(
        f"{pk}\t{n}\tVisit {n} of {pk}\t{pk}.1{n}\t{pk}.2{n}\t{pk}.4{n}\t{pk}.5{n}\n"
        for pk in ids
        for n in range(1, LINES + 1)
    )
    on.copy_expert(
        "COPY bench_invoice (id, number, client_id, issue_date, due_date, net, tax, status) FROM STDIN",
        io.StringIO(invoices),
    )
    on.copy_expert(
        "COPY bench_line (invoice_id, position, description, quantity, unit_price, net, tax) FROM STDIN",
        io.StringIO(lines),
    )
    on.connection.commit()


def _resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
