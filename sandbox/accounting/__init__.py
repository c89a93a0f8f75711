"""Sage Accounting (API v3.1) as the sandbox pretends it."""

from sandbox.accounting import books, conditions, grants, replays
from sandbox.accounting.answers import FAULT_ANSWERS, answer_status
from sandbox.faults import Platform
from sandbox.store import Store

API_PREFIX = "/accounting/v3.1"
SCHEMAS = (grants.SCHEMA, *books.SCHEMAS, conditions.SCHEMA, replays.SCHEMA)
SETTINGS = {
    "search": ("substring", "prefix", "exact", "off", "none"),
    "remember_refusals": (False, True),
    "draft_deletion": (200, 204),
    "lag": (0,),  # seconds for which lists do not show a new invoice; Intacct's queries lag with them
}
open_books = books.open_books


def platform(store: Store) -> Platform:
    held = grants.Grants(store)
    return Platform(
        name="accounting",
        api_paths=(API_PREFIX,),
        token_paths=("/accounting/token", "/accounting/revoke"),
        answer_status=answer_status,
        answers=FAULT_ANSWERS,
        deeds={"expired": held.expire_access, "revoked": held.revoke_all},
        settings=SETTINGS,
        counts=frozenset({"lag"}),
    )
