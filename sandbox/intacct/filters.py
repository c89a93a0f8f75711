"""Filters of a query put into SQL: the words are our own, only values come from outside."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.clock import stamp
from sandbox.intacct.answers import invalid_payload, wrong
from sandbox.intacct.fields import MONEY

Condition = tuple[str, list[Any]]
COMPARISONS = {"$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}
# Text: where the value stands in the column; each has a form with $not before it.
TEXTS = {
    "Contains": "instr({column}, {value}) > 0",
    "StartsWith": "substr({column}, 1, length({value})) = {value}",
    "EndsWith": "substr({column}, -length({value})) = {value}",
}
TOKEN = re.compile(r"\s*(\d+|and\b|or\b|[()])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    sql: str
    money: bool = False
    case_sensitive: bool = True

    def text(self, sql: str) -> str:
        return sql if self.case_sensitive else f"lower({sql})"

    def value(self, given: Any) -> Any:
        """As the column keeps it. Raises Refused."""
        if self.money:
            return _pennies(given, self.name)
        if self.name.endswith("DateTime"):
            return _moment(given, self.name)
        return str(given) if isinstance(given, Decimal) else given


def read_filter(given: Any, column_of: Callable[[str], Column]) -> Condition:
    """One filter, such as {"$gte": {"audit.modifiedDateTime": "2026-10-01T00:00:00Z"}}. Raises Refused."""
    if not (isinstance(given, dict) and len(given) == 1):
        raise refused("A filter is an object with one operator")
    operator, operand = next(iter(given.items()))
    if not (isinstance(operand, dict) and len(operand) == 1):
        raise refused(f"{operator} takes one field and its value")
    name, value = next(iter(operand.items()))
    column = column_of(name)
    if operator in COMPARISONS:
        return f"{_compared(column)} {COMPARISONS[operator]} ?", [column.value(value)]
    if operator in ("$eq", "$ne"):
        return _equal(column, value, negated=operator == "$ne")
    if operator in ("$in", "$notIn"):
        return _among(column, _values(value, operator), negated=operator == "$notIn")
    if operator in ("$between", "$notBetween"):
        return _between(column, _values(value, operator), negated=operator == "$notBetween")
    return _like(column, operator, value)


def combine(conditions: list[Condition], expression: str) -> Condition:
    """By `and`, `or`, or numbers from 1 such as (1 and 2) or 3. Raises Refused."""
    if not conditions:
        return "1", []
    expression = expression.strip().lower() or "and"
    if expression in ("and", "or"):
        expression = f" {expression} ".join(str(n + 1) for n in range(len(conditions)))
    words = TOKEN.findall(expression)
    if "".join(words) != re.sub(r"\s", "", expression):
        raise refused(f"filterExpression {expression} could not be read")
    parts, rest = _either(conditions, words)
    if rest:
        raise refused(f"filterExpression {expression} could not be read")
    return parts


def refused(message: str, target: str = "") -> Exception:
    return invalid_payload([wrong(message, target)])


def _either(conditions: list[Condition], words: list[str]) -> tuple[Condition, list[str]]:
    (sql, values), words = _both(conditions, words)
    while words[:1] == ["or"]:
        (more, added), words = _both(conditions, words[1:])
        sql, values = f"({sql} OR {more})", [*values, *added]
    return (sql, values), words


def _both(conditions: list[Condition], words: list[str]) -> tuple[Condition, list[str]]:
    (sql, values), words = _single(conditions, words)
    while words[:1] == ["and"]:
        (more, added), words = _single(conditions, words[1:])
        sql, values = f"({sql} AND {more})", [*values, *added]
    return (sql, values), words


def _single(conditions: list[Condition], words: list[str]) -> tuple[Condition, list[str]]:
    if words[:1] == ["("]:
        inner, rest = _either(conditions, words[1:])
        if rest[:1] == [")"]:
            return inner, rest[1:]
    elif words and words[0].isdigit() and 1 <= int(words[0]) <= len(conditions):
        sql, values = conditions[int(words[0]) - 1]
        return (f"({sql})", values), words[1:]
    raise refused("filterExpression could not be read")


def _compared(column: Column) -> str:
    return f"CAST(replace({column.sql}, '.', '') AS INTEGER)" if column.money else column.sql


def _equal(column: Column, value: Any, *, negated: bool) -> Condition:
    if value is None:
        return f"{column.sql} IS {'NOT ' if negated else ''}NULL", []
    sql = column.text(_compared(column))
    return f"{sql} {'IS NOT' if negated else '='} {column.text('?')}", [column.value(value)]


def _among(column: Column, values: list[Any], *, negated: bool) -> Condition:
    marks = ", ".join(column.text("?") for _ in values)
    sql = f"{column.text(_compared(column))} IN ({marks})"
    return _negated(sql, [column.value(each) for each in values], negated=negated)


def _between(column: Column, values: list[Any], *, negated: bool) -> Condition:
    if len(values) != len(("from", "to")):
        raise refused("$between takes two values")
    sql = f"{_compared(column)} BETWEEN ? AND ?"
    return _negated(sql, [column.value(each) for each in values], negated=negated)


def _like(column: Column, operator: str, value: Any) -> Condition:
    negated = operator.startswith("$not")
    word = operator.removeprefix("$not" if negated else "$")
    word = word[:1].upper() + word[1:]
    if word not in TEXTS:
        raise refused(f"{operator} is not a valid operator")
    mark = column.text("?")
    sql = TEXTS[word].format(column=column.text(column.sql), value=mark)
    return _negated(sql, [value] * sql.count("?"), negated=negated)


def _negated(sql: str, values: list[Any], *, negated: bool) -> Condition:
    return (f"NOT coalesce({sql}, 0)" if negated else sql), values


def _values(value: Any, operator: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise refused(f"{operator} takes an array of values")
    return value


def _pennies(given: Any, name: str) -> int:
    text = str(given)
    if not MONEY.fullmatch(text):
        raise refused(f"{name} is compared with an amount")
    return int(Decimal(text).scaleb(2))


def _moment(given: Any, name: str) -> str:
    try:
        moment = datetime.fromisoformat(given if isinstance(given, str) else "")
    except ValueError:
        raise refused(f"{name} is compared with a moment, such as 2026-10-01T00:00:00Z") from None
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
