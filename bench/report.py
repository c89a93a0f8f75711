"""The table that a run prints, and the one it leaves in docs/performance.md with its date, commit and machine."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path

from bench.goals import GOALS, Figure, Goal
from bench.machine import ROOT, commit, described

PLOT = ROOT / "docs" / "growth.svg"
PAGE = ROOT / "docs" / "performance.md"


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """Goal by goal, the worst figure of each first."""
    for goal, mine in by_goal(figures):
        missed = sum(not figure.is_met for figure in mine)
        state = f"{missed} of {len(mine)} missed" if missed else "met"
        yield f"\n{goal.number:>4}  {goal.words}: {goal.target}  ({state})"
        for figure in mine:
            mark = "met   " if figure.is_met else "MISSED"
            yield f"      {mark} {figure.value:>9}  {figure.what}  {_aside(figure)}"


def by_goal(figures: Sequence[Figure]) -> Iterator[tuple[Goal, list[Figure]]]:
    for goal in GOALS.values():
        mine = [figure for figure in figures if figure.goal == goal.number]
        if mine:
            yield goal, sorted(mine, key=lambda one: one.value, reverse=not goal.is_least)


def _aside(figure: Figure) -> str:
    return "; ".join(filter(None, [figure.spread, figure.plain]))


def keep(part: str, figures: Sequence[Figure]) -> None:
    """Puts the part's table in its place on the page, instead of that of an earlier run."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    text, fresh = PAGE.read_text(), "\n".join([begin, *_table(figures), end])
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
    PAGE.write_text(text.replace(found[0], fresh) if found else f"{text}\n{fresh}\n")


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    yield f"{datetime.now(UTC):%d %B %Y}, commit {commit()}, {described()}."
    yield ""
    yield "| goal | what | target | median | spread | | |"
    yield "|---|---|---|---|---|---|---|"
    for goal, mine in by_goal(figures):
        for figure in mine:
            state = "met" if figure.is_met else "**missed**"
            cells = (goal.number, figure.what, goal.target, str(figure.value), figure.spread, state, figure.plain)
            yield f"| {' | '.join(cells)} |"


def plot(figures: Sequence[Figure], to: Path = PLOT) -> None:
    """Each page's exponent as a bar, the steepest at the top; the line is the goal."""
    mine = sorted((one for one in figures if one.goal == "14"), key=lambda one: one.value, reverse=True)
    top = max([Decimal(1), *(one.value for one in mine)])
    goal = 330 + int(GOALS["14"].bound / top * 440)
    rows = [_bar(place, one, int(max(one.value, Decimal(0)) / top * 440)) for place, one in enumerate(mine)]
    height = 20 * len(mine) + 40
    to.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" font-family="sans-serif" font-size="12">\n'
        f"<title>Exponent of the cost of each page, from 10,000 to 1,000,000 invoices</title>\n"
        f'<rect width="800" height="{height}" fill="#fff"/>\n{"".join(rows)}'
        f'<path d="M{goal} 10V{height - 24}" stroke="#b3261e"/>'
        f'<text x="{goal + 4}" y="{height - 8}" fill="#b3261e">goal {GOALS["14"].bound}</text>\n</svg>\n'
    )


def _bar(place: int, one: Figure, width: int) -> str:
    y = 14 + 20 * place
    tone = "#5f6b7a" if one.is_met else "#b3261e"
    return (
        f'<text x="320" y="{y + 11}" text-anchor="end">{escape(one.what)}</text>'
        f'<rect x="330" y="{y}" width="{max(width, 1)}" height="14" fill="{tone}"/>'
        f'<text x="{334 + max(width, 1)}" y="{y + 11}">{one.value}</text>\n'
    )
