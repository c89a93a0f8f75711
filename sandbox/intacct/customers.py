"""Customers as an application makes and changes them."""

from datetime import datetime

from sandbox.intacct import catalogue, fields, kinds
from sandbox.intacct.answers import Json, failed, invalid_payload, not_found
from sandbox.intacct.books import Books
from sandbox.intacct.invoice_reading import check_shape
from sandbox.intacct.numbering import duplicate
from sandbox.intacct.references import Desk, reference


def create(books: Books, payload: Json, now: datetime) -> Json:
    """An id that isn't sent is made up, as where a customer sequence is set up. Raises Refused."""
    check_shape(payload, fields.CUSTOMER)
    problems = list(fields.required(payload, ("name",)))
    if problems:
        raise invalid_payload(problems)
    id = payload.get("id") or _next_id(books)
    if books.at("").find_id(kinds.CUSTOMER, id) is not None:
        raise duplicate("Customer", id)
    checked = _checked(books, payload, "POST")
    return books.add(kinds.CUSTOMER, {**catalogue.customer(id, payload["name"]), **checked, "id": id}, now)


def change(books: Books, key: str, patch: Json, now: datetime) -> Json:
    """Raises Refused."""
    customer = books.get(kinds.CUSTOMER, key)
    if customer is None:
        raise not_found(kinds.CUSTOMER, key)
    check_shape(patch, {**fields.CUSTOMER, "id": fields.read_only})
    return books.put(kinds.CUSTOMER, {**customer, **_checked(books, patch, "PATCH")}, now)


def _checked(books: Books, payload: Json, method: str) -> Json:
    """What is sent, its references looked up. Raises Refused."""
    desk = Desk(books)
    read = {name: value for name, value in payload.items() if value is not None}
    for name, kind, message in (
        ("term", kinds.TERM, "Term '{}' is not valid."),
        ("accountLabel", kinds.LABEL, "Account label '{}' is not valid."),
    ):
        if name in read:
            read[name] = reference(desk.find_active(kind, read[name], f"/{name}", message))
    if desk.problems:
        raise failed(method, kinds.CUSTOMER, desk.problems)
    return read


def _next_id(books: Books) -> str:
    taken = True
    while taken:
        id = f"CUST-{books.take('customer', 11):03}"
        taken = books.at("").find_id(kinds.CUSTOMER, id) is not None
    return id
