"""A platform in memory, with its own books: it commits late, loses answers, lags behind, and people work in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from connectors.interface import (
    BookedInvoice,
    BookedLine,
    Changes,
    Fix,
    Misdirected,
    NewInvoice,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Reconnect,
    Rejected,
    RemoteInvoice,
    RemoteStatus,
    TryLater,
)

PAGE = 2
# What becomes of a creating call: whether it is written, and when, and what is answered.
UNWRITTEN = ("dropped", "error unwritten", "busy", "refused", "dead", "astray")
WRITTEN = ("none", "lost", "error")
LATE = ("late", "error late")
FAULTS = (*WRITTEN, *LATE, *UNWRITTEN)


@dataclass(slots=True, kw_only=True)
class Document:
    """An invoice in its books; `sent` is ours as it arrived, None where a person there entered it."""

    token: str
    number: str
    reference: str
    sent: NewInvoice | None
    body: NewInvoice
    changed: int
    searchable_from: datetime
    changed_at: datetime
    is_deleted: bool = False


@dataclass(slots=True)
class Platform:
    """Its books and what is still on its way into them. `check` is asked of each call that reaches it."""

    now: Callable[[], datetime]
    documents: list[Document] = field(default_factory=list)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pending: list[tuple[datetime, str, tuple[NewInvoice, ...]]] = field(default_factory=list)
    fault: str = "none"
    delay: timedelta = timedelta(0)
    lag: timedelta = timedelta(0)
    moves: int = 0
    check: Callable[[Sequence[NewInvoice], str], None] = lambda invoices, key: None
    wait: Callable[[timedelta], None] = lambda time: None

    def opened(self, *_: Any, may_leave: Callable[[], bool] = lambda: True, **__: Any) -> "Desk":
        return Desk(self, may_leave)

    def arrive(self) -> None:
        """What a late call brought is written once its time has come."""
        due = [each for each in self.pending if each[0] <= self.now()]
        self.pending = [each for each in self.pending if each not in due]
        for _, key, invoices in due:
            self.write(key, invoices)

    def write(self, key: str, invoices: Sequence[NewInvoice]) -> tuple[str, ...]:
        """Once under each key."""
        if key not in self.keys:
            self.keys[key] = tuple(self._add(each, each, each.reference).token for each in invoices)
        return self.keys[key]

    def enter(self, like: NewInvoice, reference: str) -> Document:
        """A person there enters one by hand, under that number."""
        return self._add(like, None, reference)

    def _add(self, body: NewInvoice, sent: NewInvoice | None, reference: str) -> Document:
        made = Document(
            token=f"t{len(self.documents) + 1}",
            number=reference,
            reference=reference,
            sent=sent,
            body=body,
            changed=self._move(),
            searchable_from=self.now() + self.lag,
            changed_at=self.now(),
        )
        self.documents.append(made)
        return made

    def _move(self) -> int:
        self.moves += 1
        return self.moves

    def touch(self, document: Document, **changes: Any) -> None:
        """A person there changes or deletes it."""
        for name, value in changes.items():
            setattr(document, name, value)
        document.changed, document.changed_at = self._move(), self.now()

    def standing(self) -> list[Document]:
        return [each for each in self.documents if not each.is_deleted]

    def holds_number(self, number: str) -> bool:
        return any(each.number == number for each in self.standing())

    def told(self, document: Document, *, is_read: bool = True) -> RemoteInvoice:
        return RemoteInvoice(
            id=document.token,
            number=document.number if is_read else "",
            reference=document.reference,
            client_id=document.body.client_id,
            issue_date=document.body.issue_date,
            total=document.body.total,
            is_read=is_read,
            status=RemoteStatus.OPEN,
        )


@dataclass(slots=True)
class Desk:
    """The platform as one call of ours meets it: the port, over the books above."""

    platform: Platform
    may_leave: Callable[[], bool]
    items: None = None

    def create_invoices(self, invoices: Sequence[NewInvoice], key: str) -> tuple[RemoteInvoice | PlatformError, ...]:
        platform, fault = self.platform, self.platform.fault
        platform.fault = "none"
        platform.wait(platform.delay)
        if not self.may_leave():
            raise TryLater("Sage could not be reached.")
        platform.check(invoices, key)
        self._refuse(fault, invoices, key)
        tokens = platform.write(key, invoices) if fault in WRITTEN else ()
        if fault in LATE:
            platform.pending.append((platform.now() + timedelta(seconds=5), key, tuple(invoices)))
        if fault in ("lost", "late", "dropped"):
            raise OutcomeUnknown("The line was cut.")
        if fault.startswith("error"):
            raise OutcomeUnknown("Sage answered 500.", status=500)
        held = {each.token: each for each in platform.documents}
        return tuple(platform.told(held[token], is_read=len(invoices) == 1) for token in tokens)

    def _refuse(self, fault: str, invoices: Sequence[NewInvoice], key: str) -> None:
        if fault == "busy":
            raise TryLater("Sage asks us to slow down.", after=3, status=429)
        if fault == "dead":
            raise Reconnect("Sage refused the access token.", status=401)
        if fault == "astray":
            raise Misdirected("Sage answered for organisation b-2.", status=201)
        if fault == "refused":
            raise Rejected((Problem(message="no", fix=Fix.CLIENT),), status=422)
        taken = [each for each in invoices if self.platform.holds_number(each.reference)]
        if taken and key not in self.platform.keys:
            raise Rejected((Problem(message="has been used", fix=Fix.NUMBER),), status=422)

    def find_invoices(self, invoice: NewInvoice) -> tuple[RemoteInvoice, ...]:
        now = self.platform.now()
        found = [each for each in self.platform.standing() if each.reference == invoice.reference]
        return tuple(self.platform.told(each) for each in found if each.searchable_from <= now)

    def find_number(self, number: str, client_id: str) -> tuple[RemoteInvoice, ...]:
        return tuple(self.platform.told(each) for each in self.platform.standing() if each.number == number)

    def read_invoices(self, remote_ids: Sequence[str]) -> tuple[RemoteInvoice, ...]:
        return tuple(self.platform.told(each) for each in self.platform.standing() if each.token in remote_ids)

    def gone(self, remote_ids: Sequence[str], since: datetime) -> frozenset[str]:
        return frozenset(each.token for each in self.platform.documents if each.is_deleted and each.token in remote_ids)

    def changed_invoices(self, cursor: str, since: date | None) -> Changes:
        """Oldest change first; a cursor of ours is a count of changes, another one means all."""
        after = int(cursor) if cursor.isdigit() else 0
        later = sorted((each for each in self.platform.standing() if each.changed > after), key=lambda one: one.changed)
        page = later[:PAGE]
        last = str(page[-1].changed if page else after)
        return Changes(
            invoices=tuple(self._booked(each) for each in page),
            cursor=last,
            is_last=len(later) <= PAGE,
            left=max(len(later) - PAGE, 0),
        )

    def _booked(self, document: Document) -> BookedInvoice:
        ours = document.body
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
            for line in ours.lines
        )
        return BookedInvoice(
            invoice=replace(self.platform.told(document), client_name="Bramley"),
            due_date=ours.due_date,
            currency=ours.currency,
            net=ours.net,
            tax=ours.tax,
            lines=lines,
            changed_at=document.changed_at,
        )
