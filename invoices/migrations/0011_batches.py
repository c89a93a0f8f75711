import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def mark_drafts(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Until now only a draft had no number."""
    apps.get_model("invoices", "RemoteInvoice").objects.filter(number="").update(is_draft=True)


class Migration(migrations.Migration):
    dependencies = [("connectors", "0003_users_for_programs"), ("invoices", "0010_company_logo")]

    operations = [
        migrations.CreateModel(
            name="PushBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=32)),
                ("payload_hash", models.CharField(max_length=64)),
                ("began_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.connection"
                    ),
                ),
            ],
            options={"verbose_name_plural": "push batches"},
        ),
        migrations.AddField(
            model_name="pushattempt",
            name="batch",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="invoices.pushbatch",
            ),
        ),
        migrations.AddField(
            model_name="pushattempt", name="position", field=models.PositiveSmallIntegerField(default=0)
        ),
        migrations.AlterField(
            model_name="pushattempt",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not known yet"),
                    ("SENT", "Sent"),
                    ("FOUND", "Found in Sage"),
                    ("ABSENT", "Not in Sage"),
                    ("NOT_SENT", "Not sent"),
                    ("REJECTED", "Refused"),
                    ("SPLIT", "Refused with its batch"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="pushattempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=("batch", "position"),
                name="attempt_has_a_place_of_its_own",
            ),
        ),
        migrations.AlterField(model_name="push", name="lane", field=models.PositiveSmallIntegerField(null=True)),
        migrations.AddField(model_name="remoteinvoice", name="is_draft", field=models.BooleanField(default=False)),
        migrations.AlterField(model_name="remoteinvoice", name="checked_at", field=models.DateTimeField(null=True)),
        migrations.RunPython(mark_drafts, migrations.RunPython.noop),
    ]
