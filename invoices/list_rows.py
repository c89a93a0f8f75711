"""One invoice as the list shows it: where it stands, what can't be done with it and why, and its cells.

The cells are put together here and not in the template: fifty rows of ten are most of what the page costs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from connectors.models import Connection
from invoices import paper
from invoices.balances import AWAITING
from invoices.choosing import Chooser
from invoices.columns import Column
from invoices.models import Invoice, Push, RemoteInvoice
from invoices.standing import Standing, held_as, latest_push, shown_number, standing_of


@dataclass(frozen=True, slots=True)
class Badges:
    """What makes them, each once a page: by status and kind, and by tone, icon and label."""

    of_status: Callable[[str, str], SafeString]
    of_standing: Callable[[str, str, str], SafeString]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invoice as the list shows it, and why it can't be approved or sent from there."""

    invoice: Invoice
    push: Push | None
    remote: RemoteInvoice | None
    stands: Standing
    number: str
    is_owed: bool
    days_overdue: int
    why_not_approve: str
    why_not_send: str
    columns: tuple[str, ...]
    badges: Badges

    @property
    def key(self) -> str:
        return str(self.invoice.pk)

    @property
    def total(self) -> str:
        """As a program adds it up: without commas."""
        return str(self.invoice.total)

    @property
    def seen(self) -> str:
        """What a row that moves is compared by."""
        return f"{self.key}.{self.stands.code}.{int(self.stands.moving)}{self.stands.brief}"

    @property
    def also(self) -> str:
        """Its other number, or that one is to come."""
        remote, number = self.remote, self.number
        if remote and not remote.number:
            return "draft in Sage" if remote.is_draft else "Sage's number is to come"
        if remote and remote.number != number:
            return f"{remote.number} in Sage"
        return f"{self.invoice.number} here" if number != self.invoice.number else ""

    @property
    def cells(self) -> SafeString:
        """Those that this person chose, in their order."""
        return mark_safe("".join(CELLS[name](self) for name in self.columns))  # noqa: S308  # each is safe


def rows_of(
    invoices: Iterable[Invoice],
    connection: Connection | None,
    chooser: Chooser,
    columns: Iterable[Column],
    *,
    held: bool,
) -> list[Row]:
    """`held`: the database is a restored copy."""
    shown = tuple(column.name for column in columns if column.shown)
    today, badges = timezone.localdate(), Badges(cache(_status_badge), cache(_standing_badge))

    def row(invoice: Invoice) -> Row:
        push, awaited = latest_push(invoice, connection), invoice.status in AWAITING
        late = (today - invoice.due_date).days if awaited and not invoice.is_credit_note else 0
        return Row(
            invoice=invoice,
            push=push,
            remote=held_as(invoice, push, connection),
            stands=standing_of(invoice, push, connection, now=timezone.now(), held=held),
            number=shown_number(invoice, connection),
            is_owed=awaited,
            days_overdue=max(0, late),
            why_not_approve=chooser.why_not_approve(invoice),
            why_not_send=chooser.why_not_send(invoice),
            columns=shown,
            badges=badges,
        )

    return [row(invoice) for invoice in invoices]


def _text(label: str, inside: str, kind: str) -> SafeString:
    return format_html('<td data-label="{}" class="{}">{}</td>', label, kind, inside)


def _beneath(text: str, kind: str = "beneath") -> SafeString:
    return format_html('<span class="{}">{}</span>', kind, text) if text else SafeString()


def _due(row: Row) -> SafeString:
    days, due = row.days_overdue, "" if row.invoice.is_credit_note else _day(row.invoice.due_date)
    late = _beneath(f"{days} day{'s' * (days != 1)} overdue" if days else "", "beneath late")
    return format_html('<td data-label="Due" class="nowrap">{}{}</td>', due, late)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _total(row: Row) -> SafeString:
    return _text("Total", paper.amount(row.invoice.total, row.invoice.currency), "num beside")


def _outstanding(row: Row) -> SafeString:
    one = row.invoice
    kind = "num wide-only" if one.outstanding == one.total else "num"
    owed = paper.amount(one.outstanding, one.currency) if row.is_owed and one.outstanding else ""
    return _text("Outstanding", owed, kind)


def _status(row: Row) -> SafeString:
    badge = row.badges.of_status(row.invoice.status, row.invoice.kind)
    return format_html('<td data-label="Status">{}</td>', badge)


def _status_badge(status: str, kind: str) -> SafeString:
    return render_to_string("invoices/_status.html", {"invoice": Invoice(status=status, kind=kind)})


def _sage(row: Row) -> SafeString:
    stands = row.stands
    badge = row.badges.of_standing(stands.tone, stands.icon, stands.label)
    return format_html('<td data-label="Sage state">{}{}</td>', badge, _beneath(stands.brief))


def _standing_badge(tone: str, icon: str, label: str) -> SafeString:
    return render_to_string("invoices/_standing.html", {"stands": {"tone": tone, "icon": icon, "label": label}})


def _sent(row: Row) -> SafeString:
    if row.push and row.push.sent_at:
        at = localtime(row.push.sent_at)
        told = format_html('<time datetime="{}">{}, {}</time>', at.isoformat(), _day(at), f"{at:%H:%M}")
    elif row.stands.moving:
        told = SafeString('<span class="muted" aria-hidden="true">…</span>')
    else:
        told = SafeString()
    return _text("Sent to Sage", told, "when")


CELLS: dict[str, Callable[[Row], SafeString]] = {
    "client": lambda row: _text("Client", row.invoice.client.name, "wide"),
    "property": lambda row: _text("Property", row.invoice.site.name if row.invoice.site else "", "wide"),
    "reference": lambda row: _text("Reference", row.invoice.reference, "wide"),
    "date": lambda row: _text("Date", _day(row.invoice.issue_date), "nowrap"),
    "due": _due,
    "total": _total,
    "outstanding": _outstanding,
    "status": _status,
    "sage": _sage,
    "sent": _sent,
}
