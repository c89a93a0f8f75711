"""A person at a browser and an application, both meeting the sandbox over real HTTP."""

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.__main__ import QuietHandler
from sandbox.app import create_app

CLIENT = ("reflow-sandbox", "reflow-sandbox-secret")
CALLBACK = "http://127.0.0.1:9/settings/connector/callback/"
BOOKKEEPER = ("bookkeeper@harbour.example", "harbour")
HARBOUR, LETTINGS = "Harbour & Vale Property Services", "Harbour Lettings"
VERIFIER = "a-verifier-that-is-long-enough-to-be-allowed-by-the-standard"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
Json = Any


@dataclass
class MovableClock:
    now: datetime = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **amount: int) -> None:
        self.now += timedelta(**amount)


@dataclass
class Visitor:
    url: str
    clock: MovableClock
    server: BaseWSGIServer
    directory: Path
    access: str = ""
    refresh: str = ""
    business: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # The person

    def authorise(self, **changes: str) -> requests.Response:
        asked = {
            "filter": "apiv3.1",
            "response_type": "code",
            "client_id": CLIENT[0],
            "redirect_uri": CALLBACK,
            "state": "st/1",
            "scope": "full_access",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        params = {name: value for name, value in {**asked, **changes}.items() if value}
        url = f"{self.url}/accounting/oauth2/auth/central"
        return requests.get(url, params=params, allow_redirects=False, timeout=10)

    def sign_in(self, page: str, person: tuple[str, str] = BOOKKEEPER) -> requests.Response:
        form = {**hidden_fields(page), "username": person[0], "password": person[1]}
        return requests.post(f"{self.url}/accounting/sign-in", data=form, timeout=10)

    def consent(self, page: str, names: tuple[str, ...] = (HARBOUR,), decision: str = "allow") -> requests.Response:
        offered = organisations(page)
        form = {**hidden_fields(page), "organisations": [offered[name] for name in names], "decision": decision}
        return requests.post(f"{self.url}/accounting/consent", data=form, allow_redirects=False, timeout=10)

    def code(self, names: tuple[str, ...] = (HARBOUR,), **changes: str) -> str:
        answer = self.consent(self.sign_in(self.authorise(**changes).text).text, names)
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    # The application

    def token(self, **form: str) -> requests.Response:
        credentials = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
        return requests.post(f"{self.url}/accounting/token", data={**credentials, **form}, timeout=10)

    def exchange(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.token(**{**form, **changes})

    def renew(self, refresh: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh)

    def connect(self, *names: str) -> None:
        self.keep(self.exchange(self.code(names or (HARBOUR,))).json())
        self.ids = {each["displayed_as"]: each["id"] for each in self.get("/businesses").json()["$items"]}
        self.business = self.ids[(names or (HARBOUR,))[0]]

    def keep(self, tokens: Json) -> None:
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.access}", **more.pop("headers", {})}
        if self.business:
            headers.setdefault("X-Business", self.business)
        timeout = more.pop("timeout", 10)
        url = f"{self.url}/accounting/v3.1{path}"
        return requests.request(method, url, headers=headers, timeout=timeout, **more)

    def get(self, path: str, **params: str) -> requests.Response:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Json) -> requests.Response:
        return self.call("POST", path, json=body)

    # The books

    def account(self, code: int) -> str:
        items = self.get("/ledger_accounts", attributes="nominal_code", items_per_page="200").json()["$items"]
        return next(str(each["id"]) for each in items if each["nominal_code"] == code)

    def contact(self, **changes: Any) -> str:
        fields = {"name": "Bramley Stores", "contact_type_ids": ["CUSTOMER"], **changes}
        answer = self.post("/contacts", {"contact": fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def invoice_body(self, **changes: Any) -> Json:
        line = {
            "description": "Gutter cleaning",
            "ledger_account_id": self.account(4060),
            "quantity": "3",
            "unit_price": "12.50",
            "tax_rate_id": "GB_STANDARD",
            "tax_amount": "7.50",
        }
        contact_id = changes.pop("contact_id", None) or self.contact()
        fields = {"contact_id": contact_id, "date": "2026-03-14", "reference": "INV-00042", "invoice_lines": [line]}
        return {"sales_invoice": {**fields, "idempotency_id": uuid4().hex, **changes}}

    def create(self, **changes: Any) -> Json:
        answer = self.post("/sales_invoices", self.invoice_body(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def books(self, name: str = HARBOUR) -> Json:
        businesses = requests.get(f"{self.url}/_books", timeout=10).json()["businesses"]
        return next(each for each in businesses if each["name"] == name)

    def set_books(self, **changes: Any) -> requests.Response:
        return requests.post(f"{self.url}/_books", json=changes, timeout=10)

    def by_hand(self, **entry: Any) -> requests.Response:
        return requests.post(f"{self.url}/_books/invoices", json=entry, timeout=10)

    # The switches

    def fault(self, kind: str, **options: Any) -> requests.Response:
        return requests.post(f"{self.url}/_faults", json={"kind": kind, **options}, timeout=10)

    def journal(self) -> list[Json]:
        return list(requests.get(f"{self.url}/_journal", timeout=10).json()["requests"])


def hidden_fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page))


def organisations(page: str) -> dict[str, str]:
    found = re.findall(r'name="organisations" value="([^"]+)"[^>]*>\s*([^<]+?)\s*</label>', page)
    return {name.replace("&amp;", "&"): id for id, name in found}


def serve(directory: Path, clock: MovableClock) -> Visitor:
    server = make_server("127.0.0.1", 0, create_app(directory, clock), threaded=True, request_handler=QuietHandler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return Visitor(f"http://127.0.0.1:{server.port}", clock, server, directory)
