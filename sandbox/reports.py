"""Everything in all books as one JSON answer, and where tests and demos send what is to change in them."""

from flask import Blueprint, Response, jsonify, request

from sandbox.accounting import answers, entrance
from sandbox.accounting import report as accounting
from sandbox.controls import only_from_this_machine
from sandbox.intacct import report as intacct
from sandbox.intacct.answers import Refused, refuse

reports = Blueprint("reports", __name__)
reports.before_request(only_from_this_machine)
reports.register_error_handler(answers.Refused, entrance.refuse)
reports.register_error_handler(Refused, refuse)


@reports.get("/_books")
def show_books() -> Response:
    return jsonify({**accounting.books_report(), "intacct": intacct.books_report()})


@reports.post("/_books")
def change_books() -> Response:
    """`{"intacct": {...}}` changes Intacct's; anything else Sage Accounting's."""
    body = request.get_json(force=True)
    if isinstance(body, dict) and "intacct" in body:
        return jsonify(intacct.change_books(body["intacct"]))
    return jsonify(accounting.change_books())
