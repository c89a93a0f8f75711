"""Dates and words moved on by a period: months keep their end, and what is no period stays as it is."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.periods import anchor, moved, moved_text

STEPS = ("WEEK", "MONTH", "QUARTER", "YEAR")


def test_a_month_that_is_too_short_cuts_off_and_the_next_one_gives_back() -> None:
    days = [date(2026, 1, 31)]
    remembered = None
    for _ in range(3):
        remembered = anchor(days[-1], remembered)
        days.append(moved(days[-1], "MONTH", anchored=remembered))
    assert [f"{day:%d %b}" for day in days] == ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]
    assert moved(date(2024, 2, 29), "YEAR") == date(2025, 2, 28)
    assert moved(date(2026, 11, 30), "QUARTER") == date(2027, 2, 28)
    assert moved(date(2026, 12, 28), "WEEK") == date(2027, 1, 4)


def test_what_is_remembered_is_only_what_a_month_cut_off() -> None:
    assert anchor(date(2026, 2, 28), 31) == 31
    assert anchor(date(2026, 2, 15), 31) == 15, "somebody set it by hand meanwhile"


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("MONTH", "Rent January 2026", "Rent February 2026"),
        ("MONTH", "Rent DECEMBER 2025, Ivy Court", "Rent JANUARY 2026, Ivy Court"),
        ("MONTH", "Rent 1 Jan 2026 to 31 Jan 2026", "Rent 1 Feb 2026 to 28 Feb 2026"),
        ("MONTH", "1 Feb 2026 - 28 Feb 2026", "1 Mar 2026 - 31 Mar 2026"),
        ("MONTH", "1-31 January 2026", "1-28 February 2026"),
        ("MONTH", "1 December to 31 December 2025", "1 January to 31 January 2026"),
        ("MONTH", "15 Jan 2026 to 14 Feb 2026", "15 Feb 2026 to 14 Mar 2026"),
        ("MONTH", "01/01/2026 - 31/01/2026", "01/02/2026 - 28/02/2026"),
        ("MONTH", "2026-01-31", "2026-02-28"),
        ("MONTH", "Rent Jan 2026, Feb 2026", "Rent Feb 2026, Mar 2026"),
        ("MONTH", "5th January 2026", "5th February 2026"),
        ("MONTH", "May 2026", "June 2026"),
        ("QUARTER", "Jan - Mar 2026", "Apr - Jun 2026"),
        ("QUARTER", "Nov 2025 to Jan 2026", "Feb 2026 to Apr 2026"),
        ("QUARTER", "Oct - Dec 2025", "Jan - Mar 2026"),
        ("QUARTER", "Q4 2026", "Q1 2027"),
        ("YEAR", "Ground rent 2026", "Ground rent 2027"),
        ("YEAR", "Service charge 2025/26", "Service charge 2026/27"),
        ("YEAR", "Year ending 31 March 2026", "Year ending 31 March 2027"),
        ("YEAR", "1 Mar 2023 to 28 Feb 2024", "1 Mar 2024 to 28 Feb 2025"),
        ("WEEK", "Week commencing 21st Feb 2026", "Week commencing 28th Feb 2026"),
        ("WEEK", "29 Dec - 4 Jan 2026", "5 Jan - 11 Jan 2026"),
        ("WEEK", "Rent January 2026", "Rent January 2026"),
        ("MONTH", "Q4 2026 and 2026", "Q4 2026 and 2026"),
        ("MONTH", "31/02/2026", "31/02/2026"),
        ("MONTH", "Call me in May, or March on", "Call me in May, or March on"),
        ("YEAR", "Part 2026-17, A2026, 2026-01", "Part 2026-17, A2026, 2026-01"),
    ],
)
def test_the_words_of_a_period_follow_it(step: str, before: str, after: str) -> None:
    assert moved_text(before, step) == after


@given(st.text(alphabet="0123456789/-. JanuaryFebMarchQto", max_size=60), st.sampled_from(STEPS))
def test_no_text_makes_it_fall_over(text: str, step: str) -> None:
    assert isinstance(moved_text(text, step), str)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.sampled_from(STEPS))
def test_a_period_later_is_later_by_about_a_period(day: date, step: str) -> None:
    passed = (moved(day, step) - day).days
    least, most = {"WEEK": (7, 7), "MONTH": (28, 31), "QUARTER": (89, 92), "YEAR": (365, 366)}[step]
    assert least <= passed <= most
