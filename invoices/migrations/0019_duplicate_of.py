"""An imported invoice that turned out to be one of ours is void, and names it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0018_push_sent")]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="duplicate_of",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="duplicates",
                to="invoices.invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("duplicate_of__isnull", True),
                    models.Q(
                        ("origin", "IMPORTED"),
                        ("outstanding", 0),
                        ("status", "VOID"),
                        models.Q(("duplicate_of", models.F("id")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="invoice_that_is_another_was_imported_and_is_void",
            ),
        ),
    ]
