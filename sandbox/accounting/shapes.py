"""The shapes in which Sage Accounting's API shows things: plain JSON, decimals as text such as "45.0"."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sandbox.accounting.catalogue import Account, Business, Person, TaxRate
from sandbox.accounting.conditions import Conditions
from sandbox.accounting.invoice_reading import ADDRESS_FIELDS, CREDIT_DAYS, Invoice, Line
from sandbox.accounting.kinds import CREDIT_NOTE, INVOICE, ITEMS
from sandbox.accounting.reading import Json

BOOKS_OPENED = "2019-04-01T09:00:00Z"
DEFAULT_PREFIX = "SI-"
DEFAULT_PREFIXES = {INVOICE: DEFAULT_PREFIX, CREDIT_NOTE: "SC-"}
ARTEFACT_STATUSES = {
    "UNPAID": "Unpaid",
    "PART_PAID": "Part Paid",
    "PAID": "Paid",
    "VOID": "Void",
    "DRAFT": "Draft",
    "DISPUTED": "Disputed",
    "DECLINED": "Declined",
    "PRO_FORMA": "Pro forma",
}


def decimal_text(amount: Decimal) -> str:
    """Never an empty fractional part, never a padded one."""
    text = f"{amount.normalize() + 0:f}"
    return text if "." in text else f"{text}.0"


def base(collection: str, id: str, displayed_as: str | None) -> Json:
    return {"id": id, "displayed_as": displayed_as, "$path": f"/{collection}/{id}"}


def status_base(status: str) -> Json:
    return base("artefact_statuses", status, ARTEFACT_STATUSES[status])


def tax_rate_base(tax_rate: TaxRate) -> Json:
    return base("tax_rates", tax_rate.id, tax_rate.displayed_as)


def tax_rate_shape(tax_rate: TaxRate, conditions: Conditions) -> Json:
    percentage, ended = decimal_text(tax_rate.percentage), conditions.tax_rates_ended.get(tax_rate.id) or None
    return {
        **tax_rate_base(tax_rate),
        "created_at": BOOKS_OPENED,
        "updated_at": BOOKS_OPENED,
        "name": tax_rate.name,
        "agency": None,
        "percentage": percentage,
        "percentages": [{"percentage": percentage, "from_date": "2011-01-04", "to_date": ended}],
        "is_visible": ended is None,
        "retailer": False,
        "editable": False,
        "deletable": False,
        "is_combined_rate": False,
        "component_tax_rates": [],
    }


def account_base(account: Account) -> Json:
    return base("ledger_accounts", account.id, account.displayed_as)


def account_shape(account: Account) -> Json:
    kind = account.type
    scopes = ("banking", "sales", "expenses", "other_payments", "other_receipts", "journals", "reporting")
    return {
        **account_base(account),
        "created_at": BOOKS_OPENED,
        "updated_at": BOOKS_OPENED,
        "name": account.name,
        "display_name": account.name,
        "display_formatted": account.displayed_as,
        "nominal_code": account.nominal_code,
        "included_in_chart": not account.archived,
        "ledger_account_type": base("ledger_account_types", kind.id, kind.name),
        "ledger_account_classification": base("ledger_account_classifications", f"GB_{kind.id}", kind.name),
        "ledger_account_group": base("ledger_account_groups", kind.group, kind.group.title()),
        "tax_rate": base("tax_rates", kind.tax_rate_id, None),
        "fixed_tax_rate": False,
        "visible_scopes": sorted(account.scopes),
        **{f"visible_in_{scope}": scope in account.scopes for scope in scopes},
        "is_control_account": account.control,
        "control_name": account.name if account.control else None,
    }


def business_shape(business: Business, conditions: Conditions) -> Json:
    active = conditions.subscription_active
    standing = {"active": active, "status": "ACTIVE" if active else "EXPIRED"}
    subscription = {"id": "ACCOUNTING", "displayed_as": "Accounting", **standing}
    return {
        **base("businesses", business.id, business.name),
        "name": business.name,
        "address_line_1": business.address_line_1,
        "address_line_2": "",
        "city": business.city,
        "postal_code": business.postal_code,
        "country": base("countries", "GB", "United Kingdom (GB)"),
        "region": "",
        "telephone": "",
        "mobile": "",
        "website": "",
        "is_demo": True,
        "ni_based": False,
        "created_at": BOOKS_OPENED,
        "updated_at": BOOKS_OPENED,
        "subscriptions": [{**subscription, "created_at": BOOKS_OPENED, "updated_at": BOOKS_OPENED}],
    }


def person_shape(person: Person) -> Json:
    name = f"{person.first_name} {person.last_name}"
    return {
        **base("users", person.id, name),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "initials": f"{person.first_name[0]}{person.last_name[0]}",
        "email": person.username,
        "locale": "en-GB",
        "created_at": BOOKS_OPENED,
        "updated_at": BOOKS_OPENED,
    }


def invoice_settings_shape(next_number: int, next_credit_note_number: int) -> Json:
    return {
        "$path": "/invoice_settings",
        "next_invoice_number": next_number,
        "next_credit_note_number": next_credit_note_number,
        "separate_invoice_credit_note_numbering": True,
        "sales_invoice_number_prefix": DEFAULT_PREFIX,
        "sales_credit_note_number_prefix": DEFAULT_PREFIXES[CREDIT_NOTE],
        "invoice_terms_and_conditions": "",
        "default_note_on_invoice": "",
        "customer_credit_days": CREDIT_DAYS,
        "customer_credit_terms": "date_from_invoice",
        "payment_bank_account": None,
        "updated_at": BOOKS_OPENED,
    }


def financial_settings_shape(conditions: Conditions) -> Json:
    return {
        "$path": "/financial_settings",
        "year_end_date": "2027-03-31",
        "year_end_lockdown_date": conditions.year_end_lockdown_date,
        "accounting_type": "accrual",
        "accounts_start_date": conditions.accounts_start_date,
        "base_currency": base("currencies", "GBP", "Pound Sterling (GBP)"),
        "multi_currency_enabled": False,
        "use_live_exchange_rates": False,
        "tax_scheme": base("tax_schemes", "GB_STANDARD", "Standard"),
        "tax_return_frequency": base("tax_return_frequencies", "QUARTERLY", "Quarterly"),
        "tax_number": "",
        "sales_tax_calculation": "invoice",
        "purchase_tax_calculation": "invoice",
        "updated_at": BOOKS_OPENED,
    }


def new_invoice(id: str, at: str, kind: str = INVOICE) -> Json:
    """What a sales invoice or credit note holds from its first moment and no client can change."""
    zero = decimal_text(Decimal(0))
    shipping = ("shipping_net_amount", "shipping_tax_amount", "shipping_total_amount")
    return {
        **base(f"{kind}s", id, None),
        "_kind": kind,
        "created_at": at,
        "editable": True,
        "vat_reverse_charge": False,
        "tax_calculation_method": None,
        "transaction": None,
        "transaction_type": base("transaction_types", kind.upper(), kind.replace("_", " ").title()),
        "deleted_at": None,
        **{name: zero for name in shipping},
        "shipping_tax_rate": base("tax_rates", "GB_NO_TAX", "No VAT 0.00%"),
        "shipping_tax_breakdown": [],
        "payments_allocations": [],
        "payments_allocations_total_discount": zero,
        "currency": base("currencies", "GBP", "Pound Sterling (GBP)"),
        "exchange_rate": "1.0",
        "inverse_exchange_rate": "1.0",
        "sent_by_email": False,
        "void_reason": None,
        "tax_reconciled": False,
        "migrated": False,
    }


def invoice_contents(invoice: Invoice) -> Json:
    """What a client decides about a sales invoice, with the sums that follow from it."""
    free_form = "\n".join(invoice.address[name] for name in ADDRESS_FIELDS if invoice.address[name])
    contact = invoice.contact
    return {
        "contact": base("contacts", contact["id"], contact["displayed_as"]),
        "contact_name": invoice.contact_name,
        "contact_reference": invoice.contact_reference,
        "date": invoice.day.isoformat(),
        "due_date": invoice.due_day.isoformat(),
        "reference": invoice.reference,
        "main_address_free_form": free_form,
        "main_address": dict(invoice.address),
        "delivery_address_free_form": free_form,
        "delivery_address": dict(invoice.address),
        "notes": invoice.notes,
        "terms_and_conditions": invoice.terms,
        "sent": invoice.sent,
        **_sums(invoice.lines),
        "invoice_lines": [_line_shape(line) for line in invoice.lines],
        "tax_analysis": _tax_analysis(invoice.lines),
    }


def _sums(lines: Iterable[Line]) -> Json:
    lines = tuple(lines)
    net = decimal_text(sum((line.net for line in lines), Decimal(0)))
    tax = decimal_text(sum((line.tax for line in lines), Decimal(0)))
    total = decimal_text(sum((line.total for line in lines), Decimal(0)))
    return {
        "net_amount": net,
        "tax_amount": tax,
        "total_amount": total,
        "base_currency_net_amount": net,
        "base_currency_tax_amount": tax,
        "base_currency_total_amount": total,
        "total_quantity": decimal_text(sum((line.quantity for line in lines), Decimal(0))),
        "total_discount_amount": decimal_text(sum((line.discount for line in lines), Decimal(0))),
    }


def _line_shape(line: Line) -> Json:
    rate, tax = tax_rate_base(line.tax_rate), decimal_text(line.tax)
    return {
        "id": line.id,
        "displayed_as": line.description,
        "description": line.description,
        **{kind: _item_base(line.items.get(kind)) for kind in ITEMS},
        "ledger_account": account_base(line.account),
        "trade_of_asset": False,
        "quantity": decimal_text(line.quantity),
        "unit_price": decimal_text(line.unit_price),
        "unit_price_includes_tax": line.includes_tax,
        "net_amount": decimal_text(line.net),
        "tax_rate": rate,
        "tax_amount": tax,
        "tax_breakdown": [{"tax_rate": rate, "percentage": decimal_text(line.tax_rate.percentage), "amount": tax}],
        "total_amount": decimal_text(line.total),
        "discount_amount": decimal_text(line.discount),
        "discount_percentage": "0.0",
        "eu_goods_services_type": None,
        "eu_sales_description": None,
    }


def _item_base(item: Json | None) -> Json | None:
    return item and {name: item[name] for name in ("id", "displayed_as", "$path")}


def _tax_analysis(lines: Iterable[Line]) -> list[Json]:
    by_rate: dict[TaxRate, list[Line]] = {}
    for line in lines:
        by_rate.setdefault(line.tax_rate, []).append(line)
    return [
        {
            "tax_rate": tax_rate_base(tax_rate),
            **{name: _sums(group)[name] for name in ("net_amount", "tax_amount", "total_amount")},
            "goods_amount": "0.0",
            "service_amount": "0.0",
        }
        for tax_rate, group in by_rate.items()
    ]


def invoice_fields(shown: Mapping[str, Any]) -> Json:
    """A stored sales invoice as the body that would make it again: what a PUT changes a part of."""
    names = ("contact_name", "contact_reference", "date", "due_date", "reference", "notes", "terms_and_conditions")
    return {
        **{name: shown[name] for name in names},
        "sent": shown["sent"],
        "contact_id": shown["contact"]["id"],
        "main_address": shown["main_address"],
        "invoice_lines": [_line_fields(line) for line in shown["invoice_lines"]],
    }


def _line_fields(line: Mapping[str, Any]) -> Json:
    names = ("id", "description", "quantity", "unit_price", "unit_price_includes_tax", "discount_amount", "tax_amount")
    return {
        **{name: line[name] for name in names},
        "ledger_account_id": line["ledger_account"]["id"],
        "tax_rate_id": line["tax_rate"]["id"],
        **item_ids(line),
    }


def item_ids(line: Mapping[str, Any]) -> Json:
    return {f"{kind}_id": line[kind] and line[kind]["id"] for kind in ITEMS}
