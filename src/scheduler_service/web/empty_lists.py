"""Which filter keeps a list empty: the one without which most would match."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from scheduler_service.domain.listing import JobFilter, RunFilter

Filter = TypeVar("Filter", JobFilter, RunFilter)

JOB_FILTERS: Mapping[str, str | tuple[str, ...]] = {
    "q": "q", "status": "status", "last": "last_status", "type": "payload_type", "tag": "tag",
    "due": ("due_since", "due_before"), "owner": "owner_id",
}  # fmt: skip
RUN_FILTERS: Mapping[str, str | tuple[str, ...]] = {
    "job": "job_id", "owner": "owner_id", "tag": "tag", "trigger": "trigger", "status": "statuses", "reason": "reason",
    "within": "since", "late": "is_late",
}  # fmt: skip
"""Fields of the filter by their names in addresses."""
_WITHOUT = {"statuses": (), "is_late": False}


@dataclass(frozen=True, slots=True)
class Excluding:
    """A filter by its name in the address, its value there, and how many would match without it."""

    name: str
    value: str
    count: int


async def widest(
    names: Mapping[str, str | tuple[str, ...]],
    filters: Filter,
    count: Callable[[Filter], Awaitable[int]],
    query: Mapping[str, str],
) -> Excluding | None:
    """Return the filter without which most would match, or None if none of them alone keeps the list empty."""
    found: list[Excluding] = []
    for name, fields in names.items():
        if query.get(name):
            without: Any = {each: _WITHOUT.get(each) for each in ((fields,) if isinstance(fields, str) else fields)}
            found.append(Excluding(name, query[name], await count(replace(filters, **without))))
    best = max(found, key=lambda each: each.count, default=None)
    return best if best is not None and best.count else None
