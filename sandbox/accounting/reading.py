"""Reads a JSON object that a client sent, noting every problem in it instead of stopping at the first.

Sage says what it requires and how long texts may be; the words of most messages are assumptions.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.accounting.answers import Problem, Refused, invalid

Json = dict[str, Any]
REQUIRED = "This field is required."


class Reader:
    def __init__(self, fields: Mapping[str, Any], problems: list[Problem], source_prefix: str = "") -> None:
        self.fields = fields
        self.problems = problems
        self._source_prefix = source_prefix

    def note(self, message: str, field: str) -> None:
        self.problems.append(Problem(message, f"{self._source_prefix}{field}"))

    def text(self, field: str, *, limit: int | None = None, required: bool = False) -> str:
        value = self.fields.get(field)
        text = "" if value is None else str(value)
        if required and not text.strip():
            self.note(REQUIRED, field)
        if limit is not None and len(text) > limit:
            self.note(f"is too long (maximum is {limit} characters)", field)
        return text

    def day(self, field: str, *, required: bool = False) -> date | None:
        text = self.text(field, required=required)
        if not text.strip():
            return None
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            self.note("is not a valid date", field)
            return None

    def amount(self, field: str, *, required: bool = False) -> Decimal | None:
        """Decimals come as JSON numbers or as strings; both are exact here."""
        value = self.fields.get(field)
        if value is None or value == "":
            if required:
                self.note(REQUIRED, field)
            return None
        amount = _decimal(value)
        if amount is None:
            self.note("is not a number", field)
        return amount

    def part(self, field: str) -> "Reader":
        """A nested object; an empty one when it is missing."""
        value = self.fields.get(field)
        return Reader(value if isinstance(value, dict) else {}, self.problems, f"{self._source_prefix}{field}.")

    def settle(self) -> None:
        """Raises Refused when anything was noted."""
        if self.problems:
            raise Refused(422, self.problems)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def moment(text: str, source: str) -> datetime:
    """A filter's moment: a date, or a date and time with Z or an offset. Raises Refused."""
    try:
        if len(text) == len("2025-03-19"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("is not a valid date", source) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
