"""Intacct's books as one JSON answer, and the ways in which tests and demos change them."""

from typing import Any

from sandbox.context import sandbox
from sandbox.intacct.books import Books
from sandbox.intacct.catalogue import COMPANIES, Company
from sandbox.intacct.kinds import CUSTOMER, INVOICE

Json = dict[str, Any]


def books_report() -> Json:
    return {
        "settings": sandbox().switchboard.settings_of("intacct"),
        "companies": [_company_report(each) for each in COMPANIES],
    }


def change_books(given: Json) -> Json:
    raise NotImplementedError(given)


def _company_report(company: Company) -> Json:
    books = Books(sandbox().store, company.id)
    return {
        "id": company.id,
        "name": company.name,
        "conditions": books.conditions().document(),
        "invoices": books.all(INVOICE),
        "customers": books.all(CUSTOMER),
    }
