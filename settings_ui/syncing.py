"""What comes in from the books, on the connector's page: the last sync and the next, Sync now, Stop, how far it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from connectors.models import Connection
from connectors.options import Options
from connectors.services import live_connection
from invoices import pull, tasks
from invoices.models import Pull

MOVING = ("BEGINNING", "RUNNING", "STOPPING")
IDLE = ("TROUBLE", "STOPPED", "DONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Where the reading of the books stands; `code` names the case, `mark` changes with whatever the page shows."""

    code: str
    pull: Pull | None
    imports: bool

    @property
    def is_moving(self) -> bool:
        return self.code in MOVING

    @property
    def can_begin(self) -> bool:
        return self.code in IDLE

    @property
    def most(self) -> int:
        """How many invoices this reading looks at in all, as far as the platform has said; 0 while it has not."""
        return self.pull.seen + self.pull.left if self.pull else 0

    @property
    def mark(self) -> str:
        if self.pull is None:
            return self.code
        counts = (self.pull.seen, self.pull.left, self.pull.imported, self.pull.updated)
        return "-".join([self.code, *map(str, counts), f"{self.pull.due_at:%H%M%S}"])


def sync_of(connection: Connection, *, now: datetime) -> Sync:
    row = Pull.objects.filter(connection=connection).first()
    return Sync(code=_code(connection, row, now), pull=row, imports=connection.options.imports)


def _code(connection: Connection, row: Pull | None, now: datetime) -> str:
    if not (connection.options.imports or connection.options.reads_back):
        return "OFF"
    if not connection.is_active:
        return "RECONNECT" if connection.state == Connection.State.RECONNECT else "ENDING"
    if not connection.sales_account_id:
        return "NOT_SET_UP"
    return _reading(row, now) if row else "BEGINNING"


def _reading(row: Pull, now: datetime) -> str:
    if row.is_running and not row.trouble:
        return "STOPPING" if row.is_stopping else "RUNNING"
    if row.due_at <= now:
        return "BEGINNING"
    if row.trouble:
        return "TROUBLE"
    return "STOPPED" if row.left else "DONE"


def is_to_be_read_again(before: Options, after: Options) -> bool:
    """Whether invoices that were passed over until now are wanted: what is read goes on from where it was, else."""
    if not after.imports:
        return False
    earlier = before.sync_from is not None and (after.sync_from is None or after.sync_from < before.sync_from)
    return earlier or not before.imports


def follow_settings(connection: Connection, before: Options, *, now: datetime) -> str:
    """What the saved settings mean for the next sync, done at once; what to say of it, or nothing."""
    after = connection.options
    if is_to_be_read_again(before, after):
        pull.restart(connection, now=now)
        return (
            "The next sync reads the books from their beginning, as more is wanted from them now. Nothing comes twice."
        )
    if after.sync_every < before.sync_every and Pull.objects.filter(connection=connection).exists():
        pull.request(connection, now=now)
        return "The next sync begins now."
    return ""


def _live() -> Connection:
    connection = live_connection()
    if connection is None:
        raise Http404("Nothing is connected.")
    return connection


@require_POST
def connector_sync_now(request: HttpRequest) -> HttpResponse:
    connection, now = _live(), timezone.now()
    if sync_of(connection, now=now).can_begin:
        pull.request(connection, now=now)
        tasks.hint_reading(connection.pk)
    return _answer(request, connection)


@require_POST
def connector_sync_stop(request: HttpRequest) -> HttpResponse:
    connection = _live()
    if sync_of(connection, now=timezone.now()).code == "RUNNING":
        pull.stop(connection)
    return _answer(request, connection)


@require_safe
def connector_sync_progress(request: HttpRequest) -> HttpResponse:
    """The section as it is now, or 204 where it still says what was seen."""
    connection = _live()
    sync = sync_of(connection, now=timezone.now())
    if request.GET.get("seen") == sync.mark:
        return HttpResponse(status=204)
    return _fragment(request, connection, sync)


def _answer(request: HttpRequest, connection: Connection) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return _fragment(request, connection, sync_of(connection, now=timezone.now()))
    return redirect(f"{reverse('connector')}#sync")


def _fragment(request: HttpRequest, connection: Connection, sync: Sync) -> HttpResponse:
    """The section; the health card, which speaks of it too, is told to look again."""
    context: dict[str, Any] = {"connection": connection, "sync": sync}
    answer = render(request, "settings/_sync.html", context)
    answer["HX-Trigger-After-Swap"] = "sync-changed"
    return answer
