"""The API's sales invoices and sales credit notes: the same conversation, each under its own names."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from http.client import NO_CONTENT

from flask import Blueprint, Response, jsonify, request, url_for

from sandbox.accounting import API_PREFIX, invoicing, replays
from sandbox.accounting.answers import Problem, Refused, not_found
from sandbox.accounting.books import Search, column, like_text
from sandbox.accounting.entrance import answer_once, body_of, books, guard
from sandbox.accounting.kinds import CREDIT_NOTE, INVOICE
from sandbox.accounting.listing import add_moments, page_of, shown
from sandbox.accounting.reading import Json, moment
from sandbox.clock import stamp
from sandbox.context import sandbox

SORTS = frozenset({"created_at", "updated_at", "date", "due_date"})
# How a search text is matched; what Sage really does is not known, so a switch chooses.
PATTERNS = {"substring": "%{}%", "prefix": "{}%", "exact": "{}"}
# What a kind of document is called otherwise than an invoice, and what an invoice has that it has not.
NAMES: Mapping[str, Mapping[str, str]] = {
    INVOICE: {},
    CREDIT_NOTE: {
        "invoice_number_prefix": "credit_note_number_prefix",
        "invoice_number": "credit_note_number",
        "invoice_lines": "credit_note_lines",
    },
}
LACKING = {INVOICE: ("original_invoice_date",), CREDIT_NOTE: ("due_date",)}


def list_invoices(kind: str) -> Response:
    search = _asked_search()
    total = books().count(kind, search)

    def fetch(limit: int, offset: int) -> list[Json]:
        return [_complete(each) for each in books().find(kind, search, limit, offset)]

    return jsonify(page_of(f"/{kind}s", request.args, total, fetch))


def create_invoice(kind: str) -> tuple[Response, int]:
    fields = body_of(kind)
    return _once(kind, fields, lambda given: (201, invoicing.create(books(), given, sandbox().now(), kind)))


def show_invoice(kind: str, id: str) -> Response:
    return jsonify(_public(_existing(kind, id)))


def amend_invoice(kind: str, id: str) -> tuple[Response, int]:
    _existing(kind, id)
    fields = body_of(kind)
    return _once(kind, fields, lambda given: (200, invoicing.amend(books(), id, given, sandbox().now())))


def void_invoice(kind: str, id: str) -> Response:
    """The reason may come in the query or in the body: Sage's own pages disagree. They don't say what the answer to
    removing a draft is: 200 with it, or 204, as the switch says."""
    _existing(kind, id)
    body = request.get_json(silent=True)
    reason = request.args.get("void_reason") or (body.get("void_reason") if isinstance(body, dict) else None) or ""
    with sandbox().store.transaction():
        gone = invoicing.void(books(), id, str(reason), sandbox().now())
    if gone["deleted_at"] and sandbox().switchboard.settings["draft_deletion"] == NO_CONTENT:
        return Response(status=NO_CONTENT)
    return jsonify(_public(gone))


def release_invoice(kind: str, id: str) -> tuple[Response, int]:
    _existing(kind, id)
    with sandbox().store.transaction():
        return jsonify(_public(invoicing.release(books(), id, sandbox().now()))), 201


def _blueprint(kind: str) -> Blueprint:
    made = Blueprint(f"accounting_{kind}s", __name__, url_prefix=f"{API_PREFIX}/{kind}s")
    guard(made)
    for rule, view, method in (
        ("", list_invoices, "GET"),
        ("", create_invoice, "POST"),
        ("/<id>", show_invoice, "GET"),
        ("/<id>", amend_invoice, "PUT"),
        ("/<id>", void_invoice, "DELETE"),
        ("/<id>/release", release_invoice, "POST"),
    ):
        made.add_url_rule(rule, view_func=view, methods=[method], defaults={"kind": kind})
    return made


api, credit_notes_api = _blueprint(INVOICE), _blueprint(CREDIT_NOTE)


def _existing(kind: str, id: str) -> Json:
    found = books().get(kind, id)
    if found is None:
        raise not_found()
    return found


def _once(kind: str, fields: Json, work: Callable[[Json], replays.Answer]) -> tuple[Response, int]:
    """Does the work once for one idempotency_id and shows what it made, or what it made the first time."""
    ours = {theirs: name for name, theirs in NAMES[kind].items()}
    given = {ours.get(name, name): value for name, value in fields.items()}
    try:
        status, body = answer_once(kind, given, lambda: work(given))
    except Refused as refused:
        problems = [
            Problem(one.message, NAMES[kind].get(one.source, one.source), code=one.code) for one in refused.problems
        ]
        raise Refused(refused.status, problems) from None
    return jsonify(_public(body) if isinstance(body, dict) else body), status


def _public(invoice: Json) -> Json:
    return shown(_complete(invoice), request.args.get("attributes", "all"))


def _complete(invoice: Json) -> Json:
    """The stored invoice with what depends on the request: its page's address, and its payments if asked for."""
    root = sandbox().config.public_url or request.host_url.rstrip("/")
    href = root + url_for("accounting_pages.invoice", id=invoice["id"])
    complete = {**invoice, "links": [{"href": href, "rel": "alternate", "type": "text/html"}]}
    if request.args.get("show_payments_allocations") != "true":
        del complete["payments_allocations"]
    kind = invoicing.kind_of(invoice)
    return {NAMES[kind].get(name, name): value for name, value in complete.items() if name not in LACKING[kind]}


def _asked_search() -> Search:
    """Raises Refused."""
    search = Search(order=_order(request.args.get("sort", "")))
    if lag := sandbox().switchboard.settings["lag"]:
        search.add(f"{column('created_at')} <= ?", stamp(sandbox().now() - timedelta(seconds=lag)))
    for name, path in (("contact_id", "contact.id"), ("status_id", "status.id")):
        if name in request.args:
            search.add(f"{column(path)} = ?", request.args[name])
    for name, sign in (("from_date", ">="), ("to_date", "<=")):
        if name in request.args:
            search.add(f"{column('date')} {sign} ?", moment(request.args[name], name).date().isoformat())
    add_moments(search, request.args)
    _add_text(search, request.args.get("search", ""))
    return search


def _add_text(search: Search, text: str) -> None:
    """That `seq` is above 0 says nothing, and makes SQLite look through the index that holds the words."""
    mode = sandbox().switchboard.settings["search"]
    if not text or mode == "off":
        return
    if mode == "none":
        search.add("FALSE")
    else:
        pattern = PATTERNS[mode].format(like_text(text))
        fields = (column("reference"), column("contact_name"))
        words = " OR ".join(f"{field} LIKE ? ESCAPE '!'" for field in fields)
        search.add(f"seq > 0 AND ({words})", pattern, pattern)


def _order(sort: str) -> str:
    name, _, direction = sort.partition(":")
    if name not in SORTS:
        return "seq"
    way = "DESC" if direction == "desc" else "ASC"
    return f"{column(name)} {way}, seq {way}"
