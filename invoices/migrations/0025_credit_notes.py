"""Credit notes: their kind, what they credit, and a limit that Postgres keeps; their totals are never due."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KEY = "origin, status, currency, month, due_date"
COUNTED = """
    SELECT origin, CASE WHEN status = 'DRAFT' AND asked_at IS NOT NULL THEN 'ASKED' ELSE status END AS status, currency,
        date_trunc('month', issue_date)::date AS month,
        CASE WHEN status IN ('APPROVED', 'SENT', 'PART_PAID'){due} THEN due_date END AS due_date,
        {sign}1 AS invoices, {sign}total AS total, {sign}outstanding AS outstanding
    FROM {rows}"""
ADD = f"""
    INSERT INTO invoices_invoicetotal ({KEY}, invoices, total, outstanding)
    SELECT {KEY}, sum(invoices), sum(total), sum(outstanding) FROM ({{counted}}) AS counted GROUP BY {KEY}
    HAVING sum(invoices) <> 0 OR sum(total) <> 0 OR sum(outstanding) <> 0"""  # noqa: S608  # nothing from outside


def totals(due: str) -> str:
    """The function of the triggers; `due` is a further condition for counting an invoice by its due date."""
    new = COUNTED.format(rows="new_rows", sign="", due=due)
    old = COUNTED.format(rows="old_rows", sign="-", due=due)
    return f"""
CREATE OR REPLACE FUNCTION invoices_keep_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {ADD.format(counted=new)};
    ELSIF TG_OP = 'UPDATE' THEN {ADD.format(counted=f"{new} UNION ALL {old}")};
    ELSIF TG_OP = 'DELETE' THEN {ADD.format(counted=old)};
    ELSE DELETE FROM invoices_invoicetotal;
    END IF;
    RETURN NULL;
END $$
"""  # noqa: S608


# The invoice is locked first, so that of two people who credit it at once the second is counted with the first.
LIMIT = """
CREATE FUNCTION invoices_limit_credit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    credited numeric;
    invoiced numeric;
BEGIN
    SELECT total INTO invoiced FROM invoices_invoice WHERE id = NEW.credits_id FOR NO KEY UPDATE;
    SELECT -sum(total) INTO credited FROM invoices_invoice WHERE credits_id = NEW.credits_id AND status <> 'VOID';
    IF credited > invoiced THEN
        RAISE EXCEPTION 'An invoice of % cannot be credited with %.', invoiced, credited
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_is_not_credited_beyond_its_total';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER invoices_credit_is_limited AFTER INSERT OR UPDATE ON invoices_invoice
FOR EACH ROW WHEN (NEW.credits_id IS NOT NULL AND NEW.status = 'DRAFT') EXECUTE FUNCTION invoices_limit_credit();
"""
UNLIMIT = """
DROP TRIGGER invoices_credit_is_limited ON invoices_invoice;
DROP FUNCTION invoices_limit_credit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0024_sync_centre"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="invoice",
            name="invoice_of_ours_is_not_negative",
        ),
        migrations.AddField(
            model_name="invoice",
            name="credits",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_notes",
                to="invoices.invoice",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[("INVOICE", "Invoice"), ("CREDIT_NOTE", "Credit note")],
                default="INVOICE",
                editable=False,
                max_length=11,
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="credits",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credited_by",
                to="invoices.invoiceline",
            ),
        ),
        migrations.AddField(
            model_name="pull",
            name="credit_cursor",
            field=models.TextField(blank=True),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("origin", "IMPORTED"),
                    models.Q(("kind", "INVOICE"), ("net__gte", 0), ("tax__gte", 0)),
                    models.Q(("kind", "CREDIT_NOTE"), ("net__lte", 0), ("tax__lte", 0)),
                    _connector="OR",
                ),
                name="invoice_of_ours_has_the_sign_of_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("credits__isnull", True), ("kind", "INVOICE")),
                    models.Q(
                        ("kind", "CREDIT_NOTE"),
                        models.Q(
                            models.Q(("credits__isnull", True), ("origin", "IMPORTED")),
                            ("credits__isnull", False),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="invoice_is_credited_by_a_credit_note",
            ),
        ),
        migrations.RunSQL(totals(" AND kind = 'INVOICE'"), totals("")),
        migrations.RunSQL(LIMIT, UNLIMIT),
    ]
