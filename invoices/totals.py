"""Line, tax and invoice sums: Decimal, two places a line, half up away from zero; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

PENNY = Decimal("0.01")
ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a line or an invoice comes to: total = net + tax, with `discount` already taken off the net."""

    discount: Decimal = ZERO
    net: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


def to_pennies(amount: Decimal) -> Decimal:
    """Rounds as Sage counts: two places, half away from zero: its guide "Invoicing" knows no finer precision."""
    return amount.quantize(PENNY, rounding=ROUND_HALF_UP)


def line_sums(*, quantity: Decimal, unit_price: Decimal, discount_percent: Decimal, tax_percent: Decimal) -> Sums:
    """A line's sums; percentages are 0 to 100, the tax is of the net after discount. Each is rounded once."""
    gross = quantity * unit_price
    net = to_pennies(gross * (100 - discount_percent) / 100)
    return Sums(discount=to_pennies(gross) - net, net=net, tax=to_pennies(net * tax_percent / 100))


def invoice_sums(lines: Iterable[Sums]) -> Sums:
    """An invoice's sums are those of its lines, so no penny appears or is lost between them."""
    discount = net = tax = ZERO
    for line in lines:
        discount, net, tax = discount + line.discount, net + line.net, tax + line.tax
    return Sums(discount=discount, net=net, tax=tax)
