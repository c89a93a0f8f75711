"""The page everybody lands on: the figures of the business, and what is left to set up."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from connectors.services import live_connection
from incrementors.models import Group
from invoices.dashboard import figures, latest
from invoices.forecast import forecast
from invoices.models import Company
from invoices.push_views import person
from settings_ui import first_steps


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    user, connection, now = person(request), live_connection(), timezone.now()
    counted, tasks = figures(connection, now), first_steps.tasks(user, connection)
    left = sum(not task.done for task in tasks)
    context = {
        "figures": counted,
        "several": len(counted.sheets) > 1,
        "late": [sheet for sheet in counted.sheets if sheet.owed.overdue_invoices],
        "latest": latest(connection),
        "ahead": forecast(connection, Group.INVOICES),
        "company": Company.ours(),
        "today": timezone.localdate(now),
        "tasks": tasks,
        "done": len(tasks) - left,
        "left": left,
        "set_up_hidden": first_steps.is_hidden(user),
    }
    return render(request, "dashboard/page.html", context)


@require_POST
def dashboard_set_up(request: HttpRequest) -> HttpResponse:
    """Hides what is left to set up from this person's dashboard, or shows it again."""
    first_steps.hide(person(request), hidden=request.POST.get("show") != "yes")
    return redirect("dashboard")
