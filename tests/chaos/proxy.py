"""A TCP proxy of our own between Reflow and Sage: it cuts, delays and drips what the plan tells it to."""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tests.chaos.plan import Kind

CHUNK = 65536
METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"PATCH ")
GATEWAY = b"<html><h1>504 Gateway Time-out</h1></html>"
HEAD = b"HTTP/1.1 504 Gateway Time-out\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # no lingering: the other side sees a reset
DRIP_SECONDS = 0.02
PATIENCE = 150  # for an answer that nobody waits for any more
BEFORE = frozenset({Kind.VERY_LATE, Kind.LATE_REQUEST, Kind.GATEWAY, Kind.ALL_KILLED_BEFORE})
AFTER = frozenset({Kind.LATE_ANSWER, Kind.ALL_KILLED_AFTER, Kind.FROZEN_AT_IT, Kind.POSTGRES_AT_IT})
LIMITED = frozenset({Kind.UNANSWERED, Kind.SHORT})  # to so many bytes of the answer; 0 are none
Target = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """What is done to the next call that its target meets; `reached` is told when it has got there."""

    kind: Kind
    target: Target
    amount: float
    reached: Callable[[], None] = lambda: None


def _meets(call: tuple[str, str], toxic: Toxic) -> bool:
    return toxic.target(*call)


@dataclass(slots=True)
class Passage:
    """One connection through the proxy, and what is done to the call that is on it now."""

    client: asyncio.StreamWriter
    sage: asyncio.StreamWriter
    toxic: Toxic | None = None
    passed: int = 0

    def cut(self) -> None:
        for writer in (self.client, self.sage):
            peer = writer.get_extra_info("socket")
            if peer is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


@dataclass(slots=True)
class Proxy:
    """Listens on a loopback port of its own, in a thread of its own."""

    sage_port: int
    port: int = 0
    given: Counter[Kind] = field(default_factory=Counter)
    _toxics: list[Toxic] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _delayed: int = 0
    _serving: set[asyncio.Task[None] | None] = field(default_factory=set)
    _ready: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _stopped: asyncio.Event = field(init=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), name="proxy", daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _listen(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()

    def stop(self) -> None:
        """Cuts whatever is on its way."""
        if self._ready.is_set():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()

    def arm(self, toxic: Toxic) -> None:
        with self._lock:
            self._toxics.append(toxic)

    def disarm(self) -> None:
        with self._lock:
            self._toxics.clear()

    @property
    def is_quiet(self) -> bool:
        """Nothing that was delayed is still on its way."""
        return self._delayed == 0

    def _take(self, wanted: Callable[[Toxic], bool]) -> Toxic | None:
        with self._lock:
            toxic = next(filter(wanted, self._toxics), None)
            if toxic is not None:
                self._toxics.remove(toxic)
                self.given[toxic.kind] += 1
            return toxic

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)  # the loop itself keeps no hold on it
        try:
            with suppress(asyncio.CancelledError):  # it is stopped; the loop would print what it cancels
                await self._pass_through(reader, writer)
        finally:
            self._serving.discard(task)

    async def _pass_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._take(lambda toxic: toxic.kind is Kind.REFUSED):
            Passage(writer, writer).cut()
            return
        try:
            answers, sage = await asyncio.open_connection("127.0.0.1", self.sage_port)
        except OSError:
            writer.transport.abort()
            return
        passage = Passage(writer, sage)
        back = asyncio.create_task(self._carry_answers(answers, passage))
        try:
            await self._carry_requests(reader, passage)
            if sage.can_write_eof():
                sage.write_eof()
            await asyncio.wait_for(back, PATIENCE)
        except (OSError, TimeoutError):
            back.cancel()
        finally:
            writer.close()
            sage.close()

    async def _carry_requests(self, reader: asyncio.StreamReader, passage: Passage) -> None:
        halve = False
        while chunk := await reader.read(CHUNK):
            if chunk.startswith(METHODS):
                method, path = chunk.split(b" ", 2)[:2]
                called = (method.decode("ascii", "replace"), path.partition(b"?")[0].decode("ascii", "replace"))
                passage.toxic, passage.passed = self._take(partial(_meets, called)), 0
                halve = passage.toxic is not None and passage.toxic.kind is Kind.HALF
                if halve and method == b"POST" and chunk.endswith(b"\r\n\r\n"):
                    await self._pass(passage.sage, chunk)  # its head goes, and half of the body behind it
                    continue
            if halve:
                await self._pass(passage.sage, chunk[: len(chunk) // 2])
                passage.cut()
                return
            toxic = passage.toxic if chunk.startswith(METHODS) else None
            if toxic and toxic.kind is Kind.GATEWAY:
                await self._pass(passage.client, HEAD % len(GATEWAY) + GATEWAY)
            if toxic and toxic.kind in BEFORE:
                await self._delay(toxic)
            await self._pass(passage.sage, chunk)

    async def _carry_answers(self, answers: asyncio.StreamReader, passage: Passage) -> None:
        while chunk := await answers.read(CHUNK):
            toxic = passage.toxic
            if toxic and toxic.kind in AFTER and not passage.passed:
                await self._delay(toxic)
            if toxic and toxic.kind in LIMITED:
                await self._pass(passage.client, chunk[: max(0, int(toxic.amount) - passage.passed)])
                if passage.passed + len(chunk) >= toxic.amount:
                    passage.cut()
                    return
            elif toxic and toxic.kind is Kind.DRIP:
                await self._drip(passage.client, chunk)
            elif not (toxic and toxic.kind is Kind.GATEWAY):  # which has answered already
                await self._pass(passage.client, chunk)
            passage.passed += len(chunk)

    async def _drip(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for byte in data:
            await self._pass(writer, bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)

    async def _delay(self, toxic: Toxic) -> None:
        toxic.reached()
        self._delayed += 1
        try:
            await asyncio.sleep(toxic.amount)
        finally:
            self._delayed -= 1

    async def _pass(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if data:
            writer.write(data)
            await writer.drain()
