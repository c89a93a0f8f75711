"""Where two people's versions of one invoice differ, side by side: fields, lines and what they come to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from invoices.drafts import InvoiceDraft, LineDraft
from invoices.totals import Sums, invoice_sums, line_sums

LABELS = {
    "client": "Client",
    "site": "Property",
    "reference": "Client's reference",
    "issue_date": "Date",
    "due_date": "Due",
    "notes": "Notes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A line as one of the two has it: its parts with whether each differs, and its sums."""

    parts: Sequence[tuple[str, bool]]
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDifference:
    """A line that only one of them has, or that both have and not alike; `number` is its place in yours, or theirs."""

    number: int
    change: str
    theirs: Side | None
    yours: Side | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs, and nothing else."""

    fields: Sequence[tuple[str, str, str]]
    lines: Sequence[LineDifference]
    theirs: Sums
    yours: Sums

    @property
    def is_none(self) -> bool:
        return not self.fields and not self.lines


def differences(theirs: InvoiceDraft, yours: InvoiceDraft) -> Difference:
    """`theirs` is what is stored now, `yours` what this person wants to save."""
    fields = [
        (label, _text(getattr(theirs, name)), _text(getattr(yours, name)))
        for name, label in LABELS.items()
        if getattr(theirs, name) != getattr(yours, name)
    ]
    return Difference(
        fields=fields, lines=list(_lines(theirs.lines, yours.lines)), theirs=_sums(theirs), yours=_sums(yours)
    )


def _lines(theirs: Sequence[LineDraft], yours: Sequence[LineDraft]) -> Iterator[LineDifference]:
    matcher = SequenceMatcher(None, [_key(line) for line in theirs], [_key(line) for line in yours], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what != "equal":
            for (n, old), (m, new) in zip_longest(_from(a, theirs[a:b]), _from(c, yours[c:d]), fillvalue=(0, None)):
                yield _line(m or n, old, new)


def _from(start: int, lines: Sequence[LineDraft]) -> Iterator[tuple[int, LineDraft | None]]:
    return ((n, line) for n, line in enumerate(lines, start + 1))


def _line(number: int, theirs: LineDraft | None, yours: LineDraft | None) -> LineDifference:
    change = "only in yours" if theirs is None else "not in yours" if yours is None else "changed"
    return LineDifference(number=number, change=change, theirs=_side(theirs, yours), yours=_side(yours, theirs))


def _side(line: LineDraft | None, other: LineDraft | None) -> Side | None:
    if line is None:
        return None
    against = _parts(other) if other else _parts(line)
    parts = [(text, text != beside) for text, beside in zip(_parts(line), against, strict=True)]
    return Side(parts=[part for part in parts if part[0]], sums=_line_sums(line))


def _parts(line: LineDraft) -> list[str]:
    """How a line reads, part by part; what a line need not have is empty."""
    return [
        line.item.code if line.item else "",
        line.description,
        f"{line.quantity.normalize():f} × {line.unit_price:,.2f}",  # noqa: RUF001
        f"less {line.discount_percent.normalize():f} %" if line.discount_percent else "",
        str(line.tax_rate),
        line.nominal_code,
    ]


def _key(line: LineDraft) -> tuple[Any, ...]:
    return tuple(_parts(line))


def _line_sums(line: LineDraft) -> Sums:
    return line_sums(
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_percent=line.tax_rate.percentage,
    )


def _sums(draft: InvoiceDraft) -> Sums:
    return invoice_sums(map(_line_sums, draft.lines))


def _text(value: Any) -> str:
    if isinstance(value, date):
        return f"{value.day} {value:%b %Y}"
    return str(value) if value else "none"
