"""Puts each seeded bug into a copy of the code, runs the tests that must catch it, and prints which one did."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_SECONDS, SOUND_SECONDS = 120, 420
TESTS_FAILED = 1  # pytest's exit code: the tests ran, and some failed; any other says that something else went wrong
CAUGHT = re.compile(r"^FAILED \S+?::(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which test caught it, if any, in how many seconds; with what pytest said."""

    caught_by: str
    seconds: float
    said: str


def main(wanted: Sequence[str]) -> int:
    print("first the code as it is: every test named here must pass on it", flush=True)
    with tempfile.TemporaryDirectory(prefix="reflow-mutants-") as home:
        tree = copy_to(Path(home))
        sound = run(tree, sorted({test for bug in BUGS for test in bug.tests}), SOUND_SECONDS)
    if sound.returncode:
        print(sound.stdout)
        return 1
    print(f"\n{'bug':44} {'caught by':86} seconds")
    verdicts = [show(bug, judged(bug)) for bug in BUGS if not wanted or bug.name in wanted]
    survived = [verdict for verdict in verdicts if not verdict.caught_by]
    print(f"\n{len(verdicts)} bugs, {len(verdicts) - len(survived)} caught, {len(survived)} survived")
    for verdict in survived:
        print(verdict.said)
    return 1 if survived else 0


def judged(bug: Bug) -> Verdict:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reflow-mutants-") as home:
        tree = copy_to(Path(home))
        bug.put_into(tree)
        ended = run(tree, bug.tests)
    caught = CAUGHT.search(ended.stdout) if ended.returncode == TESTS_FAILED else None
    return Verdict(caught_by=caught[1] if caught else "", seconds=time.monotonic() - began, said=ended.stdout)


def show(bug: Bug, verdict: Verdict) -> Verdict:
    print(f"{bug.name:44} {verdict.caught_by or 'NOBODY':86} {verdict.seconds:7.1f}", flush=True)
    return verdict


def copy_to(home: Path) -> Path:
    """All that git knows, as it stands in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name)
    return home


def run(tree: Path, tests: Sequence[str], limit: int = LIMIT_SECONDS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "THOROUGH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else ""
        return subprocess.CompletedProcess(command, returncode=-1, stdout=f"{said}\nNot done in {limit} s.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
