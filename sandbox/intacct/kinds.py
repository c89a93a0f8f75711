"""The kinds of record that a company's books hold, each named as the API's addresses name it."""

INVOICE, INVOICE_LINE = "accounts-receivable/invoice", "accounts-receivable/invoice-line"
CUSTOMER, TERM = "accounts-receivable/customer", "accounts-receivable/term"
LABEL, ACCOUNT = "accounts-receivable/account-label", "general-ledger/account"
ENTITY, LOCATION, DEPARTMENT = "company-config/entity", "company-config/location", "company-config/department"
TAX_SOLUTION, TAX_DETAIL = "tax/tax-solution", "tax/order-entry-tax-detail"
KINDS = (
    INVOICE,
    INVOICE_LINE,
    CUSTOMER,
    TERM,
    LABEL,
    ACCOUNT,
    ENTITY,
    LOCATION,
    DEPARTMENT,
    TAX_SOLUTION,
    TAX_DETAIL,
)
