"""Sage Accounting (API v3.1), whole: what we send, what it answers, what it complains of.

Sources are pages under developer.sage.com/accounting and the published Swagger of v3.1; decimals go as strings
(guide "Invoicing"), `X-Business` goes with every call and its echo is checked (guide "Best practices").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.http import Answer, Bearer, Wire
from connectors.interface import (
    Company,
    Entry,
    Fix,
    Kind,
    Misdirected,
    NewClient,
    NewInvoice,
    NewLine,
    OutcomeUnknown,
    Problem,
    RemoteClient,
    RemoteInvoice,
    TryLater,
)

PAGE_SIZE = 200  # the most `items_per_page` takes
MOST_PAGES = 500
REFERENCE_LIMIT = 10  # Contact.reference
NAME_LIMIT = 100  # Contact.name
PERSON_LIMIT = 50  # ContactPerson.name

LISTS: Mapping[Kind, tuple[str, dict[str, str]]] = {
    Kind.SALES_ACCOUNTS: ("/ledger_accounts", {"visible_in": "sales", "attributes": "nominal_code,name"}),
    Kind.PURCHASE_ACCOUNTS: (
        "/ledger_accounts",
        {"visible_in": "expenses", "attributes": "nominal_code,name"},
    ),
    Kind.TAX_RATES: ("/tax_rates", {"usage": "sales", "attributes": "name,percentage"}),
}
# What Sage says ("field code message") -> what it means to the person, and where it is mended; first fit wins.
# Fields and texts: guides "Frequently raised errors", "Access rights", "Best practices", "Invoicing".
MEANINGS: tuple[tuple[str, str, Fix], ...] = (
    (r"^invoice_number\b|number.*(taken|exists|in use)", "An invoice in Sage has this number already.", Fix.NUMBER),
    (r"ledger_account", "Sage does not take the nominal code of a line.", Fix.SALES_ACCOUNT),
    (r"tax_rate|tax_amount", "Sage does not take the tax of a line.", Fix.TAX_RATES),
    (r"contact|customer|address", "Sage does not take the client as its customer.", Fix.CLIENT),
    (r"^(due_)?date\b|start date|lockdown|locked|period", "Sage's books are not open for this date.", Fix.INVOICE),
    (r"^(reference|notes)\b", "A text of the invoice is not what Sage takes.", Fix.INVOICE),
    (r"subscription", "The organisation in Sage has no active subscription.", Fix.PLATFORM),
    (r"MultiUserAccessDenied", "The Sage user who authorised may not do this in Sage.", Fix.PLATFORM),
)
CUSTOMERS = {"contact_type_id": "CUSTOMER", "attributes": "name,reference,email"}
INVOICE_ATTRIBUTES = "invoice_number,reference,contact,date,total_amount,links"


@dataclass(slots=True, kw_only=True)
class SageAccounting:
    """One business in Sage Accounting. `company_id` is empty only while it is being chosen."""

    platform: ClassVar[str] = "sage_accounting"
    brand: ClassVar[str] = "Sage"
    label: ClassVar[str] = "Sage Accounting"
    scope: ClassVar[str] = "full_access"
    authorize_extra: ClassVar[dict[str, str]] = {"filter": "apiv3.1"}
    prefix_limit: ClassVar[int] = 6
    key_life: ClassVar[timedelta] = timedelta(days=7)  # guide "Idempotency"
    lanes: ClassVar[int] = 1  # "do not POST in parallel", guide "Best practices", Concurrency

    api_url: str
    bearer: Bearer = field(repr=False)
    deadline: timedelta
    company_id: str = ""
    push: str = ""
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(
            api_url=self.api_url,
            bearer=self.bearer,
            complaints=complaints,
            deadline=self.deadline,
            push=self.push,
        )

    def companies(self) -> tuple[Company, ...]:
        """`GET /businesses`: all of them stand on one page."""
        answer = self.wire.get("/businesses", params={}, headers={})
        return tuple(Company(id=row["id"], name=_name(row)) for row in _items(answer))

    def catalogue(self, kind: Kind) -> tuple[Entry, ...]:
        path, params = LISTS[kind]
        try:
            return tuple(_entry(row) for row in self._all(path, params))
        except ArithmeticError:
            raise TryLater(f"Sage's list at {path} can't be read.") from None

    def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
        """`GET /contacts`: how `search` matches is not documented, so each candidate is compared here."""
        ours = {"reference": client.reference, "email": client.email, "name": client.name}
        for trait, value in ours.items():
            parameter = "email" if trait == "email" else "search"
            rows = self._all("/contacts", {**CUSTOMERS, parameter: value}) if value else []
            found = tuple(one for one in map(_client, rows) if _same(getattr(one, trait), value))
            if found:
                return found
        return ()

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        answer = self._post("/contacts", {"contact": contact_body(client, key)})
        return _client(_object(answer))

    def create_invoice(self, invoice: NewInvoice, key: str) -> RemoteInvoice:
        """`POST /sales_invoices` without a status: final, shown as Created, its number and id in the answer."""
        answer = self._post("/sales_invoices", {"sales_invoice": invoice_body(invoice, key)})
        return remote_invoice(_object(answer))

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        """By reference, then by client and date: what `search` matches is not documented, so both are asked."""
        by_reference = {"search": invoice.reference}
        day = invoice.issue_date.isoformat()
        by_client = {"contact_id": invoice.client_id, "from_date": day, "to_date": day}
        for params in (by_reference, by_client):
            rows = self._all("/sales_invoices", {**params, "attributes": INVOICE_ATTRIBUTES})
            found = tuple(remote_invoice(row) for row in rows if row.get("reference") == invoice.reference)
            if found:
                return found
        return ()

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
        """Every row of a list. A page past the end repeats the last one, so `$total` says when to stop."""
        rows: dict[str, dict[str, Any]] = {}
        for page in range(1, MOST_PAGES + 1):
            paging = {"items_per_page": str(PAGE_SIZE), "page": str(page)}
            answer = self.wire.get(path, params={**params, **paging}, headers=self._business)
            self._check_echo(answer)
            items = _items(answer)
            rows |= {row["id"]: row for row in items}
            total = answer.body.get("$total", 0)
            if not isinstance(total, int):
                raise TryLater(f"Sage's list at {path} can't be read.")
            if page * PAGE_SIZE >= total or not items:
                return list(rows.values())
        raise TryLater(f"Sage's list at {path} has no end.")


def contact_body(client: NewClient, key: str) -> dict[str, Any]:
    """The body of `POST /contacts` (Swagger postContacts); a reference over 10 characters is left out."""
    body: dict[str, Any] = {
        "idempotency_id": key,
        "name": client.name[:NAME_LIMIT],
        "contact_type_ids": ["CUSTOMER"],
        "main_address": {
            "address_line_1": client.address_line_1,
            "address_line_2": client.address_line_2,
            "city": client.city,
            "postal_code": client.postal_code,
            "country_id": client.country,
        },
    }
    if client.reference and len(client.reference) <= REFERENCE_LIMIT:
        body["reference"] = client.reference
    if client.email:
        body["main_contact_person"] = {"name": client.name[:PERSON_LIMIT], "email": client.email}
    return body


def invoice_body(invoice: NewInvoice, key: str) -> dict[str, Any]:
    """The body of `POST /sales_invoices` (Swagger postSalesInvoices; `idempotency_id` from guide "Idempotency")."""
    return {
        "idempotency_id": key,
        "contact_id": invoice.client_id,
        "date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "invoice_number_prefix": invoice.prefix,
        "invoice_number": invoice.number,
        "reference": invoice.reference,
        "notes": invoice.notes,
        "currency_id": invoice.currency,
        "net_amount": str(invoice.net),
        "tax_amount": str(invoice.tax),
        "total_amount": str(invoice.total),
        "invoice_lines": [_line_body(line) for line in invoice.lines],
    }


def _line_body(line: NewLine) -> dict[str, Any]:
    """Sage does not work out line tax: it is sent, two places, with the sums it belongs to (guide "Invoicing")."""
    return {
        "description": line.description,
        "ledger_account_id": line.account_id,
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price),
        "discount_amount": str(line.discount),
        "net_amount": str(line.net),
        "tax_rate_id": line.tax_rate_id,
        "tax_amount": str(line.tax),
        "total_amount": str(line.total),
    }


def remote_invoice(row: Mapping[str, Any]) -> RemoteInvoice:
    """A sales invoice of theirs -> ours. Raises OutcomeUnknown where its id is missing: then only a look tells."""
    try:
        return RemoteInvoice(
            id=row["id"],
            number=row.get("invoice_number") or "",
            reference=row.get("reference") or "",
            client_id=(row.get("contact") or {}).get("id", ""),
            issue_date=date.fromisoformat(row["date"]),
            total=Decimal(str(row["total_amount"])),
            url=_page(row),
        )
    except (KeyError, ValueError, ArithmeticError, TypeError, AttributeError):
        raise OutcomeUnknown("Sage's answer does not show the invoice.", status=200) from None


def _page(row: Mapping[str, Any]) -> str:
    """The invoice's page in Sage; anything that is not a web address is no link of ours."""
    hrefs = [str(link.get("href", "")) for link in row.get("links") or []]
    return next((href for href in hrefs if href.startswith(("https://", "http://"))), "")


def complaints(body: Any) -> tuple[Problem, ...]:
    """Sage's error body is an array of objects (guide "Frequently raised errors"); anything else is not Sage's."""
    if not isinstance(body, list) or not all(isinstance(row, dict) and "$message" in row for row in body):
        return ()
    return tuple(
        _problem(str(row["$message"]), str(row.get("$dataCode") or ""), str(row.get("$source") or "")) for row in body
    )


def _problem(message: str, code: str, field: str) -> Problem:
    """Sage's words with what they mean to a person, from the first row of MEANINGS that fits."""
    for pattern, meaning, fix in MEANINGS:
        if re.search(pattern, f"{field} {code} {message}", re.IGNORECASE):
            return Problem(message=message, code=code, field=field, meaning=meaning, fix=fix)
    return Problem(message=message, code=code, field=field, meaning="Sage did not accept it.", fix=Fix.SUPPORT)


def _entry(row: Mapping[str, Any]) -> Entry:
    percentage = row.get("percentage")
    return Entry(
        id=row["id"],
        name=row.get("name") or row.get("displayed_as") or "",
        code=str(row.get("nominal_code") or ""),
        percentage=None if percentage is None else Decimal(str(percentage)),
    )


def _client(row: Mapping[str, Any]) -> RemoteClient:
    return RemoteClient(
        id=row["id"],
        name=_name(row),
        reference=row.get("reference") or "",
        email=row.get("email") or "",
    )


def _name(row: Mapping[str, Any]) -> str:
    return row.get("name") or row.get("displayed_as") or ""


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _items(answer: Answer) -> list[dict[str, Any]]:
    items = answer.body.get("$items") if isinstance(answer.body, dict) else None
    if not isinstance(items, list) or not all(isinstance(row, dict) and row.get("id") for row in items):
        raise TryLater("Sage's answer is not a list.", status=answer.status)
    return items


def _object(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer.body, dict) or not answer.body.get("id"):
        raise OutcomeUnknown("Sage's answer does not say what it wrote.", status=answer.status)
    return answer.body
