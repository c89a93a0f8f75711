"""The checks before invoices are sent, one or many, by lists of the platform's that are young enough."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Prefetch

from connectors.interface import Entry, PlatformError
from connectors.models import Catalogue, Connection
from connectors.options import Kind
from connectors.services import catalogue, platform_of
from invoices.checks import Cell, Known, Lists, Verdict
from invoices.choosing import Chooser
from invoices.models import Invoice, Push
from invoices.obstacles import Check

LISTS_AGE = timedelta(minutes=15)
ALWAYS = (Kind.SALES_ACCOUNTS, Kind.TAX_RATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One invoice with its cells in the order of `Check`; the first bad one is why it is not sent."""

    invoice: Invoice
    cells: tuple[Cell, ...]

    @property
    def bad(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.verdict is Verdict.BAD]


def lists_of(connection: Connection | None, *, now: datetime) -> dict[Kind, dict[str, Entry]]:
    """The platform's lists by id, at most a quarter of an hour old; what can't be read now is missing.

    Reads what is older over the wire, so it must not be called inside a transaction.
    """
    if connection is None or not connection.is_active:
        return {}
    read: dict[Kind, dict[str, Entry]] = {}
    kept = Catalogue.objects.filter(connection=connection, kind__in=_wanted(connection), read_at__gt=now - LISTS_AGE)
    for one in kept:
        read[Kind(one.kind)] = {entry.id: entry for entry in one.read()}
    try:
        for kind in sorted(_wanted(connection) - read.keys()):
            entries = catalogue(connection, kind, now=now, max_age=LISTS_AGE)
            read[kind] = {entry.id: entry for entry in entries}
    except PlatformError:
        return read
    return read


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
