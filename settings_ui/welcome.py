"""The set-up page of an installation that nobody can sign in to yet: its first admin and its company."""

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from invoices.models import Company
from settings_ui import accounts
from settings_ui.forms import CompanyForm
from settings_ui.logo import LogoField
from settings_ui.people_forms import FirstAdminForm
from settings_ui.setup_code import is_empty


class FirstCompanyForm(CompanyForm):
    class Meta(CompanyForm.Meta):
        fields = ["name", "address", "vat_number", "currency", "terms_days"]
        labels = {"name": "Company name"}

    logo = LogoField(required=False, help_text="PNG or JPEG, up to 500 KB. It can wait.")

    def save_into(self) -> Company:
        """The company as typed, not saved yet."""
        company: Company = self.save(commit=False)
        company.logo = self.cleaned_data["logo"] or b""
        return company


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    if not is_empty():
        return redirect("login")
    person = FirstAdminForm(request.POST or None)
    company = FirstCompanyForm(request.POST or None, request.FILES or None, prefix="company")
    if request.method == "POST" and all([person.is_valid(), company.is_valid()]):
        admin = person.save(commit=False)
        try:
            accounts.set_up(admin=admin, company=company.save_into(), now=timezone.now())
        except accounts.Refused as refused:
            messages.error(request, str(refused))
            return redirect("login")
        login(request, admin, backend="settings_ui.signed_in.SignedIn")
        messages.success(request, f"Welcome, {admin.first_name}. Now connect Sage, or look around first.")
        return redirect("connector")
    forms_shown: list[forms.BaseForm] = [person, company]
    status = 422 if any(form.errors for form in forms_shown) else 200
    return render(request, "welcome.html", {"person": person, "company": company, "forms": forms_shown}, status=status)
