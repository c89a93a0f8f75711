"""Sage Intacct (REST API v1): one company in it, or one entity of that company, and the calls we make there.

The token says which company it is; the entity goes with every call as `X-IA-API-Param-Entity`, also into the parts of a
composite request. Without it a call works at the top level, where an entity's own records show only when asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import ClassVar, TypeVar
from urllib.parse import quote

from connectors.http import Answered, Bearer, Heard, MayLeave, Meanwhile, Wire
from connectors.interface import (
    Changes,
    Company,
    DocumentKind,
    Entry,
    NewClient,
    NewInvoice,
    PlatformError,
    Problem,
    Rejected,
    RemoteClient,
    RemoteInvoice,
    RemoteStatus,
    TryLater,
)
from connectors.options import (
    ACCOUNT_LABELS,
    BOTH_WAYS,
    CODES_PER_LINE,
    CREATE_AS,
    DEPARTMENT,
    LOCATION,
    PLATFORM_NUMBERS,
    READ_BACK,
    SEND_ON_APPROVAL,
    SYNC_EVERY,
    SYNC_FROM,
    TAX_SOLUTION,
    TERM,
    Kind,
    Options,
    Setting,
)
from connectors.sage_intacct.answers import created, reference, results, seen
from connectors.sage_intacct.catalogue import LISTS, is_true, listing
from connectors.sage_intacct.changes import INVOICES, REVERSAL, Books, changed
from connectors.sage_intacct.query import PAGE_SIZE, Query, all_rows, ask
from connectors.sage_intacct.refusals import DIALECT, VOIDING
from connectors.sage_intacct.shapes import (
    Json,
    claimed,
    claims,
    customer_body,
    invoice_body,
    remote_client,
    remote_invoice,
)

CUSTOMERS = Query(object="accounts-receivable/customer", fields=("id", "name"), any_of=True, any_case=True)
ENTITIES = Query(object="company-config/entity", fields=("id", "name", "isRoot"))
OPENING = replace(ENTITIES, fields=("id", "isRoot", "openBooksStartDate"))
Read = TypeVar("Read")


@dataclass(slots=True, kw_only=True)
class SageIntacct:
    """One company, "HARBOUR", or an entity of it, "HARBOUR|LDN". `company_id` is empty only while it is chosen."""

    platform: ClassVar[str] = "sage_intacct"
    brand: ClassVar[str] = "Sage"
    label: ClassVar[str] = "Sage Intacct"
    scope: ClassVar[str] = "offline_access"
    authorize_extra: ClassVar[dict[str, str]] = {}
    username_form: ClassVar[str] = "user@company or user@company|entity"
    revocation: ClassVar[str] = (
        "Revoking ends every token that Intacct has given to this user in this company, those of other programs too: "
        "let Reflow have a user of its own."
    )
    kinds: ClassVar[frozenset[DocumentKind]] = frozenset({DocumentKind.INVOICE})  # no fact yet says how it takes others
    prefix_limit: ClassVar[int] = 20  # our whole number is the reference too, 25 characters
    key_life: ClassVar[timedelta] = timedelta(hours=48)  # guide "Bulk requests", Idempotency
    lanes: ClassVar[int] = 4  # the smallest tier allows an application 6 calls at once (page "Transaction volume")
    batch_size: ClassVar[int] = 25
    void_effect: ClassVar[str] = "Intacct reverses it: an entry of today takes it back, and it stays there as Reversed."
    reason_limit: ClassVar[int] = 200  # no page says how long the memo of a reversal may be
    opens_by_day: ClassVar[bool] = False  # a subledger can be closed by itself
    lists: ClassVar[frozenset[Kind]] = frozenset(LISTS)
    settings: ClassVar[tuple[Setting, ...]] = (
        CREATE_AS,
        SEND_ON_APPROVAL,
        PLATFORM_NUMBERS,
        LOCATION,
        DEPARTMENT,
        TERM,
        ACCOUNT_LABELS,
        TAX_SOLUTION,
        CODES_PER_LINE,
        BOTH_WAYS,
        READ_BACK,
        SYNC_EVERY,
        SYNC_FROM,
    )

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

    @classmethod
    def objections(cls, client: NewClient, tax_rate_ids: set[str]) -> tuple[Problem, ...]:
        return ()

    @property
    def items(self) -> None:
        """A line of Accounts Receivable names an account, no product."""
        return None

    def companies(self) -> tuple[Company, ...]:
        """The company that the token names, and its entities where it works in all of them (guide "OAuth2")."""
        said = claims(self.bearer(""))
        company, entity = claimed(said, "company"), claimed(said, "entity")
        if not company:
            message = "Intacct's token does not say which company it is for."
            raise Rejected((Problem(message=message, meaning=f"{message} Please tell support."),))
        if entity:
            return (Company(id=f"{company}|{entity}", name=f"{company}, entity {entity}"),)
        entities = [row for row in self._rows(ENTITIES) if not is_true(row, "isRoot")]
        top = Company(id=company, name=f"{company} (top level)" if entities else company)
        return (top, *(Company(id=f"{company}|{row['id']}", name=f"{row['name']} ({row['id']})") for row in entities))

    def catalogue(self, kind: Kind) -> tuple[Entry, ...]:
        wanted = listing(kind, self.options)
        rows = self._rows(wanted.query)
        try:
            return wanted.entries(rows)
        except ArithmeticError:
            raise TryLater(f"Intacct's list of {wanted.query.object} can't be read.") from None

    def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
        """By ID, else by name, whatever the case. Inactive ones too: whether to use one is for a person to say."""
        for trait, value in (("id", client.reference), ("name", client.name)):
            found = self._customers({"$eq": {trait: value}}) if value else ()
            if same := tuple(one for one in found if _same(getattr(one, trait), value)):
                return same
        return ()

    def search_clients(self, text: str) -> tuple[RemoteClient, ...]:
        return self._customers({"$contains": {"name": text}}, {"$contains": {"id": text}})

    def gone_clients(self, client_ids: Sequence[str], since: datetime) -> frozenset[str]:
        """Those that a query does not find any more, and inactive ones."""
        query = replace(CUSTOMERS, fields=("id", "status"), any_of=False, any_case=False)
        wanted = ({"$in": {"id": list(some)}} for some in _some(client_ids))
        rows = [row for one in wanted for row in self._rows(replace(query, filters=(one,)))]
        return frozenset(client_ids) - {str(row["id"]) for row in rows if row.get("status") in {"active", None}}

    def _customers(self, *any_of: Json) -> tuple[RemoteClient, ...]:
        return _readable(remote_client, self._rows(replace(CUSTOMERS, filters=any_of)))

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        """`POST /objects/accounts-receivable/customer`: its ID may be another than sent, where Intacct numbers them."""
        headers = {**self._entity, "Idempotency-Key": key}
        answer = self.wire.post(f"/objects/{CUSTOMERS.object}", body=customer_body(client, key), headers=headers)
        made = reference(answer)
        return RemoteClient(id=str(made.get("id") or made["key"]), name=client.name)

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        """One by a composite request, which also reads its number; several as an array (guide "Bulk requests")."""
        bodies = [_body(invoice) for invoice in invoices]
        going = [(invoice, body) for invoice, body in zip(invoices, bodies, strict=True) if isinstance(body, dict)]
        made = iter(self._create(going, key))
        return tuple(next(made) if isinstance(body, dict) else body for body in bodies)

    def _create(self, going: Sequence[tuple[NewInvoice, Json]], key: str) -> Sequence[RemoteInvoice | PlatformError]:
        if not going:
            return ()
        if len(going) == 1:
            return (self._create_one(*going[0], key),)
        headers = {**self._entity, "Idempotency-Key": key}
        answer = self.wire.post(f"/objects/{INVOICES.object}", body=[body for _, body in going], headers=headers)
        parts = results(answer, len(going))
        return [created(part, invoice) for (invoice, _), part in zip(going, parts, strict=True)]

    def _create_one(self, invoice: NewInvoice, body: Json, key: str) -> RemoteInvoice | PlatformError:
        """Two requests in one round trip: the create answers with a key only, the read behind it with the number."""
        create = {
            "method": "POST",
            "path": f"/objects/{INVOICES.object}",
            "headers": {**self._entity, "Idempotency-Key": key},
            "body": body,
            "resultReference": "inv",
        }
        read = {"method": "GET", "path": f"/objects/{INVOICES.object}/@{{inv.1.key}}", "headers": self._entity}
        answer = self.wire.post("/services/core/composite", body=[create, read], headers=self._entity)
        first, second = results(answer, 2)
        made = created(first, invoice)
        return made if isinstance(made, PlatformError) else seen(made, second)

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        rows = self._invoices({"$eq": {"referenceNumber": invoice.reference}})
        return _readable(remote_invoice, [row for row in rows if row.get("referenceNumber") == invoice.reference])

    def find_number(self, number: str, client_id: str) -> tuple[RemoteInvoice, ...]:
        """Drafts too, which show no number as ours: theirs may be the one that is in the way."""
        rows = self._invoices({"$eq": {"invoiceNumber": number}}, any_case=True)
        return _readable(remote_invoice, [row for row in rows if _same(str(row.get("invoiceNumber")), number)])

    def find_numbers(self, numbers: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        return _readable(remote_invoice, self._invoices({"$in": {"invoiceNumber": list(numbers)}}, any_case=True))

    def open_from(self) -> date | None:
        """An entity's `openBooksStartDate` (OpenAPI, company-config/entity); at the top level that of the root."""
        wanted = self.company_id.partition("|")[2]
        rows = (row for row in self._rows(OPENING) if (row["id"] == wanted if wanted else is_true(row, "isRoot")))
        days = _readable(
            lambda row: date.fromisoformat(str(row["openBooksStartDate"])),
            [row for row in rows if row.get("openBooksStartDate")],
        )
        return max(days, default=None)

    def next_number(self) -> str:
        return ""

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        return changed(Books(page=self._page, rows=self._rows, objects=self._objects), cursor, since)

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        """A deletion shows nowhere (guide "Query"): those are gone that a query does not find any more."""
        query = replace(INVOICES, fields=("key", "id"))
        rows = [row for some in _some(remote_ids) for row in self._rows(replace(query, filters=(_keyed(some),)))]
        return frozenset(remote_ids) - {str(row.get("key")) for row in rows}

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        """By one query for each 2,000: a transaction as Intacct counts them (page "Transaction volume")."""
        rows = [row for some in _some(remote_ids) for row in self._invoices(_keyed(some))]
        return _readable(remote_invoice, rows)

    def void_invoice(self, invoice: RemoteInvoice, reason: str, on: date) -> None:
        """A draft is deleted; a posted one reversed (`workflows/accounts-receivable/invoice/reverse`, OpenAPI)."""
        wire = replace(self.wire, dialect=VOIDING)
        if invoice.status is RemoteStatus.DRAFT:
            wire.delete(f"/objects/{INVOICES.object}/{quote(invoice.id, safe='')}", headers=self._entity)
            return
        body = {"key": invoice.id, "reversedDate": max(on, invoice.issue_date).isoformat(), "memo": reason}
        reference(wire.post(f"/workflows/{INVOICES.object}/reverse", body=body, headers=self._entity))

    def _invoices(self, wanted: Json, *, any_case: bool = False) -> list[Json]:
        rows = self._rows(replace(INVOICES, filters=(wanted,), any_case=any_case))
        return [row for row in rows if row.get("state") != REVERSAL]

    @property
    def _entity(self) -> dict[str, str]:
        entity = self.company_id.partition("|")[2]
        return {"X-IA-API-Param-Entity": entity} if entity else {}

    def _rows(self, query: Query) -> list[Json]:
        return all_rows(self.wire, replace(query, private=not self._entity), self._entity)

    def _page(self, query: Query, start: int, size: int) -> tuple[list[Json], int]:
        rows, meta = ask(self.wire, replace(query, private=not self._entity), self._entity, start, size)
        total = meta.get("totalCount")
        if not isinstance(total, int):
            raise TryLater(f"Intacct does not say how many of {query.object} there are.")
        return rows, total

    def _objects(self, keys: Sequence[str]) -> list[Json]:
        """Up to 500 invoices whole (guide "Bulk requests"); none of them where one has just been deleted."""
        try:
            answer = self.wire.get(f"/objects/{INVOICES.object}/{','.join(keys)}", params={}, headers=self._entity)
        except Rejected as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise
            return []
        found = answer.body.get("ia::result") if isinstance(answer.body, dict) else None
        return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _some(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as one query finds on its first page."""
    return (keys[first : first + PAGE_SIZE] for first in range(0, len(keys), PAGE_SIZE))


def _keyed(keys: Sequence[str]) -> Json:
    return {"$in": {"key": list(keys)}}


def _readable(shape: Callable[[Json], Read], rows: Sequence[Json]) -> tuple[Read, ...]:
    try:
        return tuple(map(shape, rows))
    except ValueError:
        raise TryLater("Intacct's answer can't be read.") from None


def _body(invoice: NewInvoice) -> Json | Rejected:
    try:
        return invoice_body(invoice)
    except Rejected as refused:
        return refused


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
