"""The sync centre: what waits, is processed, needs somebody, went and is parked, each held group with its mend."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from connectors.interface import PlatformError
from connectors.models import Connection
from connectors.services import live_connection, platform_of
from invoices import mending, trouble
from invoices.finding import find
from invoices.mending import Outcome
from invoices.models import Invoice, Push, PushAttempt
from invoices.models.push import PushQuerySet
from invoices.oldest import age
from invoices.push_views import mend, person
from invoices.standing import Standing, shown_number, standing
from settings_ui import fixes
from settings_ui.connector import origins
from settings_ui.fixes import Asked, ChoiceRefused, Unfit

State = Push.State
PAGE_SIZE = 50
NAMED = 20
LONGEST_REASON = 200
GONE = "Nothing is held for this reason any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the page: the states it shows, in which order, and which of them are counted."""

    code: str
    label: str
    states: tuple[str, ...]
    order: str
    is_counted: bool = True


PARTS = (
    Part(code="attention", label="Needs attention", states=(State.ATTENTION,), order="pk"),
    Part(code="waiting", label="Waiting", states=(State.READY,), order="due_at"),
    Part(code="processing", label="Processing", states=(State.SENDING, State.UNKNOWN), order="requested_at"),
    Part(code="successful", label="Successful", states=(State.SENT,), order="-sent_at", is_counted=False),
    Part(code="parked", label="Parked", states=(State.PARKED,), order="held_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One push as the page shows it."""

    push: Push
    number: str
    stands: Standing
    began_at: datetime | None
    message: str
    took: str
    held_for: str


@require_safe
@csp_update({"form-action": origins()})
def sync_centre(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return _tabs(request)
    return _page(request)


def _page(request: HttpRequest, asked: Asked | None = None, unfit: Exception | None = None) -> HttpResponse:
    """`asked` is the group whose form was filled in, `unfit` what is wrong with that."""
    connection, part, q = live_connection(), _part(request), request.GET.get("q", "").replace("\x00", "").strip()[:100]
    context: dict[str, Any] = {"connection": connection, "part": part, "q": q, **_counts(request, connection)}
    if connection:
        context["platform_label"] = platform_of(connection).label
        context["is_broken"] = connection.state == Connection.State.RECONNECT
    cause = request.GET.get("cause")
    if part.code == "attention" and not q and cause is None:
        context |= _groups(request, connection, asked, unfit)
    else:
        context |= _rows(request, connection, part, q, cause)
    return render(request, "sync/page.html", context, status=422 if unfit else 200)


def _part(request: HttpRequest) -> Part:
    return next((part for part in PARTS if part.code == request.GET.get("show")), PARTS[0])


def _counts(request: HttpRequest, connection: Connection | None) -> dict[str, Any]:
    found = trouble.counts(connection)
    tabs = [(part, sum(found[state] for state in part.states) if part.is_counted else None) for part in PARTS]
    oldest = trouble.held(connection).filter(state=State.PARKED).order_by("held_at")
    since = oldest.values_list("held_at", flat=True).first() if found[State.PARKED] else None
    seen = "-".join(str(count) for _, count in tabs if count is not None)
    return {"tabs": tabs, "parked_for": age(timezone.now() - since) if since else "", "seen": seen}


def _tabs(request: HttpRequest) -> HttpResponse:
    """The counts as they are now, or 204 where they still say what was seen."""
    counts = _counts(request, live_connection())
    if request.GET.get("seen") == counts["seen"]:
        return HttpResponse(status=204)
    return render(request, "sync/_tabs.html", {**counts, "part": _part(request), "moved": True})


def _groups(
    request: HttpRequest, connection: Connection | None, asked: Asked | None, unfit: Exception | None
) -> dict[str, Any]:
    found = trouble.groups(connection) if connection else []
    shown = trouble.shown(found[: trouble.MOST_GROUPS])
    cards = []
    for group in shown:
        mine = Asked(request=request, connection=connection, group=group) if connection else None
        is_asked = asked is not None and asked.group.key == group.key
        cards.append(
            (group, fixes.panel(mine, unfit if is_asked else None) if mine else {}, _elsewhere(request, group))
        )
    return {"cards": cards, "more_groups": len(found) - len(shown), "now": timezone.now()}


def _elsewhere(request: HttpRequest, group: trouble.Group) -> dict[str, str] | None:
    """The place where it is mended, if that is one of ours."""
    problem = next(iter(group.sample.problems), None)
    found = mend(request, group.sample.invoice, problem.get("fix"), problem.get("subject", "")) if problem else None
    return None if found and "post" in found else found


def _rows(request: HttpRequest, connection: Connection | None, part: Part, q: str, cause: str | None) -> dict[str, Any]:
    pushes: QuerySet[Push] = trouble.held(connection).filter(state__in=part.states)
    if cause is not None:
        pushes = pushes.filter(cause_key=cause)
    if q:
        pushes = pushes.filter(invoice__in=find(Invoice.objects.filter(pk__in=pushes.values("invoice")), q))
    name, is_down = part.order.removeprefix("-"), part.order.startswith("-")
    pushes = _after(pushes, name, is_down, request.GET.get("after", ""))
    latest = PushAttempt.objects.filter(push=OuterRef("pk")).order_by("-n")
    told = pushes.annotate(
        began_at=Subquery(latest.values("started_at")[:1]), told=Subquery(latest.values("message")[:1])
    )
    order = told.order_by(part.order, "-pk" if is_down else "pk")
    whole = order.select_related("invoice__client", "remote", "connection").defer("invoice__frozen")
    found = list(whole.prefetch_related("invoice__remotes")[: PAGE_SIZE + 1])
    rows, further = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    kept = {key: value for key, value in (("show", part.code), ("q", q), ("cause", cause)) if value}
    last = f"{getattr(rows[-1], name)}.{rows[-1].pk}" if further else ""
    return {
        "rows": [_row(push, connection) for push in rows],
        "after": f"?{urlencode({**kept, 'after': last})}" if further else "",
        "first": f"?{urlencode(kept)}" if request.GET.get("after") else "",
        "cause": cause,
    }


def _after(pushes: QuerySet[Push], name: str, is_down: bool, key: str) -> QuerySet[Push]:
    """Past the last row of the page before; a bad key is ignored."""
    text, _, pk = key.rpartition(".")
    if not (pk.isdecimal() and len(pk) < 19):  # noqa: PLR2004  # what fits a key
        return pushes
    side = "lt" if is_down else "gt"
    beyond = Q((f"pk__{side}", int(pk)))
    if name == "pk":
        return pushes.filter(beyond)
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment):
        return pushes
    return pushes.filter(Q((f"{name}__{side}e", moment)) & (Q((f"{name}__{side}", moment)) | beyond))


def _row(push: Push, connection: Connection | None) -> Row:
    now = timezone.now()
    return Row(
        push=push,
        number=shown_number(push.invoice, connection),
        stands=standing(push, connection, now=now),
        began_at=getattr(push, "began_at", None),
        message=getattr(push, "told", None) or "",
        took=_seconds(push),
        held_for=age(now - push.held_at) if push.held_at else "",
    )


def _seconds(push: Push) -> str:
    """From the click to Sage's token."""
    if push.sent_at is None:
        return ""
    spent = (push.sent_at - push.requested_at).total_seconds()
    return f"{spent:.1f} s" if spent < 60 else age(push.sent_at - push.requested_at)  # noqa: PLR2004


@require_safe
def sync_fix(request: HttpRequest) -> HttpResponse:
    """The form of a group that asks Sage first, read when somebody opens it."""
    connection, group = _group(request.GET.get("cause", ""))
    if connection is None or group is None:
        return HttpResponse(format_html("<p>{}</p>", GONE))
    asked = Asked(request=request, connection=connection, group=group)
    form, context = fixes.form_of(connection, group), {"name": "", "may": True}
    try:
        context |= {"name": form.name, **form.show(asked)}
    except (PlatformError, Unfit) as error:
        context |= {"trouble": str(error)}
    return render(request, "sync/_fix.html", {"group": group, "panel": context})


def _group(key: str) -> tuple[Connection | None, trouble.Group | None]:
    connection = live_connection()
    found = trouble.groups(connection, key.replace("\x00", "")) if connection else []
    return connection, next(iter(trouble.shown(found)), None)


@require_POST
@csp_update({"form-action": origins()})
def sync_mend(request: HttpRequest) -> HttpResponse:
    """Mends a group's root cause and sends all of it again; what can't be used comes back as it was typed."""
    connection, group = _group(request.POST.get("cause", ""))
    if connection is None or group is None:
        messages.info(request, GONE)
        return redirect("sync-centre")
    asked, form = Asked(request=request, connection=connection, group=group), fixes.form_of(connection, group)
    if not person(request).has_perms(form.may):
        raise PermissionDenied
    try:
        outcome = form.do(asked)
    except (Unfit, ChoiceRefused, PlatformError) as error:
        return _page(request, asked, error)
    _tell(request, outcome, "queued for Sage again")
    return redirect("sync-centre")


def _named(request: HttpRequest) -> tuple[PushQuerySet, str]:
    """What a form is about, one push, a whole group or all that are parked; and the page to go back to."""
    live, posted = Push.objects.filter(connection=live_connection()), request.POST
    if posted.get("push", "").isdecimal() and len(posted["push"]) < 19:  # noqa: PLR2004  # what fits a key
        return live.filter(pk=int(posted["push"])), reverse("sync-push", args=[int(posted["push"])])
    if "cause" in posted:
        cause = posted["cause"].replace("\x00", "")
        return live.filter(state=State.ATTENTION, cause_key=cause), reverse("sync-centre")
    if posted.get("all") == "parked":
        return live.filter(state=State.PARKED), f"{reverse('sync-centre')}?show=parked"
    return live.none(), reverse("sync-centre")


@require_POST
def sync_again(request: HttpRequest) -> HttpResponse:
    """Sends again what was mended elsewhere, and unparks."""
    connection, (pushes, back) = live_connection(), _named(request)
    outcome = Outcome()
    if connection:
        outcome = mending.send_again(pushes, connection, actor=person(request), now=timezone.now())
    _tell(request, outcome, "queued for Sage again")
    return redirect(back)


@require_POST
def sync_park(request: HttpRequest) -> HttpResponse:
    pushes, back = _named(request)
    reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())
    if not reason or len(reason) > LONGEST_REASON:
        messages.error(request, "Nothing was parked: give a reason, of 200 characters at most.")
        return redirect(back)
    _tell(request, mending.park(pushes, reason=reason, actor=person(request), now=timezone.now()), "parked")
    return redirect(back)


def _tell(request: HttpRequest, outcome: Outcome, done: str) -> None:
    if count := outcome.done:
        messages.success(
            request, f"{count} invoice{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} {done}."
        )
    elif not outcome.left_out:
        messages.info(request, "Nothing was left to do here.")
    for reason, invoices in outcome.left_out.items():
        said = format_html("{} left out, {}: {}.", len(invoices), reason.rstrip("."), _links(invoices))
        messages.warning(request, said)
    if outcome.more:
        messages.warning(request, "There are more than fit into one click: press again for the rest.")


def _links(invoices: list[Invoice]) -> SafeString:
    links = ((reverse("invoice-detail", args=[one.pk]), str(one)) for one in invoices[:NAMED])
    named = format_html_join(", ", '<a href="{}">{}</a>', links)
    return format_html("{} and {} more", named, len(invoices) - NAMED) if len(invoices) > NAMED else named
