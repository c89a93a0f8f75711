"""Sage Intacct (REST API v1) as the sandbox pretends it."""

from collections.abc import Mapping
from typing import Any

from sandbox.faults import Platform
from sandbox.intacct import books, grants, replays
from sandbox.intacct.answers import FAULT_ANSWERS, answer_status
from sandbox.store import Store

API_PREFIX = "/intacct/ia/api/v1"
SCHEMAS = (grants.SCHEMA, *books.SCHEMAS, replays.SCHEMA)
# What Sage's documents leave open; the first value of each is in force at first.
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    **grants.SETTINGS,
    "error_nesting": ("result", "bare", "error"),
    "support_ids": ("off", "on"),
    "duplicate_number": ("422", "409"),
    "sequence": ("on", "off"),
    "supplied_number": ("use", "ignore", "reject"),
    "draft_number": ("no", "yes"),
    "number_scope": ("company", "customer"),
    "batch_refusal": ("each", "whole"),
    "idempotency": ("on", "off"),
}
open_books = books.open_books


def platform(store: Store) -> Platform:
    held = grants.Grants(store)
    return Platform(
        name="intacct",
        api_paths=tuple(f"{API_PREFIX}/{part}/" for part in ("objects", "services", "workflows")),
        token_paths=(f"{API_PREFIX}/oauth2/token", f"{API_PREFIX}/oauth2/revoke"),
        answer_status=answer_status,
        answers=FAULT_ANSWERS,
        deeds={"intacct_expired": held.expire_access, "intacct_revoked": held.revoke_all},
        settings=SETTINGS,
        counts=frozenset({"token_life"}),
    )
