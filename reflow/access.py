"""Who may open what: one table of every address, checked before any view; what is not in it is closed."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from settings_ui.setup_code import is_empty

PUBLIC = "public"
ANYBODY = "anybody signed in"

RULES: dict[str, str] = {
    "login": PUBLIC,
    "logout": ANYBODY,
    "favicon": PUBLIC,
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "welcome": PUBLIC,
    "password-forgotten": PUBLIC,
    "password-set": PUBLIC,
    "password-change": ANYBODY,
    "company-logo": ANYBODY,
    "dashboard": "invoices.view_invoice",
    "dashboard-set-up": "invoices.view_invoice",
    "invoice-list": "invoices.view_invoice",
    "invoice-columns": "invoices.view_invoice",
    "invoice-csv": "invoices.view_invoice",
    "invoice-moving": "invoices.view_invoice",
    "invoice-chosen": "invoices.view_invoice",
    "invoice-approve-many": "invoices.approve_invoice",
    "invoice-send-many": "invoices.send_invoice",
    "invoice-next-begin": "invoices.add_invoice",
    "invoice-next": "invoices.add_invoice",
    "invoice-next-undo": "invoices.add_invoice",
    "send-list": "invoices.view_invoice",
    "send-detail": "invoices.view_invoice",
    "send-start": "invoices.send_invoice",
    "send-progress": "invoices.view_invoice",
    "send-cancel": "invoices.send_invoice",
    "send-again": "invoices.send_invoice",
    "invoice-new": "invoices.add_invoice",
    "invoice-detail": "invoices.view_invoice",
    "invoice-pdf": "invoices.view_invoice",
    "invoice-mail": "invoices.send_invoice",
    "invoice-mails": "invoices.view_invoice",
    "invoice-edit": "invoices.change_invoice",
    "scratch-keep": "invoices.add_invoice",
    "scratch-discard": "invoices.add_invoice",
    "invoice-approve": "invoices.approve_invoice",
    "invoice-draft": "invoices.approve_invoice",
    "invoice-discard": "invoices.change_invoice",
    "invoice-push": "invoices.view_invoice",
    "invoice-ask": "invoices.change_invoice",
    "invoice-checks": "invoices.view_invoice",
    "invoice-conflict": "invoices.send_invoice",
    "invoice-next-number": "invoices.send_invoice",
    "invoice-link": "invoices.send_invoice",
    "invoice-send-again": "invoices.send_invoice",
    "invoice-credit": "invoices.add_invoice",
    "invoice-void": "invoices.approve_invoice",
    "invoice-void-again": "invoices.approve_invoice",
    "invoice-void-stop": "invoices.approve_invoice",
    "import-list": "invoices.add_invoice",
    "import-new": "invoices.add_invoice",
    "import-template": "invoices.add_invoice",
    "import-detail": "invoices.add_invoice",
    "import-progress": "invoices.add_invoice",
    "import-columns": "invoices.add_invoice",
    "import-confirm": "invoices.add_invoice",
    "import-undo": "invoices.add_invoice",
    "import-bad-rows": "invoices.add_invoice",
    "invoice-hold": "invoices.send_invoice",
    "number-list": "invoices.view_invoice",
    "number-forecast": "invoices.view_invoice",
    "number-tally": "invoices.view_invoice",
    "number-csv": "invoices.view_invoice",
    "debtor-list": "invoices.view_invoice",
    "debtor-sums": "invoices.view_invoice",
    "debtor-csv": "invoices.view_invoice",
    "reminder-list": "invoices.view_invoice",
    "reminder-count": "invoices.view_invoice",
    "reminder-settings": "invoices.change_company",
    "reminder-now": "invoices.send_invoice",
    "reminder-leave-out": "invoices.send_invoice",
    "reminder-put-back": "invoices.send_invoice",
    "client-statement": "invoices.view_invoice",
    "client-statement-pdf": "invoices.view_invoice",
    "client-statement-mail": "invoices.send_invoice",
    "client-sage": "invoices.send_invoice",
    "item-sage": "invoices.send_invoice",
    "client-list": "invoices.view_client",
    "client-choices": "invoices.view_client",
    "client-new": "invoices.add_client",
    "client-create": "invoices.add_client",
    "client-edit": "invoices.change_client",
    "client-archive": "invoices.change_client",
    "item-list": "invoices.view_item",
    "item-choices": "invoices.view_item",
    "item-new": "invoices.add_item",
    "item-create": "invoices.add_item",
    "item-edit": "invoices.change_item",
    "item-archive": "invoices.change_item",
    "property-list": "invoices.view_property",
    "property-choices": "invoices.view_property",
    "property-new": "invoices.add_property",
    "property-edit": "invoices.change_property",
    "property-archive": "invoices.change_property",
    "sync-centre": "invoices.view_invoice",
    "sync-fix": "invoices.send_invoice",
    "sync-mend": "invoices.send_invoice",
    "sync-again": "invoices.send_invoice",
    "sync-park": "invoices.send_invoice",
    "sync-push": "invoices.view_invoice",
    "sync-digest": "connectors.change_connection",
    "connector": "connectors.change_connection",
    "connector-authorise": "connectors.change_connection",
    "connector-user": "connectors.change_connection",
    "connector-callback": "connectors.change_connection",
    "connector-company": "connectors.change_connection",
    "connector-account": "connectors.change_connection",
    "connector-taxes": "connectors.change_connection",
    "connector-sync": "connectors.change_connection",
    "connector-sync-now": "connectors.change_connection",
    "connector-sync-stop": "connectors.change_connection",
    "connector-sync-progress": "connectors.change_connection",
    "connector-health": "connectors.change_connection",
    "connector-preview": "connectors.change_connection",
    "connector-disconnect": "connectors.change_connection",
    "live-database": "connectors.change_connection",
    "incrementor-list": "incrementors.change_group",
    "incrementor-edit": "incrementors.change_group",
    "company": "invoices.change_company",
    "company-logo-change": "invoices.change_company",
    "person-list": "auth.change_user",
    "person-new": "auth.change_user",
    "person-edit": "auth.change_user",
    "person-link": "auth.change_user",
    "person-active": "auth.change_user",
}
# What answers before there is anybody; every other page leads to the set-up page then.
BEFORE_SET_UP = ("welcome", "favicon", "healthz", "readyz")
# What a POST needs besides, where reading is open to more people than doing.
TO_POST: dict[str, tuple[str, ...]] = {"invoice-push": ("invoices.send_invoice",)}
# Pages whose POST of somebody signed out leads back to them: what was typed is kept there as a scratch.
EDITORS = ("invoice-new", "invoice-edit")


class AccessMiddleware:
    """Lets a request through to its view only where RULES says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated:
            response.setdefault("Cache-Control", "no-store")
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        rule = RULES.get(name)
        if name not in BEFORE_SET_UP and not request.user.is_authenticated and is_empty():
            return _to(request, reverse("welcome"))
        if rule == PUBLIC:
            return None
        if not request.user.is_authenticated:
            return _to_sign_in(request, back=request.method == "GET" or name in EDITORS)
        if rule is None or not (rule == ANYBODY or request.user.has_perm(rule)):
            raise PermissionDenied
        if request.method == "POST" and not request.user.has_perms(TO_POST.get(name, ())):
            raise PermissionDenied
        return None


def _to_sign_in(request: HttpRequest, *, back: bool) -> HttpResponse:
    """Sign-in, and back here afterwards."""
    if request.headers.get("HX-Request"):
        return _to(request, reverse("login"))
    there = request.get_full_path() if back else reverse("dashboard")
    return _to(request, f"{reverse('login')}?{urlencode({'next': there})}")


def _to(request: HttpRequest, address: str) -> HttpResponse:
    """A redirect; htmx loads the whole page instead of putting it into a fragment."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
