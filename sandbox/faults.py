"""The switches with which a person or a test makes the sandbox misbehave on purpose."""

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from threading import Event, Lock
from typing import Any
from uuid import uuid4

from flask import Response, g

HOLD_LIMIT_SECONDS = 120
METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
# Kinds that act before the work is done, after it, or either way ("commit": false puts them before).
BEFORE = frozenset({"busy", "unavailable", "refused", "dropped", "slow"})
AFTER = frozenset({"lost", "hold", "wrong_business"})
EITHER = frozenset({"error", "garbage"})
KINDS = BEFORE | AFTER | EITHER

SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "search": ("substring", "prefix", "exact", "off", "none"),
    "remember_refusals": (False, True),
}


class BadOrder(ValueError):
    """An order to the switchboard that it can't follow; the text is for the person who sent it."""


@dataclass(slots=True, kw_only=True)
class Fault:
    kind: str
    method: str
    prefix: str
    times: int | None
    options: Mapping[str, Any]

    def meets(self, method: str, path: str) -> bool:
        return self.method in ("", method) and path.startswith(self.prefix)

    @property
    def commits(self) -> bool:
        return self.kind in AFTER or (self.kind in EITHER and self.options.get("commit", True) is True)


class Severed(Response):
    """A response that is never sent: the connection is closed instead."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        connection: socket.socket | None = environ.get("werkzeug.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("closed on purpose by a fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What a platform lends the switchboard: its paths, its error answers, and its deeds done at once."""

    default_prefix: str
    answers: Mapping[str, Callable[[Mapping[str, Any]], Response]]
    deeds: Mapping[str, Callable[[], None]]


class Switchboard:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._released = Event()
        self.settings: dict[str, Any] = {}
        self._default_settings()

    def order(self, order: Mapping[str, Any]) -> None:
        """Sets a switch. Raises BadOrder."""
        kind = str(order.get("kind"))
        if kind == "setting":
            self._set(order.get("name"), order.get("value"))
        elif kind in self._platform.deeds:
            self._platform.deeds[kind]()
        elif kind in KINDS:
            self._add(read_fault(order, self._platform.default_prefix))
        else:
            known = ", ".join(sorted({*KINDS, *self._platform.deeds, "setting"}))
            raise BadOrder(f"Unknown kind {kind!r}. Known kinds: {known}.")

    def take(self, method: str, path: str) -> Fault | None:
        """The first switch that meets this call, counted down once."""
        with self._lock:
            fault = next((each for each in self._faults if each.meets(method, path)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                self._faults = [each for each in self._faults if each.times != 0]
            return fault

    def before(self, fault: Fault) -> Response | None:
        if fault.commits:
            return None
        if fault.kind == "slow":
            self._released.wait(fault.options["seconds"])
            return None
        return Severed() if fault.kind == "dropped" else self._platform.answers[fault.kind](fault.options)

    def after(self, fault: Fault, response: Response) -> Response:
        if not fault.commits:
            return response
        if fault.kind == "lost":
            return Severed()
        if fault.kind in EITHER:
            return self._platform.answers[fault.kind](fault.options)
        if fault.kind == "hold":
            self._released.wait(HOLD_LIMIT_SECONDS)
        else:
            g.business_echo = uuid4().hex
        return response

    def release(self) -> None:
        """Lets every held and slow answer go; later ones wait again."""
        with self._lock:
            self._released.set()
            self._released = Event()

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
        self._default_settings()
        self.release()

    def standing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"kind": each.kind, "on": f"{each.method} {each.prefix}".strip(), "times": each.times}
                for each in self._faults
            ]

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _set(self, name: Any, value: Any) -> None:
        if name not in SETTINGS:
            raise BadOrder(f"Unknown setting {name!r}. Known settings: {', '.join(SETTINGS)}.")
        if value not in SETTINGS[name]:
            allowed = ", ".join(repr(each) for each in SETTINGS[name])
            raise BadOrder(f"The setting {name!r} takes one of: {allowed}.")
        self.settings[name] = value

    def _default_settings(self) -> None:
        self.settings.update({name: values[0] for name, values in SETTINGS.items()})


def read_fault(order: Mapping[str, Any], default_prefix: str) -> Fault:
    times = order.get("times", 1)
    if not (times is None or _is_count(times)):
        raise BadOrder("“times” is a whole number from 1, or null for “until cleared”.")
    method, prefix = _read_on(order.get("on"), default_prefix)
    _check_options(order)
    return Fault(kind=order["kind"], method=method, prefix=prefix, times=times, options=dict(order))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_wait(order: Mapping[str, Any]) -> bool:
    return isinstance(order.get("seconds"), Real) and 0 < order["seconds"] <= HOLD_LIMIT_SECONDS


def _read_on(on: Any, default_prefix: str) -> tuple[str, str]:
    if on is None:
        return "", default_prefix
    method, _, prefix = on.partition(" ") if isinstance(on, str) else ("", "", "")
    if method in METHODS and prefix.startswith("/"):
        return method, prefix
    raise BadOrder("“on” is a method and the start of a path, such as “POST /accounting/v3.1/sales_invoices”.")


def _check_options(order: Mapping[str, Any]) -> None:
    if order["kind"] == "slow" and not _is_wait(order):
        raise BadOrder(f"“slow” needs “seconds”, above 0 and at most {HOLD_LIMIT_SECONDS}.")
    if not isinstance(order.get("commit", True), bool):
        raise BadOrder("“commit” is true or false.")
    if order.get("retry_after") is not None and not _is_count(order["retry_after"]):
        raise BadOrder("“retry_after” is a whole number of seconds from 1.")
