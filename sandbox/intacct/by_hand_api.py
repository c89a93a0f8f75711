"""Where tests and demos do what a person does in Intacct: enter an invoice, change, pay, reverse or delete one."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from sandbox.context import sandbox
from sandbox.controls import only_from_this_machine
from sandbox.intacct.answers import Json, Refused, refuse
from sandbox.intacct.books import Books, Search
from sandbox.intacct.by_hand import DEEDS, enter, enter_many
from sandbox.intacct.catalogue import COMPANIES, find_company
from sandbox.intacct.kinds import INVOICE
from sandbox.intacct.report import invoice_report

by_hand = Blueprint("intacct_by_hand", __name__, url_prefix="/_books/intacct")
by_hand.before_request(only_from_this_machine)
by_hand.register_error_handler(Refused, refuse)


@by_hand.get("/invoices")
def find_invoices() -> Response:
    """Those with the `number` or `reference` asked for, all without; `/_books` shows everything at once."""
    books, search = _books(request.args.get("company")), Search()
    for name in ("number", "reference", "customer"):
        if name in request.args:
            search.add(f"{name} = ?", request.args[name])
    return jsonify({"invoices": [invoice_report(each) for each in books.find(INVOICE, search)]})


@by_hand.post("/invoices")
def enter_invoice() -> tuple[Response, int]:
    """One invoice; with a `count` that many, which are only counted in the answer."""
    entry = _entry()
    books = _books(entry.pop("company", None)).at(entry.pop("entity", None))
    count = entry.pop("count", None)
    with sandbox().store.transaction():
        if count is not None:
            return jsonify({"entered": enter_many(books, entry, int(count), sandbox().clock)}), 201
        return jsonify(invoice_report(enter(books, entry, sandbox().now()))), 201


@by_hand.post("/invoices/<key>/<deed>")
def change_invoice(key: str, deed: str) -> Response:
    """`deed` is edit, pay, unpay, reverse, submit, delete or subtotal."""
    given = _entry()
    if deed not in DEEDS:
        abort(404, f"Known deeds: {', '.join(DEEDS)}.")
    with sandbox().store.transaction():
        changed = DEEDS[deed](_books(given.pop("company", None)), key, given, sandbox().now())
    return jsonify(invoice_report(changed))


def _entry() -> Json:
    body: Any = request.get_json(force=True)
    if not isinstance(body, dict):
        abort(400, "The body is not a JSON object.")
    return body


def _books(company_id: str | None) -> Books:
    company = find_company(company_id or COMPANIES[0].id)
    if company is None:
        abort(404, "There is no such company in this sandbox.")
    return Books(sandbox().store, company.id)
