"""Numbers are found by any part of their text, and by their figure; both this app and `invoices` need pg_trgm."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import TrigramExtension
from django.db import DatabaseError, migrations, models

HOW = (
    "Reflow needs the extension pg_trgm, which belongs to Postgres, and this user may not add it to the database. "
    "Have its owner run: CREATE EXTENSION pg_trgm; and start Reflow again."
)


class Trigrams(TrigramExtension):
    """Adds the extension where it isn't there; the owner of a database may, since it is a trusted one."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        except DatabaseError as refused:
            raise DatabaseError(f"{HOW} Postgres says: {refused}") from refused

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """It stays: others may use it."""


class Migration(migrations.Migration):
    dependencies = [("incrementors", "0004_imported")]

    operations = [
        Trigrams(),
        migrations.AddIndex(
            model_name="number",
            index=models.Index(fields=["value"], name="number_by_value"),
        ),
        migrations.AddIndex(
            model_name="number",
            index=models.Index(fields=["holder"], name="number_by_holder"),
        ),
        migrations.AddIndex(
            model_name="number",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper("text"), "gin_trgm_ops"),
                name="number_words",
            ),
        ),
    ]
