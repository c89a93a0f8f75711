"""Sides measured in turn, a little of each at a time, so that a ratio never compares two different moments."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import median

SMALL, MIDDLING, LARGE = 10_000, 100_000, 1_000_000  # invoices in a database
QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 3
TIMES = 3 if QUICK else 9  # that each side runs in a round
WARM = 2
Run = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """By side, what it took in each round in nanoseconds: the median of its runs there."""

    took: Mapping[str, tuple[int, ...]]

    def ratios(self, side: str, to: str) -> tuple[Fraction, ...]:
        """Each taken inside one round."""
        return tuple(Fraction(one, other) for one, other in zip(self.took[side], self.took[to], strict=True))

    def milliseconds(self, side: str) -> Decimal:
        return decimal(Fraction(median(self.took[side])) / 10**6)


def measure(sides: Mapping[str, Run], *, rounds: int = ROUNDS, times: int = TIMES) -> Rounds:
    """Runs the sides by turns: one run of each, and again; what they do before the first round does not count."""
    for run in sides.values():
        for _ in range(WARM):
            run()
    took: dict[str, list[int]] = {name: [] for name in sides}
    for _ in range(rounds):
        once = _round(sides, times)
        for name, nanoseconds in once.items():
            took[name].append(nanoseconds)
    return Rounds(took={name: tuple(each) for name, each in took.items()})


def _round(sides: Mapping[str, Run], times: int) -> dict[str, int]:
    took: dict[str, list[int]] = {name: [] for name in sides}
    for _ in range(times):
        for name, run in sides.items():
            gc.collect(0)
            took[name].append(timed(run))
    return {name: int(median(each)) for name, each in took.items()}


def timed(run: Run) -> int:
    """How many nanoseconds it takes."""
    began = time.perf_counter_ns()
    run()
    return time.perf_counter_ns() - began


def decimal(number: Fraction, places: int = 3) -> Decimal:
    """Rounded for people."""
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal(1).scaleb(-places))


def middle(samples: tuple[Fraction, ...]) -> Fraction:
    return Fraction(median(samples))


def exponent(ratio: Fraction, growth: int) -> Decimal:
    """By which power of the growth of the data a cost has grown: 0 is flat, 1 is in step."""
    return (Decimal(ratio.numerator) / Decimal(ratio.denominator)).ln() / Decimal(growth).ln()
