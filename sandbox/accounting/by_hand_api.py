"""Where tests and demos do what a person does in Sage: enter an invoice, change, pay, void, release or delete one."""

from flask import Blueprint, Response, abort, jsonify, request

from sandbox.accounting.answers import Refused
from sandbox.accounting.books import Books, Search, business_of, column
from sandbox.accounting.by_hand import DEEDS, enter, enter_many
from sandbox.accounting.entrance import refuse
from sandbox.accounting.kinds import INVOICE
from sandbox.accounting.report import invoice_report, ordered
from sandbox.context import sandbox
from sandbox.controls import only_from_this_machine

by_hand = Blueprint("accounting_by_hand", __name__, url_prefix="/_books/invoices")
by_hand.before_request(only_from_this_machine)
by_hand.register_error_handler(Refused, refuse)


@by_hand.get("")
def find_invoices() -> Response:
    """Those with the `number` or `reference` asked for, deleted ones too; `/_books` shows everything at once."""
    business, _ = ordered(request.args.to_dict())
    search = Search()
    for name, path in (("number", "invoice_number"), ("reference", "reference")):
        if name in request.args:
            search.add(f"{column(path)} = ?", request.args[name])
    found = Books(sandbox().store, business.id).find(INVOICE, search)
    return jsonify({"invoices": [invoice_report(each, business.id) for each in found]})


@by_hand.post("")
def enter_invoice() -> tuple[Response, int]:
    """One invoice; with a `count` that many, which are only counted in the answer."""
    business, entry = ordered(request.get_json(force=True))
    books, count = Books(sandbox().store, business.id), entry.pop("count", None)
    with sandbox().store.transaction():
        if count is not None:
            return jsonify({"entered": enter_many(books, entry, int(count), sandbox().clock)}), 201
        return jsonify(invoice_report(enter(books, entry, sandbox().now()), business.id)), 201


@by_hand.post("/<id>/<deed>")
def change_invoice(id: str, deed: str) -> Response:
    """`deed` is edit, pay, unpay, void, release or delete."""
    business_id = business_of(sandbox().store, id)
    if deed not in DEEDS or business_id is None:
        abort(404, f"There is no such invoice, or no such deed. Known deeds: {', '.join(DEEDS)}.")
    _, given = ordered(request.get_json(force=True))
    with sandbox().store.transaction():
        changed = DEEDS[deed](Books(sandbox().store, business_id), id, given, sandbox().now())
    return jsonify(invoice_report(changed, business_id))
