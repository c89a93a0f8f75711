"""The API's sales invoices."""

from collections.abc import Callable
from datetime import timedelta
from http.client import NO_CONTENT

from flask import Blueprint, Response, jsonify, request, url_for

from sandbox.accounting import API_PREFIX, invoicing, replays
from sandbox.accounting.answers import not_found
from sandbox.accounting.books import Search, column, like_text
from sandbox.accounting.entrance import answer_once, body_of, books, guard
from sandbox.accounting.kinds import INVOICE
from sandbox.accounting.listing import add_moments, page_of, shown
from sandbox.accounting.reading import Json, moment
from sandbox.clock import stamp
from sandbox.context import sandbox

api = Blueprint("accounting_invoices", __name__, url_prefix=f"{API_PREFIX}/sales_invoices")
guard(api)

SORTS = frozenset({"created_at", "updated_at", "date", "due_date"})
# How a search text is matched; what Sage really does is not known, so a switch chooses.
PATTERNS = {"substring": "%{}%", "prefix": "{}%", "exact": "{}"}


@api.get("")
def list_invoices() -> Response:
    search = _asked_search()
    total = books().count(INVOICE, search)

    def fetch(limit: int, offset: int) -> list[Json]:
        return [_complete(each) for each in books().find(INVOICE, search, limit, offset)]

    return jsonify(page_of("/sales_invoices", request.args, total, fetch))


@api.post("")
def create_invoice() -> tuple[Response, int]:
    fields = body_of("sales_invoice")
    return _once(fields, lambda: (201, invoicing.create(books(), fields, sandbox().now())))


@api.get("/<id>")
def show_invoice(id: str) -> Response:
    invoice = books().get(INVOICE, id)
    if invoice is None:
        raise not_found()
    return jsonify(_public(invoice))


@api.put("/<id>")
def amend_invoice(id: str) -> tuple[Response, int]:
    fields = body_of("sales_invoice")
    return _once(fields, lambda: (200, invoicing.amend(books(), id, fields, sandbox().now())))


@api.delete("/<id>")
def void_invoice(id: str) -> Response:
    """The reason may come in the query or in the body: Sage's own pages disagree. They don't say what the answer to
    removing a draft is: 200 with it, or 204, as the switch says."""
    body = request.get_json(silent=True)
    reason = request.args.get("void_reason") or (body.get("void_reason") if isinstance(body, dict) else None) or ""
    with sandbox().store.transaction():
        gone = invoicing.void(books(), id, str(reason), sandbox().now())
    if gone["deleted_at"] and sandbox().switchboard.settings["draft_deletion"] == NO_CONTENT:
        return Response(status=NO_CONTENT)
    return jsonify(_public(gone))


@api.post("/<id>/release")
def release_invoice(id: str) -> tuple[Response, int]:
    with sandbox().store.transaction():
        return jsonify(_public(invoicing.release(books(), id, sandbox().now()))), 201


def _once(fields: Json, work: Callable[[], replays.Answer]) -> tuple[Response, int]:
    """Does the work once for one idempotency_id and shows what it made, or what it made the first time."""
    status, body = answer_once("sales_invoice", fields, work)
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
    return complete


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
