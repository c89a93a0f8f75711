"""Settings > People: who may sign in and as what; invite, change, shut out, bring back, hand over a link."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from settings_ui import accounts, roles
from settings_ui.models import AccessChange
from settings_ui.people_forms import InvitationForm, PersonForm
from settings_ui.throttle import is_held_back

LINK = "link-to-hand-over"


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    return request.user


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    people = list(User.objects.prefetch_related("groups").order_by("-is_active", "first_name", "last_name", "pk"))
    ends, now = accounts.links_end(people), timezone.now()
    rows = [(person, accounts.role_of(person), _open_until(ends.get(person.pk), now)) for person in people]
    admins = [person for person, role, _ in rows if role == accounts.ADMIN and person.is_active]
    context = {"rows": rows, "only_admin": admins[0] if len(admins) == 1 else None, "deeds": roles.deeds()}
    return render(request, "settings/people.html", {**context, "roles": roles.ROLES})


def _open_until(end: datetime | None, now: datetime) -> datetime | None:
    """When a link that still opens ends; None where there is none."""
    return end if end and end > now else None


@require_http_methods(["GET", "POST"])
def person_new(request: HttpRequest) -> HttpResponse:
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person, role = form.save(commit=False), form.cleaned_data["role"]
        try:
            link = accounts.invite(person=person, role=role, actor=_actor(request), now=timezone.now())
        except accounts.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return _hand_over(request, person, link)
    return render(request, "settings/people_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def person_edit(request: HttpRequest, pk: int) -> HttpResponse:
    person, actor = get_object_or_404(User, pk=pk), _actor(request)
    form = PersonForm(request.POST or None, instance=person, is_oneself=person == actor)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.change(person=person, role=form.cleaned_data["role"], actor=actor, now=timezone.now())
        except accounts.Refused as refused:
            form.add_error("role", str(refused))
        else:
            messages.success(request, "Saved.")
            return redirect("person-list")
    return _person_page(request, person.pk, form)


def _person_page(request: HttpRequest, pk: int, form: PersonForm) -> HttpResponse:
    person = User.objects.get(pk=pk)
    waiting = request.session.get(LINK, {})
    context: dict[str, Any] = {
        "form": form,
        "person": person,
        "role": accounts.role_of(person),
        "is_oneself": person == request.user,
        "held_back": is_held_back(person, timezone.now()),
        "link": request.session.pop(LINK)["link"] if waiting.get("person") == pk else "",
        "days": accounts.link_days(),
        "until": _open_until(accounts.links_end([person]).get(pk), timezone.now()),
        "changes": AccessChange.objects.filter(person=person).select_related("actor")[:50],
    }
    return render(request, "settings/people_edit.html", context, status=422 if form.errors else 200)


@require_POST
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    try:
        link = accounts.make_link(person=person, actor=_actor(request), now=timezone.now())
    except accounts.Refused as refused:
        messages.error(request, str(refused))
        return redirect("person-edit", pk=pk)
    return _hand_over(request, person, link)


@require_POST
def person_active(request: HttpRequest, pk: int) -> HttpResponse:
    person, active = get_object_or_404(User, pk=pk), request.POST.get("active") == "yes"
    try:
        accounts.set_active(person=person, active=active, actor=_actor(request), now=timezone.now())
    except accounts.Refused as refused:
        messages.error(request, str(refused))
    else:
        name = person.get_full_name() or person.get_username()
        messages.success(request, f"{name} can sign in again." if active else f"{name} can no longer sign in.")
    return redirect("person-edit", pk=pk)


def _hand_over(request: HttpRequest, person: User, link: str) -> HttpResponse:
    """By mail where that works; otherwise the admin sees the link, on the next page only."""
    if accounts.mail_link(person, link):
        messages.success(request, f"A link went to {person.email}. It opens once, within {accounts.link_days()} days.")
    else:
        request.session[LINK] = {"person": person.pk, "link": link}
    return redirect("person-edit", pk=person.pk)
