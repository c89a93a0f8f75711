"""The page everybody lands on: the figures of the business, and what is left to set up."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/page.html")
