"""Where each bar, line and label of a chart lies, for any amounts: zero, tiny, huge and beneath zero."""

import itertools
from decimal import Decimal

import pytest

from invoices import charts
from invoices.charts import Box, Columns, Rows, columns, rows, short

ZERO = Decimal(0)
MONTHS = ["Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]


def by_month(*amounts: str, part: str = "0") -> Columns:
    values = [(month, Decimal(amount), Decimal(part)) for month, amount in zip(MONTHS, amounts, strict=False)]
    return columns(values, "GBP")


def zero_of(chart: Columns) -> Decimal:
    (line,) = [line for line in chart.lines if line.is_zero]
    return line.y


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "£0"),
        ("204", "£204"),
        ("99.5", "£99.50"),
        ("999.49", "£999.49"),
        ("999.50", "£1k"),
        ("1240", "£1.24k"),
        ("12399", "£12.4k"),
        ("12000", "£12k"),
        ("12450", "£12.5k"),
        ("99950", "£100k"),
        ("999499.99", "£999k"),
        ("999500", "£1m"),
        ("1049999", "£1.05m"),
        ("123456789012", "£123bn"),
        ("999999999999.99", "£1000bn"),
        ("-12", "−£12"),  # noqa: RUF001
        ("-1500", "−£1.5k"),  # noqa: RUF001
    ],
)
def test_an_amount_is_short_and_within_half_of_its_last_figure(amount: str, shown: str) -> None:
    assert short(Decimal(amount), "GBP") == shown


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "€1.5k"), ("USD", "USD 1.5k"), ("JPY", "JPY 1.5k")])
def test_a_currency_is_named_where_it_has_no_sign_of_its_own(currency: str, shown: str) -> None:
    assert short(Decimal(1500), currency) == shown


@pytest.mark.parametrize(
    ("amounts", "labels"),
    [
        (("0", "0"), ["£0", "£1"]),
        (("0.01", "0"), ["£0", "£1"]),
        (("204", "0"), ["£0", "£100", "£200", "£300"]),
        (("400", "100"), ["£0", "£100", "£200", "£300", "£400"]),
        (("13468.89", "880"), ["£0", "£5k", "£10k", "£15k"]),
        (("999999999999.99",), ["£0", "£250bn", "£500bn", "£750bn", "£1000bn"]),
        (("-50", "100"), ["−£50", "£0", "£50", "£100"]),  # noqa: RUF001
        (("-30", "-70"), ["−£80", "−£60", "−£40", "−£20", "£0"]),  # noqa: RUF001
    ],
    ids=str,
)
def test_the_axis_has_few_round_amounts_around_all_of_them(amounts: tuple[str, ...], labels: list[str]) -> None:
    chart = by_month(*amounts)
    assert [line.label for line in chart.lines] == labels
    distances = {chart.lines[n].y - chart.lines[n + 1].y for n in range(len(labels) - 1)}
    assert max(distances) - min(distances) <= Decimal("0.1")
    assert chart.gutter >= charts.LETTER * max(map(len, labels))


def test_a_column_is_as_high_as_its_amount_and_its_part_lies_in_it() -> None:
    chart = columns([("Oct", Decimal(300), Decimal(75)), ("Nov", Decimal(150), Decimal(150))], "GBP")
    october, november = chart.columns
    assert zero_of(chart) == charts.TOP + charts.PLOT
    assert october.whole.height == charts.PLOT == 2 * november.whole.height
    assert october.part.height * 4 == october.whole.height
    assert october.part.y + october.part.height == october.whole.y + october.whole.height == zero_of(chart)
    assert november.part == november.whole


def test_twelve_columns_stand_side_by_side_within_the_picture() -> None:
    chart = by_month(*["100"] * 12)
    boxes = [column.whole for column in chart.columns]
    assert [column.label for column in chart.columns] == MONTHS
    assert all(box.x + box.width < after.x for box, after in itertools.pairwise(boxes))
    assert boxes[0].x >= chart.gutter
    assert boxes[-1].x + boxes[-1].width <= chart.width
    assert all(abs(column.whole.x + column.whole.width / 2 - column.middle) <= 1 for column in chart.columns)


def test_one_month_only_is_one_column_of_ordinary_width() -> None:
    (column,) = by_month("204").columns
    assert column.whole.width == charts.WIDEST
    others = by_month(*["0"] * 11, "204").columns[:-1]
    assert {column.whole.height for column in others} == {ZERO}


def test_a_credit_hangs_from_the_line_that_is_zero() -> None:
    chart = columns([("Oct", Decimal(-50), Decimal(-50)), ("Nov", Decimal(100), Decimal(-10))], "GBP")
    zero = zero_of(chart)
    october, november = chart.columns
    assert october.whole.y == october.part.y == zero
    assert november.part.y == zero
    assert november.whole.y + november.whole.height == zero
    assert all(box.y >= 0 and box.y + box.height <= chart.height for box in (october.whole, november.whole))


def test_what_is_there_can_be_seen_however_small_it_is_beside_the_others() -> None:
    chart = by_month("1000000000", "0.01", "-0.01", "0")
    heights = [column.whole.height for column in chart.columns]
    assert heights[1:] == [1, 1, 0]
    assert chart.columns[1].whole.y + 1 == zero_of(chart) == chart.columns[2].whole.y


def ages(*amounts: str) -> Rows:
    return rows([(f"age {n}", Decimal(amount)) for n, amount in enumerate(amounts)], "GBP")


def test_a_bar_is_as_long_as_its_amount_which_stands_behind_it() -> None:
    chart = ages("100", "400", "0", "200", "300")
    lengths = [row.bar.width for row in chart.rows]
    longest = charts.ROWS_WIDTH - charts.LABELS - charts.VALUES
    assert lengths == [longest // 4, longest, 0, longest // 2, longest * 3 // 4]
    assert {row.bar.x for row in chart.rows} == {chart.zero} == {charts.LABELS}
    assert all(row.amount_x == row.bar.x + row.bar.width + 8 for row in chart.rows)
    assert [row.amount for row in chart.rows] == ["£100", "£400", "£0", "£200", "£300"]
    assert chart.rows[-1].bar.y + chart.rows[-1].bar.height <= chart.height == charts.ROW * 5


def test_what_is_owed_to_a_client_goes_to_the_left() -> None:
    chart = ages("-100", "300")
    credit, debt = chart.rows
    assert credit.bar.x == charts.LABELS
    assert credit.bar.x + credit.bar.width == chart.zero == debt.bar.x
    assert credit.amount_x > chart.zero


@pytest.mark.parametrize("amounts", [("0", "0"), ("-5", "-1"), ("0.01", "999999999999.99")])
def test_any_bars_lie_within_the_picture(amounts: tuple[str, ...]) -> None:
    chart = ages(*amounts)
    boxes: list[Box] = [row.bar for row in chart.rows]
    assert all(box.x >= charts.LABELS and box.x + box.width <= chart.width - charts.VALUES for box in boxes)
