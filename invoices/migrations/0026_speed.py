"""Indexes for what is looked up by number, for clients, and for what is owed, told from its index alone."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations, models
from django.db.models.functions import Upper

WORDS = ("name", "reference", "email", "city", "postal_code")


class Migration(migrations.Migration):
    dependencies = [("invoices", "0025_credit_notes")]

    operations = [
        migrations.AddIndex(
            model_name="client",
            index=models.Index(fields=["name", "id"], name="client_by_name"),
        ),
        migrations.AddIndex(
            model_name="client",
            index=GinIndex(*(OpClass(Upper(name), "gin_trgm_ops") for name in WORDS), name="client_words"),
        ),
        migrations.AddIndex(model_name="invoice", index=models.Index(Upper("number"), name="invoice_by_number")),
        migrations.AlterField(
            model_name="remoteinvoice",
            name="number",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AddIndex(model_name="remoteinvoice", index=models.Index(Upper("number"), name="remote_by_number")),
        migrations.AddIndex(
            model_name="remoteinvoice",
            index=models.Index(
                condition=models.Q(("number", "")), fields=["connection", "id"], name="remote_number_to_come"
            ),
        ),
        migrations.AddIndex(
            model_name="invoicemail",
            index=models.Index(
                condition=models.Q(("kind", "REMINDER")), fields=["-requested_at", "-id"], name="mail_reminders"
            ),
        ),
        migrations.RemoveIndex(model_name="invoice", name="invoice_owed_by_client"),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status__in", ["SENT", "PART_PAID"])),
                fields=["client", "due_date"],
                include=("currency", "outstanding", "issue_date", "kind"),
                name="invoice_owed_by_client",
            ),
        ),
    ]
