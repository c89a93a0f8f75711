"""pretix: the invoice of an order with five positions, with consecutive numbers and without its PDF.

Started with the URL of an empty database or of one that an earlier run has filled, and how many invoices it holds.
"""

import os
import sys
import tempfile
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from turns import copies, take

URL, COUNT = urlsplit(sys.argv[1]), int(sys.argv[2])
HOME = tempfile.TemporaryDirectory(prefix="peer-pretix-")
os.environ.update(
    DJANGO_SETTINGS_MODULE="pretix.settings",
    DATA_DIR=HOME.name,
    PRETIX_DATABASE_BACKEND="postgresql",
    PRETIX_DATABASE_NAME=URL.path[1:],
    PRETIX_DATABASE_USER=URL.username or "",
    PRETIX_DATABASE_PASSWORD=URL.password or "",
    PRETIX_DATABASE_HOST=URL.hostname or "",
    PRETIX_DATABASE_PORT=str(URL.port),
    PRETIX_DJANGO_SECRET="only-for-a-bench",
    PRETIX_DJANGO_DEBUG="false",
)

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_scopes import scopes_disabled  # noqa: E402
from pretix.base.models import Event, Invoice, Item, Order, OrderPosition, Organizer  # noqa: E402
from pretix.base.services.invoices import generate_invoice  # noqa: E402


def build():
    """An organizer, an event with one item, an order of five positions; its invoice, and copies of it."""
    call_command("migrate", verbosity=0)
    now = timezone.now()
    organizer = Organizer.objects.create(name="Quayside Property Care Ltd", slug="quayside")
    event = Event.objects.create(organizer=organizer, name="Visits", slug="visits", date_from=now, currency="GBP")
    event.settings.invoice_numbers_consecutive = True
    item = Item.objects.create(event=event, name="Visit", default_price=Decimal(100))
    with transaction.atomic():
        order = Order.objects.create(
            event=event,
            code="QUAY1",
            email="residents@bramley.example",
            status=Order.STATUS_PENDING,
            datetime=now,
            expires=now + timedelta(days=30),
            total=Decimal(500),
            locale="en",
            sales_channel=organizer.sales_channels.get(identifier="web"),
        )
        for place in range(1, 6):
            OrderPosition.objects.create(order=order, item=item, price=Decimal(100), positionid=place)
        order.create_transactions(is_new=True)
    creating()()
    grow()


def grow():
    fresh = {
        Invoice: {
            "id": "was.id + n",
            "invoice_no": "lpad((n + 1)::text, 7, '0')",
            "full_invoice_no": "was.prefix || lpad((n + 1)::text, 7, '0')",
        },
        Invoice.lines.rel.related_model: {"id": "was.id + n * 5", "invoice_id": "was.invoice_id + n"},
    }
    with transaction.atomic(), connection.cursor() as on:
        for model, changed in fresh.items():
            columns = [field.column for field in model._meta.concrete_fields]
            table = model._meta.db_table
            on.execute(copies(columns, table, changed, COUNT))
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            on.execute(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))")  # noqa: S608  # a model's
    with connection.cursor() as on:
        on.execute("VACUUM ANALYZE")


def creating():
    order = Order.objects.select_related("event__organizer").get(code="QUAY1")

    def create():
        with transaction.atomic():
            generate_invoice(order, trigger_pdf=False)

    return create


with scopes_disabled():
    if sys.argv[3:] == ["build"]:
        build()
    else:
        take({"create": creating()})
