"""The proxy: what each of its faults lets through, on both sides of it."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chaos.plan import Kind
from tests.chaos.proxy import GATEWAY, Proxy, Toxic

BODY = b"an answer of twenty-eight by"
CUT = (OSError, http.client.HTTPException)


class Sage(ThreadingHTTPServer):
    """Answers every call, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.took: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Sage
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.took.append(sent)
        self.send_response(201)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def sage() -> Iterator[Sage]:
    with Sage() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(sage: Sage) -> Iterator[Proxy]:
    started = Proxy(sage.server_address[1])
    started.start()
    yield started
    started.stop()


def post(proxy: Proxy, connection: http.client.HTTPConnection | None = None) -> bytes:
    connection = connection or http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=3)
    connection.request("POST", "/sales_invoices", b"x" * 100)
    return connection.getresponse().read()


def arm(proxy: Proxy, kind: Kind, amount: float = 0) -> None:
    proxy.arm(Toxic(kind=kind, target=lambda method, path: path == "/sales_invoices", amount=amount))


def test_without_a_fault_everything_passes_and_a_connection_is_kept(proxy: Proxy, sage: Sage) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=3)
    assert [post(proxy, connection) for _ in range(3)] == [BODY] * 3
    assert sage.took == [b"x" * 100] * 3


@pytest.mark.parametrize(
    ("kind", "amount", "arrived"),
    [
        (Kind.REFUSED, 0, False),
        (Kind.HALF, 0, False),
        (Kind.UNANSWERED, 0, True),
        (Kind.SHORT, 30, True),
    ],
)
def test_a_cut_leaves_us_without_an_answer_and_the_next_call_passes(
    proxy: Proxy, sage: Sage, kind: Kind, amount: float, arrived: bool
) -> None:
    arm(proxy, kind, amount)
    with pytest.raises(CUT):
        post(proxy)
    assert (b"x" * 100 in sage.took) is arrived
    assert post(proxy) == BODY
    assert proxy.given == {kind: 1}


@pytest.mark.parametrize(("kind", "amount"), [(Kind.LATE_REQUEST, 0.3), (Kind.LATE_ANSWER, 0.3), (Kind.DRIP, 0)])
def test_what_is_slow_arrives_whole(proxy: Proxy, kind: Kind, amount: float) -> None:
    arm(proxy, kind, amount)
    began = time.monotonic()
    assert post(proxy) == BODY
    assert time.monotonic() - began > 0.25
    assert proxy.is_quiet


def test_a_delayed_request_arrives_though_nobody_waits_for_it_any_more(proxy: Proxy, sage: Sage) -> None:
    arm(proxy, Kind.LATE_REQUEST, 0.3)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=3)
    connection.request("POST", "/sales_invoices", b"x" * 100)
    assert connection.sock
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    deadline = time.monotonic() + 5
    while not sage.took:
        assert time.monotonic() < deadline, "it never arrived"
    assert proxy.is_quiet


def test_a_gateway_answers_at_once_while_the_request_goes_on(proxy: Proxy, sage: Sage) -> None:
    arm(proxy, Kind.GATEWAY, 0.2)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=3)
    connection.request("POST", "/sales_invoices", b"x" * 100)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (504, GATEWAY)
    assert sage.took == []
    connection.close()
    deadline = time.monotonic() + 5
    while not sage.took:
        assert time.monotonic() < deadline, "it never arrived"


def test_whoever_waits_for_a_call_is_told_when_it_is_there(proxy: Proxy) -> None:
    reached = threading.Event()
    toxic = Toxic(kind=Kind.ALL_KILLED_AFTER, target=lambda *_: True, amount=0.1, reached=reached.set)
    proxy.arm(toxic)
    assert post(proxy) == BODY
    assert reached.is_set()
