"""Crediting an invoice: what is left of each of its lines, and a draft credit note over a part of it or all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum

from connectors.interface import Fix
from invoices.drafts import EditedMeanwhile, InvoiceDraft, Refused, fill, give_number, locked, must_be, note
from invoices.models import Invoice, InvoiceLine, Voiding
from invoices.totals import ZERO, Sums, line_sums

Status = Invoice.Status
INSTEAD: dict[str, str] = {
    Status.DRAFT: "It is a draft: change it instead.",
    Status.APPROVED: "It was not sent yet: take it back to draft and change it there. Nothing is to be credited.",
    Status.VOID: "It is void, so there is nothing to credit.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What of an invoice's line no credit note credits yet, and how a line that credits all of that is written."""

    line: InvoiceLine
    net: Decimal
    tax: Decimal
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """What a person credits of a line; its discount is that of the line, or none where only an amount is left."""

    line_id: int
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDraft:
    """A credit note as a person gave it, checked field by field already; lines of nothing are left out."""

    issue_date: date
    notes: str
    lines: Sequence[CreditLine]


def why_not(invoice: Invoice) -> Refused | None:
    """What keeps this invoice from being credited from here, and what to do instead."""
    if invoice.is_credit_note:
        return Refused("It is a credit note. What it took off can be billed with a new invoice.")
    if invoice.is_imported:
        return Refused("It was raised in Sage: raise its credit note there, too.", Fix.REMOTE)
    if invoice.status in INSTEAD:
        return Refused(INSTEAD[invoice.status])
    if Voiding.objects.open().filter(remote__invoice=invoice).exists():
        return Refused("It is to be voided in Sage. Wait until that is settled.")
    return None if amount_left(invoice) else Refused("All of it is credited already.")


def amount_left(invoice: Invoice) -> Decimal:
    """What of its total no credit note credits yet, drafts among them."""
    credited = invoice.credit_notes.exclude(status=Status.VOID).aggregate(total=Sum("total"))["total"]
    return invoice.total + (credited or ZERO)


def left_of(invoice: Invoice, besides: Invoice | None = None) -> dict[int, Left]:
    """By its lines; what the credit note `besides` credits counts as left."""
    earlier = InvoiceLine.objects.filter(credits__invoice=invoice).exclude(invoice__status=Status.VOID)
    rows = earlier.exclude(invoice=besides) if besides else earlier
    sums = rows.order_by().values("credits").annotate(net=Sum("net"), tax=Sum("tax"), quantity=Sum("quantity"))
    credited = {row["credits"]: Sums(net=row["net"], tax=row["tax"]) for row in sums}
    quantities = {row["credits"]: row["quantity"] for row in sums}
    lines = invoice.lines.select_related("tax_rate", "item")
    return {line.pk: _left(line, credited.get(line.pk, Sums()), quantities.get(line.pk, ZERO)) for line in lines}


def _left(line: InvoiceLine, credited: Sums, quantity: Decimal) -> Left:
    """As the line itself is written, as far as that comes to what is left; else as one amount."""
    left, rest = line.net - credited.net, max(line.quantity - quantity, ZERO)
    same = line_sums(
        quantity=rest, unit_price=line.unit_price, discount_percent=line.discount_percent, tax_percent=ZERO
    )
    if same.net == left:
        written = {"quantity": rest, "unit_price": line.unit_price, "discount_percent": line.discount_percent}
    else:
        written = {"quantity": Decimal(1), "unit_price": left, "discount_percent": ZERO}
    return Left(line=line, net=left, tax=line.tax - credited.tax, **written)


def create_credit_note(*, invoice_id: int, key: UUID, draft: CreditDraft, actor: User, now: datetime) -> Invoice:
    """A draft with a number of the credit notes' own group; a second click with the same key is the same one.

    Raises Refused, and NumberRefused when the group can't count on.
    """
    with transaction.atomic():
        invoice = locked(invoice_id)
        made = invoice.credit_notes.filter(uuid=key).first()
        if made:
            return made
        if refused := why_not(invoice):
            raise refused
        credit = Invoice(
            uuid=key,
            kind=Invoice.Kind.CREDIT_NOTE,
            credits=invoice,
            created_by=actor,
            created_at=now,
            currency=invoice.currency,
        )
        _put(credit, invoice, draft)
        note(credit, f"Created to credit {invoice}.", actor, now)
        give_number(credit, now=now)
    return credit


def update_credit_note(*, credit_id: int, version: int, draft: CreditDraft, actor: User, now: datetime) -> Invoice:
    """Changes a draft. Raises Refused, and EditedMeanwhile when `version` is not the one now stored."""
    with transaction.atomic():
        credit = locked(credit_id)
        must_be(credit, Status.DRAFT, "changed")
        if credit.version != version:
            raise EditedMeanwhile("Somebody saved this credit note while you were editing it. Open it again.")
        assert credit.credits_id is not None  # noqa: S101  # a constraint says so
        before, credit.version = -credit.total, credit.version + 1
        _put(credit, locked(credit.credits_id), draft)
        note(credit, f"Edited: total {before:,.2f} → {-credit.total:,.2f}.", actor, now)
    return credit


def redate_and_recode(credit: Invoice, draft: InvoiceDraft, *, actor: User, now: datetime) -> None:
    """Its date and its lines' nominal codes as given; what it credits stays, to the penny. The caller has locked it."""
    must_be(credit, Status.DRAFT, "changed")
    assert credit.credits is not None  # noqa: S101  # a constraint says so
    _must_not_be_before(credit.credits, draft.issue_date)
    for line, given in zip(credit.lines.all(), draft.lines, strict=True):
        line.nominal_code = given.nominal_code
        line.save(update_fields=["nominal_code"])
    what = "nominal codes" if draft.issue_date == credit.issue_date else f"dated {draft.issue_date:%d %B %Y}"
    credit.issue_date, credit.due_date, credit.version = draft.issue_date, draft.issue_date, credit.version + 1
    credit.save(update_fields=["issue_date", "due_date", "version"])
    note(credit, f"Edited: {what}.", actor, now)


def _must_not_be_before(invoice: Invoice, day: date) -> None:
    if day < invoice.issue_date:
        raise Refused(f"A credit note is not dated before its invoice, which is of {invoice.issue_date:%d %B %Y}.")


def _put(credit: Invoice, invoice: Invoice, draft: CreditDraft) -> None:
    """Fills the draft with what it credits of the invoice, which the caller has locked."""
    _must_not_be_before(invoice, draft.issue_date)
    left = left_of(invoice, credit if credit.pk else None)
    if credit.pk:
        credit.lines.all().delete()
    counted = [_line(one, left[one.line_id]) for one in draft.lines]
    lines = [line for line in counted if line.net]
    if not lines:
        raise Refused("Nothing is credited yet: give a line a quantity and a price.")
    for position, line in enumerate(lines, start=1):
        line.position = position
    head = InvoiceDraft(
        client=invoice.client,
        site=invoice.site,
        issue_date=draft.issue_date,
        due_date=draft.issue_date,
        reference=invoice.reference,
        notes=draft.notes,
        lines=(),
    )
    fill(credit, head, lines)


def _line(given: CreditLine, left: Left) -> InvoiceLine:
    """What is credited of one line; the last of it takes its last penny of tax too, and no more."""
    credited = left.line
    line = InvoiceLine(
        credits=credited,
        item=credited.item,
        description=credited.description,
        quantity=given.quantity,
        unit_price=given.unit_price,
        discount_percent=given.discount_percent,
        tax_rate=credited.tax_rate,
        nominal_code=credited.nominal_code,
    )
    sums = line.count()
    if sums.net > left.net:
        raise Refused(
            f"Of “{credited.description}” {left.net:,.2f} net is left to credit; this would be {sums.net:,.2f}."
        )
    line.tax = left.tax if sums.net == left.net else min(sums.tax, left.tax)
    line.total = line.net + line.tax
    return line
