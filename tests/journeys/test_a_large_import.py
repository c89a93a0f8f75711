"""A hundred thousand invoices raised in Sage come in with flat memory; how fast, and by how many calls, is printed."""

import resource
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.models import Connection
from connectors.services import set_sync_settings
from incrementors.models import Group
from invoices import pull
from invoices.models import Invoice, InvoiceLine, Pull
from tests.books import Sandbox

COUNT = 100_000
WARM = 10_000  # invoices after which what Python and Django keep for themselves is there
FLAT = 30_000_000  # bytes that 90,000 more may add

pytestmark = [pytest.mark.django_db, pytest.mark.prove]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def batches(connection: Connection, now: datetime) -> Iterator[int]:
    """Reads task by task, as workers do; how many invoices have come in after each."""
    while pull.read(connection.pk, now=now + timedelta(days=1)):
        yield Invoice.objects.filter(origin="IMPORTED").count()


def test_a_hundred_thousand_invoices_come_in_with_flat_memory(
    intacct: Connection, sandbox: Sandbox, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    set_sync_settings(intacct, {**intacct.sync_settings, "direction": "BOTH", "read_back": "OFF"})
    sandbox._call("POST", "/_books/intacct/invoices", json={"count": COUNT, "entity": "LDN"}, timeout=120)
    sandbox.clear_journal()
    pull.request(intacct, now=now)
    began, warm = time.monotonic(), 0
    for count in batches(intacct, now):
        warm = warm or (resident() if count >= WARM else 0)
        sys.stderr.write(f"\r{count:,} of {COUNT:,}")
    spent = time.monotonic() - began
    grown = resident() - warm
    calls = len(sandbox.calls())
    with capsys.disabled():
        figures = f"{COUNT / spent:.0f} a second, {calls} calls, {grown / 1e6:+.1f} MB"
        sys.stderr.write(f"\n{COUNT:,} in {spent:.0f} s: {figures}\n")
    assert Invoice.objects.filter(origin="IMPORTED").count() == COUNT
    assert InvoiceLine.objects.count() == COUNT
    assert Group.objects.get(pk="IMPORTED").next_value == COUNT + 1
    assert Pull.objects.get().imported == COUNT
    assert grown < FLAT
