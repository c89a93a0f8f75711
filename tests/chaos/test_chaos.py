"""Forty invoices through all of Reflow under fire, as `make chaos` sends five hundred."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.installation, pytest.mark.thorough]
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "EMBEDDED_PG_BINDIR")


def test_forty_invoices_are_in_the_books_once_each_whatever_is_killed_cut_or_lost() -> None:
    asked = {"N": "40", "SEED": "542", "CLOCK_DIVISOR": "25"}
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | asked
    command = [sys.executable, "-m", "tests.chaos"]
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "40 invoices, 40 documents" in ran.stdout
