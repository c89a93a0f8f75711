"""What the list is found and ordered by, and the order of its columns."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0005_words"), ("invoices", "0016_scratch")]

    operations = [
        migrations.AddField(
            model_name="viewchoice",
            name="in_order",
            field=models.JSONField(default=list),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["due_date", "id"], name="invoice_by_due"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["total", "id"], name="invoice_by_total"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status__in", ["SENT", "PART_PAID"])),
                fields=["due_date", "id"],
                name="invoice_to_be_paid",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("reference"), "gin_trgm_ops"
                ),
                name="invoice_reference_words",
            ),
        ),
        migrations.AddIndex(
            model_name="invoiceline",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("description"), "gin_trgm_ops"
                ),
                name="line_words",
            ),
        ),
        migrations.AddIndex(
            model_name="remoteinvoice",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("number"), "gin_trgm_ops"
                ),
                name="remote_number_words",
            ),
        ),
        migrations.AddIndex(
            model_name="remoteinvoice",
            index=models.Index(django.db.models.functions.text.Upper("remote_id"), name="remote_invoice_by_token"),
        ),
    ]
