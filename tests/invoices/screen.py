"""An invoice's form as a browser posts it, and as it comes back."""

import re
from html import unescape
from typing import Any

from django.test import Client as Browser

from invoices.models import Client, Invoice

NEW = "/invoices/new/"
Typed = dict[str, Any]


def typed(of: Client, *lines: Typed, **head: Any) -> Typed:
    """A whole form as the browser posts it; what is given replaces what would be right."""
    rows = lines or ({},)
    one = {"item": "", "description": "Gutter clearing", "quantity": "2", "unit_price": "85.00"}
    one |= {"discount_percent": "0", "tax_rate": "STANDARD"}
    posted: Typed = {
        "client": of.pk,
        "site": "",
        "issue_date": "2026-11-02",
        "due_date": "",
        "reference": "PO-7",
        "notes": "",
        "lines-TOTAL_FORMS": len(rows),
        "lines-INITIAL_FORMS": 0,
    }
    for n, row in enumerate(rows):
        posted |= {f"lines-{n}-{name}": value for name, value in {**one, **row}.items()}
    return {name: value for name, value in {**posted, **head}.items() if value is not None}


def shown_errors(page: str) -> str:
    """The list that stands on top of a form that was not saved."""
    found = re.search(r'<div class="note tone-bad form-summary".*?</div>', page, re.DOTALL)
    assert found, page
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", found[0]))).strip()


def control(page: str, name: str) -> str:
    """The control of that name that a person sees: of a box to choose in, the one that is typed into."""
    found = re.search(
        rf'<(?:input|select|textarea)(?! type="hidden" name="{name}")[^>]*name="{name}(?:-text)?"[^>]*>', page
    )
    found = found or re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert found, name
    return found[0]


def refused(desk: Browser, posted: Typed, path: str = NEW) -> str:
    answer = desk.post(path, posted)
    assert answer.status_code == 422, answer.status_code
    return answer.content.decode()


def saved(desk: Browser, posted: Typed, path: str = NEW) -> Invoice:
    answer = desk.post(path, posted)
    assert answer.status_code == 302, shown_errors(answer.content.decode())
    return Invoice.objects.get(pk=int(re.findall(r"/invoices/(\d+)/", answer.headers["Location"])[0]))
