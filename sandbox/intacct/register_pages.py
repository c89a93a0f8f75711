"""The pages of customers, GL accounts and settings of a company, and what a person changes on them."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import sandbox
from sandbox.intacct import SETTINGS
from sandbox.intacct.answers import Json, Refused
from sandbox.intacct.kinds import ACCOUNT, CUSTOMER, ENTITY
from sandbox.intacct.pages import asked_company, books_here, plain_texts, render
from sandbox.intacct.report import change_books

registers = Blueprint("intacct_registers", __name__, url_prefix="/intacct")

# The dimensions that invoices of this pretend Intacct can carry, out of those an account may require.
DIMENSIONS = ("location", "department")
YES_NO = {"on": "Yes", "off": "No"}
# What each switch is about, and its values in words where they are not plain.
SWITCHES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "sequence": ("Who numbers invoices", {"on": "Intacct, from its sequence", "off": "Whoever enters them"}),
    "supplied_number": (
        "A number sent although there is a sequence",
        {"use": "Used", "ignore": "Ignored", "reject": "Refused"},
    ),
    "draft_number": ("A draft has its number already", {"no": "No", "yes": "Yes"}),
    "number_scope": ("A number is unique in the", {}),
    "duplicate_number": ("A taken number is answered with", {}),
    "batch_refusal": ("A bad member of a batch refuses", {"each": "Itself", "whole": "The whole batch"}),
    "idempotency": ("Idempotency keys are heeded", YES_NO),
    "error_nesting": (
        "Errors stand under",
        {"result": "ia::result, ia::error", "bare": "ia::error", "error": "error"},
    ),
    "support_ids": ("Texts of errors end in a support ID", YES_NO),
    "expired_as": ("A dead access token is answered with", {}),
    "token_life": ("Seconds that an access token lives", {}),
    "rotation": ("A renewal gives a new refresh token", YES_NO),
}


@registers.get("/customers")
def customers() -> str:
    return render("customers", asked_company(), customers=books_here().all(CUSTOMER))


@registers.post("/customers/<id>")
def change_customer(id: str) -> AnyResponse:
    _change(customer={"id": id, **_posted("status", "isOnHold")})
    return _go_to(".customers")


@registers.get("/accounts")
def accounts() -> str:
    return render("accounts", asked_company(), accounts=books_here().all(ACCOUNT), dimensions=DIMENSIONS)


@registers.get("/accounts/<id>")
def account(id: str) -> str:
    return render("account", asked_company(), account=_held(id), dimensions=DIMENSIONS)


@registers.post("/accounts/<id>")
def change_account(id: str) -> AnyResponse:
    required = _posted(*DIMENSIONS)
    _change(account={"id": id, **_posted("status", "disallowDirectPosting"), "requireDimensions": required})
    return _go_to(".accounts")


@registers.get("/settings")
def settings() -> str:
    return render(
        "settings",
        asked_company(),
        conditions=books_here().conditions(),
        entities=books_here().all(ENTITY),
        application=sandbox().config.client_name,
        switches=[_switch(name) for name in SWITCHES],
    )


@registers.post("/settings")
def change_settings() -> AnyResponse:
    """An emptied day changes nothing: books are always open from some day on."""
    with sandbox().store.transaction():
        for entity_id in ("", *asked_company().entities):
            if day := request.form.get(f"open_books_start-{entity_id}"):
                _change(open_books_start={"entity": entity_id, "date": day})
        _change(**_posted("use_account_labels", "client_authorised", "may_change"))
    return _go_to(".settings")


@registers.post("/switches")
def change_switches() -> AnyResponse:
    for name in SWITCHES:
        for value in SETTINGS[name]:
            if str(value) == request.form.get(name):
                sandbox().switchboard.order({"kind": "setting", "name": name, "value": value})
    return _go_to(".settings")


def _switch(name: str) -> dict[str, Any]:
    value, (label, texts) = sandbox().switchboard.settings[name], SWITCHES[name]
    values = [str(each) for each in dict.fromkeys([*SETTINGS[name], value])]
    choices = [(each, texts.get(each, each)) for each in values]
    return {"name": name, "label": label, "value": str(value), "choices": choices}


@registers.errorhandler(Refused)
def refused(refusal: Refused) -> tuple[str, int]:
    message = " ".join(plain_texts(refusal))
    return render_template("problem.html", title="This can't be done", message=message), refusal.status


def _change(**orders: Any) -> None:
    """Raises Refused."""
    change_books({"company": asked_company().id, **orders})


def _posted(*names: str) -> dict[str, Any]:
    """Those that the form carries; “true” and “false” are what they say."""
    plain: dict[str, bool] = {"true": True, "false": False}
    return {name: plain.get(request.form[name], request.form[name]) for name in names if name in request.form}


def _held(id: str) -> Json:
    account = books_here().find_id(ACCOUNT, id)
    if account is None:
        abort(404, "There is no such account in these books.")
    return account


def _go_to(endpoint: str) -> AnyResponse:
    return redirect(url_for(endpoint, company=asked_company().id), 303)
