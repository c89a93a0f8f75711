"""Words are only looked for in numbers that were given up: who holds one has it on its own record."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations
from django.db.models import Q
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    atomic = False  # nobody waits for an index
    dependencies = [("incrementors", "0008_lean_indexes")]

    operations = [
        RemoveIndexConcurrently(model_name="number", name="number_words"),
        AddIndexConcurrently(
            model_name="number",
            index=GinIndex(
                OpClass(Upper("text"), "gin_trgm_ops"), condition=Q(outcome="TAKEN"), name="number_taken_words"
            ),
        ),
    ]
