"""The pages of contacts, products and services, the chart and the settings, and what a person changes on them."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.accounting.answers import Refused
from sandbox.accounting.books import Books, Search, column
from sandbox.accounting.catalogue import TAX_RATES
from sandbox.accounting.conditions import DAYS
from sandbox.accounting.kinds import CONTACT, ITEMS
from sandbox.accounting.pages import asked_business, plain, render
from sandbox.accounting.report import items_report, restate_contact
from sandbox.context import sandbox

registers = Blueprint("accounting_registers", __name__, url_prefix="/accounting/books")
SWITCHES = ("subscription_active", "totals_must_agree")


@registers.get("/contacts")
def contacts() -> str:
    search = Search(order=f"{column('name')} COLLATE NOCASE")
    search.add(f"{column('deleted_at')} IS NULL")
    return render("contacts", asked_business(), contacts=_books().find(CONTACT, search))


@registers.post("/contacts/<id>")
def change_contact(id: str) -> AnyResponse:
    restate_contact(_books(), id, request.form.get("state"))
    return _go_to(".contacts")


@registers.get("/items")
def items() -> str:
    return render("items", asked_business(), items={kind: items_report(_books(), kind) for kind in ITEMS})


@registers.get("/chart")
def chart() -> str:
    return render("chart", asked_business(), accounts=_books().chart())


@registers.post("/chart/<code>")
def change_account(code: str) -> AnyResponse:
    _books().set_conditions({"archived": {code: request.form.get("archived") == "true"}})
    return _go_to(".chart")


@registers.get("/settings")
def settings() -> str:
    conditions = _books().conditions()
    return render("settings", asked_business(), conditions=conditions, tax_rates=TAX_RATES)


@registers.post("/settings")
def change_settings() -> AnyResponse:
    """Only what the form carries is changed: the first page of the books sends the lockdown date alone."""
    form = request.form
    _books().set_conditions(
        {
            **{name: form[name] for name in (*DAYS, "access") if name in form},
            **{name: form[name] == "true" for name in SWITCHES if name in form},
            "tax_rates_ended": {each.id: form[each.id] for each in TAX_RATES if each.id in form},
        }
    )
    return _go_to(".settings" if "access" in form else "accounting_pages.invoices")


@registers.errorhandler(Refused)
def refused(refusal: Refused) -> tuple[str, int]:
    message = " ".join(plain(problem) for problem in refusal.problems)
    return render_template("problem.html", title="This can't be done", message=message), refusal.status


def _books() -> Books:
    return Books(sandbox().store, asked_business().id)


def _go_to(endpoint: str) -> AnyResponse:
    return redirect(url_for(endpoint, business=asked_business().id), 303)
