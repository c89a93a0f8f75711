"""What the next invoice would be in the connected books, said before there is one: composed by the code that sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.interface import Entry, NewInvoice
from connectors.models import Connection
from connectors.options import Options
from connectors.services import tax_links
from incrementors.models import Group
from invoices.documents import Codes, compose
from invoices.models import Company, TaxRate
from invoices.services import next_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What an admin decides about how invoices leave: settings, the default account, an entry for each of our rates.

    `rates` is by our rates' codes; a rate that is not mapped is not in it.
    """

    options: Options
    account: Entry | None
    rates: Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The next invoice: our number for it, our rates, and the document as it would leave, with a line for each rate
    that is mapped."""

    number: str
    choices: Choices
    rates: tuple[TaxRate, ...]
    document: NewInvoice


def choices_of(connection: Connection) -> Choices:
    """As they are stored; the platform isn't asked."""
    links = tax_links(connection).items()
    account = Entry(id=connection.sales_account_id, name=connection.sales_account_name)
    return Choices(
        options=connection.options,
        account=account if account.id else None,
        rates={code: Entry(id=x.remote_id, name=x.remote_name, percentage=x.percentage) for code, x in links},
    )


def next_invoice(choices: Choices, *, today: date) -> Ahead:
    number, group = next_number(), Group.objects.get(pk=Group.INVOICES)
    rates = tuple(TaxRate.objects.all())
    codes = Codes(
        client_id="",
        sales_account_id=choices.account.id if choices.account else "",
        tax_rate_ids={code: entry.id for code, entry in choices.rates.items()},
        account_ids={},
        item_ids={},
        location_id=choices.options.location_id,
        department_id=choices.options.department_id,
    )
    frozen = _sample([rate.pk for rate in rates if rate.pk in choices.rates], today)
    document = compose(frozen, number=number, prefix=group.prefix, codes=codes, options=choices.options)
    return Ahead(number=number, choices=choices, rates=rates, document=document)


def _sample(tax_codes: list[str], today: date) -> dict[str, Any]:
    """An invoice as it is frozen at approval, of no amount, with a line at each of these rates."""
    nothing = dict.fromkeys(("net", "tax", "total"), "0")
    lines = [
        {"description": "", "tax_code": code, "quantity": "1", "unit_price": "0", "discount": "0", **nothing}
        for code in tax_codes
    ]
    day = today.isoformat()
    currency = Company.ours().currency
    return {"issue_date": day, "due_date": day, "notes": "", "currency": currency, "lines": lines, **nothing}
