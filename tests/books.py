"""The sandbox as tests speak with it: walk its pages, read its books, switch its faults."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

USER, PASSWORD = "bookkeeper@harbour.example", "harbour"
INTACCT_USER = {"company_id": "HARBOUR", "user_id": "bookkeeper", "password": "harbour"}
INVOICES = "POST /accounting/v3.1/sales_invoices"
CREDIT_NOTES = "POST /accounting/v3.1/sales_credit_notes"
INTACCT = "/intacct/ia/api/v1"
INTACCT_INVOICES = f"POST {INTACCT}/objects/accounts-receivable/invoice"
COMPOSITE = f"POST {INTACCT}/services/core/composite"


class Sandbox:
    """One running sandbox; everything goes over HTTP, as for anybody else."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no search for a proxy at each call

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self._session.request(method, self.url + path, **{"timeout": 10, **kwargs})
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self._call("POST", "/_reset")

    def keep(self, name: str) -> None:
        """Remembers its books and its grants, for `put_back`."""
        self._call("POST", "/_keep", params={"as": name})

    def put_back(self, name: str) -> None:
        self._call("POST", "/_put_back", params={"as": name})

    def fault(self, kind: str, on: str = INVOICES, times: int | None = 1, **more: Any) -> None:
        self._call("POST", "/_faults", json={"kind": kind, "on": on, "times": times, **more})

    def clear_faults(self) -> None:
        self._call("DELETE", "/_faults")

    def clear_journal(self) -> None:
        self._call("DELETE", "/_journal")

    def calls(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """What reached it, in order; with the end of a path, those calls alone."""
        seen = self._call("GET", "/_journal")["requests"]
        return [row for row in seen if row["method"].startswith(method) and row["path"].endswith(path)]

    def books(self) -> Any:
        return self._call("GET", "/_books")

    def set_books(self, **conditions: Any) -> None:
        """What a person changes in Sage: a lock, an archived account, a deleted contact."""
        self._call("POST", "/_books", json=conditions)

    def by_hand(self, **invoice: Any) -> dict[str, Any]:
        """An invoice that a colleague enters in Sage."""
        entered: dict[str, Any] = self._call("POST", "/_books/invoices", json=invoice)
        return entered

    def business(self) -> dict[str, Any]:
        """The books of the organisation that tests connect to."""
        found: dict[str, Any] = self.books()["businesses"][0]
        return found

    def invoices(self) -> list[dict[str, Any]]:
        return [row for business in self.books()["businesses"] for row in business["invoices"]]

    def credit_notes(self) -> list[dict[str, Any]]:
        return [row for business in self.books()["businesses"] for row in business["credit_notes"]]

    def contacts(self) -> list[dict[str, Any]]:
        return [row for business in self.books()["businesses"] for row in business["contacts"]]

    def company_id(self) -> str:
        found: str = self.books()["businesses"][0]["id"]
        return found

    def intacct(self, company_id: str = "HARBOUR") -> dict[str, Any]:
        """A company's books in the pretend Intacct."""
        found: dict[str, Any] = next(one for one in self.books()["intacct"]["companies"] if one["id"] == company_id)
        return found

    def switch(self, name: str, value: object) -> None:
        """One of the behaviours that nobody has confirmed, the other way."""
        self._call("POST", "/_faults", json={"kind": "setting", "name": name, "value": value})

    def allow(self, authorise_url: str, *, decision: str = "allow", all_organisations: bool = False) -> dict[str, str]:
        """Signs in and answers the consent page as a person would; what the redirect back carries."""
        with requests.Session() as browser:
            browser.trust_env = False
            page = browser.get(authorise_url, timeout=10)
            is_intacct = 'name="company_id"' in page.text
            page = self._submit(browser, page, INTACCT_USER if is_intacct else {"username": USER, "password": PASSWORD})
            organisations = re.findall(r'name="organisations"[^>]*value="([^"]+)"', page.text)
            chosen = organisations if all_organisations else organisations[:1]
            answer = self._submit(browser, page, {"organisations": chosen, "decision": decision}, allow_redirects=False)
            return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def _submit(
        self, browser: requests.Session, page: requests.Response, typed: dict[str, Any], **kwargs: Any
    ) -> requests.Response:
        hidden = {}
        for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page.text):
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            if name:
                hidden[name[1]] = unescape(value[1]) if value else ""
        action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        target = urljoin(page.url, unescape(action[1])) if action and action[1] else page.url
        return browser.post(target, data={**hidden, **typed}, timeout=10, **kwargs)
