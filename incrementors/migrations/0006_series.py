"""What a number ends with, so that each series is told from the others: of numbers already given, by their text."""

from django.db import migrations, models

# What stands behind the value's own figures, once prefix and zeros are taken off.
ENDINGS = """
UPDATE incrementors_number
SET suffix = substr(ltrim(substr(text, length(prefix) + 1), '0'), length(value::text) + 1)
WHERE length(text) > length(prefix) + length(value::text)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("incrementors", "0005_words"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="number",
            name="number_newest_first",
        ),
        migrations.AddField(
            model_name="number",
            name="suffix",
            field=models.CharField(blank=True, max_length=12),
        ),
        migrations.RunSQL(ENDINGS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="number",
            index=models.Index(
                fields=["group", "prefix", "suffix", "value"], include=("outcome", "given_at"), name="number_in_series"
            ),
        ),
    ]
