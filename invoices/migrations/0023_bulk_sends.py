"""Invoices that a person sends together."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0006_budget"),
        ("invoices", "0022_debts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkSend",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chosen_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("queued_at", models.DateTimeField(null=True)),
                (
                    "chosen_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="connectors.connection",
                    ),
                ),
                (
                    "pressed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BulkMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("CHOSEN", "Chosen"),
                            ("QUEUED", "Queued"),
                            ("LEFT_OUT", "Left out"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="CHOSEN",
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="invoices.invoice"
                    ),
                ),
                (
                    "push",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="invoices.push"
                    ),
                ),
                (
                    "send",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="members", to="invoices.bulksend"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="bulksend",
            index=models.Index(
                condition=models.Q(("queued_at", None), ("started_at__isnull", False)),
                fields=["started_at"],
                name="bulk_send_to_queue",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulksend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("connection__isnull", True),
                        ("pressed_by__isnull", True),
                        ("queued_at__isnull", True),
                        ("started_at__isnull", True),
                    ),
                    models.Q(
                        ("connection__isnull", False), ("pressed_by__isnull", False), ("started_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="bulk_send_begins_over_a_connection",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkmember",
            index=models.Index(fields=["send", "state", "id"], name="bulk_member_by_state"),
        ),
        migrations.AddConstraint(
            model_name="bulkmember",
            constraint=models.UniqueConstraint(fields=("send", "invoice"), name="bulk_member_once_in_a_send"),
        ),
        migrations.AddConstraint(
            model_name="bulkmember",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("push__isnull", False), ("state", "QUEUED")),
                    models.Q(("push__isnull", True), ("state__in", ["CHOSEN", "LEFT_OUT"])),
                    ("state", "CANCELLED"),
                    _connector="OR",
                ),
                name="bulk_member_is_queued_with_a_push",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkmember",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "LEFT_OUT"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="bulk_member_is_left_out_for_a_reason",
            ),
        ),
    ]
