"""The addresses under Settings."""

from django.urls import path

from settings_ui import views

urlpatterns = [
    path("company/", views.company, name="company"),
    path("connector/", views.connector, name="connector"),
    path("connector/authorise/", views.connector_authorise, name="connector-authorise"),
    path("connector/callback/", views.connector_callback, name="connector-callback"),
    path("connector/company/", views.connector_company, name="connector-company"),
    path("connector/accounts/<str:side>/", views.connector_account, name="connector-account"),
    path("connector/taxes/", views.connector_taxes, name="connector-taxes"),
    path("incrementors/", views.incrementor_list, name="incrementor-list"),
    path("incrementors/<slug:key>/", views.incrementor_edit, name="incrementor-edit"),
]
