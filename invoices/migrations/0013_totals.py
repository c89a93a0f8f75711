"""The totals of the invoices, kept by triggers; what is there already is counted once."""

from django.db import migrations, models

KEY = "origin, status, currency, month, due_date"
COUNTED = """
    SELECT origin, CASE WHEN status = 'DRAFT' AND asked_at IS NOT NULL THEN 'ASKED' ELSE status END AS status, currency,
        date_trunc('month', issue_date)::date AS month,
        CASE WHEN status IN ('APPROVED', 'SENT', 'PART_PAID') THEN due_date END AS due_date,
        {sign}1 AS invoices, {sign}total AS total, {sign}outstanding AS outstanding
    FROM {rows}"""
ADD = f"""
    INSERT INTO invoices_invoicetotal ({KEY}, invoices, total, outstanding)
    SELECT {KEY}, sum(invoices), sum(total), sum(outstanding) FROM ({{counted}}) AS counted GROUP BY {KEY}
    HAVING sum(invoices) <> 0 OR sum(total) <> 0 OR sum(outstanding) <> 0"""  # noqa: S608  # nothing from outside
NEW, OLD = COUNTED.format(rows="new_rows", sign=""), COUNTED.format(rows="old_rows", sign="-")
FUNCTION = f"""
CREATE FUNCTION invoices_keep_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {ADD.format(counted=NEW)};
    ELSIF TG_OP = 'UPDATE' THEN {ADD.format(counted=f"{NEW} UNION ALL {OLD}")};
    ELSIF TG_OP = 'DELETE' THEN {ADD.format(counted=OLD)};
    ELSE DELETE FROM invoices_invoicetotal;
    END IF;
    RETURN NULL;
END $$
"""  # noqa: S608
SEEN = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}
TRIGGER = """
CREATE TRIGGER invoices_total_of_{done} AFTER {done} ON invoices_invoice {seen}
FOR EACH STATEMENT EXECUTE FUNCTION invoices_keep_totals()
"""
TRIGGERS = [
    (TRIGGER.format(done=done, seen=seen), f"DROP TRIGGER invoices_total_of_{done} ON invoices_invoice")
    for done, seen in SEEN.items()
]


class Migration(migrations.Migration):
    dependencies = [("invoices", "0012_comes_in")]

    operations = [
        migrations.CreateModel(
            name="InvoiceTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "origin",
                    models.CharField(choices=[("OWN", "Raised here"), ("IMPORTED", "Imported")], max_length=10),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("DRAFT", "Draft"),
                            ("ASKED", "To approve"),
                            ("APPROVED", "Approved"),
                            ("SENT", "Sent"),
                            ("PART_PAID", "Part paid"),
                            ("PAID", "Paid"),
                            ("VOID", "Void"),
                        ],
                        max_length=10,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("month", models.DateField()),
                ("due_date", models.DateField(null=True)),
                ("invoices", models.BigIntegerField()),
                ("total", models.DecimalField(decimal_places=2, max_digits=20)),
                ("outstanding", models.DecimalField(decimal_places=2, max_digits=20)),
            ],
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION invoices_keep_totals()"),
        *[migrations.RunSQL(made, undone) for made, undone in TRIGGERS],
        migrations.RunSQL(ADD.format(counted=COUNTED.format(rows="invoices_invoice", sign="")), migrations.RunSQL.noop),
    ]
