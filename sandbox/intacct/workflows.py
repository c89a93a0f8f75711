"""What moves an invoice from one state to another: submit and reverse."""

from collections.abc import Callable, Mapping

from sandbox.context import sandbox
from sandbox.intacct import invoicing
from sandbox.intacct.answers import Json, by_status, invalid_payload, wrong
from sandbox.intacct.books import Books
from sandbox.intacct.calls import Answer, Call, count_transaction, reference
from sandbox.intacct.fields import day
from sandbox.intacct.kinds import INVOICE
from sandbox.intacct.objects import check_rights, object_in
from sandbox.intacct.replays import once

PREFIX = f"/workflows/{INVOICE}/"


def perform(call: Call) -> Answer:
    """Raises Refused."""
    work = WORKFLOWS.get(call.path.removeprefix(PREFIX))
    if call.method != "POST":
        raise by_status(405)
    if work is None:
        raise by_status(404)
    check_rights(call)
    return once(call, lambda: _perform(call, work))


def _perform(call: Call, work: Callable[[Books, Json], Json]) -> Answer:
    count_transaction()
    body = object_in(call.body)
    if not isinstance(body.get("key"), str):
        raise invalid_payload([wrong("key is a required field", "/key", error_id="REST-1031")])
    invoice = work(call.books, body)
    return Answer(result={**reference(INVOICE, invoice), "state": invoice["state"]})


def _submit(books: Books, body: Json) -> Json:
    return invoicing.submit(books, body["key"], sandbox().now())


def _reverse(books: Books, body: Json) -> Json:
    """Raises Refused."""
    problem = day(body.get("reversedDate"))
    if problem:
        raise invalid_payload([wrong(f"reversedDate {problem}", "/reversedDate")])
    return invoicing.reverse(books, body["key"], body["reversedDate"], str(body.get("memo") or ""), sandbox().now())


WORKFLOWS: Mapping[str, Callable[[Books, Json], Json]] = {"submit": _submit, "reverse": _reverse}
