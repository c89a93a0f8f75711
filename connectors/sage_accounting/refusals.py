"""What Sage Accounting complains of, and what that means to a person; pure."""

import re
from functools import partial
from http import HTTPStatus
from typing import Any

from connectors.http import Dialect
from connectors.interface import Fix, NewClient, Problem

# What Sage says ("field code message") -> what it means to the person, and where it is mended; first fit wins.
# Fields and texts: guides "Frequently raised errors", "Access rights", "Best practices", "Invoicing".
Meanings = tuple[tuple[str, str, Fix], ...]
ACCESS: Meanings = (
    (r"subscription", "The organisation in Sage has no active subscription. Renew it in Sage.", Fix.PLATFORM),
    (
        r"MultiUserAccessDenied|not allowed to access",
        "The Sage user who authorised Reflow may not do this. Give that user full access to Sales in Sage, or let "
        "another user authorise.",
        Fix.PLATFORM,
    ),
)
MEANINGS: Meanings = (
    *ACCESS,
    (r"credit_note_number\b", "Sage has this credit note number already.", Fix.NUMBER),
    (r"invoice_number\b|number.*(taken|exists|in use|been used)", "Sage has this invoice number already.", Fix.NUMBER),
    (
        r"\bdate\b.*(start|prior|lock|clos|period)|start date|lockdown|year.end|locked|period",
        "Sage's books are closed for this date. Change the invoice's date, or the lock in Sage.",
        Fix.DATE,
    ),
    (
        r"ledger_account",
        "Sage does not take the nominal code of a line: it may be archived, or not for sales. Choose another.",
        Fix.SALES_ACCOUNT,
    ),
    (
        r"tax_rate|tax_amount",
        "Sage does not take the tax of a line: its rate may have ended. Map it anew.",
        Fix.TAX_RATES,
    ),
    (
        r"can.t find customer|contact_id|contact_type",
        "The client's customer in Sage is deleted, or is not a customer. Say which customer it is.",
        Fix.CLIENT_LINK,
    ),
    (
        r"^reference .*(taken|exists|use|unique)|contact.*reference|reference.*contact",
        "Another contact in Sage has this client's reference. Change the reference, or say which customer it is.",
        Fix.CLIENT,
    ),
    (
        r"total_amount|net_amount|totals?\b.*(agree|match|differ|sum)",
        "Sage counts other totals than Reflow. Nothing was written; please tell support.",
        Fix.SUPPORT,
    ),
    (r"^(main_|name\b|email\b).*(too long|maximum is)", "Sage wants this of the client shorter.", Fix.CLIENT),
    (r"too long|maximum is|is longer", "A text is longer than Sage takes. Shorten it.", Fix.INVOICE),
    (r"contact|customer|address", "Sage does not take the client as its customer.", Fix.CLIENT),
    (r"^date\b", "Sage does not take the invoice's date.", Fix.DATE),
    (r"^due_date\b", "Sage does not take the day on which the invoice is due.", Fix.INVOICE),
    (r"^(reference|notes)\b|description", "A text of the invoice is not what Sage takes.", Fix.INVOICE),
)
# The same for an invoice that is to be voided: what stands in the way is mended in Sage (guide "Invoicing").
VOID_MEANINGS: Meanings = (
    *ACCESS,
    (
        r"payment|allocat|\bpaid\b|refund|credit",
        "Money is recorded against this invoice in Sage. Take the payments and credits off it there, then try again.",
        Fix.REMOTE,
    ),
    (
        r"void_reason",
        "Sage does not take the reason. Keep the invoice, and void it again with another one.",
        Fix.SUPPORT,
    ),
    (
        r"\bdate\b|lockdown|year.end|locked|period",
        "Sage's books are closed for this invoice's date. Open them there and try again, or raise a credit note.",
        Fix.REMOTE,
    ),
    (r"\bvoid|status", "Sage can't void this invoice as it stands there. Open it in Sage.", Fix.REMOTE),
)
# Schemes with rules of their own (guide "Handling reverse charge VAT"; CIS fields of the Swagger) that Reflow does not
# follow: their rates can't be mapped, so that nothing is sent under them by mistake.
SPECIAL_SCHEMES = re.compile(r"reverse charge|\bcis\b|\boss\b|destination", re.IGNORECASE)
GB_RATES = "GB_"


def is_special_scheme(rate_name: str) -> bool:
    return bool(SPECIAL_SCHEMES.search(rate_name))


def objections(client: NewClient, tax_rate_ids: set[str]) -> tuple[Problem, ...]:
    """A British business owes Sage more about a customer abroad than Reflow knows (guide "Invoicing", EU goods)."""
    british = any(rate_id.startswith(GB_RATES) for rate_id in tax_rate_ids)
    if not british or client.country == "GB":
        return ()
    meaning = (
        f"{client.name} is outside the United Kingdom ({client.country}). Of such customers Sage wants to know goods "
        "or services, with zero rates, on each line, which Reflow does not send. Raise this invoice in Sage."
    )
    return (Problem(message=meaning, code="CLIENT_ABROAD", meaning=meaning, fix=Fix.CLIENT),)


LONGEST, MOST = 1000, 50  # of a refusal's words, and of refusals in one answer: more tells a person nothing


def complaints(body: Any, meanings: Meanings = MEANINGS) -> tuple[Problem, ...]:
    """Sage's error body is an array of objects (guide "Frequently raised errors"); anything else is not Sage's."""
    if not isinstance(body, list) or not all(isinstance(row, dict) and "$message" in row for row in body):
        return ()
    return tuple(
        _problem(meanings, *(str(row.get(name) or "")[:LONGEST] for name in ("$message", "$dataCode", "$source")))
        for row in body[:MOST]
    )


def _refuses_bearer(status: int, problems: tuple[Problem, ...]) -> bool:
    """401 means a dead token, or a lapsed subscription, which no token cures (guide "Frequently raised errors")."""
    lapsed = any("subscription" in problem.message.lower() for problem in problems)
    return status == HTTPStatus.UNAUTHORIZED and not lapsed


DIALECT = Dialect(complaints=complaints, refuses_bearer=_refuses_bearer)
VOIDING = Dialect(complaints=partial(complaints, meanings=VOID_MEANINGS), refuses_bearer=_refuses_bearer)


def _problem(meanings: Meanings, message: str, code: str, field: str) -> Problem:
    """Sage's words with what they mean to a person, from the first row that fits."""
    for pattern, meaning, fix in meanings:
        if re.search(pattern, f"{field} {code} {message}", re.IGNORECASE):
            return Problem(message=message, code=code, field=field, meaning=meaning, fix=fix)
    return Problem(message=message, code=code, field=field, meaning="Sage did not accept it.", fix=Fix.SUPPORT)
