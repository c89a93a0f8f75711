"""The endpoints that tests and demos use: faults, journal, reset, health; none of them exists at Sage."""

import json
from ipaddress import ip_address

from flask import Blueprint, Response, abort, jsonify, request

from sandbox.context import sandbox
from sandbox.faults import BadOrder

controls = Blueprint("controls", __name__)


@controls.before_request
def only_from_this_machine() -> None:
    if not sandbox().config.host_open and not ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
        abort(403, "This address answers only to this machine.")


@controls.get("/_health")
def health() -> Response:
    return jsonify({"status": "ok"})


@controls.get("/_faults")
def show_faults() -> Response:
    """`?platform=` chooses whose settings are shown; the faults are everybody's."""
    board = sandbox().switchboard
    return jsonify({"faults": board.standing(), "settings": board.settings_of(request.args.get("platform"))})


@controls.post("/_faults")
def order_fault() -> tuple[Response, int]:
    sandbox().switchboard.order(_read_order())
    return show_faults(), 201


@controls.delete("/_faults")
def clear_faults() -> Response:
    sandbox().switchboard.clear()
    return show_faults()


@controls.post("/_release")
def release() -> Response:
    sandbox().switchboard.release()
    return show_faults()


@controls.get("/_journal")
def show_journal() -> Response:
    return jsonify({"requests": sandbox().journal.entries()})


@controls.delete("/_journal")
def clear_journal() -> Response:
    sandbox().journal.clear()
    return show_journal()


@controls.post("/_reset")
def reset() -> Response:
    """Fresh books, no grants, no faults, an empty journal."""
    sandbox().switchboard.clear()
    sandbox().renew()
    sandbox().journal.clear()
    return jsonify({"status": "reset"})


@controls.post("/_keep")
def keep() -> Response:
    """Remembers the books and the grants as they are now, under the name that `as` gives them."""
    sandbox().store.keep(request.args.get("as", ""))
    return jsonify({"status": "kept"})


@controls.post("/_put_back")
def put_back() -> Response:
    """The books and the grants as they were kept under that name, no faults, an empty journal."""
    if not sandbox().store.put_back(request.args.get("as", "")):
        abort(409, "Nothing was kept yet.")
    sandbox().switchboard.clear()
    sandbox().journal.clear()
    return jsonify({"status": "put back"})


@controls.errorhandler(BadOrder)
def bad_order(problem: BadOrder) -> tuple[Response, int]:
    return jsonify({"error": str(problem)}), 400


def _read_order() -> dict[str, object]:
    try:
        order = json.loads(request.get_data())
    except ValueError:
        raise BadOrder("The body is not JSON.") from None
    if not isinstance(order, dict):
        raise BadOrder("The body is not a JSON object.")
    return order
