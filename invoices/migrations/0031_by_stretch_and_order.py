"""No search reads all that a word is in, and no list all invoices to pass over those that its filter leaves out.

Each index of words also says of which 100,000 invoices a row is, so that it is looked up in one stretch after another.
The orders by due date and by number have what is mostly filtered by. Nobody waits while they are built, and what was
broken off is built anew. Postgres then looks at the tables, so that it knows at once how often a word is.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently, BtreeGinExtension, RemoveIndexConcurrently
from django.db import DatabaseError, migrations
from django.db.models import F, Index, Q
from django.db.models.functions import Upper

STRETCH = 100_000
TABLES = ("invoices_invoice", "invoices_invoiceline", "invoices_remoteinvoice", "invoices_importedrow")
HOW = (
    "Reflow needs the extension btree_gin, which belongs to Postgres, and this user may not add it to the database. "
    "Have its owner run: CREATE EXTENSION btree_gin; and start Reflow again."
)


class Whole(BtreeGinExtension):
    """Adds the extension where it isn't there; the owner of a database may, since it is a trusted one."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        except DatabaseError as refused:
            raise DatabaseError(f"{HOW} Postgres says: {refused}") from refused

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """It stays: others may use it."""


class Anew(AddIndexConcurrently):
    """Builds the index, and first drops what a build that was broken off has left of it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def words(name):
    return OpClass(Upper(name), "gin_trgm_ops")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("invoices", "0030_by_index_alone"), ("incrementors", "0005_words")]

    operations = [
        Whole(),
        Anew("invoice", GinIndex(words("reference"), words("number"), F("id") / STRETCH, name="invoice_words")),
        Anew("invoiceline", GinIndex(words("description"), F("invoice_id") / STRETCH, name="line_words_by_stretch")),
        Anew("remoteinvoice", GinIndex(words("number"), F("invoice_id") / STRETCH, name="remote_words_by_stretch")),
        Anew("importedrow", GinIndex(words("key"), F("invoice_id") / STRETCH, name="imported_words_by_stretch")),
        Anew("invoice", Index(fields=["due_date", "id", "issue_date", "status"], name="invoice_by_due_and_day")),
        Anew(
            "invoice",
            Index(fields=["number", "id", "status", "origin", "issue_date"], name="invoice_in_order_of_number"),
        ),
        Anew("invoice", Index(fields=["currency"], name="invoice_by_currency")),
        *(
            Anew(
                "invoice",
                Index(fields=[column, "id"], condition=Q(kind="CREDIT_NOTE"), name=f"invoice_credit_by_{name}"),
            )
            for column, name in (("issue_date", "date"), ("due_date", "due"), ("total", "total"), ("number", "number"))
        ),
        Anew(
            "invoice",
            Index(fields=["number", "id"], condition=Q(origin="IMPORTED"), name="invoice_imported_by_number"),
        ),
        migrations.RunSQL(f"ANALYZE {', '.join(TABLES)}", migrations.RunSQL.noop),
        RemoveIndexConcurrently("invoice", "invoice_by_due"),
        RemoveIndexConcurrently("invoice", "invoice_reference_words"),
        RemoveIndexConcurrently("invoiceline", "line_words"),
        RemoveIndexConcurrently("remoteinvoice", "remote_number_words"),
        RemoveIndexConcurrently("importedrow", "imported_invoice_words"),
    ]
