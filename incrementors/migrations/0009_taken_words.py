"""Words are only looked for in numbers that were given up: who holds one has it on its own record."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations
from django.db.models import Q
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0008_lean_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="number",
            index=GinIndex(
                OpClass(Upper("text"), "gin_trgm_ops"), condition=Q(outcome="TAKEN"), name="number_taken_words"
            ),
        ),
        migrations.RemoveIndex(model_name="number", name="number_words"),
    ]
