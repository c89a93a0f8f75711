"""A connection authorised once, and put back for each test on both sides: the sandbox's books and our own rows."""

import copy
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import DateTimeField, ForeignKey, Model

from connectors.models import Connection, LiveDatabase
from tests.books import Sandbox

YOUNG_SECONDS = 60  # an access token lives for five


@dataclass(frozen=True)
class Authorised:
    """The rows that an authorisation left, and the `now` of its test."""

    name: str
    rows: tuple[Model, ...]
    at: datetime
    made: float = field(default_factory=time.monotonic)

    @classmethod
    def keep(cls, name: str, sandbox: Sandbox, at: datetime) -> "Authorised":
        sandbox.keep(name)
        models = [model for model in apps.get_app_config("connectors").get_models() if model is not LiveDatabase]
        return cls(name=name, rows=tuple(row for model in models for row in model._base_manager.all()), at=at)

    def is_young(self) -> bool:
        return time.monotonic() - self.made < YOUNG_SECONDS

    def put_back(self, sandbox: Sandbox, *, actor: User, now: datetime) -> Connection:
        """As if `actor` had authorised just now."""
        sandbox.put_back(self.name)
        fresh = [self._moved(row, actor, now) for row in self.rows]
        for model, rows in groupby(fresh, type):
            model._base_manager.bulk_create(rows)
        return Connection.objects.get()

    def _moved(self, row: Model, actor: User, now: datetime) -> Model:
        moved = copy.copy(row)
        for column in row._meta.concrete_fields:
            value = getattr(row, column.attname)
            if column is row._meta.auto_field:
                setattr(moved, column.attname, None)
            elif isinstance(column, DateTimeField) and value is not None:
                setattr(moved, column.attname, value - self.at + now)
            elif isinstance(column, ForeignKey) and column.related_model is User:
                setattr(moved, column.attname, actor.pk)
        return moved
