"""The queue hop: a hint is welcome, never needed, and never in anybody's way."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from invoices import parting, push, tasks, voiding

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HINT = """
import django, logging, time
django.setup()
from invoices.tasks import hint
began = time.monotonic()
hint(7)
print(f"came back after {time.monotonic() - began:.1f} s")
"""


def hinted(broker: str) -> str:
    """What a hint says over this broker, in a process of its own: a broker's address is read once."""
    environment = {**os.environ, "REDIS_URL": broker, "DJANGO_SETTINGS_MODULE": "reflow.settings"}
    ended = subprocess.run(
        [sys.executable, "-c", HINT], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.split()[3]) < 3, "a person who pressed Send would wait for it"
    return ended.stderr


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/valkey.sock?virtual_host=0"])
def test_a_broker_that_is_away_stops_nobody(broker: str) -> None:
    assert "push=7 The broker is away; the sweep will find it." in hinted(broker)


@pytest.mark.django_db
def test_a_task_carries_its_push_and_passes_on_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_on: list[tuple[int, datetime | None]] = []
    monkeypatch.setattr(tasks, "hint", lambda push_id, at=None: passed_on.append((push_id, at)))
    monkeypatch.setattr(push, "work", lambda push_id, overtime: {7: (9, NOON), 9: None}[push_id])
    tasks.push_invoice(push_id=7)
    tasks.push_invoice(push_id=9)
    assert passed_on == [(9, NOON)]


def test_a_hint_comes_when_its_time_has_come_and_far_ahead_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.push_invoice, "apply_async", lambda **options: given.append(options))
    soon = timezone.now() + timedelta(seconds=50)
    tasks.hint(7, soon)
    tasks.hint(8, soon + timedelta(minutes=5))
    tasks.hint(9)
    assert given == [{"kwargs": {"push_id": 7}, "eta": soon}, {"kwargs": {"push_id": 9}, "eta": None}]


@pytest.mark.django_db
def test_a_sweep_gives_a_hint_for_each_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_on: list[int] = []
    monkeypatch.setattr(tasks, "hint", passed_on.append)
    monkeypatch.setattr(push, "sweep", lambda *, now: [3, 1, 2])
    monkeypatch.setattr(voiding, "due", lambda *, now: [])
    monkeypatch.setattr(parting, "finish_if_drained", lambda *, now: None)
    tasks.sweep_pushes()
    assert passed_on == [3, 1, 2]


@pytest.mark.django_db
def test_a_task_takes_arguments_of_a_later_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that a newer web process sent may reach a worker that is not restarted yet."""
    monkeypatch.setattr(push, "work", lambda push_id, overtime: None)
    monkeypatch.setattr(push, "sweep", lambda *, now: [])
    monkeypatch.setattr(voiding, "due", lambda *, now: [])
    monkeypatch.setattr(parting, "finish_if_drained", lambda *, now: None)
    tasks.push_invoice(push_id=7, something="new")
    tasks.sweep_pushes(something="new")
