"""Records as the API shows them: nested for a single one, flat rows with dotted names for a query."""

import json
from collections.abc import Mapping
from typing import Any

from flask import request

from sandbox.context import sandbox
from sandbox.intacct.answers import Json
from sandbox.intacct.kinds import INVOICE, INVOICE_LINE


def public(kind: str, record: Json) -> Json:
    """The whole record, less what is meant to stay inside; an invoice comes without its subtotal lines."""
    shown = {name: value for name, value in record.items() if not name.startswith("_")}
    shown["href"] = f"/objects/{kind}/{record['key']}"
    if kind != INVOICE:
        return shown
    shown["webURL"] = page_of(record["key"])
    shown["currency"] = _with_rate(record["currency"])
    shown["lines"] = [each for each in record["lines"] if each["isSubtotal"] is None]
    return shown


def public_line(invoice: Json, line: Json) -> Json:
    return {**line, "href": f"/objects/{INVOICE_LINE}/{line['key']}", "invoice": public(INVOICE, invoice)}


def page_of(key: str) -> str:
    root = sandbox().config.public_url or request.host_url.rstrip("/")
    return f"{root}/intacct/invoices/{key}"


def value_at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _with_rate(currency: Json) -> Json:
    """A rate is a JSON number at Intacct; money is not."""
    exchange = currency["exchangeRate"]
    return {**currency, "exchangeRate": {**exchange, "rate": json.loads(exchange["rate"])}}
