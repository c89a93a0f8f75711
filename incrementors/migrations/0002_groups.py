"""The groups every installation counts with."""

from typing import Any

from django.db import migrations


def add_groups(apps: Any, _editor: Any) -> None:
    apps.get_model("incrementors", "Group").objects.get_or_create(
        key="INVOICES",
        defaults={"name": "Invoices", "prefix": "INV-", "suffix": "", "digits": 5, "next_value": 1},
    )


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0001_initial")]
    operations = [migrations.RunPython(add_groups, migrations.RunPython.noop)]
