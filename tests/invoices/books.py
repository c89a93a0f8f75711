"""A platform that does as it is told, and a worker's steps over it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from connectors.interface import (
    BookedInvoice,
    BookedLine,
    Changes,
    Fix,
    NewInvoice,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Rejected,
    RemoteInvoice,
)
from invoices import claims
from invoices import push as worker
from invoices.claims import Claim
from invoices.models import Event, Push

NUMBER_TAKEN = Rejected((Problem(message="has been used", field="invoice_number", fix=Fix.NUMBER),), status=422)
LOST = OutcomeUnknown("The line was cut.")
SERVER_ERROR = OutcomeUnknown("Sage answered 500.", status=500)


def theirs(sent: NewInvoice, **changes: Any) -> RemoteInvoice:
    """The invoice as a platform keeps it, with what differs."""
    given: dict[str, Any] = {
        "id": f"token-{sent.reference[-1]}",
        "number": sent.reference,
        "reference": sent.reference,
        "client_id": sent.client_id,
        "issue_date": sent.issue_date,
        "total": sent.total,
    }
    return RemoteInvoice(**{**given, **changes})


@dataclass
class Books:
    """A platform that does as it is told, and notes what it was asked."""

    creates: list[PlatformError | dict[str, Any]] = field(default_factory=list)
    finds: list[PlatformError | Sequence[dict[str, Any]]] = field(default_factory=list)
    changed: list[PlatformError | Sequence[BookedInvoice]] = field(default_factory=list)
    asked_since: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    documents: list[NewInvoice] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        (invoice,) = invoices
        self.calls.append("create")
        self.keys.append(key)
        self.documents.append(invoice)
        self.before_answer()
        answer = self.creates.pop(0) if self.creates else {}
        if isinstance(answer, Exception):
            raise answer
        return (theirs(invoice, **answer),)

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        self.calls.append("find")
        answer = self.finds.pop(0) if self.finds else ()
        if isinstance(answer, Exception):
            raise answer
        return tuple(theirs(invoice, **changes) for changes in answer)

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        """One page for each answer given beforehand."""
        self.asked_since.append(cursor)
        answer = self.changed.pop(0) if self.changed else ()
        if isinstance(answer, Exception):
            raise answer
        return Changes(invoices=tuple(answer), cursor="next", is_last=not self.changed, left=0)


def booked(sent: NewInvoice, moment: datetime, **changes: Any) -> BookedInvoice:
    """The invoice whole, as a platform tells of it among what changed, with what differs."""
    lines = tuple(
        BookedLine(
            description=line.description,
            account="4000",
            account_id=line.account_id,
            quantity=line.quantity,
            unit_price=line.unit_price,
            net=line.net,
            tax=line.tax,
        )
        for line in sent.lines
    )
    whole: dict[str, Any] = {
        "due_date": sent.due_date,
        "currency": sent.currency,
        "net": sent.net,
        "tax": sent.tax,
        "lines": lines,
        "changed_at": moment,
    }
    differing = {name: changes.pop(name) for name in list(changes) if name in whole}
    return BookedInvoice(invoice=theirs(sent, **changes), **{**whole, **differing})


def carry(push: Push, now: datetime | None = None) -> Push:
    """What a worker does with a waiting push once its time has come."""
    push.refresh_from_db()
    claimed = claims.claim(push.connection, now=now or push.due_at, push_id=push.pk)
    assert claimed
    worker.deliver(claimed)
    push.refresh_from_db()
    return push


def look(push: Push) -> Push:
    worker.look(push.pk, now=push.due_at)
    push.refresh_from_db()
    return push


def look_until_proven(push: Push) -> int:
    looks = 0
    while push.state == Push.State.UNKNOWN:
        look(push)
        looks += 1
    return looks


def claimed(push: Push) -> Claim:
    (found,) = claims.claim(push.connection, now=push.due_at, push_id=push.pk)
    return found


def notes(push: Push) -> list[str]:
    return [event.text for event in Event.objects.filter(invoice=push.invoice).order_by("pk")]
