"""The bytes of a CSV file, however a spreadsheet wrote them, as rows of text; says what it took them for; pure."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}
SAVE_AS = "In Excel choose File, Save as, “CSV UTF-8”, and upload that file."
FORMULA = ("=", "+", "-", "@")
NAMED_BY_EXCEL = re.compile(r'"?sep=([,;|\t])"?$', re.IGNORECASE)
SAMPLE = 400  # bytes that tell an encoding without a mark


class Unreadable(Exception):
    """The file as a whole can't be read; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file's rows by their numbers as a spreadsheet shows them, each as wide as the heading; empty ones left out."""

    heading: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    wide: tuple[int, ...]
    """The rows that have more cells than the heading."""
    read_as: str


def read(content: bytes, *, most_rows: int) -> Table:
    """Raises Unreadable."""
    text, encoding = _decoded(content)
    delimiter, text = _delimiter(text)
    heading: tuple[str, ...] = ()
    rows: list[tuple[int, tuple[str, ...]]] = []
    wide: list[int] = []
    for number, cells in _records(text, delimiter):
        if not any(cells):
            continue
        if not heading:
            heading = _trimmed(cells)
            continue
        if len(rows) == most_rows:
            raise Unreadable(f"It has more than {most_rows:,} rows. Split it into several files.")
        if any(cells[len(heading) :]):
            wide.append(number)
        rows.append((number, (*cells, *[""] * len(heading))[: len(heading)]))
    if not heading:
        raise Unreadable("The file is empty: its first row has to name the columns.")
    read_as = f"{encoding}, separated by {DELIMITERS[delimiter]}"
    return Table(heading=heading, rows=tuple(rows), wide=tuple(wide), read_as=read_as)


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, name in NOT_TEXT.items():
        if content.startswith(mark):
            raise Unreadable(f"This is {name}, not a CSV file. {SAVE_AS}")
    for encoding, name in _encodings(content):
        try:
            return content.decode(encoding), name
        except UnicodeDecodeError:
            continue
    raise Unreadable(f"Its letters can't be read: they are neither UTF-8 nor Windows-1252. {SAVE_AS}")


def _encodings(content: bytes) -> list[tuple[str, str]]:
    """What it may be, the likeliest first."""
    sample = content[:SAMPLE]
    if sample.startswith(b"\xef\xbb\xbf"):
        return [("utf-8-sig", "UTF-8")]
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return [("utf-16", "UTF-16")]
    for side, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[side::2].count(0) > len(sample) // 4:
            return [(encoding, "UTF-16 (it doesn't say so itself)")]
    return [("utf-8", "UTF-8"), ("cp1252", "Windows-1252 (it isn't UTF-8; look at names with accents)")]


def _delimiter(text: str) -> tuple[str, str]:
    """What the cells are separated by: what Excel says in a first line of its own, else what makes most cells."""
    first, _, rest = text.partition("\n")
    named = NAMED_BY_EXCEL.match(first.strip())
    if named:
        return named[1], f"\n{rest}"
    widths = {sign: _width(text, sign) for sign in DELIMITERS}
    return max(widths, key=lambda sign: widths[sign]), text


def _width(text: str, delimiter: str) -> int:
    try:
        return next((len(cells) for _, cells in _records(text, delimiter) if any(cells)), 1)
    except Unreadable:
        return 1


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    number = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, [_cell(cell) for cell in cells]
    except csv.Error:
        raise Unreadable(
            f"Row {number + 1} can't be read: a quotation mark in it is opened and not closed, or stands where none "
            "may. A quotation mark inside a text is written twice, and the text set in quotation marks."
        ) from None


def _cell(cell: str) -> str:
    """Text without the space around it, and without the mark that keeps a spreadsheet from taking it for a formula."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _trimmed(cells: list[str]) -> tuple[str, ...]:
    """The heading without the empty columns at its end."""
    named = [place for place, cell in enumerate(cells, start=1) if cell]
    return tuple(cells[: max(named)])
