"""Every address, by the part of Reflow it belongs to; who may is in `reflow.access`."""

from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from reflow import health
from settings_ui import landing, logo, sign_in, welcome

urlpatterns = [
    path("", landing.dashboard, name="dashboard"),
    path("set-up/", landing.dashboard_set_up, name="dashboard-set-up"),
    path("", include("invoices.urls")),
    path("settings/", include("settings_ui.urls")),
    path("sync/", include("settings_ui.sync_urls")),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/forgotten/", sign_in.forgotten, name="password-forgotten"),
    path("password/<uidb64>/<token>/", sign_in.PasswordSet.as_view(), name="password-set"),
    path("account/password/", sign_in.PasswordChange.as_view(), name="password-change"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("company/logo.png", logo.show, name="company-logo"),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("reflow/mark.svg")), name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
