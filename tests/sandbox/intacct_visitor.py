"""A person at a browser and an application, both meeting the pretend Intacct over real HTTP."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.sandbox.visitor import CALLBACK, CHALLENGE, VERIFIER, MovableClock, Visitor, hidden_fields

CLIENT = {"client_id": "reflow-intacct", "client_secret": "reflow-intacct-secret"}
BOOKKEEPER, CLERK, QUAY_BOOKKEEPER = ("HARBOUR", "bookkeeper"), ("HARBOUR", "clerk"), ("QUAY", "bookkeeper")
PASSWORD = "harbour"
Json = Any


@dataclass
class IntacctVisitor:
    url: str
    clock: MovableClock
    access: str = ""
    refresh: str = ""

    @property
    def api(self) -> str:
        return f"{self.url}/intacct/ia/api/v1"

    # The person

    def authorise(self, **changes: str) -> requests.Response:
        asked = {
            "response_type": "code",
            "client_id": CLIENT["client_id"],
            "redirect_uri": CALLBACK,
            "state": "st/1",
            "scope": "offline_access",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        params = {name: value for name, value in {**asked, **changes}.items() if value}
        return requests.get(f"{self.api}/oauth2/authorize", params=params, allow_redirects=False, timeout=10)

    def sign_in(self, page: str, person: tuple[str, str] = BOOKKEEPER, password: str = PASSWORD) -> requests.Response:
        form = {**hidden_fields(page), "company_id": person[0], "user_id": person[1], "password": password}
        return requests.post(f"{self.url}/intacct/sign-in", data=form, timeout=10)

    def consent(self, page: str, decision: str = "allow") -> requests.Response:
        form = {**hidden_fields(page), "decision": decision}
        return requests.post(f"{self.url}/intacct/consent", data=form, allow_redirects=False, timeout=10)

    def code(self, person: tuple[str, str] = BOOKKEEPER, **changes: str) -> str:
        answer = self.consent(self.sign_in(self.authorise(**changes).text, person).text)
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    # The application

    def token(self, **form: str) -> requests.Response:
        return requests.post(f"{self.api}/oauth2/token", data={**CLIENT, **form}, timeout=10)

    def exchange(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.token(**{**form, **changes})

    def renew(self, refresh: str, **more: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh, **more)

    def act_as(self, username: str) -> requests.Response:
        return self.token(grant_type="client_credentials", username=username)

    def revoke(self, token: str) -> requests.Response:
        return requests.post(f"{self.api}/oauth2/revoke", data={**CLIENT, "token": token}, timeout=10)

    def connect(self, person: tuple[str, str] = BOOKKEEPER) -> None:
        self.keep(self.exchange(self.code(person)).json())

    def keep(self, tokens: Json) -> None:
        self.access, self.refresh = tokens["access_token"], tokens.get("refresh_token", self.refresh)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.access}", **more.pop("headers", {})}
        return requests.request(method, f"{self.api}{path}", headers=headers, timeout=10, **more)

    def setting(self, name: str, value: object) -> None:
        order = {"kind": "setting", "name": name, "value": value}
        requests.post(f"{self.url}/_faults", json=order, timeout=10).raise_for_status()

    def deed(self, kind: str) -> None:
        requests.post(f"{self.url}/_faults", json={"kind": kind}, timeout=10).raise_for_status()


def claims(token: str) -> Json:
    """What a token says about itself."""
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def intacct_at(sandbox: Visitor) -> IntacctVisitor:
    return IntacctVisitor(sandbox.url, sandbox.clock)
