"""What the pages show of an invoice's lines, what a line offers to choose from, and what a person changed on it."""

from collections.abc import Collection, Iterator, Mapping

from sandbox.intacct.answers import Json
from sandbox.intacct.books import Books
from sandbox.intacct.kinds import ACCOUNT, CUSTOMER, DEPARTMENT, LABEL, LOCATION, TAX_DETAIL
from sandbox.intacct.sums import money_text, total_of

Pairs = list[tuple[str, str]]
# What the form of a line carries, each as an entry by hand names it.
LINE_WORDS = ("memo", "account", "label", "amount", "location", "department", "tax_detail")
HEADER_WORDS = ("reference", "description")


def shown_line(line: Json) -> Json:
    """The line in the words of an entry by hand, and what only the page shows."""
    account, label, dimensions = line["glAccount"], line["accountLabel"], line["dimensions"]
    entries = line["taxEntries"]
    posted_to = f"{account['id']} {account['name']}" if account else ""
    return {
        "key": line["key"],
        "memo": line["memo"],
        "account": "" if label or not account else account["id"],
        "label": label["id"] if label else "",
        "amount": line["txnAmount"],
        "location": _id(dimensions.get("location")),
        "department": _id(dimensions.get("department")),
        "tax_detail": _id(entries[0]["orderEntryTaxDetail"]) if entries else "",
        "posted_to": f"{label['id']} ({posted_to})" if label else posted_to,
        "tax_amount": money_text(total_of(each["txnTaxAmount"] for each in entries)),
        "own": line["isSubtotal"] is None,
    }


def offers(books: Books, used: Collection[str] = ()) -> dict[str, Pairs]:
    """What a line can name; an account it stands on is offered even when it has been archived since."""
    postable = [each for each in books.all(ACCOUNT) if each["id"] in used or _takes_lines(each)]
    labels = [each for each in books.all(LABEL) if not each["isSubtotal"]]
    by_label = books.conditions().use_account_labels
    return {
        "accounts": [] if by_label else _named(postable),
        "labels": [(each["id"], each["id"]) for each in labels] if by_label else [],
        "locations": [("", "None"), *_named(books.all(LOCATION))],
        "departments": [("", "None"), *_named(books.all(DEPARTMENT))],
        "taxes": [("", "No tax"), *((each["id"], each["id"]) for each in books.all(TAX_DETAIL))],
    }


def customers_offered(books: Books) -> Pairs:
    return _named(books.all(CUSTOMER))


def typed_lines(form: Mapping[str, str], count: int) -> list[dict[str, str]]:
    """The lines of the form as they were typed, without the fields that it didn't carry."""
    return [{word: form[f"{word}-{n}"].strip() for word in LINE_WORDS if f"{word}-{n}" in form} for n in range(count)]


def changes_of(invoice: Json, form: Mapping[str, str]) -> Json:
    """What the form says otherwise than the invoice does; what is not touched is not sent, and its tax stays."""
    held = {"reference": invoice["referenceNumber"], "description": invoice["description"]}
    header = {word: form[word] for word in HEADER_WORDS if form.get(word, held[word]) != held[word]}
    lines = list(_changed_lines(invoice, form))
    return {**header, **({"lines": lines} if lines else {})}


def _changed_lines(invoice: Json, form: Mapping[str, str]) -> Iterator[Json]:
    own = [line for line in map(shown_line, invoice["lines"]) if line["own"]]
    for line, typed in zip(own, typed_lines(form, len(own)), strict=True):
        changed = {word: value for word, value in typed.items() if not _same(line[word], value)}
        if changed:
            yield {"key": line["key"], **changed}


def _same(held: str, typed: str) -> bool:
    return held in (typed, typed.replace(",", ""))


def _takes_lines(account: Json) -> bool:
    return bool(account["status"] == "active" and not account["disallowDirectPosting"])


def _named(records: list[Json]) -> Pairs:
    return [(each["id"], f"{each['id']} {each['name']}") for each in records]


def _id(reference: Json | None) -> str:
    return str(reference["id"]) if reference else ""
