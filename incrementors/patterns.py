"""A number's text: prefix, zero-padded value, suffix; pure, in both directions."""

import re
from dataclasses import dataclass

MAX_LENGTH = 25  # Sage Accounting `reference`, sales_invoices (schema: maxLength 25)
MAX_DIGITS = 18  # no counter gets further, and Postgres counts no further in a bigint


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How the values of one group are written, such as INV-00042."""

    prefix: str
    suffix: str
    digits: int

    def text(self, value: int) -> str:
        return f"{self.prefix}{value:0{self.digits}}{self.suffix}"

    @property
    def regex(self) -> str:
        """Matches this pattern's texts only: padded to `digits`, and longer values unpadded."""
        longer = rf"[1-9][0-9]{{{self.digits},{MAX_DIGITS - 1}}}"
        return rf"^{re.escape(self.prefix)}([0-9]{{{self.digits}}}|{longer}){re.escape(self.suffix)}$"

    def value(self, text: str) -> int | None:
        """The value that `text` is written for; None where it is not of this pattern."""
        found = re.match(self.regex, text, re.IGNORECASE)
        return int(found[1]) if found else None
