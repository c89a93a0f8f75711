"""What can happen to an invoice: created, changed, submitted, paid, reversed, deleted; each in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sandbox.clock import Clock
from sandbox.intacct import fields
from sandbox.intacct.answers import Json, Problem, Refused, failed, invalid_payload, not_found, wrong
from sandbox.intacct.books import Books
from sandbox.intacct.invoice_reading import PASSED_ON, check_open, check_required, check_shape, read_invoice, with_sums
from sandbox.intacct.kinds import INVOICE, INVOICE_LINE
from sandbox.intacct.numbering import first_number, next_number, unused
from sandbox.intacct.references import Desk
from sandbox.intacct.sums import money_text, total_of

DRAFT, POSTED, PAID, PART_PAID, REVERSED = "draft", "posted", "paid", "partiallyPaid", "reversed"
# What may still be changed once money has come in; which fields Intacct allows then is an assumption.
CHANGED_WHEN_PAID = frozenset({"referenceNumber", "description", "dueDate", "term", "contacts", "attachment"})
SENT = ("referenceNumber", "description", "invoiceDate", "dueDate", "customer", "term", "taxSolution", "currency")


def create(books: Books, payload: Json, now: datetime, idempotency_key: str | None = None) -> Json:
    """Raises Refused."""
    check_shape(payload, fields.INVOICE)
    check_required(payload)
    draft = payload.get("state") == DRAFT
    contents = read_invoice(books, payload, "POST", draft=draft)
    given = payload.get("invoiceNumber") or ""
    invoice = {
        "recordType": "ri",
        "moduleKey": "accountsReceivable",
        "salesDocument": None,
        "invoiceNumber": first_number(books, given, contents["customer"]["id"], draft=draft),
        "state": DRAFT if draft else POSTED,
        **contents,
        "_payments": [],
        "_idempotency_key": idempotency_key,
    }
    return books.add(INVOICE, _settled(_keyed(books, invoice)), now)


def like(invoice: Json, number: str, reference: str, line_key: int) -> Json:
    """A new invoice that is like another one, its lines' keys counted from one."""
    lines = [
        {**line, "key": str(key), "id": str(key), "taxEntries": [dict(each) for each in line["taxEntries"]]}
        for key, line in enumerate(invoice["lines"], line_key)
    ]
    kept = {name: value for name, value in invoice.items() if name not in ("key", "id")}
    return {**kept, "invoiceNumber": number, "referenceNumber": reference, "lines": lines}


def copies(books: Books, invoice: Json, names: Sequence[tuple[str, str]], clock: Clock) -> list[Json]:
    """New invoices that are like another one but for number and reference, unchecked."""
    size = len(invoice["lines"])
    first = books.take_keys(INVOICE_LINE, size * len(names))
    new = [like(invoice, *name, first + n * size) for n, name in enumerate(names)]
    return books.add_many(INVOICE, new, clock)


def rewrite(books: Books, key: str, patch: Json, now: datetime) -> Json:
    """What follows from a change of the document in Order Entry: its invoice is deleted, and another one made.

    Raises Refused.
    """
    changed = change(books, key, patch, now)
    books.remove(INVOICE, key)
    own = books.at(changed["entity"]["id"])
    return copies(own, changed, [(changed["invoiceNumber"], changed["referenceNumber"])], lambda: now)[0]


def change(books: Books, key: str, patch: Json, now: datetime) -> Json:
    """What is sent takes the place of what is there; lines one by one. Raises Refused."""
    invoice = existing(books, key)
    check_shape(patch, fields.CHANGED_INVOICE)
    _check_changeable(invoice, patch)
    payload = {**_payload_of(invoice), **patch, "lines": _merged_lines(invoice, patch.get("lines") or [])}
    check_required(payload)
    contents = _read_again(books, invoice, payload, draft=invoice["state"] == DRAFT)
    number = patch.get("invoiceNumber")
    if number:
        invoice["invoiceNumber"] = unused(books, number, contents["customer"]["id"], own_key=key)
    return keep(books, {**invoice, **contents}, now)


def submit(books: Books, key: str, now: datetime) -> Json:
    """A draft is posted, and has its number from then on. Raises Refused."""
    invoice = existing(books, key)
    if invoice["state"] != DRAFT:
        raise refusal("POST", "Only a draft can be submitted.")
    contents = _read_again(books, invoice, _payload_of(invoice), draft=False)
    number = invoice["invoiceNumber"] or next_number(books)
    return keep(books, {**invoice, **contents, "invoiceNumber": number, "state": POSTED}, now)


def reverse(books: Books, key: str, reversed_date: str, memo: str, now: datetime) -> Json:
    """Raises Refused."""
    invoice = existing(books, key)
    if invoice["state"] != POSTED:
        raise refusal("POST", "Only a posted invoice can be reversed. Reverse its payments first.")
    desk = Desk(books.at(invoice["entity"]["id"]))
    check_open(desk, reversed_date, "/reversedDate")
    if desk.problems:
        raise failed("POST", INVOICE, desk.problems)
    reversal = {"state": REVERSED, "_reversed": {"date": reversed_date, "memo": memo}}
    return keep(books, {**invoice, **reversal}, now)


def remove(books: Books, key: str) -> Json:
    """Raises Refused."""
    invoice = existing(books, key)
    if invoice["state"] not in (DRAFT, POSTED):
        raise refusal("DELETE", "Only a draft or a posted invoice can be deleted.")
    books.remove(INVOICE, key)
    return invoice


def pay(books: Books, key: str, amount: Decimal | None, day: date, now: datetime) -> Json:
    """Receives money for the invoice; all that is due without an amount. Raises Refused."""
    invoice = existing(books, key)
    due = Decimal(invoice["totalTxnAmountDue"])
    if invoice["state"] not in (POSTED, PART_PAID):
        raise refusal("POST", "Only a posted invoice can be paid.")
    amount = due if amount is None else amount
    if not 0 < amount <= due:
        raise refusal("POST", f"Enter an amount between 0.01 and {due:.2f}.")
    payment = {"key": str(books.take_key("payment")), "date": day.isoformat(), "amount": money_text(amount)}
    return keep(books, {**invoice, "_payments": [*invoice["_payments"], payment]}, now)


def unpay(books: Books, key: str, payment_key: str, now: datetime) -> Json:
    """Takes a payment away again; without its key the last one. Raises Refused."""
    invoice = existing(books, key)
    payments = invoice["_payments"]
    taken = payment_key or (payments[-1]["key"] if payments else "")
    kept = [each for each in payments if each["key"] != taken]
    if len(kept) == len(payments):
        raise refusal("POST", "There is no such payment.")
    return keep(books, {**invoice, "_payments": kept}, now)


def keep(books: Books, invoice: Json, now: datetime) -> Json:
    """Stores the changed invoice, what follows from its lines and payments brought into line."""
    return books.put(INVOICE, _settled(_keyed(books, invoice)), now)


def existing(books: Books, key: str) -> Json:
    """Raises Refused."""
    invoice = books.get(INVOICE, key)
    if invoice is None:
        raise not_found(INVOICE, key)
    return invoice


def refusal(method: str, message: str) -> Refused:
    """The words for what a state does not allow are an assumption."""
    return failed(method, INVOICE, [Problem(message)])


def _read_again(books: Books, invoice: Json, payload: Json, *, draft: bool) -> Json:
    """What the API never shows of an invoice, its subtotal lines, stays as it is. Raises Refused."""
    contents = read_invoice(books.at(invoice["entity"]["id"]), payload, "PATCH", draft=draft)
    unseen = [line for line in invoice["lines"] if line["isSubtotal"] is not None]
    return with_sums({**contents, "lines": [*contents["lines"], *unseen]})


def _check_changeable(invoice: Json, patch: Json) -> None:
    paid = invoice["state"] in (PAID, PART_PAID)
    if invoice["state"] not in (DRAFT, POSTED, PAID, PART_PAID):
        raise refusal("PATCH", "A reversed invoice cannot be changed.")
    locked = sorted(patch.keys() - CHANGED_WHEN_PAID) if paid else []
    if locked:
        raise refusal("PATCH", f"Reverse the payments before changing {', '.join(locked)}.")


def _payload_of(invoice: Json) -> Json:
    """The stored invoice as it could have been sent."""
    sent = {name: invoice[name] for name in (*SENT, *PASSED_ON)}
    return {**sent, "invoiceSummary": invoice["invoiceSummary"], "lines": _own_lines(invoice)}


def _own_lines(invoice: Json) -> list[Json]:
    """A label stands for its account: the account isn't sent beside it."""
    lines = [line for line in invoice["lines"] if line["isSubtotal"] is None]
    return [{**line, "glAccount": None} if line["accountLabel"] else line for line in lines]


def _merged_lines(invoice: Json, sent: list[Json]) -> list[Json]:
    """Raises Refused."""
    lines = {line["key"]: line for line in _own_lines(invoice)}
    added = []
    for index, each in enumerate(sent):
        key = each.get("key")
        if key is None:
            added.append(each)
        elif key not in lines:
            raise invalid_payload([wrong(f"There is no line {key} in this invoice", f"/lines/{index}/key")])
        elif each.get("ia::operation") == "delete":
            del lines[key]
        else:
            lines[key] = _merged_line(lines[key], each)
    return [*lines.values(), *added]


def _merged_line(line: Json, sent: Mapping[str, Any]) -> Json:
    """Tax that isn't sent with a new amount is worked out anew."""
    merged = {**line, **sent, "dimensions": {**line["dimensions"], **(sent.get("dimensions") or {})}}
    if "txnAmount" in sent and "taxEntries" not in sent:
        merged["taxEntries"] = [{"orderEntryTaxDetail": each["orderEntryTaxDetail"]} for each in line["taxEntries"]]
    return merged


def _keyed(books: Books, invoice: Json) -> Json:
    """Lines and tax entries that have no key yet get theirs."""
    for place, line in enumerate(invoice["lines"]):
        line["key"] = line["id"] = line["key"] or str(books.take_key(INVOICE_LINE))
        line["lineNumber"] = place + 1
        for index, entry in enumerate(line["taxEntries"]):
            entry["key"] = entry["id"] = f"{line['key']}{index + 1}"
    return invoice


def _settled(invoice: Json) -> Json:
    """Brings state, amount due and payment information into line with the total and the payments."""
    payments, state = invoice["_payments"], invoice["state"]
    total, paid = Decimal(invoice["totalTxnAmount"]), total_of(each["amount"] for each in payments)
    if state not in (DRAFT, REVERSED):
        state = POSTED if not paid else PAID if paid >= total else PART_PAID
    rate = Decimal(invoice["currency"]["exchangeRate"]["rate"])
    due = Decimal(0) if state == REVERSED else total - paid
    return {
        **invoice,
        "state": state,
        "totalTxnAmountDue": money_text(due),
        "totalBaseAmountDue": money_text(due * rate),
        "paymentInformation": {
            "fullyPaidDate": max(each["date"] for each in payments) if state == PAID else None,
            "totalTxnAmountPaid": money_text(paid),
            "totalBaseAmountPaid": money_text(paid * rate),
        },
    }
