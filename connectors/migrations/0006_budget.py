import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0005_live_database")]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="connectors.connection",
                    ),
                ),
                ("calls_left", models.DecimalField(decimal_places=3, max_digits=10)),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("calls_left__gte", 0)), name="budget_is_not_overdrawn")
                ],
            },
        ),
    ]
