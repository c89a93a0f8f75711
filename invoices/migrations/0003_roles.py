"""The three roles, as Django groups with their permissions."""

from typing import Any

from django.apps import apps as real_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

READ = ["view_invoice", "view_client", "view_item", "view_property"]
WORK = [
    *READ,
    *(f"{verb}_{noun}" for noun in ("invoice", "client", "item", "property") for verb in ("add", "change")),
    "approve_invoice",
    "send_invoice",
]
SETTINGS = ["change_company", "change_connection", "change_group"]
ROLES = {"Viewer": READ, "Staff": WORK, "Admin": [*WORK, *SETTINGS]}


def add_roles(apps: Any, _editor: Any) -> None:
    """Django makes permissions after all migrations; the roles need theirs now."""
    for label in ("invoices", "connectors", "incrementors"):
        create_permissions(real_apps.get_app_config(label), verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label__in=["invoices", "connectors", "incrementors"]
    )
    for name, codenames in ROLES.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.set(permissions.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0002_tax_rates"),
        ("connectors", "0001_initial"),
        ("incrementors", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(add_roles, migrations.RunPython.noop)]
