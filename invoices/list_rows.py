"""One invoice as the list shows it: where it stands, what can't be done with it and why, and its row of the table.

The row is put together here and not in a template: fifty of them are most of what the page costs. Whatever people or
platforms have typed goes through `escape`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from html import escape as escaped

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from invoices import paper
from invoices.balances import AWAITING
from invoices.choosing import Chooser
from invoices.columns import Column
from invoices.listing import Listed, There
from invoices.models import Invoice
from invoices.standing import Standing, number_of, standing_of

escape = lru_cache(4096)(escaped)  # most of what stands in fifty rows stands there more than once


@dataclass(frozen=True, slots=True)
class Badges:
    """What makes them, each once a page: by status and kind, by tone, icon and label, and what a credit note is."""

    of_status: Callable[[str, str], str]
    of_standing: Callable[[str, str, str], str]
    of_credit_notes: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invoice as the list shows it, and why it can't be approved or sent from there."""

    invoice: Listed
    remote: There | None
    stands: Standing
    number: str
    is_owed: bool
    days_overdue: int
    why_not_approve: str
    why_not_send: str
    columns: tuple[str, ...]
    badges: Badges
    address: str

    @property
    def seen(self) -> str:
        """What a row that moves is compared by."""
        return f"{self.invoice.pk}.{self.stands.code}.{int(self.stands.moving)}{self.stands.brief}"

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
    def html(self) -> SafeString:
        """The row, with the cells that this person chose in their order."""
        return SafeString(_row(self))

    @property
    def swapped(self) -> SafeString:
        """The row as it takes the place of the one that a page has."""
        return SafeString(_row(self, ' hx-swap-oob="true"'))


def rows_of(invoices: Iterable[Listed], chooser: Chooser, columns: Iterable[Column], *, held: bool) -> list[Row]:
    """`held`: the database is a restored copy."""
    connection, now = chooser.connection, timezone.now()
    shown = tuple(column.name for column in columns if column.shown)
    today, badges = timezone.localdate(), Badges(cache(_status_badge), cache(_standing_badge), cache(_credit_badge))
    address = reverse("invoice-detail", args=[0])

    def row(invoice: Listed) -> Row:
        push, awaited = invoice.push, invoice.status in AWAITING
        is_live = bool(connection and invoice.held and invoice.held.connection_id == connection.pk)
        held_there = invoice.held if is_live else None
        late = (today - invoice.due_date).days if awaited and not invoice.is_credit_note else 0
        return Row(
            invoice=invoice,
            remote=push.remote if push and push.remote else invoice.held if invoice.is_imported else held_there,
            stands=standing_of(invoice, push, connection, now=now, held=held),
            number=number_of(invoice, held_there, connection),
            is_owed=awaited,
            days_overdue=max(0, late),
            why_not_approve=chooser.why_not_approve(invoice),
            why_not_send=chooser.why_not_go(invoice, push),
            columns=shown,
            badges=badges,
            address=address.replace("0", str(invoice.pk)),
        )

    return [row(invoice) for invoice in invoices]


def _row(row: Row, swap: str = "") -> str:
    one, key, number = row.invoice, row.invoice.pk, escape(row.number)
    kind = _beneath(row.badges.of_credit_notes()) if one.is_credit_note else ""
    pushed = ' class="pushed"' if one.push else ""
    return (
        f'<tr data-row{pushed} id="row-{key}"{swap}>'
        f'<td class="pick"><label class="pick-box"><input type="checkbox" name="ids" value="{key}" id="pick-{key}"'
        f' data-select data-total="{one.total}" data-currency="{escape(one.currency)}"'
        f' data-approve="{escape(row.why_not_approve)}" data-send="{escape(row.why_not_send)}">'
        f'<span class="sr">Choose {number}</span></label></td>'
        f'<td class="lead"><a href="{row.address}" id="open-{key}">{number}</a>{kind}{_beneath(escape(row.also))}</td>'
        f"{''.join([CELLS[name](row) for name in row.columns])}</tr>"
    )


def _cell(label: str, inside: str, kind: str = "") -> str:
    """`inside` is escaped already."""
    return f'<td data-label="{label}" class="{kind}">{inside}</td>'


def _beneath(text: str, kind: str = "beneath") -> str:
    return f'<span class="{kind}">{text}</span>' if text else ""


def _due(row: Row) -> str:
    days, due = row.days_overdue, "" if row.invoice.is_credit_note else _day(row.invoice.due_date)
    late = _beneath(f"{days} day{'s' * (days != 1)} overdue" if days else "", "beneath late")
    return _cell("Due", due + late, "nowrap")


@lru_cache(4096)
def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _amount(row: Row, name: str) -> str:
    return escape(paper.amount(getattr(row.invoice, name), row.invoice.currency))


def _outstanding(row: Row) -> str:
    one = row.invoice
    kind = "num wide-only" if one.outstanding == one.total else "num"
    return _cell("Outstanding", _amount(row, "outstanding") if row.is_owed and one.outstanding else "", kind)


def _status(row: Row) -> str:
    return _cell("Status", row.badges.of_status(row.invoice.status, row.invoice.kind))


def _status_badge(status: str, kind: str) -> str:
    return render_to_string("invoices/_status.html", {"invoice": Invoice(status=status, kind=kind)})


def _sage(row: Row) -> str:
    stands = row.stands
    badge = row.badges.of_standing(stands.tone, stands.icon, stands.label)
    return _cell("Sage state", badge + _beneath(escape(stands.brief)))


def _standing_badge(tone: str, icon: str, label: str) -> str:
    return render_to_string("invoices/_standing.html", {"stands": {"tone": tone, "icon": icon, "label": label}})


def _credit_badge() -> str:
    return render_to_string("invoices/_kind.html")


def _sent(row: Row) -> str:
    told, push = "", row.invoice.push
    if push and push.sent_at:
        at = localtime(push.sent_at)
        told = f'<time datetime="{at.isoformat()}">{_day(at.date())}, {at:%H:%M}</time>'
    elif row.stands.moving:
        told = '<span class="muted" aria-hidden="true">…</span>'
    return _cell("Sent to Sage", told, "when")


CELLS: dict[str, Callable[[Row], str]] = {
    "client": lambda row: _cell("Client", escape(row.invoice.client), "wide"),
    "property": lambda row: _cell("Property", escape(row.invoice.site or ""), "wide"),
    "reference": lambda row: _cell("Reference", escape(row.invoice.reference), "wide"),
    "date": lambda row: _cell("Date", _day(row.invoice.issue_date), "nowrap"),
    "due": _due,
    "total": lambda row: _cell("Total", _amount(row, "total"), "num beside"),
    "outstanding": _outstanding,
    "status": _status,
    "sage": _sage,
    "sent": _sent,
}
