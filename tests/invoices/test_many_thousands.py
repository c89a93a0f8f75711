"""Ten thousand invoices: checked, chosen, accepted and queued, each in the time it may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.contrib.auth.models import User

from connectors.models import Connection
from invoices import bulk, bulk_services, preflight, sends, tasks
from invoices.models import Client, Company, Push
from tests.invoices.test_preflight import lists, many

pytestmark = [pytest.mark.django_db, pytest.mark.prove]
__all__ = ["lists"]


@contextmanager
def within(seconds: float, what: str, said: list[str]) -> Iterator[None]:
    """By the time this process and its database took, as far as one can: other work on the machine counts for half."""
    began, busy = time.monotonic(), time.process_time()
    yield
    took, own = time.monotonic() - began, time.process_time() - busy
    said.append(f"{what}: {took:.2f} s, {own:.2f} s of it in Python, {seconds} s allowed")
    assert own < seconds, said


def test_ten_thousand_are_checked_accepted_and_queued(
    client_of_ours: Client,
    lists: Connection,
    staff: User,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tasks, "hint_send", lambda _: None)
    Company.ours()
    ids, said = many(10_000, client_of_ours, staff, now), list[str]()
    known = preflight.lists_of(lists, now=now)
    with within(1, "a thousand checked", said):
        preflight.check(ids[:1000], lists, known, actor=staff, now=now)
    with within(1, "ten thousand chosen", said):
        send = bulk_services.choose(ids=ids, actor=staff, now=now)
    with within(6, "ten thousand checked", said):
        found = preflight.check(ids, lists, known, actor=staff, now=now)
    bulk_services.keep_findings(send, {one.invoice.pk: one.bad[0].text for one in found if one.bad})
    with within(1, "ten thousand accepted", said):
        bulk_services.start(send_id=send.pk, green=10_000, actor=staff, now=now)
    with within(60, "ten thousand queued", said):
        list(bulk.queue_all(send.pk, now=now))
    with within(1, "progress of ten thousand", said):
        assert sends.progress(send, lists, now=now).count("WAITING") == 10_000
    assert Push.objects.count() == 10_000
    with within(5, "ten thousand cancelled", said):
        assert bulk_services.cancel(send_id=send.pk, actor=staff, now=now) == 10_000
    with capsys.disabled():
        print("\n" + "\n".join(said))  # noqa: T201  # the figures are what it is for
