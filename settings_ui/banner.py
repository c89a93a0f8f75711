"""What every page says while Sage refuses our authorisation, or while this is only a copy of the database."""

from functools import cache

from django.http import HttpRequest

from connectors import epoch


def trouble(request: HttpRequest) -> dict[str, object]:
    """A context processor; asked of Postgres only where a template looks at it, and once a page."""
    if not request.user.is_authenticated:
        return {}
    asked = cache(epoch.troubles)
    return {"restored_copy": lambda: asked()[0], "broken_connection": lambda: asked()[1]}
