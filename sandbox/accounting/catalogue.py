"""The demo people, their organisations, the UK tax rates and the chart of accounts: what nobody here can change."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from uuid import UUID, uuid5

NAMESPACE = UUID("5c7d0b53-92a3-4c39-8f0c-3f3f4a6e2b10")


def stable_id(*words: object) -> str:
    """The same 32 hex characters for the same words, in every fresh set of books."""
    return uuid5(NAMESPACE, "/".join(map(str, words))).hex


@dataclass(frozen=True, slots=True)
class Business:
    name: str
    address_line_1: str
    city: str
    postal_code: str

    @property
    def id(self) -> str:
        return stable_id("business", self.name)


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    password: str
    first_name: str
    last_name: str
    businesses: tuple[Business, ...]

    @property
    def id(self) -> str:
        return str(UUID(stable_id("person", self.username)))

    def allowed(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that are this person's own, in the order in which the person made the businesses."""
        wanted = set(ids)
        return [business.id for business in self.businesses if business.id in wanted]


@dataclass(frozen=True, slots=True)
class TaxRate:
    id: str
    name: str
    percentage: Decimal

    @property
    def displayed_as(self) -> str:
        return f"{self.name} {self.percentage:.2f}%"


@dataclass(frozen=True, slots=True)
class AccountType:
    id: str
    name: str
    group: str
    scopes: frozenset[str]
    tax_rate_id: str


@dataclass(frozen=True, slots=True)
class Account:
    business_id: str
    nominal_code: int
    name: str
    type: AccountType
    archived: bool = False
    control: bool = False

    @property
    def id(self) -> str:
        return stable_id("account", self.business_id, self.nominal_code)

    @property
    def displayed_as(self) -> str:
        return f"{self.name} ({self.nominal_code})"

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset() if self.archived else self.type.scopes


BUSINESSES = (
    Business("Harbour & Vale Property Services", "3 Quay Street", "Bristol", "BS1 4DJ"),
    Business("Harbour Lettings", "5 Quay Street", "Bristol", "BS1 4DJ"),
    Business("Tidewater Surveyors", "18 Castle Hill", "Lincoln", "LN1 3AA"),
)
PEOPLE = (
    Person("bookkeeper@harbour.example", "harbour", "Robin", "Ash", BUSINESSES[:2]),
    Person("office@tidewater.example", "tidewater", "Jo", "Marsh", BUSINESSES[2:]),
)
TAX_RATES = (
    TaxRate("GB_STANDARD", "Standard", Decimal("20.0")),
    TaxRate("GB_LOWER", "Lower Rate", Decimal("5.0")),
    TaxRate("GB_ZERO", "Zero Rated", Decimal("0.0")),
    TaxRate("GB_EXEMPT", "Exempt", Decimal("0.0")),
    TaxRate("GB_NO_TAX", "No VAT", Decimal("0.0")),
)

_IN_SALES = frozenset({"sales", "other_receipts", "journals", "reporting"})
_IN_EXPENSES = frozenset({"expenses", "other_payments", "journals", "reporting"})
_IN_BANKING = frozenset({"banking", "journals", "reporting"})
_IN_JOURNALS = frozenset({"journals", "reporting"})

SALES = AccountType("SALES", "Sales", "INCOME", _IN_SALES, "GB_STANDARD")
OTHER_INCOME = AccountType("OTHER_INCOME", "Other Income", "INCOME", _IN_SALES, "GB_NO_TAX")
DIRECT = AccountType("DIRECT_EXPENSES", "Direct Expenses", "EXPENSE", _IN_EXPENSES, "GB_STANDARD")
OVERHEADS = AccountType("OVERHEADS", "Overheads", "EXPENSE", _IN_EXPENSES, "GB_STANDARD")
FIXED = AccountType("FIXED_ASSETS", "Fixed Assets", "ASSET", _IN_EXPENSES, "GB_STANDARD")
CURRENT = AccountType("CURRENT_ASSETS", "Current Assets", "ASSET", _IN_JOURNALS, "GB_NO_TAX")
BANK = AccountType("BANK", "Bank", "ASSET", _IN_BANKING, "GB_NO_TAX")
LIABILITIES = AccountType("CURRENT_LIABILITIES", "Current Liabilities", "LIABILITY", _IN_JOURNALS, "GB_NO_TAX")
EQUITY = AccountType("EQUITY", "Equity", "EQUITY", _IN_JOURNALS, "GB_NO_TAX")

_ROWS: tuple[tuple[AccountType, dict[int, str]], ...] = (
    (FIXED, {30: "Office equipment - Cost", 40: "Motor vehicles - Cost", 50: "Tools and plant - Cost"}),
    (CURRENT, {1000: "Stock", 1100: "Trade debtors", 1103: "Prepayments", 1105: "Deposits paid"}),
    (BANK, {1200: "Current account", 1210: "Client money account", 1230: "Petty cash", 1240: "Business card"}),
    (
        LIABILITIES,
        {
            2100: "Trade creditors",
            2109: "Accruals",
            2110: "Tenant deposits held",
            2200: "VAT on sales",
            2201: "VAT on purchases",
            2202: "VAT liability",
            2210: "PAYE and National Insurance",
            2250: "Pension contributions",
        },
    ),
    (EQUITY, {3000: "Share capital", 3100: "Profit and loss brought forward", 3200: "Directors' loan account"}),
    (
        SALES,
        {
            4000: "Sales - Products",
            4010: "Sales - Services",
            4020: "Property management fees",
            4030: "Letting fees",
            4040: "Inspections and inventories",
            4050: "Repairs and maintenance income",
            4060: "Cleaning income",
            4070: "Gardening and grounds income",
            4080: "Call-out charges",
            4090: "Materials recharged",
            4100: "Sales - Old price list",
            4110: "Survey fees - Closed branch",
            4200: "Sales of assets",
        },
    ),
    (OTHER_INCOME, {4900: "Other income", 4904: "Rent received", 4906: "Interest received", 4910: "Carriage on sales"}),
    (
        DIRECT,
        {
            5000: "Cost of sales - Goods",
            5010: "Cost of sales - Materials",
            5020: "Cost of sales - Labour",
            5030: "Subcontractors",
            5040: "Tools and consumables",
            5050: "Waste disposal",
            5060: "Plant hire",
            5100: "Carriage on purchases",
            5200: "Cost of sales - Old depot",
        },
    ),
    (
        OVERHEADS,
        {
            6200: "Marketing",
            7000: "Wages and salaries",
            7100: "Rent",
            7103: "Business rates",
            7200: "Electricity",
            7210: "Gas",
            7220: "Water",
            7300: "Vehicle fuel",
            7304: "Vehicle repairs",
            7400: "Travel and subsistence",
            7500: "Office costs",
            7502: "Telephone and internet",
            7600: "Legal and professional fees",
            7610: "Accountancy fees",
            7700: "Software and computer costs",
            7800: "Repairs to premises",
            7820: "Insurance",
            7900: "Bank charges",
            8000: "Depreciation",
            8100: "Bad debts",
            8200: "Sundry expenses",
        },
    ),
)
_ARCHIVED = frozenset({4100, 4110, 5200})
_CONTROL = frozenset({1100, 2100, 2200, 2201, 2202})


@cache
def chart_of(business_id: str) -> tuple[Account, ...]:
    return tuple(
        Account(business_id, code, name, kind, archived=code in _ARCHIVED, control=code in _CONTROL)
        for kind, names in _ROWS
        for code, name in names.items()
    )


def find_account(business_id: str, account_id: object) -> Account | None:
    return next((each for each in chart_of(business_id) if each.id == account_id), None)


def find_tax_rate(tax_rate_id: object) -> TaxRate | None:
    return next((each for each in TAX_RATES if each.id == tax_rate_id), None)


def find_business(business_id: object) -> Business | None:
    return next((each for each in BUSINESSES if each.id == business_id), None)


def find_person(person_id: str) -> Person:
    return next(each for each in PEOPLE if each.id == person_id)


def sign_in(username: str, password: str) -> Person | None:
    name = username.strip().lower()
    return next((each for each in PEOPLE if (each.username, each.password) == (name, password)), None)
