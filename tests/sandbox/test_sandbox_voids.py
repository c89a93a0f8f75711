"""Who may take an invoice back over the API, on which day, and what a removed draft is answered with."""

import pytest

from tests.sandbox.intacct_application import Application
from tests.sandbox.visitor import Visitor

REVERSE = "/workflows/accounts-receivable/invoice/reverse"


def test_restricted_access_enters_and_releases_but_voids_nothing(client: Visitor) -> None:
    client.set_books(access="restricted")
    made, draft = client.create(), client.create(status_id="DRAFT")
    for each in (made, draft):
        answer = client.call("DELETE", f"/sales_invoices/{each['id']}", params={"void_reason": "Twice"})
        assert (answer.status_code, answer.json()[0]["$dataCode"]) == (403, "MultiUserAccessDenied")
    assert client.call("POST", f"/sales_invoices/{draft['id']}/release").status_code == 201
    client.set_books(access="full")
    gone = client.call("DELETE", f"/sales_invoices/{made['id']}", params={"void_reason": "Twice"})
    assert gone.json()["status"]["id"] == "VOID"


@pytest.mark.parametrize(("said", "status"), [(None, 200), (204, 204)])
def test_a_removed_draft_is_answered_as_the_switch_says(client: Visitor, said: int | None, status: int) -> None:
    if said:
        client.fault("setting", name="draft_deletion", value=said)
    draft, open_one = client.create(status_id="DRAFT"), client.create()
    answer = client.call("DELETE", f"/sales_invoices/{draft['id']}")
    assert (answer.status_code, bool(answer.content)) == (status, status == 200)
    voided = client.call("DELETE", f"/sales_invoices/{open_one['id']}", params={"void_reason": "Twice"})
    assert voided.status_code == 200, "the switch is about drafts"


def test_a_reversal_into_a_closed_period_is_refused_and_one_after_it_is_not(application: Application) -> None:
    key = application.by_hand(date="2026-02-10").json()["key"]
    application.set_books(open_books_start={"date": "2026-03-01"})
    early = application.post(REVERSE, {"key": key, "reversedDate": "2026-02-28"})
    assert early.status_code == 422
    assert "within a period that's been closed" in early.text
    assert application.post(REVERSE, {"key": key, "reversedDate": "2026-03-01"}).status_code == 200


def test_without_the_right_nothing_is_reversed_or_deleted(application: Application) -> None:
    key, draft = application.by_hand().json()["key"], application.by_hand(draft=True).json()["key"]
    application.set_books(may_change=False)
    assert application.post(REVERSE, {"key": key, "reversedDate": "2026-03-14"}).status_code == 403
    assert application.call("DELETE", f"/objects/accounts-receivable/invoice/{draft}").status_code == 403
    assert [row["state"] for row in application.held()] == ["posted", "draft"]
