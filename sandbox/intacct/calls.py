"""One call to the API and its answer, whether it came by itself or inside a composite."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify

from sandbox.intacct.answers import Json, Refused, error_envelope, meta_of
from sandbox.intacct.books import Books
from sandbox.intacct.grants import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The path starts behind the API's version: /objects/accounts-receivable/invoice."""

    method: str
    path: str
    grant: Grant
    books: Books
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str = ""
    all_or_nothing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    result: Any = None
    meta: Json = field(default_factory=lambda: meta_of(1))
    error: Json | None = None
    nesting: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.error is None

    def response(self) -> Response:
        response = jsonify(self._body()) if self.status != HTTPStatus.NO_CONTENT else Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        return response

    def item(self) -> Json:
        """As one part of an answer to several requests."""
        if self.error is not None:
            return {"ia::error": self.error, "ia::status": self.status}
        return {"ia::result": self.result, "ia::meta": self.meta, "ia::status": self.status}

    def _body(self) -> Json:
        if self.error is not None:
            return error_envelope(self.error, self.nesting)
        return {"ia::result": self.result, "ia::meta": self.meta}


def refused(refusal: Refused) -> Answer:
    return Answer(status=refusal.status, error=refusal.document(), nesting=refusal.nesting)


def reference(kind: str, record: Json) -> Json:
    return {"key": record["key"], "id": record["id"], "href": f"/objects/{kind}/{record['key']}"}


def count_transaction() -> None:
    """In the journal's entry of the call that is being answered; Intacct bills by transactions."""
    g.entry["metered"] = (g.entry["metered"] or 0) + 1
