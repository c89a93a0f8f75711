"""`manage.py demo`: sends 40 of the demo invoices to a sandbox; its options load them, and tell the sign-ins."""

import time
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from connectors.registry import PLATFORMS, endpoints
from connectors.services import live_connection
from invoices import services
from invoices.models import Invoice, Push
from reflow import demo

COUNT = 40
PATIENCE_SECONDS = 180


class Command(BaseCommand):
    help = "Sends 40 of the demo invoices through the ordinary push. Works against a sandbox only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="load the demo business into an empty database")
        parser.add_argument("--sign-ins", action="store_true", help="print who can sign in to the demo business")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sign_ins"]:
            self._sign_ins()
        elif options["if_empty"]:
            self._load()
        else:
            self._send()

    def _sign_ins(self) -> None:
        known = set(User.objects.values_list("username", flat=True))
        for username, first, last, role, password in demo.SIGN_INS:
            if username in known:
                self.stdout.write(f"{username} / {password}  ({role}, {first} {last})")

    def _load(self) -> None:
        if User.objects.exists() or Invoice.objects.exists() or not all(map(_is_sandbox, PLATFORMS)):
            return
        with transaction.atomic():
            demo.load(now=timezone.now())
        self.stdout.write(f"Loaded the demo business: {demo.INVOICES} invoices, none sent.")

    def _send(self) -> None:
        connection = live_connection()
        if connection is None or not connection.is_active:
            raise CommandError(
                "Nothing is connected yet: sign in as admin and press AUTHORISE under Settings > "
                "Cloud Accounting Connector."
            )
        if not _is_sandbox(connection.platform):
            raise CommandError("This is not a sandbox. Demo invoices are never sent into real books.")
        invoices = demo.to_send(COUNT)
        staff = User.objects.filter(groups__name="Staff").order_by("pk").first() or connection.authorised_by
        for invoice in invoices:
            try:
                services.request_push(invoice_id=invoice.pk, actor=staff, now=timezone.now())
            except services.Refused as refused:
                raise CommandError(f"{invoice} can't be sent: {refused}") from None
        self._watch([invoice.pk for invoice in invoices])

    def _watch(self, invoice_ids: list[int]) -> None:
        """Shows how far the workers are until all have ended, one way or the other."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pushes = Push.objects.filter(invoice__in=invoice_ids)
        while time.monotonic() < deadline:
            sent = pushes.filter(state=Push.State.SENT).count()
            failed = pushes.filter(state=Push.State.ATTENTION).count()
            self.stdout.write(f"\r{sent} of {len(invoice_ids)} sent, {failed} need attention", ending="")
            self.stdout.flush()
            if sent + failed == len(invoice_ids):
                self.stdout.write("")
                return
            time.sleep(0.5)
        raise CommandError("\nNot all were sent yet. They wait safely; is a worker running?")


def _is_sandbox(platform: str) -> bool:
    return endpoints(platform).is_sandbox
