"""The checks before invoices are sent, one or many, by lists of the platform's that are young enough."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet

from connectors.interface import Entry, PlatformError
from connectors.models import Catalogue, Connection, RemoteLink
from connectors.options import Kind
from connectors.services import catalogue, open_connector, platform_of
from invoices.checks import CLIENTS, DAY, GONE_THERE, HELD, OPENING, Cell, Known, Lists, Verdict
from invoices.choosing import Chooser
from invoices.models import Invoice, Push
from invoices.obstacles import Check

LISTS_AGE = timedelta(minutes=15)
AGAIN = timedelta(seconds=10)  # where somebody has mended something in Sage, and asks again
ALWAYS = (Kind.SALES_ACCOUNTS, Kind.TAX_RATES)
MOST_ASKED = 1000  # invoices whose numbers and customers Sage is asked for at once
WAITING = (Invoice.Status.DRAFT, Invoice.Status.APPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One invoice with its cells in the order of `Check`; the first bad one is why it is not sent."""

    invoice: Invoice
    cells: tuple[Cell, ...]

    @property
    def bad(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.verdict is Verdict.BAD]


def lists_of(
    connection: Connection | None, ids: Sequence[int] = (), *, now: datetime, max_age: timedelta = LISTS_AGE
) -> dict[str, dict[str, Entry]]:
    """The platform's lists by id, and what it says of these invoices; what can't be read now is missing.

    Reads what is older over the wire, so it must not be called inside a transaction.
    """
    if connection is None or not connection.is_active:
        return {}
    read: dict[str, dict[str, Entry]] = {}
    kept = Catalogue.objects.filter(connection=connection, kind__in=_wanted(connection), read_at__gt=now - max_age)
    for one in kept:
        read[Kind(one.kind)] = {entry.id: entry for entry in one.read()}
    try:
        for kind in sorted(_wanted(connection) - read.keys()):
            entries = catalogue(connection, kind, now=now, max_age=max_age)
            read[kind] = {entry.id: entry for entry in entries}
        for question in _questions(connection, ids):
            read[question.kind] = _asked(connection, question, now, max_age)
    except PlatformError:
        return read
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What Sage is asked of several things at once: what is asked, of which, and what it says of each, "" left out."""

    kind: str
    of: set[str]
    ask: Callable[[list[str]], Mapping[str, str]]


def _questions(connection: Connection, ids: Sequence[int]) -> Iterator[Question]:
    sage = open_connector(connection)
    yield Question(kind=OPENING, of={DAY}, ask=lambda _: {DAY: str(sage.open_from() or "")})
    if len(ids) > MOST_ASKED:
        return
    waiting = Invoice.objects.filter(pk__in=ids, status__in=WAITING)
    if numbers := set() if connection.options.platform_numbers else _numbers(waiting):
        yield Question(
            kind=HELD,
            of=numbers,
            ask=lambda wanted: {one.number.upper(): one.id for one in sage.find_numbers(wanted)},
        )
    if links := _links(connection, waiting):
        yield Question(
            kind=CLIENTS,
            of={*links},
            ask=lambda wanted: dict.fromkeys(sage.gone_clients(wanted, min(links.values())), GONE_THERE),
        )


def _numbers(waiting: QuerySet[Invoice]) -> set[str]:
    """Those of invoices in upper case; credit notes have a list of their own in Sage."""
    own = waiting.filter(kind=Invoice.Kind.INVOICE).exclude(number=None)
    return {str(number).upper() for number in own.values_list("number", flat=True)}


def _links(connection: Connection, waiting: QuerySet[Invoice]) -> dict[str, datetime]:
    """The customers in Sage of their clients, and since when they are linked."""
    keys = {str(uuid) for uuid in waiting.values_list("client__uuid", flat=True)}
    links = RemoteLink.objects.filter(connection=connection, kind=RemoteLink.Kind.CLIENT, local_key__in=keys)
    return dict(links.values_list("remote_id", "linked_at"))


def _asked(connection: Connection, question: Question, now: datetime, max_age: timedelta) -> dict[str, Entry]:
    """As it was said a while ago where all of it was asked then, else anew."""
    kind = question.kind
    young = Catalogue.objects.filter(connection=connection, kind=kind, read_at__gt=now - max_age).first()
    kept = {entry.id: entry for entry in young.read()} if young else {}
    if question.of <= kept.keys():
        return kept
    wanted = sorted(question.of)
    said = question.ask(wanted)
    entries = tuple(Entry(id=one, name="", code=said.get(one, "")) for one in wanted)
    Catalogue.keep(connection=connection, kind=kind, entries=entries, now=now)
    return {entry.id: entry for entry in entries}


def _wanted(connection: Connection) -> set[Kind]:
    """The lists that something was chosen from."""
    options = connection.options
    chosen = {
        Kind.PURCHASE_ACCOUNTS: options.create_items,
        Kind.LOCATIONS: True,
        Kind.DEPARTMENTS: True,
        Kind.TERMS: bool(options.term_id),
        Kind.TAX_SOLUTIONS: bool(options.tax_solution_id),
    }
    return {*ALWAYS, *(kind for kind, is_used in chosen.items() if is_used)} & platform_of(connection).lists


def check(
    ids: Sequence[int], connection: Connection | None, lists: Lists, *, actor: User, now: datetime
) -> list[Checked]:
    """These invoices for this person, the oldest first; as many queries for a thousand as for one."""
    pushes = Prefetch("pushes", Push.objects.order_by("requested_at"))
    found = Invoice.objects.filter(pk__in=ids).select_related("client", "site", "credits").prefetch_related(pushes)
    invoices = list(found.order_by("pk"))
    known = Known.of(invoices, connection, lists, Chooser.of(actor, connection))
    return [Checked(invoice=invoice, cells=tuple(known.cells(invoice))) for invoice in invoices]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What keeps some of them from being sent, and those: alike but for the invoice's own number."""

    cell: Cell
    text: str
    checked: list[Checked]

    @property
    def key(self) -> str:
        """For an address."""
        return hashlib.sha256(f"{self.cell.check}{self.text}".encode()).hexdigest()[:12]


def causes(found: Iterable[Checked]) -> list[Cause]:
    """The red ones by the first thing that is to be mended; within a check the commonest cause first."""
    by_text: dict[tuple[Check, str], Cause] = {}
    for one in found:
        for cell in one.bad[:1]:
            text = cell.text.replace(one.invoice.number or "\0", "the invoice")
            cause = by_text.setdefault((cell.check, text), Cause(cell=cell, text=text, checked=[]))
            cause.checked.append(one)
    order = list(Check)
    return sorted(by_text.values(), key=lambda cause: (order.index(cause.cell.check), -len(cause.checked)))
