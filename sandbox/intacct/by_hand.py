"""What people type into the books themselves: an invoice as a colleague enters, changes, pays or reverses it.

An entry speaks short words (`number`, `reference`, `customer`, `date`, `due`, `lines` of `account` and `amount`) that
are put into those of the API; what it leaves out is filled in.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.clock import Clock
from sandbox.intacct import invoicing
from sandbox.intacct.answers import Json, invalid_payload, wrong
from sandbox.intacct.books import Books
from sandbox.intacct.catalogue import UK_VAT
from sandbox.intacct.invoice_reading import with_sums
from sandbox.intacct.kinds import TAX_DETAIL
from sandbox.intacct.sums import money_text

STANDARD_RATE = "UK Sale Goods/Services Standard Rate"
ORDER_ENTRY, DOCUMENT = "orderEntry", "order-entry/document::Sales Invoice"
HEADER = {
    "number": "invoiceNumber",
    "reference": "referenceNumber",
    "description": "description",
    "date": "invoiceDate",
    "due": "dueDate",
}
LINE = {"memo": "Entered by hand", "amount": "100.00", "tax_detail": STANDARD_RATE}
CREDIT_DAYS = timedelta(days=30)
AT_ONCE = 1000


def enter(books: Books, entry: Mapping[str, Any], now: datetime) -> Json:
    """With a `document` it comes from Order Entry, where that is what the document is called. Raises Refused."""
    today = now.date()
    filled = {"date": today.isoformat(), "due": (today + CREDIT_DAYS).isoformat(), "customer": "CUST-001", **entry}
    lines = entry.get("lines") or [{}]
    payload = {**_payload(books, {**filled, "lines": lines}), **({"state": "draft"} if entry.get("draft") else {})}
    made = invoicing.create(books, payload, now)
    if not entry.get("document"):
        return made
    return invoicing.keep(books, {**made, **_document(books, entry["document"])}, now)


def _document(books: Books, id: str) -> Json:
    key = str(books.take_key(DOCUMENT))
    return {"moduleKey": ORDER_ENTRY, "salesDocument": {"key": key, "id": id, "href": f"/objects/{DOCUMENT}/{key}"}}


def enter_many(books: Books, entry: Mapping[str, Any], count: int, clock: Clock) -> int:
    """As many as asked, all alike but for number and reference, with no check after the first one. Raises Refused."""
    first = enter(books, entry, clock())
    pattern = f"{entry.get('reference') or 'BULK'}-{{:06}}"
    for start in range(2, count + 1, AT_ONCE):
        places = range(start, min(start + AT_ONCE, count + 1))
        names = [(f"{first['invoiceNumber']}/{n}", pattern.format(n)) for n in places]
        invoicing.copies(books, first, names, clock)
    return count


def edit(books: Books, key: str, changes: Mapping[str, Any], now: datetime) -> Json:
    """Lines that are named by their `key` are changed, others added; `delete` takes one away. Raises Refused.

    Of an invoice from Order Entry it is the document that is changed.
    """
    from_document = invoicing.existing(books, key).get("moduleKey") == ORDER_ENTRY
    work = invoicing.rewrite if from_document else invoicing.change
    return work(books, key, _payload(books, changes), now)


def pay(books: Books, key: str, given: Mapping[str, Any], now: datetime) -> Json:
    """`amount`, all that is due without one, and the `date`. Raises Refused."""
    amount = given.get("amount")
    received = None if amount in (None, "", True) else typed_amount(amount)
    return invoicing.pay(books, key, received, _typed_day(given, now), now)


def unpay(books: Books, key: str, given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    return invoicing.unpay(books, key, str(given.get("payment") or ""), now)


def reverse(books: Books, key: str, given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    day = _typed_day(given, now)
    return invoicing.reverse(books, key, day.isoformat(), str(given.get("memo") or ""), now)


def submit(books: Books, key: str, _given: Mapping[str, Any], now: datetime) -> Json:
    """Raises Refused."""
    return invoicing.submit(books, key, now)


def delete(books: Books, key: str, _given: Mapping[str, Any], _now: datetime) -> Json:
    """Raises Refused."""
    return invoicing.remove(books, key)


def add_subtotal(books: Books, key: str, given: Mapping[str, Any], now: datetime) -> Json:
    """A line that only Intacct's own pages make: `kind` is subtotal, which adds nothing, or tax. Raises Refused."""
    invoice = invoicing.existing(books, key)
    amount = money_text(typed_amount(given.get("amount", "0")))
    line = {**invoice["lines"][-1], "key": None, "txnAmount": amount, "taxEntries": []}
    marked = {**line, "isSubtotal": given.get("kind", "tax"), "memo": given.get("memo") or "Tax"}
    return invoicing.keep(books, with_sums({**invoice, "lines": [*invoice["lines"], marked]}), now)


Deed = Callable[[Books, str, Mapping[str, Any], datetime], Json]
DEEDS: Mapping[str, Deed] = {
    "edit": edit,
    "pay": pay,
    "unpay": unpay,
    "reverse": reverse,
    "submit": submit,
    "delete": delete,
    "subtotal": add_subtotal,
}


def typed_amount(typed: object) -> Decimal:
    """Raises Refused."""
    try:
        amount = Decimal(str(typed).strip().replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise invalid_payload([wrong(f"{typed} is not an amount", "/amount")])
    return amount


def _typed_day(given: Mapping[str, Any], now: datetime) -> date:
    """The `date`, today without one. Raises Refused."""
    try:
        return date.fromisoformat(str(given.get("date") or now.date()))
    except ValueError:
        raise invalid_payload([wrong(f"{given['date']} is not a date, such as 2026-10-01", "/date")]) from None


def typed_day(typed: object, now: datetime) -> date:
    """Today when nothing was typed. Raises Refused."""
    try:
        return date.fromisoformat(str(typed)) if typed else now.date()
    except ValueError:
        raise invalid_payload([wrong(f"{typed} is not a date", "/date")]) from None


def _payload(books: Books, entry: Mapping[str, Any]) -> Json:
    payload: Json = {field: entry[word] for word, field in HEADER.items() if entry.get(word)}
    payload |= {HEADER[word]: "" for word in ("reference", "description") if entry.get(word) == ""}
    payload |= {word: {"id": entry[word]} for word in ("customer", "term") if entry.get(word)}
    if entry.get("lines"):
        payload["lines"] = [_line(books, each) for each in entry["lines"]]
        solution = _solution(books, payload["lines"])
        payload |= {"taxSolution": solution} if solution else {}
    return payload


def _line(books: Books, given: Mapping[str, Any]) -> Json:
    if given.get("delete"):
        return {"key": given["key"], "ia::operation": "delete"}
    line = dict(given) if given.get("key") else {**LINE, **_usual_account(books, given), **given}
    sent: Json = {"key": line["key"]} if line.get("key") else {}
    if line.get("amount") is not None:
        sent["txnAmount"] = money_text(typed_amount(line["amount"]))
    if "memo" in line:
        sent["memo"] = line["memo"]
    if "tax_detail" in line:
        sent["taxEntries"] = [{"orderEntryTaxDetail": {"id": line["tax_detail"]}}] if line["tax_detail"] else []
    named = {"glAccount": line.get("account"), "accountLabel": line.get("label")}
    places = {name: _named(line[name]) for name in ("location", "department") if name in line}
    return {
        **sent,
        **{name: {"id": id} for name, id in named.items() if id},
        **({"dimensions": places} if places else {}),
    }


def _named(id: object) -> Json | None:
    """An empty id takes away what is there."""
    return {"id": id} if id else None


def _usual_account(books: Books, given: Mapping[str, Any]) -> Json:
    if given.get("account") or given.get("label"):
        return {}
    return {"label": "Services"} if books.conditions().use_account_labels else {"account": "4000"}


def _solution(books: Books, lines: list[Json]) -> Json | None:
    """That of the first tax named."""
    named = [entry["orderEntryTaxDetail"]["id"] for line in lines for entry in line.get("taxEntries") or []]
    detail = books.find_id(TAX_DETAIL, named[0]) if named else None
    return {"id": detail["taxSolution"]["id"] if detail else UK_VAT} if named else None
