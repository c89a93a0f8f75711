"""What every page says while Sage refuses our authorisation: one banner, and one way to mend it."""

from django.http import HttpRequest

from connectors.models import Connection


def broken_connection(request: HttpRequest) -> dict[str, object]:
    """A context processor; asked of Postgres only where the template looks at it."""
    return {"broken_connection": _is_broken if request.user.is_authenticated else False}


def _is_broken() -> bool:
    return Connection.objects.filter(state=Connection.State.RECONNECT).exists()
