"""The group that gives imported invoices a number of our own."""

from typing import Any

from django.db import migrations


def add_group(apps: Any, _editor: Any) -> None:
    apps.get_model("incrementors", "Group").objects.get_or_create(
        key="IMPORTED",
        defaults={"name": "Imported invoices", "prefix": "IMP-", "suffix": "", "digits": 5, "next_value": 1},
    )


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0003_sync_settings")]
    operations = [migrations.RunPython(add_group, migrations.RunPython.noop)]
