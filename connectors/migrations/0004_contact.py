"""When the platform last answered, for the health card."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0003_users_for_programs")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="contact_at",
            field=models.DateTimeField(null=True),
        ),
    ]
