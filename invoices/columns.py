"""The columns of the invoice list: which a person sees, and in which order."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User

from invoices.models import ViewChoice

PAGE = "invoices"
COLUMNS = {
    "client": "Client",
    "property": "Property",
    "reference": "Reference",
    "date": "Date",
    "due": "Due",
    "total": "Total",
    "outstanding": "Outstanding",
    "status": "Status",
    "sage": "Sage state",
    "sent": "Sent to Sage",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One that can be left out; the number always comes first."""

    name: str
    label: str
    shown: bool


def columns_of(choice: ViewChoice) -> list[Column]:
    """All of them in a person's order; one that is new since they chose stands where it stands by default."""
    return [Column(name=name, label=COLUMNS[name], shown=name not in choice.left_out) for name in _order(choice)]


def _order(choice: ViewChoice) -> list[str]:
    order = [name for name in choice.in_order if name in COLUMNS]
    for place, name in enumerate(COLUMNS):
        if name not in order:
            order.insert(place, name)
    return order


def keep_columns(user: User, *, shown: Collection[str], order: list[str]) -> None:
    chosen = {"left_out": [name for name in COLUMNS if name not in shown], "in_order": list(dict.fromkeys(order))}
    chosen["in_order"] = [name for name in chosen["in_order"] if name in COLUMNS]
    ViewChoice.objects.update_or_create(user=user, page=PAGE, defaults=chosen)


def move(order: list[str], name: str, *, by: int) -> list[str]:
    """The order after one column went up or down a place."""
    if name not in order:
        return order
    rest = [other for other in order if other != name]
    place = max(0, order.index(name) + by)
    return [*rest[:place], name, *rest[place:]]


def forget(user: User) -> None:
    """Back to the columns and the order that everybody begins with."""
    ViewChoice.objects.filter(user=user, page=PAGE).delete()
