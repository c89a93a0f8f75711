"""The demo companies, and what fresh books hold: accounts, labels, customers, terms, places and taxes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.intacct import kinds

Json = dict[str, Any]
BASE_CURRENCY = "GBP"
BOOKS_OPEN_SINCE = "2019-04-01"


@dataclass(frozen=True, slots=True)
class Company:
    id: str
    name: str
    entities: Mapping[str, str] = field(default_factory=dict)  # name by id; none when there is only one legal entity


COMPANIES = (
    Company("HARBOUR", "Harbour Estates (Intacct)", {"LDN": "Harbour London", "NTH": "Harbour North"}),
    Company("QUAY", "Quay Services"),
)


def find_company(company_id: object) -> Company | None:
    return next((each for each in COMPANIES if each.id == company_id), None)


EARNED, BALANCE = "incomeStatement", "balanceSheet"
DIMENSIONS = (
    "department",
    "location",
    "project",
    "customer",
    "vendor",
    "employee",
    "item",
    "class",
    "contract",
    "warehouse",
)
_ACCOUNTS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        BALANCE,
        {
            "1000": "Current account",
            "1010": "Client money account",
            "1200": "Accounts receivable",
            "1300": "Prepayments",
            "2000": "Accounts payable",
            "2100": "Accruals",
            "2200": "VAT on sales (output)",
            "2210": "VAT on purchases (input)",
            "2300": "Tenant deposits held",
            "3000": "Share capital",
        },
    ),
    (
        EARNED,
        {
            "4000": "Sales - services",
            "4010": "Rents receivable",
            "4020": "Property management fees",
            "4030": "Letting fees",
            "4040": "Inspections and inventories",
            "4050": "Repairs and maintenance income",
            "4060": "Cleaning income",
            "4070": "Gardening and grounds income",
            "4090": "Materials recharged",
            "4100": "Sales - old price list",
            "4900": "Other income",
        },
    ),
    (
        EARNED,
        {
            "5000": "Cost of sales - materials",
            "5020": "Cost of sales - labour",
            "5030": "Subcontractors",
            "7100": "Rent",
            "7500": "Office costs",
            "7600": "Legal and professional fees",
        },
    ),
)
_NOT_POSTED_TO = frozenset({"1200", "2000", "2210"})
_INACTIVE_ACCOUNTS = frozenset({"4100"})
_REQUIRED = {"4010": frozenset({"location"}), "4020": frozenset({"department"})}
_LABELS: tuple[tuple[str, str, Json], ...] = (
    ("Services", "4000", {}),
    ("Rent", "4010", {}),
    ("Management fee", "4020", {}),
    ("Repairs", "4050", {}),
    ("Subtotal", "4000", {"isSubtotal": True}),
    ("VAT", "2200", {"isTax": True, "isTaxable": False}),
)
_CUSTOMERS = (
    "Bramley Stores",
    "Castle Hill Apartments",
    "Dockside Cafe",
    "Elm Park Residents",
    "Fairway Dental",
    "Granary Wharf Management",
    "Hawthorn Primary School",
    "Ironworks Gallery",
    "Juniper House (closed)",
    "Kingfisher Leisure (on hold)",
)
CLOSED_CUSTOMER, CUSTOMER_ON_HOLD = "CUST-009", "CUST-010"
_TERMS = {"Net 30": 30, "Net 14": 14, "Due on Receipt": 0}
_DEPARTMENTS = {"OPS": "Operations", "PROP": "Property", "ADM": "Administration"}
_PLACES = {"LDN-DOCK": ("London Dock", "LDN"), "NTH-MILL": ("North Mill", "NTH")}
UK_VAT, IRISH_VAT = "United Kingdom - VAT", "Ireland - VAT"
_TAX_SOLUTIONS: Mapping[str, Mapping[str, str]] = {
    UK_VAT: {
        "UK Sale Goods/Services Standard Rate": "20",
        "UK Sale Goods/Services Reduced Rate": "5",
        "UK Sale Goods/Services Zero Rate": "0",
        "UK Sale Goods/Services Exempt": "0",
    },
    IRISH_VAT: {"IE Sale Goods/Services Standard Rate": "23"},
}


def seed_of(company: Company) -> Iterator[tuple[str, Json]]:
    """Every record of fresh books with its kind; whoever stores it adds key, audit and entity."""
    yield from ((kinds.ENTITY, _entity(id, name)) for id, name in company.entities.items())
    yield from ((kinds.LOCATION, each) for each in _locations(company))
    yield from ((kinds.DEPARTMENT, _plain(id, name)) for id, name in _DEPARTMENTS.items())
    yield from ((kinds.TERM, _term(id, days)) for id, days in _TERMS.items())
    yield from ((kinds.ACCOUNT, _account(id, name, type)) for type, names in _ACCOUNTS for id, name in names.items())
    yield from ((kinds.LABEL, _label(*each)) for each in _LABELS)
    yield from ((kinds.CUSTOMER, customer(f"CUST-{n:03}", name)) for n, name in enumerate(_CUSTOMERS, 1))
    for solution, details in _TAX_SOLUTIONS.items():
        yield kinds.TAX_SOLUTION, {**_plain(solution, solution), "taxMethod": "vat", "type": "system"}
        yield from ((kinds.TAX_DETAIL, _tax_detail(id, rate, solution)) for id, rate in details.items())


def customer(id: str, name: str) -> Json:
    return {
        **_plain(id, name, active=id != CLOSED_CUSTOMER),
        "isOnHold": id == CUSTOMER_ON_HOLD,
        "currency": BASE_CURRENCY,
        "creditLimit": None,
        "customerRestriction": "unrestricted",
        "term": {"id": "Net 30"},
        "accountLabel": None,
        "notes": "",
        "contacts": {"default": {"id": name}},
    }


def _plain(id: str, name: str, *, active: bool = True) -> Json:
    return {"id": id, "name": name, "status": "active" if active else "inactive"}


def _entity(id: str, name: str) -> Json:
    return {
        **_plain(id, name),
        "baseCurrency": BASE_CURRENCY,
        "isRoot": False,
        "openBooksStartDate": BOOKS_OPEN_SINCE,
        "startDate": None,
        "endDate": None,
    }


def _locations(company: Company) -> Iterator[Json]:
    """An entity is a location too, and others may lie below it."""
    yield from ({**_plain(id, name), "parent": None} for id, name in company.entities.items())
    if not company.entities:
        yield {**_plain("MAIN", "Main office"), "parent": None}
    for id, (name, parent) in _PLACES.items():
        if parent in company.entities:
            yield {**_plain(id, name), "parent": {"id": parent}}


def _term(id: str, days: int) -> Json:
    due = {"days": days, "from": "fromInvoiceDate"}
    return {"id": id, "description": id, "status": "active", "due": due, "discount": None, "penalty": None}


def _account(id: str, name: str, account_type: str) -> Json:
    required = _REQUIRED.get(id, frozenset())
    return {
        **_plain(id, name, active=id not in _INACTIVE_ACCOUNTS),
        "accountType": account_type,
        "normalBalance": "debit" if id[0] in "157" else "credit",
        "disallowDirectPosting": id in _NOT_POSTED_TO,
        "requireDimensions": {each: each in required for each in DIMENSIONS},
    }


def _label(id: str, account_id: str, flags: Json) -> Json:
    return {
        "id": id,
        "description": id,
        "status": "active",
        "glAccount": {"id": account_id},
        "offsetGLAccount": None,
        "isTax": False,
        "isSubtotal": False,
        "isTaxable": True,
        **flags,
    }


def _tax_detail(id: str, rate: str, solution: str) -> Json:
    return {
        "id": id,
        "description": id,
        "status": "active",
        "taxPercent": int(rate),
        "taxRate": "standard" if "Standard" in id else "other",
        "taxSolution": {"id": solution},
        "reverseCharge": False,
        "salesGLAccount": {"id": "2200"},
    }
