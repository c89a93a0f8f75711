"""Sage Accounting (API v3.1): one business in it, and the calls we make there.

`X-Business` goes with every call and its echo is checked (guide "Best practices"): without it Sage quietly takes the
user's lead business.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Self
from urllib.parse import quote

from connectors.http import Answer, Answered, Bearer, Heard, MayLeave, Meanwhile, Wire
from connectors.interface import (
    Changes,
    Company,
    DocumentKind,
    Entry,
    Misdirected,
    NewClient,
    NewInvoice,
    NewItem,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Rejected,
    RemoteClient,
    RemoteInvoice,
    RemoteItem,
    TryLater,
)
from connectors.options import (
    CODES_PER_LINE,
    CREATE_AS,
    CREATE_ITEMS,
    DIRECTION,
    NUMBERS,
    READ_BACK,
    SEND_ON_APPROVAL,
    SYNC_EVERY,
    SYNC_FROM,
    Kind,
    Options,
    Setting,
)
from connectors.sage_accounting.changes import PAGE_SIZE, attributes, changed
from connectors.sage_accounting.refusals import DIALECT, VOIDING, is_special_scheme, objections
from connectors.sage_accounting.shapes import (
    CUSTOMERS,
    ITEM_PATHS,
    LISTS,
    SHAPES,
    Shape,
    contact_body,
    first_open_day,
    invoice_body,
    item_body,
    items_of,
    name_of,
    object_of,
    remote_client,
    remote_entry,
    remote_invoice,
    remote_item,
    same_text,
    shown_as,
)

MOST_PAGES = 500
NEWEST_PAGES = 10
FEW = 5  # invoices that are read one by one at once
CLOCKS = timedelta(hours=1)  # how far Sage's clock and ours may be apart


@dataclass(slots=True, kw_only=True)
class SageAccounting:
    """One business in Sage Accounting. `company_id` is empty only while it is being chosen."""

    platform: ClassVar[str] = "sage_accounting"
    brand: ClassVar[str] = "Sage"
    label: ClassVar[str] = "Sage Accounting"
    scope: ClassVar[str] = "full_access"
    authorize_extra: ClassVar[dict[str, str]] = {"filter": "apiv3.1"}
    kinds: ClassVar[frozenset[DocumentKind]] = frozenset(SHAPES)
    prefix_limit: ClassVar[int] = 6
    key_life: ClassVar[timedelta] = timedelta(days=7)  # guide "Idempotency"
    settings: ClassVar[tuple[Setting, ...]] = (
        CREATE_AS,
        CREATE_ITEMS,
        SEND_ON_APPROVAL,
        NUMBERS,
        CODES_PER_LINE,
        DIRECTION,
        READ_BACK,
        SYNC_EVERY,
        SYNC_FROM,
    )
    username_form: ClassVar[str] = ""
    revocation: ClassVar[str] = ""
    batch_size: ClassVar[int] = 1
    reason_limit: ClassVar[int] = 200  # void_reason (Swagger, SalesInvoice)
    void_effect: ClassVar[str] = "Sage takes it back on its own date and keeps it among its invoices as Void."
    opens_by_day: ClassVar[bool] = True
    lists: ClassVar[frozenset[Kind]] = frozenset(LISTS)
    lanes: ClassVar[int] = 1  # "do not POST in parallel", guide "Best practices", Concurrency

    api_url: str
    bearer: Bearer = field(repr=False)
    deadline: timedelta
    company_id: str = ""
    options: Options = field(default_factory=Options)
    push: str = ""
    may_leave: MayLeave = field(default=lambda: True, repr=False)
    answered: Answered = field(default=lambda: None, repr=False)
    heard: Heard = field(default=lambda said: None, repr=False)
    meanwhile: Meanwhile | None = field(default=None, repr=False)
    kind: DocumentKind = DocumentKind.INVOICE
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(
            api_url=self.api_url,
            bearer=self.bearer,
            dialect=DIALECT,
            deadline=self.deadline,
            push=self.push,
            may_leave=self.may_leave,
            answered=self.answered,
            heard=self.heard,
            meanwhile=self.meanwhile,
        )

    @property
    def shape(self) -> Shape:
        return SHAPES[self.kind]

    @classmethod
    def objections(cls, client: NewClient, tax_rate_ids: set[str]) -> tuple[Problem, ...]:
        return objections(client, tax_rate_ids)

    @property
    def items(self) -> Self:
        return self

    def companies(self) -> tuple[Company, ...]:
        """`GET /businesses`: all of them stand on one page."""
        answer = self.wire.get("/businesses", params={}, headers={})
        return tuple(Company(id=row["id"], name=name_of(row)) for row in items_of(answer))

    def catalogue(self, kind: Kind) -> tuple[Entry, ...]:
        path, params = LISTS[kind]
        try:
            entries = tuple(remote_entry(row) for row in self._all(path, params))
        except ArithmeticError:
            raise TryLater(f"Sage's list at {path} can't be read.") from None
        return tuple(one for one in entries if kind is not Kind.TAX_RATES or not is_special_scheme(one.name))

    def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
        """`GET /contacts`: how `search` matches is not documented, so each candidate is compared here."""
        ours = {"reference": client.reference, "email": client.email, "name": client.name}
        for trait, value in ours.items():
            parameter = "email" if trait == "email" else "search"
            rows = self._all("/contacts", {**CUSTOMERS, parameter: value}) if value else []
            found = tuple(one for one in map(remote_client, rows) if same_text(getattr(one, trait), value))
            if found:
                return found
        return ()

    def search_clients(self, text: str) -> tuple[RemoteClient, ...]:
        return tuple(map(remote_client, self._all("/contacts", {**CUSTOMERS, "search": text})))

    def search_items(self, text: str, sort: str) -> tuple[RemoteItem, ...]:
        params = {"search": text, "attributes": "item_code,description"}
        return tuple(map(remote_item, self._all(f"/{ITEM_PATHS[sort]}s", params)))

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        answer = self._post("/contacts", {"contact": contact_body(client, key)})
        return remote_client(object_of(answer))

    def find_items(self, item: NewItem) -> tuple[RemoteItem, ...]:
        """`GET /products` or `/services`: `search` goes by code or description, so the code is compared here."""
        return tuple(one for one in self.search_items(item.code, item.sort) if same_text(one.code, item.code))

    def create_item(self, item: NewItem, key: str) -> RemoteItem:
        kind = ITEM_PATHS[item.sort]
        return remote_item(object_of(self._post(f"/{kind}s", {kind: item_body(item, key)})))

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        """`POST` without a status: final, shown as Created, its number and id in the answer."""
        (invoice,) = invoices
        answer = self._post(self.shape.path, {self.shape.entity: invoice_body(invoice, key, self.shape)})
        made = self._remote(object_of(answer))
        if made.reference not in ("", invoice.reference):
            raise OutcomeUnknown("Sage's answer is about another invoice.", status=answer.status)
        return (made,)

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        """By reference, then by client and date: what `search` matches is not documented, so both are asked."""
        by_reference = {"search": invoice.reference}
        day = invoice.issue_date.isoformat()
        by_client = {"contact_id": invoice.client_id, "from_date": day, "to_date": day}
        for params in (by_reference, by_client):
            rows = self._all(self.shape.path, {**params, "attributes": attributes(self.shape)})
            found = tuple(self._remote(row) for row in rows if row.get("reference") == invoice.reference)
            if found:
                return found
        return ()

    def find_number(self, number: str, client_id: str) -> tuple[RemoteInvoice, ...]:
        """No filter goes by number for certain: what `search` finds, the client's invoices, then the newest 2,000.

        A list shows each invoice's number as `displayed_as` (guide "Attributes"), so the last costs a call per 200.
        """
        for params in ({"search": number}, {"contact_id": client_id}):
            rows = self._all(self.shape.path, {**params, "attributes": attributes(self.shape)})
            found = tuple(one for one in map(self._remote, rows) if same_text(one.number, number))
            if found:
                return found
        for page in islice(self._pages(self.shape.path, {"sort": "created_at:desc"}), NEWEST_PAGES):
            if ids := [row["id"] for row in page if same_text(row.get("displayed_as") or "", number)]:
                return self.read_invoices(ids)
        return ()

    def find_numbers(self, numbers: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        """Among the newest 2,000, whose lists show each number as `displayed_as`."""
        wanted = {number.strip().casefold() for number in numbers}
        newest = self._pages(self.shape.path, {"sort": "created_at:desc", "attributes": attributes(self.shape)})
        rows = (row for page in islice(newest, NEWEST_PAGES) for row in page if shown_as(row) in wanted)
        return tuple({row["id"]: self._remote(row) for row in rows}.values())

    def open_from(self) -> date | None:
        """`GET /financial_settings` (Swagger FinancialSettings): nothing is entered before either of its two days."""
        answer = self.wire.get("/financial_settings", params={}, headers=self._business)
        self._check_echo(answer)
        return first_open_day(answer)

    def next_number(self) -> str:
        """`GET /invoice_settings` (Swagger InvoiceSettings): one object, not a list."""
        answer = self.wire.get("/invoice_settings", params={}, headers=self._business)
        self._check_echo(answer)
        said = answer.body if isinstance(answer.body, dict) else {}
        number, prefix = said.get("next_invoice_number"), said.get("sales_invoice_number_prefix") or ""
        return f"{prefix}{number}" if isinstance(number, int) and isinstance(prefix, str) else ""

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        return changed(partial(self._page, self.shape.path), self.shape, cursor, since)

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        """`deleted_since` names deleted drafts; a void invoice stays."""
        rows = self._deleted(self.shape.path, since, "status")
        deleted = {row["id"] for row in rows if (row.get("status") or {}).get("id") != "VOID"}
        return frozenset(deleted & set(remote_ids))

    def gone_clients(self, client_ids: Sequence[str], since: datetime) -> frozenset[str]:
        return frozenset({row["id"] for row in self._deleted("/contacts", since, "name")} & set(client_ids))

    def _deleted(self, path: str, since: datetime, wanted: str) -> list[dict[str, Any]]:
        """Sage's clock may be behind ours."""
        moment = (since - CLOCKS).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._all(path, {"deleted_since": moment, "attributes": wanted})

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        """Many are looked up in the lists of open ones; those that are not there, one by one."""
        wanted = dict.fromkeys(remote_ids)
        listed = self._among_open(wanted) if len(wanted) > FEW else {}
        singly = (self._read_invoice(remote_id) for remote_id in wanted if remote_id not in listed)
        return (*listed.values(), *filter(None, singly))

    def _among_open(self, wanted: Collection[str]) -> dict[str, RemoteInvoice]:
        """Whichever of them the lists show, in fewer calls than reading them one by one takes."""
        found: dict[str, RemoteInvoice] = {}
        for status in ("UNPAID", "PART_PAID"):
            pages = self._pages(self.shape.path, {"status_id": status, "attributes": attributes(self.shape)})
            for page in islice(pages, min(len(wanted) // 2, MOST_PAGES - 1)):
                found |= {row["id"]: self._remote(row) for row in page if row["id"] in wanted}
        return found

    def _read_invoice(self, remote_id: str) -> RemoteInvoice | None:
        """`GET` by key; without mark_as_sent=false Sage would mark it as sent to the customer."""
        try:
            answer = self.wire.get(self._path(remote_id), params={"mark_as_sent": "false"}, headers=self._business)
        except Rejected as gone:
            if gone.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        self._check_echo(answer)
        return self._remote(object_of(answer))

    def void_invoice(self, invoice: RemoteInvoice, reason: str, on: date) -> None:
        """`DELETE` by key, voided on its own date: the Swagger has the reason in the query, the guide in
        the body, so it goes in both. A draft needs none, but may have been released since we looked."""
        wire, given = replace(self.wire, dialect=VOIDING), {"void_reason": reason}
        answer = wire.delete(self._path(invoice.id), params=given, body=given, headers=self._business)
        self._check_echo(answer)
        if answer.status != HTTPStatus.NO_CONTENT:
            object_of(answer)

    def _remote(self, row: Mapping[str, Any]) -> RemoteInvoice:
        return remote_invoice(row, self.shape)

    def _path(self, remote_id: str) -> str:
        return f"{self.shape.path}/{quote(remote_id, safe='')}"

    def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        answer = self.wire.post(path, body=body, headers=self._business)
        self._check_echo(answer)
        return answer

    @property
    def _business(self) -> dict[str, str]:
        return {"X-Business": self.company_id}

    def _check_echo(self, answer: Answer) -> None:
        """Without the header Sage quietly takes the user's lead business; the echo says which it was."""
        echo = answer.headers.get("x-business", "")
        if echo and echo != self.company_id:
            raise Misdirected(
                f"Sage answered for organisation {echo}, not for the connected one.",
                status=answer.status,
                request_id=answer.headers.get("x-request-id", ""),
            )

    def _all(self, path: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """Every row of a list, once each, though a page may shift while it is read."""
        return list({row["id"]: row for page in self._pages(path, params) for row in page}.values())

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """A list page by page. A page past the end repeats the last one, so `$total` says when to stop."""
        for page in range(1, MOST_PAGES + 1):
            items, total = self._page(path, params, page, PAGE_SIZE)
            yield items
            if page * PAGE_SIZE >= total or not items:
                return
        raise TryLater(f"Sage's list at {path} has no end.")

    def _page(self, path: str, params: Mapping[str, str], page: int, size: int) -> tuple[list[dict[str, Any]], int]:
        paging = {"items_per_page": str(size), "page": str(page)}
        answer = self.wire.get(path, params={**params, **paging}, headers=self._business)
        self._check_echo(answer)
        items, total = items_of(answer), answer.body.get("$total", 0)
        if not isinstance(total, int):
            raise TryLater(f"Sage's list at {path} can't be read.")
        return items, total
