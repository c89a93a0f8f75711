"""What each client owes, kept by a trigger; whose payment it was, beside it; and a client's invoices by their day."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, ForeignKey, Q

ADD = """
    IF TG_OP <> '{unless}' AND {row}.status IN ('SENT', 'PART_PAID') AND {row}.outstanding <> 0 THEN
        INSERT INTO invoices_clientowed (client_id, currency, invoices, outstanding, folded)
        VALUES ({row}.client_id, {row}.currency, {sign}1, {sign}{row}.outstanding, false);
    END IF;"""
KEEP = f"""
CREATE FUNCTION invoices_keep_owed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM invoices_clientowed;
        RETURN NULL;
    END IF;{ADD.format(unless="INSERT", row="OLD", sign="-")}{ADD.format(unless="DELETE", row="NEW", sign="")}
    RETURN NULL;
END $$;
CREATE TRIGGER invoices_owed_of_insert AFTER INSERT ON invoices_invoice FOR EACH ROW
WHEN (NEW.status IN ('SENT', 'PART_PAID')) EXECUTE FUNCTION invoices_keep_owed();
CREATE TRIGGER invoices_owed_of_update AFTER UPDATE OF status, outstanding, client_id, currency
ON invoices_invoice FOR EACH ROW WHEN (
    (NEW.status IN ('SENT', 'PART_PAID') OR OLD.status IN ('SENT', 'PART_PAID'))
    AND (NEW.status, NEW.outstanding, NEW.client_id, NEW.currency)
        IS DISTINCT FROM (OLD.status, OLD.outstanding, OLD.client_id, OLD.currency)
) EXECUTE FUNCTION invoices_keep_owed();
CREATE TRIGGER invoices_owed_of_delete AFTER DELETE ON invoices_invoice FOR EACH ROW
WHEN (OLD.status IN ('SENT', 'PART_PAID')) EXECUTE FUNCTION invoices_keep_owed();
CREATE TRIGGER invoices_owed_of_truncate AFTER TRUNCATE ON invoices_invoice
FOR EACH STATEMENT EXECUTE FUNCTION invoices_keep_owed();
"""  # noqa: S608  # nothing from outside
KEEP_NO_MORE = """
DROP TRIGGER invoices_owed_of_insert ON invoices_invoice;
DROP TRIGGER invoices_owed_of_update ON invoices_invoice;
DROP TRIGGER invoices_owed_of_delete ON invoices_invoice;
DROP TRIGGER invoices_owed_of_truncate ON invoices_invoice;
DROP FUNCTION invoices_keep_owed();
"""
COUNTED = """
INSERT INTO invoices_clientowed (client_id, currency, invoices, outstanding, folded)
SELECT client_id, currency, count(*), sum(outstanding), true FROM invoices_invoice
WHERE status IN ('SENT', 'PART_PAID') AND outstanding <> 0 GROUP BY client_id, currency
"""
WHOSE = """
UPDATE invoices_paymentseen SET client_id = invoices_invoice.client_id
FROM invoices_invoice WHERE invoices_invoice.id = invoice_id
"""
SEE = """
CREATE OR REPLACE FUNCTION invoices_see_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO invoices_paymentseen (invoice_id, {client}seen_at, amount)
    VALUES (NEW.id, {new}now(), (NEW.total - NEW.outstanding) - (OLD.total - OLD.outstanding));
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0027_lean_indexes")]

    operations = [
        migrations.CreateModel(
            name="ClientOwed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("invoices", models.BigIntegerField()),
                ("outstanding", models.DecimalField(decimal_places=2, max_digits=20)),
                ("folded", models.BooleanField(default=False)),
                (
                    "client",
                    ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="invoices.client",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["client", "currency"], name="owed_by_client"),
                    models.Index(condition=Q(folded=False), fields=["client", "currency"], name="owed_to_be_folded"),
                    models.Index(
                        F("currency"), -F("outstanding"), F("client"), condition=Q(folded=True), name="owed_most_first"
                    ),
                ],
            },
        ),
        migrations.RunSQL(KEEP, KEEP_NO_MORE),  # first, as it holds the table: nothing is missed between the two
        migrations.RunSQL(COUNTED, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="paymentseen",
            name="client",
            field=ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="invoices.client",
            ),
        ),
        migrations.RunSQL(SEE.format(client="client_id, ", new="NEW.client_id, "), SEE.format(client="", new="")),
        migrations.RunSQL(WHOSE, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="paymentseen",
            name="client",
            field=ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="invoices.client",
            ),
        ),
        migrations.AddIndex(model_name="property", index=models.Index(fields=["name", "id"], name="property_by_name")),
        migrations.AddIndex(
            model_name="paymentseen", index=models.Index(fields=["client", "seen_at"], name="payment_by_client")
        ),
        migrations.AddIndex(
            model_name="invoice", index=models.Index(fields=["client", "issue_date"], name="invoice_of_client")
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["client", "created_at"], condition=Q(origin="IMPORTED"), name="invoice_came_in"),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="client",
            field=ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="invoices.client",
            ),
        ),
    ]
