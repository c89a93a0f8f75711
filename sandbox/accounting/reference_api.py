"""The API's businesses, person, chart, tax rates, contacts and settings."""

from uuid import uuid4

from flask import Blueprint, Response, jsonify, request

from sandbox.accounting import API_PREFIX, replays
from sandbox.accounting.answers import not_found
from sandbox.accounting.books import Books, Search, column, like_text
from sandbox.accounting.catalogue import TAX_RATES, Account, find_business, find_tax_rate
from sandbox.accounting.contacts import check_contact, contact_document, restated
from sandbox.accounting.entrance import answer_once, body_of, books, caller, guard
from sandbox.accounting.kinds import CONTACT, CREDIT_NOTE
from sandbox.accounting.listing import add_moments, page_of, page_of_list, shown
from sandbox.accounting.reading import Json
from sandbox.accounting.shapes import (
    ARTEFACT_STATUSES,
    account_shape,
    business_shape,
    financial_settings_shape,
    invoice_settings_shape,
    person_shape,
    status_base,
    tax_rate_shape,
)
from sandbox.clock import stamp
from sandbox.context import sandbox

api = Blueprint("accounting_reference", __name__, url_prefix=API_PREFIX)
guard(api)

UNPAGED = 2_147_483_647


@api.get("/businesses")
def list_businesses() -> Response:
    """Those allowed at consent, all on one page, in an envelope that spells its page size differently."""
    shapes = [_business(id) for id in caller().grant.businesses]
    items = [shown(each, request.args.get("attributes", "")) for each in shapes]
    envelope = {"$total": len(items), "$page": 1, "$next": None, "$back": None, "$items_per_page": UNPAGED}
    return jsonify({**envelope, "$items": items})


@api.get("/businesses/<key>")
def show_business(key: str) -> Response:
    allowed = caller().grant.businesses
    id = allowed[0] if key == "lead" else key
    if id not in allowed:
        raise not_found()
    return _single(_business(id))


@api.get("/user")
def show_user() -> Response:
    return _single(person_shape(caller().person))


@api.get("/ledger_accounts")
def list_ledger_accounts() -> Response:
    accounts = [account_shape(each) for each in books().chart() if _account_asked_for(each)]
    return jsonify(page_of_list("/ledger_accounts", request.args, accounts))


@api.get("/ledger_accounts/<id>")
def show_ledger_account(id: str) -> Response:
    account = books().account(id)
    if account is None:
        raise not_found()
    return _single(account_shape(account))


@api.get("/tax_rates")
def list_tax_rates() -> Response:
    """All five rates are usable for sales and for purchases, so `usage` narrows nothing here."""
    conditions, asked = books().conditions(), request.args
    day = asked.get("date", sandbox().now().date().isoformat())
    everything = asked.get("include_historical_data") == "true"
    wanted = [each for each in TAX_RATES if everything or not conditions.ended(each, day)]
    return jsonify(page_of_list("/tax_rates", asked, [tax_rate_shape(each, conditions) for each in wanted]))


@api.get("/tax_rates/<id>")
def show_tax_rate(id: str) -> Response:
    tax_rate = find_tax_rate(id)
    if tax_rate is None:
        raise not_found()
    return _single(tax_rate_shape(tax_rate, books().conditions()))


@api.get("/contacts")
def list_contacts() -> Response:
    search = _contact_search()
    total = books().count(CONTACT, search)
    found = page_of("/contacts", request.args, total, lambda limit, at: books().find(CONTACT, search, limit, at))
    return jsonify(found)


@api.post("/contacts")
def create_contact() -> tuple[Response, int]:
    fields = body_of("contact")
    status, body = answer_once("contact", fields, lambda: _create_contact(fields))
    return jsonify(shown(body, "all") if isinstance(body, dict) else body), status


@api.get("/contacts/<id>")
def show_contact(id: str) -> Response:
    return _single(_contact(id))


@api.delete("/contacts/<id>")
def delete_contact(id: str) -> tuple[str, int]:
    now = stamp(sandbox().now())
    with sandbox().store.transaction():
        books().replace(restated(_contact(id), "deleted", now))
    return "", 204


@api.get("/invoice_settings")
def invoice_settings() -> Response:
    return _single(invoice_settings_shape(books().next_number(), books().next_number(CREDIT_NOTE)))


@api.get("/financial_settings")
def financial_settings() -> Response:
    return _single(financial_settings_shape(books().conditions()))


@api.get("/artefact_statuses")
def list_artefact_statuses() -> Response:
    return jsonify(page_of_list("/artefact_statuses", request.args, [status_base(each) for each in ARTEFACT_STATUSES]))


def _single(document: Json) -> Response:
    return jsonify(shown(document, request.args.get("attributes", "all")))


def _business(id: str) -> Json:
    business = find_business(id)
    if business is None:
        raise not_found()
    return business_shape(business, Books(sandbox().store, id).conditions())


def _account_asked_for(account: Account) -> bool:
    asked = request.args
    return (
        ("visible_in" not in asked or asked["visible_in"] in account.scopes)
        and asked.get("not_visible_in") not in account.scopes
        and asked.get("search", "").lower() in account.displayed_as.lower()
        and asked.get("ledger_account_type_id", account.type.id) == account.type.id
    )


def _contact(id: str) -> Json:
    contact = books().get(CONTACT, id)
    if contact is None:
        raise not_found()
    return contact


def _create_contact(fields: Json) -> replays.Answer:
    check_contact(fields, books().holds_reference)
    contact = contact_document(fields, uuid4().hex, stamp(sandbox().now()))
    books().add(CONTACT, contact)
    return 201, contact


def _contact_search() -> Search:
    """Raises Refused."""
    search, asked = Search(), request.args
    text = f"%{like_text(asked.get('search', ''))}%"
    search.add(f"{column('name')} LIKE ? ESCAPE '!' OR {column('reference')} LIKE ? ESCAPE '!'", text, text)
    if "email" in asked:
        search.add(f"lower({column('email')}) = lower(?)", asked["email"])
    if "contact_type_id" in asked:
        search.add(f"{column('contact_types[0].id')} = ?", asked["contact_type_id"])
    if asked.get("exclude_system") == "true":
        search.add(f"NOT {column('system')}")
    add_moments(search, asked)
    return search
