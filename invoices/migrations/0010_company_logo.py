"""The company's logo, kept in Postgres so that every machine has it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0004_sync_settings")]
    operations = [
        migrations.AddField(
            model_name="company",
            name="logo",
            field=models.BinaryField(blank=True, default=b""),
        )
    ]
