"""The data: databases of so many invoices with five lines each, alike wherever they are built, made once and kept."""

import hashlib
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from connectors.interface import Entry
from connectors.models import Catalogue, Connection, RemoteLink
from connectors.options import Kind
from invoices import balances
from invoices.forecast import KIND as NUMBERS
from invoices.models import Company, TaxRate

HERE = Path(__file__).parent
SCRIPTS = ("books.sql", "chunk.sql", "after.sql")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 20)
CHUNK = 50_000
APPS = ("connectors", "incrementors", "invoices", "settings_ui")
SECONDARY = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class ON pg_class.oid = indrelid WHERE relname ~ '^(invoices|incrementors)_'
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""
SEQUENCES = """
    SELECT pg_get_serial_sequence(quote_ident(table_name), column_name), table_name, column_name
    FROM information_schema.columns
    WHERE table_schema = 'public' AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL"""


def use(name: str) -> None:
    """From here on Django works in this database; its connections to others stay open."""
    connections[DEFAULT_DB_ALIAS] = _connected(name)


@cache
def _connected(name: str) -> BaseDatabaseWrapper:
    made: BaseDatabaseWrapper = load_backend("django.db.backends.postgresql").DatabaseWrapper(
        {**connections.settings[DEFAULT_DB_ALIAS], "NAME": name}, DEFAULT_DB_ALIAS
    )
    return made


def forget() -> None:
    """What a process that was just forked must not use: the connections of its parent."""
    _connected.cache_clear()


def opened(count: int) -> str:
    """The name of the database of so many invoices, which is built where it is not there yet."""
    name = f"bench_{count}_{fingerprint()}"
    if name not in there():
        _build(count, name)
    use(name)
    return name


@contextmanager
def copied(count: int) -> Iterator[str]:
    """A copy that may be written to, and is the live database by its own word; gone afterwards."""
    name, copy = opened(count), f"bench_copy_{count}"
    _connected(name).close()
    renew(copy, of=name)
    from connectors.epoch import IDENTITY

    try:
        use(copy)
        _run(f"UPDATE connectors_livedatabase SET identity = {IDENTITY}")  # noqa: S608  # a constant
        yield copy
    finally:
        _connected(copy).close()
        _of_server(f"DROP DATABASE {copy} WITH (FORCE)")


def fingerprint() -> str:
    """Of the scripts that make the data and of the schema it is made for."""
    told = hashlib.sha256()
    migrations = (path for app in APPS for path in sorted((HERE.parent / app).glob("migrations/*.py")))
    for path in (*(HERE / name for name in SCRIPTS), *migrations):
        told.update(path.name.encode() + path.read_bytes())
    return told.hexdigest()[:10]


def there() -> set[str]:
    with _connected("postgres").cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def drop(names: Iterable[str]) -> None:
    _of_server(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in names))


def renew(name: str, *, of: str = "template1") -> None:
    """An empty database, or a copy of another, instead of what may be there by that name."""
    drop([name])
    _of_server(f"CREATE DATABASE {name} TEMPLATE {of}")


def rename(name: str, to: str) -> None:
    """Once it is whole."""
    _of_server(f"ALTER DATABASE {name} RENAME TO {to}")


def _of_server(*statements: str) -> None:
    with _connected("postgres").cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _run(statement: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall()) if cursor.description else []


def _build(count: int, name: str) -> None:
    began, fresh = time.monotonic(), f"bench_fresh_{count}"
    say(f"Building {count:,} invoices, once ...")
    _of_server("ALTER SYSTEM SET max_wal_size = '8GB'", "SELECT pg_reload_conf()")
    empty = _empty()
    renew(fresh, of=empty)
    use(fresh)
    _fill(count)
    _connected(fresh).close()
    _connected.cache_clear()
    rename(fresh, name)
    say(f"  {count:,} invoices in {time.monotonic() - began:.0f} s")


def _empty() -> str:
    """The name of a database with the schema alone, which the others begin as."""
    name = f"bench_empty_{fingerprint()}"
    if name not in there():
        renew("bench_fresh")
        use("bench_fresh")
        call_command("migrate", verbosity=0)
        _connected("bench_fresh").close()
        rename("bench_fresh", name)
    return name


def _fill(count: int) -> None:
    """Without the checks that every row belongs to something, and the indexes made last, as that is quicker."""
    _run("SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
    _run("SET work_mem = '128MB'; SET TIME ZONE 'UTC'")
    given = {**_world(), "count": count, "clients": count // 50, "today": TODAY, "now": NOW}
    _run((HERE / "books.sql").read_text(), given)
    indexes = _run(SECONDARY)
    for index, _ in indexes:
        _run(f"DROP INDEX {index}")
    for first in range(1, count + 1, CHUNK):
        _run(
            "BEGIN; " + (HERE / "chunk.sql").read_text() + "; COMMIT",
            {**given, "first": first, "last": min(first + CHUNK - 1, count)},
        )
    for _, definition in indexes:
        _run(definition)
    _run((HERE / "after.sql").read_text(), given)
    for sequence, table, column in _run(SEQUENCES):
        _run(f"SELECT setval('{sequence}', (SELECT coalesce(max({column}), 0) + 1 FROM {table}))")  # noqa: S608
    _run("SET session_replication_role = origin")
    balances.mend(TODAY)
    _run("VACUUM ANALYZE")


def _world() -> dict[str, Any]:
    """The people, the company and its connection."""
    staff, admin = _person("sam", "Staff"), _person("ada", "Admin")
    User.objects.create_superuser("django")  # for its admin
    Company.objects.update_or_create(
        pk=1, defaults={"name": "Quayside Property Care Ltd", "address": "8 Harbour Street"}
    )
    connection = Connection.objects.create(
        id=uuid.UUID(int=1),
        platform="sage_accounting",
        state=Connection.State.ACTIVE,
        company_id="books-1",
        company_name="Harbour Estates Ltd",
        sales_account_id="4000",
        sales_account_name="4000 Sales",
        purchase_account_id="5000",
        purchase_account_name="5000 Purchases",
        authorised_at=NOW,
        authorised_by=admin,
        contact_at=NOW,
    )
    _lists(connection)
    return {"connection": str(connection.pk), "staff": staff.pk, "admin": admin.pk}


def _lists(connection: Connection) -> None:
    """Sage's lists as if they had just been read, so that no page asks for them."""
    rates = list(TaxRate.objects.all())
    entries = {
        Kind.SALES_ACCOUNTS: (Entry(id="4000", name="Sales", code="4000"),),
        Kind.PURCHASE_ACCOUNTS: (Entry(id="5000", name="Purchases", code="5000"),),
        Kind.TAX_RATES: tuple(Entry(id=rate.pk, name=rate.name, percentage=rate.percentage) for rate in rates),
        NUMBERS: (),
    }
    for kind, listed in entries.items():
        Catalogue.keep(connection=connection, kind=kind, entries=listed, now=NOW)
    for rate in rates:
        RemoteLink.objects.create(
            connection=connection,
            kind=RemoteLink.Kind.TAX_RATE,
            local_key=rate.pk,
            remote_id=rate.pk,
            remote_name=rate.name,
            percentage=rate.percentage,
            linked_at=NOW,
        )


def _person(username: str, role: str) -> User:
    person = User.objects.create_user(username, first_name=username.title(), last_name="Quayle")
    person.groups.add(Role.objects.get(name=role))
    return person


def say(text: str) -> None:
    """At once, where somebody watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
