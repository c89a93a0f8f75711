"""Reads an invoice that was sent: first its shape, then what it says against the books."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.intacct import fields, kinds
from sandbox.intacct.answers import Json, failed, invalid_payload
from sandbox.intacct.books import Books
from sandbox.intacct.catalogue import BASE_CURRENCY
from sandbox.intacct.fields import problems_in, required
from sandbox.intacct.line_reading import read_line
from sandbox.intacct.references import Desk, reference
from sandbox.intacct.sums import money_text, total_of

PASSED_ON = ("contacts", "attachment")
DAILY_RATES = {"EUR": Decimal("0.86"), "USD": Decimal("0.79")}  # what one unit is worth in the base currency


def check_shape(payload: Mapping[str, Any], known: fields.Fields) -> None:
    """Raises Refused with every problem found."""
    problems = list(problems_in(payload, known))
    if problems:
        raise invalid_payload(problems)


def check_required(payload: Json) -> None:
    """Raises Refused with every field that an invoice must have and this one has not."""
    problems = list(required(payload, ("customer", "invoiceDate", "dueDate", "lines")))
    for index, line in enumerate(payload.get("lines") or []):
        problems += required(line, ("txnAmount",), f"/lines/{index}")
    if payload.get("customer") and not ({"id", "key"} & payload["customer"].keys()):
        problems += required(payload["customer"], ("id",), "/customer")
    if problems:
        raise invalid_payload(problems)


def read_invoice(books: Books, payload: Json, method: str, *, draft: bool) -> Json:
    """What the books keep of it, less number, state, keys and payments. Raises Refused with every problem found."""
    desk = Desk(books)
    solution = _read_solution(desk, payload)
    read = {
        "referenceNumber": payload.get("referenceNumber") or "",
        "description": payload.get("description") or "",
        "invoiceDate": payload["invoiceDate"],
        "dueDate": payload["dueDate"],
        "customer": reference(_read_customer(desk, payload["customer"]), "name"),
        "term": reference(desk.find_active(kinds.TERM, payload.get("term"), "/term", "Term '{}' is not valid.")),
        "taxSolution": reference(solution),
        "currency": _read_currency(desk, payload.get("currency") or {}, payload["invoiceDate"]),
        "invoiceSummary": {"glPostingDate": _posting_day(payload)},
        **{name: payload.get(name) for name in PASSED_ON},
        "lines": [
            read_line(desk, line, f"/lines/{index}", solution, draft=draft)
            for index, line in enumerate(payload["lines"])
        ],
    }
    if not draft:
        check_open(desk, _posting_day(payload), "/invoiceSummary/glPostingDate")
    if desk.problems:
        raise failed(method, kinds.INVOICE, desk.problems)
    return with_sums(read)


def with_sums(invoice: Json) -> Json:
    """The invoice with the amounts that follow from its lines; a line that is a subtotal adds nothing."""
    rate = Decimal(str(invoice["currency"]["exchangeRate"]["rate"]))
    for line in invoice["lines"]:
        line["baseAmount"] = money_text(Decimal(line["txnAmount"]) * rate)
        for entry in line["taxEntries"]:
            entry["baseTaxAmount"] = money_text(Decimal(entry["txnTaxAmount"]) * rate)
    counted = [line for line in invoice["lines"] if line["isSubtotal"] != "subtotal"]
    for side in ("txn", "base"):
        net = total_of(line[f"{side}Amount"] for line in counted)
        tax = total_of(entry[f"{side}TaxAmount"] for line in counted for entry in line["taxEntries"])
        invoice[f"total{side.capitalize()}Amount"] = money_text(net + tax)
    return invoice


def _posting_day(payload: Json) -> str:
    return str((payload.get("invoiceSummary") or {}).get("glPostingDate") or payload["invoiceDate"])


def _read_customer(desk: Desk, given: Json) -> Json | None:
    customer = desk.find_active(kinds.CUSTOMER, given, "/customer", "Customer '{}' specified is not valid.")
    if customer is not None and customer["isOnHold"]:
        desk.note(f"Customer '{customer['id']}' is on hold.", "/customer")
    return customer


def _read_solution(desk: Desk, payload: Json) -> Json | None:
    """These companies have more than one tax jurisdiction, so that tax needs to say which."""
    given = payload.get("taxSolution")
    if not given and any(line.get("taxEntries") for line in payload["lines"]):
        desk.note("Tax solution is required when there is more than one tax jurisdiction.", "/taxSolution")
    return desk.find_active(kinds.TAX_SOLUTION, given, "/taxSolution", "Tax solution '{}' is not valid.")


def _read_currency(desk: Desk, given: Json, day: str) -> Json:
    code = given.get("txnCurrency") or BASE_CURRENCY
    sent = given.get("exchangeRate") or {}
    rate = sent.get("rate") or (DAILY_RATES.get(code) if sent.get("typeId") else None)
    if code == BASE_CURRENCY:
        rate = 1
    elif rate is None:
        desk.note(f"An exchange rate is required for {code}.", "/currency/exchangeRate")
    exchange = {"date": sent.get("date") or day, "rate": str(rate or 1), "typeId": sent.get("typeId")}
    return {"baseCurrency": BASE_CURRENCY, "txnCurrency": code, "exchangeRate": exchange}


def check_open(desk: Desk, day: str, target: str) -> None:
    if day < books_open_since(desk):
        shown = f"{date.fromisoformat(day):%m/%d/%Y}"
        desk.note(
            f"Periods are closed. Your transaction date ({shown}) is within a period that's been closed.",
            target,
        )


def books_open_since(desk: Desk) -> str:
    """An entity's own day, when it is later than the company's."""
    entity = desk.books.find_id(kinds.ENTITY, desk.books.entity_id) if desk.books.entity_id else None
    return max(desk.conditions.open_books_start, str(entity["openBooksStartDate"]) if entity else "")
