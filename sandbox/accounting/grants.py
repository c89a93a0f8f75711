"""Who may call the API: visits to the sign-in page, codes, and tokens that rotate.

Only hashes of codes and tokens are stored. One refresh token lives per person and client: a new sign-in or a renewal
puts a newer one in its place, and every older one is dead at once.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from sqlite3 import Row

from sandbox.clock import sortable
from sandbox.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS visit (
    hash TEXT PRIMARY KEY, asked TEXT NOT NULL, person_id TEXT, expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS code (
    hash TEXT PRIMARY KEY, person_id TEXT NOT NULL, asked TEXT NOT NULL, businesses TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refresh_token (
    person_id TEXT NOT NULL, client_id TEXT NOT NULL, hash TEXT NOT NULL, scope TEXT NOT NULL,
    businesses TEXT NOT NULL, expires_at TEXT NOT NULL, PRIMARY KEY (person_id, client_id)
);
CREATE TABLE IF NOT EXISTS access_token (
    hash TEXT PRIMARY KEY, person_id TEXT NOT NULL, scope TEXT NOT NULL, businesses TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
"""
VISIT_LIFE = timedelta(minutes=15)
CODE_LIFE = timedelta(seconds=60)
ACCESS_LIFE = timedelta(seconds=300)
REFRESH_LIFE = timedelta(seconds=2_678_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the application asked for when it sent the person here."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    challenge: str
    challenge_method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    person_id: str
    client_id: str
    scope: str
    businesses: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    access: str
    refresh: str
    grant: Grant


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _jwt_like(length: int) -> str:
    return f"eyJ{token_urlsafe(48)}.eyJ{token_urlsafe(length)}.{token_urlsafe(384)}"


def _asked(text: str) -> Asked:
    return Asked(**json.loads(text))


def _asked_text(asked: Asked) -> str:
    return json.dumps({name: getattr(asked, name) for name in Asked.__slots__})


class Grants:
    def __init__(self, store: Store) -> None:
        self._store = store

    def begin_visit(self, asked: Asked, now: datetime) -> str:
        visit = token_hex(16)
        row = (_digest(visit), _asked_text(asked), sortable(now + VISIT_LIFE))
        with self._store.transaction() as database:
            database.execute("INSERT INTO visit (hash, asked, expires_at) VALUES (?, ?, ?)", row)
        return visit

    def find_visit(self, visit: str, now: datetime) -> tuple[Asked, str | None] | None:
        """What was asked and, once somebody has signed in, who."""
        with self._store.transaction() as database:
            row = database.execute(
                "SELECT * FROM visit WHERE hash = ? AND expires_at > ?", (_digest(visit), sortable(now))
            ).fetchone()
        return (_asked(row["asked"]), row["person_id"]) if row else None

    def sign_in(self, visit: str, person_id: str) -> None:
        with self._store.transaction() as database:
            database.execute("UPDATE visit SET person_id = ? WHERE hash = ?", (person_id, _digest(visit)))

    def end_visit(self, visit: str) -> None:
        with self._store.transaction() as database:
            database.execute("DELETE FROM visit WHERE hash = ?", (_digest(visit),))

    def issue_code(self, asked: Asked, person_id: str, businesses: list[str], now: datetime) -> str:
        code = f"GB/{token_hex(20)}"
        row = (_digest(code), person_id, _asked_text(asked), json.dumps(businesses), sortable(now + CODE_LIFE))
        with self._store.transaction() as database:
            database.execute("INSERT INTO code VALUES (?, ?, ?, ?, ?)", row)
        return code

    def take_code(self, code: str, now: datetime) -> tuple[Asked, Grant] | None:
        """A code can be taken once, whatever then becomes of the request that brought it."""
        with self._store.transaction() as database:
            row = database.execute("DELETE FROM code WHERE hash = ? RETURNING *", (_digest(code),)).fetchone()
        if row is None or row["expires_at"] <= sortable(now):
            return None
        asked = _asked(row["asked"])
        return asked, _grant(row, asked.client_id, asked.scope)

    def find_refresh(self, refresh: str, client_id: str, now: datetime) -> Grant | None:
        query = "SELECT * FROM refresh_token WHERE hash = ? AND client_id = ? AND expires_at > ?"
        with self._store.transaction() as database:
            row = database.execute(query, (_digest(refresh), client_id, sortable(now))).fetchone()
        return _grant(row, client_id, row["scope"]) if row else None

    def issue_tokens(self, grant: Grant, now: datetime) -> Tokens:
        tokens = Tokens(access=_jwt_like(300), refresh=_jwt_like(180), grant=grant)
        businesses = json.dumps(grant.businesses)
        access = (_digest(tokens.access), grant.person_id, grant.scope, businesses, sortable(now + ACCESS_LIFE))
        refresh = (
            grant.person_id,
            grant.client_id,
            _digest(tokens.refresh),
            grant.scope,
            businesses,
            sortable(now + REFRESH_LIFE),
        )
        with self._store.transaction() as database:
            database.execute("DELETE FROM access_token WHERE expires_at <= ?", (sortable(now),))
            database.execute("INSERT INTO access_token VALUES (?, ?, ?, ?, ?)", access)
            database.execute("INSERT OR REPLACE INTO refresh_token VALUES (?, ?, ?, ?, ?, ?)", refresh)
        return tokens

    def find_access(self, access: str, now: datetime) -> Grant | None:
        query = "SELECT * FROM access_token WHERE hash = ? AND expires_at > ?"
        with self._store.transaction() as database:
            row = database.execute(query, (_digest(access), sortable(now))).fetchone()
        return _grant(row, "", row["scope"]) if row else None

    def revoke(self, refresh: str) -> None:
        """Access tokens stay good until they expire, as Sage's do."""
        with self._store.transaction() as database:
            database.execute("DELETE FROM refresh_token WHERE hash = ?", (_digest(refresh),))

    def expire_access(self) -> None:
        with self._store.transaction() as database:
            database.execute("DELETE FROM access_token")

    def revoke_all(self) -> None:
        with self._store.transaction() as database:
            database.execute("DELETE FROM access_token")
            database.execute("DELETE FROM refresh_token")


def _grant(row: Row, client_id: str, scope: str) -> Grant:
    return Grant(person_id=row["person_id"], client_id=client_id, scope=scope, businesses=json.loads(row["businesses"]))
