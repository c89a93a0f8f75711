"""A date and a text moved on by a period: months keep their end, and the words of a period follow; pure."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
NAMES = tuple(calendar.month_name)[1:]
SHORT = tuple(calendar.month_abbr)[1:]
FULL_OR_SHORT = "|".join((*NAMES, *SHORT, "Sept"))
MONTH = rf"(?P<{{0}}>{FULL_OR_SHORT})\.?"
DAY = r"(?P<{0}>[0-3]?\d)(?P<{0}th>st|nd|rd|th)?"
YEAR = r"(?P<{0}>20\d\d)"
TO = r"(?P<to>\s*(?:-|–|—|to|until)\s*)"  # noqa: RUF001  # the dashes that people write
Match = re.Match[str]


def last_day(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def on_day(year: int, month: int, day: int) -> date:
    """That day of the month, or its last one where it has no such day."""
    return date(year, month, min(day, last_day(year, month)))


def anchor(day: date, remembered: int | None) -> int:
    """The day of the month it is meant to be on: what was remembered, where the month only cut it off."""
    if remembered and on_day(day.year, day.month, remembered) == day:
        return remembered
    return day.day


def moved(day: date, step: str, *, anchored: int | None = None) -> date:
    """The same day a period later; `anchored` is the day of the month that a short one may have cut off before."""
    if step == "WEEK":
        return day + timedelta(days=7)
    months = day.year * 12 + day.month - 1 + MONTHS[step]
    return on_day(months // 12, months % 12 + 1, anchored or day.day)


def moved_end(first: date | None, last: date, step: str) -> date:
    """The last day of a period a period later: the end of a month stays one, and so does the day before the next."""
    after = last + timedelta(days=1)
    if after.day == 1 or (first and first.day == after.day):
        return moved(after, step) - timedelta(days=1)
    return moved(last, step)


def moved_text(text: str, step: str) -> str:
    """The text with each period in it moved on; what is no period is left as it is."""
    rules = [rule for rule in RULES if step in rule.steps]
    if not rules:
        return text
    every = re.compile(
        "|".join(f"(?P<rule{n}>{_anonymous(rule.pattern)})" for n, rule in enumerate(rules)), re.IGNORECASE
    )

    def replace(match: Match) -> str:
        rule = next(rule for n, rule in enumerate(rules) if match.group(f"rule{n}") is not None)
        found = re.match(rule.pattern, match.group(0), re.IGNORECASE)
        try:
            return rule.move(found, step) if found else match.group(0)
        except ValueError:  # no date after all, such as 31/02/2026
            return match.group(0)

    return every.sub(replace, text)


def _anonymous(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _month(name: str) -> int:
    return next(n for n, month in enumerate(NAMES, start=1) if month.startswith(name[:3].title()))


def _name(month: int, like: str) -> str:
    """The month, written as the other one was: in full or short, in capitals or not."""
    name = NAMES[month - 1] if like.title() in NAMES else SHORT[month - 1]
    return name.upper() if like.isupper() else name.lower() if like.islower() else name


def _ending(day: int, like: str | None) -> str:
    if not like:
        return ""
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a period looks like, by which steps it moves, and how."""

    pattern: str
    move: Callable[[Match, str], str]
    steps: frozenset[str] = frozenset({"MONTH", "QUARTER", "YEAR"})


def _from_to(match: Match, step: str) -> str:
    """1 Jan 2026 to 31 Jan 2026, the first year, or the first month and year, left out at will."""
    groups = match.groupdict()
    year, month = int(groups["y2"]), _month(groups["m2"])
    last = date(year, month, int(groups["d2"]))
    month1 = _month(groups["m1"]) if groups["m1"] else month
    first = date(int(groups["y1"] or (year - 1 if month1 > month else year)), month1, int(groups["d1"]))
    start, end = moved(first, step), moved_end(first, last, step)
    like = groups["m1"] or groups["m2"]
    said = f"{start.day}{_ending(start.day, groups['d1th'])}"
    if groups["m1"] or (start.month, start.year) != (end.month, end.year):
        said += f" {_name(start.month, like)}"
    if groups["y1"] or start.year != end.year:
        said += f" {start.year}"
    return (
        f"{said}{groups['to']}{end.day}{_ending(end.day, groups['d2th'])} {_name(end.month, groups['m2'])} {end.year}"
    )


def _numbers_from_to(match: Match, step: str) -> str:
    first, last = _of_numbers(match["a"]), _of_numbers(match["b"])
    return f"{_as(moved(first, step), match['a'])}{match['to']}{_as(moved_end(first, last, step), match['b'])}"


def _number(match: Match, step: str) -> str:
    return _as(moved_end(None, _of_numbers(match["a"]), step), match["a"])


def _of_numbers(text: str) -> date:
    parts = [int(part) for part in re.split(r"[/.-]", text)]
    return date(*parts) if parts[0] > 31 else date(*reversed(parts))  # noqa: PLR2004


def _as(day: date, like: str) -> str:
    """Written as the other one was."""
    sign = next(sign for sign in "/.-" if sign in like)
    return day.strftime(f"%Y{sign}%m{sign}%d" if like[4] == sign else f"%d{sign}%m{sign}%Y")


def _written(match: Match, step: str) -> str:
    day = date(int(match["y"]), _month(match["m"]), int(match["d"]))
    then = moved_end(None, day, step)
    return f"{then.day}{_ending(then.day, match['dth'])} {_name(then.month, match['m'])} {then.year}"


def _months(match: Match, step: str) -> str:
    """January to March 2026, or Nov 2025 - Jan 2026."""
    month1, month2, year = _month(match["m1"]), _month(match["m2"]), int(match["y2"])
    start = moved(date(int(match["y1"] or (year - 1 if month1 > month2 else year)), month1, 1), step)
    end = moved(date(year, month2, 1), step)
    with_year = f" {start.year}" if match["y1"] or start.year != end.year else ""
    return f"{_name(start.month, match['m1'])}{with_year}{match['to']}{_name(end.month, match['m2'])} {end.year}"


def _month_of_a_year(match: Match, step: str) -> str:
    then = moved(date(int(match["y"]), _month(match["m"]), 1), step)
    return f"{_name(then.month, match['m'])} {then.year}"


def _quarter(match: Match, step: str) -> str:
    quarters = int(match["y"]) * 4 + int(match["q"]) - 1 + MONTHS[step] // 3
    return f"{match.group(0)[0]}{quarters % 4 + 1}{match['gap']}{quarters // 4}"


def _years(match: Match, step: str) -> str:
    """2025/26"""
    year = int(match["y"]) + 1
    if int(match["z"]) != year % 100:
        raise ValueError("Not two years that follow each other.")
    return f"{year}{match['sign']}{(year + 1) % 100:02}"


def _year(match: Match, step: str) -> str:
    return str(int(match["y"]) + 1)


EVERY = frozenset({"WEEK", "MONTH", "QUARTER", "YEAR"})
NUMBERS = r"\d{1,2}[/.-]\d{1,2}[/.-]20\d\d|20\d\d-\d\d-\d\d"
FIRST = rf"{DAY.format('d1')}(?:\s+{MONTH.format('m1')})?(?:,?\s+{YEAR.format('y1')})?"
LAST = rf"{DAY.format('d2')}\s+{MONTH.format('m2')},?\s+{YEAR.format('y2')}"
RULES = (
    Rule(rf"\b{FIRST}{TO}{LAST}\b", _from_to, EVERY),
    Rule(rf"\b(?P<a>{NUMBERS}){TO}(?P<b>{NUMBERS})\b", _numbers_from_to, EVERY),
    Rule(rf"\b{DAY.format('d')}\s+{MONTH.format('m')},?\s+{YEAR.format('y')}\b", _written, EVERY),
    Rule(rf"\b(?P<a>{NUMBERS})\b", _number, EVERY),
    Rule(
        rf"\b{MONTH.format('m1')}(?:\s+{YEAR.format('y1')})?{TO}{MONTH.format('m2')}\s+{YEAR.format('y2')}\b", _months
    ),
    Rule(rf"\b{MONTH.format('m')}\s+{YEAR.format('y')}\b", _month_of_a_year),
    Rule(rf"\bQ(?P<q>[1-4])(?P<gap>[ /-]?){YEAR.format('y')}\b", _quarter, frozenset({"QUARTER", "YEAR"})),
    Rule(rf"\b{YEAR.format('y')}(?P<sign>[/-])(?P<z>\d\d)\b(?![/-])", _years, frozenset({"YEAR"})),
    Rule(rf"(?<![\w/-]){YEAR.format('y')}(?![\w/-])", _year, frozenset({"YEAR"})),
)
