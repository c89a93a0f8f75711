"""`manage.py check_totals`: whether the totals say what the invoices say; `--mend` puts right what doesn't."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from invoices import balances
from invoices.models import ClientOwed


class Command(BaseCommand):
    help = "Recounts all invoices, prints where the kept totals differ, and ends with 1 if any do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mend", action="store_true", help="put the totals right; safe while others write")

    def handle(self, *args: Any, mend: bool = False, **options: Any) -> None:
        today = timezone.localdate()
        found = balances.mend(today) if mend else balances.differences(today)
        for row in found:
            if isinstance(row, ClientOwed):
                self.stdout.write(
                    f"owed by {row.client}: {row.invoices:+} invoices, {row.outstanding:+} {row.currency}"
                )
                continue
            due = f", due {row.due_date}" if row.due_date else ""
            self.stdout.write(
                f"{row.origin} {row.status} {row.currency}, {row.month:%B %Y}{due}: "
                f"{row.invoices:+} invoices, total {row.total:+}, outstanding {row.outstanding:+}"
            )
        if found and not mend:
            raise CommandError(f"{len(found)} totals differ from the invoices. Run it with --mend to put them right.")
        self.stdout.write(f"{len(found)} totals were put right." if found else "The totals say what the invoices say.")
