"""A server on the other end of one line, that does with a connection what a test tells it to."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Manners = Callable[["Talk"], None]
BODY = b'{"id": "1", "date": "2026-11-02", "total_amount": "1.0"}'


@dataclass
class Talk:
    """One accepted connection; `stop` is set when the test is over."""

    line: socket.socket
    stop: threading.Event

    def hear(self) -> bytes:
        """The whole request, its body too."""
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self.line.recv(65536)
        head, _, body = heard.partition(b"\r\n\r\n")
        length = next((int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.line.recv(65536)
        return head

    def say(self, *pieces: bytes) -> None:
        self.line.sendall(b"".join(pieces))

    def drip(self, text: bytes) -> None:
        """A byte every 50 ms, for as long as anybody listens."""
        for index in range(len(text)):
            if self.stop.wait(0.05):
                return
            self.line.sendall(text[index : index + 1])

    def reset(self) -> None:
        """Closes so that the other side gets a reset, not an end."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class Peer:
    url: str
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0


def answered(body: bytes = BODY, status: str = "201 Created", *, head: bytes = b"Connection: close") -> list[bytes]:
    """The pieces of an HTTP answer: all up to its body, and its body."""
    length = str(len(body)).encode()
    return [
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: ".encode(),
        length + b"\r\n" + head + b"\r\n\r\n",
        body,
    ]


@contextmanager
def listening(manners: Manners, dress: Callable[[socket.socket], socket.socket] = lambda line: line) -> Iterator[Peer]:
    """Serves one connection after the other, each as told; `dress` puts TLS on it, say."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:
        peer = Peer(url=f"http://127.0.0.1:{door.getsockname()[1]}")

        def serve() -> None:
            while not stop.is_set():
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                peer.connections += 1
                with line:
                    try:
                        manners(Talk(dress(line), stop))
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield peer
        finally:
            stop.set()
            door.shutdown(socket.SHUT_RDWR)
            thread.join(5)
