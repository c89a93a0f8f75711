"""A child process that is struck at one step of its work: it dies, raises or freezes there, as a cell says."""

import importlib
import json
import os
import select
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from connectors import http as wire
from tests.crash.life import Life
from tests.crash.steps import Cell, Moment, Step, Way

CONNECTORS = {
    "accounting": "connectors.sage_accounting.connector:SageAccounting",
    "intacct": "connectors.sage_intacct.connector:SageIntacct",
}
PATIENCE = 30
Strike = Callable[[], None]


class Accident(DatabaseError):
    """Whatever goes wrong in our own code or in Postgres: nothing catches it, Django rolls back."""


def arm(step: Step, scene: str, strike: Strike) -> None:
    """Puts the strike where the step is; in a process of its own, so nothing is put back."""
    connector = CONNECTORS[scene.partition(" ")[0]]
    counting = [not step.within]
    if step.within:
        _wrap(step.within.format(connector=connector), lambda real: _marked(real, counting))
    _wrap(step.target.format(connector=connector), lambda real: _struck(real, step, counting, strike))


def _wrap(target: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, wrapped(getattr(owner, name)))


def _marked(real: Callable[..., Any], counting: list[bool]) -> Callable[..., Any]:
    def marked(*given: Any, **named: Any) -> Any:
        counting[0] = True
        try:
            return real(*given, **named)
        finally:
            counting[0] = False

    return marked


def _struck(real: Callable[..., Any], step: Step, counting: list[bool], strike: Strike) -> Callable[..., Any]:
    calls = [0]

    def struck(*given: Any, **named: Any) -> Any:
        calls[0] += counting[0]
        if not counting[0] or calls[0] != step.nth:
            return real(*given, **named)
        if step.moment is Moment.BEFORE:
            strike()
        if step.moment is Moment.UNCOMMITTED:
            with _before_commit(strike):
                return real(*given, **named)
        result = real(*given, **named)
        if step.moment is Moment.AFTER:
            strike()
        return result

    return struck


@contextmanager
def _before_commit(strike: Strike) -> Any:
    """Strikes when all is written and Postgres is just about to be told so; once."""
    real = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

    def commit(database: Any) -> Any:
        BaseDatabaseWrapper._commit = real  # type: ignore[attr-defined]
        strike()
        return real(database)

    BaseDatabaseWrapper._commit = commit  # type: ignore[attr-defined]
    try:
        yield
    finally:
        BaseDatabaseWrapper._commit = real  # type: ignore[attr-defined]


class Victim:
    """The child, as its parent sees it: what it says, and how it is let go on."""

    def __init__(self, cell: Cell, life: Life) -> None:
        connections.close_all()  # a connection can't be shared with a child
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # one message at a time
        self._ours = ours
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _live(cell, life, theirs)
        theirs.close()

    def says(self) -> dict[str, Any]:
        """What happened to it: frozen, dead or ended. Raises TimeoutError."""
        if not select.select([self._ours], [], [], PATIENCE)[0]:
            raise TimeoutError("The struck worker neither ended nor froze.")
        said = self._ours.recv(65536)
        heard: dict[str, Any] = json.loads(said) if said else {"event": "gone"}
        return heard

    def thaw(self, ahead: timedelta) -> None:
        self._ours.sendall(json.dumps(ahead.total_seconds()).encode())

    def bury(self) -> None:
        self._ours.close()
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _live(cell: Cell, life: Life, line: socket.socket) -> NoReturn:
    """The child's whole life; it never comes back."""
    said: dict[str, Any] = {"event": "ended"}
    try:
        wire._thread = threading.local()  # a keep-alive connection can't be shared with the parent either
        life.patient = False
        struck: list[bool] = []
        life.is_over = lambda: bool(struck)
        arm(cell.step, cell.scene, lambda: _strike(cell.way, life, line, struck))
        life.until_rest()
    except Accident:
        said = {"event": "ended"}
    except BaseException:  # noqa: BLE001 whatever it is, the parent tells of it
        said = {"event": "error", "text": traceback.format_exc()}
    finally:
        line.sendall(json.dumps(said).encode())
        os._exit(0)


def _strike(way: Way, life: Life, line: socket.socket, struck: list[bool]) -> None:
    if struck:
        return
    struck.append(True)
    line.sendall(json.dumps({"event": "struck", "ahead": life.clock.ahead.total_seconds()}).encode())
    if way is Way.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if way is Way.EXCEPTION:
        raise Accident("on purpose")
    life.clock.ahead = timedelta(seconds=json.loads(line.recv(64)))
