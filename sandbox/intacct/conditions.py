"""What an administrator can set in a company, and Intacct then refuses calls by."""

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.intacct.catalogue import BOOKS_OPEN_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The day is ISO text, so that it compares as days do; an entity's own day stands in its record."""

    open_books_start: str = BOOKS_OPEN_SINCE
    use_account_labels: bool = False
    client_authorised: bool = True
    may_change: bool = True  # whether whoever authorised may change anything in Accounts Receivable

    def document(self) -> dict[str, Any]:
        return asdict(self)
