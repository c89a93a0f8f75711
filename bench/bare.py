"""`python -m bench.bare 100` creates so many invoices in the pretend Sage, one after the other, and nothing else.

What it takes for that is told in seconds: Sage's own time and latency, and that of the way to it.
"""

import os
import sys
import time
import uuid
from dataclasses import replace

import django
import requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")
django.setup()

from connectors import tokens  # noqa: E402
from connectors.interface import DocumentKind  # noqa: E402
from connectors.registry import endpoints  # noqa: E402
from connectors.sage_accounting.shapes import SHAPES, invoice_body  # noqa: E402
from connectors.services import live_connection  # noqa: E402
from invoices import documents  # noqa: E402
from invoices.models import PushAttempt  # noqa: E402


def main(count: int) -> None:
    """The latest invoice that was sent, again and again under other references."""
    connection = live_connection()
    latest = PushAttempt.objects.exclude(document=None).order_by("-pk")[0]
    assert connection and latest.document  # something was sent before
    where, shape = endpoints(connection.platform), SHAPES[DocumentKind(latest.push.invoice.kind)]
    invoice = replace(documents.from_json(latest.document), prefix="", number="")
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {tokens.bearer(connection, where)}"
    session.headers["X-Business"] = connection.company_id
    began = time.perf_counter()
    for n in range(count):
        body = {shape.entity: invoice_body(replace(invoice, reference=f"BARE-{n}"), uuid.uuid4().hex, shape)}
        session.post(where.api_url + shape.path, json=body, timeout=30).raise_for_status()
    sys.stdout.write(f"{time.perf_counter() - began:.6f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
