"""JSON that every database and response can hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from scheduler_service.payloads.stored_text import fault_of_text


def faults_of_json(value: object) -> Iterator[str]:
    """Yield why parts of a value cannot be stored."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text if fault := fault_of_text(text):
                yield fault
            case float() as number if not math.isfinite(number):
                yield "must be a finite number, such as 1.5"
            case list() as items:
                waiting += items
            case dict() as members:
                waiting += [*members, *members.values()]


def written_out(number: str) -> float:
    """Return a number as PostgreSQL's jsonb returns it, without an exponent: 1e300 has 301 digits."""
    value = float(number)
    return int(value) if "e" in number and value.is_integer() else value


def depth_of(value: Any) -> int:
    """Return how deeply lists and objects are nested; 0 for a value that is neither."""
    depth, level = 0, [value]
    while level := [member for each in level for member in _members(each)]:
        depth += 1
    return depth


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [None, *value.values()]
    return [None, *value] if isinstance(value, list) else []
