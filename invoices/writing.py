"""Rows of a model written in one plain statement, at a fraction of what they cost through the model."""

import io
import json
import re
from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model

CHUNK = 1000  # rows of one statement
SPECIAL = re.compile(r"[\\\t\n\r]")
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def insert(model: type[Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Each row gives the values of these columns, which nobody but Postgres looks at: they were checked or counted.

    By COPY, which takes half of what an INSERT does; columns that are left out are NULL.
    """
    copying = f"COPY {model._meta.db_table} ({', '.join(names)}) FROM STDIN"
    for start in range(0, len(rows), CHUNK):
        columns = map(_copied, _columns(model, names, rows[start : start + CHUNK]))
        text = io.StringIO("".join(["\t".join(row) + "\n" for row in zip(*columns, strict=True)]))
        with connection.cursor() as cursor, connection.wrap_database_errors:
            cursor.copy_expert(copying, text)


def _copied(column: Sequence[object]) -> list[str]:
    """As COPY takes it: a backslash begins what means something else, and \\N is NULL."""
    texts = [*map(str, column)]
    if SPECIAL.search("".join(texts)):
        texts = [text.translate(ESCAPED) for text in texts]
    if NoneType in set(map(type, column)):
        texts = ["\\N" if value is None else text for value, text in zip(column, texts, strict=True)]
    return texts


def update(model: type[Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """The same for rows that are there; the first of the columns is their key."""
    with connection.cursor() as cursor:
        for start in range(0, len(rows), CHUNK):
            cursor.execute(_updating(model, names), _columns(model, names, rows[start : start + CHUNK]))


def _columns(model: type[Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    for place in _documents(model, names):
        columns[place] = [None if value is None else json.dumps(value) for value in columns[place]]
    return columns


@cache
def _documents(model: type[Model], names: tuple[str, ...]) -> list[int]:
    """Which of the columns are JSON."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return [place for place, name in enumerate(names) if isinstance(fields[name], JSONField)]


@cache
def _updating(model: type[Model], names: tuple[str, ...]) -> str:
    table, (key, *others) = model._meta.db_table, names
    values = ", ".join(f"{name} = given.{name}" for name in others)
    given = f"{_given(model, names)} AS given ({', '.join(names)})"
    return f"/* planned: update */ UPDATE {table} SET {values} FROM {given} WHERE {table}.{key} = given.{key}"  # noqa: S608


def _given(model: type[Model], names: tuple[str, ...]) -> str:
    """Without its length a text that is too long is refused, not cut."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    types = [str(fields[name].db_type(connection)).partition("(")[0] for name in names]
    return "unnest(" + ", ".join(f"%s::{type_}[]" for type_ in types) + ")"
