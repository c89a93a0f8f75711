"""What docs/reliability.md names is there: each test, fault, step and seeded bug, and the 90 faults in their order."""

import ast
import re
from pathlib import Path

from tests.chaos.plan import Kind
from tests.crash.steps import STEPS
from tests.mutants.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
FAULTS = re.split(r"^(?=\d+\. \*\*)", PAGE.partition("## The 90 faults")[2], flags=re.MULTILINE)[1:]
IN_A_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
BY_NAME = re.compile(r"`(chaos|crash|mutants): ([^`]+)`")
NAMES = {
    "chaos": {kind.value for kind in Kind},
    "crash": {step.name for step in STEPS},
    "mutants": {bug.name for bug in BUGS},
}


def named_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_there_are_ninety_faults_in_their_order() -> None:
    assert [int(fault.partition(".")[0]) for fault in FAULTS] == list(range(1, 91))


def test_each_fault_is_proven_or_says_why_it_can_not_arise() -> None:
    unproven = [fault for fault in FAULTS if not (IN_A_TEST.search(fault) or BY_NAME.search(fault))]
    assert [fault for fault in unproven if "Can't arise" not in fault] == []


def test_every_test_that_is_named_exists() -> None:
    named = IN_A_TEST.findall(PAGE)
    held = {path: named_in(path) for path in {path for path, _ in named} if (ROOT / path).is_file()}
    assert len(named) > 90
    assert [f"{path}::{name}" for path, name in named if path not in held or (name and name not in held[path])] == []


def test_every_fault_step_and_bug_that_is_named_exists() -> None:
    named = BY_NAME.findall("".join(FAULTS))
    assert len(named) > 30
    assert [f"{kind}: {name}" for kind, name in named if name not in NAMES[kind]] == []


def test_every_kind_of_fault_that_chaos_gives_is_told_of() -> None:
    told = {name for kind, name in BY_NAME.findall("".join(FAULTS)) if kind == "chaos"}
    assert NAMES["chaos"] - told == set()
