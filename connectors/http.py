"""The one way we speak HTTP: a call with a deadline, knowledge of whether a byte left, and `decipher`."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connectors.heard import HIDDEN, Said, hear
from connectors.interface import (
    BearerRefused,
    Fix,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Rejected,
    TryLater,
)

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
HEAD_START = 0.02  # seconds in which a call leaves before anything else is begun
LONGEST_WAIT_SECONDS = 900
SHORTEST_TOKEN = 16
REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a platform says no. `complaints`: its error body -> what it complains of, empty when that is not its shape.

    `refuses_bearer`: a status and those complaints -> whether the access token is dead and a renewed one may be tried.
    """

    complaints: Callable[[Any], tuple[Problem, ...]]
    refuses_bearer: Callable[[int, tuple[Problem, ...]], bool]


Bearer = Callable[[str], str]
"""The token that was just refused, or "" -> the token to use."""
MayLeave = Callable[[], bool]
"""Whether the first byte of a call that writes may still leave."""
Answered = Callable[[], None]
"""Told of each answer that is not a refusal."""
Heard = Callable[[Said], None]
"""Told of each answer, whatever it says, to a call that writes."""
Meanwhile = Callable[[], None]
"""Done while a call that writes is on its way; it makes no call itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A 2xx answer: its parsed JSON and its headers (looked up without regard to case)."""

    status: int
    body: Any
    headers: Mapping[str, str]


def decipher(status: int, headers: Mapping[str, str], body: Any, dialect: Dialect, *, writes: bool) -> Answer:
    """An answer -> an Answer, or the error that says what comes next. Pure and total.

    `body` is the parsed JSON, or None where it was none. Where the call writes nothing, whatever is unclear about its
    answer is TryLater; where it may have written, an answer that says nothing certain is OutcomeUnknown.
    """
    request_id = headers.get("x-request-id", "")
    if 200 <= status < 300 and isinstance(body, dict | list):  # noqa: PLR2004
        return Answer(status=status, body=body, headers=headers)
    problems = dialect.complaints(body)
    if dialect.refuses_bearer(status, problems):
        raise BearerRefused("Sage refused the access token.", status=status, request_id=request_id)
    if status == 429:  # noqa: PLR2004
        after = wait_asked_for(headers)
        raise TryLater("Sage asks us to slow down.", after=after, status=status, request_id=request_id)
    if problems and (status in REFUSALS or _names_the_number(status, problems)):
        raise Rejected(problems, status=status, request_id=request_id)
    message = f"Sage answered {status} and nothing that can be understood."
    if not writes:
        raise TryLater(message, after=wait_asked_for(headers), status=status, request_id=request_id)
    raise OutcomeUnknown(message, status=status, request_id=request_id)


def _names_the_number(status: int, problems: tuple[Problem, ...]) -> bool:
    """A conflict over a number is a refusal; over a key it says nothing of what was written."""
    return status == HTTPStatus.CONFLICT and any(problem.fix is Fix.NUMBER for problem in problems)


def wait_asked_for(headers: Mapping[str, str]) -> int | None:
    """Retry-After in whole seconds, from 1 to 900; None when there is none we can read."""
    asked = headers.get("retry-after", "").strip()
    readable = asked.isascii() and asked.isdigit()
    return min(max(int(asked[:9]), 1), LONGEST_WAIT_SECONDS) if readable else None


@dataclass(slots=True)
class Line:
    """What a call knows of itself: whether a byte left, and the socket to cut."""

    began: bool = False
    timed_out: bool = False
    sock: socket.socket | None = field(default=None, repr=False)
    may_leave: MayLeave = lambda: True
    meanwhile: Meanwhile | None = None

    def cut(self) -> None:
        """Ends the call at its deadline; a read time-out alone does not bound an answer that drips."""
        self.timed_out = True
        if self.sock is not None:
            try:
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                log.debug("The connection was already closed at its deadline.")


class Watched(HTTPAdapter):
    """An adapter whose connections tell `line`, that of the present call, of the first byte handed to their socket."""

    def __init__(self) -> None:
        self.line = Line()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _watched(HTTPConnectionPool, HTTPConnection, self),
            "https": _watched(HTTPSConnectionPool, HTTPSConnection, self),
        }


def _watched(pool: type, connection: type, adapter: Watched) -> type:
    def send(self: Any, data: Any) -> None:
        line = adapter.line
        if self.sock is None:
            self.connect()
        line.sock = self.sock  # kept here: the connection forgets it while an answer that ends it is still read
        if line.timed_out or not (line.began or line.may_leave()):
            raise TimeoutError("The deadline passed before the first byte.")
        line.began = True
        connection.send(self, data)  # type: ignore[attr-defined]

    watched = type(f"Watched{connection.__name__}", (connection,), {"send": send})
    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": watched})


class Session(requests.Session):
    """A session whose every connection is watched."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        for scheme in ("http://", "https://"):
            self.mount(scheme, self.watched)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None is ever followed, so none is read: `requests` would fail over one that is no address."""


_thread = threading.local()


def _shared_session() -> Session:
    """One keep-alive session a thread, for calls that write nothing; a call that writes has a fresh connection."""
    if not hasattr(_thread, "session"):
        _thread.session = Session()
    session: Session = _thread.session
    return session


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Calls to one API: where it is, how to get a bearer, how its errors read, and a mark for the log."""

    api_url: str
    bearer: Bearer = field(repr=False)
    dialect: Dialect = field(repr=False)
    deadline: timedelta
    """From the call to the last byte of its answer; below the lease under which it is made."""
    push: str = ""
    may_leave: MayLeave = field(default=lambda: True, repr=False)
    answered: Answered = field(default=lambda: None, repr=False)
    heard: Heard = field(default=lambda said: None, repr=False)
    meanwhile: Meanwhile | None = field(default=None, repr=False)

    def get(self, path: str, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        return self._with_bearer("GET", path, {"params": dict(params)}, headers, writes=False)

    def ask(self, path: str, *, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """A POST that writes nothing, such as a query."""
        return self._with_bearer("POST", path, {"json": dict(body)}, headers, writes=False)

    def post(self, path: str, *, body: Mapping[str, Any] | Sequence[Any], headers: Mapping[str, str]) -> Answer:
        return self._with_bearer("POST", path, {"json": body}, headers, writes=True)

    def delete(
        self, path: str, *, headers: Mapping[str, str], params: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """An answer of 204 has no body: its is {}."""
        return self._with_bearer("DELETE", path, {"params": params, "json": body}, headers, writes=True)

    def _with_bearer(
        self, method: str, path: str, content: dict[str, Any], headers: Mapping[str, str], *, writes: bool
    ) -> Answer:
        """Calls; when the token is refused, renews it once and calls once more."""
        token = self.bearer("")
        try:
            return self._call(method, path, content, {**headers, "Authorization": f"Bearer {token}"}, writes=writes)
        except BearerRefused:
            token = self.bearer(token)
            return self._call(method, path, content, {**headers, "Authorization": f"Bearer {token}"}, writes=writes)

    def _call(
        self, method: str, path: str, content: dict[str, Any], headers: Mapping[str, str], *, writes: bool
    ) -> Answer:
        line = Line(may_leave=self.may_leave, meanwhile=self.meanwhile) if writes else Line()
        session = Session() if writes else _shared_session()
        started = time.monotonic()
        try:
            response = self._send(session, line, method, path, headers, content)
        except requests.RequestException as error:
            log.warning("%s %s failed: %s", method, path, type(error).__name__, extra={"push": self.push})
            raise _lost(line, writes=writes) from None
        finally:
            if writes:
                session.close()
        spent = round((time.monotonic() - started) * 1000)
        log.info("%s %s %s in %s ms", method, path, response.status_code, spent, extra={"push": self.push})
        token = headers["Authorization"].removeprefix("Bearer ")
        if writes:
            self.heard(hear(response.status_code, response.content, token))
        is_done = method == "DELETE" and response.status_code == HTTPStatus.NO_CONTENT
        body = {} if is_done else _json(_without(token, response.content))
        answer = decipher(response.status_code, response.headers, body, self.dialect, writes=writes)
        self.answered()
        return answer

    def _send(
        self,
        session: Session,
        line: Line,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: dict[str, Any],
    ) -> requests.Response:
        options: dict[str, Any] = {
            "headers": {"Accept": "application/json", **headers},
            "timeout": (CONNECT_SECONDS, self.deadline.total_seconds()),
            "allow_redirects": False,
            **content,
        }
        session.watched.line = line
        timer = threading.Timer(self.deadline.total_seconds(), line.cut)
        timer.start()
        try:
            if line.meanwhile is None:
                return session.request(method, self.api_url + path, **options)
            beside = ThreadPoolExecutor(1, "call")
            answer = beside.submit(session.request, method, self.api_url + path, **options)
            beside.shutdown(wait=False)
            wait([answer], HEAD_START)
            line.meanwhile()
            return answer.result()
        finally:
            timer.cancel()


def _lost(line: Line, *, writes: bool) -> PlatformError:
    """No answer: with no byte gone nothing was written; after the first byte only a look tells."""
    if not (writes and line.began):
        return TryLater("Sage could not be reached.")
    late = "in time" if line.timed_out else "before the line was cut"
    return OutcomeUnknown(f"Sage took the invoice but did not answer {late}.")


def _without(token: str, content: bytes) -> bytes:
    """What is answered is told to people and kept; a real token is too long to stand in it by chance."""
    return content.replace(token.encode(), HIDDEN.encode()) if len(token) >= SHORTEST_TOKEN else content


def _json(content: bytes) -> Any:
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
