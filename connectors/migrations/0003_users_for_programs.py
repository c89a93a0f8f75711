from django.db import migrations, models

KINDS = [
    ("CLIENT", "Client"),
    ("ITEM", "Item"),
    ("TAX_RATE", "Tax rate"),
    ("LOCATION", "Location"),
    ("DEPARTMENT", "Department"),
]


class Migration(migrations.Migration):
    dependencies = [("connectors", "0002_sync_settings")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="username",
            field=models.CharField(blank=True, default="", max_length=150),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="remotelink", name="kind", field=models.CharField(choices=KINDS, max_length=10)
        ),
        migrations.AlterField(model_name="creation", name="kind", field=models.CharField(choices=KINDS, max_length=10)),
    ]
