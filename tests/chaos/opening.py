"""Makes an empty installation ready to be driven: people, clients, and a connection to the pretend Sage."""

import os
import sys
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")
django.setup()

from django.contrib.auth.models import Group as Role  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from connectors.services import set_sync_settings  # noqa: E402
from invoices.models import Client, Item  # noqa: E402
from tests.books import Sandbox  # noqa: E402
from tests.chaos.people import ADMIN, PASSWORD, STAFF  # noqa: E402

PEOPLE = {ADMIN: "Admin", **dict.fromkeys(STAFF, "Staff")}


def main(platform: str, sage: str, clients: int, items: int) -> None:
    people = {name: User.objects.create_user(name, password=PASSWORD) for name in PEOPLE}
    for name, role in PEOPLE.items():
        people[name].groups.add(Role.objects.get(name=role))
    for n in range(clients):
        reference = f"C{n}" if n % 2 else ""  # without one only its name tells Sage's copies apart
        Client.objects.create(name=f"Client {n} of Chaos Ltd", reference=reference, terms_days=30)
    for n in range(items):
        sort = "SERVICE" if n % 2 else "PRODUCT"
        Item.objects.create(
            code=f"CHAOS-{n}", description=f"Work {n}", sort=sort, unit_price=Decimal(1), tax_rate_id="STANDARD"
        )
    from tests import conftest  # changes how passwords are kept, so not before the people are there

    connect = conftest.authorise_intacct if platform == "intacct" else conftest.authorise
    connected = connect(Sandbox(sage), people[ADMIN], timezone.now())
    chosen = {"direction": "BOTH", "sync_every": "5", "create_items": "ON"}
    set_sync_settings(connected, {**connected.sync_settings, **chosen})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
