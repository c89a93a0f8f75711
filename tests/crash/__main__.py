"""`make crash`: every cell, shared out between two processes, with a table at the end; exit 0 only if all are green."""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESSES = 2
PYTEST = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "crash", "--no-header", "--tb=line", "tests/crash"]
Line = list[str]


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reflow-crash-") as home:
        reports = [Path(home) / str(part) for part in range(PROCESSES)]
        parts = [start(part, report) for part, report in enumerate(reports)]
        ended = [part.wait() for part in parts]
        lines = [line.split("\t") for report in reports if report.exists() for line in report.read_text().splitlines()]
    print(table(lines))
    print(f"{time.monotonic() - began:.0f} s in {PROCESSES} processes")
    return 0 if lines and not any(ended) else 1


def start(part: int, report: Path) -> subprocess.Popen[bytes]:
    """Each has a Postgres and a sandbox of its own."""
    told = {"CRASH": "1", "CRASH_PART": f"{part}/{PROCESSES}", "CRASH_REPORT": str(report)}
    return subprocess.Popen(PYTEST, cwd=ROOT, env={**os.environ, **told})


def table(lines: Sequence[Line]) -> str:
    """Step x way x answer, the scenes of each beside one another."""
    rows: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for scene, step, way, answer, colour, _ in lines:
        rows[step, way, answer].append(f"{scene}: {colour}")
    told = [f"{step:42} {way:10} {answer:17} {', '.join(sorted(cells))}" for (step, way, answer), cells in rows.items()]
    colours = Counter(line[4] for line in lines)
    return "\n".join(["", *told, "", f"{len(lines)} cells: {colours['green']} green, {colours['RED']} red"])


if __name__ == "__main__":
    sys.exit(main())
