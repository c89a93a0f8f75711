"""Everything that was sent to Sage for one invoice and what was answered; and who wants the daily digest."""

import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.timezone import localtime
from django.views.decorators.http import require_http_methods, require_safe

from connectors.heard import pretty, without_secrets
from connectors.services import live_connection, platform_of
from invoices.models import DigestMail, DigestWish, Push, PushAttempt
from invoices.push_views import person
from invoices.standing import shown_number, standing

MOST = 50


@require_safe
def sync_push(request: HttpRequest, pk: int) -> HttpResponse:
    """Each attempt, the latest first, word for word but for secrets."""
    pushes = Push.objects.select_related("invoice__client", "connection", "remote", "requested_by")
    push = get_object_or_404(pushes, pk=pk)
    attempts = list(push.attempts.select_related("batch").order_by("-n")[: MOST + 1])
    connection = live_connection()
    context = {
        "push": push,
        "number": shown_number(push.invoice, connection),
        "stands": standing(push, connection, now=timezone.now()),
        "platform_label": platform_of(push.connection).label,
        "attempts": [_told(attempt) for attempt in attempts[:MOST]],
        "more": len(attempts) > MOST,
        "may_have_left": any(attempt.resolved_at is None and attempt.document for attempt in attempts),
        "is_live": bool(connection and connection.pk == push.connection_id),
    }
    return render(request, "sync/push.html", context)


def _told(attempt: PushAttempt) -> dict[str, Any]:
    sent = json.dumps(attempt.document, indent=2, ensure_ascii=False) if attempt.document else ""
    ended = attempt.resolved_at
    return {
        "row": attempt,
        "sent": without_secrets(sent),
        "answer": without_secrets(pretty(attempt.answer)),
        "took": f"{(ended - attempt.started_at).total_seconds():.1f} s" if ended else "",
    }


class DigestForm(forms.Form):
    wanted = forms.BooleanField(required=False, label="Mail me a digest once a day")
    hour = forms.TypedChoiceField(
        choices=[(n, f"{n:02}:00") for n in range(24)],
        coerce=int,
        initial=8,
        label="At",
        help_text="By this installation's clock. On a day with nothing to say no mail is sent.",
    )


@require_http_methods(["GET", "POST"])
def sync_digest(request: HttpRequest) -> HttpResponse:
    """Whether this admin wants the digest, and when."""
    user = person(request)
    wish = DigestWish.objects.filter(person=user).first()
    known = {"wanted": wish is not None, "hour": wish.hour if wish else 8}
    form = DigestForm(request.POST if request.method == "POST" else None, initial=known)
    if request.method == "POST" and form.is_valid():
        _keep(request, form.cleaned_data)
        return redirect("sync-centre")
    context = {"form": form, "mail_is_set_up": settings.MAIL_IS_SET_UP, "address": user.email}
    return render(request, "sync/digest.html", context, status=422 if form.errors else 200)


def _keep(request: HttpRequest, wanted: dict[str, Any]) -> None:
    """The first one comes the next time that hour begins, never at once."""
    user, now = person(request), timezone.now()
    if not wanted["wanted"]:
        DigestWish.objects.filter(person=user).delete()
        messages.success(request, "No digest is sent to you.")
        return
    DigestWish.objects.update_or_create(person=user, defaults={"hour": wanted["hour"]})
    if wanted["hour"] <= localtime(now).hour:
        day = localtime(now).date().isoformat()
        DigestMail.objects.get_or_create(person=user, about=day, defaults={"sent_at": now})
    messages.success(request, f"A digest goes to {user.email or 'you'} each day at {wanted['hour']:02}:00.")
