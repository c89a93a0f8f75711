"""What a person does in the pretend Intacct, and all of its books as one answer."""

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.intacct_application import Application, invoice
from tests.sandbox.visitor import MovableClock, serve


def test_an_invoice_entered_with_nothing_said_is_a_whole_one(application: Application) -> None:
    answer = application.by_hand()
    assert answer.status_code == 201
    entered = answer.json()
    assert (entered["invoiceNumber"], entered["state"], entered["customer"]["id"]) == ("SI-1001", "posted", "CUST-001")
    assert (entered["totalTxnAmount"], entered["dueDate"]) == ("120.00", "2026-04-13")
    assert application.read(entered["key"])["lines"][0]["memo"] == "Entered by hand"


def test_an_entry_says_what_it_likes(application: Application) -> None:
    line = {"account": "4010", "amount": "1,250.00", "memo": "Rent", "location": "LDN", "tax_detail": ""}
    entered = application.by_hand(
        company="HARBOUR",
        entity="LDN",
        number="OLD-9",
        reference="PO-7",
        customer="CUST-004",
        date="2026-02-01",
        due="2026-02-15",
        term="Net 14",
        draft=True,
        lines=[line],
    ).json()
    assert (entered["invoiceNumber"], entered["referenceNumber"], entered["state"]) == ("OLD-9", "PO-7", "draft")
    assert (entered["customer"]["id"], entered["entity"]["id"], entered["term"]["id"]) == ("CUST-004", "LDN", "Net 14")
    assert (entered["invoiceDate"], entered["dueDate"]) == ("2026-02-01", "2026-02-15")
    assert (entered["totalTxnAmount"], entered["lines"][0]["glAccount"]["id"]) == ("1250.00", "4010")


def test_in_a_company_with_labels_a_label_is_entered(application: Application) -> None:
    application.set_books(use_account_labels=True)
    entered = application.by_hand().json()
    assert entered["lines"][0]["accountLabel"]["id"] == "Services"
    edited = application.by_hand(f"/{entered['key']}/edit", description="Still fine").json()
    assert edited["description"] == "Still fine"


def test_paying_in_parts_moves_state_due_and_moment(application: Application) -> None:
    key = application.create()
    application.clock.pass_time(minutes=5)
    part = application.by_hand(f"/{key}/pay", amount="20.00").json()
    assert (part["state"], part["totalTxnAmountDue"]) == ("partiallyPaid", "100.00")
    assert part["audit"]["modifiedDateTime"] == "2026-03-14T09:05:00Z"
    assert part["paymentInformation"]["fullyPaidDate"] is None
    paid = application.by_hand(f"/{key}/pay", date="2026-03-20").json()
    assert (paid["state"], paid["totalTxnAmountDue"], paid["totalBaseAmountDue"]) == ("paid", "0.00", "0.00")
    assert paid["paymentInformation"]["fullyPaidDate"] == "2026-03-20"
    assert [each["amount"] for each in paid["payments"]] == ["20.00", "100.00"]
    read = application.read(key)
    assert (read["state"], read["paymentInformation"]["totalTxnAmountPaid"]) == ("paid", "120.00")


def test_a_payment_is_taken_away_by_its_key_or_the_last_one(application: Application) -> None:
    key = application.create()
    first = application.by_hand(f"/{key}/pay", amount="20.00").json()["payments"][0]["key"]
    application.by_hand(f"/{key}/pay")
    assert application.by_hand(f"/{key}/unpay", payment=first).json()["totalTxnAmountDue"] == "20.00"
    assert application.by_hand(f"/{key}/unpay").json()["state"] == "posted"
    assert application.by_hand(f"/{key}/unpay").status_code == 422


@pytest.mark.parametrize("amount", ["0", "-5", "120.01"])
def test_no_more_than_is_due_can_be_paid(application: Application, amount: str) -> None:
    assert application.by_hand(f"/{application.create()}/pay", amount=amount).status_code == 422


def test_an_amount_that_is_none_is_400(application: Application) -> None:
    assert application.by_hand(f"/{application.create()}/pay", amount="lots").status_code == 400


@pytest.mark.parametrize("deed", ["pay", "reverse"])
def test_a_date_that_is_none_is_400(application: Application, deed: str) -> None:
    assert application.by_hand(f"/{application.create()}/{deed}", date="soon").status_code == 400


def test_a_draft_is_not_paid_but_submitted(application: Application) -> None:
    key = application.create(state="draft")
    assert application.by_hand(f"/{key}/pay").status_code == 422
    assert application.by_hand(f"/{key}/submit").json()["state"] == "posted"


def test_an_invoice_is_edited_line_by_line(application: Application) -> None:
    key = application.create()
    first = application.read(key)["lines"][0]["key"]
    changes: dict[str, Any] = {
        "reference": "PO-8",
        "due": "2026-05-01",
        "lines": [{"key": first, "amount": "90.00", "memo": "Less"}, {"account": "4060", "amount": "5.00"}],
    }
    edited = application.by_hand(f"/{key}/edit", **changes).json()
    assert (edited["referenceNumber"], edited["dueDate"], edited["totalTxnAmount"]) == ("PO-8", "2026-05-01", "114.00")
    assert [each["txnAmount"] for each in edited["lines"]] == ["90.00", "5.00"]
    gone = application.by_hand(f"/{key}/edit", lines=[{"key": first, "delete": True}]).json()
    assert [each["txnAmount"] for each in gone["lines"]] == ["5.00"]


def test_an_edit_leaves_subtotal_lines_alone(application: Application) -> None:
    key = application.create()
    application.by_hand(f"/{key}/subtotal", kind="tax", amount="6.00")
    application.by_hand(f"/{key}/subtotal", kind="subtotal", amount="100.00")
    edited = application.by_hand(f"/{key}/edit", description="x").json()
    assert [each["isSubtotal"] for each in edited["lines"]] == [None, "tax", "subtotal"]
    assert edited["totalTxnAmount"] == "126.00"


def test_an_invoice_of_an_entity_is_edited_as_the_entitys(application: Application) -> None:
    key = application.by_hand(entity="LDN").json()["key"]
    application.set_books(open_books_start={"entity": "LDN", "date": "2026-03-15"})
    assert application.by_hand(f"/{key}/edit", description="x").status_code == 422


def test_an_invoice_is_reversed_and_another_deleted(application: Application) -> None:
    first, second = application.create(), application.create()
    assert application.by_hand(f"/{first}/reverse", date="2026-03-20", memo="Twice").json()["state"] == "reversed"
    assert application.by_hand(f"/{second}/delete").json()["key"] == second
    assert [each["key"] for each in application.held()] == [first]


def test_deeds_come_with_the_conditions_too(application: Application) -> None:
    key = application.create()
    application.set_books(invoice={"key": key, "edit": {"description": "Paid in cash"}, "pay": True})
    held = application.held()[0]
    assert (held["description"], held["state"]) == ("Paid in cash", "paid")
    application.set_books(invoice={"key": key, "unpay": True, "reverse": True})
    assert application.held()[0]["state"] == "reversed"


@pytest.mark.parametrize(("path", "status"), [("/99/pay", 404), ("/5001/frame", 404)])
def test_what_is_not_there_is_404(application: Application, path: str, status: int) -> None:
    application.create()
    assert application.by_hand(path).status_code == status


def test_what_is_entered_is_checked_as_everything_is(application: Application) -> None:
    assert application.by_hand(customer="CUST-010").status_code == 422
    assert application.by_hand(company="NOWHERE").status_code == 404
    assert application.held() == []


def test_invoices_are_found_by_number_or_reference(application: Application) -> None:
    application.create()
    application.by_hand(reference="PO-1")
    url = f"{application.url}/_books/intacct/invoices"
    found = requests.get(url, params={"reference": "PO-1"}, timeout=10).json()["invoices"]
    assert [each["invoiceNumber"] for each in found] == ["SI-1002"]
    assert len(requests.get(url, timeout=10).json()["invoices"]) == 2
    assert requests.get(url, params={"company": "QUAY"}, timeout=10).json() == {"invoices": []}


def test_the_books_tell_of_both_companies_beside_sage_accounting(application: Application) -> None:
    books = requests.get(f"{application.url}/_books", timeout=10).json()
    assert list(books) == ["businesses", "intacct"]
    harbour, quay = books["intacct"]["companies"]
    assert (harbour["id"], harbour["name"]) == ("HARBOUR", "Harbour Estates (Intacct)")
    assert (quay["id"], quay["name"]) == ("QUAY", "Quay Services")
    assert harbour["conditions"] == {
        "open_books_start": "2019-04-01",
        "use_account_labels": False,
        "client_authorised": True,
        "may_change": True,
        "entities_open_books_start": {"LDN": "2019-04-01", "NTH": "2019-04-01"},
    }
    assert [each["id"] for each in harbour["customers"]] == [f"CUST-{n:03}" for n in range(1, 11)]
    assert books["intacct"]["settings"]["sequence"] == "on"


def test_the_books_show_whose_key_an_invoice_was_sent_with(application: Application) -> None:
    key = application.create()
    held = application.held()[0]
    assert (held["key"], held["idempotency_key"], held["payments"]) == (key, None, [])


def test_a_restart_keeps_books_keys_and_tokens(tmp_path: Path, clock: MovableClock) -> None:
    first = serve(tmp_path, clock)
    application = Application(first.url, clock)
    application.connect_as()
    application.send(invoice(), "key-1")
    first.stop()
    second = serve(tmp_path, clock)
    again = Application(second.url, clock, application.access)
    assert again.send(invoice(), "key-1").json()["ia::result"]["key"] == "5001"
    assert [each["invoiceNumber"] for each in again.held()] == ["SI-1001"]
    second.stop()


def test_a_reset_gives_fresh_books(application: Application) -> None:
    application.create()
    application.set_books(use_account_labels=True)
    requests.post(f"{application.url}/_reset", timeout=10)
    assert application.held() == []
    assert application.books()["conditions"]["use_account_labels"] is False
    application.connect_as()
    assert application.create() == "5001"
