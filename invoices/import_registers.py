"""Clients and items of a file: which are new, which are here already, and what is wrong."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.forms import modelform_factory

from invoices.fields import RateField
from invoices.forms import codes_per_line
from invoices.import_rows import (
    Cells,
    Filler,
    Findings,
    New,
    RegisterForm,
    Sheet,
    by_upper,
    differing,
    digest_of,
    imported_before,
)
from invoices.models import Client, Import, Item, TaxRate

Row = Client | Item


def check_clients(sheet: Sheet) -> Findings:
    return _check(sheet, Client, key_of_client, _clients_here)


def check_items(sheet: Sheet) -> Findings:
    if "nominal_code" in sheet.fields and not codes_per_line():
        sheet.note(1, "nominal_code", "Left out: items carry no nominal codes of their own by the sync settings.")
    return _check(sheet, Item, key_of_item, _items_here)


def key_of_client(client: Any) -> str:
    """The reference, else name and e-mail."""
    if client.reference:
        return f"REF {client.reference.upper()}"
    return f"NAME {client.name.upper()} {client.email.upper()}"


def key_of_item(item: Any) -> str:
    return str(item.code.upper())


def _check(
    sheet: Sheet,
    model: type[Row],
    key_of: Callable[[Row], str],
    here: Callable[[Iterable[Any]], Mapping[str, Any]],
) -> Findings:
    rates = list(TaxRate.objects.all())
    filler = Filler(_form(sheet, model, rates), sheet, rates)
    read: dict[str, tuple[int, Any, Cells]] = {}
    for number, cells in sheet.rows():
        if not filler.fill(number, cells):
            continue
        row = filler.form.instance
        key = key_of(row)
        if key in read:
            sheet.complain(number, "", f"This is the same as row {read[key][0]}. Take one of the two out.")
        else:
            read[key] = (number, row, cells)
    return _sorted_out(sheet, read, here([row for _, row, _ in read.values()]))


def _form(sheet: Sheet, model: type[Row], rates: list[TaxRate]) -> Any:
    fields = [name for name in sheet.columns if name != "nominal_code" or codes_per_line()]
    form = modelform_factory(model, form=RegisterForm, fields=fields)({})
    if "tax_rate" in form.fields:
        form.fields["tax_rate"] = RateField({rate.pk: rate for rate in rates}, label="Tax rate")
    return form


def _sorted_out(sheet: Sheet, read: Mapping[str, tuple[int, Any, Cells]], here: Mapping[str, Any]) -> Findings:
    findings, before = Findings(said=sheet.said), imported_before(sheet.kind, read)
    for key, (number, row, cells) in read.items():
        if key in here:
            findings.already_here += 1
            _compare(sheet, number, here[key], row, cells)
        elif key in before:
            findings.already_here += 1
        elif number not in sheet.bad:
            findings.new.append(New(rows=(number,), key=key, digest=digest_of([cells]), thing=row))
    return findings


def _compare(sheet: Sheet, number: int, here: Row, new: Row, cells: Cells) -> None:
    names = differing(here, new, {name: text for name, text in cells.items() if name != "nominal_code"})
    if names:
        labels = ", ".join(sheet.label(name) for name in names)
        sheet.note(number, "", f"{here} is here already, with another {labels}. What is here stays.")
    elif here.archived_at:
        sheet.note(number, "", f"{here} is here already, archived.")


def _clients_here(rows: Iterable[Any]) -> dict[str, Client]:
    every = list(rows)
    with_reference = by_upper(Client.objects, "reference", [row.reference for row in every if row.reference])
    found = {f"REF {reference}": same[0] for reference, same in with_reference.items()}
    for same in by_upper(Client.objects, "name", [row.name for row in every if not row.reference]).values():
        for client in reversed(same):
            found[f"NAME {client.name.upper()} {client.email.upper()}"] = client
    return found


def _items_here(rows: Iterable[Any]) -> dict[str, Item]:
    return {code: same[0] for code, same in by_upper(Item.objects, "code", [row.code for row in rows]).items()}


KINDS = {Import.Kind.CLIENTS: check_clients, Import.Kind.ITEMS: check_items}
