"""The model service: which fields a kind of record has, and what may be done to it."""

from collections.abc import Mapping

from sandbox.intacct import fields
from sandbox.intacct.answers import Json, by_status
from sandbox.intacct.calls import Answer, Call, count_transaction
from sandbox.intacct.kinds import CUSTOMER, INVOICE, KINDS
from sandbox.intacct.setting import setting

METHODS = {INVOICE: "GET,POST,PATCH,DELETE", CUSTOMER: "GET,POST,PATCH"}
KNOWN: Mapping[str, fields.Fields] = {INVOICE: fields.INVOICE, CUSTOMER: fields.CUSTOMER}


def perform(call: Call) -> Answer:
    """Raises Refused."""
    kind = call.query.get("name", "")
    if kind not in KINDS:
        raise by_status(404)
    count_transaction()
    result = {
        "fields": {name: _field(node) for name, node in KNOWN.get(kind, {}).items() if callable(node)},
        "httpMethods": METHODS.get(kind, "GET"),
        "idempotenceSupported": kind in METHODS and setting("idempotency") == "on",
        "type": "rootObject",
        "name": kind,
    }
    return Answer(result=result)


def _field(node: object) -> Json:
    """Intacct says of every field that it isn't required."""
    read_only = node in (fields.read_only, fields.read_only_money)
    money = node in (fields.money, fields.read_only_money)
    return {"readOnly": read_only, "mutable": not read_only, "required": False, "type": "string"} | (
        {"format": "decimal-precision-2"} if money else {}
    )
