"""`manage.py setup_code`: tells the code with which the set-up page makes the first admin."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from settings_ui.setup_code import announcement, is_empty


class Command(BaseCommand):
    help = "Tells the set-up code while there is nobody who can sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-needed", action="store_true", help="say nothing when it is not needed")

    def handle(self, *args: Any, **options: Any) -> None:
        if is_empty():
            self.stdout.write(announcement())
        elif not options["if_needed"]:
            self.stdout.write("There is an admin already, so that no set-up code is needed.")
