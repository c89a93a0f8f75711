"""Sage Accounting (API v3.1) as the sandbox pretends it."""

from sandbox.accounting import books, conditions, grants, replays
from sandbox.accounting.answers import FAULT_ANSWERS
from sandbox.faults import Platform
from sandbox.store import Store

API_PREFIX = "/accounting/v3.1"
SCHEMAS = (grants.SCHEMA, books.SCHEMA, conditions.SCHEMA, replays.SCHEMA)
open_books = books.open_books


def platform(store: Store) -> Platform:
    held = grants.Grants(store)
    deeds = {"expired": held.expire_access, "revoked": held.revoke_all}
    return Platform(default_prefix=API_PREFIX, answers=FAULT_ANSWERS, deeds=deeds)
