"""What charts are drawn from: amounts in, coordinates and short labels out, the same way for every currency; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

SIGNS = {"GBP": "£", "EUR": "€"}
UNITS = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(10) ** 3, "k"))
AS_ONE = Decimal("0.9995")  # of a unit: with three figures it is rounded to one
NICE = tuple(map(Decimal, ("1", "2", "2.5", "5", "10")))
ZERO, TENTH, HAIR = Decimal(0), Decimal("0.1"), Decimal(1)

WIDTH, TOP, PLOT, FOOT = 640, 12, 310, 28
LETTER = 10  # what a letter of the axis takes on a phone, where it is largest beside the bars
STEPS = 4
WIDEST = Decimal(32)
ROWS_WIDTH, LABELS, VALUES, ROW, THICK = 480, 104, 76, 40, 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, in the units of its chart."""

    x: Decimal
    y: Decimal
    width: Decimal
    height: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the grid and the amount it stands for; bars begin at the one that is zero."""

    y: Decimal
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A label of the axis with its two bars: the whole, and the part of it that is drawn over it."""

    label: str
    middle: Decimal
    whole: Box
    part: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns side by side; their labels stand at `foot`, the lines begin at `gutter`."""

    width: int
    height: int
    gutter: int
    foot: int
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled bar, and where its amount is written."""

    label: str
    amount: str
    middle: Decimal
    bar: Box
    amount_x: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Bars one beneath the other, all from the axis at `zero`."""

    width: int
    height: int
    zero: Decimal
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where an amount lies on a stretch of `length` units that shows `low` to `high`."""

    low: Decimal
    high: Decimal
    length: int

    def up(self, amount: Decimal) -> Decimal:
        """Units from the lowest amount."""
        return (amount - self.low) / (self.high - self.low) * self.length

    def bar(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Where its bar begins, in units from the lowest amount, and how long it is; what is there can be seen."""
        begin, end = sorted((self.up(ZERO), self.up(amount)))
        long = max(end - begin, HAIR) if amount else ZERO
        return (begin if amount >= 0 else end - long), long


def short(amount: Decimal, currency: str) -> str:
    """£204, £99.50, £12.4k, £1.05m: exact while it is small, else in three figures, rounded half up."""
    size = abs(amount)
    for unit, letter in UNITS:
        if size >= unit * AS_ONE:
            return _signed(amount, currency, _three_figures(size / unit) + letter)
    return _signed(amount, currency, f"{size:.0f}" if size == size.to_integral_value() else f"{size:.2f}")


def _signed(amount: Decimal, currency: str, figures: str) -> str:
    return ("\u2212" if amount < 0 else "") + SIGNS.get(currency, f"{currency} ") + figures


def _three_figures(size: Decimal) -> str:
    places = max(0, 2 - size.adjusted())
    rounded = size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded.normalize():f}"


def columns(values: Sequence[tuple[str, Decimal, Decimal]], currency: str) -> Columns:
    """Of (label, whole, part), from left to right; amounts beneath zero hang from the line that is zero."""
    marks = _marks([amount for _, *both in values for amount in both])
    scale = _Scale(low=marks[0], high=marks[-1], length=PLOT)
    gutter = LETTER * max(len(short(mark, currency)) for mark in marks)
    slot = Decimal(WIDTH - gutter) / len(values)
    width = min(slot * Decimal("0.62"), WIDEST)
    middles = [gutter + slot * index + slot / 2 for index in range(len(values))]
    return Columns(
        width=WIDTH,
        height=TOP + PLOT + FOOT,
        gutter=gutter,
        foot=TOP + PLOT + FOOT - 6,
        lines=tuple(
            Line(y=_tenth(TOP + PLOT - scale.up(mark)), label=short(mark, currency), is_zero=not mark) for mark in marks
        ),
        columns=tuple(
            Column(
                label=label,
                middle=_tenth(middle),
                whole=_upright(scale, whole, middle, width),
                part=_upright(scale, part, middle, width),
            )
            for (label, whole, part), middle in zip(values, middles, strict=True)
        ),
    )


def _marks(amounts: Iterable[Decimal]) -> list[Decimal]:
    """Round amounts at equal distances, the least that lie around all amounts and zero; never fewer than two."""
    low, high = ZERO, ZERO
    for amount in amounts:
        low, high = min(low, amount), max(high, amount)
    step = _nice(max((high - low) / STEPS, Decimal(1)))
    first = int((low / step).to_integral_value(ROUND_FLOOR))
    last = int((high / step).to_integral_value(ROUND_CEILING))
    return [step * n for n in range(first, max(last, first + 1) + 1)]


def _nice(least: Decimal) -> Decimal:
    """The smallest round step that is not less."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * nice for nice in NICE if power * nice >= least)


def _upright(scale: _Scale, amount: Decimal, middle: Decimal, width: Decimal) -> Box:
    begin, long = scale.bar(amount)
    y = TOP + PLOT - begin - long
    return Box(x=_tenth(middle - width / 2), y=_tenth(y), width=_tenth(width), height=_tenth(long))


def rows(values: Sequence[tuple[str, Decimal]], currency: str) -> Rows:
    """Of (label, amount), from top to bottom; amounts beneath zero go to the left of the axis."""
    amounts = [ZERO, *(amount for _, amount in values)]
    low, high = min(amounts), max(amounts)
    scale = _Scale(low=low, high=max(high, low + 1), length=ROWS_WIDTH - LABELS - VALUES)
    return Rows(
        width=ROWS_WIDTH,
        height=ROW * len(values),
        zero=_tenth(LABELS + scale.up(ZERO)),
        rows=tuple(_row(scale, index, label, amount, currency) for index, (label, amount) in enumerate(values)),
    )


def _row(scale: _Scale, index: int, label: str, amount: Decimal, currency: str) -> Row:
    """Its amount stands right of the bar, or right of the axis where the bar goes to the left."""
    begin, long = scale.bar(amount)
    top = Decimal(ROW * index + (ROW - THICK) // 2)
    return Row(
        label=label,
        amount=short(amount, currency),
        middle=_tenth(top + Decimal(THICK) / 2),
        bar=Box(x=_tenth(LABELS + begin), y=_tenth(top), width=_tenth(long), height=_tenth(Decimal(THICK))),
        amount_x=_tenth(LABELS + begin + long + 8),
    )


def _tenth(units: Decimal) -> Decimal:
    return units.quantize(TENTH, ROUND_HALF_UP)
