"""The switches with which a person or a test makes the sandbox misbehave on purpose."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from threading import Event, Lock
from typing import Any
from uuid import uuid4

from flask import Response, g

HOLD_LIMIT_SECONDS = 120
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
# Kinds that act before the work is done, after it, or either way ("commit": false puts them before).
BEFORE = frozenset({"busy", "unavailable", "refused", "dropped", "slow"})
AFTER = frozenset({"lost", "hold", "wrong_business"})
EITHER = frozenset({"error", "garbage"})
# Kinds that a platform's own code looks for while it does the work.
WITHIN = frozenset({"number_unread", "key_in_use"})
KINDS = BEFORE | AFTER | EITHER | WITHIN


class BadOrder(ValueError):
    """An order to the switchboard that it can't follow; the text is for the person who sent it."""


@dataclass(slots=True, kw_only=True)
class Fault:
    kind: str
    method: str
    prefixes: tuple[str, ...]
    times: int | None
    options: Mapping[str, Any]

    def meets(self, method: str, path: str) -> bool:
        return self.method in ("", method) and path.startswith(self.prefixes)

    @property
    def commits(self) -> bool:
        return self.kind in AFTER | WITHIN or (self.kind in EITHER and self.options.get("commit", True) is True)


class Severed(Response):
    """A response that is never sent: the connection is closed instead."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        connection: socket.socket | None = environ.get("werkzeug.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("closed on purpose by a fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What a platform lends the machinery: its paths, its error answers, its settings, and its deeds done at once.

    Calls to the token paths fail only when a fault names them; of a setting's values the first is in force at first,
    and one named in `counts` also takes any whole number from 1.
    """

    name: str
    api_paths: tuple[str, ...]
    token_paths: tuple[str, ...]
    answer_status: Callable[[int], Response]
    answers: Mapping[str, Callable[[Mapping[str, Any]], Response]]
    deeds: Mapping[str, Callable[[], None]]
    settings: Mapping[str, tuple[Any, ...]]
    counts: frozenset[str] = frozenset()

    def owns(self, path: str) -> bool:
        return path.startswith(self.api_paths + self.token_paths)


class Switchboard:
    def __init__(self, platforms: Sequence[Platform]) -> None:
        self._platforms = {each.name: each for each in platforms}
        self._deeds = {name: deed for each in platforms for name, deed in each.deeds.items()}
        self._choices = {name: values for each in platforms for name, values in each.settings.items()}
        self._counts = frozenset().union(*(each.counts for each in platforms))
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._released = Event()
        self.settings: dict[str, Any] = {}
        self._default_settings()

    def platform_of(self, path: str) -> Platform | None:
        """Whose call this is: one made by a program, which is journaled and can be made to fail."""
        return next((each for each in self._platforms.values() if each.owns(path)), None)

    def settings_of(self, name: str | None) -> dict[str, Any]:
        """The settings of a platform, the first one's when none is named. Raises BadOrder."""
        return {each: self.settings[each] for each in self._named(name).settings}

    def order(self, order: Mapping[str, Any]) -> None:
        """Sets a switch. Raises BadOrder."""
        kind = str(order.get("kind"))
        if kind == "setting":
            self._set(order.get("name"), order.get("value"))
        elif kind in self._deeds:
            self._deeds[kind]()
        elif kind in KINDS:
            self._add(read_fault(order, self._named(order.get("platform")).api_paths))
        else:
            known = ", ".join(sorted({*KINDS, *self._deeds, "setting"}))
            raise BadOrder(f"Unknown kind {kind!r}. Known kinds: {known}.")

    def take(self, method: str, path: str) -> Fault | None:
        """The first switch that meets this call, counted down once."""
        with self._lock:
            fault = next((each for each in self._faults if each.meets(method, path)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                self._faults = [each for each in self._faults if each.times != 0]
            return fault

    def before(self, fault: Fault, platform: Platform) -> Response | None:
        if fault.commits:
            return None
        if fault.kind == "slow":
            self._released.wait(fault.options["seconds"])
            return None
        return Severed() if fault.kind == "dropped" else platform.answers[fault.kind](fault.options)

    def after(self, fault: Fault, platform: Platform, response: Response) -> Response:
        if not fault.commits:
            return response
        if fault.kind == "lost":
            return Severed()
        if fault.kind in EITHER:
            return platform.answers[fault.kind](fault.options)
        if fault.kind == "hold":
            self._released.wait(HOLD_LIMIT_SECONDS)
        elif fault.kind == "wrong_business":
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
                {"kind": each.kind, "on": f"{each.method} {', '.join(each.prefixes)}".strip(), "times": each.times}
                for each in self._faults
            ]

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _named(self, name: object) -> Platform:
        platform = next(iter(self._platforms.values())) if name is None else self._platforms.get(str(name))
        if platform is None:
            raise BadOrder(f"Unknown platform {name!r}. Known platforms: {', '.join(self._platforms)}.")
        return platform

    def _set(self, name: Any, value: Any) -> None:
        if name not in self._choices:
            raise BadOrder(f"Unknown setting {name!r}. Known settings: {', '.join(self._choices)}.")
        if value not in self._choices[name] and str(value) in self._choices[name]:
            value = str(value)  # "409" may come as a number
        if value not in self._choices[name] and not (name in self._counts and _is_count(value)):
            allowed = ", ".join(repr(each) for each in self._choices[name])
            more = ", or another whole number from 1" if name in self._counts else ""
            raise BadOrder(f"The setting {name!r} takes one of: {allowed}{more}.")
        self.settings[name] = value

    def _default_settings(self) -> None:
        self.settings.update({name: values[0] for name, values in self._choices.items()})


def read_fault(order: Mapping[str, Any], default_prefixes: tuple[str, ...]) -> Fault:
    times = order.get("times", 1)
    if not (times is None or _is_count(times)):
        raise BadOrder("“times” is a whole number from 1, or null for “until cleared”.")
    method, prefixes = _read_on(order.get("on"), default_prefixes)
    _check_options(order)
    return Fault(kind=order["kind"], method=method, prefixes=prefixes, times=times, options=dict(order))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_wait(order: Mapping[str, Any]) -> bool:
    return isinstance(order.get("seconds"), Real) and 0 < order["seconds"] <= HOLD_LIMIT_SECONDS


def _read_on(on: Any, default_prefixes: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    if on is None:
        return "", default_prefixes
    method, _, prefix = on.partition(" ") if isinstance(on, str) else ("", "", "")
    if method in METHODS and prefix.startswith("/"):
        return method, (prefix,)
    raise BadOrder("“on” is a method and the start of a path, such as “POST /accounting/v3.1/sales_invoices”.")


def _check_options(order: Mapping[str, Any]) -> None:
    if order["kind"] == "slow" and not _is_wait(order):
        raise BadOrder(f"“slow” needs “seconds”, above 0 and at most {HOLD_LIMIT_SECONDS}.")
    if not isinstance(order.get("commit", True), bool):
        raise BadOrder("“commit” is true or false.")
    if order.get("retry_after") is not None and not _is_count(order["retry_after"]):
        raise BadOrder("“retry_after” is a whole number of seconds from 1.")
