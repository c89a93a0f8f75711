"""Rows of a model written in one plain statement, at a fraction of what they cost through the model."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model

CHUNK = 1000  # rows of one statement


def insert(model: type[Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Each row gives the values of these columns, which nobody but Postgres looks at: they were checked or counted."""
    with connection.cursor() as cursor:
        for start in range(0, len(rows), CHUNK):
            cursor.execute(_inserting(model, names), _columns(rows[start : start + CHUNK]))


def update(model: type[Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """The same for rows that are there; the first of the columns is their key."""
    with connection.cursor() as cursor:
        for start in range(0, len(rows), CHUNK):
            cursor.execute(_updating(model, names), _columns(rows[start : start + CHUNK]))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [
        [json.dumps(value) if isinstance(value, dict | list) else value for value in column]
        for column in zip(*rows, strict=True)
    ]


@cache
def _inserting(model: type[Model], names: tuple[str, ...]) -> str:
    return f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) SELECT * FROM {_given(model, names)}"  # noqa: S608


@cache
def _updating(model: type[Model], names: tuple[str, ...]) -> str:
    table, (key, *others) = model._meta.db_table, names
    values = ", ".join(f"{name} = given.{name}" for name in others)
    given = f"{_given(model, names)} AS given ({', '.join(names)})"
    return f"UPDATE {table} SET {values} FROM {given} WHERE {table}.{key} = given.{key}"  # noqa: S608


def _given(model: type[Model], names: tuple[str, ...]) -> str:
    """Without its length a text that is too long is refused, not cut."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    types = [str(fields[name].db_type(connection)).partition("(")[0] for name in names]
    return "unnest(" + ", ".join(f"%s::{type_}[]" for type_ in types) + ")"
