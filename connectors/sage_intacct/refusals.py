"""What Sage Intacct complains of, and what that means to a person; pure."""

import re
from functools import partial
from http import HTTPStatus
from typing import Any

from connectors.http import Dialect
from connectors.interface import Fix, Problem

Json = dict[str, Any]

Meaning = tuple[str, str, Fix]
# What Intacct says ("errorId code message correction") -> what it means, and where it is mended; first fit wins.
# Codes and texts: guides "Error handling" and "OAuth2", help pages of Accounts Receivable, and what others met with.
ENTITY: Meaning = (
    r"\bentity\b|slide",
    "Intacct does not let Reflow's user into this entity. Give that user access to it, or connect to another.",
    Fix.CONNECTION,
)
RIGHTS: Meaning = (
    r"permission|privilege|authori[sz]ed|access denied|forbidden|not allowed to",
    "Reflow's user in Intacct may not do this. Give it the permissions for Accounts Receivable there.",
    Fix.PLATFORM,
)
ACCESS: tuple[Meaning, ...] = (
    (
        r"REST-1206|REST-2102|GW-00(31|34|40)|tokenInvalid|token is (not valid|invalid)|(expired|invalid) token",
        "Intacct no longer accepts Reflow's access. Authorise again.",
        Fix.CONNECTION,
    ),
    (
        r"GW-0011|REST-1216|XL03000006|3rd party application|sender id|web services requests",
        "Intacct does not let Reflow into this company. There, an administrator adds Reflow's client ID under Company, "
        "Security, Authorized client applications.",
        Fix.CONNECTION,
    ),
)
MEANINGS: tuple[Meaning, ...] = (
    *ACCESS,
    (r"idempoten", "Intacct has had this message before. Reflow looks before it sends again.", Fix.SUPPORT),
    (
        r"AR-0279|account override",
        "Your company uses account labels, and Intacct refuses lines that name a GL account. Choose Account labels "
        "under Post to.",
        Fix.SYNC_SETTINGS,
    ),
    (r"AR-0148|subtotal account label", "A subtotal label can't stand on a line. Choose another.", Fix.SALES_ACCOUNT),
    (
        r"periods? (is|are|has been) closed|that.s been closed|closed period|books (is|are) closed|must be on or after"
        r"|open ?books",
        "Intacct's books are closed for this date. Change the invoice's date, or open the period in Intacct.",
        Fix.DATE,
    ),
    (
        r"(missing the|requires? an?) (location|department)\b|\b(location|department)\b.*\brequired\b"
        r"|\brequired\b.*\b(location|department)\b",
        "Intacct wants a location or a department on a line's account. Choose a default under Sync settings, or one "
        "for the property.",
        Fix.SYNC_SETTINGS,
    ),
    (
        r"(missing the|requires? an?) .*\bdimension\b|account number .* requires? an?\b",
        "Intacct wants more on a line's account than Reflow sends. Choose another, or change what it requires there.",
        Fix.SALES_ACCOUNT,
    ),
    (
        r"another customer\b|customer.* already exists|duplicate customer",
        "Intacct has a customer with this ID already. Say which customer the client is.",
        Fix.CLIENT_LINK,
    ),
    (
        r"BL34000061|already exists|already (been used|in use)|\bduplicate|(must be|not) unique",
        "Intacct has this invoice number already.",
        Fix.NUMBER,
    ),
    (
        r"(invoice|document) ?number\b.*(is required|is missing|must be given)|(no|missing) document sequence",
        "Intacct has no document sequence for invoices. Set one up there, or choose Our numbers.",
        Fix.SYNC_SETTINGS,
    ),
    (
        r"(invoice|document) ?number\b.*(auto|generated|sequence|not allowed|can.?not|can.t|must not|read-only)"
        r"|sequence.*(invoice|document) ?number\b",
        "Intacct numbers invoices itself and does not take ours. Choose Sage numbers.",
        Fix.SYNC_SETTINGS,
    ),
    (r"\bon hold\b|credit limit", "The customer is on hold in Intacct. Take it off hold there.", Fix.PLATFORM),
    (
        r"customer.*\binactive\b|\binactive\b.*customer",
        "The customer is inactive in Intacct. Make it active there, or say which customer the client is.",
        Fix.CLIENT_LINK,
    ),
    (
        r"customer.*(not valid|invalid|not found|not exist)|\b(invalid|unknown) customer",
        "Intacct does not know the client's customer. Say which customer it is.",
        Fix.CLIENT_LINK,
    ),
    (
        r"tax ?(detail|entr|schedule|amount)|txnTaxAmount|orderEntryTaxDetail",
        "Intacct does not take the tax of a line: its rate may have ended. Map it anew.",
        Fix.TAX_RATES,
    ),
    (
        r"tax ?solution",
        "Intacct does not take the tax solution, or wants one. Choose it under Sync settings.",
        Fix.SYNC_SETTINGS,
    ),
    (
        r"\bterms?\b.*(not valid|invalid|inactive|not found|not exist)|\binvalid term\b",
        "Intacct does not take the payment term. Choose another.",
        Fix.SYNC_SETTINGS,
    ),
    (
        r"account.*(restricted|direct(ly)? post|disallow)|direct posting",
        "Intacct lets nobody post to a line's account like this. Choose another.",
        Fix.SALES_ACCOUNT,
    ),
    (
        r"\b(location|department)\b",
        "Intacct does not take the location or the department. Choose another, or another one for the property.",
        Fix.SYNC_SETTINGS,
    ),
    (
        r"account ?label|gl ?account|\baccount\b.*(not valid|invalid|inactive|not found|not exist)|\binvalid account\b",
        "Intacct does not take the account of a line: it may be inactive. Choose another.",
        Fix.SALES_ACCOUNT,
    ),
    ENTITY,
    (
        r"exchange ?rate",
        "Intacct has no exchange rate for this currency and date. Enter it there.",
        Fix.PLATFORM,
    ),
    (r"currenc", "Intacct does not take the invoice's currency.", Fix.INVOICE),
    (
        r"too long|longer than|exceed.*(character|length)|max(imum)? ?length|(maximum|at most) (is |of )?\d+ char",
        "A text is longer than Intacct takes. Shorten it.",
        Fix.INVOICE,
    ),
    RIGHTS,
    (
        r"REST-10(28|43|50)|read-only field|not a valid (field|state)|unrecogni[sz]ed key",
        "Intacct takes invoices in another form than Reflow sends. Nothing was written; please tell support.",
        Fix.SUPPORT,
    ),
    (r"\b(invoice|due) ?date\b", "Intacct does not take the invoice's date.", Fix.DATE),
    (r"customer", "Intacct does not take the client's customer. Say which customer it is.", Fix.CLIENT_LINK),
)
# The same for an invoice that is to be voided: what stands in the way is mended in Intacct.
VOID_MEANINGS: tuple[Meaning, ...] = (
    *ACCESS,
    RIGHTS,
    (
        r"payment|\bpaid\b|receipt|applied|selected",
        "Money is recorded against this invoice in Intacct. Reverse the payments there, then try again.",
        Fix.REMOTE,
    ),
    (
        r"period|\bdate\b|reversedDate|books (is|are) closed|open ?books",
        "Intacct's books are closed for the day of the reversal. Open the period there, or try again on another day.",
        Fix.REMOTE,
    ),
    (
        r"only an? .*(draft|posted)|\bstate\b|revers",
        "Intacct can't take this invoice back as it stands there. Open it in Intacct.",
        Fix.REMOTE,
    ),
    ENTITY,
)
SUPPORT_ID = re.compile(r"\s*\[Support ID:[^\]]*\]", re.IGNORECASE)
DEAD_TOKEN = re.compile(r"REST-1206|REST-2102|token is not valid", re.IGNORECASE)
SKIPPED = "unprocessed"  # what follows the first failure of a composite request (guide "Bulk requests")


LONGEST, MOST = 1000, 50  # of a refusal's words, and of refusals in one answer: more tells a person nothing


def complaints(body: Any, meanings: tuple[Meaning, ...] = MEANINGS) -> tuple[Problem, ...]:
    """One for each error in the body, wherever it stands; none where any part of it is no error.

    `ia::error` stands under `ia::result`, at the top, or as bare `error` (guide "Error handling"; token answers).
    """
    errors = _errors(body)
    told = [one for one in errors if one.get("code") != SKIPPED] or errors
    return tuple(_problem(one, meanings) for one in told[:MOST])


def _errors(body: Any) -> list[Json]:
    if isinstance(body, list):
        parts = [_errors(part) for part in body]
        return [one for part in parts for one in part] if all(parts) else []
    if not isinstance(body, dict):
        return []
    named = body.get("ia::error", body.get("error"))
    if isinstance(named, dict):
        return [named] if named.keys() & {"code", "errorId", "message"} else []
    return _errors(body.get("ia::result"))


def _problem(error: Json, meanings: tuple[Meaning, ...]) -> Problem:
    """The detail that means something to us, the last one first: the first only says that a record was not made."""
    told = [error, *_details(error)]
    best = next((one for one in reversed(told) if _meaning(one, meanings)), told[-1])
    meaning, fix = _meaning(best, meanings) or ("Intacct did not accept it.", Fix.SUPPORT)
    return Problem(
        message=_text(best, "message", "correction"),
        code=_text(best, "errorId") or _text(best, "code"),
        field=_text(best, "target"),
        meaning=meaning,
        fix=fix,
    )


def _details(error: Json) -> list[Json]:
    """An array; an object with no message in it where the gateway answers (guide "Error handling")."""
    details = error.get("details")
    rows = details if isinstance(details, list) else [details]
    return [row for row in rows if isinstance(row, dict) and row.get("message")][:MOST]


def _meaning(told: Json, meanings: tuple[Meaning, ...]) -> tuple[str, Fix] | None:
    text = _text(told, "errorId", "code", "message", "correction")
    fitting = ((meaning, fix) for pattern, meaning, fix in meanings if re.search(pattern, text, re.IGNORECASE))
    return next(fitting, None)


def _text(told: Json, *names: str) -> str:
    return SUPPORT_ID.sub("", " ".join(str(told[name])[:LONGEST] for name in names if told.get(name)))


def _refuses_bearer(status: int, problems: tuple[Problem, ...]) -> bool:
    """A dead token is 401, or 400 with one of these codes or texts (guide "Error handling"; live answers)."""
    if status == HTTPStatus.BAD_REQUEST:
        return any(DEAD_TOKEN.search(f"{problem.code} {problem.message}") for problem in problems)
    return status == HTTPStatus.UNAUTHORIZED


DIALECT = Dialect(complaints=complaints, refuses_bearer=_refuses_bearer)
VOIDING = Dialect(complaints=partial(complaints, meanings=VOID_MEANINGS), refuses_bearer=_refuses_bearer)
