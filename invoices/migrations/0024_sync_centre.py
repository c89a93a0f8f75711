"""The root cause of what is held, parked invoices, what Sage answered, and the daily digest."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0006_budget"),
        ("invoices", "0023_bulk_sends"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DigestMail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("about", models.CharField(max_length=20)),
                ("sent_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="DigestWish",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="push",
            name="cause_key",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="push",
            name="held_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="push",
            name="parked_because",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="pushattempt",
            name="answer",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="push",
            name="state",
            field=models.CharField(
                choices=[
                    ("READY", "Waiting"),
                    ("SENDING", "Sending"),
                    ("UNKNOWN", "Checking"),
                    ("ATTENTION", "Needs attention"),
                    ("PARKED", "Parked"),
                    ("CANCELLED", "Not sent"),
                    ("SENT", "Sent"),
                ],
                default="READY",
                max_length=10,
            ),
        ),
        migrations.RunSQL(
            "UPDATE invoices_push SET cause_key = cause, held_at = requested_at WHERE state = 'ATTENTION'",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="push",
            index=models.Index(
                condition=models.Q(("state", "ATTENTION")),
                fields=["connection", "cause_key", "id"],
                name="push_by_cause",
            ),
        ),
        migrations.AddIndex(
            model_name="push",
            index=models.Index(
                condition=models.Q(("state", "PARKED")), fields=["connection", "held_at", "id"], name="push_parked"
            ),
        ),
        migrations.AddConstraint(
            model_name="push",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("held_at__isnull", False), ("state", "PARKED"), models.Q(("parked_because", ""), _negated=True)
                    ),
                    models.Q(models.Q(("state", "PARKED"), _negated=True), ("parked_because", "")),
                    _connector="OR",
                ),
                name="push_is_parked_for_a_reason",
            ),
        ),
        migrations.AddField(
            model_name="digestmail",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="digestwish",
            name="person",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="digest_wish", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="digestmail",
            constraint=models.UniqueConstraint(fields=("person", "about"), name="digest_once_about_each"),
        ),
        migrations.AddConstraint(
            model_name="digestwish",
            constraint=models.CheckConstraint(condition=models.Q(("hour__lte", 23)), name="digest_hour_is_of_a_day"),
        ),
    ]
