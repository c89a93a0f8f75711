"""Invoices of a file: rows of one reference are the lines of one draft, checked as the editor checks them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from invoices.drafts import InvoiceDraft, LineDraft
from invoices.forms import HEAD, MOST_LINES, InvoiceForm, LineForm, codes_per_line
from invoices.import_columns import HEAD as HEAD_COLUMNS
from invoices.import_rows import Cells, Filler, Findings, New, Sheet, by_upper, digest_of, imported_before
from invoices.models import Client, Item, Property, TaxRate
from invoices.models.business import LARGEST
from invoices.totals import Sums, invoice_sums

SHARED = tuple(column.name for column in HEAD_COLUMNS if column.name != "invoice")
LONGEST_KEY = 50


class NamedField(forms.Field):
    """One of many rows, all of them read beforehand, by any of its names in upper case."""

    def __init__(self, rows: Mapping[str, list[Any]], noun: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows, self.noun = rows, noun

    def clean(self, value: Any) -> Any:
        if not value:
            super().clean(value)
            return None
        found = [row for row in self.rows.get(value.upper(), ()) if not row.archived_at]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValidationError(f"More than one {self.noun} is called so. Write the reference of the one it is.")
        archived = value.upper() in self.rows
        raise ValidationError("It is archived: take it back first." if archived else f"No {self.noun} is called so.")


class HeadOfAFile(InvoiceForm):
    """An invoice's head."""

    def _get_validation_exclusions(self) -> set[str]:
        """What was chosen among rows just read is not looked for again."""
        return {*super()._get_validation_exclusions(), "client", "site"}  # type: ignore[misc]  # no stub has it


@dataclass(slots=True)
class Group:
    """The rows of one invoice."""

    row: int
    cells: Cells
    head: dict[str, Any] | None
    rows: list[int] = field(default_factory=list)
    every: list[Cells] = field(default_factory=list)
    lines: list[LineDraft] = field(default_factory=list)
    sums: list[Sums] = field(default_factory=list)


def check_invoices(sheet: Sheet) -> Findings:
    rates = list(TaxRate.objects.all())
    items = _items(sheet)
    head, line = Filler(_head_form(sheet), sheet, rates), Filler(_line_form(items, rates), sheet, rates)
    if "nominal_code" in sheet.fields and not codes_per_line():
        sheet.note(1, "nominal_code", "Left out: lines carry no nominal codes of their own by the sync settings.")
    groups: dict[str, Group] = {}
    for number, cells in sheet.rows():
        key = cells["invoice"].upper()
        if not key or len(key) > LONGEST_KEY:
            wrong = "It is longer than 50 characters." if key else "It is empty: rows of one invoice have the same."
            sheet.complain(number, "invoice", wrong)
        elif key in groups:
            _same_head(sheet, groups[key], number, cells)
        else:
            groups[key] = Group(row=number, cells=cells, head=_head(head, number, cells))
        _add_line(groups.get(key), number, cells, line if line.fill(number, _with_item(cells, items)) else None)
    return _sorted_out(sheet, groups)


def _head_form(sheet: Sheet) -> Any:
    form = HeadOfAFile({})
    values = {name: _column(sheet, name) for name in ("client", "site")}
    clients = by_upper(Client.objects, "reference", values["client"])
    for name, rows in by_upper(Client.objects, "name", values["client"]).items():
        clients.setdefault(name, []).extend(row for row in rows if row not in clients.get(name, ()))
    sites = by_upper(Property.objects, "name", values["site"])
    form.fields["client"] = NamedField(clients, "client")
    form.fields["site"] = NamedField(sites, "property", required=False)
    del form.fields["version"]
    return form


def _column(sheet: Sheet, name: str) -> set[str]:
    """All that the file has in that column."""
    if name not in sheet.fields:
        return set()
    place = list(sheet.fields).index(name)
    return {cells[place] for _, cells in sheet.table.rows if cells[place]}


def _items(sheet: Sheet) -> dict[str, Item]:
    return {code: same[0] for code, same in by_upper(Item.objects, "code", _column(sheet, "item")).items()}


def _line_form(items: Mapping[str, Item], rates: Sequence[TaxRate]) -> Any:
    named = {f"code {code}": item for code, item in items.items()}
    form = LineForm({}, items=named, rates={rate.pk: rate for rate in rates}, with_codes=codes_per_line())
    form.empty_permitted = False
    return form


def _with_item(cells: Cells, items: Mapping[str, Item]) -> Cells:
    """Choosing an item fills a line."""
    item = items.get(cells.get("item", "").upper())
    if item is None:
        return cells
    filled = {"description": item.description, "unit_price": str(item.unit_price), "tax_rate": item.tax_rate_id}
    return {**cells, **{name: text for name, text in filled.items() if not cells.get(name)}}


def _head(filler: Filler, number: int, cells: Cells) -> dict[str, Any] | None:
    """The file's own reference stands as the client's where there is none, so that both find the invoice by it."""
    given = {**cells, "reference": cells.get("reference") or cells["invoice"]}
    return dict(filler.form.cleaned_data) if filler.fill(number, given) else None


def _same_head(sheet: Sheet, group: Group, number: int, cells: Cells) -> None:
    """What stands in the first row of an invoice may be left out, or repeated, in the others."""
    for name in SHARED:
        text = cells.get(name, "")
        if text and text != group.cells.get(name, ""):
            first = (
                f"row {group.row} says “{group.cells.get(name, '')}”"
                if group.cells.get(name)
                else f"row {group.row} has none"
            )
            sheet.complain(number, name, f"“{text[:60]}”: {first} for the same invoice. Make them the same.")


def _add_line(group: Group | None, number: int, cells: Cells, line: Filler | None) -> None:
    """Adds the line as it was just checked, None where it is wrong: that is checked even where its invoice is."""
    if group is None:
        return
    group.rows.append(number)
    group.every.append(cells)
    if line is not None:
        group.lines.append(line.form.draft())
        group.sums.append(line.form.sums)


def _sorted_out(sheet: Sheet, groups: Mapping[str, Group]) -> Findings:
    findings, before = Findings(said=sheet.said), imported_before(sheet.kind, groups)
    for key, group in groups.items():
        digest = digest_of(group.every)
        if key in before:
            made = before[key]
            findings.already_here += 1
            if made.digest != digest:
                sheet.complain(group.row, "invoice", _otherwise(made))
        elif _is_whole(sheet, group):
            draft = InvoiceDraft(**{name: (group.head or {})[name] for name in HEAD}, lines=group.lines)
            findings.new.append(New(rows=tuple(group.rows), key=key, digest=digest, thing=draft))
    return findings


def _otherwise(made: Any) -> str:
    when = f"{made.brought_by.uploaded_at:%-d %B %Y}"
    return (
        f"It was imported from {made.brought_by.file_name} on {when} with another content, as {made.invoice}. "
        "Change that invoice by hand, or undo that import first; or take these rows out."
    )


def _is_whole(sheet: Sheet, group: Group) -> bool:
    """Whether all of its rows are right, and it is an invoice by what only the whole of it tells."""
    if group.head is None or sheet.bad.intersection(group.rows):
        return False
    if len(group.lines) > MOST_LINES:
        sheet.complain(group.row, "invoice", f"An invoice takes at most {MOST_LINES} lines; it has {len(group.lines)}.")
    elif invoice_sums(group.sums).total > LARGEST:
        sheet.complain(group.row, "invoice", f"The invoice comes to more than {LARGEST:,}.")
    else:
        return True
    return False
