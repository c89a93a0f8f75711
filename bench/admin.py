"""Django's own admin on the same invoices, as a team gets it for nothing: what our list is compared with."""

from collections.abc import Callable, Iterator

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client as Browser
from django.test import override_settings
from django.urls import path

from bench import rounds
from bench.goals import Figure
from bench.pages import Side
from invoices.models import Invoice

PLAIN = (
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "bench.admin.own_addresses",
)
PAGES = {
    # what is compared: our address, and the admin's
    "first page": ("/invoices/", "/admin/invoices/invoice/"),
    "by total": ("/invoices/?sort=-total", "/admin/invoices/invoice/?o=-6"),
    "of one status": ("/invoices/?status=PAID", "/admin/invoices/invoice/?status__exact=PAID"),
    "searched": ("/invoices/?q=bramley", "/admin/invoices/invoice/?q=bramley"),
}


class InvoiceAdmin(ModelAdmin):  # type: ignore[type-arg]  # it takes none at run time
    """As the tutorial has it: the same columns, the same number of rows."""

    list_display = (
        *("number", "client", "site", "reference", "issue_date", "due_date"),
        *("total", "outstanding", "status", "created_at"),
    )
    list_select_related = ("client", "site")
    list_per_page = 50
    list_filter = ("status",)
    search_fields = ("number", "client__name", "reference")
    ordering = ("-issue_date", "-id")


SITE = AdminSite()
SITE.register(Invoice, InvoiceAdmin)
urlpatterns = [path("admin/", SITE.urls), path("favicon.ico", lambda _: HttpResponse(status=204))]


def own_addresses(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware: what comes through it is the admin's."""

    def answer(request: HttpRequest) -> HttpResponse:
        request.urlconf = "bench.admin"
        return get_response(request)

    return answer


def beside(side: Side) -> Side:
    """Somebody who is signed in to the admin, in the same database."""
    browser = Browser()
    with override_settings(MIDDLEWARE=PLAIN):
        browser.handler.load_middleware()
    browser.force_login(User.objects.get(username="django"))
    return Side(side.name, browser)


def run(count: int) -> Iterator[Figure]:
    """Page by page, ours and the admin's by turns."""
    ours = Side.of(count)
    theirs = beside(ours)
    for what, (mine, other) in PAGES.items():
        took = rounds.measure({"Reflow": lambda a=mine: ours.get(a), "admin": lambda a=other: theirs.get(a)})  # type: ignore[misc]
        plain = f"{took.milliseconds('Reflow'):.1f} ms, admin {took.milliseconds('admin'):.1f} ms"
        yield Figure(goal="10", what=what, samples=took.ratios("Reflow", "admin"), plain=plain)
