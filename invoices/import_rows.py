"""The rows of a file, each checked by the very form that a person would fill in, without a query for each."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db.models import Model
from django.db.models.functions import Upper

from invoices import import_cells
from invoices.csv_reading import Table
from invoices.drafts import InvoiceDraft
from invoices.fields import ChoiceBox
from invoices.import_cells import Wrong, shown
from invoices.import_columns import COLUMNS, Column
from invoices.models import Client, ImportedRow, Item, TaxRate

CHUNK = 5000  # keys of one query
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is to be said of one cell; `is_error` where nothing can be imported before it is mended."""

    row: int
    column: str
    message: str
    is_error: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """One thing to be created: the rows that say so, the key they name it by, and what it is to be."""

    rows: tuple[int, ...]
    key: str
    digest: str
    thing: Client | Item | InvoiceDraft


@dataclass(slots=True)
class Findings:
    """What came of a check."""

    new: list[New] = field(default_factory=list)
    already_here: int = 0
    said: list[Said] = field(default_factory=list)

    @property
    def errors(self) -> list[Said]:
        return [said for said in self.said if said.is_error]


@dataclass(slots=True)
class Sheet:
    """A file's rows by field, and what has been found wrong with them."""

    table: Table
    kind: str
    fields: Sequence[str]
    tick: Callable[[int], None]
    """Told after each row how many have been gone through."""
    said: list[Said] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    @property
    def columns(self) -> dict[str, Column]:
        return {column.name: column for column in COLUMNS[self.kind]}

    def rows(self) -> Iterator[tuple[int, Cells]]:
        used = [(name, place) for place, name in enumerate(self.fields) if name]
        wide = set(self.table.wide)
        for done, (number, cells) in enumerate(self.table.rows, start=1):
            if number in wide:
                text = "It has more cells than the heading. Set a text that holds the separator in quotation marks."
                self.complain(number, "", text)
            yield number, {name: cells[place] for name, place in used}
            self.tick(done)

    def complain(self, row: int, name: str, message: str) -> None:
        self._say(Said(row=row, column=self.label(name), message=message))
        self.bad.add(row)

    def note(self, row: int, name: str, message: str) -> None:
        self._say(Said(row=row, column=self.label(name), message=message, is_error=False))

    def _say(self, said: Said) -> None:
        self.said.append(said)

    def label(self, name: str) -> str:
        """The column as the file has it, else as we call it."""
        if name in self.fields:
            return self.table.heading[self.fields.index(name)]
        return next((column.label for column in COLUMNS[self.kind] if column.name == name), "")


class Filler:
    """A form that is filled in again with each row: to make a new one for each takes ten times as long."""

    def __init__(self, form: Any, sheet: Sheet, rates: Sequence[TaxRate]) -> None:
        self.form, self.sheet = form, sheet
        self.columns = sheet.columns
        self.readers = {**import_cells.READERS, "tax_rate": import_cells.tax_reader(rates)}
        boxes = [name for name, field in form.fields.items() if isinstance(field.widget, ChoiceBox)]
        self.posted = {name: f"{name}-text" for name in boxes}

    def fill(self, row: int, cells: Cells) -> bool:
        """Whether the row is right; what is wrong with it is said."""
        unreadable: dict[str, str] = {}
        data: dict[str, str] = {}
        for name in self.form.fields:
            text = cells.get(name, "") or str(import_cells.EMPTY.get(name, ""))
            try:
                read = self.readers[name](text) if text and name in self.readers else text
            except Wrong as wrong:
                unreadable[name], read = str(wrong), ""
            data[self.posted.get(name, name)] = read
        self.form.data = data
        self.form.instance = self.form._meta.model()
        self.form.instance.validate_constraints = _left_to_postgres
        self.form.full_clean()
        said = {name: self._message(name, text, cells) for name, text in unreadable.items()}
        for name, errors in self.form.errors.as_data().items():
            said.setdefault(name, self._message(name, self._plain(errors[0]), cells))
        for name, message in said.items():
            self.sheet.complain(row, name, message)
        return not said

    def _plain(self, error: forms.ValidationError) -> str:
        if error.code == "required":
            return "It is empty."
        return str(error.messages[0])

    def _message(self, name: str, wrong: str, cells: Cells) -> str:
        text, column = cells.get(name, ""), self.columns.get(name)
        quoted = f"“{shown(text)}”: " if text and shown(text) not in wrong else ""
        mend = f" {column.mend}" if column and column.mend and column.mend not in wrong else ""
        return f"{quoted}{wrong}{mend}"


def _left_to_postgres(exclude: object = None) -> None:
    """What is unique is asked for all rows together, and Postgres has the last word."""


class RegisterForm(forms.ModelForm):
    """A client or an item."""

    def validate_unique(self) -> None:
        """Asked for all rows together."""

    def _get_validation_exclusions(self) -> set[str]:
        """A tax rate chosen among rows just read is not looked for again."""
        return {*super()._get_validation_exclusions(), "tax_rate"}  # type: ignore[misc]  # no stub has it


def digest_of(cells: Iterable[Cells]) -> str:
    return hashlib.sha256(json.dumps([dict(sorted(row.items())) for row in cells]).encode()).hexdigest()


def imported_before(kind: str, keys: Iterable[str]) -> dict[str, ImportedRow]:
    """What these keys have made already."""
    made = ImportedRow.objects.filter(kind=kind).select_related("brought_by", "invoice")
    return {row.key: row for some in chunks(keys) for row in made.filter(key__in=some)}


def by_upper(rows: Any, name: str, values: Iterable[str]) -> dict[str, list[Any]]:
    """The rows whose field is one of these, whatever the case, by it in upper case."""
    found: dict[str, list[Any]] = {}
    for some in chunks({value.upper() for value in values}):
        for row in rows.alias(upper=Upper(name)).filter(upper__in=some).order_by("pk"):
            found.setdefault(getattr(row, name).upper(), []).append(row)
    return found


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    every = sorted(key for key in keys if "\x00" not in key)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]


def differing(here: Model, new: Model, cells: Cells) -> list[str]:
    """The fields that the file fills in, and that are otherwise here."""
    return [name for name, text in cells.items() if text and _plain(here, name) != _plain(new, name)]


def _plain(row: Model, name: str) -> object:
    value = getattr(row, name, "")
    return value.pk if isinstance(value, Model) else value
