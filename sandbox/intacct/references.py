"""Looks up what a payload refers to by key or id, and notes what is not there or may not be used."""

from collections.abc import Mapping
from typing import Any

from sandbox.intacct.answers import GENERIC, Json, Problem
from sandbox.intacct.books import Books
from sandbox.intacct.conditions import Conditions


class Desk:
    """What is at hand while one payload is read: the books, what stands open, and every problem so far."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.conditions: Conditions = books.conditions()
        self.problems: list[Problem] = []

    def note(self, message: str, target: str, *, error_id: str = GENERIC, correction: str = "") -> None:
        self.problems.append(Problem(message, target, error_id, correction=correction))

    def find(self, kind: str, given: Mapping[str, Any] | None, target: str, message: str) -> Json | None:
        """The record referred to, None when nothing is; the message has a place for what was sent."""
        if not given:
            return None
        found = self.books.find_id(kind, given["id"]) if given.get("id") else self.books.get(kind, given.get("key"))
        if found is None:
            self.note(message.format(given.get("id") or given.get("key")), target)
        return found

    def find_active(self, kind: str, given: Mapping[str, Any] | None, target: str, message: str) -> Json | None:
        """That it is active is checked too; the words for one that isn't are an assumption."""
        found = self.find(kind, given, target, message)
        if found is not None and found["status"] != "active":
            self.note(f"{message.format(found['id'])} It is inactive.", target)
        return found


def reference(record: Json | None, *names: str) -> Json | None:
    """How another record is shown inside one: its key and id, and what else is named."""
    return {name: record[name] for name in ("key", "id", *names)} if record is not None else None
