"""Whatever a worker dies of, and wherever: each approved invoice is in the books once, with its links and numbers.

`make crash` plays every cell, here sixty drawn by SEED are played; CELL=name plays those alone whose names hold it.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from connectors import tokens
from invoices import tasks
from tests.books import Sandbox
from tests.conftest import person
from tests.crash.life import Clock
from tests.crash.stage import Stage, Verdict
from tests.crash.steps import Cell, every_cell, sampled

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
SEED = int(os.environ.get("SEED", "1"))
SAMPLE, PARTS = 60, 6


@pytest.fixture
def stage(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    for platform in ("sage_accounting", "sage_intacct"):
        monkeypatch.setattr(f"connectors.{platform}.changes.PAGE_SIZE", 3)
    monkeypatch.setattr(tokens, "WAIT_SECONDS", 0.1)  # real seconds; the clock that is handed in goes on by itself
    monkeypatch.setattr(tasks, "hint", lambda _: None)
    yield Stage(sandbox, admin(), clock)
    database.close()


def admin() -> User:
    return person("ada", "Admin")


def how_to_repeat(verdict: Verdict) -> str:
    wrong = "\n    ".join(verdict.wrong)
    return f"RED {verdict.cell.name}\n    {wrong}\n    again: make crash CELL='{verdict.cell.name}'"


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_a_sample_of_cells_is_green(stage: Stage, part: int) -> None:
    verdicts = [stage.play(cell) for cell in sampled(SAMPLE, SEED)[part::PARTS]]
    reds = [how_to_repeat(verdict) for verdict in verdicts if not verdict.is_green]
    assert not reds, "\n".join([*reds, f"(SEED={SEED})"])


@pytest.mark.crash
def test_every_cell_is_green(stage: Stage) -> None:
    """One part of them; what came of each goes into the report."""
    logging.disable()  # thousands of calls that fail on purpose
    reds = 0
    with Path(os.environ["CRASH_REPORT"]).open("a", buffering=1) as report:
        for cell in chosen(os.environ.get("CELL", ""), os.environ["CRASH_PART"]):
            verdict = stage.play(cell)
            report.write(verdict.line())
            if not verdict.is_green:
                reds += 1
                print(how_to_repeat(verdict), flush=True)  # noqa: T201
    logging.disable(logging.NOTSET)
    assert reds == 0


def chosen(name: str, part: str) -> list[Cell]:
    """Those whose names hold it; of these every second one, or whatever the part says, such as "0/2"."""
    first, _, parts = part.partition("/")
    return [cell for cell in every_cell() if name in cell.name][int(first) :: int(parts)]
