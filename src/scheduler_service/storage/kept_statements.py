"""Keeps the statements of lists that are asked for again and again, such as the first page without a filter.

To build such a statement, and the key of SQLAlchemy's cache for it, takes longer than to execute it. SQLAlchemy keeps
the key in the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_KEPT = 500
Statements = TypeVar("Statements")


class KeptStatements(Generic[Statements]):
    """Statements by what they depend on. Beyond MAX_KEPT, all are forgotten."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Statements] = {}

    def find(self, key: Hashable, build: Callable[[], Statements]) -> Statements:
        """Return the statements of a key, which are built once."""
        if key not in self._kept:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = build()
        return self._kept[key]
