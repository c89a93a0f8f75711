"""The record of what was done about who may sign in, and the admins' permission to do it."""

from typing import Any

import django.db.models.deletion
from django.apps import apps as real_apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def let_admins_change_people(apps: Any, _editor: Any) -> None:
    """Django makes permissions after all migrations; the role needs this one now."""
    create_permissions(real_apps.get_app_config("auth"), verbosity=0)
    permission = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="auth", codename="change_user"
    )
    apps.get_model("auth", "Group").objects.get(name="Admin").permissions.add(permission)


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("invoices", "0003_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="AccessChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("happened_at", models.DateTimeField()),
                ("text", models.CharField(max_length=300)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-happened_at", "-id"]},
        ),
        migrations.RunPython(let_admins_change_people, migrations.RunPython.noop),
    ]
