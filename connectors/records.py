"""What crosses the port: our invoices and clients as a platform is told of them, and its own as it tells of them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

LARGEST = Decimal("999999999999.99")


class DocumentKind(StrEnum):
    """The kinds of document that go into a platform's books."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """An organisation whose books we may be allowed into."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of such a list; `code` is the nominal code of an account, `percentage` that of a tax rate."""

    id: str
    name: str
    code: str = ""
    percentage: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """A client as we know it; `reference` is ours, and may be longer than the platform takes."""

    name: str
    reference: str
    email: str
    address_line_1: str
    address_line_2: str
    city: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteClient:
    """A client as the platform keeps it."""

    id: str
    name: str
    reference: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """One line, its sums in the invoice's currency with two places: total = net + tax, discount taken off.

    `item_id` is the platform's product or service, or empty where the line names none.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal
    account_id: str
    tax_rate_id: str
    item_id: str = ""
    item_sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """Something we sell, to be known to the platform as a product or a service (`sort`)."""

    code: str
    description: str
    sort: str
    unit_price: Decimal
    sales_account_id: str
    purchase_account_id: str
    tax_rate_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteItem:
    """A product or service as the platform keeps it."""

    id: str
    name: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvoice:
    """An approved invoice or credit note with the platform's own ids in it, ready to be written into its books.

    Amounts are positive in both; of a credit note, `original_date` is that of the invoice it credits.

    `reference` is our whole number: what the platform keeps as reference, and what a look-up goes by. `prefix` and
    `number` are the same number in its two parts, both empty where the platform numbers its invoices itself. Location,
    department, term and tax solution are the platform's ids, empty where it has none or none is wanted.
    """

    reference: str
    prefix: str
    number: str
    is_draft: bool
    client_id: str
    issue_date: date
    due_date: date
    notes: str
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    lines: tuple[NewLine, ...]
    location_id: str = ""
    department_id: str = ""
    term_id: str = ""
    tax_solution_id: str = ""
    original_date: date | None = None


class RemoteStatus(StrEnum):
    """What an invoice is in the platform's books; a credit note is PAID once all of it is allocated or refunded."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PART_PAID = "PART_PAID"
    PAID = "PAID"
    VOID = "VOID"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInvoice:
    """An invoice or credit note as the platform keeps it; `id` is its token, `number` is empty while it is a draft.

    Its amounts are positive, as those that were sent.

    Where the platform said no more than the token, `is_read` is false: the number is still to be asked for.
    """

    id: str
    number: str
    reference: str
    client_id: str
    issue_date: date
    total: Decimal
    url: str = ""
    client_name: str = ""
    lines: int | None = None
    is_read: bool = True
    status: RemoteStatus = RemoteStatus.OPEN
    outstanding: Decimal | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what no invoice has: nothing of it could be kept, or told from another's."""
        for text, longest in ((self.id, 100), (self.number, 50), (self.url, 500), (self.reference, 255)):
            if not isinstance(text, str) or len(text) > longest or not text.isprintable():
                raise ValueError("A token, number, reference or address that is none.")
        if not (self.id and self.total.is_finite() and abs(self.total) <= LARGEST):
            raise ValueError("An invoice without a token, or with a total that is none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLine:
    """A line as it stands in the platform's books; quantity is 1 where it says none.

    `account` is what people call the account, its nominal code or label; `account_id` is as `NewLine` names it.
    """

    description: str
    account: str
    account_id: str
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    tax: Decimal
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedInvoice:
    """An invoice whole, as it stands in the platform's books.

    `document_id` names the document behind it, where the platform may write that invoice anew under another token.
    """

    invoice: RemoteInvoice
    due_date: date
    currency: str
    net: Decimal
    tax: Decimal
    lines: tuple[BookedLine, ...]
    changed_at: datetime
    document_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One page of what was raised or changed: `cursor` leads to the next, `left` says how many are still to come."""

    invoices: tuple[BookedInvoice, ...]
    cursor: str
    is_last: bool
    left: int
