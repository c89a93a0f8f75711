"""What we know when a call gets no proper answer: whether a byte left, and that the deadline is the deadline."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3.connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.http import Answer, Wire
from connectors.interface import OutcomeUnknown, PlatformError, Rejected, TryLater
from connectors.sage_accounting import DIALECT
from tests.connectors.peer import BODY, Manners, Talk, answered, listening

DEADLINE = timedelta(seconds=0.4)
GRACE = 0.4  # seconds that a slow machine may need to come back after its deadline


def wire(url: str, deadline: timedelta = DEADLINE) -> Wire:
    return Wire(api_url=url, bearer=lambda refused: "token", dialect=DIALECT, deadline=deadline)


def call(method: str, url: str, deadline: timedelta = DEADLINE) -> Answer | PlatformError:
    try:
        if method == "GET":
            return wire(url, deadline).get("/sales_invoices", params={}, headers={})
        return wire(url, deadline).post("/sales_invoices", body={"sales_invoice": {}}, headers={})
    except PlatformError as error:
        return error


def closes_before_reading(talk: Talk) -> None:
    talk.line.close()


def reads_then_closes(talk: Talk) -> None:
    talk.hear()


def reads_then_resets(talk: Talk) -> None:
    talk.hear()
    talk.reset()


def closes_in_the_middle_of_its_answer(talk: Talk) -> None:
    talk.hear()
    talk.say(*answered())
    talk.reset()


def answers_half(talk: Talk) -> None:
    talk.hear()
    *head, body = answered()
    talk.say(*head, body[:10])


def says_nothing(talk: Talk) -> None:
    talk.hear()
    talk.stop.wait(10)


def drips_its_headers(talk: Talk) -> None:
    talk.hear()
    talk.drip(b"".join(answered()))


def drips_a_body_and_will_close(talk: Talk) -> None:
    talk.hear()
    *head, body = answered(BODY.ljust(200))
    talk.say(*head)
    talk.drip(body)


def drips_a_body_and_keeps_the_line(talk: Talk) -> None:
    talk.hear()
    *head, body = answered(BODY.ljust(200), head=b"Connection: keep-alive")
    talk.say(*head)
    talk.drip(body)


def drips_a_body_of_no_known_length(talk: Talk) -> None:
    talk.hear()
    talk.say(b"HTTP/1.0 201 Created\r\n\r\n")
    talk.drip(BODY.ljust(200))


def drips_chunks(talk: Talk) -> None:
    talk.hear()
    talk.say(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(200):
        talk.drip(b"1\r\n \r\n")


def speaks_no_http(talk: Talk) -> None:
    talk.hear()
    talk.say(b"220 mail.example ESMTP ready\r\n")


def answers_a_web_page(talk: Talk) -> None:
    talk.hear()
    talk.say(*answered(b"<html>Welcome to the guest network</html>", "200 OK"))


def answers_an_unlucky_length(talk: Talk) -> None:
    talk.hear()
    talk.say(b"HTTP/1.1 201 Created\r\nContent-Length: many\r\nConnection: close\r\n\r\n{")


LATE: tuple[Manners, ...] = (
    says_nothing,
    drips_its_headers,
    drips_a_body_and_will_close,
    drips_a_body_and_keeps_the_line,
    drips_a_body_of_no_known_length,
    drips_chunks,
)
LOST: tuple[Manners, ...] = (
    closes_before_reading,
    reads_then_closes,
    reads_then_resets,
    answers_half,
    speaks_no_http,
    answers_a_web_page,
    answers_an_unlucky_length,
)


def named(manners: Callable[[Talk], None]) -> str:
    return manners.__name__


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_nobody_listens_nothing_was_written(method: str) -> None:
    assert isinstance(call(method, f"http://127.0.0.1:{free_port()}"), TryLater)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_leads_nowhere_is_tried_later(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert isinstance(call(method, "http://sage.invalid"), TryLater)


@pytest.mark.parametrize("manners", LOST, ids=named)
def test_once_a_byte_of_an_invoice_left_only_a_look_tells(manners: Manners) -> None:
    with listening(manners) as peer:
        error = call("POST", peer.url)
    assert isinstance(error, OutcomeUnknown)
    assert peer.connections == 1, "the call was repeated behind our back"


@pytest.mark.parametrize("manners", LOST, ids=named)
def test_a_look_that_was_lost_is_tried_later(manners: Manners) -> None:
    with listening(manners) as peer:
        assert isinstance(call("GET", peer.url), TryLater)
    assert peer.connections == 1


@pytest.mark.parametrize("manners", LATE, ids=named)
@pytest.mark.parametrize(("method", "error"), [("POST", OutcomeUnknown), ("GET", TryLater)])
def test_a_call_ends_at_its_deadline_however_its_answer_comes(
    manners: Manners, method: str, error: type[PlatformError]
) -> None:
    with listening(manners) as peer:
        began = time.monotonic()
        outcome = call(method, peer.url)
        spent = time.monotonic() - began
    assert isinstance(outcome, error)
    assert spent < DEADLINE.total_seconds() + GRACE


def test_an_unanswered_call_has_no_status_so_that_its_key_is_kept() -> None:
    with listening(reads_then_closes) as peer:
        error = call("POST", peer.url)
    assert isinstance(error, OutcomeUnknown)
    assert not error.answered


def test_an_answer_that_says_nothing_has_a_status_so_that_its_key_is_given_up() -> None:
    with listening(answers_a_web_page) as peer:
        error = call("POST", peer.url)
    assert isinstance(error, OutcomeUnknown)
    assert error.status == 200


def test_a_line_that_opens_after_the_deadline_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = urllib3.connection.HTTPConnection.connect

    def late(self: Any) -> None:
        threading.Event().wait(0.3)
        opened(self)

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "connect", late)
    seen: list[bytes] = []
    with listening(lambda talk: seen.append(talk.line.recv(10))) as peer:
        assert isinstance(call("POST", peer.url, timedelta(seconds=0.1)), TryLater)
    assert seen in ([], [b""])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("method", "error"), [("POST", OutcomeUnknown), ("GET", TryLater)])
def test_no_redirect_is_followed(status: int, method: str, error: type[PlatformError]) -> None:
    def elsewhere(talk: Talk) -> None:
        talk.hear()
        talk.say(*answered(b"{}", f"{status} Moved", head=b"Location: /elsewhere\r\nConnection: close"))

    with listening(elsewhere) as peer:
        outcome = call(method, peer.url)
    assert isinstance(outcome, error)
    assert outcome.status == status
    assert peer.connections == 1


ASTRAY = [b"http://127.0.0.1:%d/elsewhere", b"http://[", b"\xff\xfe://", b"", b"//%%00"]


@pytest.mark.parametrize("location", ASTRAY)
@pytest.mark.parametrize(("method", "error"), [("POST", OutcomeUnknown), ("GET", TryLater)])
def test_another_host_gets_no_call_and_no_token_wherever_an_answer_leads(
    location: bytes, method: str, error: type[PlatformError]
) -> None:
    heard: list[bytes] = []
    with listening(lambda talk: heard.append(talk.line.recv(10))) as other:
        port = int(other.url.rpartition(":")[2])
        there = location % port if b"%d" in location else location

        def leads_away(talk: Talk) -> None:
            talk.hear()
            talk.say(*answered(b"{}", "302 Found", head=b"Location: " + there + b"\r\nConnection: close"))

        with listening(leads_away) as peer:
            outcome = call(method, peer.url)
    assert isinstance(outcome, error)
    assert (outcome.status, heard, other.connections) == (302, [], 0)


def test_a_second_answer_nobody_asked_for_is_never_the_answer_to_the_next_call() -> None:
    def stutters(talk: Talk) -> None:
        talk.hear()
        kept = b"Connection: keep-alive"
        stray = answered(b'{"stray": true}', "200 OK", head=kept)
        talk.say(*answered(b'{"asked": true}', "200 OK", head=kept), *stray)
        talk.stop.wait(0.05)

    with listening(stutters) as peer:
        first, second = call("GET", peer.url), call("GET", peer.url)
    assert isinstance(first, Answer)
    assert first.body == {"asked": True}
    assert isinstance(second, TryLater) or (isinstance(second, Answer) and second.body == {"asked": True})


def certificate(folder: Path, *, until: timedelta) -> ssl.SSLContext:
    """A server of 127.0.0.1 whose certificate nobody but itself has signed."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = made.not_valid_before(now - timedelta(days=9)).not_valid_after(now + until)
    signed = dated.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(signed + key.private_bytes(*plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


@pytest.mark.parametrize("until", [timedelta(days=9), timedelta(days=-1)], ids=["of nobody known", "expired"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_certificate_that_is_not_good_is_never_spoken_to(method: str, until: timedelta, tmp_path: Path) -> None:
    """Nothing was written, so it is tried later; the token never leaves."""
    heard: list[bytes] = []
    context = certificate(tmp_path, until=until)
    talks = listening(
        lambda talk: heard.append(talk.line.recv(10)), lambda line: context.wrap_socket(line, server_side=True)
    )
    with talks as peer:
        outcome = call(method, peer.url.replace("http:", "https:"))
    assert isinstance(outcome, TryLater)
    assert (heard, peer.connections) == ([], 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_proper_answer_is_read_with_its_decimals_exact(method: str) -> None:
    def proper(talk: Talk) -> None:
        talk.hear()
        talk.say(*answered(b'{"total": 0.1000}', head=b"X-Business: b-1\r\nConnection: close"))

    with listening(proper) as peer:
        answer = call(method, peer.url)
    assert isinstance(answer, Answer)
    assert str(answer.body["total"]) == "0.1000"
    assert answer.headers["x-business"] == "b-1"


def test_each_creating_call_has_a_line_of_its_own() -> None:
    def proper(talk: Talk) -> None:
        talk.hear()
        talk.say(*answered(head=b"Connection: keep-alive"))

    with listening(proper) as peer:
        for _ in range(2):
            assert isinstance(call("POST", peer.url), Answer)
        assert peer.connections == 2


def test_the_token_goes_in_the_header_and_is_renewed_once_when_it_is_refused() -> None:
    heard: list[bytes] = []
    asked: list[str] = []

    def refusing(talk: Talk) -> None:
        heard.append(talk.hear())
        talk.say(*answered(b"[]", "401 Unauthorized"))

    def bearer(refused: str) -> str:
        asked.append(refused)
        return f"token-{len(asked)}"

    with listening(refusing) as peer:
        caller = Wire(api_url=peer.url, bearer=bearer, dialect=DIALECT, deadline=DEADLINE)
        with pytest.raises(PlatformError):
            caller.post("/contacts", body={}, headers={})
    assert asked == ["", "token-1"]
    assert [b"Authorization: Bearer token-1" in heard[0], b"Authorization: Bearer token-2" in heard[1]] == [True, True]
    assert len(heard) == 2


def test_a_token_that_is_told_back_to_us_is_not_in_what_people_read() -> None:
    token = "a-token-of-the-length-that-tokens-have"

    def tells_it_back(talk: Talk) -> None:
        talk.hear()
        said = f'[{{"$message": "{token} may not do this", "$dataCode": "{token}"}}]'
        talk.say(*answered(said.encode(), "422 Unprocessable Entity"))

    with listening(tells_it_back) as peer:
        there = replace(wire(peer.url), bearer=lambda refused: token)
        with pytest.raises(Rejected) as refused:
            there.post("/sales_invoices", body={}, headers={})
    assert refused.value.message == "[hidden] may not do this"
    assert token not in repr(refused.value.problems)
