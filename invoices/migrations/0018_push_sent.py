"""Pushes by when they were sent, so that the dashboard counts a month of them without reading all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0017_finding")]

    operations = [
        migrations.AddIndex(
            model_name="push",
            index=models.Index(condition=models.Q(("state", "SENT")), fields=["sent_at"], name="push_sent"),
        ),
    ]
