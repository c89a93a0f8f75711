"""What every request may reach: the store, the switches, the clock and the settings of this run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit

from flask import current_app

from sandbox.clock import Clock
from sandbox.faults import Switchboard
from sandbox.journal import Journal
from sandbox.store import Store

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    client_id: str
    client_secret: str
    intacct_client_id: str
    intacct_client_secret: str
    client_name: str
    redirect_uris: frozenset[str]
    host_open: bool
    public_url: str

    def accepts_redirect(self, uri: str) -> bool:
        parts = urlsplit(uri)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and parts.username is None
        return uri in self.redirect_uris or (loopback and not parts.fragment)


def read_config(environ: Mapping[str, str]) -> Config:
    listed = environ.get("SANDBOX_REDIRECT_URIS", "").split(",")
    return Config(
        client_id=environ.get("SANDBOX_CLIENT_ID", "reflow-sandbox"),
        client_secret=environ.get("SANDBOX_CLIENT_SECRET", "reflow-sandbox-secret"),
        intacct_client_id=environ.get("SANDBOX_INTACCT_CLIENT_ID", "reflow-intacct"),
        intacct_client_secret=environ.get("SANDBOX_INTACCT_CLIENT_SECRET", "reflow-intacct-secret"),
        client_name=environ.get("SANDBOX_CLIENT_NAME", "Reflow"),
        redirect_uris=frozenset(uri.strip() for uri in listed if uri.strip()),
        host_open=bool(environ.get("SANDBOX_HOST_OPEN")),
        public_url=environ.get("SANDBOX_PUBLIC_URL", "").rstrip("/"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    config: Config
    store: Store
    switchboard: Switchboard
    journal: Journal
    clock: Clock
    renew: Callable[[], None]

    def now(self) -> datetime:
        return self.clock()


def sandbox() -> Sandbox:
    return cast(Sandbox, current_app.extensions["sandbox"])
