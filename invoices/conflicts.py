"""What Sage may hold an invoice of ours as, read now and laid beside ours, for a person who decides which it is."""

from dataclasses import dataclass
from datetime import date, datetime

from connectors import services as connectors
from connectors.interface import Connector, NewInvoice, PlatformError, RemoteInvoice, RemoteStatus
from invoices import documents, looks, settling
from invoices.models import Invoice, Push, PushAttempt

MOST = 10  # that are shown
DECISIVE = ("Client", "Date", "Lines", "Total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One thing that the two are told apart by, as Sage has it and as we have it."""

    label: str
    theirs: str
    ours: str
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An invoice in Sage beside ours; `owner` is the invoice here that it belongs to already."""

    remote: RemoteInvoice
    sides: tuple[Side, ...]
    owner: Invoice | None
    by_number: bool = False

    @property
    def differences(self) -> tuple[str, ...]:
        """In what it differs of the four that tell invoices apart; in nothing when it is the same."""
        return tuple(side.label for side in self.sides if side.differs and side.label in DECISIVE)

    @property
    def is_the_same(self) -> bool:
        """Nothing tells them apart, and it carries our reference, or our number where that is what is in the way."""
        ours = self.by_number or not any(side.differs for side in self.sides if side.label == "Reference")
        return ours and not self.differences

    @property
    def is_another_of_ours(self) -> bool:
        return self.owner is not None and not self.owner.is_imported

    @property
    def can_be_linked(self) -> bool:
        """Where only our number is in the way, what holds it is a different invoice unless all four are the same."""
        return not (self.is_another_of_ours or (self.by_number and self.differences))

    @property
    def status(self) -> str:
        return str(self.remote.status.value).replace("_", " ").capitalize()

    @property
    def is_void(self) -> bool:
        return self.remote.status is RemoteStatus.VOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person decides: which of these it is, or none. `number_is_taken`: a different one has our number."""

    candidates: tuple[Candidate, ...]
    number_is_taken: bool
    again_from: datetime | None


def question(invoice: Invoice, push: Push) -> Question:
    """Read now. Raises PlatformError when Sage can't be asked."""
    found, sent = candidates(invoice, push), _sent(push)
    by_number = push.cause == Push.Cause.NUMBER_TAKEN
    taken = [
        one for one in found if one.remote.number == invoice.number and (one.differences or one.is_another_of_ours)
    ]
    return Question(
        candidates=tuple(found),
        number_is_taken=by_number or bool(sent and sent.number and taken),
        again_from=settling.absent_from(push),
    )


def candidates(invoice: Invoice, push: Push) -> list[Candidate]:
    """What Sage may hold it as, read now. Raises PlatformError when Sage can't be asked."""
    connector = connectors.open_connector(push.connection, kind=invoice.kind)
    found, sent = _found(invoice, push, connector), _sent(push)
    whole = {remote.id: remote for remote in connector.read_invoices([remote.id for remote in found[:MOST]])}
    return [
        Candidate(
            remote=whole[each.id],
            sides=_sides(invoice, whole[each.id], sent),
            owner=settling.owner_of(push, whole[each.id]),
            by_number=push.cause == Push.Cause.NUMBER_TAKEN,
        )
        for each in found
        if each.id in whole
    ]


def candidate_by_id(invoice: Invoice, push: Push, remote_id: str) -> RemoteInvoice | None:
    """The one a person says it is, if Sage still holds it so, and it can be it."""
    able = (one.remote for one in candidates(invoice, push) if one.can_be_linked)
    return next((remote for remote in able if remote.id == remote_id), None)


def found_in_sage(invoice: Invoice, push: Push) -> tuple[RemoteInvoice, ...]:
    """All that Sage may hold it as, however many. Raises PlatformError when Sage can't be asked."""
    return _found(invoice, push, connectors.open_connector(push.connection, kind=invoice.kind))


def _found(invoice: Invoice, push: Push, connector: Connector) -> tuple[RemoteInvoice, ...]:
    attempt = settling.open_attempt(push)
    if attempt is not None:
        return looks.all_that_may_be(attempt, documents.from_json(attempt.document or {}), connector)
    sent = _sent(push)
    return connector.find_number(invoice.number or "", sent.client_id if sent else "")


def _sent(push: Push) -> NewInvoice | None:
    """What left last."""
    last: PushAttempt | None = push.attempts.exclude(document=None).last()
    return documents.from_json(last.document) if last and last.document else None


def _sides(invoice: Invoice, remote: RemoteInvoice, sent: NewInvoice | None) -> tuple[Side, ...]:
    lines, number, we_number = str(invoice.lines.count()), invoice.number or "", bool(sent and sent.number)
    their_lines = lines if remote.lines is None else str(remote.lines)
    is_our_client = sent is not None and remote.client_id == sent.client_id
    rows = (
        ("Client", remote.client_name or ("The same" if is_our_client else "Another one"), invoice.client.name),
        ("Date", _day(remote.issue_date), _day(invoice.issue_date)),
        ("Reference", remote.reference or "None", number),
        ("Number", remote.number or "None yet", number if we_number else "Sage's own"),
        ("Lines", their_lines, lines),
        ("Total", f"{remote.total:,.2f}", f"{abs(invoice.total):,.2f}"),
    )
    told_otherwise = {"Client": not is_our_client, "Number": we_number and remote.number != number}
    return tuple(
        Side(label=label, theirs=theirs, ours=ours, differs=told_otherwise.get(label, theirs != ours))
        for label, theirs, ours in rows
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


__all__ = ["Candidate", "PlatformError", "Question", "candidate_by_id", "candidates", "found_in_sage", "question"]
