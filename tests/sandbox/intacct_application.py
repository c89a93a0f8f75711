"""An application connected to the pretend Intacct: what it sends, and what then stands in the books."""

from typing import Any

import requests

from tests.sandbox.intacct_visitor import IntacctVisitor

INVOICE, CUSTOMER = "/objects/accounts-receivable/invoice", "/objects/accounts-receivable/customer"
QUERY, COMPOSITE = "/services/core/query", "/services/core/composite"
WORKFLOWS = "/workflows/accounts-receivable/invoice"
UK_VAT, STANDARD = "United Kingdom - VAT", "UK Sale Goods/Services Standard Rate"
Json = Any


def line(**changes: Any) -> Json:
    taxes = [{"orderEntryTaxDetail": {"id": STANDARD}}]
    return {"txnAmount": "100.00", "glAccount": {"id": "4000"}, "memo": "Retainer", "taxEntries": taxes, **changes}


def invoice(**changes: Any) -> Json:
    """What is changed to None is left out."""
    fields = {
        "customer": {"id": "CUST-001"},
        "invoiceDate": "2026-03-14",
        "dueDate": "2026-04-13",
        "referenceNumber": "INV-00042",
        "taxSolution": {"id": UK_VAT},
        "lines": [line()],
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def create_and_read(body: Json, key: str = "") -> Json:
    """The composite that makes an invoice and reads it back."""
    headers = {"Idempotency-Key": key} if key else {}
    return [
        {"method": "POST", "path": INVOICE, "body": body, "headers": headers, "resultReference": "inv"},
        {"method": "GET", "path": f"{INVOICE}/@{{inv.1.key}}"},
    ]


def error_in(answer: requests.Response) -> Json:
    return answer.json()["ia::result"]["ia::error"]


def told(answer: requests.Response) -> list[tuple[str, str]]:
    """What an error's details say and where, less the generic one that comes first."""
    details = error_in(answer)["details"]
    return [(each["message"], each.get("target", "")) for each in details if "Could not" not in each["message"]]


class Application(IntacctVisitor):
    def connect_as(self, username: str = "xml_reflow@HARBOUR") -> None:
        self.keep(self.act_as(username).json())

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Json, **headers: str) -> requests.Response:
        """Headers by their names, with _ for -."""
        return self.call("POST", path, json=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def send(self, body: Json, key: str = "", **headers: str) -> requests.Response:
        return self.post(INVOICE, body, **({"Idempotency_Key": key} if key else {}), **headers)

    def create(self, **changes: Any) -> str:
        answer = self.send(invoice(**changes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["ia::result"]["key"])

    def read(self, key: str) -> Json:
        answer = self.get(f"{INVOICE}/{key}")
        assert answer.status_code == 200, answer.text
        return answer.json()["ia::result"]

    def change(self, key: str, **fields: Any) -> requests.Response:
        return self.call("PATCH", f"{INVOICE}/{key}", json=fields)

    def query(self, kind: str, fields: list[str], *filters: Json, **more: Any) -> requests.Response:
        return self.post(QUERY, {"object": kind, "fields": fields, "filters": list(filters), **more})

    def rows(self, kind: str, fields: list[str], *filters: Json, **more: Any) -> list[Json]:
        answer = self.query(kind, fields, *filters, **more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["ia::result"])

    # The books

    def books(self, company: str = "HARBOUR") -> Json:
        companies = requests.get(f"{self.url}/_books", timeout=10).json()["intacct"]["companies"]
        return next(each for each in companies if each["id"] == company)

    def held(self) -> list[Json]:
        return list(self.books()["invoices"])

    def set_books(self, **changes: Any) -> requests.Response:
        return requests.post(f"{self.url}/_books", json={"intacct": changes}, timeout=10)

    def by_hand(self, path: str = "", **entry: Any) -> requests.Response:
        return requests.post(f"{self.url}/_books/intacct/invoices{path}", json=entry, timeout=10)

    # The switches

    def fault(self, kind: str, **options: Any) -> requests.Response:
        order = {"kind": kind, "platform": "intacct", **options}
        return requests.post(f"{self.url}/_faults", json=order, timeout=10)

    def journal(self) -> list[Json]:
        return list(requests.get(f"{self.url}/_journal", timeout=10).json()["requests"])
