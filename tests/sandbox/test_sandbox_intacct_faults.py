"""Every switch that makes the pretend Intacct misbehave, how it says no, and what the journal tells of a call."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
import requests

from tests.sandbox.intacct_application import COMPOSITE, INVOICE, QUERY, Application, create_and_read, error_in, invoice
from tests.sandbox.intacct_visitor import CLERK

ACCOUNTS = "/objects/general-ledger/account"
POSTS = f"POST /intacct/ia/api/v1{INVOICE}"


def wait_until_held(application: Application, count: int) -> None:
    deadline = monotonic() + 5
    while len(application.held()) != count:
        assert monotonic() < deadline, "the invoice never arrived"


@pytest.mark.parametrize("retry_after", [None, 7])
def test_busy_is_429_from_the_gateway_with_or_without_a_wait(application: Application, retry_after: int | None) -> None:
    application.fault("busy", retry_after=retry_after)
    answer = application.get(ACCOUNTS)
    error = answer.json()["error"]
    assert (answer.status_code, error["errorId"], error["message"]) == (429, "GW-0010", "API rate limit exceeded")
    assert list(error["details"]) == ["requestId"]
    assert answer.headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert application.get(ACCOUNTS).status_code == 200


def test_lost_does_the_work_and_dropped_does_nothing(application: Application) -> None:
    for kind, count in (("lost", 1), ("dropped", 1)):
        application.fault(kind, on=POSTS)
        with pytest.raises(requests.ConnectionError):
            application.send(invoice())
        assert len(application.held()) == count


@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"commit": False}, 0)])
@pytest.mark.parametrize(("kind", "status"), [("error", 500), ("garbage", 200)])
def test_an_unusable_answer_comes_after_the_work_or_instead_of_it(
    application: Application, kind: str, status: int, options: dict[str, Any], count: int
) -> None:
    application.fault(kind, on=POSTS, **options)
    answer = application.send(invoice())
    assert answer.status_code == status
    assert len(application.held()) == count
    if kind == "error":
        assert error_in(answer)["code"] == "internalServerError"


def test_unavailable_is_503(application: Application) -> None:
    application.fault("unavailable")
    assert application.get(ACCOUNTS).status_code == 503


def test_refused_says_what_it_was_told_to_say(application: Application) -> None:
    told = {"message": "No more today.", "error_id": "AR-0001", "target": "/dueDate", "correction": "Wait."}
    application.fault("refused", on=POSTS, **told)
    answer = application.send(invoice())
    last = error_in(answer)["details"][-1]
    assert answer.status_code == 422
    assert {name: last[name] for name in ("message", "errorId", "target", "correction")} == {
        "message": "No more today.",
        "errorId": "AR-0001",
        "target": "/dueDate",
        "correction": "Wait.",
    }


def test_hold_does_the_work_and_keeps_the_answer_until_let_go(application: Application) -> None:
    application.fault("hold", on=POSTS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(application.send, invoice())
        wait_until_held(application, 1)
        assert not answer.done()
        requests.post(f"{application.url}/_release", timeout=10)
        assert answer.result(5).status_code == 201


def test_slow_waits_before_the_work(application: Application) -> None:
    application.fault("slow", seconds=0.05)
    assert application.get(ACCOUNTS).elapsed.total_seconds() >= 0.05


def test_a_fault_without_an_address_meets_the_platform_it_names_and_no_token_call(application: Application) -> None:
    application.fault("busy")
    application.connect_as()
    assert requests.get(f"{application.url}/accounting/v3.1/user", timeout=10).status_code == 401
    shown = requests.get(f"{application.url}/_faults", timeout=10).json()["faults"]
    assert shown[0]["on"].startswith("/intacct/ia/api/v1/objects/, ")
    assert application.get(ACCOUNTS).status_code == 429


def test_the_token_endpoint_fails_when_it_is_named(application: Application) -> None:
    application.fault("unavailable", on="POST /intacct/ia/api/v1/oauth2/token")
    assert application.act_as("xml_reflow@HARBOUR").status_code == 503
    assert application.act_as("xml_reflow@HARBOUR").status_code == 200


def test_a_platform_that_is_not_known_is_said(application: Application) -> None:
    order = {"kind": "busy", "platform": "abacus"}
    answer = requests.post(f"{application.url}/_faults", json=order, timeout=10)
    assert (answer.status_code, "accounting, intacct" in answer.json()["error"]) == (400, True)
    assert requests.get(f"{application.url}/_faults?platform=abacus", timeout=10).status_code == 400


def test_settings_are_shown_by_platform_and_put_back_when_cleared(application: Application) -> None:
    application.setting("token_life", 90)
    application.setting("expired_as", 400)
    assert application.fault("setting", name="token_life", value=0).status_code == 400
    url = f"{application.url}/_faults?platform=intacct"
    shown = requests.get(url, timeout=10).json()["settings"]
    assert (shown["token_life"], shown["expired_as"]) == (90, "400")
    requests.delete(f"{application.url}/_faults", timeout=10)
    assert requests.get(url, timeout=10).json()["settings"] == {
        "token_life": 43_200,
        "rotation": "on",
        "expired_as": "401",
        "error_nesting": "result",
        "support_ids": "off",
        "duplicate_number": "422",
        "sequence": "on",
        "supplied_number": "use",
        "draft_number": "no",
        "number_scope": "company",
        "batch_refusal": "each",
        "idempotency": "on",
    }


# Saying no


@pytest.mark.parametrize(
    ("nesting", "path"), [("result", ["ia::result", "ia::error"]), ("bare", ["ia::error"]), ("error", ["error"])]
)
def test_an_error_stands_where_the_setting_says(application: Application, nesting: str, path: list[str]) -> None:
    application.setting("error_nesting", nesting)
    body = application.send(invoice(customer={"id": "CUST-404"})).json()
    assert ("ia::meta" in body) == (nesting != "error")
    for name in path:
        body = body[name]
    assert body["errorId"] == "REST-7001"


def test_an_error_that_no_code_of_ours_makes_stands_there_too(application: Application) -> None:
    application.setting("error_nesting", "bare")
    answer = application.call("PUT", INVOICE)
    assert (answer.status_code, answer.json()["ia::error"]["code"]) == (405, "methodNotAllowed")


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer "])
def test_a_call_without_a_token_is_turned_away_by_the_gateway(application: Application, header: str) -> None:
    answer = application.call("GET", ACCOUNTS, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]["errorId"]) == (401, "GW-0034")


def test_an_unknown_token_is_not_valid(application: Application) -> None:
    application.access = "nonsense"
    answer = application.get(ACCOUNTS)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["errorId"]) == (401, "tokenInvalid", "REST-2102")
    assert error["additionalInfo"]["messageId"] == "IA.TOKEN_IS_INVALID"


@pytest.mark.parametrize("deed", ["intacct_expired", "intacct_revoked"])
def test_a_dead_token_is_answered_in_one_of_two_ways(application: Application, deed: str) -> None:
    application.deed(deed)
    answer = application.get(ACCOUNTS)
    assert (answer.status_code, answer.json()["error"]["errorId"]) == (401, "GW-0040")
    assert answer.json()["error"]["message"] == "Expired token"
    application.setting("expired_as", "400")
    answer = application.get(ACCOUNTS)
    assert (answer.status_code, error_in(answer)["errorId"]) == (400, "REST-1206")
    assert error_in(answer)["message"] == "The token is not valid"


def test_a_client_that_is_switched_off_is_turned_away(application: Application) -> None:
    application.set_books(client_authorised=False)
    answer = application.get(ACCOUNTS)
    assert (answer.status_code, answer.json()["error"]["errorId"]) == (400, "GW-0011")
    assert answer.json()["error"]["message"] == "Invalid Request"
    application.set_books(client_authorised=True)
    assert application.get(ACCOUNTS).status_code == 200


def test_a_clerk_reads_and_writes_nothing(application: Application) -> None:
    key = application.create()
    application.connect(CLERK)
    assert application.get(f"{INVOICE}/{key}").status_code == 200
    assert application.query("accounts-receivable/invoice", ["key"]).status_code == 200
    for method, path in (
        ("POST", INVOICE),
        ("PATCH", f"{INVOICE}/{key}"),
        ("DELETE", f"{INVOICE}/{key}"),
        ("POST", "/workflows/accounts-receivable/invoice/submit"),
    ):
        answer = application.call(method, path, json={"key": key})
        assert (answer.status_code, error_in(answer)["code"]) == (403, "forbidden")
    items = application.post(COMPOSITE, create_and_read(invoice())).json()["ia::result"]
    assert items[0]["ia::status"] == 403


@pytest.mark.parametrize(
    ("username", "entity", "status"),
    [
        ("xml_reflow@HARBOUR", "LDN", 200),
        ("xml_reflow@HARBOUR", "PARIS", 400),
        ("xml_reflow@QUAY", "LDN", 400),
        ("xml_reflow@HARBOUR|LDN", "LDN", 200),
        ("xml_reflow@HARBOUR|LDN", "NTH", 400),
    ],
)
def test_an_entity_that_is_unknown_or_out_of_reach_is_400(
    application: Application, username: str, entity: str, status: int
) -> None:
    application.connect_as(username)
    answer = application.call("GET", ACCOUNTS, headers={"X-IA-API-Param-Entity": entity})
    assert answer.status_code == status


def test_an_entitys_own_token_needs_no_header(application: Application) -> None:
    application.connect_as("xml_reflow@HARBOUR|LDN")
    application.create()
    assert application.held()[0]["entity"]["id"] == "LDN"


# The journal


def test_the_journal_tells_keys_entities_and_transactions(application: Application) -> None:
    requests.delete(f"{application.url}/_journal", timeout=10)
    application.send(invoice(), "key-1", X_IA_API_Param_Entity="LDN")
    application.send([invoice(), invoice(), invoice(customer={"id": "X"})])
    application.post(COMPOSITE, create_and_read(invoice(), "key-2"))
    application.post(QUERY, {"object": "accounts-receivable/invoice", "fields": ["key"]})
    application.get(f"{INVOICE}/5001,5002")
    application.call("DELETE", f"{INVOICE}/5003")
    application.send(invoice(), "key-1", X_IA_API_Param_Entity="LDN")
    told = [(each["metered"], each["idempotency_key"], each["entity"]) for each in application.journal()]
    assert told == [
        (1, "key-1", "LDN"),
        (3, None, None),
        (2, "key-2", None),
        (1, None, None),
        (1, None, None),
        (1, None, None),
        (None, "key-1", "LDN"),
    ]


def test_the_journal_holds_no_token_and_no_secret(application: Application) -> None:
    application.connect()
    application.get(ACCOUNTS)
    text = requests.get(f"{application.url}/_journal", timeout=10).text
    assert "/intacct/ia/api/v1/oauth2/token" in text
    assert not any(secret in text for secret in (application.access, application.refresh, "reflow-intacct-secret"))
