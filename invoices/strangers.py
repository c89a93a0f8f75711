"""Invoices raised in the books and new here: each is written once, with a client and a number of ours.

Called inside the transaction of their page. No model is made of them: a page is thousands of rows, and Postgres checks
each of them all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import connection as database
from django.db.models import QuerySet
from django.db.models.functions import Upper

from connectors.interface import BookedInvoice, RemoteStatus
from connectors.models import Connection, RemoteLink
from incrementors.models import Group
from incrementors.services import OWN_GROUPS, Given, hold_numbers, take_numbers
from invoices.drafts import platform_numbers
from invoices.models import Client, Event, Invoice, InvoiceLine
from invoices.models import RemoteInvoice as Row
from invoices.writing import insert

STATUS = {
    RemoteStatus.DRAFT: Invoice.Status.SENT,
    RemoteStatus.OPEN: Invoice.Status.SENT,
    RemoteStatus.PART_PAID: Invoice.Status.PART_PAID,
    RemoteStatus.PAID: Invoice.Status.PAID,
    RemoteStatus.VOID: Invoice.Status.VOID,
}
KEYS = """
    SELECT nextval(key), gen_random_uuid()
    FROM pg_get_serial_sequence('invoices_invoice', 'id') AS key, generate_series(1, %s)"""
INVOICE = (
    *("id", "uuid", "kind", "origin", "number", "number_prefix", "status", "client_id", "issue_date", "due_date"),
    *("reference", "notes", "currency", "net", "tax", "total", "outstanding", "version", "created_at"),
)
ROW = (
    *("invoice_id", "connection_id", "remote_id", "number", "url", "total", "linked_at", "checked_at"),
    *("is_draft", "is_shown", "status", "document_id", "recoded"),
)
LINE = (
    *("invoice_id", "position", "description", "quantity", "unit_price", "discount_percent"),
    *("nominal_code", "discount", "net", "tax", "total"),
)
EVENT = ("invoice_id", "happened_at", "text")
SAME_NAME = """
    SELECT wanted, id, uuid FROM unnest(%s) AS wanted JOIN invoices_client ON upper(name) = upper(wanted) ORDER BY id"""


def bring_in(connection: Connection, strangers: Sequence[BookedInvoice], kind: str, now: datetime) -> None:
    """Documents raised over there, in their order; numbers of ours are held from then on, theirs are taken."""
    if not strangers:
        return
    clients = _clients(connection, strangers, now)
    with database.cursor() as cursor:
        cursor.execute(KEYS, [len(strangers)])
        keys = dict(cursor.fetchall())
    hold_numbers(*OWN_GROUPS)  # an invoice just being created may be given a number that comes in here
    numbers = take_numbers(key=Group.IMPORTED, holders=[*keys.values()], now=now, known_elsewhere=platform_numbers)
    pairs, at = [*zip(keys, strangers, strict=True)], now.isoformat()
    given = zip(pairs, numbers, strict=True)
    insert(Invoice, INVOICE, [_invoice(*pair, number, clients, kind, at) for pair, number in given])
    shown, books = shown_once([(pk, one.invoice.number) for pk, one in pairs]), str(connection.pk)
    insert(Row, ROW, [_row(*pair, is_shown, books, at) for pair, is_shown in zip(pairs, shown, strict=True)])
    write_lines(pairs)
    text = f"Imported from {connection.company_name}."[:300]
    insert(Event, EVENT, [(pk, at, text) for pk in keys])


def write_lines(pairs: Iterable[tuple[int, BookedInvoice]]) -> None:
    """Of imported invoices, under their keys."""
    insert(InvoiceLine, LINE, [line for pk, booked in pairs for line in _lines(pk, booked)])


def _invoice(
    pk: int, booked: BookedInvoice, number: Given, clients: dict[str, int], kind: str, at: str
) -> Sequence[object]:
    theirs, sign = booked.invoice, -1 if kind == Invoice.Kind.CREDIT_NOTE else 1
    status, net, tax = STATUS[theirs.status], booked.net * sign, booked.tax * sign
    due = net + tax if theirs.outstanding is None else theirs.outstanding * sign
    return (
        *(pk, number.holder, kind, Invoice.Origin.IMPORTED, number.text, number.prefix, status),
        *(clients[theirs.client_id], theirs.issue_date, booked.due_date, theirs.reference[:50], "", booked.currency),
        *(net, tax, net + tax, Decimal(0) if status == Invoice.Status.VOID else due, 1, at),
    )


def _row(pk: int, booked: BookedInvoice, is_shown: bool, books: str, at: str) -> Sequence[object]:
    theirs = booked.invoice
    return (
        *(pk, books, theirs.id, theirs.number, theirs.url, theirs.total, at, at),
        *(False, is_shown, theirs.status, booked.document_id, []),
    )


def _lines(pk: int, booked: BookedInvoice) -> Iterable[Sequence[object]]:
    for position, line in enumerate(booked.lines, start=1):
        net, tax = line.net, line.tax
        yield (
            *(pk, position, line.description[:1000], line.quantity, line.unit_price, 0),
            *(line.account[:80], line.discount, net, tax, net + tax),
        )


def shown_once(numbers: Sequence[tuple[int, str]]) -> list[bool]:
    """Whether each invoice shows the number it has over there: no two show one, so where another was given it first,
    this one goes on showing its own."""
    texts = {number.upper() for _, number in numbers if number}
    ours = Invoice.objects.alias(upper=Upper("number")).filter(upper__in=texts)
    given = {str(number).upper(): pk for number, pk in ours.values_list("number", "pk")}
    theirs = Row.objects.filter(is_shown=True).alias(upper=Upper("number")).filter(upper__in=texts)
    shown = {number.upper(): pk for number, pk in theirs.values_list("number", "invoice_id")}
    found = []
    for pk, number in numbers:
        text = number.upper()
        found.append(not {given.get(text), shown.get(text)} - {None, pk})
        if found[-1] and text:
            shown[text] = pk
    return found


def _clients(connection: Connection, strangers: Sequence[BookedInvoice], now: datetime) -> dict[str, int]:
    """Their customers -> our clients: linked before, else the only one of that name not linked yet, else a new one."""
    names = {booked.invoice.client_id: booked.invoice.client_name for booked in strangers}
    links = RemoteLink.objects.filter(connection=connection, kind=RemoteLink.Kind.CLIENT)
    linked = dict(links.filter(remote_id__in=names).values_list("remote_id", "local_key"))
    ids = {str(key): pk for key, pk in Client.objects.filter(uuid__in=linked.values()).values_list("uuid", "pk")}
    found = {remote_id: ids[key] for remote_id, key in linked.items() if key in ids}
    missing = {each: (name or each)[:100] for each, name in names.items() if each not in found}
    if missing:
        clients = _clients_named(missing, links)
        Client.objects.bulk_create([client for client in clients.values() if client.pk is None])
        links.filter(remote_id__in=missing).delete()  # to a client that is not there any more
        RemoteLink.objects.bulk_create(
            RemoteLink(
                connection=connection,
                kind=RemoteLink.Kind.CLIENT,
                remote_id=each,
                local_key=str(client.uuid),
                remote_name=names[each],
                linked_at=now,
            )
            for each, client in clients.items()
        )
        found |= {each: client.pk for each, client in clients.items()}
    return found


def _clients_named(wanted: dict[str, str], links: QuerySet[RemoteLink]) -> dict[str, Client]:
    """By the name of each customer; a new client is still to be saved."""
    same = defaultdict(list)
    with database.cursor() as cursor:
        cursor.execute(SAME_NAME, [list(set(wanted.values()))])
        for name, pk, key in cursor:
            same[name].append(Client(pk=pk, uuid=key))
    keys = [str(client.uuid) for clients in same.values() for client in clients]
    taken, found = set(links.filter(local_key__in=keys).values_list("local_key", flat=True)), {}
    for each, name in wanted.items():
        free = [client for client in same[name] if str(client.uuid) not in taken]
        found[each] = free[0] if len(free) == 1 else Client(name=name)
        taken.add(str(found[each].uuid))
    return found
