"""The next period's invoices from the last period's: what each would be, all of them raised together, and undone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Prefetch, QuerySet

from invoices.drafts import InvoiceDraft, LineDraft, Refused, create_invoices, discard_all
from invoices.models import Company, Invoice, InvoiceLine, PeriodRun, RaisedInvoice
from invoices.periods import anchor, moved, moved_text

AT_ONCE = 1000
KEPT_FOR = timedelta(days=7)
LONGEST = 200  # characters of a line's description


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the next invoice would be; `why_not` says why there will be none, `raised` names the one there is."""

    source: Invoice
    issue_date: date
    due_date: date
    issue_day: int
    due_day: int
    words: tuple[tuple[str, str], ...]
    """The texts that the move changes, before and after."""
    why_not: str = ""
    raised: Invoice | None = None

    @property
    def key(self) -> str:
        return str(self.source.pk)


@dataclass(slots=True)
class World:
    """What all proposals of a run are worked out from, read once."""

    step: str
    terms_days: int
    raised: dict[tuple[int, date], RaisedInvoice] = field(default_factory=dict)


def begin(*, ids: Sequence[int], actor: User, now: datetime) -> PeriodRun:
    """Keeps what was chosen, so that its preview has an address. Raises Refused."""
    if not ids:
        raise Refused("Tick the invoices first.")
    if len(ids) > AT_ONCE:
        raise Refused(f"The next period is raised for {AT_ONCE:,} invoices at a time. Narrow it with a filter.")
    PeriodRun.objects.filter(raised_at=None, begun_at__lt=now - KEPT_FOR).delete()
    return PeriodRun.objects.create(sources=list(ids), begun_by=actor, begun_at=now)


def proposals(run: PeriodRun, step: str) -> list[Proposal]:
    """One for each invoice that was chosen, by client and date; the same few queries however many they are."""
    sources = list(_sources(run))
    raised = RaisedInvoice.objects.filter(source__in=sources).exclude(invoice__status=Invoice.Status.VOID)
    world = World(step=step, terms_days=Company.ours().terms_days)
    world.raised = {(row.source_id, row.issue_date): row for row in raised.select_related("invoice")}
    return [_proposal(source, world) for source in sources]


def _sources(run: PeriodRun) -> QuerySet[Invoice]:
    lines = InvoiceLine.objects.select_related("item", "tax_rate")
    found = Invoice.objects.filter(pk__in=run.sources).select_related("client", "site", "raised_as")
    return found.prefetch_related(Prefetch("lines", lines)).order_by("client__name", "issue_date", "pk")


def _proposal(source: Invoice, world: World) -> Proposal:
    before: RaisedInvoice | None = getattr(source, "raised_as", None)
    issue_day = anchor(source.issue_date, before.issue_day if before else None)
    due_day = anchor(source.due_date, before.due_day if before else None)
    issued = moved(source.issue_date, world.step, anchored=issue_day)
    terms = source.client.terms_days if source.client.terms_days is not None else world.terms_days
    by_terms = source.due_date - source.issue_date == timedelta(days=terms)
    due = issued + timedelta(days=terms) if by_terms else moved(source.due_date, world.step, anchored=due_day)
    raised = world.raised.get((source.pk, issued))
    return Proposal(
        source=source,
        issue_date=issued,
        due_date=max(due, issued),
        issue_day=issue_day,
        due_day=due_day,
        words=tuple(_words(source, world.step)),
        raised=raised.invoice if raised else None,
        why_not=_why_not(source),
    )


def _words(source: Invoice, step: str) -> list[tuple[str, str]]:
    texts = [*(line.description for line in source.lines.all()), source.notes]
    pairs = [(text, moved_text(text, step)) for text in texts]
    return [(before, after) for before, after in dict.fromkeys(pairs) if before != after]


def _why_not(source: Invoice) -> str:
    """Why no next one can be raised from it; "" where one can."""
    if source.is_imported:
        return "It was raised in Sage."
    if source.is_credit_note:
        return "It is a credit note."
    if source.status == Invoice.Status.VOID:
        return "It is void."
    archived = [str(row) for row in (source.client, source.site) if row and row.archived_at]
    archived += [line.item.code for line in source.lines.all() if line.item and line.item.archived_at]
    if archived:
        names = ", ".join(dict.fromkeys(archived))
        return f"Archived: {names}."
    return ""


def raise_next(
    *, key: UUID, step: str, chosen: Collection[int], with_words: Collection[int], actor: User, now: datetime
) -> PeriodRun:
    """A draft for each that was left ticked, all of them or none; pressed twice it is done once.

    `with_words` are those whose texts are moved on too. Raises Refused and NumberRefused.
    """
    with transaction.atomic():
        run = PeriodRun.objects.select_for_update().get(pk=key)
        if run.raised_at:
            return run
        list(Invoice.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=run.sources).order_by("pk"))
        going = [
            one for one in proposals(run, step) if one.source.pk in chosen and not one.why_not and one.raised is None
        ]
        if not going:
            raise Refused("Nothing was raised: none of those ticked can be, or all of them have been.")
        _forget_discarded(going)
        drafts = [_draft(one, step if one.source.pk in with_words else "") for one in going]
        words = PeriodRun.Step(step).label.lower()
        notes = [f"Created from {one.source}, {words} on." for one in going]
        made = create_invoices(drafts=drafts, notes=notes, actor=actor, now=now)
        RaisedInvoice.objects.bulk_create(_row(run, one, new) for one, new in zip(going, made, strict=True))
        run.step, run.raised_at = step, now
        run.save(update_fields=["step", "raised_at"])
    return run


def _forget_discarded(going: Sequence[Proposal]) -> None:
    """What was raised for the period before and discarded since stands in nobody's way."""
    periods = {(one.source.pk, one.issue_date) for one in going}
    void = RaisedInvoice.objects.filter(source__in={pk for pk, _ in periods}, invoice__status=Invoice.Status.VOID)
    rows = [row.pk for row in void if (row.source_id, row.issue_date) in periods]
    RaisedInvoice.objects.filter(pk__in=rows).delete()


def _row(run: PeriodRun, one: Proposal, new: Invoice) -> RaisedInvoice:
    return RaisedInvoice(
        run=run,
        source=one.source,
        invoice=new,
        issue_date=one.issue_date,
        issue_day=one.issue_day,
        due_day=one.due_day,
    )


def _draft(one: Proposal, step: str) -> InvoiceDraft:
    """As the source is, on the new dates; its texts moved by the step, or "" to leave them."""
    source = one.source
    lines = [
        LineDraft(
            item=line.item,
            description=_moved(line.description, step)[:LONGEST],
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            tax_rate=line.tax_rate,
            nominal_code=line.nominal_code,
        )
        for line in source.lines.all()
        if line.tax_rate
    ]
    return InvoiceDraft(
        client=source.client,
        site=source.site,
        issue_date=one.issue_date,
        due_date=one.due_date,
        reference=source.reference,
        notes=_moved(source.notes, step),
        lines=lines,
    )


def _moved(text: str, step: str) -> str:
    return moved_text(text, step) if step else text


def undo(*, key: UUID, actor: User, now: datetime) -> PeriodRun:
    """Discards the drafts that were raised together, while none of them has gone further. Raises Refused."""
    with transaction.atomic():
        run = PeriodRun.objects.select_for_update().get(pk=key)
        if not run.raised_at or run.undone_at:
            raise Refused("There is nothing to undo.")
        raised = RaisedInvoice.objects.filter(run=run)
        ids = list(raised.values_list("invoice", flat=True))
        discard_all(ids, reason="The next period was raised by mistake.", actor=actor, now=now)
        raised.delete()
        run.undone_at = now
        run.save(update_fields=["undone_at"])
    return run
