"""The index of a number's group alone only costs: another one begins with it. And one of when it was given."""

import django.db.models.deletion
from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0007_credit_notes")]

    operations = [
        migrations.AlterField(
            model_name="number",
            name="group",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="numbers",
                to="incrementors.group",
                db_index=False,
            ),
        ),
        migrations.AddIndex(
            model_name="number", index=BrinIndex(fields=["given_at"], name="number_given_at", autosummarize=True)
        ),
    ]
