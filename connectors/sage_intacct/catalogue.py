"""The lists that a person chooses from, each as a query of Sage Intacct's and what its rows become; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from connectors.interface import Entry
from connectors.options import Kind, Options
from connectors.sage_intacct.query import Query
from connectors.sage_intacct.shapes import LABEL, NO_TAX_LINE

Row = Mapping[str, Any]


def is_true(row: Row, name: str) -> bool:
    return str(row.get(name)).lower() == "true"


def _plain(row: Row) -> Entry:
    return Entry(id=row["id"], name=str(row.get("name") or row["id"]))


def _account(row: Row) -> Entry:
    return Entry(id=row["id"], name=str(row.get("name") or ""), code=row["id"])


def _label(row: Row) -> Entry:
    return Entry(id=LABEL + row["id"], name=str(row.get("description") or row["id"]), code=row["id"])


def _tax_detail(row: Row) -> Entry:
    percent = row.get("taxPercent")
    return Entry(id=row["id"], name=row["id"], percentage=None if percent is None else Decimal(str(percent)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is asked for, and which of its active rows are offered, as what."""

    query: Query
    entry: Callable[[Row], Entry] = _plain
    is_offered: Callable[[Row], bool] = lambda row: True
    first: tuple[Entry, ...] = ()

    def entries(self, rows: list[dict[str, Any]]) -> tuple[Entry, ...]:
        """Raises ArithmeticError where a percentage is none."""
        active = (row for row in rows if row.get("status") in {"active", None})
        return (*self.first, *(self.entry(row) for row in active if self.is_offered(row)))


NO_TAX = Entry(id=NO_TAX_LINE, name="No tax line", percentage=Decimal(0))
PLAIN = ("id", "name", "status")
NAMED_BY_ID = ("id", "status")
ACCOUNTS = Listing(
    query=Query(object="general-ledger/account", fields=(*PLAIN, "disallowDirectPosting")),
    entry=_account,
    is_offered=lambda row: not is_true(row, "disallowDirectPosting"),
)
LABELS = Listing(
    query=Query(
        object="accounts-receivable/account-label", fields=("id", "description", "status", "isTax", "isSubtotal")
    ),
    entry=_label,
    is_offered=lambda row: not (is_true(row, "isTax") or is_true(row, "isSubtotal")),
)
TAX_DETAILS = Listing(
    query=Query(object="tax/order-entry-tax-detail", fields=("id", "taxPercent", "reverseCharge", "status")),
    entry=_tax_detail,
    is_offered=lambda row: not is_true(row, "reverseCharge"),
)
LISTS: Mapping[Kind, Listing] = {
    Kind.SALES_ACCOUNTS: ACCOUNTS,
    Kind.TAX_RATES: replace(ACCOUNTS, first=(NO_TAX,)),
    Kind.TAX_SOLUTIONS: Listing(query=Query(object="tax/tax-solution", fields=NAMED_BY_ID)),
    Kind.LOCATIONS: Listing(query=Query(object="company-config/location", fields=PLAIN)),
    Kind.DEPARTMENTS: Listing(query=Query(object="company-config/department", fields=PLAIN)),
    Kind.TERMS: Listing(query=Query(object="accounts-receivable/term", fields=NAMED_BY_ID)),
}
WITH_LABELS: Mapping[Kind, Listing] = {
    Kind.SALES_ACCOUNTS: LABELS,
    Kind.TAX_RATES: replace(LABELS, first=(NO_TAX,), is_offered=lambda row: is_true(row, "isTax")),
}


def listing(kind: Kind, options: Options) -> Listing:
    """Which list it is under these sync settings: what lines name, and how their tax is sent, are chosen there.

    A rate is a tax detail of the tax solution; without one it is the account that its tax is posted to, or none.
    """
    if kind is Kind.TAX_RATES and options.tax_solution_id:
        wanted = {"$eq": {"taxSolution.id": options.tax_solution_id}}
        return replace(TAX_DETAILS, query=replace(TAX_DETAILS.query, filters=(wanted,)))
    return (WITH_LABELS.get(kind) if options.account_labels else None) or LISTS[kind]
