"""The addresses of django-ledger, as its documentation has them."""

from django.urls import include, path

urlpatterns = [path("ledger/", include("django_ledger.urls", namespace="django_ledger"))]
