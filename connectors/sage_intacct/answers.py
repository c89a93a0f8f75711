"""What became of each of several things asked for in one call, read off Sage Intacct's answer; pure."""

from collections.abc import Mapping
from typing import Any

from connectors.http import Answer, decipher
from connectors.interface import BearerRefused, NewInvoice, OutcomeUnknown, PlatformError, RemoteInvoice, TryLater
from connectors.sage_intacct.refusals import DIALECT
from connectors.sage_intacct.shapes import remote_invoice, unread


def reference(answer: Answer) -> dict[str, Any]:
    """A create answers with a reference only: key, id and href (OpenAPI). Raises OutcomeUnknown without a key."""
    found = answer.body.get("ia::result", answer.body) if isinstance(answer.body, dict) else None
    if not isinstance(found, dict) or not found.get("key"):
        raise OutcomeUnknown("Intacct's answer does not say what it wrote.", status=answer.status)
    return found


def results(answer: Answer, count: int) -> list[Answer | PlatformError]:
    """One result for each thing asked for, in order (guide "Bulk requests").

    Raises OutcomeUnknown where there are more or fewer: nobody knows which of them is whose.
    """
    found = answer.body.get("ia::result") if isinstance(answer.body, dict) else None
    if not isinstance(found, list) or len(found) != count:
        raise OutcomeUnknown("Intacct's answer does not say what became of each.", status=answer.status)
    return [_result(one, answer) for one in found]


def _result(found: Any, whole: Answer) -> Answer | PlatformError:
    """A part has a status and headers of its own in a mixed answer, else those of the whole.

    A refusal that is kept from an earlier call is believed: the key's own request wrote nothing.
    """
    part = found if isinstance(found, dict) else {}
    status = part.get("ia::status", whole.status)
    headers = {**_lower(whole.headers), **_lower(part.get("ia::headers"))}
    try:
        return decipher(status if isinstance(status, int) else 0, headers, found, DIALECT, writes=True)
    except BearerRefused as refused:
        return TryLater(refused.message, status=refused.status)
    except PlatformError as error:
        return error


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {}


def created(result: Answer | PlatformError, invoice: NewInvoice) -> RemoteInvoice | PlatformError:
    """What an invoice became, as far as the answer to creating it tells, or what kept it out."""
    if isinstance(result, PlatformError):
        return result
    try:
        key = reference(result)["key"]
        return unread(str(key) if type(key) is int else key, invoice)
    except OutcomeUnknown as unclear:
        return unclear
    except ValueError:
        return OutcomeUnknown("Intacct's answer names no key.", status=result.status)


def seen(made: RemoteInvoice, result: Answer | PlatformError) -> RemoteInvoice:
    """The invoice with all that the read behind its creation shows; without, where that read failed."""
    if isinstance(result, PlatformError):
        return made
    try:
        read = remote_invoice(reference(result))
    except (OutcomeUnknown, ValueError):
        return made
    return read if (read.id, read.reference) == (made.id, made.reference) else made
