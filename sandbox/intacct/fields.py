"""Which fields an invoice, its lines and a customer have, what each takes, and what is wrong with a payload.

How long texts may be is an assumption.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Union

from sandbox.intacct.answers import Json, Problem, wrong
from sandbox.intacct.catalogue import DIMENSIONS

Check = Callable[[object], str]  # what is wrong with a value, empty when nothing is
Fields = Mapping[str, Union[Check, "Fields", Sequence["Fields"]]]
MONEY = re.compile(r"-?\d{1,12}(\.\d{1,2})?")
CURRENCY = re.compile(r"[A-Z]{3}")


def read_only(_value: object) -> str:
    return ""


def read_only_money(_value: object) -> str:
    return ""


def money(value: object) -> str:
    if isinstance(value, str) and MONEY.fullmatch(value):
        return ""
    return "must be a string with at most two decimals, such as “1250.00”"


def number(value: object) -> str:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return "" if is_number else "must be a number"


def flag(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def day(value: object) -> str:
    try:
        date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return "must be a date, such as 2026-10-01"
    return ""


def currency(value: object) -> str:
    return "" if isinstance(value, str) and CURRENCY.fullmatch(value) else "must be a currency code, such as GBP"


def text(limit: int = 100) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str):
            return "must be a string"
        return "" if len(value) <= limit else f"must have at most {limit} characters"

    return check


def one_of(*allowed: str) -> Check:
    return lambda value: "" if value in allowed else f"must be one of: {', '.join(allowed)}"


AUDIT: Fields = {"createdDateTime": read_only, "modifiedDateTime": read_only}
REFERENCE: Fields = {"key": text(), "id": text(), "name": read_only, "href": read_only}
ENTITY_REFERENCE: Fields = {"key": read_only, "id": read_only, "name": read_only, "href": read_only}
DOCUMENT: Fields = {"key": read_only, "id": read_only, "href": read_only}
TAX_ENTRY: Fields = {
    "key": read_only,
    "id": read_only,
    "baseTaxAmount": money,
    "txnTaxAmount": money,
    "taxRate": number,
    "orderEntryTaxDetail": REFERENCE,
}
LINE: Fields = {
    "key": read_only,
    "id": read_only,
    "href": read_only,
    "glAccount": REFERENCE,
    "overrideOffsetGLAccount": REFERENCE,
    "accountLabel": REFERENCE,
    "txnAmount": money,
    "baseAmount": read_only_money,
    "memo": text(1000),
    "allocation": REFERENCE,
    "lineNumber": read_only,
    "isSubtotal": read_only,
    "createdDate": read_only,
    "dimensions": {name: REFERENCE for name in (*DIMENSIONS, "task", "costType", "asset")},
    "taxEntries": [TAX_ENTRY],
}
CHANGED_LINE: Fields = {**LINE, "key": text(), "ia::operation": one_of("delete")}
_RATE: Fields = {"date": day, "rate": number, "typeId": text()}
_PAID: Fields = {
    "fullyPaidDate": read_only,
    "totalBaseAmountPaid": read_only_money,
    "totalTxnAmountPaid": read_only_money,
}
INVOICE: Fields = {
    **{name: read_only for name in ("key", "id", "href", "recordType", "moduleKey", "webURL", "dueInDays")},
    **{f"total{kind}Amount{due}": read_only_money for kind in ("Base", "Txn") for due in ("", "Due")},
    "invoiceNumber": text(45),
    "state": lambda value: "" if value == "draft" else "Not a valid state",
    "referenceNumber": text(120),
    "description": text(1000),
    "invoiceDate": day,
    "dueDate": day,
    "currency": {"baseCurrency": currency, "txnCurrency": currency, "exchangeRate": _RATE},
    "paymentInformation": _PAID,
    "contacts": {"payTo": REFERENCE, "returnTo": REFERENCE},
    "attachment": REFERENCE,
    "customer": REFERENCE,
    "term": REFERENCE,
    "taxSolution": REFERENCE,
    "salesDocument": DOCUMENT,
    "invoiceSummary": {"key": text(), "id": text(), "glPostingDate": day, "isSummaryOpen": read_only},
    "lines": [LINE],
    "entity": ENTITY_REFERENCE,
    "audit": AUDIT,
}
CHANGED_INVOICE: Fields = {**INVOICE, "state": read_only, "lines": [CHANGED_LINE]}
CUSTOMER: Fields = {
    **{name: read_only for name in ("key", "href", "webURL")},
    "id": text(20),
    "name": text(100),
    "status": one_of("active", "inactive"),
    "isOnHold": flag,
    "currency": currency,
    "creditLimit": money,
    "customerRestriction": read_only,
    "term": REFERENCE,
    "accountLabel": REFERENCE,
    "notes": text(1000),
    "contacts": {"default": {"id": text(), "printAs": text(), "email1": text(200)}},
    "entity": ENTITY_REFERENCE,
    "audit": AUDIT,
}


def problems_in(payload: Mapping[str, Any], fields: Fields, pointer: str = "") -> Iterator[Problem]:
    """Every field that is unknown, read-only or not what it should be; null is as good as left out."""
    for name, value in payload.items():
        target, node = f"{pointer}/{name}", _node(fields, name)
        if node is None:
            yield wrong(f"{name} is not a valid field", target, error_id="REST-1043")
        elif node in (read_only, read_only_money):
            text = f"{target} is a read-only field"
            yield Problem(text, target, "REST-1050", "readOnlyField", message_id="IA.READ_ONLY_FIELD")
        elif value is not None:
            yield from _problems_of(value, node, target)


def _problems_of(value: object, node: Any, target: str) -> Iterator[Problem]:
    if callable(node):
        message = node(value)
        if message:
            yield _about(message, target)
    elif isinstance(node, list):
        yield from _problems_of_items(value, node[0], target)
    elif not isinstance(value, dict):
        yield wrong(f"{target} must be an object", target)
    elif value.get("id") == "":
        yield wrong(f"{target}/id must not be blank. Leave the object out.", f"{target}/id")
    else:
        yield from problems_in(value, node, target)


def _problems_of_items(value: object, fields: Fields, target: str) -> Iterator[Problem]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        yield wrong(f"{target} must be an array of objects", target)
        return
    for index, each in enumerate(value):
        yield from problems_in(each, fields, f"{target}/{index}")


def _about(message: str, target: str) -> Problem:
    if message == "Not a valid state":
        return wrong(message, target, correction="State must be draft or not included in the request.")
    return wrong(f"{target} {message}", target)


def leaf(fields: Fields, path: str) -> object | None:
    """What a dotted path leads to; None when it leads nowhere."""
    node: Any = fields
    for name in path.split("."):
        node = _node(node, name) if isinstance(node, Mapping) else None
    return node if callable(node) else None


def _node(fields: Fields, name: str) -> Any:
    """A user-defined dimension has a name of the company's own."""
    if name.startswith("nsp::") and "location" in fields:
        return REFERENCE
    return fields.get(name)


def required(payload: Json, names: Sequence[str], pointer: str = "") -> Iterator[Problem]:
    for name in names:
        if payload.get(name) in (None, "", {}, []):
            yield wrong(f"{name} is a required field", f"{pointer}/{name}", error_id="REST-1031")
