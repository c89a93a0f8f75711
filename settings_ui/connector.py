"""The connector's pages: authorise, choose, map, set, disconnect; each makes one call and answers."""

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

from connectors import services
from connectors.interface import Entry, Kind, PlatformError
from connectors.models import Connection
from connectors.registry import PLATFORMS, endpoints
from connectors.services import AuthorisationFailed, ChoiceRefused, Journey
from invoices import parting
from invoices.models import TaxRate
from settings_ui.checklist import steps
from settings_ui.forms import SyncForm

JOURNEY = "connector-journey"
MOST_SHOWN = 40
ACCOUNTS = {"sales": Kind.SALES_ACCOUNTS, "purchase": Kind.PURCHASE_ACCOUNTS}


def _origins() -> list[str]:
    """Where the AUTHORISE form leads: browsers apply form-action to the redirect, too."""
    parts = [urlsplit(endpoints(platform).authorize_url) for platform in PLATFORMS]
    return [f"{part.scheme}://{part.netloc}" for part in parts]


def _callback_url() -> str:
    """From the settings, never from the request: a Host header must not choose where codes go."""
    return settings.SITE_URL + reverse("connector-callback")


def _live() -> Connection:
    connection = services.live_connection()
    if connection is None:
        raise Http404("Nothing is connected.")
    return connection


@require_safe
@csp_update({"form-action": _origins()})
def connector(request: HttpRequest) -> HttpResponse:
    connection = services.live_connection()
    offers = [{"platform": one.platform, "brand": one.brand, "label": one.label} for one in PLATFORMS.values()]
    context: dict[str, Any] = {"connection": connection, "steps": steps(connection), "offers": offers}
    if connection:
        context["platform_label"] = services.platform_of(connection).label
        context["is_sandbox"] = endpoints(connection.platform).is_sandbox
        context["forecast"] = parting.forecast(connection)
        context["shown_settings"] = SyncForm(connection=connection).shown()
        context["dies_at"] = services.refresh_expires_at(connection)
        context |= _live_lists(connection)
    return render(request, "settings/connector.html", context)


def _live_lists(connection: Connection) -> dict[str, Any]:
    """What there is to choose from, live; when Sage does not answer the page says so and shows the rest."""
    try:
        if connection.state == Connection.State.CHOOSING:
            return {"companies": services.open_connector(connection).companies()}
        if connection.is_active:
            return {"taxes": _taxes(connection)}
    except PlatformError as error:
        return {"trouble": error.message}
    return {}


def _taxes(connection: Connection) -> list[dict[str, Any]]:
    """Our rates beside what they are mapped to, or the platform's rate of the same percentage as a suggestion."""
    links = services.tax_links(connection)
    entries = services.catalogue(connection, Kind.TAX_RATES, now=timezone.now())
    rows: list[dict[str, Any]] = []
    for rate in TaxRate.objects.all():
        same = [entry for entry in entries if entry.percentage == rate.percentage]
        named = [entry for entry in same if rate.name.split()[0].lower() in entry.name.lower()]
        chosen = links[rate.pk].remote_id if rate.pk in links else next((e.id for e in named or same), "")
        percentage = next((entry.percentage for entry in entries if entry.id == chosen), None)
        rows.append(
            {
                "rate": rate,
                "entries": entries,
                "chosen": chosen,
                "mapped": rate.pk in links,
                "percentage": percentage,
                "same": percentage == rate.percentage,
                "shared": next((row["rate"].name for row in rows if row["chosen"] == chosen), ""),
            }
        )
    return rows


@require_POST
@csp_update({"form-action": _origins()})
def connector_authorise(request: HttpRequest) -> HttpResponse:
    platform = request.POST.get("platform", "")
    if platform not in PLATFORMS:
        raise Http404("This platform is not offered.")
    try:
        journey = services.begin(platform, redirect_uri=_callback_url())
    except AuthorisationFailed as failed:
        messages.error(request, str(failed))
        return redirect("connector")
    request.session[JOURNEY] = asdict(journey)
    return HttpResponseRedirect(journey.url)


@require_safe
def connector_callback(request: HttpRequest) -> HttpResponse:
    """The way back from Sage; the journey is taken out of the session first, so it can be ended once only."""
    begun = request.session.pop(JOURNEY, None)
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    try:
        connection = services.complete(
            Journey(**begun) if begun else None,
            {name: request.GET[name] for name in request.GET},
            redirect_uri=_callback_url(),
            actor=request.user,
            now=timezone.now(),
        )
    except AuthorisationFailed as failed:
        messages.error(request, str(failed))
    else:
        messages.success(request, f"Connected to {connection.company_name or 'Sage: now choose the organisation'}.")
    return redirect("connector")


@require_POST
def connector_company(request: HttpRequest) -> HttpResponse:
    try:
        services.choose_company(_live(), request.POST.get("company", ""))
    except (ChoiceRefused, PlatformError) as refused:
        messages.error(request, str(refused))
    return redirect("connector")


@require_http_methods(["GET", "POST"])
def connector_account(request: HttpRequest, side: str) -> HttpResponse:
    """Search Sage's live list of ledger accounts and choose the default for sales or for purchases."""
    if side not in ACCOUNTS:
        raise Http404("There are sales and purchase accounts.")
    connection, kind = _live(), ACCOUNTS[side]
    q, error = request.GET.get("q", "").strip()[:50], ""
    entries: tuple[Entry, ...] = ()
    try:
        entries = services.catalogue(connection, kind, now=timezone.now())
        if request.method == "POST":
            services.choose_account(connection, kind, request.POST.get("account", ""), now=timezone.now())
            return redirect("connector")
    except (ChoiceRefused, PlatformError) as refused:
        error = str(refused)
    found = [entry for entry in entries if q.lower() in f"{entry.code} {entry.name}".lower()]
    context = {"side": side, "q": q, "error": error, "found": found[:MOST_SHOWN], "more": len(found) > MOST_SHOWN}
    context["chosen"] = getattr(connection, f"{side}_account_id")
    partial = request.headers.get("HX-Request") and request.method == "GET"
    status = 422 if error and request.method == "POST" else 200
    return render(request, f"settings/{'_choices' if partial else 'account'}.html", context, status=status)


@require_POST
def connector_taxes(request: HttpRequest) -> HttpResponse:
    chosen = {rate.pk: request.POST.get(f"rate-{rate.pk}", "") for rate in TaxRate.objects.all()}
    try:
        services.map_tax_rates(_live(), chosen, now=timezone.now())
    except (ChoiceRefused, PlatformError) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "The tax rates are mapped.")
    return redirect("connector")


@require_http_methods(["GET", "POST"])
def connector_sync(request: HttpRequest) -> HttpResponse:
    """The sync settings of this connection; only those its platform can use are there."""
    connection = _live()
    form = SyncForm(request.POST if request.method == "POST" else None, connection=connection)
    if request.method == "POST" and form.is_valid():
        services.set_sync_settings(connection, form.stored())
        messages.success(request, "Saved. The settings hold from the next invoice that is sent.")
        return redirect("connector")
    context = {"form": form, "platform_label": services.platform_of(connection).label}
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
    context = {"connection": connection, "forecast": parting.forecast(connection)}
    context["platform_label"] = services.platform_of(connection).label
    return render(request, "settings/disconnect.html", context)
