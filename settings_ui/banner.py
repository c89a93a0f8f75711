"""What every page says: trouble with the authorisation, that this is only a copy, how many invoices are held."""

from functools import cache, partial

from django.http import HttpRequest

from connectors import epoch
from invoices.trouble import HELD


def trouble(request: HttpRequest) -> dict[str, object]:
    """A context processor; asked of Postgres only where a template looks at it, and once a page."""
    if not request.user.is_authenticated:
        return {}
    asked = cache(partial(epoch.troubles, HELD))
    names = ("restored_copy", "broken_connection", "held_invoices")
    return {name: partial(lambda n: asked()[n], n) for n, name in enumerate(names)}
