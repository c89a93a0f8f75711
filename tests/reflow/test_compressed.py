"""What leaves is compressed: pages on the way, static files beforehand, and what streams goes on streaming."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import MAX_WBITS, decompressobj

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client as Browser

from invoices.models import Invoice

ACCEPTS = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}
A_YEAR = 365 * 24 * 60 * 60


@pytest.mark.parametrize("path", ["reflow/reflow.css", "reflow/keys.js", "django_htmx/htmx-2.min.js"])
def test_a_static_file_comes_compressed_and_is_kept_for_a_year(gathered: None, path: str) -> None:
    url = staticfiles_storage.url(path)
    assert Path(url).name != Path(path).name  # named by what it holds
    answer = Browser().get(url, **ACCEPTS)
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.getvalue())
    kept = dict(part.strip().partition("=")[::2] for part in answer["Cache-Control"].split(","))
    assert int(kept["max-age"]) >= A_YEAR
    assert "immutable" in kept


def test_a_page_comes_compressed_and_never_twice_of_one_length(admin: User) -> None:
    """The token in it is masked anew each time and the length padded, so that lengths tell nothing of what it holds."""
    browser = Browser()
    browser.force_login(admin)
    answers = [browser.get("/clients/new/", **ACCEPTS) for _ in range(12)]
    assert {answer["Content-Encoding"] for answer in answers} == {"gzip"}
    assert all("Accept-Encoding" in answer["Vary"] for answer in answers)
    assert all("New client" in gzip.decompress(answer.content).decode() for answer in answers)
    assert len({len(answer.content) for answer in answers}) > 1
    assert "Content-Encoding" not in browser.get("/clients/new/")


def test_the_csv_still_streams_row_by_row(admin: User, invoice: Invoice) -> None:
    browser = Browser()
    browser.force_login(admin)
    answer: Any = browser.get("/invoices/csv/", **ACCEPTS)
    assert answer.streaming
    assert "Content-Length" not in answer
    unpack = decompressobj(MAX_WBITS | 16)
    parts: Iterator[bytes] = iter(answer.streaming_content)
    text = b"".join(unpack.decompress(part) for part in parts).decode()
    assert invoice.number in text
    assert invoice.client.name in text
