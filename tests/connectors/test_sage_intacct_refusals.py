"""What Sage Intacct says when it says no: each complaint found wherever it stands, and where it is mended."""

from typing import Any

import pytest

from connectors.http import decipher
from connectors.interface import BearerRefused, Fix, OutcomeUnknown, PlatformError, Rejected, TryLater
from connectors.sage_intacct import DIALECT, complaints

Json = dict[str, Any]


def error(*details: Json, **more: Any) -> Json:
    """As a business rule refuses: what is generic first, then what tells why."""
    return {
        "code": "operationFailed",
        "message": "POST request on objects/accounts-receivable/invoice object was unsuccessful",
        "errorId": "REST-7001",
        "details": [{"code": "unableToCreateRecordError", "message": "Could not create invoice record."}, *details],
        **more,
    }


def detail(message: str, code: str = "", correction: str = "") -> Json:
    return {"errorId": code, "code": "invalidRequest", "message": message, "correction": correction}


NESTINGS = {
    "result": lambda one: {"ia::result": {"ia::error": one}, "ia::meta": {"totalError": 1}},
    "bare": lambda one: {"ia::error": one, "ia::meta": {"totalError": 1}},
    "error": lambda one: {"error": one},
}

ROWS: list[tuple[str, str, str, Fix]] = [
    # errorId, message, correction -> where it is mended
    ("REST-1206", "The token is not valid", "", Fix.CONNECTION),
    ("REST-2102", "Token is not valid", "", Fix.CONNECTION),
    ("GW-0040", "Expired token", "", Fix.CONNECTION),
    ("GW-0031", "Invalid Token", "", Fix.CONNECTION),
    ("GW-0034", "Invalid Authorization Header", "", Fix.CONNECTION),
    ("GW-0011", "Invalid Request", "", Fix.CONNECTION),
    (
        "REST-1216",
        "The Client ID, Client Secret, and/or 3rd Party Application are incorrect",
        "",
        Fix.CONNECTION,
    ),
    (
        "XL03000006",
        "The sender ID 'reflow' is not authorized to make Web Services requests to company ID 'HARBOUR'.",
        "",
        Fix.CONNECTION,
    ),
    ("", "This idempotency key already exists.", "", Fix.SUPPORT),
    (
        "AR-0279",
        "Currently, we cannot create the transaction",
        "It requires configuration changes or user permissions: enable GL account override.",
        Fix.SYNC_SETTINGS,
    ),
    (
        "AR-0148",
        "Choose or enter another account label. Subtotal account labels are not valid for line items.",
        "",
        Fix.SALES_ACCOUNT,
    ),
    (
        "",
        "Periods are closed. Your transaction date (11/02/2026) is within a period that's been closed.",
        "",
        Fix.DATE,
    ),
    ("", "Date must be on or after 04/01/2026", "", Fix.DATE),
    ("", "This transaction is missing the Department dimension for the Account 4010", "", Fix.SYNC_SETTINGS),
    ("", "This transaction is missing the Location dimension for the Account 4010", "", Fix.SYNC_SETTINGS),
    ("", "The account number '4010' requires a Location", "", Fix.SYNC_SETTINGS),
    ("", "Location is required in a multi-entity company.", "", Fix.SYNC_SETTINGS),
    ("", "This transaction is missing the Project dimension for the Account 4010", "", Fix.SALES_ACCOUNT),
    ("", "The account number '4010' requires an Employee", "", Fix.SALES_ACCOUNT),
    ("BL34000061", "Another Customer with the given value(s) BRAM1 already exists", "", Fix.CLIENT_LINK),
    (
        "BL34000061",
        "Another Invoice with the given value(s) INV-00001 already exists",
        "Use a unique value instead.",
        Fix.NUMBER,
    ),
    ("", "Duplicate document number INV-00001", "", Fix.NUMBER),
    ("", "Invoice number is required.", "Enter an invoice number.", Fix.SYNC_SETTINGS),
    ("", "Invoice number is assigned by the document sequence.", "", Fix.SYNC_SETTINGS),
    ("", "Customer 'CUST-010' is on hold.", "", Fix.PLATFORM),
    ("", "Customer 'CUST-009' specified is not valid. It is inactive.", "", Fix.CLIENT_LINK),
    ("", "Customer 'CUST-999' specified is not valid.", "", Fix.CLIENT_LINK),
    ("", "Tax detail 'IE Standard' does not belong to the tax solution 'United Kingdom - VAT'.", "", Fix.TAX_RATES),
    ("", "Tax detail 'UK Standard' is not valid.", "", Fix.TAX_RATES),
    ("", "Tax solution is required when there is more than one tax jurisdiction.", "", Fix.SYNC_SETTINGS),
    ("", "Term 'Net 45' is not valid.", "", Fix.SYNC_SETTINGS),
    ("", "Account 1200 does not allow direct posting.", "", Fix.SALES_ACCOUNT),
    ("", "GL account 4010 is restricted by Location", "", Fix.SALES_ACCOUNT),
    ("", "The location 'LDN' is invalid.", "", Fix.SYNC_SETTINGS),
    ("", "Location 'LDN' is not valid", "", Fix.SYNC_SETTINGS),
    ("", "Location must be LDN. This value is auto-filled", "", Fix.SYNC_SETTINGS),
    ("", "Department 'OPS' is not valid.", "", Fix.SYNC_SETTINGS),
    ("", "Account 4100 is not valid", "", Fix.SALES_ACCOUNT),
    ("", "Account label 'Rent' is not valid.", "", Fix.SALES_ACCOUNT),
    ("", "The entity 'LDN' is not valid.", "", Fix.CONNECTION),
    ("", "Entity slide-in is disabled.", "", Fix.CONNECTION),
    ("", "An exchange rate is required for EUR.", "", Fix.PLATFORM),
    ("", "The currency EUR is not enabled.", "", Fix.INVOICE),
    ("", "/lines/0/memo must have at most 1000 characters", "", Fix.INVOICE),
    ("", "The description is too long.", "", Fix.INVOICE),
    ("", "You do not have permission for this operation.", "", Fix.PLATFORM),
    ("REST-1043", "postingDate is not a valid field", "", Fix.SUPPORT),
    ("REST-1050", "/lines/2/isSubtotal is a read-only field", "", Fix.SUPPORT),
    ("", "Not a valid state", "State must be draft or not included in the request.", Fix.SUPPORT),
    ("", "Something nobody has heard of.", "", Fix.SUPPORT),
    ("BL01001973", "Could not create invoice record!", "", Fix.SUPPORT),
]


@pytest.mark.parametrize(("code", "message", "correction", "fix"), ROWS)
def test_a_complaint_names_where_it_is_mended(code: str, message: str, correction: str, fix: Fix) -> None:
    (problem,) = complaints(NESTINGS["result"](error(detail(message, code, correction))))
    assert (problem.fix, problem.message) == (fix, f"{message} {correction}".strip())
    assert problem.meaning


@pytest.mark.parametrize("nesting", NESTINGS)
def test_an_error_is_found_wherever_it_stands(nesting: str) -> None:
    (problem,) = complaints(NESTINGS[nesting](error(detail("Customer 'X' specified is not valid."))))
    assert problem.fix is Fix.CLIENT_LINK


def test_errors_are_found_in_a_list_and_what_was_only_skipped_is_none() -> None:
    skipped = {"code": "unprocessed", "message": "Operation skipped due to atomic transaction failure"}
    parts = [{"ia::error": error(detail("Term 'X' is not valid.")), "ia::status": 422}, {"ia::error": skipped}]
    assert [one.fix for one in complaints({"ia::result": parts})] == [Fix.SYNC_SETTINGS]
    assert [one.fix for one in complaints({"ia::result": [parts[0], parts[0]]})] == [Fix.SYNC_SETTINGS] * 2
    assert [one.code for one in complaints({"ia::result": [parts[1]]})] == ["unprocessed"]


def test_a_list_in_which_something_was_done_complains_of_nothing() -> None:
    parts = [{"ia::result": {"key": "5001"}, "ia::status": 201}, {"ia::error": error(), "ia::status": 422}]
    assert complaints({"ia::result": parts}) == ()


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ([detail("Could not create it."), detail("Term 'X' is not valid.")], "Term 'X' is not valid."),
        ([detail("Term 'X' is not valid."), detail("See the help.")], "Term 'X' is not valid."),
        ([detail("Could not create it."), detail("See the help.")], "See the help."),
        ([], "The request failed."),
        (None, "The request failed."),
        ({"requestId": "r-1"}, "The request failed."),
        ({"message": "Term 'X' is not valid."}, "Term 'X' is not valid."),
        (["text", 5, None, {}], "The request failed."),
        ("text", "The request failed."),
    ],
)
def test_the_detail_that_tells_why_is_what_a_person_reads(details: object, message: str) -> None:
    body = {"ia::error": {"code": "operationFailed", "message": "The request failed.", "details": details}}
    assert [problem.message for problem in complaints(body)] == [message]


def test_a_problem_keeps_intacts_code_and_field_and_loses_the_support_id() -> None:
    told = {**detail("Term 'X' is not valid. [Support ID: AbC~1-2]", "AR-0001"), "target": "/term"}
    (problem,) = complaints({"ia::error": error(told)})
    assert (problem.message, problem.code, problem.field) == ("Term 'X' is not valid.", "AR-0001", "/term")


@pytest.mark.parametrize(
    "body",
    [
        None,
        "text",
        5,
        {},
        [],
        [[]],
        {"error": "invalid_grant"},
        {"error": {}},
        {"ia::error": None},
        {"ia::error": {"unheard": "of"}},
        {"ia::result": {"key": "5001"}},
        {"ia::result": []},
        [{"$message": "x"}],
    ],
    ids=str,
)
def test_what_is_not_intaccts_error_shape_complains_of_nothing(body: Any) -> None:
    assert complaints(body) == ()


TOKEN = {"code": "tokenInvalid", "message": "The token is not valid", "errorId": "REST-1206"}
OTHER = error(detail("Term 'X' is not valid."))
TAKEN = error(detail("Another Invoice with the given value(s) INV-1 already exists", "BL34000061"))
KEY_USED = {"code": "conflict", "message": "This idempotency key was used with a different request."}
TABLE: list[tuple[int, Any, type[PlatformError], type[PlatformError]]] = [
    # status, error, what a read becomes, what a write becomes
    (401, {"code": "expired", "message": "Expired token", "errorId": "GW-0040"}, BearerRefused, BearerRefused),
    (401, None, BearerRefused, BearerRefused),
    (400, TOKEN, BearerRefused, BearerRefused),
    (400, {**TOKEN, "errorId": "REST-2102", "message": "Gone"}, BearerRefused, BearerRefused),
    (400, {**TOKEN, "errorId": "", "message": "Token is not valid"}, BearerRefused, BearerRefused),
    (400, {**TOKEN, "details": {"requestId": "r-1"}}, BearerRefused, BearerRefused),
    (400, OTHER, Rejected, Rejected),
    (403, {"message": "You do not have permission for this operation."}, Rejected, Rejected),
    (422, OTHER, Rejected, Rejected),
    (422, TAKEN, Rejected, Rejected),
    (409, TAKEN, Rejected, Rejected),
    (409, KEY_USED, TryLater, OutcomeUnknown),
    (409, OTHER, TryLater, OutcomeUnknown),
    (429, {"message": "API rate limit exceeded", "errorId": "GW-0010"}, TryLater, TryLater),
    (500, {"message": "Internal error", "errorId": "GW-0001"}, TryLater, OutcomeUnknown),
    (524, None, TryLater, OutcomeUnknown),
]


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize(("status", "body", "read", "written"), TABLE)
def test_an_answer_says_what_comes_next(
    status: int, body: Any, read: type[PlatformError], written: type[PlatformError], nesting: str
) -> None:
    answer = NESTINGS[nesting](body) if body else None
    for writes, expected in ((False, read), (True, written)):
        with pytest.raises(PlatformError) as raised:
            decipher(status, {}, answer, DIALECT, writes=writes)
        assert type(raised.value) is expected
        assert raised.value.status == status
