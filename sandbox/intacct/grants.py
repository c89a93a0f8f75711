"""Who may call the API: visits to the sign-in page, codes, and tokens of one user in one company.

Only hashes of codes and tokens are stored. An access token that has ended stays known, so that the API can tell a dead
one from nonsense; a refresh token that has ended is gone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from sqlite3 import Row
from typing import Any

from sandbox.clock import sortable
from sandbox.context import sandbox
from sandbox.intacct.jwt import signed
from sandbox.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS intacct_visit (
    hash TEXT PRIMARY KEY, asked TEXT NOT NULL, user_id TEXT, company_id TEXT, expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS intacct_code (
    hash TEXT PRIMARY KEY, asked TEXT NOT NULL, user_id TEXT NOT NULL, company_id TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS intacct_refresh_token (
    hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, company_id TEXT NOT NULL, entity_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS intacct_access_token (
    hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, company_id TEXT NOT NULL, entity_id TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
"""
VISIT_LIFE = timedelta(minutes=15)
CODE_LIFE = timedelta(minutes=5)
ISSUER = "pretend-sage-intacct"

# The first value of each is the one in force. Besides those listed, `token_life` takes any number of seconds.
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "token_life": (43_200, 21_600, 86_400),
    "rotation": ("on", "off"),
    "expired_as": ("401", "400"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the application asked for when it sent the person here; `offline` is the wish for a refresh token."""

    redirect_uri: str
    state: str
    challenge: str
    offline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An empty entity is the company's top level."""

    user_id: str
    company_id: str
    entity_id: str = ""


class Grants:
    def __init__(self, store: Store) -> None:
        self._store = store

    def begin_visit(self, asked: Asked, now: datetime) -> str:
        visit = token_hex(16)
        row = (_digest(visit), json.dumps(asdict(asked)), sortable(now + VISIT_LIFE))
        self._do("INSERT INTO intacct_visit (hash, asked, expires_at) VALUES (?, ?, ?)", *row)
        return visit

    def find_visit(self, visit: str, now: datetime) -> tuple[Asked, Grant | None] | None:
        """What was asked and, once somebody has signed in, who."""
        row = self._row("SELECT * FROM intacct_visit WHERE hash = ? AND expires_at > ?", _digest(visit), sortable(now))
        if row is None:
            return None
        who = Grant(user_id=row["user_id"], company_id=row["company_id"]) if row["user_id"] else None
        return _asked(row), who

    def sign_in(self, visit: str, who: Grant) -> None:
        row = (who.user_id, who.company_id, _digest(visit))
        self._do("UPDATE intacct_visit SET user_id = ?, company_id = ? WHERE hash = ?", *row)

    def end_visit(self, visit: str) -> None:
        self._do("DELETE FROM intacct_visit WHERE hash = ?", _digest(visit))

    def issue_code(self, asked: Asked, who: Grant, now: datetime) -> str:
        code = token_hex(20)
        row = (_digest(code), json.dumps(asdict(asked)), who.user_id, who.company_id, sortable(now + CODE_LIFE))
        self._do("INSERT INTO intacct_code VALUES (?, ?, ?, ?, ?)", *row)
        return code

    def take_code(self, code: str, now: datetime) -> tuple[Asked, Grant] | None:
        """A code can be taken once, whatever then becomes of the request that brought it."""
        row = self._row("DELETE FROM intacct_code WHERE hash = ? RETURNING *", _digest(code))
        if row is None or row["expires_at"] <= sortable(now):
            return None
        return _asked(row), Grant(user_id=row["user_id"], company_id=row["company_id"])

    def issue_access(self, grant: Grant, life: timedelta, now: datetime) -> str:
        """Nobody checks the signature, so its key is kept nowhere."""
        access = signed(_claims(grant, now, now + life), token_hex(32))
        row = (_digest(access), grant.user_id, grant.company_id, grant.entity_id, sortable(now + life))
        self._do("INSERT INTO intacct_access_token VALUES (?, ?, ?, ?, ?)", *row)
        return access

    def bearer(self, token: str) -> Grant | None:
        """Whose access token this is, while it is good."""
        query = "SELECT * FROM intacct_access_token WHERE hash = ? AND expires_at > ?"
        row = self._row(query, _digest(token), sortable(sandbox().now()))
        return _grant(row) if row else None

    def is_known(self, token: str) -> bool:
        """True for an access token that was issued here, dead or alive."""
        return self._row("SELECT 1 FROM intacct_access_token WHERE hash = ?", _digest(token)) is not None

    def issue_refresh(self, grant: Grant) -> str:
        refresh = token_urlsafe(48)
        row = (_digest(refresh), grant.user_id, grant.company_id, grant.entity_id)
        self._do("INSERT INTO intacct_refresh_token VALUES (?, ?, ?, ?)", *row)
        return refresh

    def find_refresh(self, refresh: str) -> Grant | None:
        row = self._row("SELECT * FROM intacct_refresh_token WHERE hash = ?", _digest(refresh))
        return _grant(row) if row else None

    def end_refresh(self, refresh: str) -> None:
        self._do("DELETE FROM intacct_refresh_token WHERE hash = ?", _digest(refresh))

    def end_refresh_of(self, who: Grant) -> None:
        row = (who.user_id, who.company_id)
        self._do("DELETE FROM intacct_refresh_token WHERE user_id = ? AND company_id = ?", *row)

    def revoke(self, token: str) -> None:
        """With one token of either kind go all of the same user in the same company."""
        held = self.find_refresh(token) or self._holder(token)
        if held is None:
            return
        self.end_refresh_of(held)
        row = (held.user_id, held.company_id)
        self._do("UPDATE intacct_access_token SET expires_at = '' WHERE user_id = ? AND company_id = ?", *row)

    def expire_access(self) -> None:
        self._do("UPDATE intacct_access_token SET expires_at = ''")

    def revoke_all(self) -> None:
        self.expire_access()
        self._do("DELETE FROM intacct_refresh_token")

    def _holder(self, access: str) -> Grant | None:
        row = self._row("SELECT * FROM intacct_access_token WHERE hash = ?", _digest(access))
        return _grant(row) if row else None

    def _row(self, query: str, *values: str) -> Row | None:
        with self._store.transaction() as database:
            row: Row | None = database.execute(query, values).fetchone()
        return row

    def _do(self, query: str, *values: str) -> None:
        with self._store.transaction() as database:
            database.execute(query, values)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _asked(row: Row) -> Asked:
    return Asked(**json.loads(row["asked"]))


def _grant(row: Row) -> Grant:
    return Grant(user_id=row["user_id"], company_id=row["company_id"], entity_id=row["entity_id"])


def _claims(grant: Grant, now: datetime, until: datetime) -> dict[str, Any]:
    entity = {"entityId": grant.entity_id} if grant.entity_id else {}
    return {
        "iss": ISSUER,
        "sub": f"{grant.user_id}@{grant.company_id}",
        "exp": int(until.timestamp()),
        "iat": int(now.timestamp()),
        "sessionId": token_hex(12),
        "userId": grant.user_id,
        "companyId": grant.company_id,
        **entity,
    }
