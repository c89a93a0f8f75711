"""The addresses under Settings."""

from django.urls import path

from settings_ui import connector, logo, people, restored, syncing, views

urlpatterns = [
    path("company/", views.company, name="company"),
    path("company/logo/", logo.change, name="company-logo-change"),
    path("people/", people.person_list, name="person-list"),
    path("people/new/", people.person_new, name="person-new"),
    path("people/<int:pk>/", people.person_edit, name="person-edit"),
    path("people/<int:pk>/link/", people.person_link, name="person-link"),
    path("people/<int:pk>/active/", people.person_active, name="person-active"),
    path("connector/", connector.connector, name="connector"),
    path("connector/authorise/", connector.connector_authorise, name="connector-authorise"),
    path("connector/user/", connector.connector_user, name="connector-user"),
    path("connector/callback/", connector.connector_callback, name="connector-callback"),
    path("connector/company/", connector.connector_company, name="connector-company"),
    path("connector/accounts/<str:side>/", connector.connector_account, name="connector-account"),
    path("connector/taxes/", connector.connector_taxes, name="connector-taxes"),
    path("connector/sync/", connector.connector_sync, name="connector-sync"),
    path("connector/sync/now/", syncing.connector_sync_now, name="connector-sync-now"),
    path("connector/sync/stop/", syncing.connector_sync_stop, name="connector-sync-stop"),
    path("connector/sync/progress/", syncing.connector_sync_progress, name="connector-sync-progress"),
    path("connector/disconnect/", connector.connector_disconnect, name="connector-disconnect"),
    path("live/", restored.live_database, name="live-database"),
    path("incrementors/", views.incrementor_list, name="incrementor-list"),
    path("incrementors/<slug:key>/", views.incrementor_edit, name="incrementor-edit"),
]
