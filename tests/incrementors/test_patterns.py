"""A number's text and the pattern that reads it back: pure, in both directions."""

import re

import pytest

from incrementors.patterns import MAX_LENGTH, Pattern

TEXTS = [
    # prefix, suffix, digits, value, text
    ("INV-", "", 5, 1, "INV-00001"),
    ("INV-", "", 5, 42, "INV-00042"),
    ("INV-", "", 5, 99999, "INV-99999"),
    ("INV-", "", 5, 100000, "INV-100000"),
    ("", "", 1, 7, "7"),
    ("", "", 1, 10, "10"),
    ("", "/26", 4, 12, "0012/26"),
    ("A.B-", "_x", 3, 5, "A.B-005_x"),
    ("2026/", "", 12, 10**12, "2026/1000000000000"),
]
PATTERNS = [
    Pattern(prefix=p, suffix=s, digits=d) for p in ("", "INV-", "26.", "9") for s in ("", "/A", "0") for d in (1, 3)
]


@pytest.mark.parametrize(("prefix", "suffix", "digits", "value", "text"), TEXTS)
def test_a_value_is_written_like_this(prefix: str, suffix: str, digits: int, value: int, text: str) -> None:
    assert Pattern(prefix=prefix, suffix=suffix, digits=digits).text(value) == text


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@pytest.mark.parametrize("value", [1, 9, 10, 99, 100, 999, 1000, 123456, 10**12])
def test_a_text_is_read_back_as_the_value_it_was_written_from(pattern: Pattern, value: int) -> None:
    found = re.fullmatch(pattern.regex, pattern.text(value))
    assert found
    assert int(found[1]) == value


@pytest.mark.parametrize(
    "text",
    [
        "INV-0042",  # too few digits
        "INV-000042",  # a longer value is not padded
        "INV-00042a",
        "INV-",
        "INV-00042 ",
        "XINV-00042",
        "INVX00042",
        "INV-0004٣",
        "00042",
    ],
)
def test_a_text_of_another_pattern_is_not_read(text: str) -> None:
    assert re.fullmatch(Pattern(prefix="INV-", suffix="", digits=5).regex, text) is None


def test_no_two_values_have_one_text() -> None:
    for pattern in PATTERNS:
        assert len({pattern.text(value) for value in range(1, 3000)}) == 2999


def test_signs_of_a_pattern_mean_themselves() -> None:
    assert re.fullmatch(Pattern(prefix="A.", suffix="", digits=1).regex, "AB1") is None


def test_the_limit_is_what_the_platforms_reference_takes() -> None:
    assert MAX_LENGTH == 25
