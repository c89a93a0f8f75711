"""Sage Intacct's JSON: the bodies we send, and the records its objects become; pure."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from json import loads
from typing import Any

from connectors.interface import (
    Fix,
    NewClient,
    NewInvoice,
    NewLine,
    Problem,
    Rejected,
    RemoteClient,
    RemoteInvoice,
    RemoteStatus,
)

Json = dict[str, Any]

CUSTOMER_ID_LIMIT = 20  # customer.id
CUSTOMER_NAME_LIMIT = 100  # customer.name
LINK_LIMIT = 500  # longer than any page of Intacct's; what is longer is left out
LABEL = "label/"  # before the id of an account label, which may read like that of a GL account
NO_TAX_LINE = "none"
STATUSES = {
    "draft": RemoteStatus.DRAFT,
    "posted": RemoteStatus.OPEN,
    "partiallyPaid": RemoteStatus.PART_PAID,
    "paid": RemoteStatus.PAID,
    "reversed": RemoteStatus.VOID,
    "reversal": RemoteStatus.VOID,
}


def customer_body(client: NewClient, key: str) -> Json:
    """The body of `POST /objects/accounts-receivable/customer` (OpenAPI accounts-receivable).

    Our reference is the customer ID where it is short enough, and never cut. Intacct keeps address and e-mail in
    contacts, objects of their own that a whole company shares: they are left to the people there.
    """
    fits = 1 <= len(client.reference) <= CUSTOMER_ID_LIMIT
    return {
        "id": client.reference if fits else f"RF-{key[:12].upper()}",
        "name": client.name[:CUSTOMER_NAME_LIMIT],
    }


def invoice_body(invoice: NewInvoice) -> Json:
    """The body of `POST /objects/accounts-receivable/invoice` (OpenAPI accounts-receivable).

    Without `state` it is posted; `draft` is the only state that may be named. Without `invoiceNumber` the document
    sequence numbers it. Raises Rejected where what would be sent is not the invoice's total.
    """
    lines = [_line_body(line, invoice) for line in invoice.lines]
    body = {
        "customer": {"id": invoice.client_id},
        "invoiceDate": invoice.issue_date.isoformat(),
        "dueDate": invoice.due_date.isoformat(),
        "referenceNumber": invoice.reference,
        **({"invoiceNumber": invoice.prefix + invoice.number} if invoice.number else {}),
        **({"state": "draft"} if invoice.is_draft else {}),
        **({"description": invoice.notes} if invoice.notes else {}),
        "currency": {"txnCurrency": invoice.currency},
        **_named(term=invoice.term_id, taxSolution=invoice.tax_solution_id),
        "lines": [*lines, *_tax_lines(invoice)],
    }
    _must_agree(body["lines"], invoice.total)
    return body


def _line_body(line: NewLine, invoice: NewInvoice) -> Json:
    """A line has an amount only: quantity, price and discount are said in its memo."""
    body = _posting(line.account_id, line.net, _memo(line), invoice)
    if invoice.tax_solution_id:
        body["taxEntries"] = [
            {"orderEntryTaxDetail": {"id": line.tax_rate_id}, "txnTaxAmount": f"{line.tax:.2f}"},
        ]
    return body


def _tax_lines(invoice: NewInvoice) -> Iterator[Json]:
    """Where no tax solution does it, the tax is posted by lines of its own: one for each account it goes to."""
    sums: dict[str, Decimal] = {}
    for line in () if invoice.tax_solution_id else invoice.lines:
        sums[line.tax_rate_id] = sums.get(line.tax_rate_id, Decimal(0)) + line.tax
    for account_id, tax in sums.items():
        if tax and account_id == NO_TAX_LINE:
            raise _refused(f"There is tax of {tax:.2f} on a rate without a tax line. Map it anew.", Fix.TAX_RATES)
        if tax:
            yield _posting(account_id, tax, "Tax", invoice)


def _posting(account_id: str, amount: Decimal, memo: str, invoice: NewInvoice) -> Json:
    label = account_id.removeprefix(LABEL)
    account = {"accountLabel": {"id": label}} if label != account_id else {"glAccount": {"id": account_id}}
    dimensions = _named(location=invoice.location_id, department=invoice.department_id)
    return {
        "txnAmount": f"{amount:.2f}",
        **account,
        "memo": memo,
        **({"dimensions": dimensions} if dimensions else {}),
    }


def _memo(line: NewLine) -> str:
    times = f"{_plain(line.quantity)} × {line.unit_price}" if line.quantity != 1 else ""  # noqa: RUF001
    less = f"less {line.discount}" if line.discount else ""
    detail = ", ".join(filter(None, (times, less)))
    return f"{line.description} ({detail})" if detail else line.description


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _named(**ids: str) -> Json:
    """References to what was chosen; a blank one is refused, so it is left out."""
    return {name: {"id": id} for name, id in ids.items() if id}


def _must_agree(lines: list[Json], total: Decimal) -> None:
    entries = [entry for line in lines for entry in line.get("taxEntries", ())]
    amounts = [line["txnAmount"] for line in lines] + [entry["txnTaxAmount"] for entry in entries]
    if (sent := sum(map(Decimal, amounts), Decimal(0))) != total:
        raise _refused(f"The lines come to {sent:.2f}, the invoice to {total:.2f}. Nothing was sent.", Fix.SUPPORT)


def _refused(message: str, fix: Fix) -> Rejected:
    return Rejected((Problem(message=message, meaning=message, fix=fix),))


def remote_invoice(row: Mapping[str, Any]) -> RemoteInvoice:
    """An invoice of theirs, whole or as a query shows it -> ours. Raises ValueError where it can't be read."""
    try:
        return RemoteInvoice(
            id=required(row, "key"),
            number="" if row.get("state") == "draft" else word(row, "invoiceNumber"),
            reference=word(row, "referenceNumber"),
            client_id=word(row, "customer.id"),
            client_name=word(row, "customer.name"),
            issue_date=date.fromisoformat(required(row, "invoiceDate")),
            total=Decimal(required(row, "totalTxnAmount")),
            url=_page(row),
            status=_status(row),
            outstanding=_due(row),
        )
    except ArithmeticError:
        raise ValueError("The invoice's total is no number.") from None


def _status(row: Mapping[str, Any]) -> RemoteStatus:
    """ "selected" is chosen for a payment that is not made yet, "noValue" has a total of 0: both go by what is due."""
    known = STATUSES.get(word(row, "state"))
    due, total = _due(row), Decimal(required(row, "totalTxnAmount"))
    if known or due is None:
        return known or RemoteStatus.OPEN
    return RemoteStatus.PAID if not due else RemoteStatus.PART_PAID if due < total else RemoteStatus.OPEN


def _due(row: Mapping[str, Any]) -> Decimal | None:
    """Nothing is due of a draft yet, whatever is told of it."""
    due = word(row, "totalTxnAmountDue")
    return Decimal(due) if due and word(row, "state") != "draft" else None


def unread(remote_id: str, invoice: NewInvoice) -> RemoteInvoice:
    """What we know of an invoice that Intacct has said no more of than its key."""
    return RemoteInvoice(
        id=remote_id,
        number="",
        reference=invoice.reference,
        client_id=invoice.client_id,
        issue_date=invoice.issue_date,
        total=invoice.total,
        is_read=False,
    )


def remote_client(row: Mapping[str, Any]) -> RemoteClient:
    return RemoteClient(id=required(row, "id"), name=word(row, "name"), reference=word(row, "id"))


def _page(row: Mapping[str, Any]) -> str:
    """The invoice's page in Intacct; anything that is not a web address is no link of ours."""
    url = word(row, "webURL")
    return url if url.startswith(("https://", "http://")) and len(url) <= LINK_LIMIT else ""


def required(row: Mapping[str, Any], path: str) -> str:
    if found := word(row, path):
        return found
    raise ValueError(f"There is no {path}.")


def word(row: Mapping[str, Any], path: str) -> str:
    """A query's rows are flat, with dotted names; an object's are nested (guide "Query")."""
    head, _, rest = path.partition(".")
    inner = row.get(head)
    found = row.get(path, inner.get(rest) if isinstance(inner, dict) else None)
    return "" if found is None else str(found)


def claims(token: str) -> Json:
    """What an access token says of itself: a JSON Web Token (guide "OAuth2"), {} where it can't be read.

    It came from the token address itself, so nobody's signature is in question.
    """
    part = [*token.split("."), "", ""][1]
    try:
        said = loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def claimed(said: Json, word: str) -> str:
    """The id under the claim whose name holds the word; no page of the platform names the claims themselves."""
    named = sorted((name for name in said if word in name.lower()), key=lambda name: "id" not in name.lower())
    return next((said[name] for name in named if isinstance(said[name], str) and said[name]), "")
