"""Intacct's books as one JSON answer, and the conditions that tests and demos set in them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.context import sandbox
from sandbox.intacct.answers import Json, Refused, invalid_payload, not_found, wrong
from sandbox.intacct.books import Books
from sandbox.intacct.by_hand import DEEDS
from sandbox.intacct.catalogue import COMPANIES, DIMENSIONS, Company, find_company
from sandbox.intacct.fields import Check, day, flag, one_of
from sandbox.intacct.kinds import ACCOUNT, CUSTOMER, ENTITY, INVOICE

# What a condition may change in a record; `requireDimensions` has the names of dimensions inside.
CUSTOMER_FIELDS: Mapping[str, Check] = {"status": one_of("active", "inactive"), "isOnHold": flag}
ACCOUNT_FIELDS: Mapping[str, Check] = {"status": one_of("active", "inactive"), "disallowDirectPosting": flag}


def books_report() -> Json:
    settings = sandbox().switchboard.settings_of("intacct")
    return {"settings": settings, "companies": [_company_report(each) for each in COMPANIES]}


def change_books(given: Any) -> Json:
    """Raises Refused."""
    orders = dict(given) if isinstance(given, dict) else {}
    company = find_company(orders.pop("company", COMPANIES[0].id))
    if company is None or not isinstance(given, dict):
        raise _refused("There is no such company in this sandbox", "/company")
    books = Books(sandbox().store, company.id)
    with sandbox().store.transaction():
        for name, value in orders.items():
            _change(books, name, value)
    return _company_report(company)


def invoice_report(invoice: Json) -> Json:
    """As stored, subtotal lines included; what is inside comes under plain names."""
    shown = {name: value for name, value in invoice.items() if not name.startswith("_")}
    inside = {name: invoice.get(f"_{name}") for name in ("payments", "idempotency_key", "reversed")}
    return {**shown, **inside}


def _company_report(company: Company) -> Json:
    books = Books(sandbox().store, company.id)
    entities = {each["id"]: each["openBooksStartDate"] for each in books.all(ENTITY)}
    return {
        "id": company.id,
        "name": company.name,
        "conditions": {**books.conditions().document(), "entities_open_books_start": entities},
        "invoices": [invoice_report(each) for each in books.all(INVOICE)],
        "customers": books.all(CUSTOMER),
    }


def _change(books: Books, name: str, value: Any) -> None:
    """Raises Refused."""
    if name in ("use_account_labels", "client_authorised", "may_change"):
        _check(flag, value, f"/{name}")
        books.set_conditions(replace(books.conditions(), **{name: value}))
    elif name in CHANGES and isinstance(value, dict):
        CHANGES[name](books, value)
    else:
        raise _refused(f"{name} is not a condition of these books", f"/{name}")


def _change_customer(books: Books, given: Json) -> None:
    record = _found(books, CUSTOMER, given)
    books.put(CUSTOMER, {**record, **_checked(given, CUSTOMER_FIELDS)}, sandbox().now())


def _change_account(books: Books, given: Json) -> None:
    record = _found(books, ACCOUNT, given)
    required = _checked(given.get("requireDimensions") or {}, dict.fromkeys(DIMENSIONS, flag))
    rest = {name: value for name, value in given.items() if name != "requireDimensions"}
    needed = {**record["requireDimensions"], **required}
    books.put(ACCOUNT, {**record, **_checked(rest, ACCOUNT_FIELDS), "requireDimensions": needed}, sandbox().now())


def _open_books(books: Books, given: Json) -> None:
    _check(day, given.get("date"), "/open_books_start/date")
    if not given.get("entity"):
        books.set_conditions(replace(books.conditions(), open_books_start=given["date"]))
        return
    entity = _found(books, ENTITY, {"id": given["entity"]})
    books.put(ENTITY, {**entity, "openBooksStartDate": given["date"]}, sandbox().now())


def _change_invoice(books: Books, given: Json) -> None:
    """{"key": "5001", "pay": {"amount": "10.00"}}: a deed and what it takes; true takes nothing."""
    for deed, details in given.items():
        if deed == "key":
            continue
        if deed not in DEEDS:
            raise _refused(f"Known deeds: {', '.join(DEEDS)}", f"/invoice/{deed}")
        DEEDS[deed](books, str(given.get("key")), details if isinstance(details, dict) else {}, sandbox().now())


CHANGES = {
    "customer": _change_customer,
    "account": _change_account,
    "open_books_start": _open_books,
    "invoice": _change_invoice,
}


def _checked(given: Mapping[str, Any], known: Mapping[str, Check]) -> Json:
    """Raises Refused."""
    values = {name: value for name, value in given.items() if name not in ("id", "key")}
    for name, value in values.items():
        if name not in known:
            raise _refused(f"{name} is not a condition of these books", f"/{name}")
        _check(known[name], value, f"/{name}")
    return values


def _check(check: Check, value: object, target: str) -> None:
    """Raises Refused."""
    problem = check(value)
    if problem:
        raise _refused(f"{target} {problem}", target)


def _found(books: Books, kind: str, given: Json) -> Json:
    """Raises Refused."""
    record = books.find_id(kind, given["id"]) if "id" in given else books.get(kind, given.get("key"))
    if record is None:
        raise not_found(kind, str(given.get("id") or given.get("key")))
    return record


def _refused(message: str, target: str) -> Refused:
    return invalid_payload([wrong(message, target)])
