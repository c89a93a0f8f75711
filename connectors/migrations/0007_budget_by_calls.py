import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0006_budget")]

    operations = [
        migrations.RemoveConstraint(model_name="budget", name="budget_is_not_overdrawn"),
        migrations.RemoveField(model_name="budget", name="calls_left"),
        migrations.RemoveField(model_name="budget", name="counted_at"),
        migrations.AddField(
            model_name="budget",
            name="calls",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list),
        ),
    ]
