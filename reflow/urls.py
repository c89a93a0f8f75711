"""Every address, by the part of Reflow it belongs to; who may is in `reflow.access`."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from reflow import health

urlpatterns = [
    path("", include("invoices.urls")),
    path("settings/", include("settings_ui.urls")),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
