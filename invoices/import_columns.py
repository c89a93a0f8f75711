"""What can be imported: the fields of each kind, the headings they go by in other programs' files, and a template."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from invoices.models import Import

IGNORED = {"row", "whattomend"}  # what a file of bad rows has besides


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field: what it is called here and elsewhere, an example, and what to do where it is wrong."""

    name: str
    label: str
    example: str
    also: tuple[str, ...] = ()
    needed: bool = False
    mend: str = ""
    """What to write; stands behind what is wrong."""


NUMBER = "Write a plain number such as 1250.00."
DATE = "Write it as 2026-11-30 or 30/11/2026."
CLIENTS = (
    Column(
        name="name", label="Name", example="Bramley Stores Ltd", needed=True, also=("client", "customer", "company")
    ),
    Column(
        name="reference",
        label="Reference",
        example="BRAM1",
        also=("ref", "code", "account", "customer code", "account ref"),
    ),
    Column(
        name="email",
        label="E-mail",
        example="accounts@bramley.example",
        also=("mail", "email address", "e-mail address"),
        mend="Write one address such as accounts@bramley.example.",
    ),
    Column(
        name="terms_days",
        label="Terms",
        example="30",
        also=("payment terms", "payment terms in days", "days", "terms days", "due days"),
        mend="Write a number of days, 0 to 365, or leave it empty for the company's own.",
    ),
    Column(name="address_line_1", label="Address", example="4 Mill Lane", also=("address 1", "street", "address line")),
    Column(name="address_line_2", label="Address, second line", example="", also=("address 2", "address line 2")),
    Column(name="city", label="Town", example="Leeds", also=("city", "town or city", "post town")),
    Column(name="postal_code", label="Postcode", example="LS1 4AB", also=("postal code", "zip", "zip code")),
    Column(
        name="country", label="Country", example="GB", also=("country code",), mend="Write GB, IE or another such code."
    ),
)
ITEMS = (
    Column(name="code", label="Code", example="LABOUR", needed=True, also=("item", "item code", "sku", "product code")),
    Column(
        name="description",
        label="Description",
        example="Labour, per hour",
        needed=True,
        also=("name", "item name", "details"),
    ),
    Column(name="sort", label="Kind", example="Service", also=("type", "sort"), mend="Write Service or Product."),
    Column(
        name="unit_price",
        label="Price",
        example="48.00",
        needed=True,
        also=("unit price", "sales price", "rate", "amount"),
        mend=NUMBER,
    ),
    Column(
        name="tax_rate", label="Tax rate", example="Standard", needed=True, also=("tax", "vat", "vat rate", "tax code")
    ),
    Column(name="nominal_code", label="Nominal code", example="", also=("nominal", "ledger account", "account code")),
)
HEAD = (
    Column(
        name="invoice",
        label="Invoice",
        example="A-1001",
        needed=True,
        also=("invoice number", "invoice reference", "invoice no", "invoice ref", "number", "document number"),
    ),
    Column(
        name="client",
        label="Client",
        example="BRAM1",
        needed=True,
        also=("customer", "client reference", "customer code", "client name", "customer name", "account", "bill to"),
        mend="Import that client first, add it under Clients, or write the name or reference of one there is.",
    ),
    Column(
        name="site",
        label="Property",
        example="",
        also=("site", "building", "job"),
        mend="Add it under Properties first, or leave the cell empty.",
    ),
    Column(
        name="issue_date",
        label="Date",
        example="2026-11-02",
        needed=True,
        also=("invoice date", "issue date", "issued", "tax date"),
        mend=DATE,
    ),
    Column(name="due_date", label="Due", example="2026-12-02", also=("due date", "payment due"), mend=DATE),
    Column(
        name="reference",
        label="Client's reference",
        example="PO-7",
        also=("reference", "order number", "po", "po number", "purchase order", "your reference"),
    ),
    Column(name="notes", label="Notes", example="", also=("note", "memo", "comment", "message")),
)
LINES = (
    Column(
        name="item",
        label="Item",
        example="",
        also=("item code", "product", "product code", "sku"),
        mend="Import that item first, add it under Items, or leave the cell empty.",
    ),
    Column(
        name="description",
        label="Description",
        example="Gutter clearing",
        also=("line description", "details", "item name", "line"),
        mend="Describe the line, or name an item.",
    ),
    Column(
        name="quantity",
        label="Quantity",
        example="2",
        also=("qty", "hours", "units"),
        mend="Write a number such as 2.5.",
    ),
    Column(
        name="unit_price",
        label="Price",
        example="85.00",
        also=("unit price", "rate", "unit amount", "amount", "net amount"),
        mend=NUMBER,
    ),
    Column(
        name="discount_percent",
        label="Discount %",
        example="",
        also=("discount", "discount percent"),
        mend="Write a percentage, 0 to 100.",
    ),
    Column(name="tax_rate", label="Tax rate", example="Standard", also=("tax", "vat", "vat rate", "tax code")),
    Column(name="nominal_code", label="Nominal code", example="", also=("nominal", "account code", "ledger account")),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    Import.Kind.CLIENTS: CLIENTS,
    Import.Kind.ITEMS: ITEMS,
    Import.Kind.INVOICES: (*HEAD, *LINES),
}


def matched(heading: Sequence[str], kind: str) -> list[str]:
    """The field that each column is read into, "" for none; the name given here goes before those given elsewhere."""
    known = [(_plain(text), column.name) for column in COLUMNS[kind] for text in (column.label, column.name)]
    known += [(_plain(text), column.name) for column in COLUMNS[kind] for text in column.also]
    fields = [""] * len(heading)
    for text, name in known:
        for place, head in enumerate(heading):
            if _plain(head) == text and not fields[place] and name not in fields and text not in IGNORED:
                fields[place] = name
    return fields


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def wrong_with(fields: Sequence[str], kind: str) -> str:
    """Why rows can't be read by these columns; "" where they can."""
    columns = {column.name: column for column in COLUMNS[kind]}
    used = [name for name in fields if name]
    twice = next((name for name in used if used.count(name) > 1), "")
    if twice:
        return f"Two columns are read as {columns[twice].label}. Leave one of them out."
    missing = [column.label for column in columns.values() if column.needed and column.name not in used]
    if missing:
        names = " and ".join(f"“{label}”" for label in missing)
        return f"No column of the file is read as {names}. Say below which it is, or add it to the file."
    return ""


def template(kind: str) -> str:
    """A file to fill in: its heading, and an example row to be replaced."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column.label for column in COLUMNS[kind])
    writer.writerow(column.example for column in COLUMNS[kind])
    return "\ufeff" + text.getvalue()
