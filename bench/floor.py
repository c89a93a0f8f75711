"""The floor: the same rows written in plain SQL, one invoice at a time or many, without Reflow and without Django."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from django.conf import settings
from django.db import connection
from psycopg2.extras import execute_values

from bench.books import HERE, TODAY

COUNT = "UPDATE bench_counter SET next = next + %s WHERE id = 1 RETURNING next"
INVOICES = (
    """INSERT INTO bench_invoice (number, client_id, issue_date, due_date, net, tax, status) VALUES %s RETURNING id"""
)
LINES = "INSERT INTO bench_line (invoice_id, position, description, quantity, unit_price, net, tax) VALUES %s"
OUTBOX = "INSERT INTO bench_outbox (invoice_id, state, due_at) VALUES %s"
SEND = """INSERT INTO {} (invoice_id, state, due_at)
    SELECT id, 'READY', now() FROM bench_invoice ORDER BY id DESC LIMIT %s"""


def lay() -> None:
    """Its tables, in the database that Django works in."""
    with connection.cursor() as made:
        made.execute((HERE / "floor.sql").read_text())


@contextlib.contextmanager
def cursor(name: str) -> Iterator[Any]:
    """Of a connection of its own to that database; each call of `create` is a transaction."""
    url = urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
    with contextlib.closing(psycopg2.connect(url)) as own, own.cursor() as made:
        yield made


def create(on: Any, count: int = 1) -> None:
    """So many invoices with five lines, their numbers and outbox rows, in one transaction of four statements."""
    on.execute(COUNT, [count])
    (following,) = on.fetchone()
    rows = [(f"B-{following - n}", 1 + n % 100, TODAY, TODAY, 500, 100, "APPROVED") for n in range(count)]
    ids = [pk for (pk,) in execute_values(on, INVOICES, rows, fetch=True, page_size=count)]
    lines = [(pk, place, f"Job {pk} of {place}", 2, 50, 100, 20) for pk in ids for place in range(1, 6)]
    execute_values(on, LINES, lines, page_size=len(lines))
    execute_values(on, OUTBOX, [(pk, "READY", TODAY) for pk in ids], page_size=count)
    on.connection.commit()


def next_number(on: Any) -> None:
    """The counter alone: what no way of giving numbers without gaps can be quicker than."""
    on.execute(COUNT, [1])
    on.connection.commit()


def send(on: Any, count: int, table: str = "bench_outbox") -> None:
    """`bench_keyless` is an outbox that no foreign key holds to its invoices."""
    on.execute(SEND.format(table), [count])
    on.connection.commit()
