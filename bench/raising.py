"""`python -m bench.raising 1000` raises so many invoices of five lines, approves them and sends them together."""

import os
import sys
from datetime import timedelta
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from invoices import bulk_services, services  # noqa: E402
from invoices.models import Client, TaxRate  # noqa: E402
from invoices.services import InvoiceDraft, LineDraft  # noqa: E402
from tests.chaos.people import STAFF  # noqa: E402

LINES = 5


def main(count: int) -> None:
    staff, now = User.objects.get(username=STAFF[0]), timezone.now()
    clients, rate = list(Client.objects.order_by("pk")), TaxRate.objects.get(pk="STANDARD")
    chosen = []
    for n in range(count):
        draft = _draft(clients[n % len(clients)], rate, n)
        invoice = services.create_invoice(draft=draft, actor=staff, now=now)
        chosen.append(services.approve(invoice_id=invoice.pk, actor=staff, now=now).pk)
    send = bulk_services.choose(ids=chosen, actor=staff, now=now)
    bulk_services.start(send_id=send.pk, green=count, actor=staff, now=now)


def _draft(client: Client, rate: TaxRate, n: int) -> InvoiceDraft:
    lines = [
        LineDraft(
            item=None,
            description=f"Visit {k + 1} of {n + 1}",
            quantity=Decimal(k + 1),
            unit_price=Decimal("48.00"),
            discount_percent=Decimal(0),
            tax_rate=rate,
        )
        for k in range(LINES)
    ]
    today = timezone.localdate()
    return InvoiceDraft(
        client=client,
        site=None,
        issue_date=today,
        due_date=today + timedelta(days=30),
        reference=f"PO-{n + 1}",
        notes="",
        lines=lines,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
