"""`manage.py prepare`: what goes before the first request, in one process as each start of Django costs a second."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Migrates, gathers the static files, loads the demo business into an empty sandbox set-up, tells the sign-ins."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("demo", if_empty=True, stdout=self.stdout)
        call_command("demo", sign_ins=True, stdout=self.stdout)
        call_command("setup_code", if_needed=True, stdout=self.stdout)
