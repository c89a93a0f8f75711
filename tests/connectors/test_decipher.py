"""An answer -> a record or one of our errors: the whole table, and nothing outside it."""

from itertools import product
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from connectors.http import Answer, decipher, wait_asked_for
from connectors.interface import BearerRefused, OutcomeUnknown, PlatformError, Reconnect, Rejected, TryLater
from connectors.sage_accounting import DIALECT

OBJECT: Any = {"id": "1"}
COMPLAINT: Any = [{"$severity": "error", "$dataCode": "RecordInvalid", "$message": "is wrong", "$source": "date"}]
LAPSED: Any = [{"$dataCode": "AuthorizationFailure", "$message": "No active subscription. (MSE)", "$source": ""}]
FOREIGN: Any = [{"error": "somebody else's"}]
NOTHING: Any = None  # HTML, an empty body, half a JSON text
TEXT: Any = "hello"
BODIES: tuple[Any, ...] = (OBJECT, COMPLAINT, LAPSED, FOREIGN, [], NOTHING, TEXT, 5, True)

MADE = (200, 201, 204, 299)
MOVED = (301, 302, 303, 307, 308)
REFUSED = (400, 402, 403, 404, 405, 413, 415, 422)
SAYS_NOTHING = (100, 199, 300, 304, 408, 409, 410, 418, 425, 451, 499, 500, 501, 502, 503, 504, 525, 599, 600, 999)
UNCLEAR = {"GET": TryLater, "POST": OutcomeUnknown}

Row = tuple[tuple[int, ...], Any, Any, Any]
TABLE: tuple[Row, ...] = (
    # statuses, body, what a GET becomes, what a POST becomes
    (MADE, OBJECT, Answer, Answer),
    (MADE, COMPLAINT, Answer, Answer),
    (MADE, NOTHING, TryLater, OutcomeUnknown),
    (MADE, TEXT, TryLater, OutcomeUnknown),
    (MOVED, OBJECT, TryLater, OutcomeUnknown),
    (MOVED, COMPLAINT, TryLater, OutcomeUnknown),
    (MOVED, NOTHING, TryLater, OutcomeUnknown),
    (REFUSED, COMPLAINT, Rejected, Rejected),
    (REFUSED, OBJECT, TryLater, OutcomeUnknown),
    (REFUSED, FOREIGN, TryLater, OutcomeUnknown),
    (REFUSED, [], TryLater, OutcomeUnknown),
    (REFUSED, NOTHING, TryLater, OutcomeUnknown),
    ((401,), COMPLAINT, BearerRefused, BearerRefused),
    ((401,), OBJECT, BearerRefused, BearerRefused),
    ((401,), NOTHING, BearerRefused, BearerRefused),
    ((401,), LAPSED, Rejected, Rejected),
    ((429,), COMPLAINT, TryLater, TryLater),
    ((429,), NOTHING, TryLater, TryLater),
    (SAYS_NOTHING, OBJECT, TryLater, OutcomeUnknown),
    (SAYS_NOTHING, COMPLAINT, TryLater, OutcomeUnknown),
    (SAYS_NOTHING, NOTHING, TryLater, OutcomeUnknown),
)
CASES = [
    pytest.param(method, status, body, result, id=f"{method}-{status}-{str(body)[:12]}-{result.__name__}")
    for statuses, body, got, posted in TABLE
    for method, result in (("GET", got), ("POST", posted))
    for status in statuses
]


def outcome(method: str, status: int, body: Any, headers: dict[str, str] | None = None) -> Answer | PlatformError:
    try:
        return decipher(status, CaseInsensitiveDict(headers or {}), body, DIALECT, writes=method == "POST")
    except PlatformError as error:
        return error


@pytest.mark.parametrize(("method", "status", "body", "result"), CASES)
def test_an_answer_means_what_the_table_says(method: str, status: int, body: Any, result: type) -> None:
    assert type(outcome(method, status, body)) is result


def test_no_status_and_no_body_is_outside_the_table() -> None:
    for method, status, body in product(("GET", "POST"), range(100, 1000), BODIES):
        assert isinstance(outcome(method, status, body), Answer | PlatformError)


def test_a_creating_call_is_never_told_to_try_later_by_anything_but_a_full_house() -> None:
    """TryLater says that nothing was written: of all answers to a POST only a 429 proves that."""
    for status, body in product(range(100, 1000), BODIES):
        if isinstance(outcome("POST", status, body), TryLater):
            assert status == 429


def test_only_a_platforms_own_words_are_believed_that_nothing_was_written() -> None:
    for status, body in product(range(100, 1000), BODIES):
        if isinstance(outcome("POST", status, body), Rejected):
            assert body in (COMPLAINT, LAPSED)


@pytest.mark.parametrize("status", [401, 429, 422, 500])
def test_an_error_carries_the_status_and_the_id_that_support_asks_for(status: int) -> None:
    error = outcome("POST", status, COMPLAINT, {"X-Request-ID": "r-77"})
    assert isinstance(error, PlatformError)
    assert (error.status, error.request_id) == (status, "r-77")


def test_an_answered_outcome_unknown_knows_that_it_was_answered() -> None:
    error = outcome("POST", 500, NOTHING)
    assert isinstance(error, OutcomeUnknown)
    assert error.answered
    assert not OutcomeUnknown("The line was cut.").answered


def test_a_refused_bearer_is_a_reconnect_to_whoever_does_not_renew() -> None:
    assert isinstance(outcome("GET", 401, NOTHING), Reconnect)


def test_a_refusal_speaks_in_the_platforms_words() -> None:
    error = outcome("POST", 422, COMPLAINT * 2)
    assert isinstance(error, Rejected)
    assert str(error) == "is wrong is wrong"
    assert [problem.field for problem in error.problems] == ["date", "date"]


WAITS = [
    (None, None),
    ("", None),
    ("0", 1),
    ("1", 1),
    ("30", 30),
    (" 30 ", 30),
    ("900", 900),
    ("901", 900),
    ("86400", 900),
    ("9" * 5000, 900),
    ("-5", None),
    ("+5", None),
    ("1.5", None),
    ("1e3", None),
    ("soon", None),
    ("Sat, 21 Nov 2026 14:00:00 GMT", None),
    ("\xb2", None),
    ("٣", None),
]


@pytest.mark.parametrize(("asked", "seconds"), WAITS, ids=[ascii(asked)[:24] for asked, _ in WAITS])
def test_a_wait_is_read_in_seconds_and_bounded(asked: str | None, seconds: int | None) -> None:
    headers = {} if asked is None else {"Retry-After": asked}
    assert wait_asked_for(CaseInsensitiveDict(headers)) == seconds
    error = outcome("POST", 429, NOTHING, headers)
    assert isinstance(error, TryLater)
    assert error.after == seconds
