"""Two people at the same moment, ten thousand rows, and a worker killed in the midst: once, whole, or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from incrementors.models import Number
from invoices import import_services, importing, next_period, services
from invoices.models import Client, Company, Import, ImportedRow, Invoice
from reflow.processes import wait_until
from tests.conftest import draft_for
from tests.invoices.test_importing import thousand
from tests.journeys.conftest import Crew, broker, crew

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
__all__ = ["broker", "crew"]


def brought(text: str, staff: User) -> Import:
    now = timezone.now()
    return import_services.upload(kind="INVOICES", name="old.csv", content=text.encode(), actor=staff, now=now)


def at_once(*deeds: Callable[[], Any]) -> None:
    def done(deed: Callable[[], Any]) -> None:
        try:
            deed()
        finally:
            database.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        list(pool.map(done, deeds))


def test_the_same_file_imported_twice_at_once_is_there_once(client_of_ours: Client, staff: User, now: datetime) -> None:
    jobs = [brought(thousand(0, 40), staff) for _ in range(2)]
    for job in jobs:
        importing.work(job.pk)
        import_services.confirm(import_id=job.pk, actor=staff, now=now)
    at_once(*(lambda key=job.pk: importing.work(key) for job in jobs))
    assert (Invoice.objects.count(), ImportedRow.objects.count(), Number.objects.count()) == (40, 40, 40)
    assert sorted(Import.objects.values_list("state", "to_create")) == [("DONE", 0), ("DONE", 40)]


def test_two_workers_at_one_import_are_one(client_of_ours: Client, staff: User, now: datetime) -> None:
    job = brought(thousand(0, 40), staff)
    importing.work(job.pk)
    confirm = lambda: import_services.confirm(import_id=job.pk, actor=staff, now=now)  # noqa: E731
    at_once(confirm, confirm)
    at_once(*[lambda: importing.work(job.pk)] * 2)
    assert (Invoice.objects.count(), Import.objects.get().state) == (40, "DONE")


def test_the_next_period_raised_by_two_at_once_is_raised_once(invoice: Invoice, staff: User, now: datetime) -> None:
    runs = [next_period.begin(ids=[invoice.pk], actor=staff, now=now) for _ in range(2)]
    refused: list[str] = []

    def raise_it(key: Any) -> None:
        try:
            next_period.raise_next(key=key, step="MONTH", chosen=[invoice.pk], with_words=[], actor=staff, now=now)
        except next_period.Refused as error:
            refused.append(str(error))

    at_once(*(lambda key=run.pk: raise_it(key) for run in runs))
    assert (Invoice.objects.count(), len(refused)) == (2, 1)


def test_who_creates_one_beside_an_import_waits_for_no_more_than_its_numbers(
    client_of_ours: Client, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    Company.ours()
    job = brought(thousand(0, 40), staff)
    importing.work(job.pk)
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    create, beside = importing._create, []

    def and_one_beside(*given: Any) -> None:
        create(*given)
        at_once(lambda: beside.append(services.create_invoice(draft=draft_for(client_of_ours), actor=staff, now=now)))
        assert Invoice.objects.exclude(pk=beside[0].pk).count() == 40, "all of them written, and not committed"

    monkeypatch.setattr(importing, "_create", and_one_beside)
    importing.work(job.pk)
    assert (beside[0].number, Invoice.objects.count(), Number.objects.count()) == ("INV-00041", 41, 41)


@pytest.mark.thorough
def test_a_worker_killed_in_the_midst_leaves_nothing_half_and_the_next_one_does_it(
    crew: Crew, client_of_ours: Client, staff: User
) -> None:
    job = brought(thousand(0, 3000), staff)
    importing.work(job.pk)
    victim = crew.worker()
    import_services.confirm(import_id=job.pk, actor=staff, now=timezone.now())
    assert wait_until(lambda: Import.objects.filter(progress__gt=0).exists(), 30)
    crew.kill(victim)
    job.refresh_from_db()
    if job.state == Import.State.IMPORTING:  # else it was quicker than we
        in_use = Number.objects.filter(outcome="GIVEN")
        assert (Invoice.objects.count(), in_use.count(), ImportedRow.objects.count()) == (0, 0, 0)
        Import.objects.update(lease_until=timezone.now())
        importing.work(job.pk)
    assert (Invoice.objects.count(), Number.objects.count(), Import.objects.get().state) == (3000, 3000, "DONE")


@pytest.mark.prove
def test_of_ten_thousand_rows_with_fifty_bad_ones_nothing_is_imported_and_all_fifty_are_named(
    client_of_ours: Client, staff: User, now: datetime
) -> None:
    bad = brought(thousand(50, 10_000), staff)
    importing.work(bad.pk)
    bad.refresh_from_db()
    assert (bad.rows, bad.bad_rows, bad.may_confirm) == (10_000, 50, False)
    assert [row for row, *_ in bad.found["errors"]] == [1 + n for n in range(200, 10_001, 200)]
    assert (Invoice.objects.count(), Number.objects.count()) == (0, 0)
    mended = brought(thousand(0, 10_000), staff)
    importing.work(mended.pk)
    import_services.confirm(import_id=mended.pk, actor=staff, now=now)
    importing.work(mended.pk)
    assert list(Invoice.objects.order_by("pk").values_list("number", flat=True)[9_998:]) == ["INV-09999", "INV-10000"]
