"""Statements that are planned once: what they answer, and what becomes of them when the schema changes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DataError, NotSupportedError
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from invoices.filtering import SORTS, Asked
from invoices.list_head import head_for
from invoices.listing import page
from invoices.models import Invoice

pytestmark = pytest.mark.django_db
PLANS = "SELECT name, custom_plans + generic_plans, generic_plans FROM pg_prepared_statements"
NAMES = "SELECT name FROM shelf WHERE id = %s"


@pytest.fixture
def own() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own, with a table that goes with it."""
    beside = database.copy()
    try:
        plain(beside, "CREATE TEMP TABLE shelf (id int, name varchar(5), more jsonb)")
        plain(beside, "INSERT INTO shelf VALUES (1, 'first', NULL)")
        yield beside
    finally:
        beside.close()


def plain(of: BaseDatabaseWrapper, statement: str, *given: Any) -> list[Any]:
    with of.cursor() as cursor:
        cursor.execute(statement, given or None)
        return cursor.fetchall() if cursor.description else []


def planned(of: BaseDatabaseWrapper, statement: str, *given: Any) -> list[Any]:
    return plain(of, f"/* planned: shelf */ {statement}", *given)


def used(of: BaseDatabaseWrapper) -> dict[str, int]:
    """By name of a plan, how often it was asked for."""
    return {name: times for name, times, _ in plain(of, PLANS)}


def test_a_statement_is_planned_once_and_answers_as_ever_whatever_is_handed_to_it(own: BaseDatabaseWrapper) -> None:
    put = "INSERT INTO shelf SELECT * FROM unnest(%s::int[], %s::text[], %s::jsonb[])"
    planned(own, put, [2, 3], ["7 %s", None], [None, None])
    planned(own, put, [4], ["it's"], ['{"a": 1}'])
    read = "SELECT id, name, more->>'a', 7 %% 4, %s::date FROM shelf WHERE id > %s ORDER BY id"
    day = date(2026, 11, 23)
    for least, rows in ((1, 3), (2, 2), (9, 0)):
        assert planned(own, read, day, least) == plain(own, read, day, least)
        assert len(planned(own, read, day, least)) == rows
    assert planned(own, "SELECT id FROM shelf WHERE name LIKE '7 %s'") == [(2,)], "without parameters % is itself"
    assert used(own) == {"shelf_1": 2, "shelf_2": 6, "shelf_3": 1}


def test_logs_have_the_statement_and_not_the_name_of_its_plan(own: BaseDatabaseWrapper) -> None:
    with CaptureQueriesContext(own) as seen:
        planned(own, NAMES, 1)
        plain(own, NAMES, 2)
    first, second = (query["sql"] for query in seen.captured_queries)
    assert (first, second) == (
        "/* planned: shelf */ SELECT name FROM shelf WHERE id = 1",
        "SELECT name FROM shelf WHERE id = 2",
    )


def test_a_refused_statement_is_refused_as_ever_and_goes_on_afterwards(own: BaseDatabaseWrapper) -> None:
    put = "INSERT INTO shelf (name) VALUES (%s)"
    with pytest.raises(DataError, match="too long"):
        planned(own, put, "much too long")
    planned(own, put, "short")
    assert used(own) == {"shelf_1": 1}, "what was refused is not counted"


def test_what_was_planned_in_a_transaction_that_was_taken_back_is_planned_still(own: BaseDatabaseWrapper) -> None:
    own.set_autocommit(False)
    assert planned(own, NAMES, 1) == [("first",)]
    own.rollback()
    own.set_autocommit(True)
    assert planned(own, NAMES, 1) == [("first",)]
    assert used(own) == {"shelf_1": 2}


def test_a_new_connection_plans_anew(own: BaseDatabaseWrapper) -> None:
    assert planned(own, "SELECT %s::int", 1) == [(1,)]
    own.close()
    assert planned(own, "SELECT %s::int", 2) == [(2,)]
    assert used(own) == {"shelf_1": 1}


def test_where_a_migration_changes_a_column_it_is_planned_again(own: BaseDatabaseWrapper) -> None:
    assert planned(own, NAMES, 1) == [("first",)]
    plain(own, "ALTER TABLE shelf ADD COLUMN further int")
    assert planned(own, NAMES, 1) == [("first",)]
    plain(own, "ALTER TABLE shelf ALTER COLUMN name TYPE varchar(60)")
    assert planned(own, NAMES, 1) == [("first",)], "outside a transaction nobody notices"
    plain(own, "ALTER TABLE shelf ALTER COLUMN name TYPE text")
    own.set_autocommit(False)
    with pytest.raises(NotSupportedError, match="cached plan"):
        planned(own, NAMES, 1)
    own.rollback()
    assert planned(own, NAMES, 1) == [("first",)], "the next one is answered"


def test_pages_are_answered_while_a_migration_adds_to_the_tables_they_read(admin: User, invoice: Invoice) -> None:
    browser = Browser()
    browser.force_login(admin)
    assert invoice.number in browser.get("/invoices/").text
    plain(database, "SET CONSTRAINTS ALL IMMEDIATE")
    for table in ("auth_user", "connectors_connection", "invoices_company", "invoices_invoice", "invoices_push"):
        plain(database, f"ALTER TABLE {table} ADD COLUMN of_next_year int")
    assert invoice.number in browser.get("/invoices/").text


def test_the_list_is_planned_once_in_each_order_and_its_head(admin: User, invoice: Invoice) -> None:
    """Where nothing else is asked for; a filter is planned for what it asks."""
    day = date(2026, 11, 23)
    before = used(database)
    plain(database, "SET LOCAL plan_cache_mode = force_generic_plan")  # else Postgres goes by its estimates
    for _ in range(8):
        head_for(admin, today=day)
        for sort in SORTS:
            assert [one.pk for one in page(Asked(sort=sort), None, today=day).invoices] == [invoice.pk]
    page(Asked(q="gutter"), None, today=day)
    page(Asked(status="DRAFT"), None, today=day)
    new = {name: times for name, times in used(database).items() if times - before.get(name, 0) >= 8}
    kinds = [name.rpartition("_")[0] for name in new]
    assert (kinds.count("head"), kinds.count("rows")) == (1, len(SORTS))
    of_any_values = {name: times for name, _, times in plain(database, PLANS)}
    assert all(of_any_values[name] >= 8 for name in new), "one plan serves whatever is asked for"
