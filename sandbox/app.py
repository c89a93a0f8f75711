"""Builds the sandbox's web program: its parts, and what happens to every request on the way in and out."""

import os
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, Response, abort, g, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sandbox import accounting, intacct, reports
from sandbox.accounting import by_hand_api, invoices_api, items_api, oauth, pages, reference_api, register_pages
from sandbox.accounting.catalogue import PEOPLE
from sandbox.clock import Clock, wall_clock
from sandbox.context import Sandbox, read_config, sandbox
from sandbox.controls import controls
from sandbox.faults import Platform, Severed, Switchboard
from sandbox.intacct import api as intacct_api
from sandbox.intacct import by_hand_api as intacct_by_hand_api
from sandbox.intacct import oauth as intacct_oauth
from sandbox.intacct import pages as intacct_pages
from sandbox.intacct import register_pages as intacct_register_pages
from sandbox.intacct.people import PEOPLE as INTACCT_PEOPLE
from sandbox.journal import Journal
from sandbox.store import Store

PARTS = (
    controls,
    reports.reports,
    oauth.oauth,
    reference_api.api,
    items_api.api,
    invoices_api.api,
    invoices_api.credit_notes_api,
    by_hand_api.by_hand,
    pages.pages,
    register_pages.registers,
    intacct_oauth.oauth,
    intacct_api.api,
    intacct_by_hand_api.by_hand,
    intacct_pages.pages,
    intacct_register_pages.registers,
)
PLATFORMS = (accounting, intacct)


def create_app(directory: Path, clock: Clock = wall_clock) -> Flask:
    """Opens or makes the books in the directory. Raises OSError or sqlite3.Error when they can't be kept there."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    store = Store(directory, [schema for each in PLATFORMS for schema in each.SCHEMAS])
    _open_books(store, clock)
    app.extensions["sandbox"] = Sandbox(
        config=read_config(os.environ),
        store=store,
        switchboard=Switchboard([each.platform(store) for each in PLATFORMS]),
        journal=Journal(),
        clock=clock,
        renew=lambda: _renew(store, clock),
    )
    for part in PARTS:
        app.register_blueprint(part)
    app.before_request(_arrive)
    app.after_request(_leave)
    app.register_error_handler(HTTPException, _http_error)
    app.add_url_rule("/", "front", _front)
    return app


def _renew(store: Store, clock: Clock) -> None:
    with store.transaction():
        store.clear()
        _open_books(store, clock)


def _open_books(store: Store, clock: Clock) -> None:
    for platform in PLATFORMS:
        platform.open_books(store, clock())


def _front() -> str:
    return render_template("front.html", people=PEOPLE, intacct_people=INTACCT_PEOPLE)


def _arrive() -> Response | None:
    g.request_id = str(uuid4())
    if request.method not in ("GET", "HEAD", "OPTIONS") and _from_elsewhere():
        abort(403, "This was sent from another site's page.")
    g.platform = sandbox().switchboard.platform_of(request.path)
    if g.platform is None:
        return None
    at = sandbox().now().isoformat()
    g.entry = sandbox().journal.arrived(request, at=at, request_id=g.request_id)
    g.fault = sandbox().switchboard.take(request.method, request.path)
    if g.fault is None:
        return None
    g.entry["fault"] = g.fault.kind
    return sandbox().switchboard.before(g.fault, g.platform)


def _leave(response: Response) -> Response:
    fault = g.get("fault")
    if fault is not None:
        response = sandbox().switchboard.after(fault, g.platform, response)
    if "entry" in g and not isinstance(response, Severed):
        g.entry["status"] = response.status_code
    if "business_echo" in g:
        response.headers["X-Business"] = g.business_echo
    response.headers["x-request-id"] = g.request_id
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _from_elsewhere() -> bool:
    """Browsers say where a form was sent from; programs say nothing."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.host


def _http_error(error: HTTPException) -> AnyResponse:
    status = error.code or 500
    if g.get("platform") is not None:
        return cast(Platform, g.platform).answer_status(status)
    if request.path.startswith("/_"):
        return Response(f"{error.description}\n", status=status, content_type="text/plain; charset=utf-8")
    page = render_template("problem.html", title=error.name, message=error.description)
    return Response(page, status=status)
