"""What a person asked the list for: the filters as they stand in the address, in words, and as a query."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.validators import RegexValidator
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet
from django.db.models.lookups import In
from django.http import QueryDict

from connectors.models import Connection
from invoices.balances import AWAITING
from invoices.models import Client, Invoice, Push

FEW_CLIENTS = 100  # of a name that is asked for, whose ids are handed over
STATUSES = {
    **{"DRAFT": "Draft", "ASKED": "To approve", "APPROVED": "Approved", "AWAITING": "Awaiting payment"},
    **{"SENT": "Sent", "PART_PAID": "Part paid", "PAID": "Paid", "VOID": "Void"},
}
KINDS = {"INVOICE": "Invoices", "CREDIT_NOTE": "Credit notes"}
SAGE = {
    **{"NOT_SENT": "Not sent", "MOVING": "On its way", "ATTENTION": "Needs attention"},
    **{"PARKED": "Parked", "SENT": "Sent"},
}
STATES = {
    "MOVING": (Push.State.READY, Push.State.SENDING, Push.State.UNKNOWN),
    "ATTENTION": (Push.State.ATTENTION,),
    "PARKED": (Push.State.PARKED,),
    "SENT": (Push.State.SENT,),
}
SORTS = {
    **{"-date": "Date, newest first", "date": "Date, oldest first", "due": "Due, earliest first"},
    **{"-due": "Due, latest first", "number": "Number, A to Z", "-number": "Number, Z to A"},
    **{"-total": "Total, largest first", "total": "Total, smallest first"},
}
NEWEST = "-date"
NOT_SAID = ("", None, False, NEWEST)  # what an address leaves out, as the list is so by itself


class FilterForm(forms.Form):
    """The panel of filters; what is typed into an address by hand and makes no sense is left out."""

    kind = forms.ChoiceField(choices=[("", "Any"), *KINDS.items()], required=False)
    status = forms.ChoiceField(choices=[("", "Any"), *STATUSES.items()], required=False)
    sage = forms.ChoiceField(choices=[("", "Any"), *SAGE.items()], required=False, label="Sage state")
    origin = forms.ChoiceField(choices=[("", "Any"), *Invoice.Origin.choices], required=False)
    client = forms.CharField(max_length=100, required=False)
    since = forms.DateField(required=False, label="Dated from", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="Dated to", widget=forms.DateInput({"type": "date"}))
    overdue = forms.BooleanField(required=False, label="Overdue only")
    currency = forms.CharField(max_length=3, required=False, validators=[RegexValidator(r"^[A-Z]{3}$")])
    sort = forms.ChoiceField(choices=list(SORTS.items()), required=False, label="Order")
    q = forms.CharField(required=False, widget=forms.HiddenInput)

    def offer_currencies(self, known: list[str]) -> None:
        self.fields["currency"].widget = forms.Select(choices=[("", "Any"), *((code, code) for code in known)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the list is asked for; nothing of it is every invoice, the newest first."""

    q: str = ""
    kind: str = ""
    status: str = ""
    sage: str = ""
    origin: str = ""
    client: str = ""
    since: date | None = None
    until: date | None = None
    overdue: bool = False
    currency: str = ""
    sort: str = NEWEST

    def values(self) -> dict[str, str]:
        """As it stands in an address: only what was asked for."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {name: "1" if value is True else str(value) for name, value in given.items() if value not in NOT_SAID}

    def address(self, **changes: Any) -> str:
        """The address of the list with something else in it; "" leaves a filter out."""
        changed = {**self.values(), **changes}
        return "?" + urlencode({name: value for name, value in changed.items() if value not in NOT_SAID})

    def filters(self) -> Iterator[tuple[str, str]]:
        """Each filter in words, with the address of the list without it."""
        words = {
            "q": f"“{self.q}”",
            "kind": KINDS.get(self.kind, ""),
            "status": STATUSES.get(self.status, ""),
            "sage": f"Sage: {SAGE.get(self.sage, '')}",
            "origin": Invoice.Origin(self.origin).label if self.origin else "",
            "client": f"Client: {self.client}",
            "since": f"From {_day(self.since)}",
            "until": f"To {_day(self.until)}",
            "overdue": "Overdue",
            "currency": self.currency,
        }
        for name in self.values():
            if name in words:
                yield words[name], self.address(**{name: ""})


def _day(day: date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else ""


def asked_of(query: QueryDict) -> Asked:
    """What an address asks for."""
    if not query:
        return Asked()
    form = FilterForm({name: query.get(name, "").replace("\x00", " ").strip()[:100] for name in query})
    form.full_clean()
    known = {name: value for name, value in form.cleaned_data.items() if value}
    return Asked(**known)


def filtered(asked: Asked, connection: Connection | None, *, today: date) -> QuerySet[Invoice]:
    """The invoices that pass the filters, but for the search."""
    found = Invoice.objects.filter(_plain(asked, today))
    if asked.client:
        found = found.filter(_of_clients(asked.client))
    if asked.sage == "NOT_SENT":
        known = [state for state in Push.State.values if state != Push.State.CANCELLED]
        held = latest(connection, known).filter(invoice=OuterRef("pk"))
        unsent = [Invoice.Status.DRAFT, Invoice.Status.APPROVED, Invoice.Status.VOID]
        return found.filter(~Exists(held), origin=Invoice.Origin.OWN, status__in=unsent)
    if asked.sage:
        found = found.filter(pk__in=latest(connection, STATES[asked.sage]).values("invoice"), origin=Invoice.Origin.OWN)
    return found


def _of_clients(text: str) -> Q | Func:
    """Few are handed over, so that Postgres knows how few; of many it makes a list once, and sees at each invoice
    whether its client is on it. As a plain condition it would look each client up."""
    those = Client.objects.filter(Q(name__icontains=text) | Q(reference__iexact=text)).order_by()
    few = list(those.values_list("pk", flat=True)[: FEW_CLIENTS + 1])
    if len(few) <= FEW_CLIENTS:
        return Q(client__in=few)
    is_one = In(F("client_id"), those.values("pk"))
    return Func(is_one, template="(%(expressions)s) IS TRUE", output_field=BooleanField())


def _plain(asked: Asked, today: date) -> Q:
    """What is told from the invoice's own columns."""
    chosen = Q()
    if asked.status in Invoice.Status.values:
        chosen &= Q(status=asked.status)
    elif asked.status == "ASKED":
        chosen &= Q(status=Invoice.Status.DRAFT, asked_at__isnull=False)
    elif asked.status:
        chosen &= Q(status__in=AWAITING)
    same: dict[str, Any] = {"kind": asked.kind, "origin": asked.origin, "currency": asked.currency}
    same |= {"issue_date__gte": asked.since, "issue_date__lte": asked.until}
    chosen &= Q(**{name: value for name, value in same.items() if value})
    late = Q(status__in=AWAITING, due_date__lt=today, kind=Invoice.Kind.INVOICE)
    return chosen & late if asked.overdue else chosen


def latest(connection: Connection | None, states: Collection[str]) -> QuerySet[Push]:
    """The pushes in these states that pages show: the one over the live connection, else the latest."""
    pushes = Push.objects.filter(state__in=states)
    others = Push.objects.filter(invoice=OuterRef("invoice"))
    last = ~Exists(others.filter(requested_at__gt=OuterRef("requested_at")))
    if connection is None:
        return pushes.filter(last)
    return pushes.filter(Q(connection=connection) | ~Exists(others.filter(connection=connection)) & last)
