"""The root cause of what keeps an invoice from going: the same key for all that one mend lets go.

A key has four parts: where it is mended (or the kind of conflict), Sage's code, Sage's field, and the subject. The
subject is one of ours where the mend is about it (a client, an item, tax rates, an account); else it is Sage's own
words without what belongs to one invoice alone.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from connectors.interface import Fix
from invoices.models import Push

LONGEST = 200
DIGEST = 12
SEVERAL = ","
PLACES = re.compile(r"\[\d+\]|(?<=[a-z][/.])\d+(?=[/.][a-z])|\bline \d+", re.IGNORECASE)  # which line of an invoice
AMOUNT = re.compile(r"(?<![\d./])\d[\d,]*\.\d\d(?!\d|[./]\d)")
OWN = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)  # a row's key
Problem = Mapping[str, Any]


def key_of(push: Push) -> str:
    """From what is on the push, which was just refused or found to differ; the first problem is the first to mend."""
    problem: Problem = next(iter(push.problems), {})
    if push.cause != Push.Cause.REJECTED or not problem:
        return str(push.cause)
    fix = str(problem.get("fix") or Fix.SUPPORT)
    told = (str(problem.get(part) or "") for part in ("code", "field"))
    return _joined(fix, *told, _subject(push, problem, fix))


def kind_of(key: str) -> str:
    """Where it is mended, or the kind of conflict."""
    return key.partition("|")[0]


def subject_of(key: str) -> str:
    return key.rpartition("|")[2] if "|" in key else ""


def _joined(*parts: str) -> str:
    """The code and the field give way where it gets too long; a subject that does is told by its digest."""
    kind, code, field, subject = (part.replace("|", "/").replace("\x00", "") for part in parts)
    key = "|".join((kind, code[:40], PLACES.sub("", field)[:60], subject))
    return key if len(key) <= LONGEST else f"{key[: LONGEST - DIGEST]}{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def _subject(push: Push, problem: Problem, fix: str) -> str:
    """Ours where we know which it is about."""
    frozen = push.invoice.frozen or {}
    if given := str(problem.get("subject") or ""):
        return given
    if fix in (Fix.CLIENT, Fix.CLIENT_LINK):
        return str(push.invoice.client.uuid)
    if fix == Fix.TAX_RATES:
        return SEVERAL.join(sorted({line["tax_code"] for line in frozen.get("lines", ())}))
    if fix == Fix.SALES_ACCOUNT:
        codes = {line.get("nominal_code") for line in frozen.get("lines", ())} - {"", None}
        own = codes if push.connection.options.codes_per_line else set()
        return SEVERAL.join(sorted(own)) or push.connection.sales_account_id
    return _words(push, str(problem.get("message") or ""))


def _words(push: Push, message: str) -> str:
    """Sage's words without the invoice's own number, client, dates, and the places and keys in them."""
    invoice = push.invoice
    days = [f"{day:{form}}" for day in (invoice.issue_date, invoice.due_date) for form in ("%Y-%m-%d", "%d/%m/%Y")]
    for own in (invoice.number, invoice.client.name, invoice.reference, *days):
        message = message.replace(own, "…") if own else message
    return " ".join(AMOUNT.sub("…", OWN.sub("…", PLACES.sub("", message))).split())[:120]
