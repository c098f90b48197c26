"""Lists come in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list to give; `number` counts from 1.

    `before_id`, where the list allows it, goes on behind the row of that id: as quick on the last page as on the
    first, and rows that come meanwhile move nothing.
    """

    number: int = 1
    size: int = 10
    before_id: int | None = None

    @property
    def offset(self) -> int:
        """How many rows lie in front of the page."""
        return 0 if self.before_id is not None else (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page of a list, and how many items the whole list has."""

    items: tuple[Item, ...]
    total: int
