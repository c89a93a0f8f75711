"""Invoice numbers: the company's sequence, a number that is sent, and the refusal of one in use."""

from sandbox.intacct.answers import Problem, Refused, failed
from sandbox.intacct.books import Books, Search
from sandbox.intacct.kinds import INVOICE
from sandbox.intacct.setting import setting

PREFIX, COUNTER = "SI-", "invoice number"


def first_number(books: Books, given: str, customer_id: str, *, draft: bool) -> str | None:
    """The number of a new invoice; a draft may have none yet. Raises Refused."""
    if setting("sequence") == "off":
        if not given:
            raise _refusal("Invoice number is required.", "Enter an invoice number.")
        return unused(books, given, customer_id)
    if given and setting("supplied_number") == "reject":
        raise _refusal("Invoice number is assigned by the document sequence.", "Leave the invoice number out.")
    if given and setting("supplied_number") == "use":
        return unused(books, given, customer_id)
    return None if draft and setting("draft_number") == "no" else next_number(books)


def next_number(books: Books) -> str:
    number = f"{PREFIX}{books.take(COUNTER)}"
    while _held(books, number):
        number = f"{PREFIX}{books.take(COUNTER)}"
    return number


def unused(books: Books, number: str, customer_id: str, own_key: str = "") -> str:
    """The number, if no other invoice has it. Raises Refused."""
    holders = _held(books, number)
    if setting("number_scope") == "customer":
        holders = {key: holder for key, holder in holders.items() if holder == customer_id}
    if holders.keys() - {own_key}:
        raise duplicate("Invoice", number)
    return number


def duplicate(what: str, value: str) -> Refused:
    """For invoices an assumption: Sage's words for other records, and a status that a setting chooses."""
    text = f"Another {what} with the given value(s) {value} already exists"
    problem = Problem(text, error_id="BL34000061", correction="Use a unique value instead.")
    resource = f"accounts-receivable/{what.lower()}"
    return failed("POST", resource, [problem], int(setting("duplicate_number")))


def _held(books: Books, number: str) -> dict[str, str]:
    """Customer by key of every invoice of the company that has the number."""
    search = Search()
    search.add("number = ?", number)
    return {each["key"]: each["customer"]["id"] for each in books.at("").find(INVOICE, search)}


def _refusal(message: str, correction: str) -> Refused:
    return failed("POST", INVOICE, [Problem(message, "/invoiceNumber", correction=correction)])
