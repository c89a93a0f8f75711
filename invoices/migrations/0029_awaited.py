"""An index of what is awaited, the newest first: what is not overdue yet is passed over in it alone."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("invoices", "0028_owed_by_client")]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=["-issue_date", "-id", "due_date"],
                condition=Q(status__in=["SENT", "PART_PAID"]),
                name="invoice_awaited",
            ),
        ),
    ]
