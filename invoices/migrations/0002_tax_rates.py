"""The United Kingdom's rates of VAT."""

from typing import Any

from django.db import migrations

RATES = (
    ("STANDARD", "Standard", "20.00"),
    ("REDUCED", "Reduced", "5.00"),
    ("ZERO", "Zero rated", "0.00"),
    ("EXEMPT", "Exempt", "0.00"),
    ("NO_VAT", "No VAT", "0.00"),
)


def add_rates(apps: Any, _editor: Any) -> None:
    for position, (code, name, percentage) in enumerate(RATES, start=1):
        apps.get_model("invoices", "TaxRate").objects.get_or_create(
            code=code, defaults={"name": name, "percentage": percentage, "position": position}
        )


class Migration(migrations.Migration):
    dependencies = [("invoices", "0001_initial")]
    operations = [migrations.RunPython(add_rates, migrations.RunPython.noop)]
