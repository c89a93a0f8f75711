"""The addresses of the sync centre."""

from django.urls import path

from settings_ui import sync_centre, sync_details

urlpatterns = [
    path("", sync_centre.sync_centre, name="sync-centre"),
    path("fix/", sync_centre.sync_fix, name="sync-fix"),
    path("mend/", sync_centre.sync_mend, name="sync-mend"),
    path("again/", sync_centre.sync_again, name="sync-again"),
    path("park/", sync_centre.sync_park, name="sync-park"),
    path("digest/", sync_details.sync_digest, name="sync-digest"),
    path("pushes/<int:pk>/", sync_details.sync_push, name="sync-push"),
]
