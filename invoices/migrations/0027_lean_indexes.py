"""Indexes that only cost: of who did something, asked by nobody, and those that begin a longer one or index nothing.

An attempt's push keeps its own: with it Django would drop the constraint that only one attempt is unresolved.
"""

from django.conf import settings
from django.db import migrations, models
from django.db.models import CASCADE, PROTECT, ForeignKey, Q

USER = settings.AUTH_USER_MODEL
BARE = {
    ("bulkmember", "send"): ForeignKey("invoices.bulksend", CASCADE, related_name="members", db_index=False),
    ("bulkmember", "invoice"): ForeignKey("invoices.invoice", PROTECT, related_name="+", db_index=False),
    ("bulkmember", "push"): ForeignKey("invoices.push", PROTECT, null=True, related_name="+", db_index=False),
    ("event", "actor"): ForeignKey(USER, PROTECT, null=True, related_name="+", db_index=False),
    ("invoice", "approved_by"): ForeignKey(USER, PROTECT, null=True, related_name="+", db_index=False),
    ("invoice", "created_by"): ForeignKey(USER, PROTECT, null=True, related_name="+", db_index=False),
    ("invoice", "credits"): ForeignKey(
        "invoices.invoice", PROTECT, null=True, related_name="credit_notes", editable=False, db_index=False
    ),
    ("invoice", "duplicate_of"): ForeignKey(
        "invoices.invoice", PROTECT, null=True, related_name="duplicates", editable=False, db_index=False
    ),
    ("invoiceline", "credits"): ForeignKey(
        "invoices.invoiceline", PROTECT, null=True, related_name="credited_by", editable=False, db_index=False
    ),
    ("invoiceline", "invoice"): ForeignKey("invoices.invoice", CASCADE, related_name="lines", db_index=False),
    ("push", "invoice"): ForeignKey("invoices.invoice", PROTECT, related_name="pushes", db_index=False),
    ("push", "requested_by"): ForeignKey(USER, PROTECT, related_name="+", db_index=False),
}
FEW = {
    "bulkmember": (("push", "bulk_member_push"),),
    "invoice": (("credits", "invoice_credits"), ("duplicate_of", "invoice_duplicates")),
    "invoiceline": (("credits", "line_credits"),),
}


class Migration(migrations.Migration):
    dependencies = [("invoices", "0026_speed"), migrations.swappable_dependency(USER)]

    operations = [
        *(migrations.AlterField(model_name=model, name=name, field=field) for (model, name), field in BARE.items()),
        *(
            migrations.AddIndex(
                model_name=model,
                index=models.Index(fields=[field], condition=Q((f"{field}__isnull", False)), name=name),
            )
            for model, fields in FEW.items()
            for field, name in fields
        ),
    ]
