"""What keeps an invoice from being sent, known before anything is sent, each with the place where it is changed.

For one invoice, and for many with as many queries: what is known of all of them is read once, as Ground.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connectors.interface import Fix
from connectors.models import Connection, RemoteLink
from connectors.services import platform_of, tax_links
from invoices.documents import client_of
from invoices.drafts import Refused
from invoices.models import Invoice, InvoiceLine, RemoteInvoice


class Check(StrEnum):
    """What is looked at before an invoice is sent, in the order in which it is mended; the value is its heading."""

    INVOICE = "Ready"
    CONNECTION = "Connection"
    PERIOD = "Period"
    CLIENT = "Client"
    CODE = "Code"
    TAX = "Tax"
    NUMBER = "Number"
    PENNIES = "Pennies"
    DIMENSIONS = "Dimensions"


Obstacle = tuple[Check, Refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One of our tax rates, as a line of an invoice names it."""

    code: str
    name: str
    percentage: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What stands in the way of many invoices hangs on: our tax rates' links, the rates of each by its id, and which
    invoices that they credit are in the books."""

    connection: Connection
    taxes: Mapping[str, RemoteLink]
    rates: Mapping[int, list[Rate]]
    credited: Collection[int]

    @classmethod
    def of(cls, connection: Connection, ids: Iterable[int]) -> "Ground":
        lines = InvoiceLine.objects.filter(invoice__in=ids, tax_rate__isnull=False).order_by("tax_rate__position")
        names = ("invoice_id", "tax_rate__position", "tax_rate_id", "tax_rate__name", "tax_rate__percentage")
        rates: dict[int, list[Rate]] = defaultdict(list)
        for pk, _, code, name, percentage in lines.values_list(*names).distinct():
            rates[pk].append(Rate(code=str(code), name=name, percentage=percentage))
        there = RemoteInvoice.objects.filter(connection=connection, gone_at=None, invoice__credit_notes__in=ids)
        credited = set(there.values_list("invoice", flat=True))
        return cls(connection=connection, taxes=tax_links(connection), rates=rates, credited=credited)


def obstacles(invoice: Invoice, connection: Connection | None) -> list[Refused]:
    """All of them, the first to be mended first; empty when the invoice can go."""
    found = [refused for _, refused in of_the_connection(connection)]
    if connection is None or not _is_chosen(connection):
        return found
    return [*found, *(refused for _, refused in of_one(invoice, Ground.of(connection, [invoice.pk])))]


def obstacles_of_all(connection: Connection | None) -> list[Refused]:
    """What keeps every invoice from being sent, whichever it is."""
    return [refused for _, refused in of_the_connection(connection)]


def of_the_connection(connection: Connection | None) -> list[Obstacle]:
    if connection is None:
        return [(Check.CONNECTION, Refused("Reflow is not connected to Sage yet.", Fix.CONNECTION))]
    if connection.state == Connection.State.CHOOSING:
        return [(Check.CONNECTION, Refused("The organisation in Sage is not chosen yet.", Fix.CONNECTION))]
    if connection.state == Connection.State.DISCONNECTING:
        return [(Check.CONNECTION, Refused("Reflow is being disconnected from Sage.", Fix.CONNECTION))]
    return list(_accounts(connection))


def _is_chosen(connection: Connection) -> bool:
    return connection.state not in (Connection.State.CHOOSING, Connection.State.DISCONNECTING)


def of_one(invoice: Invoice, ground: Ground) -> Iterator[Obstacle]:
    """What keeps this very one from being sent; of a kind that the platform does not take, nothing else matters."""
    if found := list(_kind(invoice, ground.connection)):
        yield from found
        return
    yield from _credited(invoice, ground)
    yield from _taxes(invoice, ground)
    yield from _numbers(invoice, ground.connection)
    yield from _dates(invoice, ground.connection)


def _accounts(connection: Connection) -> Iterator[Obstacle]:
    if not connection.sales_account_id:
        yield Check.CODE, Refused("The default nominal code is not chosen yet.", Fix.SALES_ACCOUNT)
    if connection.options.create_items and not connection.purchase_account_id:
        yield (
            Check.CODE,
            Refused(
                "Sending creates line items in Sage, which needs the default purchase ledger account.",
                Fix.PURCHASE_ACCOUNT,
            ),
        )


def _kind(invoice: Invoice, connection: Connection) -> Iterator[Obstacle]:
    label = platform_of(connection).label
    if invoice.kind not in platform_of(connection).kinds:
        text = f"Reflow does not send {invoice.noun}s to {label} yet. Approve it, and enter it there by hand."
        yield Check.INVOICE, Refused(text)


def _credited(invoice: Invoice, ground: Ground) -> Iterator[Obstacle]:
    """A credit note goes where its invoice is, and only while that stands."""
    credited = invoice.credits
    if credited is None:
        return
    if credited.status == Invoice.Status.VOID:
        yield Check.INVOICE, Refused(f"{credited}, which it credits, is void.")
    elif credited.pk not in ground.credited:
        text = f"{credited}, which it credits, is not in the books of {ground.connection.company_name}."
        yield Check.INVOICE, Refused(text)


def _taxes(invoice: Invoice, ground: Ground) -> Iterator[Obstacle]:
    for rate in ground.rates.get(invoice.pk, ()):
        link = ground.taxes.get(rate.code)
        if link is None:
            yield Check.TAX, Refused(f"No tax rate of Sage's is chosen yet for {rate.name}.", Fix.TAX_RATES)
        elif link.percentage is not None and link.percentage != rate.percentage:
            yield Check.TAX, Refused(percentages_differ(rate, link.remote_name, link.percentage), Fix.TAX_RATES)
    chosen = {link.remote_id for link in ground.taxes.values()}
    for problem in platform_of(ground.connection).objections(client_of(invoice.client), chosen):
        yield Check.CLIENT if problem.fix is Fix.CLIENT else Check.TAX, Refused(problem.meaning, problem.fix)


def percentages_differ(rate: Rate, name: str, percentage: Decimal) -> str:
    return f"{rate.name} is {rate.percentage.normalize():f} % here, but {name} in Sage is {percentage.normalize():f} %."


def _numbers(invoice: Invoice, connection: Connection) -> Iterator[Obstacle]:
    limit = platform_of(connection).prefix_limit
    if not connection.options.platform_numbers and len(invoice.number_prefix) > limit:
        text = (
            f"The prefix of {invoice.number} is longer than the {limit} characters "
            f"{platform_of(connection).label} takes. It can be sent under Sage numbers."
        )
        yield Check.NUMBER, Refused(text, Fix.SYNC_SETTINGS)


def _dates(invoice: Invoice, connection: Connection) -> Iterator[Obstacle]:
    since = connection.options.sync_from
    if since and invoice.issue_date < since:
        text = f"It is dated before {since.day} {since:%B %Y}, from which on invoices are sent."
        yield Check.PERIOD, Refused(text, Fix.SYNC_SETTINGS)
