"""What an accounting platform does for us: the port, the records that cross it, and the errors named for what comes next.

PlatformError
├── TryLater         nothing was written; the same call may be made again after a while
├── OutcomeUnknown   the answer was lost or says nothing; look before sending again
├── Rejected         nothing was written; a person changes something first
├── Reconnect        nothing was written; a person authorises again
│   └── BearerRefused    the access token alone is dead; renew it once and call again
└── Misdirected      something may be written in another organisation; a person looks, we never re-send
"""  # noqa: E501

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from connectors.options import Kind, Setting
from connectors.records import (
    BookedInvoice,
    BookedLine,
    Changes,
    Company,
    DocumentKind,
    Entry,
    NewClient,
    NewInvoice,
    NewItem,
    NewLine,
    RemoteClient,
    RemoteInvoice,
    RemoteItem,
    RemoteStatus,
)


class Fix(StrEnum):
    """Where a person mends what the platform refused; DATE is the invoice's, REMOTE the invoice over there."""

    CONNECTION = "CONNECTION"
    NUMBER = "NUMBER"
    SYNC_SETTINGS = "SYNC_SETTINGS"
    PURCHASE_ACCOUNT = "PURCHASE_ACCOUNT"
    SALES_ACCOUNT = "SALES_ACCOUNT"
    TAX_RATES = "TAX_RATES"
    CLIENT = "CLIENT"
    CLIENT_LINK = "CLIENT_LINK"
    ITEM_LINK = "ITEM_LINK"
    INVOICE = "INVOICE"
    DATE = "DATE"
    PLATFORM = "PLATFORM"
    REMOTE = "REMOTE"
    SUPPORT = "SUPPORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing the platform refused: its own words, code and field, what that means, and where it is mended.

    `subject` is the local key of the client or item that it is about, where that is known.
    """

    message: str
    code: str = ""
    field: str = ""
    meaning: str = ""
    fix: Fix = Fix.SUPPORT
    subject: str = ""


class PlatformError(Exception):
    """Something kept the platform from doing what we asked; catch the subclass that says what comes next."""

    def __init__(self, message: str, *, status: int | None = None, request_id: str = "") -> None:
        super().__init__(message)
        self.message, self.status, self.request_id = message, status, request_id


class TryLater(PlatformError):
    """Nothing was written. `after` is in seconds, or None where the platform named no time.

    `alone`: it is only this one that waits, as the platform is neither busy nor away.
    """

    def __init__(
        self,
        message: str,
        *,
        after: int | None = None,
        status: int | None = None,
        request_id: str = "",
        alone: bool = False,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.after, self.alone = after, alone


class OutcomeUnknown(PlatformError):
    """It may or may not have been written. With a status the platform did answer, so its key may be spent."""

    @property
    def answered(self) -> bool:
        return self.status is not None


class Rejected(PlatformError):
    """Nothing was written, and nothing will be until a person changes what the problems name."""

    def __init__(self, problems: tuple[Problem, ...], *, status: int | None = None, request_id: str = "") -> None:
        super().__init__(" ".join(problem.message for problem in problems), status=status, request_id=request_id)
        self.problems = problems


class Reconnect(PlatformError):
    """The authorisation is dead: a person authorises again; nothing was written."""


class BearerRefused(Reconnect):
    """This access token was refused; a renewed one may be taken. Raised again after a renewal it is a Reconnect."""


class Misdirected(PlatformError):
    """The answer came from another organisation's books than the one we asked for."""


class ItemBook(Protocol):
    """The products and services of a platform that lets us keep ours among them."""

    def search_items(self, text: str, sort: str) -> tuple[RemoteItem, ...]:
        """The products or services a search of the platform's own finds."""
        ...

    def find_items(self, item: NewItem) -> tuple[RemoteItem, ...]:
        """Its products or services with the same code."""
        ...

    def create_item(self, item: NewItem, key: str) -> RemoteItem:
        """Writes a product or service; the same key (32 hex) again gives the same one while it keeps keys."""
        ...


class Connector(Protocol):
    """One company's books on one platform. `create_*` and `void_invoice` write; any may raise a PlatformError.

    It is opened for one kind of document: "invoices" are credit notes where it was opened for those.
    """

    platform: ClassVar[str]
    """Its key in the registry and in the database."""
    brand: ClassVar[str]
    label: ClassVar[str]
    """What people read: brand "Sage", label "Sage Accounting"."""
    scope: ClassVar[str]
    authorize_extra: ClassVar[dict[str, str]]
    """What its authorise address wants besides the standard parameters."""
    username_form: ClassVar[str]
    """How the name of a user that programs sign in as is written, or "" where only a person can authorise."""
    revocation: ClassVar[str]
    """What else ends when our authorisation is revoked, in a sentence; "" where nothing does."""
    kinds: ClassVar[frozenset[DocumentKind]]
    """The kinds of document that it can be opened for; others are entered there by hand."""
    prefix_limit: ClassVar[int]
    """The longest prefix of a number of ours that it takes, in characters."""
    key_life: ClassVar[timedelta]
    """For how long the same key gives the same answer."""
    lanes: ClassVar[int]
    """How many creating calls it wants at once, at most."""
    batch_size: ClassVar[int]
    """How many invoices one creating call takes, at most."""
    reason_limit: ClassVar[int]
    """The longest reason for voiding an invoice that it keeps, in characters; 200 at most, as ours."""
    void_effect: ClassVar[str]
    """What becomes of an invoice that is voided there, in a sentence."""
    opens_by_day: ClassVar[bool]
    """Whether `open_from` alone decides what is closed; where it does not, a later day may be closed, too."""
    lists: ClassVar[frozenset[Kind]]
    """The lists it keeps; where one is missing, nothing is asked for that is chosen from it."""
    settings: ClassVar[tuple[Setting, ...]]
    """The sync settings that have an effect on it; others are not shown."""

    @classmethod
    def objections(cls, client: NewClient, tax_rate_ids: set[str]) -> tuple[Problem, ...]:
        """What we know to be wrong before anything is sent. Pure."""
        ...

    @property
    def items(self) -> ItemBook | None:
        """Its products and services, where ours can be among them."""
        ...

    def companies(self) -> tuple[Company, ...]:
        """The organisations this authorisation may work in."""
        ...

    def catalogue(self, kind: Kind) -> tuple[Entry, ...]:
        """The platform's whole list of that kind, live, in its own order."""
        ...

    def find_clients(self, client: NewClient) -> tuple[RemoteClient, ...]:
        """Those it could be: same reference, else same e-mail address, else same name."""
        ...

    def search_clients(self, text: str) -> tuple[RemoteClient, ...]:
        """The customers a search of the platform's own finds."""
        ...

    def gone_clients(self, client_ids: Sequence[str], since: datetime) -> frozenset[str]:
        """Of these, those that take no invoice any more; `since` is when the first was linked, by our clock."""
        ...

    def create_client(self, client: NewClient, key: str) -> RemoteClient:
        """Writes the client; the same key (32 hex) again gives the same client while the platform keeps keys."""
        ...

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        """Writes 1 to `batch_size` invoices in one call: for each, in order, what it became or what kept it out.

        The same key (32 hex) with the same invoices again gives the same ones while the platform keeps keys. What
        concerns them all is raised; Rejected then means that not one was written.
        """
        ...

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        """All invoices in the books, void ones too, that carry this one's reference."""
        ...

    def find_number(self, number: str, client_id: str) -> tuple[RemoteInvoice, ...]:
        """All invoices in the books that carry this number, as far as they can be found by it or by the client."""
        ...

    def find_numbers(self, numbers: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        """Invoices in the books that carry one of these numbers, as far as a few calls find them."""
        ...

    def open_from(self) -> date | None:
        """The first day that can be entered in the books; None where the platform tells of none."""
        ...

    def next_number(self) -> str:
        """The number that it gives the next invoice raised there by hand; "" where it does not tell."""
        ...

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        """The next page of invoices raised or changed after the cursor, oldest change first; "" begins at the start.

        Only those dated `since` or later. None is passed over, though the books change while they are read; one may
        come again, so whoever reads keeps it once. The cursor is the platform's own moments, never our clock's.
        """
        ...

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        """Of these, those deleted there; `since` is when this was last asked, by our clock."""
        ...

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        """The invoices as they are now, in any order; those not there any more are missing."""
        ...

    def void_invoice(self, invoice: RemoteInvoice, reason: str, on: date) -> None:
        """Takes back an invoice that `read_invoices` has just shown: a draft is removed, any other stays there as void.

        `reason` is 1 to `reason_limit` characters; `on` is the day it is taken back where the platform asks for one,
        and never before the invoice's own. There is no key: whoever calls again has looked before, and one that is
        void or gone already is Rejected. So is one with payments against it, and one in a closed period. After
        OutcomeUnknown a look tells. Sources: DELETE /sales_invoices/{key} in Sage Accounting's Swagger; the workflow
        `reverse`, and DELETE of a draft, in Intacct's OpenAPI.
        """
        ...


__all__ = [
    "BearerRefused",
    "BookedInvoice",
    "BookedLine",
    "Changes",
    "Company",
    "Connector",
    "DocumentKind",
    "Entry",
    "Fix",
    "ItemBook",
    "Misdirected",
    "NewClient",
    "NewInvoice",
    "NewItem",
    "NewLine",
    "OutcomeUnknown",
    "PlatformError",
    "Problem",
    "Reconnect",
    "Rejected",
    "RemoteClient",
    "RemoteInvoice",
    "RemoteItem",
    "RemoteStatus",
    "TryLater",
]
