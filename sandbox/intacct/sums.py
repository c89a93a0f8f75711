"""Money as text with two decimals, and sums of it; exact, half up, away from zero."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

PENNY = Decimal("0.01")


def pennies(amount: Decimal) -> Decimal:
    return amount.quantize(PENNY, ROUND_HALF_UP)


def money_text(amount: Decimal) -> str:
    return f"{pennies(amount):.2f}"


def total_of(texts: Iterable[str]) -> Decimal:
    return sum(map(Decimal, texts), Decimal(0))
