"""How many questions each page asks Postgres, with full pages of four thousand invoices: never more than these."""

import re
from collections.abc import Iterator, Mapping

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from bench import books
from bench.pages import Side, lists, others

INVOICES = 4_000
OF_A_LIST, OF_A_SEARCH, OF_A_PAGE = 4, 5, 24
OF_CLIENTS = ("list of one client", "list of many clients", "list of many clients, PAID, the largest first")
MORE: Mapping[str, int] = {"dashboard": 33, "connector": 33, **dict.fromkeys(OF_CLIENTS, OF_A_LIST + 1)}
"""What needs more, and how many."""


@pytest.fixture
def side(django_db_setup: None, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    """A database of its own on the tests' server, as `make bench` has it; gone afterwards."""
    own = connections[DEFAULT_DB_ALIAS]
    monkeypatch.setattr(timezone, "now", lambda: books.NOW)
    with django_db_blocker.unblock():
        yield Side.of(INVOICES)
        names = [name for name in books.there() if name.startswith("bench_")]
        books.forget()
        books.drop(names)
        connections[DEFAULT_DB_ALIAS] = own


def counted(side: Side, address: str) -> int:
    side.get(address)  # what is kept for the next time is kept now
    with CaptureQueriesContext(connection) as captured:
        side.get(address)
    return len(captured)


def test_no_page_asks_more_often_than_this(side: Side) -> None:
    asked = {what: counted(side, address()) for what, address in [*lists(), *others()]}
    of_lists = {"list": OF_A_LIST, "search": OF_A_SEARCH}
    most = {what: MORE.get(what, of_lists.get(re.split("[ ,]", what)[0], OF_A_PAGE)) for what in asked}
    assert {what: count for what, count in asked.items() if count > most[what]} == {}
    assert {what: count for what, count in MORE.items() if asked[what] < count} == {}, "it can be fewer by now"
