"""The page on which an admin says that a restored copy is the live database, and sees what it missed."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors import epoch
from connectors.services import live_connection
from invoices import restoring
from invoices.models import Push


@require_http_methods(["GET", "POST"])
def live_database(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        assert isinstance(request.user, User)  # noqa: S101  # for the type checker
        if "stopped" in request.POST:
            restoring.confirm(actor=request.user, now=now)
        else:
            messages.error(request, "Tick the box first: two that are live at once would send the same invoices twice.")
        return redirect("live-database")
    context = {
        "is_copy": epoch.is_copy(),
        "row": epoch.confirmed(),
        "known_until": restoring.last_known(now),
        "waiting": Push.objects.exclude(state__in=[Push.State.SENT, Push.State.CANCELLED]).count(),
        "connection": live_connection(),
    }
    return render(request, "settings/live.html", context)
