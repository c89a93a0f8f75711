"""Payments as they are seen, e-mails about a client, and reminders; the payments known so far from the history."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TRIGGER = """
CREATE FUNCTION invoices_see_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO invoices_paymentseen (invoice_id, seen_at, amount)
    VALUES (NEW.id, now(), (NEW.total - NEW.outstanding) - (OLD.total - OLD.outstanding));
    RETURN NULL;
END $$;
CREATE TRIGGER invoices_payment_is_seen AFTER UPDATE OF total, outstanding ON invoices_invoice FOR EACH ROW
WHEN (
    NEW.total - NEW.outstanding <> OLD.total - OLD.outstanding
    AND NEW.status IN ('SENT', 'PART_PAID', 'PAID') AND OLD.status IN ('APPROVED', 'SENT', 'PART_PAID', 'PAID')
)
EXECUTE FUNCTION invoices_see_payment();
"""
NO_TRIGGER = """
DROP TRIGGER invoices_payment_is_seen ON invoices_invoice;
DROP FUNCTION invoices_see_payment();
"""
KNOWN = """
INSERT INTO invoices_paymentseen (invoice_id, seen_at, amount)
SELECT invoice.id, max(event.happened_at), invoice.total - invoice.outstanding
FROM invoices_invoice AS invoice JOIN invoices_event AS event ON event.invoice_id = invoice.id
WHERE invoice.status IN ('PART_PAID', 'PAID') AND invoice.total <> invoice.outstanding
    AND (event.text LIKE 'Paid in Sage%' OR event.text LIKE 'Part paid in Sage%')
GROUP BY invoice.id
"""
BODY = """Dear {client},

%s

{invoices}

In all: {total}. %s

{payment_details}

Kind regards
{company}"""
PAID = "If you have paid within the last few days, thank you: please disregard this e-mail."
STEPS = (
    (
        7,
        "Reminder from {company}: {total} is overdue",
        "This is a reminder that the following is past its due date:",
        PAID,
    ),
    (14, "Second reminder from {company}: {total} is overdue", "We have not yet received your payment of:", PAID),
    (
        30,
        "Last reminder from {company}: {total} is overdue",
        "In spite of our reminders, the following is still unpaid:",
        "Please pay it within seven days, or tell us today what stands in the way.",
    ),
)


def add_steps(apps, schema_editor):
    step = apps.get_model("invoices", "ReminderStep")
    for level, (days, subject, opening, closing) in enumerate(STEPS, start=1):
        step.objects.create(level=level, days=days, subject=subject, body=BODY % (opening, closing))


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0021_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PaymentSeen",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seen_at", models.DateTimeField(db_index=True)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
            ],
            options={
                "verbose_name_plural": "payments seen",
                "ordering": ["seen_at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.PositiveSmallIntegerField()),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ReminderHold",
            fields=[
                (
                    "invoice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="reminder_hold",
                        serialize=False,
                        to="invoices.invoice",
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
                ("held_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ReminderSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_on", models.BooleanField(default=False, verbose_name="send reminders of overdue invoices")),
                (
                    "copy_to",
                    models.EmailField(
                        blank=True,
                        help_text="Gets a copy of each, and the clients' answers.",
                        max_length=254,
                        verbose_name="copy to",
                    ),
                ),
                ("due_at", models.DateTimeField(editable=False, null=True)),
                ("ran_at", models.DateTimeField(editable=False, null=True)),
                ("trouble", models.CharField(blank=True, editable=False, max_length=300)),
            ],
            options={
                "verbose_name_plural": "reminder settings",
            },
        ),
        migrations.CreateModel(
            name="ReminderStep",
            fields=[
                ("level", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="days after the due date",
                    ),
                ),
                ("subject", models.CharField(max_length=150)),
                ("body", models.TextField(max_length=3000, verbose_name="text")),
            ],
            options={
                "ordering": ["level"],
            },
        ),
        migrations.AddField(
            model_name="client",
            name="no_reminders",
            field=models.BooleanField(
                default=False,
                help_text="Overdue invoices of this client are never reminded of by e-mail.",
                verbose_name="no reminders",
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="client",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="invoices.client"
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="kind",
            field=models.CharField(
                choices=[("INVOICE", "Invoice"), ("STATEMENT", "Statement"), ("REMINDER", "Reminder")],
                default="INVOICE",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="since",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="until",
            field=models.DateField(null=True),
        ),
        migrations.AlterField(
            model_name="invoicemail",
            name="invoice",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="invoices.invoice"
            ),
        ),
        migrations.AlterField(
            model_name="invoicemail",
            name="requested_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status__in", ["SENT", "PART_PAID"])),
                fields=["client", "due_date"],
                include=("currency", "outstanding", "issue_date"),
                name="invoice_owed_by_client",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicemail",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("client__isnull", True), ("invoice__isnull", False), ("kind", "INVOICE")),
                    models.Q(
                        ("client__isnull", False), ("invoice__isnull", True), ("kind__in", ["STATEMENT", "REMINDER"])
                    ),
                    _connector="OR",
                ),
                name="mail_is_about_an_invoice_or_a_client",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicemail",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "REMINDER"), ("requested_by__isnull", False), _connector="OR"),
                name="mail_is_asked_for_by_somebody",
            ),
        ),
        migrations.AddField(
            model_name="paymentseen",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="payments", to="invoices.invoice"
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="invoices.invoice"
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="left_out_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="mail",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reminders",
                to="invoices.invoicemail",
            ),
        ),
        migrations.AddField(
            model_name="reminderhold",
            name="held_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="remindersettings",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="reminder_settings_are_one"),
        ),
        migrations.AddConstraint(
            model_name="remindersettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("is_on", True)),
                    models.Q(("due_at__isnull", True), ("is_on", False)),
                    _connector="OR",
                ),
                name="reminders_that_are_on_are_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminderstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("days__gte", 1)), name="reminder_goes_after_the_due_date"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("invoice", "level"), name="reminder_once_for_each_step"),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("left_out_by__isnull", True), ("mail__isnull", False)),
                    models.Q(("left_out_by__isnull", False), ("mail__isnull", True)),
                    _connector="OR",
                ),
                name="reminder_goes_out_or_is_left_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminderhold",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="reminder_is_held_for_a_reason"
            ),
        ),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
        migrations.RunPython(add_steps, migrations.RunPython.noop),
    ]
