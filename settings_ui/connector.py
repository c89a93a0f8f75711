"""The connector's pages: authorise, choose, map, set, disconnect; each makes one call and answers."""

import re
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import authorising, services
from connectors.authorising import AuthorisationFailed, Journey
from connectors.interface import Connector, PlatformError
from connectors.models import Catalogue, Connection
from connectors.options import Kind
from connectors.registry import PLATFORMS, endpoints
from connectors.services import ChoiceRefused
from invoices import parting
from invoices.ahead import choices_of
from invoices.models import TaxRate
from settings_ui import taxes
from settings_ui.checklist import Step, is_ready, steps, undone
from settings_ui.forms import SyncForm, UsernameForm, settings_in_words
from settings_ui.health import health_of
from settings_ui.next_invoice import panel, what_if
from settings_ui.syncing import follow_settings, sync_of

JOURNEY = "connector-journey"
MOST_SHOWN = 40
LIKELY = re.compile(r"purchase|cost of (sales|goods)", re.IGNORECASE)
TITLES = {"sales": "Default nominal code", "purchase": "Default purchase ledger account"}
ACCOUNTS = {"sales": Kind.SALES_ACCOUNTS, "purchase": Kind.PURCHASE_ACCOUNTS}


def origins() -> list[str]:
    """Where the AUTHORISE form leads: browsers apply form-action to the redirect, too."""
    parts = [urlsplit(endpoints(platform).authorize_url) for platform in PLATFORMS]
    return list(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))


def _callback_url() -> str:
    """From the settings, never from the request: a Host header must not choose where codes go."""
    return settings.SITE_URL + reverse("connector-callback")


def _live() -> Connection:
    connection = services.live_connection()
    if connection is None:
        raise Http404("Nothing is connected.")
    return connection


@require_safe
@csp_update({"form-action": origins()})
def connector(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(
    request: HttpRequest, refused: UsernameForm | None = None, typed: taxes.Typed | None = None, status: int = 200
) -> HttpResponse:
    """The page as it stands now; `refused` is what was typed as a user's name, `typed` what was chosen for tax rates,
    each with what is wrong with it."""
    connection = services.live_connection()
    found = steps(connection)
    context: dict[str, Any] = {"connection": connection, "steps": found}
    if connection:
        platform = services.platform_of(connection)
        context["platform_label"] = platform.label
        context["is_sandbox"] = endpoints(connection.platform).is_sandbox
        context["is_ready"] = connection.is_active and is_ready(found)
        context["user_form"] = refused or UsernameForm(platform=platform, username=connection.username)
        context["refused"] = refused
        context |= _live_lists(connection, typed)
    else:
        context["offers"] = [_offer(one, refused) for one in PLATFORMS.values()]
    if connection and connection.company_id:
        context |= _beside(connection, found)
    return render(request, "settings/connector.html", context, status=status)


def _beside(connection: Connection, found: list[Step]) -> dict[str, Any]:
    """The cards beside the checklist: how the connection is, what was synced, what the next invoice will be."""
    now = timezone.now()
    sync = sync_of(connection, now=now)
    shown = {"sync": sync, "health": health_of(connection, found, sync, now=now)}
    return {**shown, "shown_settings": settings_in_words(connection), **panel(connection, choices_of(connection))}


def _offer(platform: type[Connector], refused: UsernameForm | None) -> dict[str, Any]:
    """A platform's card; one that has users for programs asks for the name of such a one, too."""
    mine = refused if refused and refused.platform is platform else None
    form = (mine or UsernameForm(platform=platform)) if platform.username_form else None
    return {"platform": platform.platform, "brand": platform.brand, "label": platform.label, "user_form": form}


def _live_lists(connection: Connection, typed: taxes.Typed | None) -> dict[str, Any]:
    """What there is to choose from, live; when Sage does not answer the page says so and shows the rest."""
    try:
        if connection.state == Connection.State.CHOOSING:
            return {"companies": services.open_connector(connection).companies()}
        if connection.is_active:
            rows = taxes.rows(connection, now=timezone.now(), typed=typed)
            ask = any(row.badge in ("gone", "differs") for row in rows)
            return {"taxes": rows, "taxes_ask": ask, "tax_error": typed.error if typed else ""}
    except PlatformError as error:
        return {"trouble": error.message}
    return {}


@require_POST
@csp_update({"form-action": origins()})
def connector_authorise(request: HttpRequest) -> HttpResponse:
    platform = request.POST.get("platform", "")
    if platform not in PLATFORMS:
        raise Http404("This platform is not offered.")
    try:
        journey = authorising.begin(platform, redirect_uri=_callback_url())
    except AuthorisationFailed as failed:
        messages.error(request, str(failed))
        return redirect("connector")
    request.session[JOURNEY] = asdict(journey)
    return HttpResponseRedirect(journey.url)


@require_POST
@csp_update({"form-action": origins()})
def connector_user(request: HttpRequest) -> HttpResponse:
    """Connects as a user made for programs in the platform; what is wrong with it comes back beside its name."""
    platform = PLATFORMS.get(request.POST.get("platform", ""))
    if platform is None or not platform.username_form:
        raise Http404("This platform has no users for programs.")
    form = UsernameForm(request.POST, platform=platform)
    if not form.is_valid():
        return _page(request, form, status=422)
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    username = form.cleaned_data["username"]
    try:
        connection = authorising.connect_as(platform.platform, username, actor=request.user, now=timezone.now())
    except AuthorisationFailed as failed:
        form.add_error("username", str(failed))
        return _page(request, form, status=422)
    messages.success(request, _connected(connection))
    return redirect("connector")


def _connected(connection: Connection) -> str:
    return f"Connected to {connection.company_name or 'Sage: now choose the organisation'}."


@require_safe
def connector_callback(request: HttpRequest) -> HttpResponse:
    """The way back from Sage; the journey is taken out of the session first, so it can be ended once only."""
    begun = request.session.pop(JOURNEY, None)
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    try:
        connection = authorising.complete(
            Journey(**begun) if begun else None,
            {name: request.GET[name] for name in request.GET},
            redirect_uri=_callback_url(),
            actor=request.user,
            now=timezone.now(),
        )
    except AuthorisationFailed as failed:
        messages.error(request, str(failed))
    else:
        messages.success(request, _connected(connection))
    return redirect("connector")


@require_POST
def connector_company(request: HttpRequest) -> HttpResponse:
    try:
        authorising.choose_company(_live(), request.POST.get("company", ""))
    except (ChoiceRefused, PlatformError) as refused:
        messages.error(request, str(refused))
    return redirect("connector")


@require_http_methods(["GET", "POST"])
def connector_account(request: HttpRequest, side: str) -> HttpResponse:
    """Search Sage's live list of ledger accounts and choose the default for sales or for purchases."""
    if side not in ACCOUNTS:
        raise Http404("There are sales and purchase accounts.")
    connection, kind = _live(), ACCOUNTS[side]
    if kind not in services.platform_of(connection).lists:
        raise Http404("This platform keeps no such list.")
    asked, error = request.POST or request.GET, ""
    q, entries = asked.get("q", "").strip()[:50], Catalogue.kept(connection, kind)
    try:
        entries = services.catalogue(connection, kind, now=timezone.now())
        if request.method == "POST":
            entry = services.choose_account(connection, kind, asked.get("account", ""), now=timezone.now())
            messages.success(request, f"{TITLES[side]}: {f'{entry.code} {entry.name}'.strip()}.")
            return redirect("connector")
    except (ChoiceRefused, PlatformError) as refused:
        error = str(refused)
    found = [entry for entry in entries if q.lower() in f"{entry.code} {entry.name}".lower()]
    context: dict[str, Any] = {"side": side, "q": q, "error": error}
    context |= {"found": found[:MOST_SHOWN], "more": len(found) > MOST_SHOWN}
    context["chosen"] = asked.get("account") or getattr(connection, f"{side}_account_id")
    if side == "purchase" and not (context["chosen"] or q):
        context["suggested"] = next((entry for entry in found[:MOST_SHOWN] if LIKELY.search(entry.name)), None)
    if request.headers.get("HX-Request") and request.method == "GET":
        return render(request, "settings/_choices.html", context)
    context |= panel(connection, what_if(connection, asked.dict()))
    status = 422 if error and request.method == "POST" else 200
    return render(request, "settings/account.html", context, status=status)


@require_POST
@csp_update({"form-action": origins()})
def connector_taxes(request: HttpRequest) -> HttpResponse:
    """Maps our rates; what can't be mapped comes back as it was chosen."""
    chosen = {rate.pk: request.POST.get(f"rate-{rate.pk}", "") for rate in TaxRate.objects.all()}
    try:
        services.map_tax_rates(_live(), chosen, now=timezone.now())
    except (ChoiceRefused, PlatformError) as refused:
        return _page(request, typed=taxes.Typed(chosen=chosen, error=str(refused)), status=422)
    messages.success(request, "The tax rates are mapped.")
    return redirect("connector")


@require_http_methods(["GET", "POST"])
def connector_sync(request: HttpRequest) -> HttpResponse:
    """The sync settings of this connection; only those its platform can use are there."""
    connection = _live()
    form = SyncForm(request.POST if request.method == "POST" else None, connection=connection)
    if request.method == "POST" and form.is_valid():
        before, options = undone(connection), connection.options
        services.set_sync_settings(connection, form.stored())
        messages.success(request, "Saved. The settings hold from the next invoice that is sent.")
        connection.refresh_from_db()
        if said := follow_settings(connection, options, now=timezone.now()):
            messages.info(request, said)
        if anew := sorted(undone(connection) - before):
            messages.warning(request, f"Sage offers another list now. To be chosen anew: {', '.join(anew)}.")
        return redirect("connector")
    choices = what_if(connection, request.POST.dict())
    context = {"form": form, "platform_label": services.platform_of(connection).label, **panel(connection, choices)}
    return render(request, "settings/sync.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def connector_disconnect(request: HttpRequest) -> HttpResponse:
    """GET: what disconnecting would do. POST: does it."""
    connection = _live()
    if request.method == "POST":
        assert isinstance(request.user, User)  # noqa: S101  # for the type checker
        parting.disconnect(connection, actor=request.user, now=timezone.now())
        messages.success(request, "Disconnecting: what is under way ends first. Every link and number is kept.")
        return redirect("connector")
    platform = services.platform_of(connection)
    context = {"connection": connection, "forecast": parting.forecast(connection)}
    context |= {"platform_label": platform.label, "revocation": platform.revocation}
    return render(request, "settings/disconnect.html", context)
