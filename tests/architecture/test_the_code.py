"""The rules of the house, checked: who may import whom, how long things may be, and what may not be written at all."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("reflow", "settings_ui", "invoices", "incrementors", "connectors")
LONGEST_FILE, LONGEST_FUNCTION = 350, 50
VAGUE = {"utils", "helpers", "common", "core", "misc", "signals"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def own(*folders: str) -> list[Path]:
    """What people write: no migrations, which Django does, and no empty packages."""
    return [path for path in files(*folders) if path.parent.name != "migrations" and path.stat().st_size]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def length(node: Function) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


CODE = own(*APPS, "sandbox")
EVERYTHING = [*CODE, *own("tests"), ROOT / "manage.py"]


def test_the_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"Contracts: \d+ kept, 0 broken\.", ran.stdout)


def test_every_change_of_a_model_has_its_migration() -> None:
    ran = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "No changes detected"), ran.stdout + ran.stderr


def test_there_is_code_to_look_at() -> None:
    assert len(CODE) > 50
    assert {name(path).split("/")[0] for path in CODE} == {*APPS, "sandbox"}


def wrong_with(opening: str) -> str:
    first = opening.splitlines()[0] if opening else ""
    if not first:
        return "no docstring"
    if not (first[0].isupper() or first[0] == "`") or first[-1] not in ".:":
        return f"no sentence: {first}"
    return "" if ". " not in first else f"more than one sentence: {first}"


def test_every_module_opens_with_one_sentence_that_says_what_it_is_for() -> None:
    openings = {name(path): (ast.get_docstring(tree(path)) or "").partition("\n\n")[0] for path in EVERYTHING}
    assert {path: wrong_with(opening) for path, opening in openings.items() if wrong_with(opening)} == {}


def test_every_file_can_be_read_in_one_go() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in CODE}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {f"{name(path)} {node.name}": length(node) for path in CODE for node in functions(path)}
    assert {function: lines for function, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_most_functions_are_short() -> None:
    lengths = sorted(length(node) for path in own(*APPS) for node in functions(path))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25


def offence(node: ast.AST) -> str:
    """What this node does that the house does not."""
    if isinstance(node, ast.Name) and node.id == "float":
        return "money is Decimal, never float"
    if isinstance(node, ast.ExceptHandler):
        if node.type is None:
            return "a bare except"
        if len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
            return "an error that is passed over"
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        if any("signals" in module for module in modules):
            return "a signal: who reads a service is to see all that it does"
    return ""


def test_nothing_is_done_that_the_house_does_not_do() -> None:
    assert {
        f"{name(path)}:{getattr(node, 'lineno', 0)}": offence(node)
        for path in CODE
        for node in ast.walk(tree(path))
        if offence(node)
    } == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name(path) for path in files(*APPS, "sandbox") if path.stem in VAGUE] == []


UNWANTED = {
    "a promise": r"\b(TODO|FIXME|XXX|HACK)\b|coming soon|not implemented yet",
    "a naive moment": r"datetime\.(now|utcnow|today)\(\)|date\.today\(\)",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_there_is_nowhere(what: str) -> None:
    assert [name(path) for path in CODE if re.search(UNWANTED[what], path.read_text(), re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("x = float('1')", True),
        ("def f(x: float) -> None: ...", True),
        ("try:\n    x\nexcept:\n    raise", True),
        ("try:\n    x\nexcept ValueError:\n    pass", True),
        ("from django.db.models.signals import post_save", True),
        ("from django.db.models import signals", True),
        ("try:\n    x\nexcept ValueError:\n    log()", False),
        ("from signal import SIGTERM", False),
        ("floats = 1", False),
    ],
)
def test_the_check_itself_sees_what_it_is_for(code: str, wrong: bool) -> None:
    assert any(offence(node) for node in ast.walk(ast.parse(code))) is wrong


def test_no_template_holds_a_script_or_a_style_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"|javascript:", re.IGNORECASE)
    found = {
        name(path): inline.findall(path.read_text())
        for folder in ("templates", "sandbox")
        for path in (ROOT / folder).rglob("*.html")
    }
    assert {path: hits for path, hits in found.items() if hits} == {}
    assert len(found) > 30


def test_every_form_that_posts_carries_its_token() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        forms = re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(), re.DOTALL)
        assert all("{% csrf_token %}" in form for form in forms), name(path)


def test_no_secret_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    if listed.returncode:
        pytest.skip("not a git clone")
    tracked = listed.stdout.splitlines()
    assert not [path for path in tracked if path.endswith((".env", ".pem", ".key")) or path.startswith(".reflow")]


def test_no_page_writes_a_key_of_a_row_with_thousands_separators() -> None:
    """A number in a template is written as people read it, 2,888; addresses and fields want 2888."""
    bare = re.compile(r"\{\{ (?!rate|row\.rate)[a-z_.]*\bpk \}\}")
    pages = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "templates").rglob("*.html")}
    assert len(pages) > 50
    assert {name: bare.findall(text) for name, text in pages.items() if bare.search(text)} == {}
