"""What the journeys into the pretend Intacct share: a worker's steps, its books, and what people do."""

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from connectors.authorising import begin, choose_company, complete
from connectors.models import Connection, RemoteLink
from invoices import claims, services
from invoices import push as worker
from invoices.models import Client, Invoice, Push
from tests.books import INTACCT, Sandbox
from tests.conftest import CALLBACK, draft_for

QUERY = f"POST {INTACCT}/services/core/query"
CUSTOMERS = f"POST {INTACCT}/objects/accounts-receivable/customer"


# A worker's steps ---------------------------------------------------------------------------------------------
def send(invoice: Invoice, actor: User, now: datetime) -> Push:
    """Queues it and does what a worker does with it."""
    push = services.request_push(invoice_id=invoice.pk, actor=actor, now=now)
    worker.work(push.pk)
    push.refresh_from_db()
    invoice.refresh_from_db()
    return push


def queue(client: Client, count: int, actor: User, now: datetime, **changes: Any) -> list[Push]:
    """So many invoices, approved and waiting."""
    made = [services.create_invoice(draft=draft_for(client, **changes), actor=actor, now=now) for _ in range(count)]
    return [services.request_push(invoice_id=invoice.pk, actor=actor, now=now) for invoice in made]


def fresh(pushes: Sequence[Push]) -> list[Push]:
    found = Push.objects.select_related("remote", "invoice", "connection")
    return list(found.filter(pk__in=[push.pk for push in pushes]).order_by("pk"))


def look(push: Push) -> Push:
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    return push


def look_until_settled(push: Push) -> Push:
    while push.state == Push.State.UNKNOWN:
        look(push)
    return push


def carry(push: Push) -> None:
    """What a worker does with a waiting push, and what goes with it, once its time has come."""
    hand = claims.claim(push.connection, now=push.due_at, push_id=push.pk)
    assert hand
    worker.deliver(hand)


def link(client: Client, connection: Connection, now: datetime, customer_id: str = "CUST-001") -> Client:
    """The client is known to be this customer of Intacct's, as after a first invoice."""
    RemoteLink.objects.create(
        connection=connection,
        kind=RemoteLink.Kind.CLIENT,
        local_key=str(client.uuid),
        remote_id=customer_id,
        remote_name=customer_id,
        linked_at=now,
    )
    return client


def authorise(sandbox: Sandbox, admin: User, now: datetime, company_id: str = "HARBOUR|LDN") -> Connection:
    """Through Intacct's sign-in and consent pages, and the choice of company or entity where it has several."""
    journey = begin("sage_intacct", redirect_uri=CALLBACK)
    connected = complete(journey, sandbox.allow(journey.url), redirect_uri=CALLBACK, actor=admin, now=now)
    return choose_company(connected, company_id) if connected.state == Connection.State.CHOOSING else connected


# Its books and its journal ------------------------------------------------------------------------------------
def held(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The invoices in the books of HARBOUR, in the order they were written."""
    return sorted(sandbox.intacct()["invoices"], key=lambda row: int(row["key"]))


def trips(sandbox: Sandbox) -> list[str]:
    """The last word of each call that reached Intacct: composite, invoice, query, customer, token."""
    return [row["path"].rpartition("/")[2] for row in sandbox.calls() if row["path"].startswith(INTACCT)]


def metered(sandbox: Sandbox) -> int:
    """How many transactions Intacct bills for all of them."""
    return sum(row["metered"] or 0 for row in sandbox.calls())


def places(theirs: dict[str, Any]) -> set[tuple[str, str]]:
    """The location and department of each line."""
    named = [row["dimensions"] for row in theirs["lines"]]
    return {((row["location"] or {}).get("id", ""), (row["department"] or {}).get("id", "")) for row in named}


def postings(theirs: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Account, amount and memo of each line."""
    return [(row["glAccount"]["id"], row["txnAmount"], row["memo"]) for row in theirs["lines"]]


def taxes(theirs: dict[str, Any]) -> list[tuple[str, str]]:
    """Tax detail and amount of each line's tax entry."""
    return [
        (entry["orderEntryTaxDetail"]["id"], entry["txnTaxAmount"])
        for row in theirs["lines"]
        for entry in row["taxEntries"]
    ]


# What people do in Intacct ------------------------------------------------------------------------------------
def enter(sandbox: Sandbox, **entry: Any) -> dict[str, Any]:
    """A colleague enters an invoice by hand."""
    return _post(sandbox, "", entry)


def do(sandbox: Sandbox, key: str, deed: str, **details: Any) -> dict[str, Any]:
    """A colleague submits, edits, pays, reverses or deletes one."""
    return _post(sandbox, f"/{key}/{deed}", details)


def _post(sandbox: Sandbox, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(f"{sandbox.url}/_books/intacct/invoices{path}", json=body, timeout=10)
    answer.raise_for_status()
    changed: dict[str, Any] = answer.json()
    return changed


def condition(sandbox: Sandbox, **conditions: Any) -> None:
    """An administrator of Intacct's changes a customer, an account, what is open or who may in."""
    sandbox.set_books(intacct=conditions)


# What people see in Reflow ------------------------------------------------------------------------------------
def csv_rows(browser: Browser, **asked: str) -> list[dict[str, str]]:
    answer = browser.get(reverse("invoice-csv"), asked)
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(text.splitlines()))


def numbers_shown(browser: Browser, invoice: Invoice) -> dict[str, str]:
    """The number that the list, the invoice's page and the CSV show for it, and whether its own number finds it."""
    own = str(invoice.number)
    address = reverse("invoice-detail", args=[invoice.pk])
    in_list = re.search(rf'<a href="{address}"[^>]*>([^<]+)</a>', browser.get(reverse("invoice-list"), {"q": own}).text)
    on_page = re.search(r'<span id="number">([^<]+)</span>', browser.get(address).text)
    (row,) = [row for row in csv_rows(browser) if row["Own number"] == own]
    assert in_list and on_page
    return {"list": in_list[1], "page": on_page[1], "csv": row["Number"]}


def everywhere(number: str) -> dict[str, str]:
    return {"list": number, "page": number, "csv": number}
