"""What can be done with many invoices together: which of them it would leave out and why; approving, one by one."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, QuerySet, Sum

from connectors.models import Connection
from invoices import queueing, services
from invoices.listing import chosen
from invoices.models import Invoice, Push
from invoices.standing import Document, OnItsWay, latest_push

AT_ONCE = 200
COUNTED = 10_000
IN_THE_BOOKS = (Invoice.Status.SENT, Invoice.Status.PART_PAID, Invoice.Status.PAID)

Why = Callable[[Invoice], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """Says for each invoice why this person can't approve or send it as things stand; "" where they can."""

    may_approve: Callable[[Document], bool]
    connection: Connection | None

    @classmethod
    def of(cls, actor: User, connection: Connection | None) -> "Chooser":
        return cls(may_approve=services.approver(actor), connection=connection)

    def why_not_approve(self, invoice: Document) -> str:
        if invoice.status == Invoice.Status.DRAFT:
            return "" if self.may_approve(invoice) else "for somebody else to approve"
        return _closed(invoice) or "already approved"

    def why_not_send(self, invoice: Invoice) -> str:
        return self.why_not_go(invoice, latest_push(invoice, self.connection))

    def why_not_go(self, invoice: Document, push: OnItsWay | None) -> str:
        """As `why_not_send`, where the push that pages show is known."""
        if closed := _closed(invoice):
            return closed
        if push and push.is_open:
            return "already on the way"
        if push and self._is_held(push):
            return "parked" if push.state == Push.State.PARKED else "to be settled on its own page"
        if invoice.status == Invoice.Status.DRAFT and not self.may_approve(invoice):
            return "for somebody else to approve"
        return ""

    def _is_held(self, push: OnItsWay) -> bool:
        """Here: what was held on its way to books connected before can go to these, unless it may be there already."""
        if self.connection and push.connection_id != self.connection.pk:
            return False
        is_doubtful = push.state == Push.State.ATTENTION and push.cause not in queueing.AGAIN
        return is_doubtful or push.state == Push.State.PARKED


def _closed(invoice: Document) -> str:
    """Why nothing can be done with it any more."""
    if invoice.status == Invoice.Status.VOID:
        return "void"
    if invoice.is_imported:
        return "raised in Sage"
    return "already sent" if invoice.status in IN_THE_BOOKS else ""


def summary(found: QuerySet[Invoice], chooser: Chooser) -> dict[str, Any]:
    """All that match, as the bar shows them: how many, their sums, and what can be done; for some thousands at most."""
    ids = list(found.order_by("-pk").values_list("pk", flat=True)[: COUNTED + 1])
    if len(ids) > COUNTED:
        return {"count": COUNTED, "more": True, "ids": [], "sums": []}
    sums = Invoice.objects.filter(pk__in=ids).values("currency").annotate(amount=Sum("total"), count=Count("pk"))
    said: dict[str, Any] = {
        "count": len(ids),
        "more": False,
        "ids": ids if len(ids) <= AT_ONCE else [],
        "sums": [{"currency": row["currency"], "amount": str(row["amount"])} for row in sums.order_by("currency")],
    }
    if said["ids"]:
        invoices = chosen(ids)
        said["going"] = _sums(one for one in invoices if not chooser.why_not_send(one))
        said["approve"] = _reasons(invoices, chooser.why_not_approve)
        said["send"] = _reasons(invoices, chooser.why_not_send)
    return said


def _sums(invoices: Iterable[Invoice]) -> list[dict[str, str]]:
    """Their totals, by currency."""
    sums: dict[str, Decimal] = {}
    for one in invoices:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.total
    return [{"currency": currency, "amount": str(sums[currency])} for currency in sorted(sums)]


def _reasons(invoices: Iterable[Invoice], why: Why) -> dict[str, int]:
    """How many of them for each reason; under "" those with which it can be done."""
    return dict(Counter(why(invoice) for invoice in invoices))


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it: those with which it was done, and those that were left out, by reason."""

    done: list[Invoice] = field(default_factory=list)
    left_out: dict[str, list[Invoice]] = field(default_factory=dict)


def each(ids: list[int], service: Any, why: Why, *, actor: User, now: datetime) -> Done:
    """One transaction for each, so that none keeps another back; what can't be done is said, not tried."""
    outcome = Done()
    for invoice in chosen(ids):
        reason = why(invoice)
        if not reason:
            try:
                service(invoice_id=invoice.pk, actor=actor, now=now)
            except services.Refused as refused:
                reason = str(refused)
        if reason:
            outcome.left_out.setdefault(reason, []).append(invoice)
        else:
            outcome.done.append(invoice)
    return outcome
