"""What every page says while Sage refuses our authorisation, or while this is only a copy of the database."""

from django.http import HttpRequest

from connectors import epoch
from connectors.models import Connection


def trouble(request: HttpRequest) -> dict[str, object]:
    """A context processor; each is asked of Postgres only where the template looks at it."""
    known = request.user.is_authenticated
    return {"broken_connection": known and _is_broken, "restored_copy": known and epoch.is_held}


def _is_broken() -> bool:
    return Connection.objects.filter(state=Connection.State.RECONNECT).exists()
