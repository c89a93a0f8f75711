"""Turns what a client sent as a product or a service into a document, or says everything that is wrong with it."""

from collections.abc import Mapping
from typing import Any

from sandbox.accounting.books import Books
from sandbox.accounting.catalogue import find_tax_rate
from sandbox.accounting.invoice_reading import read_account
from sandbox.accounting.kinds import PRODUCT
from sandbox.accounting.reading import Json, Reader
from sandbox.accounting.shapes import account_base, base, tax_rate_base

LIMITS = {"item_code": 255, "description": 255, "notes": 500, "source_guid": 255, "purchase_description": 250}


def item_document(kind: str, fields: Mapping[str, Any], books: Books, id: str, at: str) -> Json:
    """An item as the API shows it. Raises Refused with every problem found."""
    reader = Reader(fields, [])
    texts = {name: reader.text(name, limit=limit, required=name == "description") for name, limit in LIMITS.items()}
    accounts = {
        "sales_ledger_account": read_account(reader, books, "sales_ledger_account_id"),
        "purchase_ledger_account": read_account(
            reader, books, "purchase_ledger_account_id", scope="expenses", required=kind == PRODUCT
        ),
    }
    rates = {name: _read_tax_rate(reader, f"{name}_id") for name in ("sales_tax_rate", "purchase_tax_rate")}
    code = texts["item_code"]
    if code and books.holds_code(kind, code):
        reader.note("has already been taken", "item_code")
    reader.settle()
    return {
        **base(f"{kind}s", id, f"{texts['description']} ({code})" if code else texts["description"]),
        **texts,
        **{name: account and account_base(account) for name, account in accounts.items()},
        **rates,
        "created_at": at,
        "updated_at": at,
        "deleted_at": None,
        "deletable": True,
        "deactivatable": True,
        "used_on_recurring_invoice": False,
        "active": fields.get("active") is not False,
        "_idempotency_id": fields.get("idempotency_id"),
        **_own(kind),
    }


def _own(kind: str) -> Json:
    if kind == PRODUCT:
        return {"sales_prices": [], "catalog_item_type": base("catalog_item_types", "PRODUCT", "Non-stock")}
    return {"sales_rates": []}


def _read_tax_rate(reader: Reader, field: str) -> Json | None:
    given = reader.text(field)
    tax_rate = find_tax_rate(given)
    if given and tax_rate is None:
        reader.note("is not a tax rate of this business", field)
    return tax_rate_base(tax_rate) if tax_rate else None
