"""Credit notes count by themselves."""

from typing import Any

from django.db import migrations


def add_group(apps: Any, _editor: Any) -> None:
    apps.get_model("incrementors", "Group").objects.get_or_create(
        key="CREDIT_NOTES",
        defaults={"name": "Credit notes", "prefix": "CN-", "suffix": "", "digits": 5, "next_value": 1},
    )


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0006_series")]
    operations = [migrations.RunPython(add_group, migrations.RunPython.noop)]
