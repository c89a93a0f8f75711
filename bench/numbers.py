"""Creating, approving and sending, by one writer and by eight, beside the floor: rates, and numbers without gaps."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench import books, floor, rounds
from bench.books import TODAY
from bench.goals import Figure
from incrementors.models import Number
from invoices import bulk, bulk_services, drafts, import_services, importing, services
from invoices.models import Client, Import, Invoice, Item
from invoices.services import InvoiceDraft, LineDraft

EACH = 60  # invoices of each writer in a round
WRITERS = 8
MANY = 2_000 if rounds.QUICK else 10_000
APPROVED = 1_000  # drafts
SOME = 2_500  # in bulk, by turns
ALONE = 20  # seconds of one who creates with nobody beside
FORK = multiprocessing.get_context("fork")
Work = Callable[[], object]
Prepared = Callable[[ExitStack, str], Work]


def _draft() -> InvoiceDraft:
    lines = [
        LineDraft(
            item=item,
            description=item.description,
            quantity=Decimal(2),
            unit_price=item.unit_price,
            discount_percent=Decimal(0),
            tax_rate=item.tax_rate,
        )
        for item in Item.objects.select_related("tax_rate").order_by("pk")[:5]
    ]
    client = Client.objects.get(pk=77)
    return InvoiceDraft(client=client, site=None, issue_date=TODAY, due_date=TODAY, reference="", notes="", lines=lines)


# What a writer does, once and again --------------------------------------------------------------------------
def creating(stack: ExitStack, name: str) -> Work:
    draft, actor = _draft(), User.objects.get(username="sam")
    return lambda: services.create_invoice(draft=draft, actor=actor, now=timezone.now())


def creating_approved(stack: ExitStack, name: str) -> Work:
    draft, actor = _draft(), User.objects.get(username="ada")

    def create() -> None:
        invoice = services.create_invoice(draft=draft, actor=actor, now=timezone.now())
        services.approve(invoice_id=invoice.pk, actor=actor, now=timezone.now())

    return create


def creating_raw(stack: ExitStack, name: str) -> Work:
    on = stack.enter_context(floor.cursor(name))
    return lambda: floor.create(on)


def counting_raw(stack: ExitStack, name: str) -> Work:
    on = stack.enter_context(floor.cursor(name))
    return lambda: floor.next_number(on)


# Writers at once ---------------------------------------------------------------------------------------------
def _writer(prepare: Prepared, name: str, gate: Any, told: Any) -> None:
    books.forget()
    books.use(name)
    failed = slowest = 0
    with ExitStack() as stack:
        work = prepare(stack, name)
        work()
        gate.wait()
        for _ in range(EACH):
            try:
                slowest = max(slowest, rounds.timed(work))
            except Exception:  # noqa: BLE001  # it is counted, whatever it is
                failed += 1
    told.put((failed, slowest))


def rate(prepare: Prepared, name: str, writers: int) -> tuple[Fraction, int]:
    """How many a second so many writers write together, and how many of their tries failed."""
    gate, told = FORK.Barrier(writers + 1), FORK.SimpleQueue()
    children = [FORK.Process(target=_writer, args=(prepare, name, gate, told)) for _ in range(writers)]
    for child in children:
        child.start()
    gate.wait()
    began = time.perf_counter_ns()
    ended = [told.get() for _ in children]
    took = time.perf_counter_ns() - began
    for child in children:
        child.join()
    return Fraction(writers * EACH * 10**9, took), sum(failed for failed, _ in ended)


def _rates(name: str, sides: Mapping[str, tuple[Prepared, int]]) -> tuple[dict[str, list[Fraction]], int]:
    """By side, its rate in each round; and how many tries failed in all."""
    found: dict[str, list[Fraction]] = {side: [] for side in sides}
    failures = 0
    for _ in range(rounds.ROUNDS):
        for side, (prepare, writers) in sides.items():
            each, failed = rate(prepare, name, writers)
            found[side].append(each)
            failures += failed
    return found, failures


def _figure(goal: str, what: str, found: dict[str, list[Fraction]], side: str, to: str) -> Figure:
    pairs = zip(found[side], found[to], strict=True)
    plain = "; ".join(f"{each} {rounds.decimal(rounds.middle(tuple(found[each])), 0)} a second" for each in (side, to))
    return Figure(goal=goal, what=what, samples=tuple(one / other for one, other in pairs), plain=plain)


def run(count: int) -> Iterator[Figure]:
    """On the disk as it is."""
    with books.copied(count) as name:
        floor.lay()
        yield from _singles(name)
        yield from _many(name)


def run_slowly(count: int) -> Iterator[Figure]:
    """With a millisecond more a flush."""
    with books.copied(count) as name:
        floor.lay()
        found, failed = _rates(name, {"8 writers": (creating, WRITERS), "8 counters": (counting_raw, WRITERS)})
        yield _figure("7c", "create, 8 writers, slow flush", found, "8 writers", "8 counters")
        yield Figure(goal="7", what="slow flush: failures", samples=(Fraction(failed),))


def _singles(name: str) -> Iterator[Figure]:
    before = Number.objects.filter(group="INVOICES").order_by("-value")[0].value
    sides = {
        "create and approve": (creating_approved, 1),
        "raw": (creating_raw, 1),
        "create": (creating, 1),
        "create, 8 writers": (creating, WRITERS),
    }
    found, failed = _rates(name, sides)
    yield _figure("5", "one writer", found, "create and approve", "raw")
    yield _figure("7b", "create", found, "create, 8 writers", "create")
    values = list(Number.objects.filter(group="INVOICES", value__gt=before).values_list("value", flat=True))
    doubles = len(values) - len(set(values))
    gaps = max(values) - before - len(set(values))
    plain = f"{len(values)} numbers: {failed} failures, {doubles} doubles, {gaps} gaps"
    yield Figure(goal="7", what="failures, doubles and gaps", samples=(Fraction(failed + doubles + gaps),), plain=plain)


def _many(name: str) -> Iterator[Figure]:
    actor, draft = User.objects.get(username="ada"), _draft()

    def create(many: int) -> None:
        with transaction.atomic():
            drafts.create_invoices(drafts=[draft] * many, notes=["Created."] * many, actor=actor, now=timezone.now())

    with floor.cursor(name) as on:

        def five_times(run: Work) -> Work:
            return lambda: [run() for _ in range(5)]

        sides = {"raw": five_times(lambda: floor.create(on, 100)), "bulk": five_times(lambda: create(100))}
        took = rounds.measure(sides, times=3)
        yield Figure(goal="6", what="500 invoices", samples=took.ratios("raw", "bulk"), plain=_ms(took, "bulk", "raw"))
        create(APPROVED)
        yield from _sending(actor, on)
    yield _beside(name, actor)
    sides = {"kept": lambda: _in_its_own_time(actor), "in one transaction": lambda: create(SOME)}
    took = rounds.measure(sides, times=1)
    plain = "numbers " + _ms(took, "kept", "in one transaction")
    yield Figure(goal="8b", what=f"{SOME:,}", samples=took.ratios("in one transaction", "kept"), plain=plain)


def _sending(actor: User, on: Any) -> Iterator[Figure]:
    """The click on Send for 10,000, and the statements that approving and queueing them takes."""
    drafted = list(Invoice.objects.filter(status="DRAFT").order_by("-pk").values_list("pk", flat=True)[:APPROVED])
    newest = list(Invoice.objects.order_by("-pk").values_list("pk", flat=True)[:MANY])

    def click() -> None:
        send = bulk_services.choose(ids=newest, actor=actor, now=timezone.now())
        bulk_services.start(send_id=send.pk, green=len(newest), actor=actor, now=timezone.now())

    sides = {
        "click": click,
        "floor": lambda: floor.send(on, MANY),
        "without its key": lambda: floor.send(on, MANY, "bench_keyless"),
    }
    took = rounds.measure(sides, times=1)
    yield Figure(goal="11", what=f"{MANY:,}", samples=took.ratios("click", "floor"), plain=_ms(took, *sides))
    send = bulk_services.choose(ids=drafted, actor=actor, now=timezone.now())
    bulk_services.start(send_id=send.pk, green=len(drafted), actor=actor, now=timezone.now())
    with CaptureQueriesContext(connection) as captured:
        list(bulk.queue_all(send.pk, now=timezone.now()))
    statements = Fraction(len(captured), len(drafted))
    yield Figure(goal="6b", what=f"{len(drafted)} drafts", samples=(statements,), plain=f"{len(captured)} SQL")


def _beside(name: str, actor: User) -> Figure:
    """The slowest of those who create one while a file of 10,000 is imported."""
    alone, several = _one_by_one(name, lambda: time.sleep(ALONE))
    job = _brought(actor)
    slowest, beside = _one_by_one(name, lambda: importing.work(job.pk))
    made = Import.objects.get(pk=job.pk)
    if (made.state, made.to_create) != (Import.State.DONE, MANY):
        raise RuntimeError(f"{made} was not imported: {made.state} {made.trouble}")
    plain = f"{beside} created one by one beside the import of {MANY:,}; of {several} alone {alone // 10**6} ms"
    return Figure(goal="8", what="create", samples=(Fraction(slowest, 10**6),), plain=plain)


def _one_by_one(name: str, work: Work) -> tuple[int, int]:
    """While it runs another process creates invoices one by one: the slowest of them, and how many there were."""
    over, told = FORK.Event(), FORK.SimpleQueue()
    child = FORK.Process(target=_until, args=(over, name, told))
    child.start()
    told.get()
    work()
    over.set()
    slowest, several = told.get(), told.get()
    child.join()
    return slowest, several


def _brought(actor: User) -> Import:
    """A file of 10,000 invoices with five lines each, checked and confirmed."""
    draft = _draft()
    rows = ["Invoice,Client,Date,Due,Item,Description,Quantity,Price,Tax rate"]
    for n in range(MANY):
        for line in draft.lines:
            code = line.item.code if line.item else ""
            rows.append(f"F-{n},{draft.client.reference},{TODAY},{TODAY},{code},,2,,")
    content, now = "\n".join(rows).encode(), timezone.now()
    job = import_services.upload(kind="INVOICES", name="old.csv", content=content, actor=actor, now=now)
    importing.work(job.pk)
    return import_services.confirm(import_id=job.pk, actor=actor, now=now)


def _in_its_own_time(actor: User) -> None:
    """As an import writes them."""
    draft, now, holders = _draft(), timezone.now(), [uuid4() for _ in range(SOME)]
    drafts.keep_numbers(holders=holders, reason="Kept.", now=now)
    with transaction.atomic():
        notes = ["Created."] * SOME
        drafts.create_invoices(drafts=[draft] * SOME, notes=notes, actor=actor, now=now, kept=holders)


def _until(over: Any, name: str, told: Any) -> None:
    """Creates one after the other; tells that it begins, then how long the slowest took and how many there were."""
    books.forget()
    books.use(name)
    took = []
    with ExitStack() as stack:
        work = creating(stack, name)
        told.put(rounds.timed(work))
        while not over.is_set():
            took.append(rounds.timed(work))
    told.put(max(took))
    told.put(len(took))


def _ms(took: rounds.Rounds, *sides: str) -> str:
    return ", ".join(f"{side} {took.milliseconds(side):.0f} ms" for side in sides)
