"""Every switch that makes the sandbox misbehave, and the journal that tells what arrived."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests

from sandbox.app import create_app
from tests.sandbox.visitor import HARBOUR, MovableClock, Visitor

POSTS = "POST /accounting/v3.1/sales_invoices"


def held(client: Visitor) -> int:
    return len(client.books()["invoices"])


def wait_until_held(client: Visitor, count: int) -> None:
    deadline = monotonic() + 5
    while held(client) != count:
        assert monotonic() < deadline, "the invoice never arrived"


@pytest.mark.parametrize("retry_after", [None, 7])
def test_busy_is_429_with_or_without_a_wait(client: Visitor, retry_after: int | None) -> None:
    client.fault("busy", retry_after=retry_after)
    answer = client.get("/tax_rates")
    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == (str(retry_after) if retry_after else None)
    assert client.get("/tax_rates").status_code == 200


def test_lost_does_the_work_and_answers_nothing(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("lost", on=POSTS)
    with pytest.raises(requests.ConnectionError):
        client.post("/sales_invoices", body)
    assert held(client) == 1
    assert client.post("/sales_invoices", body).json()["invoice_number"] == "SI-1"
    assert held(client) == 1


def test_dropped_does_nothing_and_answers_nothing(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("dropped", on=POSTS)
    with pytest.raises(requests.ConnectionError):
        client.post("/sales_invoices", body)
    assert held(client) == 0


@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"commit": True}, 1), ({"commit": False}, 0)])
@pytest.mark.parametrize(("kind", "status"), [("error", 500), ("garbage", 200)])
def test_an_unusable_answer_comes_after_the_work_or_instead_of_it(
    client: Visitor, kind: str, status: int, options: dict[str, Any], count: int
) -> None:
    body = client.invoice_body()
    client.fault(kind, on=POSTS, **options)
    answer = client.post("/sales_invoices", body)
    assert answer.status_code == status
    assert held(client) == count
    if kind == "error":
        assert answer.json()[0]["$dataCode"] == "UnexpectedError"
    else:
        assert answer.headers["Content-Type"].startswith("text/html")


def test_unavailable_is_503_until_cleared(client: Visitor) -> None:
    client.fault("unavailable", times=None)
    assert [client.get("/user").status_code for _ in range(3)] == [503] * 3
    requests.delete(f"{client.url}/_faults", timeout=10)
    assert client.get("/user").status_code == 200


def test_refused_says_what_it_was_told_to_say(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("refused", on=POSTS, data_code="RecordInvalid", message="No more today.", source="date", times=2)
    for _ in range(2):
        answer = client.post("/sales_invoices", body)
        assert answer.status_code == 422
        assert answer.json()[0] | {"$severity": ""} == {
            "$severity": "",
            "$dataCode": "RecordInvalid",
            "$message": "No more today.",
            "$source": "date",
        }
    assert client.post("/sales_invoices", body).status_code == 201


def test_expired_ends_access_tokens_and_leaves_renewal(client: Visitor) -> None:
    client.fault("expired")
    assert client.get("/user").status_code == 401
    client.keep(client.renew(client.refresh).json())
    assert client.get("/user").status_code == 200


def test_revoked_ends_everything(client: Visitor) -> None:
    client.fault("revoked")
    assert client.get("/user").status_code == 401
    assert client.renew(client.refresh).json() == {"error": "invalid_grant"}


def test_slow_waits_before_the_work(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("slow", on=POSTS, seconds=60)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/sales_invoices", body)
        deadline = monotonic() + 5
        while not any(each["fault"] == "slow" for each in client.journal()):
            assert monotonic() < deadline
        assert held(client) == 0
        requests.post(f"{client.url}/_release", timeout=10)
        assert answer.result(5).status_code == 201


def test_slow_takes_a_part_of_a_second(client: Visitor) -> None:
    client.fault("slow", seconds=0.05)
    assert client.get("/user").elapsed.total_seconds() >= 0.05


@pytest.mark.parametrize("way", ["clear", "release"])
def test_hold_does_the_work_and_keeps_the_answer_until_let_go(client: Visitor, way: str) -> None:
    body = client.invoice_body()
    client.fault("hold", on=POSTS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/sales_invoices", body)
        wait_until_held(client, 1)
        assert not answer.done()
        assert client.journal()[-1]["status"] is None
        if way == "clear":
            requests.delete(f"{client.url}/_faults", timeout=10)
        else:
            requests.post(f"{client.url}/_release", timeout=10)
        assert answer.result(5).status_code == 201
    assert client.journal()[-1]["status"] == 201


def test_wrong_business_is_echoed_though_the_work_is_done_in_the_right_one(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("wrong_business", on=POSTS)
    answer = client.post("/sales_invoices", body)
    assert answer.status_code == 201
    assert answer.headers["X-Business"] != client.business
    assert len(client.books(HARBOUR)["invoices"]) == 1


def test_a_fault_meets_only_the_calls_it_names(client: Visitor) -> None:
    body = client.invoice_body()
    client.fault("busy", on=POSTS)
    assert client.get("/sales_invoices").status_code == 200
    assert client.get("/user").status_code == 200
    assert client.post("/sales_invoices", body).status_code == 429


def test_the_token_endpoint_can_fail_too_but_only_when_named(client: Visitor) -> None:
    client.fault("lost", times=None)
    assert client.renew("nonsense").status_code == 400
    requests.delete(f"{client.url}/_faults", timeout=10)
    client.fault("lost", on="POST /accounting/token")
    with pytest.raises(requests.ConnectionError):
        client.renew(client.refresh)
    assert client.renew(client.refresh).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"kind": "mischief"}', "Unknown kind 'mischief'"),
        ('{"kind": "busy", "times": 0}', "times"),
        ('{"kind": "busy", "on": "everything"}', "on"),
        ('{"kind": "slow"}', "seconds"),
        ('{"kind": "error", "commit": "no"}', "commit"),
        ('{"kind": "setting", "name": "colour", "value": 1}', "Unknown setting"),
        ('{"kind": "setting", "name": "search", "value": "fuzzy"}', "takes one of"),
    ],
)
def test_an_order_that_makes_no_sense_is_400_in_plain_words(client: Visitor, body: str, words: str) -> None:
    answer = requests.post(f"{client.url}/_faults", data=body, timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_lists_that_lag_do_not_show_a_new_invoice_yet(client: Visitor) -> None:
    made = client.post("/sales_invoices", client.invoice_body(reference="INV-7")).json()
    client.fault("setting", name="lag", value=60)
    assert client.get("/sales_invoices", search="INV-7").json()["$items"] == []
    assert client.get("/sales_invoices").json()["$total"] == 0
    assert client.get(f"/sales_invoices/{made['id']}").status_code == 200
    client.clock.pass_time(seconds=61)
    assert client.get("/sales_invoices", search="INV-7").json()["$total"] == 1


def test_clearing_puts_the_settings_back(client: Visitor) -> None:
    client.fault("setting", name="search", value="off")
    client.fault("busy", times=3)
    shown = requests.get(f"{client.url}/_faults", timeout=10).json()
    assert shown["faults"] == [{"kind": "busy", "on": "/accounting/v3.1", "times": 3}]
    cleared = requests.delete(f"{client.url}/_faults", timeout=10).json()
    usual = {"search": "substring", "remember_refusals": False, "draft_deletion": 200, "lag": 0}
    assert cleared == {"faults": [], "settings": usual}


def test_the_journal_tells_what_arrived_in_order(client: Visitor) -> None:
    requests.delete(f"{client.url}/_journal", timeout=10)
    client.get("/tax_rates", usage="sales")
    client.contact(idempotency_id="c" * 32)
    client.fault("dropped")
    with pytest.raises(requests.ConnectionError):
        client.get("/user")
    first, second, third = client.journal()
    assert (first["n"], first["method"], first["path"], first["query"], first["status"]) == (
        1,
        "GET",
        "/accounting/v3.1/tax_rates",
        "usage=sales",
        200,
    )
    assert first["business"] == client.business
    assert first["at"] == "2026-03-14T09:00:00+00:00"
    assert (second["idempotency_id"], second["status"]) == ("c" * 32, 201)
    assert (third["status"], third["fault"]) == (None, "dropped")


def test_the_journal_holds_no_token_and_no_secret(client: Visitor) -> None:
    client.keep(client.renew(client.refresh).json())
    client.get("/user")
    text = requests.get(f"{client.url}/_journal", timeout=10).text
    assert not any(secret in text for secret in (client.access, client.refresh, "reflow-sandbox-secret"))


def test_a_reset_gives_fresh_books_and_no_grants(client: Visitor) -> None:
    client.create()
    client.fault("busy", times=None)
    requests.post(f"{client.url}/_reset", timeout=10)
    assert client.get("/user").status_code == 401
    assert client.journal()[0]["n"] == 1
    books = client.books()
    assert (books["invoices"], books["next_invoice_number"], len(books["contacts"])) == ([], 1, 2)
    known = client.business
    client.connect()
    assert client.business == known


def test_what_was_kept_is_put_back_as_often_as_it_is_asked_for(client: Visitor) -> None:
    made = client.create()
    requests.post(f"{client.url}/_keep", timeout=10).raise_for_status()
    for _ in range(2):
        client.create()
        client.fault("busy", times=None)
        requests.post(f"{client.url}/_reset", timeout=10)
        requests.post(f"{client.url}/_put_back", timeout=10).raise_for_status()
        assert client.journal() == []
        assert [each["id"] for each in client.books()["invoices"]] == [made["id"]]
        assert client.get(f"/sales_invoices/{made['id']}").json()["total_amount"] == made["total_amount"]


def test_nothing_is_put_back_where_nothing_was_kept(tmp_path: Path, clock: MovableClock) -> None:
    switches = create_app(tmp_path, clock).test_client()
    before = switches.get("/_books").get_json()
    assert switches.post("/_put_back").status_code == 409
    assert switches.get("/_books").get_json() == before
