import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

IDENTITY = """(SELECT concat_ws('.', (SELECT system_identifier FROM pg_control_system()),
    (SELECT timeline_id FROM pg_control_checkpoint()), oid) FROM pg_database WHERE datname = current_database())"""


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0003_users_for_programs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LiveDatabase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identity", models.CharField(max_length=100)),
                ("copied_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("caught_up_at", models.DateTimeField(null=True)),
                ("missed", models.JSONField(default=list)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="live_database_is_one")],
            },
        ),
        migrations.RunSQL(
            f"INSERT INTO connectors_livedatabase (id, identity, missed) SELECT 1, {IDENTITY}, '[]'",
            migrations.RunSQL.noop,
        ),
    ]
