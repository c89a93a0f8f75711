"""Lists by total and searches pass over what does not fit in an index alone; and without indexes that nobody asks.

These are of a line's tax rate and for the beginnings of a number, each a second one that Django adds to a text. What is
built comes first and lets pages be read; to drop an index takes a moment in which nothing is.
"""

from django.db import migrations, models
from django.db.models import PROTECT, ForeignKey

BEGINNINGS = "invoices_invoice_number_a7116fce_like"


class Migration(migrations.Migration):
    dependencies = [("invoices", "0029_awaited")]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=["total", "id", "due_date", "issue_date", "status"], name="invoice_by_total_and_day"
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["id", "client", "status"], name="invoice_last_added"),
        ),
        migrations.RemoveIndex(model_name="invoice", name="invoice_by_total"),
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {BEGINNINGS}",
            f"CREATE INDEX {BEGINNINGS} ON invoices_invoice (number varchar_pattern_ops)",
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="tax_rate",
            field=ForeignKey("invoices.taxrate", PROTECT, null=True, related_name="+", db_index=False),
        ),
    ]
