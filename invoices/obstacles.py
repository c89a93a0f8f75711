"""What keeps an invoice from being sent, known before anything is sent, each with the place where it is changed."""

from collections.abc import Iterator

from connectors.interface import Fix
from connectors.models import Connection, RemoteLink
from connectors.services import platform_of, tax_links
from invoices.documents import client_of
from invoices.drafts import Refused
from invoices.models import Invoice, TaxRate


def obstacles(invoice: Invoice, connection: Connection | None) -> list[Refused]:
    """All of them, the first to be mended first; empty when the invoice can go."""
    found = obstacles_of_all(connection)
    if connection is None or connection.state in (Connection.State.CHOOSING, Connection.State.DISCONNECTING):
        return found
    if invoice.kind not in platform_of(connection).kinds:
        label = platform_of(connection).label
        return [
            Refused(f"Reflow does not send {invoice.noun}s to {label} yet. Approve it, and enter it there by hand.")
        ]
    return [
        *found,
        *_credited(invoice, connection),
        *_taxes(invoice, connection),
        *_numbers(invoice, connection),
        *_dates(invoice, connection),
    ]


def obstacles_of_all(connection: Connection | None) -> list[Refused]:
    """What keeps every invoice from being sent, whichever it is."""
    if connection is None:
        return [Refused("Reflow is not connected to Sage yet.", Fix.CONNECTION)]
    if connection.state == Connection.State.CHOOSING:
        return [Refused("The organisation in Sage is not chosen yet.", Fix.CONNECTION)]
    if connection.state == Connection.State.DISCONNECTING:
        return [Refused("Reflow is being disconnected from Sage.", Fix.CONNECTION)]
    return list(_accounts(connection))


def _accounts(connection: Connection) -> Iterator[Refused]:
    if not connection.sales_account_id:
        yield Refused("The default nominal code is not chosen yet.", Fix.SALES_ACCOUNT)
    if connection.options.create_items and not connection.purchase_account_id:
        yield Refused(
            "Sending creates line items in Sage, which needs the default purchase ledger account.",
            Fix.PURCHASE_ACCOUNT,
        )


def _credited(invoice: Invoice, connection: Connection) -> Iterator[Refused]:
    """A credit note goes where its invoice is, and only while that stands."""
    credited = invoice.credits
    if credited is None:
        return
    if credited.status == Invoice.Status.VOID:
        yield Refused(f"{credited}, which it credits, is void.")
    elif not credited.remotes.filter(connection=connection, gone_at=None).exists():
        yield Refused(f"{credited}, which it credits, is not in the books of {connection.company_name}.")


def _taxes(invoice: Invoice, connection: Connection) -> Iterator[Refused]:
    links = tax_links(connection)
    for rate in TaxRate.objects.filter(pk__in=invoice.lines.values("tax_rate")):
        link: RemoteLink | None = links.get(rate.pk)
        if link is None:
            yield Refused(f"No tax rate of Sage's is chosen yet for {rate.name}.", Fix.TAX_RATES)
        elif link.percentage is not None and link.percentage != rate.percentage:
            yield Refused(
                f"{rate.name} is {rate.percentage.normalize():f} % here, but {link.remote_name} in Sage is "
                f"{link.percentage.normalize():f} %.",
                Fix.TAX_RATES,
            )
    for problem in platform_of(connection).objections(client_of(invoice.client), {x.remote_id for x in links.values()}):
        yield Refused(problem.meaning, problem.fix)


def _numbers(invoice: Invoice, connection: Connection) -> Iterator[Refused]:
    limit = platform_of(connection).prefix_limit
    if not connection.options.platform_numbers and len(invoice.number_prefix) > limit:
        yield Refused(
            f"The prefix of {invoice.number} is longer than the {limit} characters "
            f"{platform_of(connection).label} takes. It can be sent under Sage numbers.",
            Fix.SYNC_SETTINGS,
        )


def _dates(invoice: Invoice, connection: Connection) -> Iterator[Refused]:
    since = connection.options.sync_from
    if since and invoice.issue_date < since:
        yield Refused(
            f"It is dated before {since.day} {since:%B %Y}, from which on invoices are sent.", Fix.SYNC_SETTINGS
        )
