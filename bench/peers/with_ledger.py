"""django-ledger: an invoice of five lines raised, reviewed, approved and posted, and its list of invoices.

Started with the URL of an empty database or of one that an earlier run has filled, and how many invoices it holds.
"""

import sys
from decimal import Decimal
from urllib.parse import urlsplit

import django
from django.conf import settings
from turns import copies, take

URL, COUNT = urlsplit(sys.argv[1]), int(sys.argv[2])
settings.configure(
    SECRET_KEY="only-for-a-bench",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="ledger_urls",
    USE_TZ=True,
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": URL.path[1:],
            "USER": URL.username,
            "PASSWORD": URL.password,
            "HOST": URL.hostname,
            "PORT": URL.port,
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "django_ledger",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "django_ledger.context.django_ledger_context",
                ]
            },
        }
    ],
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django_ledger.models import EntityModel, InvoiceModel, ItemModel  # noqa: E402


def build():
    """The entity, its chart of accounts, a client, five services; one invoice, and copies of it."""
    call_command("migrate", verbosity=0)
    person = get_user_model().objects.create_superuser("ada", password="only-for-a-bench")
    entity = EntityModel.create_entity(
        name="Quayside Property Care Ltd", use_accrual_method=True, admin=person, fy_start_month=1
    )
    entity.create_chart_of_accounts(assign_as_default=True, commit=True, coa_name="Sales")
    entity.populate_default_coa(activate_accounts=True)
    entity.create_customer({"customer_name": "Bramley Court Residents", "description": ""})
    unit = entity.create_uom(name="Each", unit_abbr="ea")
    accounts = entity.get_coa_accounts(active=True)
    sales = accounts.filter(role="in_operational")[0]
    for place in range(1, 6):
        # `create_item_service` finds several accounts in the chart that it was given
        ItemModel.objects.create(
            entity=entity,
            name=f"Visit {place}",
            uom=unit,
            item_role=ItemModel.ITEM_ROLE_SERVICE,
            item_type=ItemModel.ITEM_TYPE_LABOR,
            earnings_account=sales,
            for_inventory=False,
            is_product_or_service=True,
        )
    create = creating()
    create()
    grow()


def grow():
    invoice = "md5(was.uuid::text || n)::uuid"
    fresh = {
        "django_ledger_ledgermodel": {"uuid": invoice, "ledger_xid": "was.ledger_xid || n"},
        "django_ledger_invoicemodel": {
            "uuid": invoice,
            "ledger_id": "md5(was.ledger_id::text || n)::uuid",
            "invoice_number": "'C-' || n",
        },
        "django_ledger_itemtransactionmodel": {
            "uuid": invoice,
            "invoice_model_id": "md5(was.invoice_model_id::text || n)::uuid",
        },
    }
    with transaction.atomic(), connection.cursor() as on:
        for table, changed in fresh.items():
            columns = [each.name for each in connection.introspection.get_table_description(on, table)]
            on.execute(copies(columns, table, changed, COUNT))
    with connection.cursor() as on:
        on.execute("VACUUM ANALYZE")


def creating():
    entity, person = EntityModel.objects.get(), get_user_model().objects.get()
    customer = entity.get_customers().get()
    items = list(ItemModel.objects.filter(item_role=ItemModel.ITEM_ROLE_SERVICE))

    def create():
        invoice = entity.create_invoice(customer_model=customer, terms=InvoiceModel.TERMS_NET_30)
        lines = {
            item.item_number: {"unit_cost": Decimal(50), "quantity": Decimal(2), "total_amount": None} for item in items
        }
        invoice.migrate_itemtxs(lines, operation=InvoiceModel.ITEMIZE_REPLACE, commit=True)
        invoice.mark_as_review(commit=True)
        invoice.mark_as_approved(entity_slug=entity.slug, user_model=person, commit=True)

    return create


def listing():
    browser, entity = Client(), EntityModel.objects.get()
    address = reverse("django_ledger:invoice-list", kwargs={"entity_slug": entity.slug})
    browser.force_login(get_user_model().objects.get())

    def ask():
        answer = browser.get(address)
        if answer.status_code != 200:
            raise AssertionError(answer.status_code)

    return ask


if sys.argv[3:] == ["build"]:
    build()
else:
    take({"create": creating(), "list": listing()})
