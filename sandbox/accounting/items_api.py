"""The API's products and services."""

from uuid import uuid4

from flask import Blueprint, Response, jsonify, request

from sandbox.accounting import API_PREFIX, replays
from sandbox.accounting.answers import not_found
from sandbox.accounting.books import Search, column, like_text
from sandbox.accounting.entrance import answer_once, body_of, books, guard
from sandbox.accounting.items import item_document
from sandbox.accounting.listing import add_moments, page_of, shown
from sandbox.accounting.reading import Json
from sandbox.clock import stamp
from sandbox.context import sandbox

api = Blueprint("accounting_items", __name__, url_prefix=API_PREFIX)
guard(api)
COLLECTION = "/<any(products, services):collection>"


@api.get(COLLECTION)
def list_items(collection: str) -> Response:
    kind, search = _kind(collection), _asked_search()
    total = books().count(kind, search)
    fetched = page_of(f"/{collection}", request.args, total, lambda limit, at: books().find(kind, search, limit, at))
    return jsonify(fetched)


@api.post(COLLECTION)
def create_item(collection: str) -> tuple[Response, int]:
    kind = _kind(collection)
    fields = body_of(kind)
    status, body = answer_once(kind, fields, lambda: _create(kind, fields))
    return jsonify(shown(body, "all") if isinstance(body, dict) else body), status


@api.get(f"{COLLECTION}/<id>")
def show_item(collection: str, id: str) -> Response:
    item = books().get(_kind(collection), id)
    if item is None:
        raise not_found()
    return jsonify(shown(item, request.args.get("attributes", "all")))


def _kind(collection: str) -> str:
    return collection.removesuffix("s")


def _create(kind: str, fields: Json) -> replays.Answer:
    item = item_document(kind, fields, books(), uuid4().hex, stamp(sandbox().now()))
    books().add(kind, item)
    return 201, item


def _asked_search() -> Search:
    """Raises Refused."""
    search, asked = Search(), request.args
    text = f"%{like_text(asked.get('search', ''))}%"
    search.add(f"{column('item_code')} LIKE ? ESCAPE '!' OR {column('description')} LIKE ? ESCAPE '!'", text, text)
    if "active" in asked:
        search.add(f"{column('active')} = ?", asked["active"] == "true")
    add_moments(search, asked)
    return search
