"""Incrementor Groups and the company; each view makes one call and answers."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from connectors import services
from incrementors.models import Group, Number
from incrementors.services import OWN_GROUPS, NumberRefused, change_group
from invoices import forecast
from invoices.models import Company
from settings_ui.forms import CompanyForm, GroupForm, counted


@require_safe
def incrementor_list(request: HttpRequest) -> HttpResponse:
    groups = [(group, group.pattern.text(group.next_value)) for group in Group.objects.order_by("-pk")]
    context = {"groups": groups, "untouched": not Number.objects.exists()}
    return render(request, "settings/incrementors.html", context)


def _typed(request: HttpRequest) -> QueryDict:
    """What was sent; the button that takes the first safe start has its number instead of the one typed."""
    data = request.POST.copy()
    if data.get("safe"):
        data["starting_position"] = request.POST["safe"]
    return data


@require_http_methods(["GET", "POST"])
def incrementor_edit(request: HttpRequest, key: str) -> HttpResponse:
    group = get_object_or_404(Group, pk=key)
    connection = services.live_connection()
    ours = connection and key in OWN_GROUPS and not connection.options.platform_numbers
    platform = services.platform_of(connection) if connection and ours else None
    data = _typed(request) if request.method == "POST" else None
    form, safe = GroupForm(data, instance=group, platform=platform), None
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    if request.method == "POST" and form.is_valid():
        start = form.cleaned_data["starting_position"]
        try:
            change_group(key=key, pattern=form.pattern, next_value=start, actor=request.user, now=timezone.now())
        except NumberRefused as refused:
            form.add_error("starting_position", str(refused))
            safe = refused.safe and (refused.safe, form.pattern.text(refused.safe))
        else:
            forecast.forget(connection)
            messages.success(request, f"{counted(group).capitalize()} is {form.pattern.text(start)}.")
            return redirect("incrementor-list")
    group.refresh_from_db()
    next_texts = [group.pattern.text(group.next_value + n) for n in range(3)]
    context = {"form": form, "group": group, "next_texts": next_texts, "safe": safe}
    context["ahead"] = forecast.forecast(connection, key)
    context["changes"] = group.changes.select_related("changed_by")[:20]
    return render(request, "settings/incrementor.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def company(request: HttpRequest) -> HttpResponse:
    form = CompanyForm(request.POST if request.method == "POST" else None, instance=Company.ours())
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("company")
    return render(request, "settings/company.html", {"form": form}, status=422 if form.errors else 200)
