"""What every page says: trouble with the authorisation, that this is only a copy, how many invoices are held."""

from functools import cache

from django.http import HttpRequest

from connectors import epoch
from connectors.models import Connection
from invoices.models import Push

MOST = 999


def trouble(request: HttpRequest) -> dict[str, object]:
    """A context processor; asked of Postgres only where a template looks at it, and once a page."""
    if not request.user.is_authenticated:
        return {}
    asked = cache(epoch.troubles)
    return {
        "restored_copy": lambda: asked()[0],
        "broken_connection": lambda: asked()[1],
        "held_invoices": held_invoices,
    }


def held_invoices() -> int:
    """How many need somebody, counted no further than people do."""
    held = Push.objects.filter(state=Push.State.ATTENTION).exclude(connection__state=Connection.State.DISCONNECTED)
    return held.order_by()[: MOST + 1].count()
