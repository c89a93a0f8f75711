"""Lists by total and searches pass over what does not fit in an index alone; and without indexes that nobody asks.

These are of a line's tax rate and for the beginnings of a number, each a second one that Django adds to a text.
"""

from django.db import migrations, models
from django.db.models import PROTECT, ForeignKey


class Migration(migrations.Migration):
    dependencies = [("invoices", "0029_awaited")]

    operations = [
        migrations.RemoveIndex(model_name="invoice", name="invoice_by_total"),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["total", "id", "due_date", "issue_date", "status"], name="invoice_by_total"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["id", "client", "status"], name="invoice_last_added"),
        ),
        migrations.AlterField(
            model_name="invoice", name="number", field=models.CharField(max_length=25, null=True, editable=False)
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=["number"], name="invoice_number_is_given_once"),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="tax_rate",
            field=ForeignKey("invoices.taxrate", PROTECT, null=True, related_name="+", db_index=False),
        ),
    ]
