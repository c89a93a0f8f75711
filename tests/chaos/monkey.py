"""Gives the faults of the plan when their time has come, and keeps the time of each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from tests.books import Sandbox
from tests.chaos.people import Admin
from tests.chaos.plan import ON_THE_LINE, PROCESSES, WHILE_AT_IT, Fault, Kind
from tests.chaos.proxy import Target, Toxic
from tests.chaos.reader import ACCOUNTING_CREATES, INTACCT_CREATES
from tests.chaos.stack import BEATS, WORKER_NAMES, Stack

ACCOUNTING, INTACCT = "/accounting/v3.1", "/intacct/ia/api/v1"
PATHS = {
    "accounting": {
        "create": tuple(ACCOUNTING + path for path in ACCOUNTING_CREATES),
        "client": (f"{ACCOUNTING}/contacts", f"{ACCOUNTING}/products", f"{ACCOUNTING}/services"),
        "token": ("/accounting/token",),
    },
    "intacct": {
        "create": tuple(INTACCT + path for path in INTACCT_CREATES),
        "client": (f"{INTACCT}/objects/accounts-receivable/customer",),
        "token": (f"{INTACCT}/oauth2/token",),
    },
}
QUERY = f"{INTACCT}/services/core/query"
READS = {"accounting": f"GET {ACCOUNTING}", "intacct": f"POST {QUERY}"}
EXPIRED = {"accounting": "expired", "intacct": "intacct_expired"}
HOLD_SECONDS = 0.4  # for which the call that a kill or a freeze waited for is held
AT_SAGE_AS: dict[Kind, dict[str, Any]] = {
    Kind.ERROR_AFTER: {"kind": "error"},
    Kind.ERROR_BEFORE: {"kind": "error", "commit": False},
    Kind.GARBAGE: {"kind": "garbage"},
    Kind.LATE_COMMIT: {"kind": "slow"},
    Kind.BUSY: {"kind": "busy"},
    Kind.AWAY: {"kind": "unavailable"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A fault that was given, and when."""

    kind: Kind
    at: datetime


@dataclass(slots=True)
class Monkey:
    """Holds what is left of the plan, and does what the proxy alone cannot."""

    stack: Stack
    sandbox: Sandbox
    admin: Admin
    platform: str
    left: list[Fault]
    given: list[Given] = field(default_factory=list)
    _reached: list[Fault] = field(default_factory=list)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def tick(self, clicked: int) -> None:
        """What is due by now; toxics that were reached a moment ago are followed by their kill or freeze."""
        while self.left and self.left[0].after <= clicked:
            self._give(self.left.pop(0))
        while self._reached:
            self._strike(self._reached.pop())
        now = time.monotonic()
        for due in [each for each in self._later if each[0] <= now]:
            self._later.remove(due)
            due[1]()

    def stop(self) -> None:
        """The faults end here; what was armed and never met is forgotten."""
        self.left.clear()
        self.stack.proxy.disarm()
        self.sandbox.clear_faults()
        self._later.clear()

    def _note(self, kind: Kind) -> None:
        self.given.append(Given(kind=kind, at=datetime.now(UTC)))

    def _give(self, fault: Fault) -> None:
        if fault.target == "token":  # or it would meet nothing
            self.sandbox.fault(EXPIRED[self.platform])
        if fault.kind in WHILE_AT_IT:
            self._arm(fault, HOLD_SECONDS)
        elif fault.kind in ON_THE_LINE or fault.kind is Kind.VERY_LATE:
            self._arm(fault, fault.amount)
        elif fault.kind in AT_SAGE_AS:
            self._order(fault)
        elif fault.kind in PROCESSES:
            self._strike(fault)
        else:
            self._other(fault)

    def _arm(self, fault: Fault, amount: float) -> None:
        toxic = Toxic(kind=fault.kind, target=self._target(fault.target), amount=amount, reached=self._then(fault))
        self.stack.proxy.arm(toxic)

    def _then(self, fault: Fault) -> Callable[[], None]:
        """What follows when the proxy holds the call that it was armed for."""
        return lambda: self._reached.append(fault) if fault.kind in WHILE_AT_IT else None

    def _target(self, name: str) -> Target:
        paths = PATHS[self.platform].get(name)
        if paths is None:
            return lambda method, path: method == "GET" or path == QUERY
        return lambda method, path: method == "POST" and path in paths

    def _order(self, fault: Fault) -> None:
        """The sandbox's own fault, on the next call of its kind."""
        paths = PATHS[self.platform].get(fault.target)
        where = f"POST {paths[fault.after % len(paths)]}" if paths else READS[self.platform]
        amounts: dict[Kind, dict[str, Any]] = {
            Kind.BUSY: {"retry_after": int(fault.amount)},
            Kind.LATE_COMMIT: {"seconds": fault.amount},
        }
        order = {**AT_SAGE_AS[fault.kind], **amounts.get(fault.kind, {}), "platform": self.platform}
        self.sandbox.fault(on=where, **order)
        self._note(fault.kind)

    def _strike(self, fault: Fault) -> None:
        names = [WORKER_NAMES[n] for n in fault.workers]
        deeds: dict[Kind, Callable[[], object]] = {
            Kind.WORKER_KILLED: lambda: self.stack.kill(*names),
            Kind.ALL_KILLED_BEFORE: lambda: self.stack.kill(*WORKER_NAMES),
            Kind.ALL_KILLED_AFTER: lambda: self.stack.kill(*WORKER_NAMES),
            Kind.FROZEN: lambda: self.stack.freeze(tuple(names), fault.amount),
            Kind.FROZEN_AT_IT: lambda: self.stack.freeze(tuple(names), fault.amount),
            Kind.BROKER_WIPED: self.stack.wipe_broker,
            Kind.BROKER_KILLED: lambda: self.stack.kill("valkey"),
            Kind.POSTGRES: self.stack.restart_postgres,
            Kind.POSTGRES_AT_IT: self.stack.restart_postgres,
            Kind.BEAT_KILLED: lambda: self.stack.kill(BEATS[0]),
            Kind.WEB_KILLED: lambda: self.stack.kill("web"),
        }
        deeds[fault.kind]()
        self._note(fault.kind)

    def _other(self, fault: Fault) -> None:
        if fault.kind is Kind.EXPIRED:
            self.sandbox.fault(EXPIRED[self.platform])
        elif fault.kind is Kind.LAG:
            self.sandbox.switch("lag", int(fault.amount))
            self._later.append((time.monotonic() + 2 * fault.amount, lambda: self.sandbox.switch("lag", 0)))
        else:
            try:
                self.admin.sync_now()
            except requests.RequestException:
                return
        self._note(fault.kind)
