"""Passwords: forgotten ones, those chosen with a link, and changing one's own."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.views import PasswordChangeView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from settings_ui import accounts


@require_http_methods(["GET", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """The answer is the same whether somebody has that address or nobody."""
    form = PasswordResetForm(request.POST or None)
    form.fields["email"].label = "E-mail"
    context: dict[str, Any] = {"form": form, "mail": settings.MAIL_IS_SET_UP, "days": accounts.link_days()}
    if request.method == "POST" and settings.MAIL_IS_SET_UP and form.is_valid():
        for person in form.get_users(form.cleaned_data["email"]):
            accounts.mail_forgotten(person=person, now=timezone.now())
        context["asked"] = form.cleaned_data["email"]
    return render(request, "registration/password_forgotten.html", context, status=422 if form.errors else 200)


class PasswordSet(PasswordResetConfirmView):
    """The way in for who was invited or forgot their password; the link is good for one time."""

    template_name = "registration/password_set.html"
    success_url = reverse_lazy("dashboard")
    post_reset_login = True
    post_reset_login_backend = "settings_ui.signed_in.SignedIn"

    def get_user(self, uidb64: str) -> Any:
        user = super().get_user(uidb64)
        return user if user and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        accounts.chose_password(person=form.user, now=timezone.now())
        messages.success(self.request, "Your password is saved, and you are signed in.")
        return response


class PasswordChange(PasswordChangeView):
    template_name = "registration/password_change.html"
    success_url = reverse_lazy("password-change")

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        accounts.chose_password(person=form.user, now=timezone.now())
        messages.success(self.request, "Your password is changed. Other places you were signed in are signed out.")
        return response
