"""What goes onto paper: an invoice as data, and how typst makes a PDF of that or of other data."""

import json
import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import typst
from django.conf import settings
from django.utils.formats import date_format

from connectors.interface import NewClient
from connectors.models import Connection
from invoices.documents import client_of, frozen_client
from invoices.models import Company, Invoice, InvoiceLine, TaxRate
from invoices.standing import shown_number
from invoices.totals import Sums, invoice_sums

log = logging.getLogger(__name__)

FOLDER = settings.BASE_DIR / "templates" / "paper"
SIGNS = {"GBP": "£", "EUR": "€"}
HOME = "GB"  # a client there needs no country in the address
STAMPS = {"DRAFT": "Draft", "VOID": "Void"}
STATES: dict[str, dict[str, str]] = {
    Invoice.Kind.INVOICE: {
        "DRAFT": "Draft: not for payment",
        "VOID": "Void: nothing is to be paid",
        "PAID": "Paid in full",
    },
    Invoice.Kind.CREDIT_NOTE: {"DRAFT": "Draft: nothing is credited yet", "VOID": "Void: nothing is credited"},
}


def pdf(invoice: Invoice, connection: Connection | None) -> bytes:
    """The invoice as it stands now, typeset."""
    company = Company.ours()
    credited = shown_number(invoice.credits, connection) if invoice.credits else ""
    return print_out("invoice.typ", data(invoice, company, shown_number(invoice, connection), credited), company)


def print_out(template: str, said: dict[str, Any], company: Company) -> bytes:
    """What the template says with this data; the same data gives the same bytes.

    Tagged as PDF/UA-1. Where a letter is in no font of this machine that can't be promised: it is printed as a box, and
    all the rest as ever.
    """
    inputs = {"data": json.dumps(_printable(said))}
    if company.logo:
        inputs["logo"] = json.dumps(list(bytes(company.logo)))
    try:
        return _typeset(template, inputs, "ua-1")
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        log.warning("%s is printed with boxes: %s", said["title"], error.message)
        return _typeset(template, inputs, "1.7")


def _typeset(template: str, inputs: dict[str, str], standard: Literal["ua-1", "1.7"]) -> bytes:
    compiler = typst.Compiler((FOLDER / template).read_bytes(), FOLDER, _fonts(), sys_inputs=inputs)
    made = compiler.compile(format="pdf", pdf_standards=standard, timestamp=0)
    assert isinstance(made, bytes)  # noqa: S101  # one file, as no place to write it was named
    return made


@cache
def _fonts() -> typst.Fonts:
    """Those that typst brings along, and the machine's own for letters which these lack."""
    return typst.Fonts()


def file_name(invoice: Invoice, number: str) -> str:
    kind = f"Draft {invoice.noun}" if invoice.status == Invoice.Status.DRAFT else invoice.get_kind_display()
    return re.sub(r"[^\w .,&()+-]", "-", f"{kind} {number} - {Company.ours().name}") + ".pdf"


def data(invoice: Invoice, company: Company, number: str, credited: str = "") -> dict[str, Any]:
    """All that the template says, in words and formatted figures; `credited` is the number of what it credits."""
    lines = list(invoice.lines.select_related("tax_rate"))
    client = frozen_client(invoice.frozen)[1] if invoice.frozen else client_of(invoice.client)
    is_owed = invoice.outstanding > 0 and invoice.status != Invoice.Status.VOID
    return {
        "title": f"{invoice.get_kind_display()} {number}",
        "kind": invoice.get_kind_display(),
        "number": number,
        "stamp": STAMPS.get(invoice.status, ""),
        "state": STATES[invoice.kind].get(invoice.status, ""),
        "company": {"name": company.name, "address": company.address, "footer": footer(company)},
        "client": {"name": client.name, "address": address(client)},
        "facts": _facts(invoice, credited),
        "due": f"To pay by {day(invoice.due_date)}" if is_owed else "",
        "outstanding": amount(invoice.outstanding, invoice.currency),
        **_table(lines),
        "totals": _totals(invoice, lines),
        "closing": _closing(invoice, company, is_owed=is_owed),
    }


def amount(value: Decimal, currency: str) -> str:
    sign = SIGNS.get(currency) or f"{currency}\u00a0"
    return f"{'−' if value < 0 else ''}{sign}{abs(value):,.2f}"  # noqa: RUF001


def _figure(value: Decimal) -> str:
    return amount(value, "").lstrip("\u00a0")


def _short(value: Decimal) -> str:
    """Only the places that it has."""
    return _figure(value).rstrip("0").rstrip(".")


def day(value: date) -> str:
    return date_format(value, "j F Y")


def footer(company: Company) -> str:
    return f"{company.name} · VAT number {company.vat_number}" if company.vat_number else company.name


def address(client: NewClient) -> str:
    country = client.country if client.country != HOME else ""
    parts = (client.address_line_1, client.address_line_2, client.city, client.postal_code, country)
    return "\n".join(part for part in parts if part)


def _facts(invoice: Invoice, credited: str) -> list[tuple[str, str]]:
    facts = [
        ("Date", day(invoice.issue_date)),
        ("Due", "" if invoice.is_credit_note else day(invoice.due_date)),
        ("Credits invoice", f"{credited} of {day(invoice.credits.issue_date)}" if invoice.credits else ""),
        ("Your reference", invoice.reference),
        ("Property", invoice.site.name if invoice.site else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _table(lines: Sequence[InvoiceLine]) -> dict[str, Any]:
    """Columns that no line has anything for are left out: an imported line knows no rate of ours."""
    shown = {"Discount": any(line.discount for line in lines), "Tax rate": any(line.tax_rate for line in lines)}
    columns: dict[str, Callable[[InvoiceLine], str]] = {
        "Description": lambda line: line.description,
        "Quantity": lambda line: _short(line.quantity),
        "Price": lambda line: _figure(line.unit_price),
        "Discount": _discount,
        "Tax rate": lambda line: _rate(line.tax_rate) if line.tax_rate else "",
        "Net": lambda line: _figure(line.net),
    }
    kept = {label: cell for label, cell in columns.items() if shown.get(label, True)}
    heads = [{"label": label, "wide": label == "Description", "right": label != "Description"} for label in kept]
    return {"columns": heads, "lines": [[cell(line) for cell in kept.values()] for line in lines]}


def _discount(line: InvoiceLine) -> str:
    if line.discount_percent:
        return f"{_short(line.discount_percent)}%"
    return _figure(line.discount) if line.discount else ""


def _rate(rate: TaxRate) -> str:
    return f"{_short(rate.percentage)}%" if rate.percentage else rate.name


def _totals(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[tuple[str, str, bool]]:
    """Net, tax by rate, total, and what of it is paid: (label, amount, whether it stands out)."""
    currency = invoice.currency
    sign = invoice.sign  # what a credit note takes off is printed as what it credits
    rows = [("Net", invoice.net * sign, False), *((label, tax, False) for label, tax in _taxes(invoice, lines))]
    rows.append(("Total credited" if invoice.is_credit_note else "Total", invoice.total * sign, True))
    if not invoice.is_credit_note and invoice.status != Invoice.Status.VOID and invoice.outstanding != invoice.total:
        rows.append(("Paid", invoice.outstanding - invoice.total, False))
        rows.append(("Outstanding", invoice.outstanding, True))
    return [(label, amount(value, currency), stands_out) for label, value, stands_out in rows]


def _taxes(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[tuple[str, Decimal]]:
    """Each rate, with what it is counted on; one sum where the lines do not say."""
    by_rate: dict[TaxRate, list[Sums]] = defaultdict(list)
    for line in lines:
        if line.tax_rate:
            by_rate[line.tax_rate].append(Sums(discount=line.discount, net=line.net, tax=line.tax))
    if not by_rate:
        return [("Tax", invoice.tax * invoice.sign)]
    return [
        (f"{'Tax ' if rate.percentage else ''}{_rate(rate)} on {amount(sums.net, invoice.currency)}", sums.tax)
        for rate in sorted(by_rate, key=lambda rate: rate.position)
        for sums in [invoice_sums(by_rate[rate])]
    ]


def _closing(invoice: Invoice, company: Company, *, is_owed: bool) -> list[tuple[str, str]]:
    parts = [
        ("Reason" if invoice.is_credit_note else "Notes", invoice.notes),
        ("How to pay", company.payment_details if is_owed else ""),
        ("Terms", "" if invoice.is_credit_note else company.invoice_terms),
    ]
    return [(title, text.strip()) for title, text in parts if text.strip()]


def _printable(value: Any) -> Any:
    """Texts without the signs that nobody can print."""
    if isinstance(value, dict):
        return {name: _printable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(one) for one in value]
    if not isinstance(value, str):
        return value
    return "".join(sign for sign in value if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cs", "Co"))
