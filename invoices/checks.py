"""What each check of an invoice says before it is sent: that it is well, what to do, or that nobody can know yet.

What stands in the way here is asked of `obstacles`; what the books hold, of the lists as last read, of the links and of
the numbers known. What the platform can't tell beforehand is said to be not known, and never called good.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db.models import Max
from django.db.models.functions import Upper

from connectors.interface import Entry, Fix
from connectors.models import Connection, RemoteLink
from connectors.options import Kind, Options
from connectors.services import platform_of
from invoices.choosing import Chooser
from invoices.dimensions import DIMENSIONS
from invoices.models import Invoice, InvoiceLine, Push, RemoteInvoice
from invoices.obstacles import Check, Ground, Obstacle, Rate, of_one, of_the_connection, percentages_differ
from invoices.queueing import elsewhere
from invoices.totals import line_sums

LINE = ("quantity", "unit_price", "discount_percent", "net", "tax")
# What Sage was asked for: a word for it, and what it said as the code of an entry, "" for nothing.
OPENING, DAY = "OPENING", "day"  # the first day that its books are open for
HELD = "HELD"  # numbers in upper case: the id of the invoice that has one there
CLIENTS = "CLIENTS"  # ids of customers: GONE, where one takes no invoice any more
GONE_THERE = "gone"
Lists = Mapping[str, Mapping[str, Entry]]  # by Kind, and by these three


class Verdict(StrEnum):
    """Good and bad are known; what is open shows only when it is sent; none: there is nothing to check."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One check of one invoice: what was found, what it says or what to do, and where; alike for all of one cause.

    `fix`, or `page`, a URL name and a key, leads to where it is mended.
    """

    check: Check
    verdict: Verdict
    text: str
    fix: Fix | None = None
    page: tuple[str, int] | None = None


def _well(check: Check, text: str) -> Cell:
    return Cell(check=check, verdict=Verdict.GOOD, text=text)


def _open(check: Check, text: str) -> Cell:
    return Cell(check=check, verdict=Verdict.OPEN, text=text)


def _bad(check: Check, text: str, fix: Fix | None = None, page: tuple[str, int] | None = None) -> Cell:
    return Cell(check=check, verdict=Verdict.BAD, text=text, fix=fix, page=page)


NOT_SENT_AS = {
    "void": "It is void, so there is nothing to send.",
    "raised in Sage": "It was raised in Sage, so it is there.",
    "already sent": "It is in Sage already.",
    "already on the way": "It is on its way to Sage already.",
    "to be settled on its own page": "Something about it in Sage is to be settled on its own page first.",
    "for somebody else to approve": "It is for somebody else to approve.",
}
UNREAD = "Sage's list could not be read just now, so whether {} is still there is not known."
GONE = "{} is no longer among Sage's {}."
OWN = (Kind.LOCATIONS, Kind.DEPARTMENTS)
CALLED = {
    Kind.LOCATIONS: "locations",
    Kind.DEPARTMENTS: "departments",
    Kind.TERMS: "terms",
    Kind.TAX_SOLUTIONS: "tax solutions",
}


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that the checks of many invoices go by, read once for all of them."""

    connection: Connection | None
    lists: Lists
    chooser: Chooser
    ground: Ground | None
    links: Mapping[tuple[str, str], RemoteLink]
    refused_clients: Mapping[int, datetime]
    taken: Mapping[str, set[int]]
    elsewhere: Mapping[int, str]
    lines: Mapping[int, list[tuple[Any, ...]]]

    @classmethod
    def of(cls, invoices: Sequence[Invoice], connection: Connection | None, lists: Lists, chooser: Chooser) -> "Known":
        ids = [invoice.pk for invoice in invoices]
        return cls(
            connection=connection,
            lists=lists,
            chooser=chooser,
            ground=Ground.of(connection, ids) if connection else None,
            links=_links(connection, invoices) if connection else {},
            refused_clients=_refused_clients(connection) if connection else {},
            taken=_taken(connection, invoices) if connection else {},
            elsewhere=elsewhere(ids, connection),
            lines=_lines(ids),
        )

    @cached_property
    def options(self) -> Options:
        return self.connection.options if self.connection else Options()

    @cached_property
    def of_all(self) -> list[Obstacle]:
        return of_the_connection(self.connection)

    def cells(self, invoice: Invoice) -> Iterator[Cell]:
        """One for each check: what `obstacles` knows of it, else what else is known here."""
        found: dict[Check, Cell] = {}
        is_set_up = not any(check is Check.CONNECTION for check, _ in self.of_all)
        for check, refused in (*self.of_all, *(of_one(invoice, self.ground) if self.ground and is_set_up else ())):
            found.setdefault(check, _bad(check, str(refused), refused.fix))
        for check in Check:
            if check in found:
                yield found[check]
            elif is_set_up or check in (Check.INVOICE, Check.PENNIES):
                yield LOOKS[check](self, invoice)
            else:
                yield _open(check, "Not known while Reflow is not connected to Sage.")

    def invoice(self, invoice: Invoice) -> Cell:
        page = ("invoice-detail", invoice.pk)
        if why := self.chooser.why_not_send(invoice):
            return _bad(Check.INVOICE, NOT_SENT_AS.get(why, why), page=page)
        if why := self.elsewhere.get(invoice.pk, ""):
            return _bad(Check.INVOICE, why, Fix.CONNECTION)
        if not self.lines.get(invoice.pk):
            return _bad(Check.INVOICE, "An invoice without lines can't be approved.", Fix.INVOICE)
        is_draft = invoice.status == Invoice.Status.DRAFT
        return _well(Check.INVOICE, "A draft: it is approved as it is sent." if is_draft else "Approved.")

    def reached(self, invoice: Invoice) -> Cell:
        if self.connection and self.connection.state == Connection.State.RECONNECT:
            text = "Sage no longer accepts our authorisation: it waits until an admin has authorised Reflow again."
            return Cell(check=Check.CONNECTION, verdict=Verdict.OPEN, text=text, fix=Fix.CONNECTION)
        return _well(Check.CONNECTION, f"Connected to {self.connection}.")

    def period(self, invoice: Invoice) -> Cell:
        month, told = f"{invoice.issue_date:%B %Y}", self.lists.get(OPENING, {}).get(DAY)
        if told is None or self.connection is None:
            return _open(Check.PERIOD, f"Sage could not be asked just now, so whether {month} is closed is not known.")
        day = date.fromisoformat(told.code) if told.code else None
        since = f"Sage's books are open from {day.day} {day:%B %Y} on" if day else ""
        if day and invoice.issue_date < day:
            return _bad(Check.PERIOD, f"{since}, and it is dated before.", Fix.DATE)
        if day and platform_of(self.connection).opens_by_day:
            return _well(Check.PERIOD, f"{since}.")
        text = f"Not known beforehand: Sage does not tell whether {month} is closed."
        return _open(Check.PERIOD, f"{since}. Whether {month} is closed by itself is not told." if since else text)

    def client(self, invoice: Invoice) -> Cell:
        client = invoice.client
        link = self.links.get((RemoteLink.Kind.CLIENT, str(client.uuid)))
        refused_at = self.refused_clients.get(client.pk)
        if refused_at and not (link and link.linked_at > refused_at):
            text = f"Sage did not take its customer for {client.name}: say which one it is."
            return _bad(Check.CLIENT, text, Fix.CLIENT_LINK)
        told = self.lists.get(CLIENTS, {}).get(link.remote_id) if link else None
        if link and told and told.code == GONE_THERE:
            text = f"{link.remote_name} was deleted in Sage, or is not active there: say which customer it is now."
            return _bad(Check.CLIENT, text, Fix.CLIENT_LINK)
        if link:
            known = "which is there" if told else "and not refused since"
            return _well(Check.CLIENT, f"Linked to {link.remote_name} in Sage, {known}.")
        return _open(Check.CLIENT, "Not linked yet: it is found in Sage, or created there, as it is sent.")

    def code(self, invoice: Invoice) -> Cell:
        accounts = self.lists.get(Kind.SALES_ACCOUNTS)
        purchases = self.lists.get(Kind.PURCHASE_ACCOUNTS)
        connection, options = self.connection, self.options
        if connection is None or accounts is None or (options.create_items and purchases is None):
            return _open(Check.CODE, UNREAD.format("the nominal code"))
        if connection.sales_account_id not in accounts:
            return _bad(Check.CODE, GONE.format(connection.sales_account_name, "sales accounts"), Fix.SALES_ACCOUNT)
        if purchases is not None and options.create_items and connection.purchase_account_id not in purchases:
            text = GONE.format(connection.purchase_account_name, "purchase ledger accounts")
            return _bad(Check.CODE, text, Fix.PURCHASE_ACCOUNT)
        own = self._codes(invoice) if options.codes_per_line else set()
        if missing := own - {entry.code for entry in accounts.values()}:
            text = f"Sage has no sales account with the nominal code {', '.join(sorted(missing))}."
            return _bad(Check.CODE, text, Fix.INVOICE)
        return _well(Check.CODE, f"{connection.sales_account_name} is in Sage's list.")

    def _codes(self, invoice: Invoice) -> set[str]:
        """The nominal codes of its own lines and items; as they were frozen, once it is approved."""
        if invoice.frozen:
            return {line["nominal_code"] for line in invoice.frozen["lines"] if line.get("nominal_code")}
        return {line[0] or line[1] for line in self.lines.get(invoice.pk, ()) if line[0] or line[1]}

    def tax(self, invoice: Invoice) -> Cell:
        entries = self.lists.get(Kind.TAX_RATES)
        if entries is None or self.ground is None:
            return _open(Check.TAX, UNREAD.format("the tax rate"))
        rates = self.ground.rates.get(invoice.pk, [])
        if any(rate.code not in self.ground.taxes for rate in rates):  # of a kind that is not sent at all
            return Cell(check=Check.TAX, verdict=Verdict.NONE, text="Not looked at, as it is not sent.")
        for rate in rates:
            if wrong := _wrong_tax(rate, self.ground.taxes[rate.code], entries):
                return _bad(Check.TAX, wrong, Fix.TAX_RATES)
        return _well(Check.TAX, f"{', '.join(rate.name for rate in rates)}: mapped, and in Sage's list.")

    def number(self, invoice: Invoice) -> Cell:
        if self.options.platform_numbers:
            return _well(Check.NUMBER, "Sage gives the number.")
        number = (invoice.number or "").upper()
        known, asked = self.taken.get(number, set()), self.lists.get(HELD, {}).get(number)
        if known - {invoice.pk} or (asked and asked.code and invoice.pk not in known):
            mend = "Send it from its own page: there you link that one, or take the next number."
            text = f"Sage has {invoice.number} for another invoice. {mend}"
            return _bad(Check.NUMBER, text, page=("invoice-detail", invoice.pk))
        if asked:
            return _well(Check.NUMBER, "Sage was asked, and shows no invoice that has it.")
        if self.options.imports:
            return _well(Check.NUMBER, "No invoice read from Sage has it.")
        return _open(Check.NUMBER, "Not known: Sage was not asked which numbers it has.")

    def pennies(self, invoice: Invoice) -> Cell:
        """A credit note's lines may be what is left of an invoice's, to the penny, which no percentage comes to."""
        if invoice.is_credit_note:
            return _well(Check.PENNIES, "It credits what its invoice says.")
        lines = self.lines.get(invoice.pk, [])
        sums = [
            line_sums(quantity=quantity, unit_price=price, discount_percent=discount, tax_percent=percentage)
            for _, _, percentage, quantity, price, discount, _, _ in lines
            if percentage is not None
        ]
        stored = [(line[-2], line[-1]) for line in lines]
        net, tax = sum((each.net for each in sums), Decimal(0)), sum((each.tax for each in sums), Decimal(0))
        if [(each.net, each.tax) for each in sums] != stored or (net, tax) != (invoice.net, invoice.tax):
            text = "Its sums are not what Sage counts from its lines. Open and save it, so that they are counted anew."
            return _bad(Check.PENNIES, text, Fix.INVOICE)
        return _well(Check.PENNIES, "Its lines come to what it says, as Sage counts them.")

    def dimensions(self, invoice: Invoice) -> Cell:
        if self.connection is None or not platform_of(self.connection).lists & CALLED.keys():
            return Cell(check=Check.DIMENSIONS, verdict=Verdict.NONE, text="This platform has none.")
        chosen = list(self._chosen(invoice))
        for kind, remote_id, name, page in chosen:
            if kind in self.lists and remote_id not in self.lists[kind]:
                text = GONE.format(name or remote_id, CALLED[kind])
                return _bad(Check.DIMENSIONS, text, None if page else Fix.SYNC_SETTINGS, page)
        if unread := next((CALLED[kind] for kind, *_ in chosen if kind not in self.lists), ""):
            return _open(Check.DIMENSIONS, f"Sage's {unread} could not be read just now.")
        if not any(kind in OWN for kind, *_ in chosen):
            return _open(Check.DIMENSIONS, "None is chosen. Whether Sage wants one shows only as it is sent.")
        return _well(Check.DIMENSIONS, "What is chosen is in Sage's lists.")

    def _chosen(self, invoice: Invoice) -> Iterator[tuple[Kind, str, str, tuple[str, int] | None]]:
        """What its lines are posted to: the list, the id and name there, and the property where it is chosen."""
        options = self.options
        default = {
            Kind.LOCATIONS: options.location_id,
            Kind.DEPARTMENTS: options.department_id,
            Kind.TERMS: options.term_id,
            Kind.TAX_SOLUTIONS: options.tax_solution_id,
        }
        for one in DIMENSIONS:
            link = self.links.get((one.linked, str(invoice.site_id)))
            if link and invoice.site_id:
                del default[one.listed]
                yield one.listed, link.remote_id, link.remote_name, ("property-edit", invoice.site_id)
        for kind, remote_id in default.items():
            if remote_id:
                yield kind, remote_id, "", None


LOOKS: dict[Check, Callable[[Known, Invoice], Cell]] = {
    Check.INVOICE: Known.invoice,
    Check.CONNECTION: Known.reached,
    Check.PERIOD: Known.period,
    Check.CLIENT: Known.client,
    Check.CODE: Known.code,
    Check.TAX: Known.tax,
    Check.NUMBER: Known.number,
    Check.PENNIES: Known.pennies,
    Check.DIMENSIONS: Known.dimensions,
}


def _wrong_tax(rate: Rate, link: RemoteLink, entries: Mapping[str, Entry]) -> str:
    entry = entries.get(link.remote_id)
    if entry is None:
        return GONE.format(link.remote_name, "tax rates")
    if entry.percentage is not None and entry.percentage != rate.percentage:
        return percentages_differ(rate, entry.name, entry.percentage)
    return ""


def _links(connection: Connection, invoices: Iterable[Invoice]) -> dict[tuple[str, str], RemoteLink]:
    """Of their clients and properties, by kind and our key."""
    keys = {str(invoice.client.uuid) for invoice in invoices} | {str(i.site_id) for i in invoices if i.site_id}
    kinds = [RemoteLink.Kind.CLIENT, *(one.linked for one in DIMENSIONS)]
    found = RemoteLink.objects.filter(connection=connection, kind__in=kinds, local_key__in=keys)
    return {(link.kind, link.local_key): link for link in found}


def _refused_clients(connection: Connection) -> dict[int, datetime]:
    """Clients whose customer Sage did not take for an invoice that waits for a person, and when that was."""
    waiting = Push.objects.filter(connection=connection, state=Push.State.ATTENTION)
    refused = waiting.filter(problems__contains=[{"fix": Fix.CLIENT_LINK}])
    when = refused.values("invoice__client").annotate(at=Max("attempts__resolved_at"))
    return {row["invoice__client"]: row["at"] for row in when if row["at"]}


def _taken(connection: Connection, invoices: Iterable[Invoice]) -> dict[str, set[int]]:
    """Which of their numbers the platform is known to have given, and for which of the invoices known here."""
    numbers = {invoice.number.upper() for invoice in invoices if invoice.number}
    held = RemoteInvoice.objects.filter(connection=connection, gone_at=None).annotate(upper=Upper("number"))
    taken: dict[str, set[int]] = defaultdict(set)
    for number, invoice_id in held.filter(upper__in=numbers).values_list("upper", "invoice_id"):
        taken[number].add(invoice_id)
    return taken


def _lines(ids: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    names = ("nominal_code", "item__nominal_code", "tax_rate__percentage", *LINE)
    lines: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for invoice_id, *line in InvoiceLine.objects.filter(invoice__in=ids).values_list("invoice_id", *names):
        lines[invoice_id].append(tuple(line))
    return lines
